use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::home::everywhere::Place;
use crate::home::{DataRoot, NewTarget};

fn derived(root: &DataRoot) -> String {
    hex::encode(*root.key().subkey("x"))
}

fn line(text: &str) -> String {
    text.repeat(64 / text.len()) + "\n"
}

/// A file with a key that others than its owner cannot read.
fn key_file(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn vault_of(path: &Path) -> String {
    fs::read_to_string(path.join(VAULT_FILE)).unwrap()
}

async fn in_place(path: &Path) -> Result<Rotated, HomeError> {
    rotate(path, None, &MasterSource::Root, None).await
}

#[tokio::test]
async fn a_rotation_leaves_the_data_key_and_the_old_key_opens_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path();
    let running = DataRoot::open(path).unwrap();
    let before = derived(&running);
    let old = fs::read_to_string(path.join("master.key")).unwrap();
    let rotated = in_place(path).await.unwrap();
    assert!(!rotated.was_data_key && rotated.left.is_none());
    assert_eq!(derived(&running), before, "a running host notices nothing");
    let new = fs::read_to_string(path.join("master.key")).unwrap();
    assert_ne!(old, new);
    assert!(!path.join("master.key.next").exists());
    let vault = vault_of(path);
    for key in [&old, &new, &before] {
        assert!(!vault.contains(key.trim()));
    }
    drop(running);
    assert_eq!(derived(&DataRoot::open(path).unwrap()), before);

    key_file(path, "master.key", &old);
    let refused = DataRoot::open(path).unwrap_err().to_string();
    assert!(
        refused.contains(&rotated.before) && refused.contains(&rotated.now),
        "{refused}"
    );
    assert!(!refused.contains(old.trim()), "{refused}");
    assert!(matches!(
        in_place(path).await,
        Err(HomeError::OtherKey { .. })
    ));
}

#[tokio::test]
async fn a_crash_leaves_either_key_and_the_next_start_goes_on_with_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path();
    let before = derived(&DataRoot::open(path).unwrap());
    let old = fs::read_to_string(path.join("master.key")).unwrap();
    // Before the vault was sealed anew: the key beside opens nothing, and goes.
    key_file(path, "master.key.next", &line("a1"));
    assert_eq!(derived(&DataRoot::open(path).unwrap()), before);
    assert!(!path.join("master.key.next").exists());
    assert_eq!(fs::read_to_string(path.join("master.key")).unwrap(), old);
    // After it: the key beside is the one, and takes its place.
    in_place(path).await.unwrap();
    let new = fs::read_to_string(path.join("master.key")).unwrap();
    for present in [Some(old.as_str()), None, Some("half")] {
        key_file(path, "master.key.next", &new);
        match present {
            Some(text) => drop(key_file(path, "master.key", text)),
            None => fs::remove_file(path.join("master.key")).unwrap(),
        }
        assert_eq!(derived(&DataRoot::open(path).unwrap()), before);
        assert_eq!(fs::read_to_string(path.join("master.key")).unwrap(), new);
        assert!(!path.join("master.key.next").exists());
    }
    // Beside a host that runs, and again and again.
    let running = DataRoot::open(path).unwrap();
    key_file(path, "master.key.next", &line("a2"));
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..3 {
        names.insert(in_place(path).await.unwrap().now);
    }
    assert_eq!(names.len(), 3);
    drop(running);
    assert_eq!(derived(&DataRoot::open(path).unwrap()), before);
}

#[tokio::test]
async fn the_key_comes_from_where_the_operator_says() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("root");
    let keys = temp.path().join("keys");
    fs::create_dir(&keys).unwrap();
    let first = MasterSource::File(keys.join("first.key"));
    let before = derived(&DataRoot::open_with(&path, &first).unwrap());
    assert!(!path.join("master.key").exists() && keys.join("first.key").exists());
    // A file that is given is used, one that is missing is made.
    key_file(&keys, "second.key", &line("b7"));
    let second = MasterSource::File(keys.join("second.key"));
    let rotated = rotate(&path, None, &first, Some(&second)).await.unwrap();
    assert!(rotated.left.unwrap().ends_with("first.key"));
    assert!(matches!(
        DataRoot::open_with(&path, &first),
        Err(HomeError::OtherKey { .. })
    ));
    assert_eq!(
        derived(&DataRoot::open_with(&path, &second).unwrap()),
        before
    );
    let again = rotate(&path, None, &second, Some(&second)).await;
    assert!(matches!(again, Err(HomeError::SameKey { .. })));

    let words =
        |script: &str| MasterSource::Command(["/bin/sh", "-c", script].map(str::to_owned).into());
    let program = words(&format!("echo {}", line("c3").trim()));
    rotate(&path, None, &second, Some(&program)).await.unwrap();
    assert_eq!(
        derived(&DataRoot::open_with(&path, &program).unwrap()),
        before
    );
    let nowhere = rotate(&path, None, &program, None).await;
    assert!(matches!(nowhere, Err(HomeError::KeyElsewhere { .. })));
    for (script, said) in [
        ("echo s3cret; exit 1", "gives no master key: it ended with"),
        (
            "echo s3cret",
            "does not hold the master key's 64 hex digits",
        ),
    ] {
        let why = DataRoot::open_with(&path, &words(script)).unwrap_err();
        let why = why.to_string();
        assert!(why.contains(said) && !why.contains("s3cret"), "{why}");
    }
    let third = MasterSource::File(keys.join("third.key"));
    rotate(&path, None, &program, Some(&third)).await.unwrap();
    assert_eq!(
        derived(&DataRoot::open_with(&path, &third).unwrap()),
        before
    );
    let unset = MasterSource::Environment("WALNUT_NO_SUCH_KEY".to_owned());
    let missing = DataRoot::open_with(&path, &unset).unwrap_err();
    assert!(matches!(missing, HomeError::KeyMissing { .. }));
    let place = rotate(&path, None, &third, Some(&unset)).await;
    assert!(matches!(place, Err(HomeError::KeyMissing { .. })));
    assert_eq!(
        derived(&DataRoot::open_with(&path, &third).unwrap()),
        before
    );
}

