//! `alipay.trade.page.pay` and `wap.pay`: the buyer's browser comes by the merchant's link.

use std::collections::BTreeMap;

use time::Duration;
use walnut_sandbox::alipay::{BuyerError, OrderKind, TradeStatus};

use crate::merchant::{Merchant, encoded, timestamp};

const RETURN_URL: &str = "http://127.0.0.1:9/back";

fn content(out_trade_no: &str, product: &str) -> String {
    format!(
        r#"{{"out_trade_no":"{out_trade_no}","total_amount":"0.10","subject":"一杯“茶” it's hot",
            "product_code":"{product}"}}"#
    )
}

fn parameters(shop: &Merchant, method: &str, content: &str) -> BTreeMap<String, String> {
    let mut parameters = shop.parameters(method, content);
    parameters.insert("return_url".to_owned(), RETURN_URL.to_owned());
    parameters
}

/// The link that a shop gives a browser.
fn link(shop: &Merchant, parameters: &BTreeMap<String, String>) -> String {
    let mut parameters = parameters.clone();
    shop.sign(&mut parameters);
    let all = encoded(&parameters.iter().collect::<Vec<_>>());
    format!("{}?{all}", shop.alipay.gateway_url())
}

#[tokio::test]
async fn a_link_leads_to_a_page_and_the_payment_back_to_the_shop() {
    let shop = Merchant::open().await;
    for (method, product, number, kind) in [
        (
            "alipay.trade.page.pay",
            "FAST_INSTANT_TRADE_PAY",
            "a1",
            OrderKind::Page,
        ),
        (
            "alipay.trade.wap.pay",
            "QUICK_WAP_WAY",
            "a2",
            OrderKind::Wap,
        ),
    ] {
        let link = link(&shop, &parameters(&shop, method, &content(number, product)));
        let page = shop.alipay.open_page(&link).await.unwrap();
        // The trade begins with the buyer, not with the link.
        assert_eq!(
            shop.query(number).await.codes(),
            ("40004", "ACQ.TRADE_NOT_EXIST")
        );
        assert_eq!(shop.alipay.open_page(&link).await.unwrap(), page);
        let html = shop
            .client
            .get(&page)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        assert!(html.contains("一杯“茶”") && html.contains("0.10"), "{html}");

        shop.alipay.scan(&page).await.unwrap();
        assert_eq!(
            shop.query(number).await.get("trade_status"),
            "WAIT_BUYER_PAY"
        );
        let body = encoded(&[(&"qr_code".to_owned(), &page)]);
        let clicked = shop
            .client
            .post(format!("{}/buyer/pay", shop.alipay.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = clicked.send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        let (address, query) = back.split_once('?').unwrap();
        assert_eq!(address, RETURN_URL);
        let (verified, fields) = shop.verify(query);
        assert!(verified, "{back}");
        let trade = shop.alipay.trade(number).unwrap();
        assert_eq!(
            (trade.kind, trade.status),
            (kind, Some(TradeStatus::TradeSuccess))
        );
        assert_eq!(trade.returned_to.as_deref(), Some(back.as_str()));
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "app_id",
                "auth_app_id",
                "charset",
                "method",
                "out_trade_no",
                "seller_id",
                "sign",
                "sign_type",
                "timestamp",
                "total_amount",
                "trade_no",
                "version",
            ]
        );
        assert_eq!(fields["method"], format!("{method}.return"));
        assert_eq!(fields["total_amount"], "0.10");
        assert_eq!(Some(&fields["trade_no"]), trade.trade_no.as_ref());

        let told = shop
            .alipay
            .until(|alipay| {
                alipay
                    .notifications()
                    .into_iter()
                    .find(|n| n.out_trade_no == number)
            })
            .await;
        assert!(shop.verify(&told.body).0 && told.trade_status == "TRADE_SUCCESS");
        assert_eq!(
            shop.alipay.pay(&page).await.unwrap_err(),
            BuyerError::AlreadyPaid
        );
        assert_eq!(
            shop.alipay.open_page(&link).await.unwrap_err(),
            BuyerError::PageRefused
        );
    }
}

