//! What stories of reconciliation ask and read.

use serde_json::{Value, json};

use super::{PastDay, Shop};

impl Shop {
    /// The report of that day, of the shop's only target.
    pub(crate) async fn reconcile(&self, day: PastDay) -> Value {
        let body = json!({ "day": day.name() });
        let report = self.post("/pay/ajax/reconcile", body).await.data();
        report["targets"][0].clone()
    }

    /// Gives so much back, waits until it is, and tells the refund's number.
    pub(crate) async fn give_back(&self, id: &str, fee: u64) -> String {
        let body = json!({ "id": id, "fee": fee });
        let refund = self.post("/pay/ajax/refund", body).await.data();
        let given = |payment: &Value| payment["refunded"] == fee;
        self.until(id, "given back", given).await;
        refund["refund_no"].as_str().unwrap().to_owned()
    }
}

/// Of each difference in a report its kind and its trade number, in their order.
pub(crate) fn kinds(report: &Value) -> Vec<(&str, &str)> {
    let differences = report["differences"].as_array().unwrap();
    let mut kinds: Vec<_> = differences
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default();
            (text("kind"), text("trade_no"))
        })
        .collect();
    kinds.sort_unstable();
    kinds
}
