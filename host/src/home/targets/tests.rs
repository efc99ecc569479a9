use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::home::DataRoot;
use crate::home::everywhere::everywhere;

fn new(secret: &str) -> NewTarget {
    let Value::Object(settings) = json!({"app_id": "2014072300007148"}) else {
        unreachable!()
    };
    let secrets = [(
        "app_private_key".to_owned(),
        Zeroizing::new(secret.to_owned()),
    )];
    NewTarget {
        test: false,
        default: false,
        settings,
        secrets: secrets.into(),
    }
}

fn everything_on_disk(dir: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            everything_on_disk(&path, found);
        } else {
            found.extend(fs::read(&path).unwrap());
        }
    }
}

#[tokio::test]
async fn an_attempt_keeps_the_version_that_it_was_sent_with() {
    for place in everywhere().await {
        let home = place.home("shop");
        assert!(home.target("zfb", "main").await.unwrap().is_none());
        assert_eq!(
            home.put_target("zfb", "main", new("first")).await.unwrap(),
            1
        );
        assert_eq!(
            home.put_target("zfb", "main", new("second")).await.unwrap(),
            2
        );

        let now = home.target("zfb", "main").await.unwrap().unwrap();
        assert_eq!(
            (now.version, now.secrets["app_private_key"].as_str()),
            (2, "second")
        );
        assert_eq!(now.settings["app_id"], "2014072300007148");
        let pinned = home
            .target_version("zfb", "main", 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            (pinned.version, pinned.secrets["app_private_key"].as_str()),
            (1, "first")
        );
        assert!(
            home.target_version("zfb", "main", 3)
                .await
                .unwrap()
                .is_none()
        );

        // Retired, it still answers for what was sent; put again, it is in use again.
        assert!(home.retire_target("zfb", "main").await.unwrap());
        assert!(!home.retire_target("zfb", "main").await.unwrap());
        let retired = home
            .target_version("zfb", "main", 1)
            .await
            .unwrap()
            .unwrap();
        assert!(retired.retired && retired.secrets["app_private_key"].as_str() == "first");
        assert_eq!(
            home.put_target("zfb", "main", new("third")).await.unwrap(),
            3
        );
        assert!(!home.target("zfb", "main").await.unwrap().unwrap().retired);
    }
}

#[tokio::test]
async fn secrets_are_nowhere_to_be_read() {
    let temp = tempfile::tempdir().unwrap();
    let root = DataRoot::open(temp.path()).unwrap();
    let home = root.home("shop").unwrap();
    home.put_target("zfb", "main", new("MIIEvQIBADANBg"))
        .await
        .unwrap();
    let mut found = Vec::new();
    everything_on_disk(temp.path(), &mut found);
    assert!(!found.windows(14).any(|window| window == b"MIIEvQIBADANBg"));
    let target = home.target("zfb", "main").await.unwrap().unwrap();
    let shown = format!("{target:?} {:?} {home:?}", new("MIIEvQIBADANBg"));
    assert!(!shown.contains("MIIEvQ"), "{shown}");
    assert!(shown.contains("app_private_key"));
}

