use futures_util::future::join_all;

use super::*;
use crate::store::MOST_KEYS;

pub(super) fn owners_key(id: impl Into<String>, domain: Option<&str>) -> StoredKey {
    StoredKey {
        id: id.into(),
        domain: domain.map(str::to_owned),
        role: "owner".to_owned(),
        test: true,
        hash: [9; 32],
        created_ms: 5,
        name: "front".to_owned(),
        refunds: true,
        expires_ms: 0,
        used_ms: 0,
        successor: None,
    }
}

#[tokio::test]
async fn a_domain_has_one_name_and_one_id() {
    let Some(shop) = open() else { return };
    let store = &shop.store;
    let tea = store.add_domain("tea", 5).await.unwrap();
    let cafe = store.add_domain("cafe", 6).await.unwrap();
    assert_ne!(tea.id, cafe.id);
    assert!(matches!(
        store.add_domain("tea", 7).await,
        Err(StoreError::Exists(_))
    ));
    assert_eq!(store.domain("tea").await.unwrap(), Some(tea.clone()));
    assert_eq!(store.domain("bar").await.unwrap(), None);
    assert_eq!(store.domains().await.unwrap(), [cafe, tea]);
}

#[tokio::test]
async fn a_revoked_key_is_gone_for_good() {
    let Some(shop) = open() else { return };
    let store = &shop.store;
    store.add_domain("tea", 5).await.unwrap();
    let key = owners_key;
    let (root, tea) = (key("r", None), key("t", Some("tea")));
    for key in [&root, &tea] {
        store.add_key(key.clone()).await.unwrap();
    }
    assert!(matches!(
        store.add_key(tea.clone()).await,
        Err(StoreError::Exists(_))
    ));
    let orphan = store.add_key(key("x", Some("nobody"))).await;
    assert!(matches!(orphan, Err(StoreError::Invariant(_))));
    assert_eq!(store.key("t").await.unwrap().as_deref(), Some(&tea));
    assert_eq!(store.keys(None).await.unwrap(), [root]);
    assert_eq!(
        store.keys(Some("tea")).await.unwrap(),
        std::slice::from_ref(&tea)
    );
    assert!(!format!("{tea:?}").contains('9'));

    assert!(store.revoke_key("t", 0).await.unwrap());
    assert!(!store.revoke_key("t", 0).await.unwrap());
    assert_eq!(store.key("t").await.unwrap(), None);
    assert!(store.keys(Some("tea")).await.unwrap().is_empty());
    assert!(matches!(
        store.add_key(tea).await,
        Err(StoreError::Exists(_))
    ));
}

#[tokio::test]
async fn so_many_keys_are_in_use_and_no_more_however_they_come() {
    let Some(shop) = open() else { return };
    let store = &shop.store;
    store.add_domain("tea", 5).await.unwrap();
    let key = |id: u32| owners_key(format!("k{id}"), Some("tea"));
    // All at once, and more than there may be.
    let added = join_all((0..MOST_KEYS + 64).map(|id| store.add_key(key(id)))).await;
    let (added, refused): (Vec<_>, Vec<_>) = added.into_iter().partition(Result::is_ok);
    assert_eq!((added.len(), refused.len()), (MOST_KEYS as usize, 64));
    let is_full = |done: &StoreError| matches!(done, StoreError::TooMany(_));
    assert!(refused.iter().all(|done| is_full(done.as_ref().unwrap_err())));
    let listed = store.keys(Some("tea")).await.unwrap();
    assert_eq!(listed.len(), MOST_KEYS as usize);

    // Live keys, other domains' and the operator's are counted by themselves.
    store.add_domain("cafe", 5).await.unwrap();
    let live = StoredKey {
        test: false,
        ..key(9_000)
    };
    for beside in [live, owners_key("c", Some("cafe")), owners_key("r", None)] {
        store.add_key(beside).await.unwrap();
    }

    // One that follows another counts too while both are good, and changes nothing where that is too much.
    let first = listed[0].id.clone();
    let next = |id| StoredKey {
        created_ms: 20,
        ..key(id)
    };
    let followed = store.succeed_key(&first, next(1_000), 30).await;
    assert!(is_full(&followed.unwrap_err()));
    assert_eq!(*store.key(&first).await.unwrap().unwrap(), listed[0]);
    assert!(store.succeed_key(&first, next(1_000), 20).await.unwrap());
    assert!(is_full(&store.add_key(next(1_001)).await.unwrap_err()));
    assert!(store.revoke_key("k1000", 20).await.unwrap());
    store.add_key(next(1_001)).await.unwrap();
}

