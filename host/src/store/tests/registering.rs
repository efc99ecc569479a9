use super::*;

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
    let key = |id: &str, domain: Option<&str>| StoredKey {
        id: id.to_owned(),
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
    };
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