#[tokio::test]
async fn secrets_moved_elsewhere_do_not_open() {
    let temp = tempfile::tempdir().unwrap();
    let root = DataRoot::open(temp.path()).unwrap();
    let (shop, rival) = (root.home("shop").unwrap(), root.home("rival").unwrap());
    shop.put_target("zfb", "main", new("ours")).await.unwrap();
    shop.put_target("zfb", "main", new("ours, later"))
        .await
        .unwrap();
    shop.put_target("zfb", "second", new("ours too"))
        .await
        .unwrap();
    shop.put_target("wx", "main", new("ours at wx"))
        .await
        .unwrap();
    rival
        .put_target("zfb", "main", new("theirs"))
        .await
        .unwrap();

    let sealed = |place: &str| temp.path().join("home").join(place).join("secrets.sealed");
    let ours = sealed("shop/.payment/zfb/main/v1");
    for place in [
        "rival/.payment/zfb/main/v1",
        "shop/.payment/zfb/second/v1",
        "shop/.payment/wx/main/v1",
        "shop/.payment/zfb/main/v2",
    ] {
        fs::copy(&ours, sealed(place)).unwrap();
    }
    for moved in [
        rival.target("zfb", "main").await,
        shop.target("zfb", "second").await,
        shop.target("wx", "main").await,
        shop.target("zfb", "main").await,
    ] {
        assert!(matches!(moved, Err(HomeError::Sealed { .. })), "{moved:?}");
    }
    assert!(
        shop.target_version("zfb", "main", 1)
            .await
            .unwrap()
            .is_some()
    );

    // Nor do they when a live target is made a test target by hand.
    let settings = ours.with_file_name("settings.json");
    let text = fs::read_to_string(&settings)
        .unwrap()
        .replace("false", "true");
    fs::write(&settings, text).unwrap();
    let turned = shop.target_version("zfb", "main", 1).await;
    assert!(
        matches!(turned, Err(HomeError::Sealed { .. })),
        "{turned:?}"
    );
}

#[tokio::test]
async fn one_default_for_live_and_one_for_test() {
    for place in everywhere().await {
        let home = place.home("shop");
        let put = async |name: &str, test: bool| {
            let new = NewTarget {
                test,
                default: true,
                ..new("x")
            };
            home.put_target("zfb", name, new).await.unwrap();
        };
        put("a", false).await;
        put("t", true).await;
        put("b", false).await;
        home.put_target(
            "wx",
            "a",
            NewTarget {
                default: true,
                ..new("x")
            },
        )
        .await
        .unwrap();
        let listed: Vec<_> = home
            .targets()
            .await
            .unwrap()
            .into_iter()
            .map(|target| (target.platform, target.name, target.test, target.default))
            .collect();
        let row = |platform: &str, name: &str, test, default| {
            (platform.to_owned(), name.to_owned(), test, default)
        };
        assert_eq!(
            listed,
            [
                row("wx", "a", false, true),
                row("zfb", "a", false, false),
                row("zfb", "b", false, true),
                row("zfb", "t", true, true),
            ]
        );
    }
}

#[tokio::test]
async fn a_crash_between_version_and_switch_costs_a_number_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let root = DataRoot::open(temp.path()).unwrap();
    let home = root.home("shop").unwrap();
    home.put_target("zfb", "main", new("first")).await.unwrap();
    let target = temp.path().join("home/shop/.payment/zfb/main");
    let current = fs::read(target.join("current.json")).unwrap();
    home.put_target("zfb", "main", new("second")).await.unwrap();
    fs::write(target.join("current.json"), current).unwrap();
    fs::create_dir(target.join(".unfinished-1")).unwrap();

    assert_eq!(
        home.target("zfb", "main").await.unwrap().unwrap().version,
        1
    );
    assert_eq!(
        home.put_target("zfb", "main", new("third")).await.unwrap(),
        3
    );
    assert!(!target.join(".unfinished-1").exists());
    // The very first put may end the same way: then there is no target yet.
    fs::remove_file(target.join("current.json")).unwrap();
    assert!(home.target("zfb", "main").await.unwrap().is_none());
    assert!(home.targets().await.unwrap().is_empty());
    assert_eq!(
        home.put_target("zfb", "main", new("fourth")).await.unwrap(),
        4
    );
}

#[tokio::test]
async fn names_and_sizes_are_checked_before_the_disk() {
    for place in everywhere().await {
        let home = place.home("shop");
        for (platform, name) in [
            ("callback", "main"),
            ("../rival", "main"),
            ("zfb", "../main"),
            ("", "main"),
            ("zfb", ""),
        ] {
            let put = home.put_target(platform, name, new("x")).await;
            assert!(
                matches!(put, Err(HomeError::Name { .. })),
                "{platform}/{name}"
            );
            assert!(matches!(
                home.target(platform, name).await,
                Err(HomeError::Name { .. })
            ));
            assert!(matches!(
                home.retire_target(platform, name).await,
                Err(HomeError::Name { .. })
            ));
        }
        let large = new(&"x".repeat(usize::try_from(MAX_SETTINGS_BYTES).unwrap()));
        let put = home.put_target("zfb", "main", large).await;
        assert!(matches!(put, Err(HomeError::TooLarge { .. })));
        assert!(home.targets().await.unwrap().is_empty());
        assert!(!place.temp.path().join("home").exists());
    }
}