#[tokio::test]
async fn what_is_sealed_opens_after_a_rotation() {
    let temp = tempfile::tempdir().unwrap();
    let target = NewTarget {
        test: true,
        default: true,
        settings: serde_json::Map::new(),
        secrets: [("key".to_owned(), Zeroizing::new("secret".to_owned()))].into(),
    };
    let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
    home.put_target("zfb", "main", target).await.unwrap();
    drop(home);
    in_place(temp.path()).await.unwrap();
    let home = DataRoot::open(temp.path()).unwrap().home("shop").unwrap();
    let read = home.target("zfb", "main").await.unwrap().unwrap();
    assert_eq!(read.secrets["key"].as_str(), "secret");
}

#[tokio::test]
async fn a_data_root_from_before_there_was_a_vault_goes_on() {
    let temp = TempDir::new().unwrap();
    let path = temp.path();
    fs::create_dir(path.join("var")).unwrap();
    let key = line("d4");
    key_file(path, "master.key", &key);
    let before = MasterSource::Root;
    let root = DataRoot::open(path).unwrap();
    let bytes = hex::decode(key.trim()).unwrap();
    let was = SecretKey::of(bytes.as_slice().try_into().unwrap());
    assert_eq!(derived(&root), hex::encode(*was.subkey("x")));
    drop(root);
    assert_eq!(fs::read_to_string(path.join("master.key")).unwrap(), key);
    assert!(!vault_of(path).contains(key.trim()));
    let rotated = rotate(path, None, &before, None).await.unwrap();
    assert!(rotated.was_data_key);
    assert!(!in_place(path).await.unwrap().was_data_key);
    assert_eq!(
        derived(&DataRoot::open(path).unwrap()),
        hex::encode(*was.subkey("x"))
    );
    // A vault that was there is not made anew with the wrong key.
    fs::remove_file(path.join(VAULT_FILE)).unwrap();
    assert!(matches!(
        DataRoot::open(path),
        Err(HomeError::VaultMissing { .. })
    ));
    assert!(!path.join(VAULT_FILE).exists());
}

#[test]
fn a_damaged_vault_says_so_and_stays() {
    let temp = TempDir::new().unwrap();
    let path = temp.path();
    drop(DataRoot::open(path).unwrap());
    let good = vault_of(path);
    let changed = match good.contains("0\"}") {
        true => good.replace("0\"}", "1\"}"),
        false => format!("{}0\"}}\n", &good[..good.len() - 4]),
    };
    for damaged in ["", "{}", "\0", &good[..good.len() / 2], &changed] {
        fs::write(path.join(VAULT_FILE), damaged).unwrap();
        let refused = DataRoot::open(path).unwrap_err();
        assert!(matches!(refused, HomeError::Damaged { .. }), "{refused}");
        assert_eq!(vault_of(path), *damaged);
    }
    fs::write(path.join(VAULT_FILE), &good).unwrap();
    DataRoot::open(path).unwrap();
}

#[tokio::test]
async fn hosts_that_share_a_store_share_its_vault() {
    for place in Place::shared_everywhere().await {
        let first = place.root.path().to_owned();
        let before = derived(&place.root);
        assert!(!first.join(VAULT_FILE).exists(), "it is in the store");
        let second = place.temp.path().join("second");
        fs::create_dir(&second).unwrap();
        let copy = || {
            drop(key_file(
                &second,
                "master.key",
                &fs::read_to_string(first.join("master.key")).unwrap(),
            ));
        };
        copy();
        let open = async || {
            DataRoot::open_shared(&second, &MasterSource::Root, place.beside())
                .await
                .map(|root| derived(&root))
        };
        assert_eq!(open().await.unwrap(), before);
        let store = place.beside();
        // The first host runs; it needs nothing of it.
        rotate(&first, Some(&store), &MasterSource::Root, None)
            .await
            .unwrap();
        assert!(matches!(open().await, Err(HomeError::OtherKey { .. })));
        let late = rotate(&second, Some(&store), &MasterSource::Root, None).await;
        assert!(
            matches!(late, Err(HomeError::OtherKey { .. })),
            "{}",
            place.name
        );
        copy();
        assert_eq!(open().await.unwrap(), before);
        // Two at a time: one of them wins, and the hosts go on with its key.
        let both = tokio::join!(
            rotate(&first, Some(&store), &MasterSource::Root, None),
            rotate(&second, Some(&store), &MasterSource::Root, None)
        );
        let won = match &both {
            (Ok(_), Err(HomeError::Overtaken { .. } | HomeError::OtherKey { .. })) => &first,
            (Err(HomeError::Overtaken { .. } | HomeError::OtherKey { .. }), Ok(_)) => &second,
            other => panic!("{other:?}"),
        };
        let key = fs::read_to_string(won.join("master.key")).unwrap();
        key_file(&second, "master.key", &key);
        assert_eq!(open().await.unwrap(), before);
        assert_eq!(derived(&place.root), before);
    }
}
