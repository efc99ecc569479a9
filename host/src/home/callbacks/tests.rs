use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::home::DataRoot;
use crate::home::everywhere::everywhere;
use crate::payment::model::Digest;

fn new(content: Vec<u8>) -> NewCallback {
    NewCallback {
        content,
        ..NewCallback::default()
    }
}

#[tokio::test]
async fn an_owner_keeps_replaces_and_deletes_callbacks() {
    for place in everywhere().await {
        let home = place.home("shop");
        assert_eq!(home.callbacks().await.unwrap(), []);
        assert_eq!(home.callback(false, "aaa").await.unwrap(), None);
        assert!(!home.delete_callback(false, "aaa").await.unwrap());

        home.put_callback(false, "bbb", new(b"two".to_vec()), 1_000)
            .await
            .unwrap();
        let put = home
            .put_callback(false, "aaa", new(b"one".to_vec()), 1_000)
            .await
            .unwrap();
        assert_eq!(
            (put.current.len, put.current.sha256),
            (3, Digest::of(b"one"))
        );
        home.put_callback(false, "aaa", new(b"more".to_vec()), 1_000)
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
            place.home("other").callback(false, "aaa").await.unwrap(),
            None
        );
        assert!(home.delete_callback(false, "aaa").await.unwrap());
        assert_eq!(home.callback(false, "aaa").await.unwrap(), None);
        if let Some(folder) = place.folder("shop") {
            assert!(folder.join("callback/bbb").is_file());
        }
    }
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
        let put = home.put_callback(false, name, new(Vec::new()), 1_000).await;
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
    home.put_callback(false, "aaa", new(b"one".to_vec()), 1_000)
        .await
        .unwrap();
    root.home("rival")
        .unwrap()
        .put_callback(false, "theirs", new(b"theirs".to_vec()), 1_000)
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
            .put_callback(false, name, new(b"overwritten".to_vec()), 1_000)
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
    let put = home
        .put_callback(false, "new", new(b"new".to_vec()), 1_000)
        .await;
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
    home.put_callback(false, "aaa", new(b"one".to_vec()), 1_000)
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
        home.put_callback(false, "large", new(large), 1_000).await,
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
    home.put_callback(false, "aaa", new(b"one".to_vec()), 1_000)
        .await
        .unwrap();
    let left = temp
        .path()
        .join("home/shop/.payment/callback/.unfinished-1");
    fs::write(&left, "half").unwrap();
    assert_eq!(home.callbacks().await.unwrap().len(), 1);
    home.put_callback(false, "bbb", new(b"two".to_vec()), 1_000)
        .await
        .unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn what_a_test_key_puts_is_for_test_payments_alone() {
    for place in everywhere().await {
        let home = place.home("shop");
        let put = async |test, name: &str, content: &[u8]| {
            let content = content.to_vec();
            home.put_callback(test, name, new(content), 1_000)
                .await
                .unwrap();
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
}

#[tokio::test]
async fn all_callbacks_together_have_so_many_bytes_and_no_more() {
    let temp = tempfile::tempdir().unwrap();
    let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
    home.put_callback(false, "aaa", new(b"one".to_vec()), 1_000)
        .await
        .unwrap();
    let folder = temp.path().join("home/shop/.payment/callback");
    let file = fs::File::create(folder.join("rest")).unwrap();
    file.set_len(MAX_CALLBACKS_BYTES - 4).unwrap();
    let refused = home
        .put_callback(false, "bbb", new(b"two".to_vec()), 1_000)
        .await;
    assert!(
        matches!(refused, Err(HomeError::TooLarge { .. })),
        "{refused:?}"
    );
    // What is replaced makes room, and those of test payments have a room of their own.
    home.put_callback(false, "aaa", new(b"four".to_vec()), 1_000)
        .await
        .unwrap();
    home.put_callback(true, "bbb", new(b"two".to_vec()), 1_000)
        .await
        .unwrap();
}
