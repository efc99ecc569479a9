//! What has to be true of each payment when the storm is over: its own end, and the platform's books.

use serde_json::{Value, json};
use walnut_sandbox::alipay::TradeStatus;
use walnut_sandbox::paypal::CaptureStatus;
use walnut_sandbox::wechat::TradeState;

use super::customer::{Deed, Done, Order, Till, Way};
use super::{Platforms, Stage};
use crate::crash::assert_ordered_once;
use crate::world::Shop;

/// What a platform's book says of a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Booked {
    /// Nobody ordered.
    Nothing,
    /// It may be paid.
    Open,
    /// Paid, with what was given back.
    Paid(Vec<i64>),
    /// Over without money.
    Closed,
}

impl Platforms {
    /// What the book says of our number at the platform of this way.
    fn booked(&self, way: Way, number: &str) -> Booked {
        match way {
            Way::Alipay => self.booked_at_alipay(number),
            Way::WeChat => self.booked_at_wechat(number),
            Way::PayPal => self.booked_at_paypal(number),
        }
    }

    fn booked_at_alipay(&self, number: &str) -> Booked {
        let Some(trade) = self.alipay.trade(number) else {
            return Booked::Nothing;
        };
        match trade.status {
            None | Some(TradeStatus::WaitBuyerPay) => Booked::Open,
            Some(TradeStatus::TradeClosed) => Booked::Closed,
            Some(_) => {
                let back = trade.refunds.iter();
                Booked::Paid(back.map(|refund| refund.amount.get() as i64).collect())
            }
        }
    }

    fn booked_at_wechat(&self, number: &str) -> Booked {
        let Some(trade) = self.wechat.trade(number) else {
            return Booked::Nothing;
        };
        match trade.state {
            TradeState::Notpay | TradeState::Userpaying => Booked::Open,
            TradeState::Closed | TradeState::Revoked | TradeState::Payerror => Booked::Closed,
            TradeState::Success | TradeState::Refund => {
                let back = trade.refunds.iter();
                Booked::Paid(back.map(|refund| refund.fee_fen as i64).collect())
            }
        }
    }

    fn booked_at_paypal(&self, number: &str) -> Booked {
        let Some(order) = self.paypal.order(number) else {
            return Booked::Nothing;
        };
        let own = self.paypal.orders().into_iter();
        let own = own.filter(|order| order.custom_id.as_deref() == Some(number));
        assert_eq!(own.count(), 1, "ordered once");
        let Some(capture) = order.capture else {
            return Booked::Open;
        };
        assert_ne!(capture.status, CaptureStatus::Declined);
        let back = order.refunds.iter();
        Booked::Paid(back.map(|refund| refund.amount.minor() as i64).collect())
    }
}

/// Waits for the end of a payment's story and compares it with the platform's books. Its name, and whether it is OK.
pub(super) async fn settled(stage: &Stage, done: &Done) -> (String, bool) {
    let (shop, id) = (&stage.shop, &done.id);
    let known = shop.with_key(&done.ticket).payment(id).await;
    assert_eq!(known["id"], *id, "what was answered exists");
    let books = &stage.platforms;
    match &done.deed {
        Deed::Left => {
            assert_eq!(known["st"], "NEW");
            for way in [Way::Alipay, Way::WeChat, Way::PayPal] {
                assert_eq!(books.booked(way, id), Booked::Nothing, "nobody ordered");
            }
            ("left".to_owned(), false)
        }
        Deed::Free => {
            assert_eq!(applied(shop, id).await["st"], "OK");
            ("free".to_owned(), true)
        }
        Deed::Sent(order) => {
            assert_eq!(known["st"], "WAIT");
            let shown = known["re_obj"].as_str().unwrap();
            assert!(shown.ends_with(&order.shown), "{shown} {}", order.shown);
            assert_eq!(ordered(stage, order, id), Booked::Open);
            (format!("sent by {:?}", order.way), false)
        }
        Deed::Paid { order, refunds } => {
            assert_eq!(applied(shop, id).await["st"], "OK");
            given_back(stage, id, refunds).await;
            let back: Vec<i64> = refunds.iter().map(|(_, fee)| *fee).collect();
            assert_eq!(ordered(stage, order, id), Booked::Paid(back), "once");
            let back = if refunds.is_empty() {
                ""
            } else {
                " and given back in part"
            };
            (format!("paid by {:?}{back}", order.way), true)
        }
        Deed::Closed(order) => {
            let closed = shop.until_state(id, "FAIL").await;
            assert_eq!(closed["fail_why"], "CLOSED");
            assert_eq!(ordered(stage, order, id), Booked::Closed);
            (format!("closed at {:?}", order.way), false)
        }
        Deed::Raced(order) => {
            let ok = ended(shop, id).await;
            assert_eq!(ordered(stage, order, id), money(ok));
            (told("race to close at", order.way, ok), ok)
        }
        Deed::AtTill(till) => {
            let ok = ended_at_till(shop, id).await;
            agrees_at_till(books, *till, id, ok);
            (told("at the till of", till, ok), ok)
        }
        Deed::Undone(till) => {
            let undone = shop.until_state(id, "FAIL").await;
            assert_eq!(undone["fail_why"], "REVERSED");
            agrees_at_till(books, *till, id, false);
            (told("undone at the till of", till, false), false)
        }
        Deed::UndoneInRace(till) => {
            let ok = ended_at_till(shop, id).await;
            agrees_at_till(books, *till, id, ok);
            (told("race to undo at the till of", till, ok), ok)
        }
        Deed::Switched { first, second } => {
            assert_eq!(applied(shop, id).await["st"], "OK");
            assert_eq!(ordered(stage, first, id), Booked::Closed);
            let payment = shop.payment(id).await;
            assert_eq!(payment["pay_tp"], second.way.pay_tp());
            let attempts = payment["attempts"].as_array().unwrap();
            let number = attempts.last().unwrap()["trade_no"].as_str().unwrap();
            assert_ne!(number, id);
            assert_eq!(books.booked(second.way, number), money(true));
            assert!(
                attempts.len() == 2,
                "one attempt of each: {}",
                payment["attempts"]
            );
            (format!("switched to {:?}", second.way), true)
        }
    }
}

