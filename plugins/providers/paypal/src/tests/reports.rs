//! The bill of a day: searches, pages and rows.

use super::*;

const DAY: &str = "2026-11-25";
const GATEWAY: &str = "https://api-m.paypal.com/v1/reporting/transactions";
const MORE: &str = "&fields=transaction_info&balance_affecting_records_only=Y";

fn url(from: &str, until: &str, page_size: u32, page: u32) -> String {
    format!(
        "{GATEWAY}?start_date={DAY}T{from}Z&end_date={DAY}T{until}Z{MORE}&page_size={page_size}&page={page}"
    )
}

fn finds(items: u64) -> Result<Message, Failure> {
    let refreshed = "2026-11-26T00:30:00+0000";
    says(
        200,
        json!({"total_items": items, "last_refreshed_datetime": refreshed}),
    )
}

fn too_many() -> Result<Message, Failure> {
    let body = json!({"name": "RESULTSET_TOO_LARGE", "total_items": 20000, "maximum_items": 10000});
    says(400, body)
}

fn found(answers: Vec<Result<Message, Failure>>) -> (Result<Option<Bill>, Fault>, Vec<String>) {
    let double = answers.into_iter().fold(Double::new(), Double::answering);
    let (bill, requests) = run(double, || PayPal::find_bill(DAY.to_owned()));
    (bill, requests.into_iter().map(|r| r.url).collect())
}

fn address(bill: Result<Option<Bill>, Fault>) -> Option<String> {
    let bill = bill.unwrap()?;
    assert_eq!(bill.sha1, None);
    Some(bill.url)
}

#[test]
fn a_day_is_one_search_and_none_where_nothing_moved() {
    let (bill, asked) = found(vec![finds(2)]);
    assert_eq!(asked, [url("00:00:00", "23:59:59", 1, 1)]);
    assert_eq!(address(bill), Some(url("00:00:00", "23:59:59", 500, 1)));
    assert_eq!(found(vec![finds(0)]).0, Ok(None));
    let (bill, requests) = run(Double::new(), || PayPal::find_bill("25.11.2026".to_owned()));
    assert_eq!((word(&bill), requests.len()), ("invalid", 0));
}

#[test]
fn a_day_that_is_not_complete_has_no_bill_yet() {
    for refreshed in [
        "2026-11-25T23:59:58+0000",
        "2026-11-25T21:00:00Z",
        "",
        "yesterday",
    ] {
        let body = json!({"total_items": 5, "last_refreshed_datetime": refreshed});
        let (bill, _) = found(vec![says(200, body)]);
        assert_eq!(word(&bill), "unknown", "{refreshed}");
    }
    let body = json!({"total_items": 5, "last_refreshed_datetime": "2026-11-25T23:59:59+0000"});
    assert_eq!(word(&found(vec![says(200, body)]).0), "ok");
    let early = "Data for the given start date is not available.";
    let (bill, _) = found(vec![refuses(400, early)]);
    assert!(matches!(bill, Err(Fault::Unknown(why)) if why.contains("three hours")));
    let (bill, _) = found(vec![refuses(403, "PERMISSION_DENIED")]);
    assert_eq!(word(&bill), "misconfigured");
}

#[test]
fn a_day_with_too_much_is_searched_in_shorter_times() {
    let (bill, asked) = found(vec![too_many(), too_many(), finds(9000)]);
    assert_eq!(asked.last(), Some(&url("00:00:00", "05:59:59", 1, 1)));
    assert_eq!(address(bill), Some(url("00:00:00", "05:59:59", 500, 1)));
    // Nothing in the first part of a day says nothing of the rest.
    assert!(address(found(vec![too_many(), finds(0)]).0).is_some());
    let (bill, asked) = found(vec![too_many(); 9]);
    assert_eq!((word(&bill), asked.len()), ("unknown", 8));
}

#[test]
fn pages_follow_each_other_and_then_the_rest_of_the_day() {
    let next = |page: String, total: u32, answers: Vec<Result<Message, Failure>>| {
        let double = answers.into_iter().fold(Double::new(), Double::answering);
        let end = json!({"total_pages": total, "transaction_details": []}).to_string();
        let page = Bill {
            url: page,
            sha1: None,
        };
        run(double, || PayPal::next_page(page, end.into_bytes())).0
    };
    let whole = |page| url("00:00:00", "23:59:59", 500, page);
    assert_eq!(address(next(whole(1), 3, vec![])), Some(whole(2)));
    assert_eq!(address(next(whole(3), 3, vec![])), None);
    assert_eq!(address(next(whole(1), 0, vec![])), None);
    let morning = url("06:00:00", "11:59:59", 500, 1);
    assert_eq!(
        address(next(morning.clone(), 1, vec![finds(0)])),
        Some(url("12:00:00", "17:59:59", 500, 1))
    );
    assert_eq!(
        address(next(morning.clone(), 1, vec![too_many(), finds(5)])),
        Some(url("12:00:00", "14:59:59", 500, 1))
    );
    assert_eq!(
        word(&next(morning, 1, vec![says(503, json!({}))])),
        "unknown"
    );
    // Times that do not divide the day leave a shorter rest.
    let late = url("23:50:00", "23:58:59", 500, 1);
    assert_eq!(
        address(next(late, 1, vec![finds(1)])),
        Some(url("23:59:00", "23:59:59", 500, 1))
    );
    for wrong in [GATEWAY.to_owned(), format!("{}x", whole(1))] {
        assert_eq!(word(&next(wrong, 1, vec![])), "unknown");
    }
}

