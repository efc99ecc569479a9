//! Payments at the till whose end nobody knows are undone (撤销): by v2 over mutual TLS, by v3 as any request.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{
    AnswerFault, AtTheTill, Misbehaviour, Operation, RequestView, TradeState, TradeView,
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

/// A host whose till goes by one dialect, and what is told of it there.
struct Counter {
    till: Till,
    dialect: Dialect,
    more: Value,
}

impl Counter {
    /// A payment with these fields that is not scanned for yet.
    async fn opened(&self, more: Value) -> String {
        self.till.shop.create(more).await
    }

    async fn until_undone(&self, id: &str) -> Value {
        let undone = self.till.shop.until_state(id, "FAIL").await;
        assert_eq!(undone["fail_why"], "REVERSED", "{}", self.more);
        undone
    }

    fn trade(&self, id: &str) -> TradeView {
        self.till.wechat.trade(id).unwrap()
    }

    /// From the order to the first and the last reversal, milliseconds.
    fn after_ms(&self, id: &str) -> (u64, u64) {
        let ordered_ms = self.till.requests(self.dialect.order, id)[0].at_ms;
        let reversed = self.till.requests(self.dialect.reverse, id);
        let after = |request: &RequestView| request.at_ms - ordered_ms;
        (
            after(reversed.first().unwrap()),
            after(reversed.last().unwrap()),
        )
    }

    async fn nobody_confirms_for_half_a_minute(&self) {
        let id = self.opened(json!({})).await;
        let sent = self.till.scan_for(&id, AtTheTill::MustConfirm).await;
        assert_eq!(sent.data()["status"], "WAIT", "{}", self.more);
        self.until_undone(&id).await;
        let asked = self.till.requests(self.dialect.query, &id);
        let count = asked.len();
        assert!(
            (4..=8).contains(&count),
            "every 5 s for 30 s, not {count} times"
        );
        assert!(pauses(&asked).iter().all(|pause| *pause >= 4), "{asked:?}");
        assert!(self.after_ms(&id).0 >= 29_000, "{}", self.more);
        assert_eq!(self.trade(&id).state, TradeState::Revoked);
    }

    async fn the_platform_wants_to_be_asked_again(&self) {
        let id = self.opened(hurried()).await;
        let busy = match self.dialect.reverse {
            Operation::V2Reverse => AnswerFault::Recall,
            _ => AnswerFault::SystemError { processed: false },
        };
        let twice = Misbehaviour::times(2, busy).for_operation(self.dialect.reverse);
        self.till.wechat.misbehave(twice.for_trade(&id));
        let sent = self.till.scan_for(&id, AtTheTill::MustConfirm).await;
        assert_eq!(sent.data()["status"], "WAIT", "{}", self.more);
        self.until_undone(&id).await;
        assert_eq!(self.trade(&id).state, TradeState::Revoked);
        let reversed = self.till.requests(self.dialect.reverse, &id);
        assert!(reversed.len() >= 3, "{}: {reversed:?}", self.more);
        assert!(
            pauses(&reversed).iter().all(|pause| *pause >= 4),
            "{reversed:?}"
        );
        let first_ms = self.after_ms(&id).0;
        assert!(
            first_ms >= 15_000,
            "WeChat Pay takes none within 15 s: {first_ms} ms"
        );
        let causes = self.till.shop.causes(&id).await;
        assert_eq!(
            causes.last().map(String::as_str),
            Some("reverse"),
            "{causes:?}"
        );
    }

    async fn it_was_paid_and_nobody_can_tell(&self) {
        let mut payment = hurried();
        payment["callback"] = json!(RECORD_SALE);
        let id = self.opened(payment).await;
        let down = Misbehaviour::always(AnswerFault::SystemError { processed: false });
        let down = down.for_operation(self.dialect.query).for_trade(&id);
        self.till.wechat.misbehave(down);
        let paid = AtTheTill::SystemError { pays: true };
        assert_eq!(self.till.scan_for(&id, paid).await.status, 502);
        let undone = self.until_undone(&id).await;
        assert_eq!(undone["apply_at"], 0, "{}", self.more);
        let trade = self.trade(&id);
        let back = (trade.state, trade.refunded_fen);
        assert_eq!(back, (TradeState::Revoked, 2300), "{}", self.more);
    }

    async fn the_order_never_arrived(&self) {
        let id = self.opened(hurried()).await;
        let lost = AtTheTill::SystemError { pays: false };
        assert_eq!(self.till.scan_for(&id, lost).await.status, 502);
        self.until_undone(&id).await;
        assert!(self.till.wechat.trade(&id).is_none(), "{}", self.more);
        let last_ms = self.after_ms(&id).1;
        assert!(
            last_ms >= 59_000,
            "the code was good for a minute: {last_ms} ms"
        );
    }

    async fn the_cashier_undoes_it_by_hand(&self) {
        let reverse = |id: &str| {
            let (shop, body) = (self.till.shop.clone(), json!({"id": id}));
            async move { shop.post("/pay/ajax/reverse", body).await.data() }
        };
        let id = self.opened(json!({})).await;
        self.till.scan_for(&id, AtTheTill::MustConfirm).await;
        let begun = reverse(&id).await;
        assert_eq!(begun["st"], "WAIT", "WeChat Pay takes it after 15 s");
        // The buyer confirms all the same: the money goes back.
        self.till.wechat.confirm(&id).unwrap();
        self.until_undone(&id).await;
        assert_eq!(self.trade(&id).state, TradeState::Revoked);
        assert_eq!(reverse(&id).await["st"], "FAIL", "{}", self.more);
    }

    /// The client's certificate is shown where v2 undoes, and nowhere else.
    fn assert_shown_for_undoing_alone(&self) {
        for request in self.till.wechat.requests() {
            let undoes_by_v2 = request.operation == Some(Operation::V2Reverse);
            assert_eq!(request.client_certificate, undoes_by_v2, "{request:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_by_itself_is_undone() {
    in_each_dialect(|more| async move {
        let counter = Counter {
            till: Till::open(more.clone()).await.recording().await,
            dialect: Dialect::of(&more),
            more,
        };
        tokio::join!(
            counter.nobody_confirms_for_half_a_minute(),
            counter.the_platform_wants_to_be_asked_again(),
            counter.it_was_paid_and_nobody_can_tell(),
            counter.the_order_never_arrived(),
            counter.the_cashier_undoes_it_by_hand(),
        );
        counter.assert_shown_for_undoing_alone();
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
