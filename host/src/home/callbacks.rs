//! The owner's callbacks: `home/<domain>/.payment/callback/<name>`, and beside them in `callback.test/` those that a
//! test key put: test payments bind these where there are any, live payments never.
//!
//! Each put makes a version. What a list shows stands beside the contents, so that a list reads none of them.

mod versions;

use serde::Serialize;

use super::folder::Folder;
use super::name::{CALLBACK_FOLDER, TEST_CALLBACK_FOLDER};
use super::root::Files;
use super::{Home, HomeError, name};
use crate::payment::model::Ams;

pub use versions::CallbackVersion;

/// Largest content of a callback. A component made from Python has 18.5 MB; twice that leaves room.
pub const MAX_CALLBACK_BYTES: u64 = 32 << 20;

/// How many callbacks a domain may have, for live and for test payments each: more than any shop names, few enough to
/// list at once.
pub const MAX_CALLBACKS: u32 = 256;

/// How many versions of a callback are kept, the earliest forgotten first: a month of daily changes on work days.
pub const MAX_CALLBACK_VERSIONS: u32 = 20;

/// Their bytes together, earlier versions included, for live and for test payments each: a dozen components made from
/// Python.
pub const MAX_CALLBACKS_BYTES: u64 = 256 << 20;

/// A callback as it lies in the home.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct CallbackFile {
    /// What `create` calls it by.
    pub name: String,
    /// Test payments alone are bound to it.
    pub test: bool,
    /// The version that counts.
    #[serde(flatten)]
    pub current: CallbackVersion,
}

/// What is put under a callback's name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewCallback {
    /// The callback.
    pub content: Vec<u8>,
    /// What its owner says of it.
    pub note: String,
    /// The version whose content it has, where it is a roll-back.
    pub from: Option<u32>,
}

impl Home {
    /// Keeps a new version of the callback `name` of live or of test payments, in the place of the one that counted.
    /// Payments that were created before stay with what they were bound to. Of the earlier versions so many are kept as
    /// there is room for beside the other callbacks, and at most [`MAX_CALLBACK_VERSIONS`]; a content that several
    /// versions have is stored once.
    ///
    /// # Errors
    /// [`HomeError::Name`], [`HomeError::TooLarge`] above [`MAX_CALLBACK_BYTES`] or, with the other callbacks, above
    /// [`MAX_CALLBACKS_BYTES`]; [`HomeError::TooMany`] above [`MAX_CALLBACKS`].
    pub async fn put_callback(
        &self,
        test: bool,
        name: &str,
        new: NewCallback,
        now: Ams,
    ) -> Result<CallbackFile, HomeError> {
        name::check_callback(name)?;
        if new.content.len() as u64 > MAX_CALLBACK_BYTES {
            let what = format!("the callback {name}");
            return Err(HomeError::TooLarge {
                what,
                limit: MAX_CALLBACK_BYTES,
            });
        }
        let name = name.to_owned();
        self.changing(move |home| {
            let dir = home.make_folder(&[folder(test)])?;
            dir.sweep()?;
            let before = versions::of(&dir, &name)?;
            if before.is_none() {
                // Of one that was being deleted when the host ended.
                versions::remove(&dir, &name)?;
            }
            let room = room_beside_others(home, &dir, &name)?;
            let put = versions::put(&dir, &name, before, &new, now, room)?;
            let current = put.ok_or_else(|| HomeError::TooLarge {
                what: callbacks_of(home),
                limit: MAX_CALLBACKS_BYTES,
            })?;
            Ok(CallbackFile {
                name: name.clone(),
                test,
                current,
            })
        })
        .await
    }

    /// The versions of the callback `name` that are kept, the latest first; none where there is no such callback.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name.
    pub async fn callback_versions(
        &self,
        test: bool,
        name: &str,
    ) -> Result<Vec<CallbackVersion>, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.reading(move |home| {
            let Some(dir) = home.folder(&[folder(test)])? else {
                return Ok(Vec::new());
            };
            let versions = versions::of(&dir, &name)?;
            Ok(versions.map_or_else(Vec::new, |versions| versions.into_latest_first()))
        })
        .await
    }

    /// The content of one version of the callback `name`; `None` where it is not kept.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name, [`HomeError::Damaged`] where the content is not the one that
    /// was put.
    pub async fn callback_version(
        &self,
        test: bool,
        name: &str,
        version: u32,
    ) -> Result<Option<Vec<u8>>, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.reading(move |home| {
            let Some(dir) = home.folder(&[folder(test)])? else {
                return Ok(None);
            };
            match versions::of(&dir, &name)? {
                Some(versions) => versions.content(&dir, &name, version),
                None => Ok(None),
            }
        })
        .await
    }

    /// The content of the callback `name` of live or of test payments, or `None` where there is none.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name.
    pub async fn callback(&self, test: bool, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.reading(move |home| match home.folder(&[folder(test)])? {
            Some(dir) => read(&dir, &name),
            None => Ok(None),
        })
        .await
    }

    /// The content that a payment is bound to: for a test payment that of test payments, or else that of live ones.
    ///
    /// # Errors
    /// As [`callback`](Self::callback).
    pub async fn callback_to_bind(
        &self,
        test: bool,
        name: &str,
    ) -> Result<Option<Vec<u8>>, HomeError> {
        if test && let Some(content) = self.callback(true, name).await? {
            return Ok(Some(content));
        }
        self.callback(false, name).await
    }

    /// All callbacks: those of live payments by name, then those of test payments.
    pub async fn callbacks(&self) -> Result<Vec<CallbackFile>, HomeError> {
        self.reading(|home| {
            let mut found = Vec::new();
            for test in [false, true] {
                let Some(dir) = home.folder(&[folder(test)])? else {
                    continue;
                };
                for name in dir.names(name::is_item)? {
                    if let Some(versions) = versions::of(&dir, &name)? {
                        found.push(CallbackFile {
                            name,
                            test,
                            current: versions.current,
                        });
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// Deletes the callback `name` of live or of test payments with all its versions; false where there was none.
    /// Payments keep what they were bound to.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name.
    pub async fn delete_callback(&self, test: bool, name: &str) -> Result<bool, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.changing(move |home| {
            let Some(dir) = home.folder(&[folder(test)])? else {
                return Ok(false);
            };
            let deleted = dir.remove(&name)?;
            versions::remove(&dir, &name)?;
            Ok(deleted)
        })
        .await
    }
}

fn folder(test: bool) -> &'static str {
    if test {
        TEST_CALLBACK_FOLDER
    } else {
        CALLBACK_FOLDER
    }
}

fn callbacks_of(home: &Files<'_>) -> String {
    format!("callbacks of {}", home.domain())
}

/// Bytes that the callback of this name may have beside the others.
fn room_beside_others(home: &Files<'_>, dir: &Folder<'_>, name: &str) -> Result<u64, HomeError> {
    let mut others = dir.names(name::is_item)?;
    others.retain(|other| other != name);
    if others.len() >= MAX_CALLBACKS as usize {
        return Err(HomeError::TooMany {
            what: callbacks_of(home),
            limit: MAX_CALLBACKS,
        });
    }
    let mut sum = 0;
    for other in others {
        sum += versions::size(dir, &other)?;
    }
    Ok(MAX_CALLBACKS_BYTES.saturating_sub(sum))
}

fn read(dir: &Folder<'_>, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
    // A callback is no secret, so its bytes may leave the buffer that would be wiped.
    let content = dir.read(name, MAX_CALLBACK_BYTES)?;
    Ok(content.map(|mut content| std::mem::take(&mut *content)))
}

#[cfg(test)]
mod tests;
