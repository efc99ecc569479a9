//! Customers do everything that a shop's customers do, all at once, while the host is killed at random moments and
//! started again. When it is over, what was answered is there, nothing went backwards, callbacks left their effects
//! once, and the platform's books agree with ours.
//!
//! `WALNUT_TEST_SEED` tells a story again as far as the machine's own timing allows, and `WALNUT_TEST_KILLS` makes it
//! longer:
//! `WALNUT_TEST_KILLS=500 cargo test --workspace --locked --test it -- storm`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use walnut_sandbox::alipay::{Alipay, Fen, TradeStatus};

use super::{assert_ordered_once, create};
use crate::world::{Moment, Shop, World};

const CUSTOMERS: u64 = 6;

/// Numbers that a seed gives (splitmix64).
struct Chance(u64);

impl Chance {
    /// From `WALNUT_TEST_SEED`, or from the clock.
    fn from_environment() -> Chance {
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            since.as_nanos() as u64
        };
        let seed = number("WALNUT_TEST_SEED").unwrap_or_else(now);
        println!("told again by WALNUT_TEST_SEED={seed}");
        Chance(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn number(variable: &str) -> Option<u64> {
    let given = std::env::var(variable).ok()?;
    Some(
        given
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={given} is no number")),
    )
}

/// What a customer did with a payment, as far as it was answered.
struct Done {
    id: String,
    ticket: String,
    deed: Deed,
}

enum Deed {
    /// Nothing more: it stays NEW.
    Left,
    /// It costs nothing.
    Free,
    /// Sent, and never paid.
    Sent { code: String },
    /// Sent and paid; of 100 fen so much was given back, in these refunds.
    Paid {
        code: String,
        refunds: Vec<(String, i64)>,
    },
    /// Scanned and closed, without being paid.
    Closed { code: String },
    /// Scanned, and closed while the buyer paid.
    Raced { code: String },
}

/// Somebody in front of a service that comes and goes.
struct Customer {
    number: u64,
    shop: Shop,
    alipay: Arc<Alipay>,
    chance: Chance,
    ends: Arc<AtomicBool>,
}

impl Customer {
    async fn shops(mut self) -> Vec<Done> {
        let mut done = Vec::new();
        while !self.ends.load(Ordering::Relaxed) {
            let key = format!("order-{}-{}", self.number, done.len());
            done.push(self.buys(&key).await);
        }
        done
    }

    async fn buys(&mut self, key: &str) -> Done {
        let kind = self.chance.below(20);
        let fee = if kind == 0 { 0 } else { 100 };
        let created = insist(key, || create(&self.shop, key, fee)).await;
        let id = created["id"].as_str().or(created["payObjId"].as_str());
        let id = id.unwrap().to_owned();
        let ticket = created["ticket"].as_str().unwrap().to_owned();
        let deed = match kind {
            0 => Deed::Free,
            1 => Deed::Left,
            _ => {
                let body = json!({ "id": id, "pay_tp": "zfb.qrcode" });
                let send = || {
                    self.shop
                        .request(Method::POST, "/pay/ajax/send")
                        .json(&body)
                };
                let sent = insist(key, send).await;
                let code = sent["data"].as_str().unwrap().to_owned();
                self.goes_on(kind, key, &id, code).await
            }
        };
        Done { id, ticket, deed }
    }

    async fn goes_on(&mut self, kind: u64, key: &str, id: &str, code: String) -> Deed {
        match kind {
            2 => Deed::Sent { code },
            3 | 4 => {
                self.alipay.scan(&code).await.unwrap();
                self.close(id).await;
                Deed::Closed { code }
            }
            5 | 6 => {
                self.alipay.scan(&code).await.unwrap();
                let paying = self.alipay.pay(&code);
                // Whichever comes first: a payment that is closed cannot be paid, and the other way round.
                let (_, _) = tokio::join!(self.close(id), paying);
                Deed::Raced { code }
            }
            _ => {
                self.alipay.pay(&code).await.unwrap();
                let mut refunds = Vec::new();
                if kind > 15 {
                    // Refunds are for what is known to be paid.
                    let is_paid = |payment: &Value| payment["st"] == "OK";
                    insist_or(key, || self.check(id), is_paid, None).await;
                    for part in 0..=self.chance.below(2) {
                        refunds.push(self.gives_back(id, &format!("{key}-{part}"), 30).await);
                    }
                }
                Deed::Paid { code, refunds }
            }
        }
    }

    fn check(&self, id: &str) -> RequestBuilder {
        self.shop
            .request(Method::GET, &format!("/pay/ajax/check?id={id}"))
    }

    async fn close(&self, id: &str) {
        let body = json!({ "id": id });
        let close = || {
            self.shop
                .request(Method::POST, "/pay/ajax/close")
                .json(&body)
        };
        insist_or("close", close, |_| true, Some("e.pay.close.paid")).await;
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
    insist_or(what, request, |_| true, None).await
}

/// The same until the answer is like this, or is this refusal.
async fn insist_or(
    what: &str,
    request: impl Fn() -> RequestBuilder,
    is: impl Fn(&Value) -> bool,
    refusal: Option<&str>,
) -> Value {
    // Somebody else is at it: the host itself, taking up what was begun before it was killed.
    const BUSY: [&str; 2] = ["e.pay.send.busy", "e.pay.busy"];
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
                if refusal == Some(code) {
                    return answer;
                }
                assert!(BUSY.contains(&code), "{what}: {answer}");
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} was never answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_at_random_loses_and_repeats_nothing() {
    let kills = number("WALNUT_TEST_KILLS").unwrap_or(20);
    let World {
        mut host,
        alipay,
        shop,
        ..
    } = World::scripted().await;
    let alipay = Arc::new(alipay);
    let ends = Arc::new(AtomicBool::new(false));
    let mut chance = Chance::from_environment();
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| {
            let customer = Customer {
                number,
                shop: shop.clone(),
                alipay: Arc::clone(&alipay),
                chance: Chance(chance.below(u64::MAX)),
                ends: Arc::clone(&ends),
            };
            tokio::spawn(customer.shops())
        })
        .collect();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(chance.below(400))).await;
        host = host.kill_and_restart().await;
    }
    ends.store(true, Ordering::Relaxed);
    let mut done = Vec::new();
    for customer in customers {
        done.extend(customer.await.unwrap());
    }
    let mut applied = 0;
    let mut deeds = BTreeMap::new();
    for payment in &done {
        let (name, ok) = settled(&shop, &alipay, payment).await;
        forward_only(&shop, &payment.id).await;
        *deeds.entry(name).or_insert(0) += 1;
        applied += u64::from(ok);
    }
    println!("{kills} kills, {} payments: {deeds:?}", done.len());

