//! Payments at the till whose end nobody knows are undone (撤销): by v2 over mutual TLS, by v3 as any request.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, AtTheTill, Misbehaviour, Operation, RequestView, TradeState,
};

use super::at_the_till::{Dialect, in_each_dialect};
use crate::world::{RECORD_SALE, Till, milliseconds_from_now};

/// A payment that is undone when it has waited for 8 s, unless WeChat Pay wants it to wait longer.
fn hurried() -> Value {
    json!({"expi": milliseconds_from_now(8_000)})
}

/// Seconds between one request and the next.
fn pauses(requests: &[RequestView]) -> Vec<u64> {
    let times = requests.iter().map(|request| request.at_ms / 1000);
    let times: Vec<u64> = times.collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_confirms_for_half_a_minute_and_it_is_undone() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await;
        let dialect = Dialect::of(&more);
        let (id, sent) = till.scanned(json!({}), AtTheTill::MustConfirm).await;
        assert_eq!(sent.data()["status"], "WAIT", "{more}");
        let undone = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(undone["fail_why"], "REVERSED", "{more}");
        let asked = till.requests(dialect.query, &id);
        let count = asked.len();
        assert!(
            (4..=8).contains(&count),
            "{more}: every 5 s for 30 s, not {count} times"
        );
        assert!(pauses(&asked).iter().all(|pause| *pause >= 4), "{asked:?}");
        let ordered = &till.requests(dialect.order, &id)[0];
        let after_ms = till.requests(dialect.reverse, &id)[0].at_ms - ordered.at_ms;
        assert!(after_ms >= 29_000, "{more}: {after_ms} ms");
        assert_eq!(till.wechat.trade(&id).unwrap().state, TradeState::Revoked);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_as_often_as_the_platform_wants_it() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await;
        let dialect = Dialect::of(&more);
        let busy = match dialect.reverse {
            Operation::V2Reverse => AnswerFault::Recall,
            _ => AnswerFault::SystemError { processed: false },
        };
        let twice = Misbehaviour::times(2, busy);
        till.wechat.misbehave(twice.for_operation(dialect.reverse));
        let (id, sent) = till.scanned(hurried(), AtTheTill::MustConfirm).await;
        assert_eq!(sent.data()["status"], "WAIT", "{more}");
        let undone = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(undone["fail_why"], "REVERSED", "{more}");
        assert_eq!(till.wechat.trade(&id).unwrap().state, TradeState::Revoked);
        let reversed = till.requests(dialect.reverse, &id);
        assert!(reversed.len() >= 3, "{more}: {reversed:?}");
        assert!(
            pauses(&reversed).iter().all(|pause| *pause >= 4),
            "{reversed:?}"
        );
        let since_ms = reversed[0].at_ms - till.requests(dialect.order, &id)[0].at_ms;
        assert!(
            since_ms >= 15_000,
            "{more}: WeChat Pay takes none within 15 s: {since_ms} ms"
        );
        let shown = |request: &RequestView| request.client_certificate;
        let by_v2 = dialect.reverse == Operation::V2Reverse;
        assert!(
            reversed.iter().all(|request| shown(request) == by_v2),
            "{more}"
        );
        let others = till.wechat.requests();
        let mut others = others
            .iter()
            .filter(|request| request.operation != Some(dialect.reverse));
        assert!(
            !others.any(shown),
            "{more}: the certificate is for nothing else"
        );
        let causes = till.shop.causes(&id).await;
        assert_eq!(
            causes.last().map(String::as_str),
            Some("reverse"),
            "{causes:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_and_nobody_could_tell_goes_back() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await.recording().await;
        let dialect = Dialect::of(&more);
        let down = Misbehaviour::always(AnswerFault::SystemError { processed: false });
        till.wechat.misbehave(down.for_operation(dialect.query));
        let mut payment = hurried();
        payment["callback"] = json!(RECORD_SALE);
        let paid = AtTheTill::SystemError { pays: true };
        let (id, sent) = till.scanned(payment, paid).await;
        assert_eq!(sent.status, 502, "{more}");
        let undone = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(
            (&undone["fail_why"], &undone["apply_at"]),
            (&json!("REVERSED"), &json!(0)),
            "{more}"
        );
        let trade = till.wechat.trade(&id).unwrap();
        let back = (trade.state, trade.refunded_fen);
        assert_eq!(back, (TradeState::Revoked, 2300), "{more}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_never_arrived_is_over_when_the_buyers_code_is() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await;
        let dialect = Dialect::of(&more);
        let lost = AtTheTill::SystemError { pays: false };
        let (id, sent) = till.scanned(hurried(), lost).await;
        assert_eq!(sent.status, 502, "{more}");
        let undone = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(undone["fail_why"], "REVERSED", "{more}");
        assert!(till.wechat.trade(&id).is_none(), "{more}");
        let ordered = &till.requests(dialect.order, &id)[0];
        let reversed = till.requests(dialect.reverse, &id);
        let after_ms = reversed.last().unwrap().at_ms - ordered.at_ms;
        assert!(
            after_ms >= 59_000,
            "{more}: the code was good for a minute, {after_ms} ms"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cashier_undoes_a_payment_by_hand() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await;
        let reverse = |id: &str| {
            let (shop, body) = (till.shop.clone(), json!({"id": id}));
            async move { shop.post("/pay/ajax/reverse", body).await.data() }
        };
        let (id, _) = till.scanned(json!({}), AtTheTill::MustConfirm).await;
        let begun = reverse(&id).await;
        assert_eq!(
            begun["st"], "WAIT",
            "{more}: WeChat Pay takes it after 15 s"
        );
        // The buyer confirms all the same: the money goes back.
        till.wechat.confirm(&id).unwrap();
        let undone = till.shop.until_state(&id, "FAIL").await;
        assert_eq!(undone["fail_why"], "REVERSED", "{more}");
        assert_eq!(till.wechat.trade(&id).unwrap().state, TradeState::Revoked);
        assert_eq!(reverse(&id).await["st"], "FAIL", "{more}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_v2_nobody_is_charged_who_could_not_be_paid_back() {
    let till = Till::open(json!({"mch_certificate": null})).await;
    let (_, sent) = till.scanned(json!({}), AtTheTill::Pays).await;
    let words = sent.json()["msg"].to_string();
    assert!(words.contains("mch_certificate"), "{words}");
    assert_eq!(sent.refusal().1, "e.pay.target.misconfigured");
    assert!(till.wechat.requests().is_empty());

    let put = |certificate: &str| {
        let settings = json!({
            "appid": till.merchant.appid(),
            "mchid": till.merchant.mchid(),
            "mch_serial_no": till.merchant.serial_no(),
            "mch_private_key": till.merchant.private_key_pem(),
            "mch_certificate": certificate,
            "api_v3_key": till.merchant.api_v3_key(),
            "gateway": till.wechat.url(),
        });
        let body = json!({"test": true, "settings": settings});
        let shop = till.shop.clone();
        async move {
            let refused = shop.put("/pay/target/wx/other", body).await;
            assert_eq!(refused.status, 422, "{refused:?}");
            refused.json()["msg"].as_str().unwrap().to_owned()
        }
    };
    // One of another merchant does not fit the key.
    let stranger = till.wechat.open_merchant().await.unwrap();
    let words = put(stranger.certificate_pem()).await;
    assert!(words.contains("mch_private_key"), "{words}");
    // How `apiclient_cert.p12` begins, in base64.
    let words = put("MIIJOQIBAzCCCP8GCSqGSIb3DQEHAaCCCPAEggjsMIII6DCCA58GCSqGSIb3DQEHBqCC").await;
    assert!(words.contains("apiclient_cert.pem"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_does_not_undo_stays_as_it_is() {
    let till = Till::open(json!({})).await;
    // Key and certificate are a pair, and another merchant's: WeChat Pay takes no reversal by them.
    let stranger = till.wechat.open_merchant().await.unwrap();
    let pair = json!({
        "mch_private_key": stranger.private_key_pem(),
        "mch_serial_no": stranger.serial_no(),
        "mch_certificate": stranger.certificate_pem(),
    });
    till.put_target("main", pair).await;
    let (id, sent) = till.scanned(hurried(), AtTheTill::MustConfirm).await;
    assert_eq!(sent.data()["status"], "WAIT");
    let refused = |payment: &Value| {
        let attempt = &payment["attempts"][0];
        attempt["ending"] == "REVERSED" && attempt["error"].is_string()
    };
    let payment = till.shop.until(&id, "told why", refused).await;
    assert_eq!(payment["st"], "WAIT");
    assert!(!till.requests(Operation::V2Reverse, &id).is_empty());
    assert_eq!(
        till.wechat.trade(&id).unwrap().state,
        TradeState::Userpaying
    );
}
