//! What can go wrong in the data root, with what to do about it.

use std::io;

use crate::store::StoreError;

/// Why something in the data root could not be read or written. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The name may not be part of a path.
    #[error("{name:?} cannot name a {what}: use {rule}")]
    Name {
        /// What it should have named.
        what: &'static str,
        /// As it was given, cut off.
        name: String,
        /// What names look like.
        rule: &'static str,
    },
    /// Another host holds the data root.
    #[error(
        "the data root {path} is in use by {holder}: stop that host, or give this one another --data"
    )]
    InUse {
        /// The data root.
        path: String,
        /// As that host wrote it into the lock file.
        holder: String,
    },
    /// Others than the owner may read or write the key.
    #[error(
        "{path} has mode {mode:03o}, so that others can reach the master key: chmod 600 {path}"
    )]
    LoosePermissions {
        /// The key file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// There are sealed secrets but no key.
    #[error(
        "the master key ({path}) is missing although something is sealed under it: put it back from where you keep it, \
         since nothing opens with another"
    )]
    KeyMissing {
        /// Where it should be.
        path: String,
    },
    /// What should hold the master key does not.
    #[error(
        "{path} does not hold the master key's 64 hex digits: put it back from where you keep it"
    )]
    KeyDamaged {
        /// The key file, the variable or the program.
        path: String,
    },
    /// A program that should give the master key did not.
    #[error("{path} gives no master key: {why}")]
    KeyNotGiven {
        /// The program.
        path: String,
        /// How it ended. Nothing of what it said.
        why: String,
    },
    /// The sealed data key is gone.
    #[error(
        "{path} is missing: put it back from the backup, since the keys that it holds open what the data root holds"
    )]
    VaultMissing {
        /// The vault.
        path: String,
    },
    /// The new master key is the one that there is.
    #[error("{path} gives the master key that there is already: give another one")]
    SameKey {
        /// Where it comes from.
        path: String,
    },
    /// No place for a new master key.
    #[error(
        "{path} cannot be given a new master key from here: name where the next one comes from (--to file:PATH, \
         --to env:NAME or --to 'command:PROGRAM ARG')"
    )]
    KeyElsewhere {
        /// Where the present one comes from.
        path: String,
    },
    /// Somebody else sealed the data key anew at the same time.
    #[error(
        "another rotation of the master key came first: put its key into {path}, and begin again if it has to change once more"
    )]
    Overtaken {
        /// Where the present key comes from.
        path: String,
    },
    /// More bytes than are taken.
    #[error("{what}: more than {limit} bytes, which is the limit")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// More items than are kept.
    #[error("{what}: there are already {limit}, which is the limit")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// The limit.
        limit: u32,
    },
    /// A target changes between live and test never.
    #[error(
        "the target {target} is a {kind} one and stays so: give the other target another name",
        kind = if *.test { "test" } else { "live" }
    )]
    OtherKind {
        /// Platform and name.
        target: String,
        /// What it is.
        test: bool,
    },
    /// A symbolic link, a device or something else that walnut does not put there.
    #[error("{what} is a link or no plain file or folder: remove it")]
    NotPlain {
        /// Which entry.
        what: String,
    },
    /// A file does not hold what walnut writes there.
    #[error("{what} is damaged ({why}): put it back from the backup, or put it again")]
    Damaged {
        /// Which file.
        what: String,
        /// In what way.
        why: String,
    },
    /// Sealed bytes that do not open.
    #[error(
        "{what} does not open: it was sealed with another key, or for another place, or changed"
    )]
    Sealed {
        /// What was to be opened.
        what: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// The disk failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The store that hosts share does not answer, or its homes are not what walnut writes there.
    #[error("the shared homes: {0}")]
    Store(#[from] StoreError),
    /// The data key is sealed under another master key.
    #[error(
        "{path} is the master key {given}, but {vault} is sealed under {wanted}: give that one (mode 600 where it is a \
         file), since nothing opens with another"
    )]
    OtherKey {
        /// Where the key came from.
        path: String,
        /// Its name, which is no secret.
        given: String,
        /// What is sealed.
        vault: String,
        /// The name of the key that opens it.
        wanted: String,
    },
    /// The host is shutting down.
    #[error("interrupted while the host stops")]
    Interrupted,
}

impl HomeError {
    /// What the system said, where it is the system that refused.
    pub fn system(&self) -> Option<io::ErrorKind> {
        match self {
            HomeError::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> HomeError {
        let doing = doing.into();
        move |source| HomeError::Io { doing, source }
    }
}
