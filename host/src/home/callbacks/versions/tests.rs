use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use tempfile::TempDir;

use super::*;
use crate::home::everywhere::everywhere;
use crate::home::{DataRoot, Home, MAX_CALLBACKS_BYTES};

/// A home, and the folder of its live callbacks.
fn open() -> (TempDir, Home, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
    let folder = temp.path().join("home/shop/.payment/callback");
    (temp, home, folder)
}

async fn put(home: &Home, content: &[u8], note: &str) -> CallbackVersion {
    let new = NewCallback {
        content: content.to_vec(),
        note: note.to_owned(),
        from: None,
    };
    let put = home.put_callback(false, "sale", new, 1_000).await;
    put.unwrap().current
}

/// Numbers and contents, the latest first.
async fn kept(home: &Home) -> Vec<(u32, Vec<u8>)> {
    let mut all = Vec::new();
    for version in home.callback_versions(false, "sale").await.unwrap() {
        let content = home.callback_version(false, "sale", version.version).await;
        let content = content.unwrap().unwrap();
        assert_eq!(version.sha256, Digest::of(&content));
        all.push((version.version, content));
    }
    all
}

fn of(texts: &[(u32, &str)]) -> Vec<(u32, Vec<u8>)> {
    texts
        .iter()
        .map(|(number, text)| (*number, text.as_bytes().to_vec()))
        .collect()
}

fn stored(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join(".versions-sale")).unwrap();
    let mut names: Vec<String> = files
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != LIST)
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn every_put_is_a_version_and_every_content_is_stored_once() {
    for place in everywhere().await {
        let home = place.home("shop");
        assert!(
            home.callback_versions(false, "sale")
                .await
                .unwrap()
                .is_empty()
        );
        let first = put(&home, b"a", "the first").await;
        assert_eq!(
            (first.version, first.len, first.note.as_str()),
            (1, 1, "the first")
        );
        put(&home, b"b", "").await;
        let again = NewCallback {
            content: b"a".to_vec(),
            note: String::new(),
            from: Some(1),
        };
        let again = home.put_callback(false, "sale", again, 2_000).await;
        let again = again.unwrap().current;
        assert_eq!((again.version, again.from, again.ct), (3, Some(1), 2_000));
        put(&home, b"a", "").await;
        assert_eq!(
            kept(&home).await,
            of(&[(4, "a"), (3, "a"), (2, "b"), (1, "a")])
        );
        if let Some(folder) = place.folder("shop") {
            let folder = folder.join("callback");
            assert_eq!(stored(&folder), [Digest::of(b"b").to_string()]);
            assert_eq!(fs::read(folder.join("sale")).unwrap(), b"a");
        }
        assert_eq!(home.callback_version(false, "sale", 9).await.unwrap(), None);
        assert_eq!(home.callback_version(true, "sale", 1).await.unwrap(), None);

        assert!(home.delete_callback(false, "sale").await.unwrap());
        let left = home.reading(|files| match files.folder(&["callback"])? {
            Some(folder) => folder.names(|_| true),
            None => Ok(Vec::new()),
        });
        assert!(left.await.unwrap().is_empty());
        assert_eq!(put(&home, b"c", "").await.version, 1);
    }
}

#[tokio::test]
async fn so_many_versions_are_kept_and_the_earliest_go() {
    for place in everywhere().await {
        let home = place.home("shop");
        for number in 1..=MAX_CALLBACK_VERSIONS + 3 {
            put(&home, number.to_string().as_bytes(), "").await;
        }
        let versions = home.callback_versions(false, "sale").await.unwrap();
        let numbers: Vec<u32> = versions.iter().map(|kept| kept.version).collect();
        let expected: Vec<u32> = (4..=MAX_CALLBACK_VERSIONS + 3).rev().collect();
        assert_eq!(numbers, expected);
        let others = home.reading(|files| {
            let folder = files.folder(&["callback", ".versions-sale"])?.unwrap();
            folder.names(|name| name != LIST)
        });
        assert_eq!(
            others.await.unwrap().len(),
            MAX_CALLBACK_VERSIONS as usize - 1
        );
    }
}