fn told(what: &str, whose: impl std::fmt::Debug, ok: bool) -> String {
    format!("{what} {whose:?}: {}", if ok { "paid" } else { "not paid" })
}

fn money(ok: bool) -> Booked {
    if ok {
        Booked::Paid(Vec::new())
    } else {
        Booked::Closed
    }
}

/// What the book says of an order that was made in one form of words, however often it was sent.
fn ordered(stage: &Stage, order: &Order, number: &str) -> Booked {
    if order.way == Way::Alipay {
        let alipay = &stage.platforms.alipay;
        assert_ordered_once(alipay, number);
        assert_eq!(alipay.trade(number).unwrap().qr_code, order.shown);
    }
    stage.platforms.booked(order.way, number)
}

/// At the till an order may never have reached the platform; then nobody pays.
fn agrees_at_till(books: &Platforms, till: Till, id: &str, ok: bool) {
    let way = match till {
        Till::Alipay => Way::Alipay,
        Till::WeChat => Way::WeChat,
    };
    let booked = books.booked(way, id);
    let agrees = booked == money(ok) || (!ok && booked == Booked::Nothing);
    assert!(agrees, "{id} at {till:?} is OK: {ok}, and {booked:?}");
}

/// Waits until the payment is over. Whether it is OK.
async fn ended(shop: &Shop, id: &str) -> bool {
    let over = |payment: &Value| payment["st"] == "OK" || payment["st"] == "FAIL";
    let ended = shop.until(id, "over", over).await;
    assert_eq!(ended["held"], Value::Null, "{ended}");
    is_ok(shop, id, &ended).await
}

/// The same of a payment that may have been undone after the buyer confirmed: of the time in between a notification may
/// come late, genuine and of no use any more, and a person is asked to look at it.
async fn ended_at_till(shop: &Shop, id: &str) -> bool {
    let over = |payment: &Value| payment["st"] == "OK" || payment["st"] == "FAIL";
    let ended = shop.until(id, "over", over).await;
    if ended["held"].is_object() {
        assert_eq!(ended["fail_why"], "REVERSED", "{ended}");
    }
    is_ok(shop, id, &ended).await
}

async fn is_ok(shop: &Shop, id: &str, ended: &Value) -> bool {
    let ok = ended["st"] == "OK";
    if ok {
        applied(shop, id).await;
    }
    ok
}

/// Each refund was made once, under its number.
async fn given_back(stage: &Stage, id: &str, refunds: &[(String, i64)]) {
    let back: i64 = refunds.iter().map(|(_, fee)| fee).sum();
    let all = |payment: &Value| payment["refunded"] == back;
    let given = stage.shop.until(id, "given back", all).await;
    let ours: Vec<&Value> = given["refunds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refund| &refund["refund_no"])
        .collect();
    let answered: Vec<Value> = refunds.iter().map(|(number, _)| json!(number)).collect();
    assert_eq!(
        ours,
        answered.iter().collect::<Vec<_>>(),
        "each refund once"
    );
}

/// Waits until the callback was applied. A try that the host's end interrupted is counted, and the next one waits the
/// longer the more there were: whoever asks for it has it at once.
async fn applied(shop: &Shop, id: &str) -> Value {
    shop.until_state(id, "OK").await;
    let delivery = shop.delivery(id).await;
    if delivery["state"] == "WAITING" || delivery["state"] == "DEAD" {
        let body = json!({ "key": delivery["key"] });
        // It may have begun meanwhile.
        let _ = shop.post("/pay/ajax/replay", body).await;
    }
    shop.until_applied(id).await
}

/// No state went backwards.
pub(super) async fn forward_only(shop: &Shop, id: &str) {
    let mut state = "NEW".to_owned();
    for line in shop.history(id).await {
        let (from, to) = (line["from"].as_str(), line["to"].as_str().unwrap());
        assert!(from.is_none_or(|from| from == state), "{line}");
        let allowed = match state.as_str() {
            "NEW" => ["NEW", "WAIT", "OK", "FAIL"].contains(&to),
            "WAIT" => ["WAIT", "OK", "FAIL"].contains(&to),
            // Money that came late.
            "FAIL" => ["FAIL", "OK"].contains(&to),
            "OK" => to == "OK",
            _ => false,
        };
        assert!(allowed, "from {state} to {to}: {line}");
        state = to.to_owned();
    }
    assert_eq!(shop.payment(id).await["st"], *state, "the history tells it");
}
