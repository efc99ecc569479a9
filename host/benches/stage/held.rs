//! What a process holds, as Linux tells it under `/proc`.

use std::fs;
use std::io;

/// What a process holds at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Its own pages, those of its files, and the files that it keeps in memory, whether they are mapped or not.
    pub(crate) bytes: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
    /// Mappings of its address space.
    pub(crate) mappings: u64,
}

impl Held {
    /// What this process holds now.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn by(process: u32) -> io::Result<Held> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let (mut descriptors, mut in_memory) = (0, 0);
        for entry in fs::read_dir(format!("/proc/{process}/fd"))?.flatten() {
            descriptors += 1;
            // One may be closed meanwhile.
            let is_memory = fs::read_link(entry.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:"));
            if is_memory && let Ok(found) = fs::metadata(entry.path()) {
                in_memory += std::os::unix::fs::MetadataExt::blocks(&found) * 512;
            }
        }
        let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
        Ok(Held {
            bytes: resident(&status, "RssAnon:") + resident(&status, "RssFile:") + in_memory,
            descriptors,
            mappings: maps.lines().count() as u64,
        })
    }

    /// Of each the most.
    pub(crate) fn or_more(self, other: Held) -> Held {
        Held {
            bytes: self.bytes.max(other.bytes),
            descriptors: self.descriptors.max(other.descriptors),
            mappings: self.mappings.max(other.mappings),
        }
    }
}

fn resident(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    kilobytes.and_then(|text| text.parse().ok()).unwrap_or(0) * 1024
}