#[tokio::test]
async fn damage_is_named_without_the_content() {
    let temp = tempfile::tempdir().unwrap();
    let root = DataRoot::open(temp.path()).unwrap();
    let home = root.home("shop").unwrap();
    home.put_target("zfb", "main", new("x")).await.unwrap();
    let settings = temp
        .path()
        .join("home/shop/.payment/zfb/main/v1/settings.json");
    fs::write(&settings, "{\"test\": \"whatever stands here\"}").unwrap();
    let damaged = home.target("zfb", "main").await.unwrap_err().to_string();
    assert!(damaged.contains("zfb/main/v1/settings.json"), "{damaged}");
    assert!(!damaged.contains("whatever"), "{damaged}");
    fs::remove_file(&settings).unwrap();
    assert!(matches!(
        home.target("zfb", "main").await,
        Err(HomeError::Damaged { .. })
    ));
}

#[tokio::test]
async fn a_target_is_live_or_test_for_ever() {
    for place in everywhere().await {
        let home = place.home("shop");
        let of = |test| NewTarget {
            test,
            ..new("secret")
        };
        for (name, test) in [("main", false), ("trial", true)] {
            home.put_target("zfb", name, of(test)).await.unwrap();
            let refused = home.put_target("zfb", name, of(!test)).await.unwrap_err();
            assert!(
                matches!(refused, HomeError::OtherKind { test: kind, .. } if kind == test),
                "{refused}"
            );
            // Retired or not.
            home.retire_target("zfb", name).await.unwrap();
            assert!(home.put_target("zfb", name, of(!test)).await.is_err());
            let kept = home.target("zfb", name).await.unwrap().unwrap();
            assert_eq!((kept.version, kept.test), (1, test));
            assert_eq!(home.put_target("zfb", name, of(test)).await.unwrap(), 2);
        }
    }
}

#[tokio::test]
async fn the_platform_s_certificates_lie_beside_their_version() {
    for place in everywhere().await {
        let home = place.home("shop");
        let put = |version, pem: &str| {
            home.put_platform_certificates("wx", "main", version, pem.to_owned())
        };
        assert!(put(1, "early").await.is_err(), "there is no such version");
        home.put_target("wx", "main", new("first")).await.unwrap();
        home.put_target("wx", "main", new("second")).await.unwrap();
        put(1, "one").await.unwrap();
        put(1, "two").await.unwrap();
        let large = "x".repeat(usize::try_from(MAX_SETTINGS_BYTES).unwrap() + 1);
        assert!(matches!(
            put(1, &large).await,
            Err(HomeError::TooLarge { .. })
        ));
        let kept = |version| home.platform_certificates("wx", "main", version);
        assert_eq!(kept(1).await.unwrap(), "two");
        assert_eq!(kept(2).await.unwrap(), "");
        assert_eq!(kept(3).await.unwrap(), "");
        // The version itself is as it was put.
        let version = home.target_version("wx", "main", 1).await.unwrap().unwrap();
        assert_eq!(version.secrets["app_private_key"].as_str(), "first");

        let public = async |limit| home.public_versions("wx", "main", limit).await.unwrap();
        let all = public(9).await;
        let shown: Vec<_> = all
            .iter()
            .map(|version| (version.version, version.certificates.as_str()))
            .collect();
        assert_eq!(shown, [(2, ""), (1, "two")]);
        assert_eq!(all[1].settings, version.settings);
        assert!(all.iter().all(|version| version.changed_ms > 0));
        assert_eq!(public(1).await, all[..1]);
        assert!(home.public_versions("wx", "x", 9).await.unwrap().is_empty());
    }
}
