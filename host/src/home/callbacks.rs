//! The owner's callbacks: `home/<domain>/.payment/callback/<name>`, and beside them in `callback.test/` those that a
//! test key put: test payments bind these where there are any, live payments never.
//!
//! Beside each content stands what a list shows of it, so that a list reads no contents.

use cap_std::fs::{Dir, Metadata};
use serde::Serialize;

use super::name::{CALLBACK_FOLDER, TEST_CALLBACK_FOLDER};
use super::{Home, HomeError, disk, name};
use crate::payment::model::Digest;

/// Largest content of a callback. A component made from Python has 18.5 MB; twice that leaves room.
pub const MAX_CALLBACK_BYTES: u64 = 32 << 20;

/// How many callbacks a domain may have, for live and for test payments each: more than any shop names, few enough to
/// list at once.
pub const MAX_CALLBACKS: u32 = 256;

/// Their bytes together, for live and for test payments each: a dozen components made from Python.
pub const MAX_CALLBACKS_BYTES: u64 = 256 << 20;

/// A callback as it lies in the home.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CallbackFile {
    /// What `create` calls it by.
    pub name: String,
    /// Test payments alone are bound to it.
    pub test: bool,
    /// Bytes of its content.
    pub len: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

/// What stands beside a content: its length and its digest in hex, in one line.
struct About {
    len: u64,
    sha256: Digest,
}

impl About {
    fn of(content: &[u8]) -> About {
        About {
            len: content.len() as u64,
            sha256: Digest::of(content),
        }
    }

    fn line(&self) -> String {
        format!("{} {}\n", self.len, self.sha256)
    }

    fn read(line: &[u8]) -> Option<About> {
        let (len, sha256) = str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
        Some(About {
            len: len.parse().ok()?,
            sha256: Digest::parse(sha256)?,
        })
    }
}

impl Home {
    /// Keeps `content` as the callback `name` of live or of test payments, in the place of an earlier one. Payments that
    /// were created before stay with what they were bound to.
    ///
    /// # Errors
    /// [`HomeError::Name`], [`HomeError::TooLarge`] above [`MAX_CALLBACK_BYTES`] or, with the others, above
    /// [`MAX_CALLBACKS_BYTES`]; [`HomeError::TooMany`] above [`MAX_CALLBACKS`].
    pub async fn put_callback(
        &self,
        test: bool,
        name: &str,
        content: Vec<u8>,
    ) -> Result<CallbackFile, HomeError> {
        name::check_callback(name)?;
        if content.len() as u64 > MAX_CALLBACK_BYTES {
            let what = format!("the callback {name}");
            return Err(HomeError::TooLarge {
                what,
                limit: MAX_CALLBACK_BYTES,
            });
        }
        let name = name.to_owned();
        self.blocking(move |home| {
            let _turn = home.writing();
            let dir = home.make_folder(&[folder(test)])?;
            disk::sweep(&dir)?;
            let mut others = disk::names(&dir, name::is_item)?;
            others.retain(|other| *other != name);
            check_room(home, &dir, &others, content.len() as u64)?;
            let about = About::of(&content);
            disk::write(&dir, &name, &content)?;
            // Behind the content: until it is there, the content speaks for itself.
            disk::write(&dir, &about_name(&name), about.line().as_bytes())?;
            Ok(described(name, test, about))
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
        self.blocking(move |home| match home.folder(&[folder(test)])? {
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
        self.blocking(|home| {
            let mut found = Vec::new();
            for test in [false, true] {
                let Some(dir) = home.folder(&[folder(test)])? else {
                    continue;
                };
                for name in disk::names(&dir, name::is_item)? {
                    if let Some(about) = about(&dir, &name)? {
                        found.push(described(name, test, about));
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// Deletes the callback `name` of live or of test payments; false where there was none. Payments keep what they
    /// were bound to.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name.
    pub async fn delete_callback(&self, test: bool, name: &str) -> Result<bool, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.blocking(move |home| {
            let _turn = home.writing();
            let Some(dir) = home.folder(&[folder(test)])? else {
                return Ok(false);
            };
            let deleted = disk::remove(&dir, &name)?;
            disk::remove(&dir, &about_name(&name))?;
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

/// No callback has such a name.
fn about_name(name: &str) -> String {
    format!(".about-{name}")
}

/// Whether another content of so many bytes may stand beside the `others`.
fn check_room(home: &Home, dir: &Dir, others: &[String], bytes: u64) -> Result<(), HomeError> {
    let what = || format!("callbacks of {}", home.domain());
    if others.len() >= MAX_CALLBACKS as usize {
        return Err(HomeError::TooMany {
            what: what(),
            limit: MAX_CALLBACKS,
        });
    }
    let mut sum = bytes;
    for other in others {
        sum += disk::look(dir, other)?.map_or(0, |found| found.len());
    }
    if sum > MAX_CALLBACKS_BYTES {
        return Err(HomeError::TooLarge {
            what: what(),
            limit: MAX_CALLBACKS_BYTES,
        });
    }
    Ok(())
}

fn read(dir: &Dir, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
    // A callback is no secret, so its bytes may leave the buffer that would be wiped.
    let content = disk::read(dir, name, MAX_CALLBACK_BYTES)?;
    Ok(content.map(|mut content| std::mem::take(&mut *content)))
}

/// What is to be shown of a content; `None` where there is none. What stands beside it counts only where the content
/// was not replaced since, by a put that did not come to its end or by hand.
fn about(dir: &Dir, name: &str) -> Result<Option<About>, HomeError> {
    let Some(content) = disk::look(dir, name)? else {
        return Ok(None);
    };
    let beside = about_name(name);
    if let Some(found) = disk::look(dir, &beside)?
        && is_behind(&found, &content)
        && let Some(text) = disk::read(dir, &beside, 4096)?
        && let Some(about) = About::read(&text)
        && about.len == content.len()
    {
        return Ok(Some(about));
    }
    Ok(read(dir, name)?.map(|content| About::of(&content)))
}

fn is_behind(this: &Metadata, other: &Metadata) -> bool {
    match (this.modified(), other.modified()) {
        (Ok(this), Ok(other)) => this >= other,
        _ => false,
    }
}

fn described(name: String, test: bool, about: About) -> CallbackFile {
    CallbackFile {
        name,
        test,
        len: about.len,
        sha256: about.sha256,
    }
}

#[cfg(test)]
mod tests;
