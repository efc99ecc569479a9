//! Somebody in front of a service that comes and goes: what they do, over all verbs and ways to pay, and what they were
//! answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use walnut_sandbox::alipay::Buyer;
use walnut_sandbox::wechat::AtTheTill;

use super::{Chance, Platforms, Stage};
use crate::crash::counting;
use crate::world::{SCRIPTED, Shop, order_at};

/// A way to pay on the buyer's own device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Alipay,
    WeChat,
    PayPal,
}

impl Way {
    pub(super) fn pay_tp(self) -> &'static str {
        match self {
            Way::Alipay => "zfb.qrcode",
            Way::WeChat => "wx.qrcode",
            Way::PayPal => "paypal.page",
        }
    }
}

/// A till that scans the buyer's code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Till {
    Alipay,
    WeChat,
}

/// What a customer did with a payment, as far as it was answered.
pub(super) struct Done {
    pub(super) id: String,
    pub(super) ticket: String,
    pub(super) deed: Deed,
}

impl Done {
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

pub(super) enum Deed {
    /// Nothing more: it stays NEW.
    Left,
    /// It costs nothing.
    Free,
    /// Sent, and never paid.
    Sent(Order),
    /// Sent and paid; of 100 so much was given back, in these refunds.
    Paid {
        order: Order,
        refunds: Vec<(String, i64)>,
    },
    /// The buyer came, and it was closed without being paid.
    Closed(Order),
    /// The buyer came, and it was closed while they paid.
    Raced(Order),
    /// The buyer's code was scanned, and the buyer confirmed.
    AtTill(Till),
    /// The same, and the till undid it.
    Undone(Till),
    /// The same, and the till undid it while the buyer confirmed.
    UndoneInRace(Till),
    /// Sent one way, then another, and paid by that.
    Switched { first: Order, second: Order },
}

/// What a buyer is shown of a payment that was sent.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) way: Way,
    /// A code, a link, or PayPal's number of the order.
    pub(super) shown: String,
}

/// Somebody in front of a service that comes and goes.
pub(super) struct Customer {
    number: u64,
    shop: Shop,
    platforms: Arc<Platforms>,
    chance: Chance,
    ends: Arc<AtomicBool>,
}

impl Customer {
    pub(super) fn new(
        number: u64,
        stage: &Stage,
        chance: Chance,
        ends: &Arc<AtomicBool>,
    ) -> Customer {
        Customer {
            number,
            shop: stage.shop.clone(),
            platforms: Arc::clone(&stage.platforms),
            chance,
            ends: Arc::clone(ends),
        }
    }

    pub(super) async fn shops(mut self) -> Vec<Done> {
        let mut done = Vec::new();
        while !self.ends.load(Ordering::Relaxed) {
            let key = format!("order-{}-{}", self.number, done.len());
            done.push(self.buys(&key).await);
        }
        done
    }

    async fn buys(&mut self, key: &str) -> Done {
        let kind = self.chance.below(24);
        let way = match self.chance.below(3) {
            0 => Way::Alipay,
            1 => Way::WeChat,
            _ => Way::PayPal,
        };
        // What is closed and switched is so at platforms that close.
        let closing = match self.chance.below(2) {
            0 => Way::Alipay,
            _ => Way::WeChat,
        };
        let till = match closing {
            Way::Alipay => Till::Alipay,
            _ => Till::WeChat,
        };
        let way = match kind {
            3..=6 | 11..=12 => closing,
            _ => way,
        };
        let dollars = way == Way::PayPal && !(7..=10).contains(&kind);
        let body = json!({
            "brief": "茶", "fee": if kind == 0 { 0 } else { 100 }, "cur": if dollars { "USD" } else { "RMB" },
            "callback": SCRIPTED, "script": counting(),
        });
        let create = || {
            let request = self.shop.request(Method::POST, "/pay/ajax/create");
            request.header("Idempotency-Key", key).json(&body)
        };
        let created = insist(key, create).await;
        let id = created["id"].as_str().or(created["payObjId"].as_str());
        let id = id.unwrap().to_owned();
        let deed = match kind {
            0 => Deed::Free,
            1 => Deed::Left,
            2 => Deed::Sent(self.sends(key, &id, way).await),
            3 | 4 => {
                let order = self.sends(key, &id, way).await;
                self.comes(&order).await;
                self.closes(&id).await;
                Deed::Closed(order)
            }
            5 | 6 => {
                let order = self.sends(key, &id, way).await;
                self.comes(&order).await;
                // Whichever comes first: a payment that is closed cannot be paid, and the other way round.
                tokio::join!(self.closes(&id), self.tries_to_pay(&order));
                Deed::Raced(order)
            }
            7 | 8 => {
                self.scanned(key, &id, till).await;
                self.confirms(&id, till);
                Deed::AtTill(till)
            }
            9 => {
                self.scanned(key, &id, till).await;
                self.undoes(&id).await;
                Deed::Undone(till)
            }
            10 => {
                self.scanned(key, &id, till).await;
                tokio::join!(self.undoes(&id), async { self.confirms(&id, till) });
                Deed::UndoneInRace(till)
            }
            11 | 12 => {
                let first = self.sends(key, &id, way).await;
                self.comes(&first).await;
                let other = match way {
                    Way::Alipay => Way::WeChat,
                    _ => Way::Alipay,
                };
                let second = self.sends(key, &id, other).await;
                self.tries_to_pay(&second).await;
                Deed::Switched { first, second }
            }
            _ => {
                let order = self.sends(key, &id, way).await;
                self.tries_to_pay(&order).await;
                let mut refunds = Vec::new();
                if kind > 18 {
                    // Refunds are for what is known to be paid.
                    let is_paid = |payment: &Value| payment["st"] == "OK";
                    insist_or(key, || self.check(&id), is_paid, &[]).await;
                    for part in 0..=self.chance.below(2) {
                        refunds.push(self.gives_back(&id, &format!("{key}-{part}"), 30).await);
                    }
                }
                Deed::Paid { order, refunds }
            }
        };
        Done {
            id,
            ticket: created["ticket"].as_str().unwrap().to_owned(),
            deed,
        }
    }

