//! The sandbox in this process, as a host has it: same limits, same compiler, same checks.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::error::CliError;
use crate::cli::this_program;
use crate::plugin::{Callback, PluginOptions, Plugins, Refusal};

/// One run at a time needs one place, and callbacks have a part of a part of the places.
const INSTANCES: u32 = 4;

/// Under the user's directory of caches.
const DIR: &str = "walnut/callback-test";

/// A sandbox, and where it keeps compiled code.
pub(super) struct Room {
    plugins: Plugins,
    // Where the user has no directory of caches: it goes with the process.
    _temporary: Option<tempfile::TempDir>,
}

impl Room {
    /// Starts the sandbox. Compiled code is kept for the user's next run.
    pub(super) fn open() -> Result<Room, CliError> {
        let failed = |what: &str, why: String| CliError::usage(format!("{what}: {why}"));
        let (dir, temporary) = match cache_dir() {
            Some(dir) => (dir, None),
            None => {
                let made = tempfile::tempdir()
                    .map_err(|error| failed("no temporary directory", error.to_string()))?;
                (made.path().to_owned(), Some(made))
            }
        };
        let cache_key = key(&dir)
            .map_err(|error| failed(&format!("cannot use {}", dir.display()), error.to_string()))?;
        let compiler = this_program()
            .map_err(|error| failed("cannot find this program", error.to_string()))?;
        let plugins = Plugins::start(PluginOptions {
            instances: INSTANCES,
            cache_dir: dir.join("compiled"),
            cache_key,
            allow_local_gateways: false,
            compiler: Some(compiler),
        })
        .map_err(|error| failed("the sandbox does not start", error.to_string()))?;
        Ok(Room {
            plugins,
            _temporary: temporary,
        })
    }

    /// Admits a callback as a host does, and makes it ready to run.
    pub(super) async fn admit(&self, content: Vec<u8>) -> Result<Callback, Refusal> {
        let content = Arc::new(content);
        // The first keeps what was compiled for the user's next run, the second takes it.
        self.plugins.admit_callback(content.clone()).await?;
        self.plugins.try_callback(content).await
    }
}

fn cache_dir() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let dir = PathBuf::from(std::env::var_os(name)?);
        dir.is_absolute().then_some(dir)
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    let dir = caches.join(DIR);
    private(&dir).is_ok().then_some(dir)
}

fn private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// What authenticates the compiled code: made once, and readable by this user alone.
fn key(dir: &Path) -> io::Result<[u8; 32]> {
    private(dir)?;
    let file = dir.join("key");
    match fs::read(&file) {
        Ok(bytes) => {
            let broken = || io::Error::new(ErrorKind::InvalidData, "its key is broken: delete it");
            return bytes.try_into().map_err(|_| broken());
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut made = [0; 32];
    aws_lc_rs::rand::fill(&mut made).map_err(|_| io::Error::other("no random numbers"))?;
    // Whole or not there: two first runs at once agree on the one that came first.
    let part = tempfile::Builder::new().tempfile_in(dir)?;
    fs::write(part.path(), made)?;
    match part.persist_noclobber(&file) {
        Ok(_) => Ok(made),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => key(dir),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_stays_and_is_the_users_own() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("a/b");
        let first = key(&dir).unwrap();
        assert_eq!(key(&dir).unwrap(), first);
        let mode = fs::metadata(dir.join("key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
        fs::write(dir.join("key"), b"short").unwrap();
        assert!(key(&dir).unwrap_err().to_string().contains("delete it"));
    }
}
