//! `wx.scan` in all its dialects: the buyer's code is scanned, nobody notifies, and what is not answered is asked about.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{AtTheTill, Operation};

use crate::world::{Answer, RECORD_SALE, Till, at_once, dialects};

/// What a dialect's requests are.
pub(super) struct Dialect {
    pub(super) order: Operation,
    pub(super) query: Operation,
    pub(super) reverse: Operation,
}

impl Dialect {
    /// By the settings of a target.
    pub(super) fn of(more: &Value) -> Dialect {
        match more["scan_api"].as_str() {
            Some("v3") => Dialect {
                order: Operation::Codepay,
                query: Operation::Query,
                reverse: Operation::Reverse,
            },
            _ => Dialect {
                order: Operation::V2Micropay,
                query: Operation::V2OrderQuery,
                reverse: Operation::V2Reverse,
            },
        }
    }
}

impl Till {
    /// A payment with these fields, at the till of a buyer who does this; with the answer that the cashier gets.
    pub(super) async fn scanned(&self, more: Value, then: AtTheTill) -> (String, Answer) {
        let id = self.shop.create(more).await;
        let answer = self.scan_for(&id, then).await;
        (id, answer)
    }

    pub(super) async fn scan_for(&self, id: &str, then: AtTheTill) -> Answer {
        let code = self.wechat.show_code(then);
        let body = json!({"id": id, "pay_tp": "wx.scan", "args": [code]});
        self.shop.post("/pay/ajax/send", body).await
    }
}

/// Tells a story in each dialect, side by side: most of it is waiting.
pub(super) async fn in_each_dialect<F>(story: fn(Value) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    at_once(dialects().len(), |at| story(dialects()[at].clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_has_to_confirm_is_waited_for() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await.recording().await;
        let callback = json!({"callback": RECORD_SALE});
        let (id, sent) = till.scanned(callback, AtTheTill::MustConfirm).await;
        assert_eq!(sent.data()["status"], "WAIT", "{more}");
        // The cashier scans another code: there is one payment.
        let again = till.scan_for(&id, AtTheTill::Pays).await;
        assert_eq!(again.data()["status"], "WAIT", "{more}");
        till.wechat.confirm(&id).unwrap();
        let applied = till.shop.until_applied(&id).await;
        assert_eq!(applied["st"], "OK", "{more}");
        let causes = till.shop.causes(&id).await;
        let expected = ["create", "send", "sent", "check", "apply"];
        assert_eq!(causes, expected, "{more}");
        assert_eq!(till.wechat.notifications().len(), 0, "nobody notifies");
        let dialect = Dialect::of(&more);
        assert_eq!(till.requests(dialect.order, &id).len(), 1, "{more}");
        assert_eq!(till.requests(dialect.reverse, &id).len(), 0, "{more}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_behind_a_lost_answer_is_found() {
    in_each_dialect(|more| async move {
        let till = Till::open(more.clone()).await;
        let mut paid = Vec::new();
        for then in [
            AtTheTill::SystemError { pays: true },
            AtTheTill::BankError { pays: true },
        ] {
            let (id, sent) = till.scanned(json!({}), then).await;
            let unknown = (502, "e.pay.send.unknown".to_owned());
            assert_eq!(sent.refusal(), unknown, "{more}");
            paid.push(id);
        }
        for id in paid {
            till.shop.until_state(&id, "OK").await;
            let ordered = till.requests(Dialect::of(&more).order, &id);
            assert_eq!(ordered.len(), 1, "{more}: charged once");
        }
    })
    .await;
}
