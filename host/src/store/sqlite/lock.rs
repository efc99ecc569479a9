//! One process at a time: SQLite would let two hosts share the file, and each would hand out the other's
//! leases from its own memory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Held for as long as any thread has the database open.
pub(super) struct DirectoryLock {
    /// The operating system frees the lock with the file, also when the process is killed.
    file: File,
    dir: PathBuf,
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // A process that was begun at this moment has the file too until it runs its program: closing alone would leave the
        // lock to it for so long.
        let _ = self.file.unlock();
    }
}

impl DirectoryLock {
    /// Makes the directory when it is missing, for its owner alone, and locks it.
    pub(super) fn take(dir: &Path) -> Result<DirectoryLock, StoreError> {
        make_private(dir)
            .map_err(|error| StoreError::io(format!("cannot make {}", dir.display()), error))?;
        let path = dir.join("payments.lock");
        let failed = |error| StoreError::io(format!("cannot lock {}", path.display()), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock {
                file,
                dir: dir.to_owned(),
            }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// What the system says of writing here, when SQLite says no more than that it failed. The lock's file holds nothing
    /// otherwise.
    pub(super) fn try_writing(&self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(b"\n")?;
        file.sync_data()
    }

    /// Leaves a mark for the next process: the disk failed while it was synchronised.
    pub(super) fn remember_failure(&self) {
        if let Err(error) = make_private_file(&self.mark()) {
            tracing::error!(%error, "the next host is not told that the disk failed");
        }
    }

    /// Whether an earlier process left that mark.
    pub(super) fn has_failed(&self) -> bool {
        self.mark().exists()
    }

    /// All that was written is on the disk.
    pub(super) fn forget_failure(&self) {
        // It is hardly ever there.
        let _ = fs::remove_file(self.mark());
    }

    fn mark(&self) -> PathBuf {
        self.dir.join("payments.unsynced")
    }

    /// Makes the names of new files durable: SQLite synchronises what is in them, not that they exist.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let parent = self
            .dir
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        for dir in [Some(self.dir.as_path()), parent].into_iter().flatten() {
            File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(|error| {
                    StoreError::io(format!("cannot synchronise {}", dir.display()), error)
                })?;
        }
        Ok(())
    }
}

/// Makes a file that only its owner may read.
pub(super) fn make_private_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    private(&mut options);
    options
        .open(path)
        .map(drop)
        .map_err(|error| StoreError::io(format!("cannot open {}", path.display()), error))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

fn make_private(dir: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_is_free_although_a_new_process_has_the_file_still() {
        let temp = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(temp.path()).unwrap();
        assert!(DirectoryLock::take(temp.path()).is_err());
        let of_a_child = held.file.try_clone().unwrap();
        drop(held);
        drop(DirectoryLock::take(temp.path()).unwrap());
        drop(of_a_child);
    }
}
