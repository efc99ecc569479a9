//! The books of a shop that takes every pay type: reconciled, and with what went back at WeChat Pay's own console.

use serde_json::{Value, json};
use walnut_sandbox::wechat::{AnswerFault, AtTheTill, Misbehaviour, Notice, Operation};

use crate::world::{ON_A_DEVICE, PastDay, Till};

impl Till {
    /// Everything that happened with these payments happened on that day.
    async fn age(mut self, day: PastDay, ids: &[String]) -> Till {
        let killed = self.host.kill().await;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for id in &ids {
            self.wechat.age(id, day.ago()).unwrap();
        }
        day.age_store(&killed, &ids);
        self.host = killed.restart().await;
        self
    }

    async fn charged(&self, then: AtTheTill) -> String {
        let code = self.wechat.show_code(then);
        let id = self.shop.create(json!({})).await;
        let body = json!({"id": id, "pay_tp": "wx.scan", "args": [code]});
        self.shop.post("/pay/ajax/send", body).await;
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_every_pay_type_agrees() {
    for more in [json!({}), json!({"scan_api": "v3"})] {
        let till = Till::refunding(more).await;
        let mut paid = Vec::new();
        for pay_tp in ON_A_DEVICE {
            paid.push(till.paid(pay_tp, json!({})).await);
        }
        let at_the_till = till.charged(AtTheTill::Pays).await;
        till.shop.until_state(&at_the_till, "OK").await;
        paid.push(at_the_till);
        for (id, fee) in paid.iter().zip([500, 2300, 1, 700, 2299]) {
            till.shop.give_back(id, fee).await;
        }
        // One that nobody confirmed has no line, one that was paid and undone has two.
        let unpaid = till.charged(AtTheTill::MustConfirm).await;
        let undone = till.charged(AtTheTill::MustConfirm).await;
        for id in [&unpaid, &undone] {
            till.shop.post("/pay/ajax/reverse", json!({"id": id})).await;
        }
        till.wechat.confirm(&undone).unwrap();
        for id in [&unpaid, &undone] {
            let ended = till.shop.until_state(id, "FAIL").await;
            assert_eq!(ended["fail_why"], "REVERSED");
        }
        paid.extend([unpaid, undone]);

        let day = PastDay::yesterday();
        let till = till.age(day, &paid).await;
        let report = till.shop.reconcile(day).await;
        assert_eq!(report["status"], "compared", "{report:#}");
        assert_eq!(report["differences"], json!([]), "{report:#}");
        assert_eq!(
            (&report["rows"], &report["agreed"]),
            (&json!(12), &json!(6)),
            "{report:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_with_another_hash_than_was_told_is_not_compared() {
    let till = Till::open(json!({})).await;
    let id = till.paid("wx.qrcode", json!({})).await;
    let day = PastDay::yesterday();
    let till = till.age(day, &[id]).await;
    let other = AnswerFault::other("hash_value", "79bb0f45fc4c42234a918000b2668d689e2bde04");
    let once = Misbehaviour::once(other).for_operation(Operation::TradeBill);
    till.wechat.misbehave(once);
    let report = till.shop.reconcile(day).await;
    assert_eq!(report["status"], "failed");
    assert!(report["error"].to_string().contains("SHA-1"), "{report:#}");
    assert_eq!(till.shop.reconcile(day).await["agreed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_at_the_console_is_recorded_when_it_is_notified() {
    let till = Till::refunding(json!({})).await;
    for pay_tp in ON_A_DEVICE {
        let id = till.paid(pay_tp, json!({})).await;
        let number = till.wechat.refund(&id, 300).unwrap();
        let address = format!("{}/pay/re/{id}", till.host.url());
        let forged = Notice::forged().to(&address);
        let forged = till.wechat.notify_refund(&number, &forged).await.unwrap();
        assert_eq!(forged.http_status, Some(500));
        assert_eq!(till.shop.payment(&id).await["refunded"], 0);
        // It says the same however often it comes.
        for _ in 0..2 {
            let genuine = Notice::genuine().to(&address);
            let sent = till.wechat.notify_refund(&number, &genuine).await;
            assert!(sent.unwrap().taken);
            let payment = till.shop.payment(&id).await;
            assert_eq!(
                (&payment["st"], &payment["refunded"]),
                (&json!("OK"), &json!(300))
            );
            assert_eq!(payment["wx"]["refunds_outside"][&id][&number], 300);
        }
        let lines = till.shop.history(&id).await;
        let told = lines
            .iter()
            .filter(|line| line["detail"]["refunded"] == 300);
        assert_eq!(told.count(), 1, "{lines:?}");
        // What is left is the shop's to give back, and no more.
        let much = till
            .shop
            .post("/pay/ajax/refund", json!({"id": id, "fee": 2001}))
            .await;
        assert_eq!(much.refusal(), (422, "e.pay.refund.tooMuch".to_owned()));
        let rest = till
            .shop
            .post("/pay/ajax/refund", json!({"id": id}))
            .await
            .data();
        assert_eq!(rest["fee"], 2000);
        let back = |payment: &Value| payment["refunded"] == 2300;
        till.shop.until(&id, "given back", back).await;
    }
}
