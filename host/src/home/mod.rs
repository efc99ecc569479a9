//! The domains' homes under the data root: what an owner uploads (callbacks) and sets up (targets).
//!
//! ```text
//! <data root>/                                     DataRoot, 0700
//!   lock                                           held by the one host that uses it
//!   master.key                                     the operator's master key, 0600, unless it comes from elsewhere
//!   vault.key                                      the data key, sealed under the master key, 0600
//!   home/<domain>/.payment/                        Home
//!     callback/<name>                              a callback's content
//!     callback/.versions-<name>/                   its versions, and the contents that it had before
//!     callback.test/<name>                         the same for test payments alone
//!     <platform>/<target>/current.json             which version counts, test, default, retired
//!     <platform>/<target>/v<N>/settings.json       public settings
//!     <platform>/<target>/v<N>/secrets.sealed      secrets, sealed for exactly this place
//!     <platform>/<target>/v<N>/platform.pem        the platform's certificates that the host fetched
//! ```
//!
//! Whoever comes in from outside (HTTP, the command line) reaches a home only by names that
//! [`name`] has checked, step by step below an open directory, never by a path: nothing outside can
//! be named, and a symbolic link is refused wherever it points.
//!
//! What is written is written beside, synced and renamed, so that a crash leaves the old or the new.
//!
//! Where several hosts share a store, the homes lie in it ([`shared`]), each path below `.payment` as one row, and so
//! does the vault; the data root of each host keeps its lock and the master key, which is the same on all of them.

mod callbacks;
mod copy;
mod disk;
mod error;
#[cfg(test)]
mod everywhere;
mod folder;
mod key;
mod master;
mod migrate;
pub mod name;
mod program;
mod root;
mod shared;
mod targets;
mod vault;

pub use callbacks::{
    CallbackFile, CallbackVersion, MAX_CALLBACK_BYTES, MAX_CALLBACK_VERSIONS, MAX_CALLBACKS,
    MAX_CALLBACKS_BYTES, NewCallback,
};
pub use copy::copy_homes;
pub use error::HomeError;
pub use key::SecretKey;
pub use master::MasterSource;
pub use root::{DataRoot, Home, ROOT_KEY_FILE, RootLook};
pub use targets::{
    MAX_SETTINGS_BYTES, MAX_TARGETS, MAX_VERSIONS, NewTarget, PublicVersion, StoredTarget,
    TargetSummary,
};
pub use vault::{Rotated, VAULT_FILE, rotate};
