//! A folder of a home, wherever homes are kept: on this machine's disk, or in the store that several hosts share.

use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::Dir;
use zeroize::Zeroizing;

use super::shared::SharedFolder;
use super::{HomeError, disk};
use crate::payment::model::Ams;

/// A folder that is open for one piece of work.
pub(super) enum Folder<'w> {
    Disk(Dir),
    Shared(SharedFolder<'w>),
}

/// What is told of a file without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// In bytes.
    pub(super) len: u64,
    pub(super) changed: SystemTime,
}

impl Found {
    /// When it was changed, in milliseconds since 1970.
    pub(super) fn changed_ms(&self) -> Ams {
        let since = self.changed.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl<'w> Folder<'w> {
    /// The folder `name` in it, or `None` where there is none.
    pub(super) fn folder(&self, name: &str) -> Result<Option<Folder<'w>>, HomeError> {
        match self {
            Folder::Disk(dir) => Ok(disk::folder(dir, name)?.map(Folder::Disk)),
            Folder::Shared(shared) => Ok(shared.folder(name)?.map(Folder::Shared)),
        }
    }

    /// The same, made where there is none.
    pub(super) fn make_folder(&self, name: &str) -> Result<Folder<'w>, HomeError> {
        match self {
            Folder::Disk(dir) => disk::make_folder(dir, name).map(Folder::Disk),
            Folder::Shared(shared) => Ok(Folder::Shared(shared.inside(name))),
        }
    }

    /// The bytes of the file `name`, or `None` where there is none; more than `limit` are refused.
    pub(super) fn read(
        &self,
        name: &str,
        limit: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        match self {
            Folder::Disk(dir) => disk::read(dir, name, limit),
            Folder::Shared(shared) => shared.read(name, limit),
        }
    }

    /// What is told of the file `name`, or `None` where there is none.
    pub(super) fn look(&self, name: &str) -> Result<Option<Found>, HomeError> {
        match self {
            Folder::Disk(dir) => disk::look(dir, name),
            Folder::Shared(shared) => shared.look(name),
        }
    }

    /// Puts a whole file in the place of `name`: a crash leaves the old or the new.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        match self {
            Folder::Disk(dir) => disk::write(dir, name, bytes),
            Folder::Shared(shared) => shared.write(name, bytes),
        }
    }

    /// Makes the folder `name` with all of `files` in it appear at once. A folder that is already there is an error.
    pub(super) fn write_folder(
        &self,
        name: &str,
        files: &[(&str, &[u8])],
    ) -> Result<(), HomeError> {
        match self {
            Folder::Disk(dir) => disk::write_folder(dir, name, files),
            Folder::Shared(shared) => shared.write_folder(name, files),
        }
    }

    /// Removes the file `name`; false where there was none.
    pub(super) fn remove(&self, name: &str) -> Result<bool, HomeError> {
        match self {
            Folder::Disk(dir) => disk::remove(dir, name),
            Folder::Shared(shared) => shared.remove(name),
        }
    }

    /// Removes the folder `name` with everything in it; well also where there is none.
    pub(super) fn remove_folder(&self, name: &str) -> Result<(), HomeError> {
        match self {
            Folder::Disk(dir) => disk::remove_folder(dir, name),
            Folder::Shared(shared) => shared.remove_folder(name),
        }
    }

    /// The names in it that `wanted` takes, sorted.
    pub(super) fn names(&self, wanted: fn(&str) -> bool) -> Result<Vec<String>, HomeError> {
        match self {
            Folder::Disk(dir) => disk::names(dir, wanted),
            Folder::Shared(shared) => shared.names(wanted),
        }
    }

    /// Removes what a crash left half written. Only for whoever holds the right to write.
    pub(super) fn sweep(&self) -> Result<(), HomeError> {
        match self {
            Folder::Disk(dir) => disk::sweep(dir),
            // A transaction that was not committed leaves nothing.
            Folder::Shared(_) => Ok(()),
        }
    }
}
