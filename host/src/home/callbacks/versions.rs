//! What was put under a callback's name before. The content that counts is the file `<name>` itself; beside it stands the
//! folder `.versions-<name>` with the list of versions and each earlier content once, by its digest.
//!
//! The rename of `<name>` makes a version count. A list that does not end with that content is behind it, since a put did
//! not come to its end or somebody replaced the file by hand: the content counts then as the next version.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{MAX_CALLBACK_VERSIONS, NewCallback, read};
use crate::home::folder::{Folder, Found};
use crate::home::{HomeError, name};
use crate::payment::model::{Ams, CallbackKind, Digest};

/// One version of a callback.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CallbackVersion {
    /// Counted from 1.
    pub version: u32,
    /// How it is written.
    pub kind: CallbackKind,
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// Bytes of its content.
    pub len: u64,
    /// When it was put.
    pub ct: Ams,
    /// What its owner said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The version whose content it has again, where it is a roll-back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
}

/// All that are kept, the earliest first.
#[derive(Debug)]
pub(super) struct Versions {
    /// Without the one that counts.
    earlier: Vec<CallbackVersion>,
    pub(super) current: CallbackVersion,
}

const LIST: &str = "list.json";

/// A list of as many versions as are kept, with notes of any length that is taken.
const MAX_LIST_BYTES: u64 = 64 << 10;

/// No callback has such a name.
fn folder_name(name: &str) -> String {
    format!(".versions-{name}")
}

/// The versions of the callback; `None` where there is no such callback.
pub(super) fn of(dir: &Folder<'_>, name: &str) -> Result<Option<Versions>, HomeError> {
    let Some(content) = dir.look(name)? else {
        return Ok(None);
    };
    let (mut list, written) = listed(dir, name)?;
    if let Some(current) = list.pop() {
        let is_behind = written.is_some_and(|written| written.changed >= content.changed);
        if current.len == content.len && is_behind {
            return Ok(Some(Versions {
                earlier: list,
                current,
            }));
        }
        list.push(current);
    }
    let Some(bytes) = read(dir, name)? else {
        return Ok(None);
    };
    adopted(dir, name, list, &content, &bytes).map(Some)
}

/// The list as it is written, and what the system says of its file.
fn listed(
    dir: &Folder<'_>,
    name: &str,
) -> Result<(Vec<CallbackVersion>, Option<Found>), HomeError> {
    let none = Ok((Vec::new(), None));
    let Some(folder) = dir.folder(&folder_name(name))? else {
        return none;
    };
    let Some(written) = folder.look(LIST)? else {
        return none;
    };
    match folder.read(LIST, MAX_LIST_BYTES)? {
        // A list that is damaged tells nothing, and the content speaks for itself.
        Some(text) => Ok((
            serde_json::from_slice(&text).unwrap_or_default(),
            Some(written),
        )),
        None => none,
    }
}

/// A content that may not be the list's last one.
fn adopted(
    dir: &Folder<'_>,
    name: &str,
    mut list: Vec<CallbackVersion>,
    content: &Found,
    bytes: &[u8],
) -> Result<Versions, HomeError> {
    let sha256 = Digest::of(bytes);
    let version = next(&list);
    let last = list.pop();
    if let Some(last) = last {
        if last.sha256 == sha256 {
            return Ok(Versions {
                earlier: list,
                current: last,
            });
        }
        // One that was replaced by hand is gone.
        if is_kept(dir, name, last.sha256)? {
            list.push(last);
        }
    }
    let current = CallbackVersion {
        version,
        kind: CallbackKind::of(bytes),
        sha256,
        len: bytes.len() as u64,
        ct: content.changed_ms(),
        note: String::new(),
        from: None,
    };
    Ok(Versions {
        earlier: list,
        current,
    })
}

fn is_kept(dir: &Folder<'_>, name: &str, digest: Digest) -> Result<bool, HomeError> {
    match dir.folder(&folder_name(name))? {
        Some(folder) => Ok(folder.look(&digest.to_string())?.is_some()),
        None => Ok(false),
    }
}

fn next(list: &[CallbackVersion]) -> u32 {
    list.last().map_or(1, |last| last.version.saturating_add(1))
}

impl Versions {
    /// All of them, the latest first.
    pub(super) fn into_latest_first(self) -> Vec<CallbackVersion> {
        let mut all = self.earlier;
        all.push(self.current);
        all.reverse();
        all
    }

