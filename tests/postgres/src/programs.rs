//! The server's programs on this machine.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `nobody`, on every system: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// Where `initdb`, `pg_ctl` and their like are.
#[derive(Clone, Debug)]
pub struct Programs {
    dir: PathBuf,
}

impl Programs {
    /// The newest that are installed: in the directories of `PATH`, or where Debian has them.
    pub fn find() -> Option<Programs> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).find_map(|dir| {
            // What is in the path may be a link to one of them, away from the others.
            let initdb = dir.join("initdb").canonicalize().ok()?;
            Some(initdb.parent()?.to_owned())
        });
        let dir = in_path.or_else(of_debian)?;
        Some(Programs { dir })
    }

    /// One of them, run by somebody whom the server accepts.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.dir.join(name));
        command.current_dir("/").env("LC_ALL", "C");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Gives a directory to whoever runs the programs.
    pub(crate) fn give(dir: &Path) -> std::io::Result<()> {
        match is_root() {
            true => std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY)),
            false => Ok(()),
        }
    }

    /// The path of one of them.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn of_debian() -> Option<PathBuf> {
    let number = |dir: &PathBuf| {
        let name = dir.file_name().and_then(OsStr::to_str)?;
        name.parse::<u32>().ok()
    };
    std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|dir| dir.join("bin/initdb").is_file())
        .max_by_key(number)
        .map(|dir| dir.join("bin"))
}
