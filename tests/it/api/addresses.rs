//! Addresses and methods that there are not, and whether the host lives.

use reqwest::Method;
use serde_json::json;

use super::Ask;
use crate::world::{Host, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_address_or_method_is_named_in_the_envelope() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    for path in [
        "/",
        "/pay",
        "/pay/",
        "/pay/ajax",
        "/pay/ajax/nothing",
        "/pay/ajax/get/more",
        "/pay/callback/",
        "/pay/callback/a/b",
        "/pay/target/zfb",
        "/pay/re/a/b",
        "/PAY/ajax/get",
        "/healthz/",
    ] {
        for caller in [
            shop.keyless(Method::GET, path),
            shop.request(Method::GET, path),
        ] {
            let refusal = Shop::answer(caller).await.refusal();
            assert_eq!(refusal, (404, "e.pay.notFound".to_owned()), "{path}");
        }
    }
    for (method, path, allowed) in [
        (Method::GET, "/pay/ajax/create", "POST"),
        (Method::DELETE, "/pay/ajax/get", "GET,HEAD"),
        (Method::PUT, "/pay/ajax/send", "POST"),
        (Method::POST, "/pay/callback", "GET,HEAD"),
        (Method::PATCH, "/pay/target/zfb/main", "PUT,GET,HEAD,DELETE"),
        (Method::GET, "/pay/key/0000000000000000", "DELETE"),
        (Method::POST, "/healthz", "GET,HEAD"),
    ] {
        let answer = Ask::new(method, path, json!(null)).by(&shop).await;
        assert_eq!(
            answer.refusal(),
            (405, "e.http.method".to_owned()),
            "{path}"
        );
        assert_eq!(answer.headers["allow"], allowed, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_read_is_refused_in_the_envelope() {
    let host = Host::start().await;
    let (shop, root) = (host.domain("shop").await, host.root());
    for (method, path) in [
        (Method::PUT, "/pay/callback/%ff"),
        (Method::GET, "/pay/callback/%ff"),
        (Method::DELETE, "/pay/callback/%ff"),
        (Method::POST, "/pay/callback/%ff/test"),
        (Method::PUT, "/pay/target/%ff/main"),
        (Method::GET, "/pay/target/zfb/%ff"),
        (Method::DELETE, "/pay/target/zfb/%ff"),
        (Method::GET, "/pay/domain/%ff/key"),
        (Method::POST, "/pay/domain/%ff/key"),
        (Method::DELETE, "/pay/key/%ff"),
    ] {
        let ask = Ask::new(method, path, json!({}));
        let caller = if path.contains("target") || path.contains("callback") {
            &shop
        } else {
            &root
        };
        let refusal = ask.by(caller).await.refusal();
        assert_eq!(refusal, (400, "e.pay.invalid".to_owned()), "{ask:?}");
    }
    let notified = shop.post_bytes("/pay/re/%ff", b"").await;
    assert_eq!(
        (notified.status, notified.bytes.as_slice()),
        (404, b"fail".as_slice()),
        "platforms are told in their own words"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_says_that_it_lives_and_can_work() {
    let host = Host::start().await;
    let nobody = host.root();
    let ask = |path| Shop::answer(nobody.keyless(Method::GET, path));
    let alive = ask("/healthz").await.data();
    assert_eq!(alive["status"], "alive");
    assert_eq!(alive["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(ask("/readyz").await.data(), json!({ "status": "ready" }));
}
