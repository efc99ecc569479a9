//! What the system would give away of the host's memory.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;

use crate::world::{World, left_out};

/// The memory of a process that can be read, as far as it is not a file's.
fn memory(pid: u32) -> std::io::Result<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut file = std::fs::File::open(format!("/proc/{pid}/mem"))?;
    let mut all = Vec::new();
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let named = words.get(5).copied().unwrap_or_default();
        if !words[1].starts_with("rw") || named.starts_with('/') {
            continue;
        }
        let (from, to) = words[0].split_once('-').unwrap();
        let [mut at, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut part = vec![0; 64 << 10];
        while at < to {
            let size = usize::try_from((to - at).min(part.len() as u64)).unwrap();
            file.seek(SeekFrom::Start(at))?;
            match file.read(&mut part[..size]) {
                Ok(0) | Err(_) => at += size as u64,
                Ok(read) => {
                    // Most of what is reserved was never written.
                    if part[..read].iter().any(|byte| *byte != 0) {
                        all.extend_from_slice(&part[..read]);
                    }
                    at += read as u64;
                }
            }
        }
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_core_is_left_and_the_master_key_is_wiped() {
    let world = World::start().await;
    world.sent().await;
    let pid = world.host.pid();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let cores: Vec<&str> = cores.unwrap().split_whitespace().collect();
    assert_eq!(&cores[4..6], ["0", "0"]);

    // The master key opened the vault, and is of no more use to the process.
    let key = std::fs::read_to_string(world.host.data_root().join("master.key")).unwrap();
    let raw = hex::decode(key.trim()).unwrap();
    match memory(pid) {
        Ok(memory) => {
            assert!(memory.len() > 1 << 20, "{} bytes", memory.len());
            for form in [key.trim().as_bytes(), &raw] {
                let found = memory.windows(form.len()).position(|window| window == form);
                assert_eq!(found, None, "of {} bytes", memory.len());
            }
        }
        Err(error) => left_out("the memory of a host", &error.to_string()),
    }
    let status = world.host.crash().await;
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
}
