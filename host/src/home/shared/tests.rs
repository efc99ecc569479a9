use std::fs;

use zeroize::Zeroizing;

use super::*;
use crate::home::everywhere::Place;
use crate::home::{DataRoot, MasterSource, NewCallback, NewTarget};

fn callback(content: &[u8]) -> NewCallback {
    NewCallback {
        content: content.to_vec(),
        ..NewCallback::default()
    }
}

fn target(secret: &str) -> NewTarget {
    NewTarget {
        test: false,
        default: true,
        settings: serde_json::Map::new(),
        secrets: [("key".to_owned(), Zeroizing::new(secret.to_owned()))].into(),
    }
}

/// Another host on the same store, with the first one's master key.
async fn another(place: &Place, store: Store) -> DataRoot {
    let path = place.temp.path().join("other");
    fs::create_dir(&path).unwrap();
    fs::copy(
        place.root.path().join("master.key"),
        path.join("master.key"),
    )
    .unwrap();
    DataRoot::open_shared(&path, &MasterSource::default(), store)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_one_host_puts_every_other_serves_at_once() {
    for place in Place::shared_everywhere().await {
        let other = another(&place, place.beside()).await.home("shop").unwrap();
        let home = place.home("shop");
        assert_eq!(other.callback(false, "sale").await.unwrap(), None);
        assert!(other.targets().await.unwrap().is_empty());
        for round in 0..3_u8 {
            // What was read is kept in memory, and no longer than it counts.
            home.put_callback(false, "sale", callback(&[round]), 1_000)
                .await
                .unwrap();
            for _ in 0..2 {
                let read = other.callback(false, "sale").await.unwrap();
                assert_eq!(read.as_deref(), Some(&[round][..]), "{}", place.name);
            }
            let secret = format!("secret {round}");
            home.put_target("zfb", "main", target(&secret))
                .await
                .unwrap();
            let read = other.target("zfb", "main").await.unwrap().unwrap();
            assert_eq!(read.version, u32::from(round) + 1);
            assert_eq!(read.secrets["key"].as_str(), secret);
        }
        assert!(other.delete_callback(false, "sale").await.unwrap());
        assert_eq!(home.callback(false, "sale").await.unwrap(), None);
        assert!(home.callbacks().await.unwrap().is_empty());
        assert!(other.retire_target("zfb", "main").await.unwrap());
        assert!(home.target("zfb", "main").await.unwrap().unwrap().retired);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_that_put_at_the_same_time_make_a_version_each() {
    for place in Place::shared_everywhere().await {
        let roots = [place.root.clone(), another(&place, place.beside()).await];
        let puts = (0..16_u8).map(|number| {
            let home = roots[usize::from(number % 2)].home("shop").unwrap();
            tokio::spawn(async move {
                let put = home.put_callback(false, "sale", callback(&[number]), 1_000);
                let version = put.await.unwrap().current.version;
                (
                    version,
                    home.put_target("zfb", "main", target("x")).await.unwrap(),
                )
            })
        });
        let (mut callbacks, mut targets) = (Vec::new(), Vec::new());
        for put in puts.collect::<Vec<_>>() {
            let (callback, target) = put.await.unwrap();
            callbacks.push(callback);
            targets.push(target);
        }
        callbacks.sort_unstable();
        targets.sort_unstable();
        let all: Vec<u32> = (1..=16).collect();
        assert_eq!((&callbacks, &targets), (&all, &all), "{}", place.name);
    }
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_nothing() {
    for place in Place::shared_everywhere().await {
        let home = place.home("shop");
        let refused = home.changing(|files| {
            let folder = files.make_folder(&["callback"])?;
            folder.write("half", b"half")?;
            Err::<(), _>(HomeError::Random)
        });
        assert!(matches!(refused.await, Err(HomeError::Random)));
        assert_eq!(home.callback(false, "half").await.unwrap(), None);
        assert!(home.callbacks().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_host_with_another_master_key_is_told_so() {
    for place in Place::shared_everywhere().await {
        // One that has none yet does not make one.
        let path = place.temp.path().join("stranger");
        let missing = DataRoot::open_shared(&path, &MasterSource::default(), place.beside()).await;
        assert!(matches!(missing, Err(HomeError::KeyMissing { .. })));
        assert!(!path.join("master.key").exists());
        drop(DataRoot::open(&path).unwrap());
        let refused = DataRoot::open_shared(&path, &MasterSource::default(), place.beside()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("stranger/master.key"), "{refused}");
    }
}

#[test]
fn what_is_kept_in_memory_is_bounded() {
    let kept = Kept::default();
    let large = || Answer::File(Some(Arc::new(vec![0; KEPT_BYTES / 4])));
    let key = |number: u32| ("shop".to_owned(), Question::File, number.to_string());
    for number in 0..8 {
        kept.put(key(number), 1, large());
        assert!(kept.0.lock().unwrap().bytes <= KEPT_BYTES);
    }
    assert!(kept.get(&key(0), 1).is_none());
    assert!(kept.get(&key(7), 1).is_some());
    assert!(kept.get(&key(7), 2).is_none(), "the home has changed since");
    for number in 0..8 {
        kept.put(key(number), 2, Answer::File(None));
    }
    assert_eq!(kept.0.lock().unwrap().bytes, 0);
}
