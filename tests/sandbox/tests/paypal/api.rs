//! Who may ask, and with which words the platform says no.

use serde_json::json;

use crate::merchant::{Merchant, ORDERS, dollars, order, read};

#[tokio::test]
async fn a_client_is_given_the_same_token_until_it_ends() {
    let shop = Merchant::open().await;
    let shown = (shop.account.client_id(), shop.account.secret());
    let form = "grant_type=client_credentials";
    let again = shop.grant(shown, form).await;
    assert_eq!((again.status, again.at("/token_type")), (200, "Bearer"));
    assert_eq!(again.at("/access_token"), shop.token);
    let left = again.body["expires_in"].as_u64().unwrap();
    assert!((1..=32400).contains(&left));

    let wrong = [
        ((shown.0, "wrong"), form, (401, "invalid_client")),
        (("nobody", shown.1), form, (401, "invalid_client")),
        (shown, "", (400, "unsupported_grant_type")),
        (
            shown,
            "grant_type=password",
            (400, "unsupported_grant_type"),
        ),
    ];
    for (shown, form, refusal) in wrong {
        let answer = shop.grant(shown, form).await;
        assert_eq!((answer.status, answer.at("/error")), refusal);
    }
    let tokens = shop.paypal.requests();
    assert!(tokens.iter().all(|request| request.body.is_none()));

    let mut shop = shop;
    shop.paypal.end_tokens();
    let ended = shop.get(&format!("{ORDERS}/1")).await;
    assert_eq!((ended.status, ended.at("/error")), (401, "invalid_token"));
    assert_eq!(
        ended.at("/error_description"),
        "Access Token not found in cache"
    );
    let old = std::mem::replace(&mut shop.token, "invented".to_owned());
    let unknown = shop.get(&format!("{ORDERS}/1")).await;
    assert_eq!(
        unknown.at("/error_description"),
        "Token signature verification failed"
    );
    let shop = shop.with_token().await;
    assert_ne!(shop.token, old);
    assert_eq!(shop.get(&format!("{ORDERS}/1")).await.status, 404);

    let url = format!("{}{ORDERS}/1", shop.paypal.url());
    for request in [
        shop.client.get(&url),
        shop.client.get(&url).basic_auth(shown_id(&shop), Some("x")),
    ] {
        let answer = read(request).await;
        assert_eq!(
            (answer.status, answer.at("/name")),
            (401, "AUTHENTICATION_FAILURE")
        );
    }
}

fn shown_id(shop: &Merchant) -> &str {
    shop.account.client_id()
}

#[tokio::test]
async fn what_is_not_there_or_not_given_is_refused_by_name() {
    let shop = Merchant::open().await;
    let capture = shop.captured("a1").await;
    let order_id = shop.paypal.order("a1").unwrap().id;
    let table = [
        (
            "GET",
            "/v2/checkout/orders/1".to_owned(),
            (404, "INVALID_RESOURCE_ID"),
        ),
        (
            "POST",
            "/v2/checkout/orders/1/capture".to_owned(),
            (404, "INVALID_RESOURCE_ID"),
        ),
        (
            "GET",
            format!("/v2/payments/captures/{order_id}"),
            (404, "INVALID_RESOURCE_ID"),
        ),
        (
            "POST",
            format!("/v2/payments/captures/{order_id}/refund"),
            (404, "INVALID_RESOURCE_ID"),
        ),
        (
            "GET",
            format!("/v2/payments/refunds/{capture}"),
            (404, "INVALID_RESOURCE_ID"),
        ),
        (
            "GET",
            "/v2/nothing".to_owned(),
            (404, "INVALID_RESOURCE_ID"),
        ),
        (
            "PATCH",
            format!("/v2/checkout/orders/{order_id}"),
            (403, "PERMISSION_DENIED"),
        ),
        (
            "POST",
            format!("/v2/checkout/orders/{order_id}/authorize"),
            (403, "PERMISSION_DENIED"),
        ),
        (
            "GET",
            "/v1/notifications/webhooks".to_owned(),
            (403, "PERMISSION_DENIED"),
        ),
    ];
    for (method, path, refusal) in table {
        let answer = read(shop.request(method, &path).json(&json!({}))).await;
        assert_eq!(answer.refusal(), refusal, "{method} {path}");
        let name = if refusal.0 == 404 {
            "RESOURCE_NOT_FOUND"
        } else {
            "NOT_AUTHORIZED"
        };
        assert_eq!(answer.at("/name"), name);
        assert_eq!(shop.last_request().issue.as_deref(), Some(refusal.1));
    }
    let text = shop.request("POST", ORDERS).body("{}");
    let answer = read(text.header("content-type", "text/plain")).await;
    assert_eq!(
        (answer.status, answer.at("/name")),
        (415, "UNSUPPORTED_MEDIA_TYPE")
    );
    let half = shop.request("POST", ORDERS).body("{\"intent\":");
    let answer = read(half.header("content-type", "application/json")).await;
    assert_eq!(answer.refusal(), (400, "MALFORMED_REQUEST_JSON"));
}