    let all = shop.get("/pay/ajax/query?pager=true&limit=1").await.data();
    assert_eq!(all["pager"]["total"], done.len(), "each created once");
    let moment = Moment::of(&host.data_root());
    assert_eq!(moment.kept("sold").unwrap_or("0"), applied.to_string());
    assert_eq!(
        moment.left.len() as u64,
        applied,
        "what is unpaid has no delivery"
    );
    for left in moment.left.values() {
        assert_eq!(
            (left.done, left.told, left.events),
            (true, 1, 1),
            "{left:?}"
        );
    }
}

/// Waits for the end of a payment's story and compares it with the platform's books. Its name, and whether it is OK.
async fn settled(shop: &Shop, alipay: &Alipay, done: &Done) -> (&'static str, bool) {
    let id = &done.id;
    let known = shop.with_key(&done.ticket).payment(id).await;
    assert_eq!(known["id"], *id, "what was answered exists");
    let code = match &done.deed {
        Deed::Left => {
            assert_eq!(known["st"], "NEW");
            assert!(alipay.trade(id).is_none(), "nobody ordered");
            return ("left", false);
        }
        Deed::Free => {
            assert_eq!(applied(shop, id).await["st"], "OK");
            return ("free", true);
        }
        Deed::Sent { code }
        | Deed::Paid { code, .. }
        | Deed::Closed { code }
        | Deed::Raced { code } => code,
    };
    assert_ordered_once(alipay, id);
    let trade = alipay.trade(id).unwrap();
    assert_eq!(trade.qr_code, *code);
    match &done.deed {
        Deed::Left | Deed::Free => unreachable!("handled above"),
        Deed::Sent { .. } => {
            assert_eq!(
                (&known["st"], &known["re_obj"]),
                (&json!("WAIT"), &json!(code))
            );
            ("sent", false)
        }
        Deed::Paid { refunds, .. } => {
            assert_eq!(applied(shop, id).await["st"], "OK");
            let back: i64 = refunds.iter().map(|(_, fee)| fee).sum();
            let given = shop
                .until(id, "given back", |payment| payment["refunded"] == back)
                .await;
            let numbers = |refund: &Value| refund["refund_no"].as_str().unwrap().to_owned();
            let ours: Vec<String> = given["refunds"]
                .as_array()
                .unwrap()
                .iter()
                .map(numbers)
                .collect();
            let answered: Vec<&String> = refunds.iter().map(|(number, _)| number).collect();
            assert_eq!(
                ours.iter().collect::<Vec<_>>(),
                answered,
                "each refund once"
            );
            let platforms: Vec<Fen> = trade.refunds.iter().map(|refund| refund.amount).collect();
            assert_eq!(
                platforms,
                vec![Fen::new(30); refunds.len()],
                "given back once"
            );
            ("paid", true)
        }
        Deed::Closed { .. } => {
            let closed = shop.until_state(id, "FAIL").await;
            assert_eq!(closed["fail_why"], "CLOSED");
            assert_eq!(trade.status, Some(TradeStatus::TradeClosed));
            ("closed", false)
        }
        Deed::Raced { .. } => {
            let paid = trade.status != Some(TradeStatus::TradeClosed);
            let state = if paid { "OK" } else { "FAIL" };
            shop.until_state(id, state).await;
            if paid {
                applied(shop, id).await;
            }
            (
                if paid {
                    "paid in a race"
                } else {
                    "closed in a race"
                },
                paid,
            )
        }
    }
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
async fn forward_only(shop: &Shop, id: &str) {
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
