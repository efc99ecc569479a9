//! What v3 refuses before it looks at what is asked, and with which words.

use reqwest::RequestBuilder;
use walnut_sandbox::wechat::SignatureCheck;
use walnut_sandbox::wechat::signing::{Authorization, request_text};

use crate::merchant::{Answered, Shop, now};

const NATIVE: &str = "/v3/pay/transactions/native";

impl Shop {
    /// A request with this `Authorization`.
    fn with_authorization(&self, authorization: &str, body: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{NATIVE}", self.wechat.url()))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("authorization", authorization)
            .body(body.to_owned())
    }

    async fn answer(&self, request: RequestBuilder) -> Answered {
        self.read(request.send().await.unwrap()).await
    }

    /// Signs again after a change.
    fn resigned(&self, authorization: Authorization, body: &str) -> Authorization {
        let text = request_text(
            "POST",
            NATIVE,
            &authorization.timestamp,
            &authorization.nonce_str,
            body.as_bytes(),
        );
        Authorization {
            signature: self.key.sign(&text),
            ..authorization
        }
    }
}

#[tokio::test]
async fn a_path_leads_somewhere_by_its_method() {
    let shop = Shop::open().await;
    for (method, url, status) in [
        ("GET", NATIVE, 405),
        ("POST", "/v3/certificates", 405),
        ("GET", "/v3/pay/transactions", 404),
        ("GET", "/v3/pay/transactions/nothing", 404),
        ("POST", "/v3/pay/transactions/native/", 404),
        (
            "POST",
            "/v3/pay/transactions/out-trade-no/order-1/open",
            404,
        ),
    ] {
        let answer = shop.answer(shop.request(method, url, "")).await;
        let said = (answer.status, answer.body.as_str(), answer.verified);
        assert_eq!(said, (status, "", false), "{method} {url}");
    }
}

#[tokio::test]
async fn only_the_merchants_fresh_signature_over_these_bytes_is_taken() {
    let shop = Shop::open().await;
    let other = shop.wechat.open_merchant().await.unwrap();
    let body = shop.order("order-1").to_string();
    let right = || shop.authorize("POST", NATIVE, &body);
    let aged = |age: i64| {
        let timestamp = (now() - age).to_string();
        shop.resigned(
            Authorization {
                timestamp,
                ..right()
            },
            &body,
        )
    };
    let with = |change: fn(&mut Authorization)| {
        let mut authorization = right();
        change(&mut authorization);
        authorization.to_string()
    };
    let headers = [
        (String::new(), SignatureCheck::Unchecked),
        ("Bearer token".to_owned(), SignatureCheck::Unchecked),
        (
            right().to_string().replace(',', ", "),
            SignatureCheck::Unchecked,
        ),
        (
            right().to_string().replace("SHA256", "SHA1"),
            SignatureCheck::Unchecked,
        ),
        (aged(301).to_string(), SignatureCheck::Unchecked),
        (aged(-301).to_string(), SignatureCheck::Unchecked),
        (
            with(|a| a.mchid = "1000000000".to_owned()),
            SignatureCheck::Unchecked,
        ),
        (
            with(|a| a.serial_no = "0".repeat(40)),
            SignatureCheck::Unchecked,
        ),
        (
            right()
                .to_string()
                .replace(shop.merchant.mchid(), other.mchid()),
            SignatureCheck::Unchecked,
        ),
        (
            with(|a| a.nonce_str = "A".repeat(32)),
            SignatureCheck::Invalid,
        ),
        (
            with(|a| a.signature = "AAAA".to_owned()),
            SignatureCheck::Invalid,
        ),
        (
            with(|a| a.signature = "%%%".to_owned()),
            SignatureCheck::Invalid,
        ),
    ];
    for (header, check) in headers {
        let answer = shop.answer(shop.with_authorization(&header, &body)).await;
        assert_eq!(answer.codes(), (401, "SIGN_ERROR"), "{header}");
        // Nobody is known whom it could be signed for.
        assert!(!answer.headers.contains_key("wechatpay-signature"));
        assert_eq!(
            shop.wechat.requests().pop().unwrap().signature,
            check,
            "{header}"
        );
    }
    // Another body, path or method than was signed.
    let changed = shop.with_authorization(&right().to_string(), &body.replace("10", "11"));
    assert_eq!(shop.answer(changed).await.codes(), (401, "SIGN_ERROR"));
    let elsewhere = shop.authorize("POST", "/v3/pay/transactions/app", &body);
    let elsewhere = shop.with_authorization(&elsewhere.to_string(), &body);
    assert_eq!(shop.answer(elsewhere).await.codes(), (401, "SIGN_ERROR"));
    assert!(shop.wechat.trades().is_empty());

    // A little off is well, in any order of the items; but each nonce once.
    let late = aged(290);
    let said = late.to_string();
    let (scheme, items) = said.split_once(' ').unwrap();
    let turned: Vec<&str> = items.split(',').rev().collect();
    let turned = format!("{scheme} {}", turned.join(","));
    let answer = shop.answer(shop.with_authorization(&turned, &body)).await;
    assert_eq!(
        (answer.status, answer.verified),
        (200, true),
        "{}",
        answer.body
    );
    let again = shop.answer(shop.with_authorization(&turned, &body)).await;
    assert_eq!(again.codes(), (401, "SIGN_ERROR"));
    let view = shop.wechat.requests().pop().unwrap();
    assert_eq!(
        (view.signature, view.status),
        (SignatureCheck::Invalid, Some(401))
    );
}

