//! The ways to pay at the simulated Alipay, so that one story can be told of each.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Alipay, Buyer, Misbehaviour, NotificationFault};

use super::World;

/// A way to pay by Alipay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AlipayWay {
    /// `zfb.qrcode`: the buyer scans a code.
    Code,
    /// `zfb.page`: the buyer opens a page.
    Page,
    /// `zfb.wap`: the buyer opens a page on a phone.
    Phone,
    /// `zfb.scan`: the till scans the buyer's code, and the phone asks for the password.
    Till,
}

impl AlipayWay {
    pub(crate) const ALL: [AlipayWay; 4] = [
        AlipayWay::Code,
        AlipayWay::Page,
        AlipayWay::Phone,
        AlipayWay::Till,
    ];

    /// Those of the buyer's own device, which wait for the buyer to come.
    pub(crate) const ON_A_DEVICE: [AlipayWay; 3] =
        [AlipayWay::Code, AlipayWay::Page, AlipayWay::Phone];

    pub(crate) fn pay_tp(self) -> &'static str {
        match self {
            AlipayWay::Code => "zfb.qrcode",
            AlipayWay::Page => "zfb.page",
            AlipayWay::Phone => "zfb.wap",
            AlipayWay::Till => "zfb.scan",
        }
    }
}

/// A payment that was sent and waits for its buyer.
#[derive(Clone)]
pub(crate) struct AlipayOrder {
    pub(crate) id: String,
    pub(crate) way: AlipayWay,
    /// What the buyer is shown; null at the till.
    pub(crate) shown: Value,
}

impl AlipayOrder {
    /// What the buyer's app or browser came to by what is shown.
    async fn reached(&self, alipay: &Alipay) -> String {
        let shown = self.shown.as_str().unwrap();
        match self.way {
            AlipayWay::Page | AlipayWay::Phone => alipay.open_page(shown).await.unwrap(),
            AlipayWay::Code | AlipayWay::Till => shown.to_owned(),
        }
    }

    /// The buyer comes, and does not pay yet.
    pub(crate) async fn come(&self, alipay: &Alipay) {
        if self.way != AlipayWay::Till {
            let reached = self.reached(alipay).await;
            alipay.scan(&reached).await.unwrap();
        }
    }

    /// The buyer pays.
    pub(crate) async fn pay(&self, alipay: &Alipay) {
        if self.way == AlipayWay::Till {
            alipay.confirm(&self.id).unwrap();
        } else {
            let reached = self.reached(alipay).await;
            alipay.pay(&reached).await.unwrap();
        }
    }
}

impl World {
    /// Sends a payment of 23.00 yuan with these fields this way.
    pub(crate) async fn order(&self, way: AlipayWay, more: Value) -> AlipayOrder {
        let id = self.shop.create(more).await;
        let args = match way {
            AlipayWay::Till => vec![self.alipay.show_code(Buyer::IsAsked)],
            _ => Vec::new(),
        };
        let body = json!({ "id": id, "pay_tp": way.pay_tp(), "args": args });
        let sent = self.shop.post("/pay/ajax/send", body).await.data();
        assert_eq!(sent["status"], "WAIT", "{way:?}: {sent}");
        let shown = sent["data"].clone();
        AlipayOrder { id, way, shown }
    }

    /// The buyer comes, and does not pay yet.
    pub(crate) async fn come(&self, order: &AlipayOrder) {
        order.come(&self.alipay).await;
    }

    /// The buyer pays.
    pub(crate) async fn pay(&self, order: &AlipayOrder) {
        order.pay(&self.alipay).await;
    }

    /// A payment with these fields that was paid this way.
    pub(crate) async fn paid(&self, way: AlipayWay, more: Value) -> String {
        let order = self.order(way, more).await;
        self.pay(&order).await;
        self.shop.until_state(&order.id, "OK").await;
        order.id
    }

    /// No notification of this trade arrives any more.
    pub(crate) fn lose_notifications(&self, id: &str) {
        let lost = Misbehaviour::always(NotificationFault::Lost);
        self.alipay.misbehave(lost.for_trade(id));
    }

    /// How many requests for this operation there were about this trade.
    pub(crate) fn asked(&self, operation: &str, id: &str) -> usize {
        let requests = self.alipay.requests();
        let about = requests.iter().filter(|request| {
            request.operation.as_deref() == Some(operation)
                && request.out_trade_no.as_deref() == Some(id)
        });
        about.count()
    }
}
