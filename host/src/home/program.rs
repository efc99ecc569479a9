//! What a program says that gives the master key, such as a client of a key management service.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

/// A program that takes longer is ended. It may have to ask over a network.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs the program `words` without a shell and without the variable `hidden`, and gives its standard output. What it writes
/// to standard error goes nowhere, since the key might be in it. Blocks, for 30 s at most.
///
/// # Errors
/// How it ended, in words, and nothing that it said.
pub(super) fn said(
    words: &[String],
    hidden: Option<&str>,
    limit: u64,
) -> Result<Zeroizing<Vec<u8>>, String> {
    said_within(PATIENCE, words, hidden, limit)
}

fn said_within(
    patience: Duration,
    words: &[String],
    hidden: Option<&str>,
    limit: u64,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let (program, arguments) = words.split_first().ok_or("no program is named")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // So that whatever it starts ends with it.
        .process_group(0);
    if let Some(hidden) = hidden {
        command.env_remove(hidden);
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let until = Instant::now() + patience;
    let read = child.stdout.take().map(|output| {
        let (told, read) = mpsc::channel();
        // Left alone when the program is given up: it ends when the last of its pipe's ends is closed.
        std::thread::spawn(move || {
            let mut said =
                Zeroizing::new(Vec::with_capacity(usize::try_from(limit).unwrap_or(0) + 1));
            let done = output.take(limit + 1).read_to_end(&mut said);
            let _ = told.send(done.map(|_| said));
        });
        read
    });
    let said = read.and_then(|read| {
        let left = until.saturating_duration_since(Instant::now());
        read.recv_timeout(left).ok()
    });
    let Some(said) = said else {
        end(&mut child);
        return Err(format!("it did not end within {} s", patience.as_secs()));
    };
    let said = said.map_err(|error| format!("it cannot be read: {error}"))?;
    if said.len() as u64 > limit {
        end(&mut child);
        return Err(format!("it says more than {limit} bytes"));
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(said),
            Ok(Some(status)) => {
                return Err(format!("it ended with {status}; run it by hand to see why"));
            }
            Ok(None) if Instant::now() < until => std::thread::sleep(PAUSE),
            Ok(None) => {
                end(&mut child);
                return Err(format!("it did not end within {} s", patience.as_secs()));
            }
            Err(error) => return Err(format!("it cannot be waited for: {error}")),
        }
    }
}

fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // Gone already is well.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<String, String> {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        let said = said_within(Duration::from_secs(2), &words, Some("CARGO_PKG_NAME"), 64)?;
        Ok(String::from_utf8(said.to_vec()).unwrap())
    }

    #[test]
    fn a_program_is_heard_for_as_long_as_it_may_take() {
        assert_eq!(run("echo ab; echo s3cret >&2").unwrap(), "ab\n");
        // The variable with the key that there was is not for it.
        assert_eq!(run("echo \"<$CARGO_PKG_NAME>\"").unwrap(), "<>\n");
        for (script, why) in [
            (
                "echo s3cret; echo s3cret >&2; exit 3",
                "ended with exit status: 3",
            ),
            ("sleep 60", "within 2 s"),
            ("sleep 60 & echo ab", "within 2 s"),
            ("exec 1>&-; sleep 60", "within 2 s"),
            ("yes s3cret", "more than 64 bytes"),
        ] {
            let began = Instant::now();
            let said = run(script).unwrap_err();
            assert!(said.contains(why) && !said.contains("s3cret"), "{said}");
            assert!(began.elapsed() < Duration::from_secs(20));
        }
        let missing = said(&["/nowhere/kms".to_owned()], None, 64).unwrap_err();
        assert!(missing.contains("cannot be started"), "{missing}");
    }
}