    /// The content of the version of this number; `None` where it is not kept.
    pub(super) fn content(
        &self,
        dir: &Folder<'_>,
        name: &str,
        version: u32,
    ) -> Result<Option<Vec<u8>>, HomeError> {
        let mut all = self.earlier.iter().chain([&self.current]);
        let Some(wanted) = all.find(|kept| kept.version == version) else {
            return Ok(None);
        };
        let content = if wanted.sha256 == self.current.sha256 {
            read(dir, name)?
        } else {
            match dir.folder(&folder_name(name))? {
                Some(folder) => read(&folder, &wanted.sha256.to_string())?,
                None => None,
            }
        };
        match content {
            Some(content) if Digest::of(&content) == wanted.sha256 => Ok(Some(content)),
            _ => Err(HomeError::Damaged {
                what: format!("version {version} of the callback {name}"),
                why: "its content is gone or another one".to_owned(),
            }),
        }
    }
}

/// Puts a new version in the place of those `before`, and gives it. Of the earlier ones so many are kept as there is
/// room for: `room` is in bytes, for all of the callback's contents.
///
/// `None` where there is no room even for the new one alone; nothing is written then.
pub(super) fn put(
    dir: &Folder<'_>,
    name: &str,
    before: Option<Versions>,
    new: &NewCallback,
    now: Ams,
    room: u64,
) -> Result<Option<CallbackVersion>, HomeError> {
    let replaced = before.as_ref().map(|before| before.current.sha256);
    let mut list = before.map(Versions::into_latest_first).unwrap_or_default();
    list.reverse();
    let version = CallbackVersion {
        version: next(&list),
        kind: CallbackKind::of(&new.content),
        sha256: Digest::of(&new.content),
        len: new.content.len() as u64,
        ct: now,
        note: new.note.clone(),
        from: new.from,
    };
    list.push(version.clone());
    if !fit(&mut list, room) {
        return Ok(None);
    }
    let folder = dir.make_folder(&folder_name(name))?;
    if let Some(replaced) = replaced.filter(|replaced| {
        *replaced != version.sha256 && list.iter().any(|kept| kept.sha256 == *replaced)
    }) {
        keep(dir, name, &folder, replaced)?;
    }
    dir.write(name, &new.content)?;
    let text = serde_json::to_vec(&list).map_err(|error| HomeError::Damaged {
        what: format!("the list of versions of {name}"),
        why: error.to_string(),
    })?;
    folder.write(LIST, &text)?;
    sweep(&folder, &list)?;
    Ok(Some(version))
}

/// Leaves the earliest out until the others are few enough and fit; `false` where the last one alone does not fit.
fn fit(list: &mut Vec<CallbackVersion>, room: u64) -> bool {
    let too_many = list.len().saturating_sub(MAX_CALLBACK_VERSIONS as usize);
    list.drain(..too_many);
    while bytes(list) > room {
        if list.len() <= 1 {
            return false;
        }
        list.remove(0);
    }
    true
}

/// Of each content once.
fn bytes(list: &[CallbackVersion]) -> u64 {
    let contents: HashMap<Digest, u64> = list.iter().map(|kept| (kept.sha256, kept.len)).collect();
    contents.values().sum()
}

/// Keeps the content that is about to be replaced.
fn keep(
    dir: &Folder<'_>,
    name: &str,
    folder: &Folder<'_>,
    digest: Digest,
) -> Result<(), HomeError> {
    let Some(content) = read(dir, name)? else {
        return Ok(());
    };
    folder.write(&digest.to_string(), &content)
}

/// Removes contents that no version has, and that of the last one, which stands outside.
fn sweep(folder: &Folder<'_>, list: &[CallbackVersion]) -> Result<(), HomeError> {
    folder.sweep()?;
    let current = list.last().map(|last| last.sha256);
    for found in folder.names(|found| found != LIST)? {
        let kept = |version: &CallbackVersion| {
            version.sha256.to_string() == found && Some(version.sha256) != current
        };
        if !list.iter().any(kept) {
            folder.remove(&found)?;
        }
    }
    Ok(())
}

/// Forgets all versions.
pub(super) fn remove(dir: &Folder<'_>, name: &str) -> Result<(), HomeError> {
    dir.remove_folder(&folder_name(name))
}

/// Bytes of all contents that are kept under the name.
pub(super) fn size(dir: &Folder<'_>, name: &str) -> Result<u64, HomeError> {
    let mut sum = dir.look(name)?.map_or(0, |found| found.len);
    if let Some(folder) = dir.folder(&folder_name(name))? {
        for kept in folder.names(name::is_item)? {
            sum += folder.look(&kept)?.map_or(0, |found| found.len);
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