    async fn sends(&self, key: &str, id: &str, way: Way) -> Order {
        let body = json!({ "id": id, "pay_tp": way.pay_tp() });
        let send = || {
            let request = self.shop.request(Method::POST, "/pay/ajax/send");
            request.json(&body)
        };
        let is_shown = |sent: &Value| sent["data"].is_string();
        let sent = insist_or(key, send, is_shown, &[]).await;
        let shown = match way {
            Way::PayPal => order_at(&sent["data"]),
            Way::Alipay | Way::WeChat => sent["data"].as_str().unwrap().to_owned(),
        };
        Order { way, shown }
    }

    /// The buyer comes, and does not pay yet.
    async fn comes(&self, order: &Order) {
        match order.way {
            Way::Alipay => drop(self.platforms.alipay.scan(&order.shown).await.unwrap()),
            Way::WeChat => drop(self.platforms.wechat.scan(&order.shown).await.unwrap()),
            Way::PayPal => {}
        }
    }

    /// The buyer pays, where the platform still lets them.
    async fn tries_to_pay(&self, order: &Order) {
        let shown = &order.shown;
        match order.way {
            Way::Alipay => drop(self.platforms.alipay.pay(shown).await),
            Way::WeChat => drop(self.platforms.wechat.pay(shown).await),
            Way::PayPal => drop(self.platforms.paypal.approve(shown).await),
        }
    }

    /// The till scans the code of a buyer who will be asked for the password. What came of it the platform knows: an
    /// order whose answer was lost is never sent again.
    async fn scanned(&self, key: &str, id: &str, till: Till) {
        let (pay_tp, code) = match till {
            Till::Alipay => ("zfb.scan", self.platforms.alipay.show_code(Buyer::IsAsked)),
            Till::WeChat => (
                "wx.scan",
                self.platforms.wechat.show_code(AtTheTill::MustConfirm),
            ),
        };
        let body = json!({ "id": id, "pay_tp": pay_tp, "args": [code] });
        let send = || {
            let request = self.shop.request(Method::POST, "/pay/ajax/send");
            request.json(&body)
        };
        insist(key, send).await;
    }

    /// The buyer confirms, where the order reached the platform and is still open.
    fn confirms(&self, id: &str, till: Till) {
        match till {
            Till::Alipay => drop(self.platforms.alipay.confirm(id)),
            Till::WeChat => drop(self.platforms.wechat.confirm(id)),
        }
    }

    fn check(&self, id: &str) -> RequestBuilder {
        self.shop
            .request(Method::GET, &format!("/pay/ajax/check?id={id}"))
    }

    async fn closes(&self, id: &str) {
        self.ends("close", id, &["e.pay.close.paid"]).await;
    }

    async fn undoes(&self, id: &str) {
        let over = ["e.pay.close.paid", "e.pay.reverse.unavailable"];
        self.ends("reverse", id, &over).await;
    }

    async fn ends(&self, verb: &str, id: &str, over: &[&str]) {
        let (path, body) = (format!("/pay/ajax/{verb}"), json!({ "id": id }));
        let end = || self.shop.request(Method::POST, &path).json(&body);
        insist_or(verb, end, |_| true, over).await;
    }

    /// The refund's number, and how much it is.
    async fn gives_back(&self, id: &str, key: &str, fee: i64) -> (String, i64) {
        let body = json!({ "id": id, "fee": fee });
        let refund = || {
            let request = self.shop.request(Method::POST, "/pay/ajax/refund");
            request.header("Idempotency-Key", key).json(&body)
        };
        let made = insist(key, refund).await;
        (made["refund_no"].as_str().unwrap().to_owned(), fee)
    }
}

/// Asks until there is an answer that says `ok`, as a shop does whose payment service comes and goes.
async fn insist(what: &str, request: impl Fn() -> RequestBuilder) -> Value {
    insist_or(what, request, |_| true, &[]).await
}

/// The same until the answer is like this, or is one of these refusals.
async fn insist_or(
    what: &str,
    request: impl Fn() -> RequestBuilder,
    is: impl Fn(&Value) -> bool,
    refusals: &[&str],
) -> Value {
    // Somebody else is at it: the host itself, taking up what was begun before it was killed, such as the end of an
    // earlier attempt.
    const BUSY: [&str; 3] = ["e.pay.send.busy", "e.pay.busy", "e.pay.send.switch"];
    let mut last = Value::Null;
    for _ in 0..12_000 {
        if let Ok(response) = request().send().await
            && let Ok(answer) = response.json::<Value>().await
        {
            if answer["ok"] == true {
                if is(&answer["data"]) {
                    return answer["data"].clone();
                }
            } else {
                let code = answer["errCode"].as_str().unwrap_or_default();
                if refusals.contains(&code) {
                    return answer;
                }
                assert!(BUSY.contains(&code), "{what}: {answer}");
            }
            last = answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} was never answered: {last}");
}