#[tokio::test]
async fn earlier_versions_make_room_before_a_put_is_refused() {
    let (_temp, home, folder) = open();
    put(&home, b"aaaa", "").await;
    put(&home, b"bbbb", "").await;
    let rest = fs::File::create(folder.join("rest")).unwrap();
    rest.set_len(MAX_CALLBACKS_BYTES - 9).unwrap();
    // The earliest has no room beside the other two, and its number is not given again.
    put(&home, b"cccc", "").await;
    assert_eq!(kept(&home).await, of(&[(3, "cccc"), (2, "bbbb")]));
    put(&home, b"ninebytes", "").await;
    assert_eq!(kept(&home).await, of(&[(4, "ninebytes")]));
    assert!(stored(&folder).is_empty());
    // What is kept of others counts as what they are.
    let other = NewCallback {
        content: b"x".to_vec(),
        ..NewCallback::default()
    };
    let refused = home.put_callback(false, "other", other, 1_000).await;
    assert!(
        matches!(refused, Err(HomeError::TooLarge { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_put_that_did_not_come_to_its_end_counts_by_its_content() {
    let (_temp, home, folder) = open();
    put(&home, b"a", "").await;
    put(&home, b"b", "").await;
    let list = folder.join(".versions-sale").join(LIST);
    let before = fs::read(&list).unwrap();
    put(&home, b"c", "lost").await;
    // The content is in its place and the list is not.
    fs::write(&list, before).unwrap();
    age(&list);
    assert_eq!(
        kept(&home).await,
        of(&[(3, "c"), (2, "b"), (1, "a")]),
        "what was replaced is kept by then"
    );
    let adopted = home.callbacks().await.unwrap().remove(0).current;
    assert_eq!((adopted.version, adopted.note.as_str()), (3, ""));
    put(&home, b"d", "").await;
    // What somebody puts there by hand is a version as well; what stood there is gone.
    fs::write(folder.join("sale"), "x").unwrap();
    age(&list);
    put(&home, b"e", "").await;
    let versions = kept(&home).await;
    assert_eq!(versions[..3], of(&[(6, "e"), (5, "x"), (3, "c")]));
}

/// As if it had been written long ago.
fn age(file: &Path) {
    let file = fs::File::options().append(true).open(file).unwrap();
    file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(1))
        .unwrap();
}

#[tokio::test]
async fn a_list_reads_contents_only_where_it_has_to() {
    let (_temp, home, folder) = open();
    put(&home, b"one", "").await;
    let listed = async || home.callbacks().await.unwrap().remove(0).current;
    // Something false in the list shows which of the two is read.
    let other = Digest::of(b"other");
    let list = folder.join(".versions-sale").join(LIST);
    let claim = |len: u64| {
        format!(r#"[{{"version":7,"sha256":"{other}","kind":"javascript","len":{len},"ct":5}}]"#)
    };
    fs::write(&list, claim(3)).unwrap();
    assert_eq!(listed().await.sha256, other);
    for damaged in [claim(4), "[{".to_owned()] {
        fs::write(&list, damaged).unwrap();
        assert_eq!(listed().await.sha256, Digest::of(b"one"));
    }
    // Replaced by hand since.
    fs::write(&list, claim(3)).unwrap();
    let content = fs::File::options()
        .append(true)
        .open(folder.join("sale"))
        .unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    content.set_modified(later).unwrap();
    let current = listed().await;
    assert_eq!((current.version, current.sha256), (8, Digest::of(b"one")));
    fs::remove_dir_all(folder.join(".versions-sale")).unwrap();
    assert_eq!(listed().await.version, 1);
}

#[tokio::test]
async fn a_content_that_was_changed_is_told_and_not_given() {
    let (_temp, home, folder) = open();
    put(&home, b"a", "").await;
    put(&home, b"b", "").await;
    let stored = folder
        .join(".versions-sale")
        .join(Digest::of(b"a").to_string());
    fs::write(&stored, "changed").unwrap();
    let damaged = home.callback_version(false, "sale", 1).await;
    assert!(
        matches!(damaged, Err(HomeError::Damaged { .. })),
        "{damaged:?}"
    );
    fs::remove_file(&stored).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &stored).unwrap();
    let planted = home.callback_version(false, "sale", 1).await;
    assert!(
        matches!(planted, Err(HomeError::NotPlain { .. })),
        "{planted:?}"
    );
}