#[tokio::test]
async fn every_header_has_to_be_there() {
    let shop = Shop::open().await;
    let body = shop.order("order-1").to_string();
    let request = |accept: &str, agent: &str, kind: &str| {
        let authorization = shop.authorize("POST", NATIVE, &body).to_string();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client
            .post(format!("{}{NATIVE}", shop.wechat.url()))
            .header("accept", accept)
            .header("user-agent", agent)
            .header("content-type", kind)
            .header("authorization", authorization)
            .body(body.clone())
    };
    let json = "application/json";
    for (accept, agent, kind, signed) in [
        ("text/html", "shop/1.0", json, false),
        (json, "", json, false),
        (json, "shop/1.0", "text/plain", true),
        (json, "shop/1.0", "", true),
    ] {
        let answer = shop.answer(request(accept, agent, kind)).await;
        assert_eq!(
            answer.codes(),
            (400, "INVALID_REQUEST"),
            "{accept} {agent} {kind}"
        );
        assert_eq!(answer.verified, signed);
    }
    let answer = shop
        .answer(request("*/*", "x", "application/json; charset=utf-8"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_query_names_its_merchant_and_sees_only_its_own() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let id = shop.query("order-1").await.get("transaction_id").to_owned();
    let path = "/v3/pay/transactions/out-trade-no/order-1";
    let bare = shop.get(path).await;
    assert_eq!(bare.json["detail"]["location"], "query");
    let foreign = shop.get(&format!("{path}?mchid=1900000001")).await;
    assert_eq!(
        (bare.codes(), foreign.codes()),
        ((400, "PARAM_ERROR"), (400, "PARAM_ERROR"))
    );
    let mchid = shop.merchant.mchid().to_owned();
    let short = shop
        .get(&format!(
            "/v3/pay/transactions/out-trade-no/x?mchid={mchid}"
        ))
        .await;
    assert_eq!(short.json["detail"]["location"], "url");
    let more = shop.get(&format!("{path}&more?mchid={mchid}")).await;
    assert_eq!(more.codes(), (400, "PARAM_ERROR"));

    let other = shop.wechat.open_merchant().await.unwrap();
    let shop = shop.with(other);
    assert_eq!(
        shop.query("order-1").await.codes(),
        (404, "ORDER_NOT_EXIST")
    );
    let by_id = format!(
        "/v3/pay/transactions/id/{id}?mchid={}",
        shop.merchant.mchid()
    );
    assert_eq!(shop.get(&by_id).await.codes(), (404, "ORDER_NOT_EXIST"));
    assert_eq!(
        shop.close("order-1").await.codes(),
        (404, "ORDER_NOT_EXIST")
    );
}

#[tokio::test]
async fn a_body_is_json_with_each_name_once() {
    let shop = Shop::open().await;
    let right = shop.order("order-1").to_string();
    let twice = right.replacen('{', "{\"mchid\":\"1\",", 1);
    for body in ["", "{", "[]", "null", twice.as_str()] {
        let answer = shop.answer(shop.request("POST", NATIVE, body)).await;
        assert_eq!(
            (answer.codes(), answer.verified),
            ((400, "PARAM_ERROR"), true),
            "{body}"
        );
    }
    // A line end after the body is signed like the rest.
    let answer = shop
        .answer(shop.request("POST", NATIVE, &format!("{right}\n")))
        .await;
    assert_eq!(answer.status, 200);
    let view = shop.wechat.requests().pop().unwrap();
    assert_eq!(
        (view.url.as_str(), view.mchid.as_deref()),
        (NATIVE, Some(shop.merchant.mchid()))
    );
    assert!(view.body.ends_with("}\n") && view.code.is_none());
    assert!(shop.wechat.trade("order-1").is_some());
}
