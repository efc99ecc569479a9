//! v2: what is refused, orders with their notification, and the certificate that `/secapi` asks.

use std::collections::BTreeMap;

use walnut_sandbox::wechat::{BuyerError, Notice, NoticeSignature, SignatureCheck, WeChatOptions};

use crate::merchant::{Shop, now, pairs, parsed, xml};

const QUERY: &str = "/pay/orderquery";

fn failed(why: &str) -> BTreeMap<String, String> {
    [("return_code", "FAIL"), ("return_msg", why)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn code(said: &BTreeMap<String, String>) -> &str {
    said.get("err_code").map(String::as_str).unwrap_or_default()
}

#[tokio::test]
async fn what_is_not_the_merchants_is_refused_without_a_signature() {
    let shop = Shop::open().await;
    let signed = |change: fn(&mut BTreeMap<String, String>)| {
        let mut fields = shop.v2_fields(&[("out_trade_no", "order-1")]);
        shop.v2_sign(&mut fields);
        change(&mut fields);
        xml(&fields)
    };
    let entity = "<!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><xml><a>&x;</a></xml>";
    let table = [
        (String::new(), "XML格式错误"),
        ("{}".to_owned(), "XML格式错误"),
        (entity.to_owned(), "XML格式错误"),
        (signed(|fields| drop(fields.remove("sign"))), "缺少参数"),
        (
            signed(|fields| drop(fields.remove("nonce_str"))),
            "缺少参数",
        ),
        (
            signed(|fields| drop(fields.insert("out_trade_no".into(), "order-2".into()))),
            "签名错误",
        ),
        (
            signed(|fields| drop(fields.insert("sign".into(), "0".repeat(32)))),
            "签名错误",
        ),
        (
            signed(|fields| drop(fields.insert("mch_id".into(), "1".into()))),
            "签名错误",
        ),
        (
            signed(|fields| drop(fields.insert("sign_type".into(), "HMAC-SHA256".into()))),
            "签名错误",
        ),
        (
            signed(|fields| drop(fields.insert("sign_type".into(), "RSA".into()))),
            "签名类型错误",
        ),
    ];
    for (body, why) in table {
        assert_eq!(
            shop.v2_send(QUERY, body.clone()).await,
            failed(why),
            "{body}"
        );
    }
    let small = signed(|fields| {
        let sign = fields["sign"].to_lowercase();
        fields.insert("sign".into(), sign);
    });
    assert_eq!(shop.v2_send(QUERY, small).await, failed("签名错误"));
    let url = format!("{}{QUERY}", shop.wechat.url());
    let answer = shop.client.get(&url).send().await.unwrap();
    assert_eq!(
        parsed(&answer.text().await.unwrap()),
        failed("请使用post方法")
    );
    let answer = shop
        .client
        .post(&url)
        .body(vec![0xFF])
        .send()
        .await
        .unwrap();
    assert_eq!(
        parsed(&answer.text().await.unwrap()),
        failed("编码格式错误")
    );
    let views = shop.wechat.requests();
    assert!(
        views
            .iter()
            .all(|view| view.signature != SignatureCheck::Valid)
    );
    assert!(
        views
            .iter()
            .all(|view| view.code.as_deref() == Some("FAIL"))
    );
}

#[tokio::test]
async fn both_ways_of_signing_work_and_the_answer_is_signed_alike() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    for sign_type in ["MD5", "HMAC-SHA256"] {
        let fields = [("out_trade_no", "order-1"), ("sign_type", sign_type)];
        for _ in 0..6 {
            let said = shop.v2(QUERY, &fields).await;
            assert_eq!(
                (said["trade_state"].as_str(), said["total_fee"].as_str()),
                ("SUCCESS", "10")
            );
        }
    }
    // The operation's own refusals are signed.
    for (fields, word) in [
        (vec![], "LACK_PARAMS"),
        (vec![("out_trade_no", "order-0")], "ORDERNOTEXIST"),
        (
            vec![("out_trade_no", "order-1"), ("extra", "1")],
            "PARAM_ERROR",
        ),
        (
            vec![("appid", "wx0"), ("out_trade_no", "order-1")],
            "APPID_MCHID_NOT_MATCH",
        ),
    ] {
        assert_eq!(code(&shop.v2(QUERY, &fields).await), word, "{fields:?}");
    }
}

#[tokio::test]
async fn an_order_of_v2_is_paid_and_told_in_xml() {
    let shop = Shop::open().await;
    shop.replies(
        &[(200, "SUCCESS")],
        (
            200,
            "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>",
        ),
    );
    let mut fields = vec![
        ("body", "一杯茶"),
        ("out_trade_no", "order-1"),
        ("total_fee", "10"),
        ("spbill_create_ip", "127.0.0.1"),
        ("notify_url", shop.notify_url.as_str()),
        ("trade_type", "NATIVE"),
        ("attach", "a<b&c"),
        ("sign_type", "HMAC-SHA256"),
    ];
    assert_eq!(
        code(&shop.v2("/pay/unifiedorder", &fields).await),
        "LACK_PARAMS"
    );
    fields.push(("product_id", "tea"));
    let said = shop.v2("/pay/unifiedorder", &fields).await;
    assert_eq!(said["prepay_id"].len(), 36);
    shop.wechat.pay(&said["code_url"]).await.unwrap();
    let told = shop.told("order-1").await;
    assert_eq!((told.try_no, told.id.as_str()), (2, ""));
    let said = parsed(&told.body);
    assert!(
        shop.v2_verifies(&said, Some(&"HMAC-SHA256".to_owned())),
        "{said:?}"
    );
    assert_eq!(
        (said["total_fee"].as_str(), said["attach"].as_str()),
        ("10", "a<b&c")
    );
    assert_eq!(said["out_trade_no"], "order-1");

    let hmac = "HMAC-SHA256".to_owned();
    for (notice, verifies, field, value) in [
        (Notice::amount(1), true, "total_fee", "1"),
        (Notice::tampered("amount.total", 1), false, "total_fee", "1"),
        (Notice::forged(), false, "total_fee", "10"),
        (
            Notice::genuine().signed(NoticeSignature::Wrong),
            false,
            "total_fee",
            "10",
        ),
        (
            Notice::stating("mchid", "1900000001"),
            true,
            "mch_id",
            "1900000001",
        ),
    ] {
        let sent = shop.wechat.notify("order-1", &notice).await.unwrap();
        let said = parsed(&sent.body);
        assert_eq!(shop.v2_verifies(&said, Some(&hmac)), verifies, "{notice:?}");
        assert_eq!(said[field], value);
    }
}

#[tokio::test]
async fn v2_closes_what_is_five_minutes_old() {
    let shop = Shop::open_with(WeChatOptions::default()).await;
    let code_url = shop.native("order-1").await;
    let close = async || {
        shop.v2("/pay/closeorder", &[("out_trade_no", "order-1")])
            .await
    };
    assert_eq!(code(&close().await), "INVALID_REQUEST");
    shop.wechat
        .age("order-1", std::time::Duration::from_secs(5 * 60))
        .unwrap();
    assert_eq!(close().await["result_code"], "SUCCESS");
    assert_eq!(code(&close().await), "ORDERCLOSED");
    assert_eq!(
        shop.wechat.pay(&code_url).await.unwrap_err(),
        BuyerError::Closed
    );
    shop.paid("order-2").await;
    let paid = shop
        .v2("/pay/closeorder", &[("out_trade_no", "order-2")])
        .await;
    assert_eq!(code(&paid), "ORDERPAID");
}

#[tokio::test]
async fn a_call_of_v2_is_signed_with_the_shared_key() {
    let shop = Shop::open().await;
    let fields = [
        ("body", "一杯茶"),
        ("out_trade_no", "order-1"),
        ("total_fee", "10"),
        ("spbill_create_ip", "127.0.0.1"),
        ("notify_url", shop.notify_url.as_str()),
        ("trade_type", "JSAPI"),
        ("openid", shop.merchant.buyer_openid()),
    ];
    let said = shop.v2("/pay/unifiedorder", &fields).await;
    let mut call: BTreeMap<String, String> = [
        ("appId", shop.merchant.appid().to_owned()),
        ("timeStamp", now().to_string()),
        ("nonceStr", "abc".to_owned()),
        ("package", format!("prepay_id={}", said["prepay_id"])),
        ("signType", "MD5".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let sign = walnut_sandbox::wechat::signing::v2::sign(
        pairs(&call),
        shop.merchant.api_key(),
        Default::default(),
    );
    call.insert("paySign".to_owned(), format!("{sign}0"));
    let refused = shop
        .wechat
        .pay_by_call(&serde_json::to_value(&call).unwrap())
        .await;
    assert_eq!(refused.unwrap_err(), BuyerError::BadSignature);
    call.insert("paySign".to_owned(), sign);
    shop.wechat
        .pay_by_call(&serde_json::to_value(&call).unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn secapi_is_for_the_merchants_own_certificate_alone() {
    let shop = Shop::open().await;
    let mut fields = shop.v2_fields(&[("out_trade_no", "order-1")]);
    shop.v2_sign(&mut fields);
    let body = xml(&fields);
    let path = "/secapi/pay/reverse";

    // Without TLS, and with TLS without a certificate, the server in front says no.
    let ca = reqwest::Certificate::from_pem(shop.merchant.tls_ca_pem().as_bytes()).unwrap();
    let builder = || {
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([ca.clone()])
    };
    let bare = builder().build().unwrap();
    for url in [shop.wechat.url(), shop.wechat.tls_url()] {
        let answer = bare
            .post(format!("{url}{path}"))
            .body(body.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400);
        assert!(
            answer
                .text()
                .await
                .unwrap()
                .contains("No required SSL certificate was sent")
        );
    }
    // Everything else is there with TLS as well, without one.
    let url = shop.wechat.tls_url().replace("127.0.0.1", "localhost");
    let answer = bare
        .post(format!("{url}{QUERY}"))
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(&parsed(&answer.text().await.unwrap())),
        "ORDERNOTEXIST"
    );

    // Another merchant's certificate is one, and the wrong one.
    let other = shop.wechat.open_merchant().await.unwrap();
    let identity = reqwest::Identity::from_pem(other.identity_pem().as_bytes()).unwrap();
    let stranger = builder().identity(identity).build().unwrap();
    let url = format!("{}{path}", shop.wechat.tls_url());
    let answer = stranger.post(&url).body(body.clone()).send().await.unwrap();
    assert_eq!(
        parsed(&answer.text().await.unwrap()),
        failed("证书验证失败")
    );
    assert_eq!(code(&shop.v2_send(path, body).await), "ORDERNOTEXIST");

    // Whoever does not trust the platform's authority does not talk to it.
    let blind = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(blind.get(shop.wechat.tls_url()).send().await.is_err());
}
