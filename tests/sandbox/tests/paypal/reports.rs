//! The transaction search: what moved, in pages, for whoever may ask, as far as it is known.

use std::time::Duration;

use serde_json::{Value, json};
use walnut_sandbox::paypal::Funding;

use crate::merchant::{Answered, Merchant, dollars};

const SEARCH: &str = "/v1/reporting/transactions";
const HOUR: Duration = Duration::from_secs(3600);

/// What happened within a year around now cannot be asked for at once: a month is.
async fn search(shop: &Merchant, more: &str) -> Answered {
    let now = time::OffsetDateTime::now_utc();
    let text = |at: time::OffsetDateTime| {
        let at = at.replace_nanosecond(0).unwrap();
        let format = &time::format_description::well_known::Rfc3339;
        at.format(format).unwrap()
    };
    let (from, until) = (text(now - 30 * 24 * HOUR), text(now + HOUR));
    shop.get(&format!(
        "{SEARCH}?start_date={from}&end_date={until}{more}"
    ))
    .await
}

fn infos(answer: &Answered) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let details = answer.body["transaction_details"].as_array().unwrap();
    let infos = details.iter().map(|one| one["transaction_info"].clone());
    infos.collect()
}

#[tokio::test]
async fn a_payment_and_its_refunds_are_lines_with_signs_and_references() {
    let shop = Merchant::open().await;
    let capture = shop.captured("a1").await;
    let path = format!("/v2/payments/captures/{capture}/refund");
    let part = json!({"amount": dollars("4.00"), "invoice_id": "back-1", "custom_id": "a1"});
    let refund = shop.post(&path, &part).await;
    assert_eq!(refund.status, 201);
    shop.paypal.backdate("a1", 2 * HOUR).unwrap();

    let answer = search(&shop, "").await;
    let infos = infos(&answer);
    let [paid, back] = infos.as_slice() else {
        panic!("{infos:?}");
    };
    let order = shop.paypal.order("a1").unwrap();
    for (info, name, value) in [
        (paid, "transaction_id", json!(capture)),
        (paid, "transaction_event_code", json!("T0006")),
        (paid, "transaction_status", json!("S")),
        (paid, "transaction_amount", dollars("10.00")),
        (paid, "paypal_reference_id", json!(order.id)),
        (paid, "custom_field", json!("a1")),
        (back, "transaction_id", refund.body["id"].clone()),
        (back, "transaction_event_code", json!("T1107")),
        (back, "transaction_amount", dollars("-4.00")),
        (back, "paypal_reference_id", json!(capture)),
        (back, "paypal_reference_id_type", json!("TXN")),
        (back, "invoice_id", json!("back-1")),
        (back, "custom_field", json!("a1")),
    ] {
        assert_eq!(info[name], value, "{name}: {info}");
    }
    let at = paid["transaction_initiation_date"].as_str().unwrap();
    assert!(at.ends_with("+0000"), "{at}");
    assert_eq!(answer.body["total_items"], 2);
    assert_eq!(answer.body["total_pages"], 1);
    assert_eq!(answer.body["account_number"], shop.account.merchant_id());
    // Given back as a whole, the payment is a reversed one.
    shop.post(&path, &json!({})).await;
    let lines = search(&shop, "").await;
    assert_eq!(
        lines.body["transaction_details"][0]["transaction_info"]["transaction_status"],
        "V"
    );
}

#[tokio::test]
async fn what_moved_nothing_is_told_only_when_asked_for() {
    let shop = Merchant::open().await;
    for (name, funding) in [("a1", Funding::Echeck), ("a2", Funding::Refused)] {
        let id = shop.order(name).await;
        shop.paypal.approve_with(&id, funding).await.unwrap();
        shop.capture(&id).await;
    }
    shop.order("a3").await;
    let none = search(&shop, "").await;
    assert_eq!(infos(&none).len(), 0);
    assert_eq!(none.body["total_pages"], 0);
    let all = search(&shop, "&balance_affecting_records_only=N").await;
    let mut states: Vec<Value> = infos(&all)
        .iter()
        .map(|info| info["transaction_status"].clone())
        .collect();
    states.sort_by_key(Value::to_string);
    assert_eq!(states, ["D", "P"]);
}

#[tokio::test]
async fn many_come_in_pages_and_too_many_not_at_all() {
    let shop = Merchant::open().await;
    for number in 0..5 {
        shop.captured(&format!("a{number}")).await;
        let ago = (10 - number) * HOUR;
        shop.paypal.backdate(&format!("a{number}"), ago).unwrap();
    }
    let mut seen = Vec::new();
    for (page, rows) in [(1, 2), (2, 2), (3, 1), (4, 0)] {
        let answer = search(&shop, &format!("&page_size=2&page={page}")).await;
        assert_eq!(answer.body["total_pages"], 3);
        assert_eq!(answer.body["page"], page);
        let page = infos(&answer);
        assert_eq!(page.len(), rows);
        seen.extend(page.iter().map(|info| info["custom_field"].clone()));
    }
    assert_eq!(seen, ["a0", "a1", "a2", "a3", "a4"], "the oldest first");

    shop.paypal.limit_reports(4);
    let many = search(&shop, "").await;
    assert_eq!(many.status, 400);
    assert_eq!(many.at("/name"), "RESULTSET_TOO_LARGE");
    assert_eq!(
        (&many.body["total_items"], &many.body["maximum_items"]),
        (&json!(5), &json!(4))
    );
}

#[tokio::test]
async fn the_reports_are_behind_and_say_by_how_much() {
    let shop = Merchant::open().await;
    shop.captured("a1").await;
    shop.paypal.delay_reports(3 * HOUR);
    let early = search(&shop, "").await;
    assert_eq!(infos(&early).len(), 0);
    let refreshed = early.at("/last_refreshed_datetime");
    assert_eq!(early.at("/end_date"), refreshed, "cut off there");
    shop.paypal.backdate("a1", 4 * HOUR).unwrap();
    assert_eq!(infos(&search(&shop, "").await).len(), 1);
    let later = format!("{SEARCH}?start_date=2999-01-01T00:00:00Z&end_date=2999-01-02T00:00:00Z");
    assert_eq!(shop.get(&later).await.status, 400);
}

#[tokio::test]
async fn only_an_app_with_the_permission_may_search_and_only_in_its_own() {
    let shop = Merchant::open().await;
    shop.captured("a1").await;
    shop.paypal.give_reports(&shop.account, false);
    assert_eq!(search(&shop, "").await.status, 200, "the token is older");
    shop.paypal.end_tokens();
    assert_eq!(search(&shop, "").await.status, 401);
    let shop = shop.with_token().await;
    let refused = search(&shop, "").await;
    assert_eq!(refused.refusal(), (403, "PERMISSION_DENIED"));
    let long = format!("{SEARCH}?start_date=2026-01-01T00:00:00Z&end_date=2026-02-02T00:00:00Z");
    assert_eq!(shop.get(&long).await.status, 403);

    let other = shop.paypal.open_account();
    let other = shop.with_account(other).await;
    assert_eq!(infos(&search(&other, "").await).len(), 0);
    let long = other.get(&long).await;
    assert_eq!(long.refusal(), (400, "Date range is greater than 31 days"));
}