fn transaction(code: &str, status: &str, value: &str, more: Value) -> Value {
    let mut info = json!({
        "transaction_id": NUMBER,
        "transaction_event_code": code,
        "transaction_status": status,
        "transaction_amount": {"currency_code": "USD", "value": value},
    });
    for (name, value) in more.as_object().unwrap() {
        info[name] = value.clone();
    }
    json!({"transaction_info": info})
}

fn rows(transactions: &[Value]) -> Result<Vec<BillRow>, Fault> {
    let page = json!({"transaction_details": transactions, "total_pages": 1});
    PayPal::bill_rows(page.to_string().into_bytes(), true)
}

fn dollars(minor: i64) -> Money {
    Money::new(minor, Currency::parse("USD").unwrap()).unwrap()
}

#[test]
fn payments_and_what_goes_back_are_rows() {
    let ours = json!({"custom_field": TRADE, "invoice_id": TRADE});
    let back = json!({
        "custom_field": TRADE, "invoice_id": REFUND_NO, "paypal_reference_id": "3C679366HH908993F",
        "paypal_reference_id_type": "TXN",
    });
    let by_hand = json!({"paypal_reference_id": "3C679366HH908993F"});
    let read = rows(&[
        transaction("T0006", "S", "10.50", ours.clone()),
        transaction("T1107", "S", "-4.00", back),
        transaction("T1107", "S", "-1.5", by_hand),
        transaction("T0000", "V", "3", json!({})),
    ])
    .unwrap();
    let row = |state: &str, paid: i64, refunded: i64| BillRow {
        trade_no: TRADE.to_owned(),
        transaction_id: "3C679366HH908993F".to_owned(),
        state: state.to_owned(),
        amount: dollars(paid),
        refunded: dollars(refunded),
        refund_no: None,
    };
    let expected = [
        BillRow {
            transaction_id: NUMBER.to_owned(),
            ..row("T0006 S", 1050, 0)
        },
        BillRow {
            refund_no: Some(REFUND_NO.to_owned()),
            ..row("T1107 S", 0, 400)
        },
        BillRow {
            trade_no: String::new(),
            refund_no: Some(NUMBER.to_owned()),
            ..row("T1107 S", 0, 150)
        },
        BillRow {
            trade_no: NUMBER.to_owned(),
            transaction_id: NUMBER.to_owned(),
            ..row("T0000 V", 300, 0)
        },
    ];
    assert_eq!(read, expected);
    // A refund that repeats its payment's numbers is called by PayPal's.
    let read = rows(&[transaction("T1106", "S", "-4.00", ours)]).unwrap();
    assert_eq!(read[0].refund_no.as_deref(), Some(NUMBER));
    assert_eq!(read[0].trade_no, TRADE);
}

#[test]
fn what_is_no_sale_of_a_domains_is_no_row() {
    let none = [
        // Not settled, or denied.
        transaction("T0006", "P", "10.50", json!({})),
        transaction("T0006", "D", "10.50", json!({})),
        transaction("T1107", "P", "-4.00", json!({})),
        // Paid by the merchant, fees, a transfer to the bank, a hold and its end.
        transaction("T0003", "S", "-9.99", json!({})),
        transaction("T0106", "S", "-0.30", json!({})),
        transaction("T0400", "S", "-100.00", json!({})),
        transaction("T1110", "S", "-10.50", json!({})),
        transaction("T1111", "S", "10.50", json!({})),
    ];
    assert_eq!(rows(&none), Ok(Vec::new()));
    assert_eq!(rows(&[]), Ok(Vec::new()));
    for (code, value) in [
        ("T0006", ""),
        ("T0006", "ten"),
        ("T0006", "1.001"),
        ("T0006", "1e3"),
        ("T1107", "--1"),
    ] {
        let odd = rows(&[transaction(code, "S", value, json!({}))]);
        assert_eq!(word(&odd), "unknown", "{value}");
    }
    assert_eq!(
        word(&PayPal::bill_rows(b"<html>".to_vec(), true)),
        "unknown"
    );
}
