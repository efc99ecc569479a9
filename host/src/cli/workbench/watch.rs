//! Runs a callback again whenever one of its files changed.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::report;
use super::room::Room;
use super::trial::{self, Files};
use crate::cli::error::CliError;
use crate::cli::output::Output;

/// How often the files are looked at: soon enough for somebody who just saved one.
const PAUSE: Duration = Duration::from_millis(200);

/// Until Ctrl-C, which ends the process.
pub(super) async fn run(room: &Room, files: &Files) -> Result<Output, CliError> {
    loop {
        let seen = stamps(files);
        let text = match trial::run(room, files).await {
            Ok(trial) => match trial.save(files) {
                Ok(()) => report::of(&trial, files.json()).result,
                Err(error) => format!("{error}\n").into_bytes(),
            },
            // A file that is being written, or built, is there the next time.
            Err(error) => format!("{error}\n").into_bytes(),
        };
        print(&text, files.json()).map_err(|error| CliError::usage(error.to_string()))?;
        while seen == stamps(files) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// When each file was last changed, and its size; none while it is not there.
fn stamps(files: &Files) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &Path| {
        let found = path.metadata().ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    files.paths().iter().map(|path| stamp(path)).collect()
}

fn print(text: &[u8], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    if !json {
        out.write_all(b"\nwaiting for a change (Ctrl-C ends)\n\n")?;
    }
    out.flush()
}