#[tokio::test]
async fn a_refusal_names_the_field_and_leaves_nothing_behind() {
    let shop = Merchant::open().await;
    let mut wrong = order("a1");
    wrong["purchase_units"][0]["amount"] = dollars("1.001");
    let answer = shop.post(ORDERS, &wrong).await;
    assert_eq!(answer.refusal(), (422, "DECIMAL_PRECISION"));
    assert_eq!(
        answer.at("/details/0/field"),
        "/purchase_units/0/amount/value"
    );
    assert_eq!(answer.at("/details/0/value"), "1.001");
    assert_eq!(answer.at("/name"), "UNPROCESSABLE_ENTITY");
    assert!(
        answer
            .link("information_link")
            .ends_with("DECIMAL_PRECISION")
    );

    wrong["purchase_units"][0]["amount"] = json!({"currency_code": "CNY", "value": "1.00"});
    let answer = shop.post(ORDERS, &wrong).await;
    assert_eq!(answer.refusal(), (422, "CURRENCY_NOT_SUPPORTED"));
    assert!(shop.paypal.orders().is_empty());

    // Yuan are for merchants in China.
    let account = shop.paypal.open_account_in("CN");
    let shop = shop.with_account(account).await;
    assert_eq!(shop.post(ORDERS, &wrong).await.status, 201);
}

#[tokio::test]
async fn one_merchants_orders_are_nothing_to_another() {
    let shop = Merchant::open().await;
    let capture = shop.captured("a1").await;
    let order_id = shop.paypal.order("a1").unwrap().id;
    let merchant_id = shop.account.merchant_id().to_owned();
    let account = shop.paypal.open_account();
    let other = shop.with_account(account).await;
    for answer in [
        other.show(&order_id).await,
        other.capture(&order_id).await,
        other.get(&format!("/v2/payments/captures/{capture}")).await,
        other
            .post(
                &format!("/v2/payments/captures/{capture}/refund"),
                &json!({}),
            )
            .await,
    ] {
        assert_eq!(answer.refusal(), (404, "INVALID_RESOURCE_ID"));
    }
    let mut order = order("a2");
    order["purchase_units"][0]["payee"] = json!({"merchant_id": merchant_id});
    let answer = other.post(ORDERS, &order).await;
    assert_eq!(answer.refusal(), (403, "PAYEE_NOT_CONSENTED"));
    order["purchase_units"][0]["payee"] = json!({"merchant_id": other.account.merchant_id()});
    assert_eq!(other.post(ORDERS, &order).await.status, 201);
}

#[tokio::test]
async fn an_invoice_is_paid_once() {
    let shop = Merchant::open().await;
    let mut bill = order("a1");
    bill["purchase_units"][0]["invoice_id"] = json!("bill-1");
    let first = shop.post(ORDERS, &bill).await;
    let second = shop.post(ORDERS, &bill).await;
    for answer in [&first, &second] {
        assert_eq!(answer.status, 201);
        shop.paypal.approve(answer.at("/id")).await.unwrap();
    }
    assert_eq!(shop.capture(first.at("/id")).await.status, 201);
    let twice = shop.capture(second.at("/id")).await;
    assert_eq!(twice.refusal(), (422, "DUPLICATE_INVOICE_ID"));
    let third = shop.post(ORDERS, &bill).await;
    assert_eq!(third.refusal(), (422, "DUPLICATE_INVOICE_ID"));
    let view = shop.paypal.order(second.at("/id")).unwrap();
    assert!(view.capture.is_none());
}