#[tokio::test]
async fn a_form_that_submits_itself_is_the_same_as_a_link() {
    let shop = Merchant::open().await;
    let mut parameters = parameters(
        &shop,
        "alipay.trade.page.pay",
        &content("a1", "FAST_INSTANT_TRADE_PAY"),
    );
    shop.sign(&mut parameters);
    // The official form: common parameters in the action, the content in a hidden field.
    let answer = shop.send(&parameters).await.unwrap();
    assert!(answer.status().is_redirection());
    let page = answer.headers()["location"].to_str().unwrap();
    assert!(page.starts_with(&format!("{}/cashier/", shop.alipay.url())));
    shop.alipay.pay(page).await.unwrap();
    assert_eq!(shop.query("a1").await.get("trade_status"), "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_wrong_link_shows_why_and_makes_nothing() {
    let shop = Merchant::open().await;
    let (method, product) = ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY");
    let right = parameters(&shop, method, &content("a1", product));
    let with = |name: &str, value: &str| {
        let mut changed = right.clone();
        changed.insert(name.to_owned(), value.to_owned());
        link(&shop, &changed)
    };
    let tampered = link(&shop, &right).replace("0.10", "0.01");
    let table = [
        (tampered, "isv.invalid-signature"),
        (with("app_id", "2021"), "isv.invalid-app-id"),
        (
            with("return_url", "javascript:alert(1)"),
            "isv.invalid-parameter",
        ),
        (
            with("return_url", "http://127.0.0.1/\r\nx: y"),
            "isv.invalid-parameter",
        ),
        (
            with("return_url", "http://u:p@127.0.0.1/"),
            "isv.invalid-parameter",
        ),
        (
            with("timestamp", &timestamp(Duration::days(-16))),
            "isv.invalid-timestamp",
        ),
        (
            with("timestamp", &timestamp(Duration::minutes(16))),
            "isv.invalid-timestamp",
        ),
        (
            with("biz_content", &content("a1", "QUICK_WAP_WAY")),
            "ACQ.INVALID_PARAMETER",
        ),
        (
            with("biz_content", &content("a-1", product)),
            "ACQ.INVALID_PARAMETER",
        ),
        (with("biz_content", "<script>"), "isv.illegal-json"),
    ];
    for (link, code) in table {
        let answer = shop.client.get(&link).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let html = answer.text().await.unwrap();
        assert!(
            html.contains(code) && !html.contains("<script>"),
            "{code}: {html}"
        );
        assert_eq!(
            shop.alipay.open_page(&link).await.unwrap_err(),
            BuyerError::PageRefused
        );
    }
    assert!(shop.alipay.trades().is_empty());

    // A link is opened when the buyer likes.
    let yesterday = with("timestamp", &timestamp(Duration::days(-1)));
    let page = shop.alipay.open_page(&yesterday).await.unwrap();
    shop.alipay.run_out("a1").unwrap();
    assert_eq!(
        shop.alipay.pay(&page).await.unwrap_err(),
        BuyerError::Expired
    );
}

#[tokio::test]
async fn a_page_keeps_the_shops_own_query_and_shows_the_way_out() {
    let shop = Merchant::open().await;
    let content =
        content("a1", "QUICK_WAP_WAY").replace('}', r#","quit_url":"http://127.0.0.1:9/cart"}"#);
    let mut parameters = parameters(&shop, "alipay.trade.wap.pay", &content);
    parameters.insert("return_url".to_owned(), format!("{RETURN_URL}?cart=7"));
    let page = shop
        .alipay
        .open_page(&link(&shop, &parameters))
        .await
        .unwrap();
    let html = shop
        .client
        .get(&page)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(html.contains("href=\"http://127.0.0.1:9/cart\""), "{html}");
    let view = shop.alipay.pay(&page).await.unwrap();
    assert!(
        view.returned_to
            .unwrap()
            .starts_with(&format!("{RETURN_URL}?cart=7&"))
    );
    assert!(shop.alipay.trade("a1").unwrap().qr_code.is_empty());
}
