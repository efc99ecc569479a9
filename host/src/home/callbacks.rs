//! The owner's callbacks: `home/<domain>/.payment/callback/<name>`.

use cap_std::fs::Dir;
use serde::Serialize;

use super::name::CALLBACK_FOLDER;
use super::{Home, HomeError, disk, name};
use crate::payment::model::Digest;

/// Largest content of a callback. A component made from Python has 18.5 MB; twice that leaves room.
pub const MAX_CALLBACK_BYTES: u64 = 32 << 20;

/// How many callbacks a domain may have: more than any shop names, few enough to list at once.
pub const MAX_CALLBACKS: u32 = 256;

/// A callback as it lies in the home.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CallbackFile {
    /// What `create` calls it by.
    pub name: String,
    /// Bytes of its content.
    pub len: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

impl Home {
    /// Keeps `content` as the callback `name`, in the place of an earlier one. Payments that were
    /// created before stay with what they were bound to.
    ///
    /// # Errors
    /// [`HomeError::Name`], [`HomeError::TooLarge`] above [`MAX_CALLBACK_BYTES`],
    /// [`HomeError::TooMany`] above [`MAX_CALLBACKS`].
    pub async fn put_callback(
        &self,
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
            let dir = home.make_folder(&[CALLBACK_FOLDER])?;
            disk::sweep(&dir)?;
            let others = disk::names(&dir, name::is_item)?;
            if others.len() >= MAX_CALLBACKS as usize && !others.contains(&name) {
                let what = format!("callbacks of {}", home.domain());
                return Err(HomeError::TooMany {
                    what,
                    limit: MAX_CALLBACKS,
                });
            }
            disk::write(&dir, &name, &content)?;
            Ok(describe(name, &content))
        })
        .await
    }

    /// The content of the callback `name`, or `None` where there is none.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name.
    pub async fn callback(&self, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.blocking(move |home| match home.folder(&[CALLBACK_FOLDER])? {
            Some(dir) => read(&dir, &name),
            None => Ok(None),
        })
        .await
    }

    /// All callbacks, by name.
    pub async fn callbacks(&self) -> Result<Vec<CallbackFile>, HomeError> {
        self.blocking(|home| {
            let Some(dir) = home.folder(&[CALLBACK_FOLDER])? else {
                return Ok(Vec::new());
            };
            let mut found = Vec::new();
            for name in disk::names(&dir, name::is_item)? {
                if let Some(content) = read(&dir, &name)? {
                    found.push(describe(name, &content));
                }
            }
            Ok(found)
        })
        .await
    }

    /// Deletes the callback `name`; false where there was none. Payments keep what they were bound
    /// to.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no callback's name.
    pub async fn delete_callback(&self, name: &str) -> Result<bool, HomeError> {
        name::check_callback(name)?;
        let name = name.to_owned();
        self.blocking(move |home| {
            let _turn = home.writing();
            match home.folder(&[CALLBACK_FOLDER])? {
                Some(dir) => disk::remove(&dir, &name),
                None => Ok(false),
            }
        })
        .await
    }
}

fn read(dir: &Dir, name: &str) -> Result<Option<Vec<u8>>, HomeError> {
    // A callback is no secret, so its bytes may leave the buffer that would be wiped.
    let content = disk::read(dir, name, MAX_CALLBACK_BYTES)?;
    Ok(content.map(|mut content| std::mem::take(&mut *content)))
}

fn describe(name: String, content: &[u8]) -> CallbackFile {
    CallbackFile {
        name,
        len: content.len() as u64,
        sha256: Digest::of(content),
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
        assert_eq!(home.callback("aaa").await.unwrap(), None);
        assert!(!home.delete_callback("aaa").await.unwrap());

        home.put_callback("bbb", b"two".to_vec()).await.unwrap();
        let put = home.put_callback("aaa", b"one".to_vec()).await.unwrap();
        assert_eq!((put.len, put.sha256), (3, Digest::of(b"one")));
        home.put_callback("aaa", b"more".to_vec()).await.unwrap();
        assert_eq!(home.callback("aaa").await.unwrap().unwrap(), b"more");
        let names: Vec<_> = home
            .callbacks()
            .await
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["aaa", "bbb"]);

        assert_eq!(
            root.home("other").unwrap().callback("aaa").await.unwrap(),
            None
        );
        assert!(home.delete_callback("aaa").await.unwrap());
        assert_eq!(home.callback("aaa").await.unwrap(), None);
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
                matches!(home.callback(name).await, Err(HomeError::Name { .. })),
                "{name:?}"
            );
            let put = home.put_callback(name, Vec::new()).await;
            assert!(matches!(put, Err(HomeError::Name { .. })), "{name:?}");
            assert!(matches!(
                home.delete_callback(name).await,
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
        home.put_callback("aaa", b"one".to_vec()).await.unwrap();
        root.home("rival")
            .unwrap()
            .put_callback("theirs", b"theirs".to_vec())
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
            let read = home.callback(name).await;
            assert!(
                matches!(read, Err(HomeError::NotPlain { .. })),
                "{name}: {read:?}"
            );
            let put = home.put_callback(name, b"overwritten".to_vec()).await;
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
            home.callback("secret").await,
            Err(HomeError::NotPlain { .. })
        ));
        assert!(matches!(
            home.callbacks().await,
            Err(HomeError::NotPlain { .. })
        ));
        let put = home.put_callback("new", b"new".to_vec()).await;
        assert!(matches!(put, Err(HomeError::NotPlain { .. })), "{put:?}");
        assert!(!outside.path().join("new").exists());
        symlink("rival", temp.path().join("home/thief")).unwrap();
        let thief = root.home("thief").unwrap().callback("theirs").await;
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
        home.put_callback("aaa", b"one".to_vec()).await.unwrap();
        let folder = temp.path().join("home/shop/.payment/callback");
        fs::create_dir(folder.join("dir")).unwrap();
        assert!(matches!(
            home.callback("dir").await,
            Err(HomeError::NotPlain { .. })
        ));
        fs::remove_dir(folder.join("dir")).unwrap();
        let large = vec![0; usize::try_from(MAX_CALLBACK_BYTES).unwrap() + 1];
        assert!(matches!(
            home.put_callback("large", large).await,
            Err(HomeError::TooLarge { .. })
        ));
        let file = fs::File::create(folder.join("grown")).unwrap();
        file.set_len(MAX_CALLBACK_BYTES + 1).unwrap();
        assert!(matches!(
            home.callback("grown").await,
            Err(HomeError::TooLarge { .. })
        ));
    }

    #[tokio::test]
    async fn what_a_crash_left_is_swept_and_never_shown() {
        let temp = tempfile::tempdir().unwrap();
        let root = DataRoot::open(temp.path()).unwrap();
        let home = root.home("shop").unwrap();
        home.put_callback("aaa", b"one".to_vec()).await.unwrap();
        let left = temp
            .path()
            .join("home/shop/.payment/callback/.unfinished-1");
        fs::write(&left, "half").unwrap();
        assert_eq!(home.callbacks().await.unwrap().len(), 1);
        home.put_callback("bbb", b"two".to_vec()).await.unwrap();
        assert!(!left.exists());
    }
}
