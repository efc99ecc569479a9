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
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::home::DataRoot;

    #[tokio::test]
    async fn an_owner_keeps_replaces_and_deletes_callbacks() {
        let temp = tempfile::tempdir().unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        let home = root.home("shop").unwrap();
        assert_eq!(home.callbacks().await.unwrap(), []);
        assert_eq!(home.callback(false, "aaa").await.unwrap(), None);
        assert!(!home.delete_callback(false, "aaa").await.unwrap());

        home.put_callback(false, "bbb", b"two".to_vec())
            .await
            .unwrap();
        let put = home
            .put_callback(false, "aaa", b"one".to_vec())
            .await
            .unwrap();
        assert_eq!((put.len, put.sha256), (3, Digest::of(b"one")));
        home.put_callback(false, "aaa", b"more".to_vec())
            .await
            .unwrap();
        assert_eq!(home.callback(false, "aaa").await.unwrap().unwrap(), b"more");
        let names: Vec<_> = home
            .callbacks()
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["aaa", "bbb"]);

        assert_eq!(
            root.home("other")
                .unwrap()
                .callback(false, "aaa")
                .await
                .unwrap(),
            None
        );
        assert!(home.delete_callback(false, "aaa").await.unwrap());
        assert_eq!(home.callback(false, "aaa").await.unwrap(), None);
        assert!(
            temp.path()
                .join("home/shop/.payment/callback/bbb")
                .is_file()
        );
    }

    #[tokio::test]
    async fn no_name_leads_outside() {
        let temp = tempfile::tempdir().unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        for domain in ["../x", "", "Shop", "a/b", ".."] {
            assert!(
                matches!(root.home(domain), Err(HomeError::Name { .. })),
                "{domain:?}"
            );
        }
        let home = root.home("shop").unwrap();
        for name in [
            "../../../../master.key",
            "..",
            "/etc/passwd",
            "a\0b",
            "",
            "支付",
        ] {
            assert!(
                matches!(
                    home.callback(false, name).await,
                    Err(HomeError::Name { .. })
                ),
                "{name:?}"
            );
            let put = home.put_callback(false, name, Vec::new()).await;
            assert!(matches!(put, Err(HomeError::Name { .. })), "{name:?}");
            assert!(matches!(
                home.delete_callback(false, name).await,
                Err(HomeError::Name { .. })
            ));
        }
        assert!(
            !temp.path().join("home").exists(),
            "a refusal leaves no trace"
        );
    }

    #[tokio::test]
    async fn a_planted_link_leads_nowhere() {
        let temp = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        let home = root.home("shop").unwrap();
        home.put_callback(false, "aaa", b"one".to_vec())
            .await
            .unwrap();
        root.home("rival")
            .unwrap()
            .put_callback(false, "theirs", b"theirs".to_vec())
            .await
            .unwrap();
        let callbacks = temp.path().join("home/shop/.payment/callback");

        // To a file outside, to the master key, to another domain's file, to itself.
        let links = [
            (outside.path().join("secret"), "outside"),
            (temp.path().join("master.key"), "key"),
            ("../../../rival/.payment/callback/theirs".into(), "rival"),
            ("loop".into(), "loop"),
        ];
        for (to, name) in &links {
            symlink(to, callbacks.join(name)).unwrap();
            let read = home.callback(false, name).await;
            assert!(
                matches!(read, Err(HomeError::NotPlain { .. })),
                "{name}: {read:?}"
            );
            let put = home
                .put_callback(false, name, b"overwritten".to_vec())
                .await;
            assert!(
                matches!(put, Err(HomeError::NotPlain { .. })),
                "{name}: {put:?}"
            );
            fs::remove_file(callbacks.join(name)).unwrap();
        }
        assert_eq!(
            fs::read_to_string(outside.path().join("secret")).unwrap(),
            "secret"
        );

        // A whole folder, and a whole home.
        fs::rename(&callbacks, temp.path().join("moved")).unwrap();
        symlink(outside.path(), &callbacks).unwrap();
        assert!(matches!(
            home.callback(false, "secret").await,
            Err(HomeError::NotPlain { .. })
        ));
        assert!(matches!(
            home.callbacks().await,
            Err(HomeError::NotPlain { .. })
        ));
        let put = home.put_callback(false, "new", b"new".to_vec()).await;
        assert!(matches!(put, Err(HomeError::NotPlain { .. })), "{put:?}");
        assert!(!outside.path().join("new").exists());
        symlink("rival", temp.path().join("home/thief")).unwrap();
        let thief = root.home("thief").unwrap().callback(false, "theirs").await;
        assert!(
            matches!(thief, Err(HomeError::NotPlain { .. })),
            "{thief:?}"
        );
    }

    #[tokio::test]
    async fn odd_files_and_large_ones_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        let home = root.home("shop").unwrap();
        home.put_callback(false, "aaa", b"one".to_vec())
            .await
            .unwrap();
        let folder = temp.path().join("home/shop/.payment/callback");
        fs::create_dir(folder.join("dir")).unwrap();
        assert!(matches!(
            home.callback(false, "dir").await,
            Err(HomeError::NotPlain { .. })
        ));
        fs::remove_dir(folder.join("dir")).unwrap();
        let large = vec![0; usize::try_from(MAX_CALLBACK_BYTES).unwrap() + 1];
        assert!(matches!(
            home.put_callback(false, "large", large).await,
            Err(HomeError::TooLarge { .. })
        ));
        let file = fs::File::create(folder.join("grown")).unwrap();
        file.set_len(MAX_CALLBACK_BYTES + 1).unwrap();
        assert!(matches!(
            home.callback(false, "grown").await,
            Err(HomeError::TooLarge { .. })
        ));
    }

    #[tokio::test]
    async fn what_a_crash_left_is_swept_and_never_shown() {
        let temp = tempfile::tempdir().unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        let home = root.home("shop").unwrap();
        home.put_callback(false, "aaa", b"one".to_vec())
            .await
            .unwrap();
        let left = temp
            .path()
            .join("home/shop/.payment/callback/.unfinished-1");
        fs::write(&left, "half").unwrap();
        assert_eq!(home.callbacks().await.unwrap().len(), 1);
        home.put_callback(false, "bbb", b"two".to_vec())
            .await
            .unwrap();
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn what_a_test_key_puts_is_for_test_payments_alone() {
        let temp = tempfile::tempdir().unwrap();
        let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
        let put = async |test, name: &str, content: &[u8]| {
            let content = content.to_vec();
            home.put_callback(test, name, content).await.unwrap();
        };
        put(false, "sale", b"live").await;
        put(true, "sale", b"trial").await;
        put(true, "new", b"new").await;
        put(false, "old", b"old").await;
        let bound = async |test, name| {
            let content = home.callback_to_bind(test, name).await.unwrap();
            content.map(|content| String::from_utf8(content).unwrap())
        };
        for (test, name, content) in [
            (false, "sale", Some("live")),
            (true, "sale", Some("trial")),
            (false, "new", None),
            (true, "new", Some("new")),
            (true, "old", Some("old")),
        ] {
            assert_eq!(bound(test, name).await.as_deref(), content, "{test} {name}");
        }
        let listed = home.callbacks().await.unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|file| (file.test, file.name.as_str()))
            .collect();
        let all = [
            (false, "old"),
            (false, "sale"),
            (true, "new"),
            (true, "sale"),
        ];
        assert_eq!(listed, all);
        assert!(home.delete_callback(true, "sale").await.unwrap());
        assert!(!home.delete_callback(true, "sale").await.unwrap());
        assert_eq!(bound(true, "sale").await.as_deref(), Some("live"));
    }

    #[tokio::test]
    async fn a_list_reads_contents_only_where_it_has_to() {
        let temp = tempfile::tempdir().unwrap();
        let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
        home.put_callback(false, "aaa", b"one".to_vec())
            .await
            .unwrap();
        let folder = temp.path().join("home/shop/.payment/callback");
        let listed = async || home.callbacks().await.unwrap().remove(0);
        // Something false beside it shows which of the two is read.
        let other = Digest::of(b"other");
        let claim = |len: u64| format!("{len} {other}");
        let beside = folder.join(".about-aaa");
        fs::write(&beside, claim(3)).unwrap();
        assert_eq!(listed().await.sha256, other);
        for damaged in [claim(4), "3 and more".to_owned()] {
            fs::write(&beside, damaged).unwrap();
            assert_eq!(listed().await.sha256, Digest::of(b"one"));
        }
        // Replaced by hand since.
        fs::write(&beside, claim(3)).unwrap();
        let file = fs::File::options()
            .append(true)
            .open(folder.join("aaa"))
            .unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        file.set_modified(later).unwrap();
        assert_eq!(listed().await.sha256, Digest::of(b"one"));
        fs::remove_file(&beside).unwrap();
        assert_eq!(listed().await.sha256, Digest::of(b"one"));
        assert!(home.delete_callback(false, "aaa").await.unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn all_callbacks_together_have_so_many_bytes_and_no_more() {
        let temp = tempfile::tempdir().unwrap();
        let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
        home.put_callback(false, "aaa", b"one".to_vec())
            .await
            .unwrap();
        let folder = temp.path().join("home/shop/.payment/callback");
        let file = fs::File::create(folder.join("rest")).unwrap();
        file.set_len(MAX_CALLBACKS_BYTES - 4).unwrap();
        let refused = home.put_callback(false, "bbb", b"two".to_vec()).await;
        assert!(
            matches!(refused, Err(HomeError::TooLarge { .. })),
            "{refused:?}"
        );
        // What is replaced makes room, and those of test payments have a room of their own.
        home.put_callback(false, "aaa", b"four".to_vec())
            .await
            .unwrap();
        home.put_callback(true, "bbb", b"two".to_vec())
            .await
            .unwrap();
    }
}