#[tokio::test]
async fn of_keys_that_have_ended_the_newest_are_kept() {
    let Some(shop) = open() else { return };
    let store = &shop.store;
    let kept = crate::store::table::api_key::KEPT_ENDED as usize;
    let mut made = 0;
    for day in 1..=5_u64 {
        let keys = (0..MOST_KEYS).map(|number| StoredKey {
            created_ms: day * 10,
            expires_ms: day * 10 + 5,
            ..owners_key(format!("d{day}-{number}"), None)
        });
        made += join_all(keys.map(|key| store.add_key(key))).await.len();
    }
    let last = StoredKey {
        created_ms: 100,
        ..owners_key("last", None)
    };
    store.add_key(last).await.unwrap();
    let left = store.keys(None).await.unwrap();
    assert!(made > kept);
    assert_eq!(left.len(), kept + 1);
    let of = |day: u64| left.iter().filter(|key| key.created_ms == day * 10).count();
    let whole = MOST_KEYS as usize;
    assert_eq!([of(2), of(3), of(4), of(5)], [kept - 3 * whole, whole, whole, whole]);
}

#[tokio::test]
async fn a_session_that_was_ended_is_good_no_more() {
    let Some(shop) = open() else { return };
    shop.store.add_key(owners_key("r", None)).await.unwrap();
    let [one, other] = ["one", "other"].map(|said| Digest::of(said.as_bytes()));
    let is_good = async |store: &Store, session| {
        let found = store.key_of_session("r", session).await.unwrap();
        found.is_some()
    };
    for session in [one, other, one] {
        assert!(is_good(&shop.store, session).await);
    }
    for _ in 0..2 {
        shop.store.end_sessions(vec![(one, 100)], 50).await.unwrap();
        assert!(!is_good(&shop.store, one).await);
        assert!(is_good(&shop.store, other).await);
    }
    assert!(shop.store.key("r").await.unwrap().is_some());
    let shop = shop.reopen().await;
    assert!(!is_good(&shop.store, one).await);
    // That is forgotten when nobody could read it as good any more, and not before.
    let day = 24 * 3_600_000;
    for (now, ended) in [(100 + day, true), (101 + day, false)] {
        let end = vec![(other, now)];
        shop.store.end_sessions(end, now).await.unwrap();
        assert_eq!(is_good(&shop.store, one).await, !ended);
    }
}

#[tokio::test]
async fn a_platform_has_one_current_provider_and_keeps_the_earlier_ones() {
    let Some(shop) = open() else { return };
    let store = &shop.store;
    let record = |bytes: &[u8], version: &str, approved_ms| ProviderRecord {
        digest: Digest::of(bytes),
        name: "zfb".to_owned(),
        version: version.to_owned(),
        manifest: "{}".to_owned(),
        bytes: Arc::new(bytes.to_vec()),
        approved_ms,
        current: true,
        shipped: false,
    };
    let current = async || {
        let providers = store.providers().await.unwrap();
        let current = providers.iter().filter(|provider| provider.current);
        current
            .map(|provider| provider.version.clone())
            .collect::<Vec<_>>()
    };
    store.put_provider(record(b"one", "1", 10)).await.unwrap();
    store.put_provider(record(b"two", "2", 20)).await.unwrap();
    assert_eq!(current().await, ["2"]);
    assert_eq!(store.providers().await.unwrap().len(), 2);
    // Going back to the first one.
    store.put_provider(record(b"one", "1", 30)).await.unwrap();
    assert_eq!(current().await, ["1"]);
    let bytes = store.provider_bytes(Digest::of(b"two")).await.unwrap();
    assert_eq!(bytes, Some(Arc::new(b"two".to_vec())));
    assert_eq!(
        store.provider_bytes(Digest::of(b"three")).await.unwrap(),
        None
    );
    let lie = ProviderRecord {
        digest: Digest::of(b"other"),
        ..record(b"bytes", "3", 40)
    };
    assert!(matches!(
        store.put_provider(lie).await,
        Err(StoreError::Invariant(_))
    ));
}
