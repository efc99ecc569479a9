//! A provider that lies, for tests: the attempt's meta says how (`lie`) and in which call
//! (`lie_at`: `send`, `check`, `complete`, `close` or `refund`; `check` when it is missing). In every other
//! call, and without a lie, it is the provider for Alipay.
//!
//! | `lie` | what it tries |
//! |---|---|
//! | `other-trade` | asks about the trade in meta's `other`, and claims the answer as its own |
//! | `by-number` | the same by the platform's number of it, meta's `other_number` |
//! | `refund-own`, `refund-other` | gives back what was paid for the trade, or for meta's `other` |
//! | `template-line`, `template-set`, `template-more`, `template-other` | has another text signed than the manifest's |
//! | `plant` | has what it received kept as the platform's certificate |
//! | `secrets` | reads what is secret, or another domain's, from the settings |
//! | `broken` | says something in several lines, with commands to a terminal |
//! | `leak` | tells all that it was told (in `send`) |
//! | `script-link` | shows the buyer a link that runs (in `send`) |
//! | `cheap` | orders the trade for 0.01 (in `send`) |
//! | `order-as-query` | claims the answer to its order as one to a query (in `send`) |
//! | `unknown-claim` | a right statement under a claim that the manifest has not |
//! | `other-claim` | a right statement under the manifest's other claim |
//! | `as-refund` | a right statement as one about a refund |
//! | `declined-query` | claims the answer to a query as a refusal of the buyer |
//! | `declined-other` | charges the buyer whose code is meta's `code` for a trade of its own, and claims the refusal as the attempt's |
//! | `wrong-scheme` | has a message verified by the other scheme, and by that for requests |
//! | `unsigned` | claims the answer to a request that the host did not sign |
//! | `set-app-id`, `set-sign` | gives fields that are the host's |
//! | `two-operations` | names the operation twice |
//! | `reach-host`, `reach-path`, `reach-port`, `reach-plain`, `reach-user`, `reach-method`, `reach-operation` | sends what is not granted |
//! | `secret` | reads the private key from the settings |
//! | `trap`, `panic`, `loop`, `recurse`, `memory` | goes mad |
//! | `giant`, `giant-notes`, `giant-fault` | gives back more than is allowed |
//! | `closed` | says that it closed the trade, and never asked for it (in `close`) |
//! | `ignored` | says that a notification has nothing to do with payments, and looks at nothing (in `complete`) |
//! | `flood-log`, `flood-calls`, `flood-http`, `hoard` | uses the host up |
//!
//! Of a notification to the bare address it says that it is about the trade in the header `x-lie-trade`.
//!
//! When the host refuses what a lie needs, the call ends with [`Fault::Unverified`] and the host's
//! words.

mod madness;
mod requests;
mod tricks;

use serde_json::Value;
use walnut_provider_zfb::{NOTIFICATION, Order, QUERY, Zfb, call};
use walnut_sdk::http::Request;
use walnut_sdk::{
    Attempt, Currency, Fault, Hint, Message, Money, Outcome, Presentation, Provider, RefundOrder,
    Sent, Statement, settings, trust, warn,
};

/// The provider `liar`.
pub struct Liar;

walnut_sdk::export_provider!(Liar);

/// The manifest's claim about a refusal of the buyer.
const DECLINED: &str = "declined";

/// A number that no attempt of the host's has.
const OTHER_TRADE: &str = "0123456789abcdef0123456789abcdef";

/// The lie that the attempt's meta wants told in this call.
fn lie(attempt: &Attempt, call: &str) -> String {
    let meta = attempt.meta();
    let text = |name: &str| {
        meta.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let at = text("lie_at");
    let at = if at.is_empty() { "check" } else { at.as_str() };
    if at == call {
        text("lie")
    } else {
        String::new()
    }
}

/// What the host said to a lie.
fn refused(why: impl std::fmt::Display) -> Fault {
    Fault::Unverified(format!("the lie did not work: {why}"))
}

impl Provider for Liar {
    fn send(attempt: Attempt, args: Vec<String>) -> Result<Sent, Fault> {
        let lie = lie(&attempt, "send");
        madness::go(&lie);
        let plain = Sent::of;
        match lie.as_str() {
            "cheap" => {
                let total = Money::new(1, Currency::CNY)
                    .map_err(|error| Fault::Invalid(error.to_string()))?;
                Zfb::send(Attempt { total, ..attempt }, args)
            }
            "order-as-query" => {
                let order = Order::of(&attempt)?;
                let answer = call("alipay.trade.precreate", &order, Some(&attempt.notify_url))?;
                Ok(plain(Outcome::trade(QUERY, answer.statement)))
            }
            "giant" => Ok(Sent {
                presentation: Some(Presentation::Text(madness::giant())),
                ..plain(Outcome::Pending)
            }),
            "giant-notes" => {
                let notes = [("n".to_owned(), Value::String(madness::giant()))];
                Ok(Sent {
                    notes: Some(notes.into_iter().collect()),
                    ..plain(Outcome::Pending)
                })
            }
            "leak" => Ok(tricks::leak(&attempt)),
            "script-link" => Ok(Sent {
                presentation: Some(Presentation::Link("javascript:alert(1)".to_owned())),
                ..plain(Outcome::Pending)
            }),
            "" => Zfb::send(attempt, args),
            other => tell(other, &attempt).map(plain),
        }
    }

    fn check(attempt: Attempt) -> Result<Outcome, Fault> {
        let lie = lie(&attempt, "check");
        madness::go(&lie);
        if lie.is_empty() {
            Zfb::check(attempt)
        } else {
            tell(&lie, &attempt)
        }
    }

    fn complete(attempt: Attempt, notification: &Message) -> Result<Outcome, Fault> {
        let lie = lie(&attempt, "complete");
        madness::go(&lie);
        let verified = || trust::verify(notification, "notify").map_err(refused);
        match lie.as_str() {
            "" => Zfb::complete(attempt, notification),
            "unknown-claim" => Ok(Outcome::trade("paid", verified()?)),
            "other-claim" => Ok(Outcome::trade(QUERY, verified()?)),
            "as-refund" => Ok(Outcome::refund(NOTIFICATION, verified()?)),
            "ignored" => Ok(Outcome::Ignored),
            "wrong-scheme" => by_another_scheme(notification, "answer"),
            "plant" => tricks::planted(notification),
            other => tell(other, &attempt),
        }
    }

    fn identify(notification: &Message) -> Hint {
        match notification.header("x-lie-trade") {
            Some(other) => Hint::Trade(other),
            None => Zfb::identify(notification),
        }
    }

    fn close(attempt: Attempt) -> Result<(), Fault> {
        let lie = lie(&attempt, "close");
        madness::go(&lie);
        // Says that it closed what it never asked to be closed.
        if lie == "closed" {
            Ok(())
        } else {
            Zfb::close(attempt)
        }
    }

    fn refund(attempt: Attempt, order: RefundOrder) -> Result<Outcome, Fault> {
        let lie = lie(&attempt, "refund");
        match lie.as_str() {
            "" => Zfb::refund(attempt, order),
            other => tell(other, &attempt),
        }
    }

    fn check_refund(attempt: Attempt, order: RefundOrder) -> Result<Outcome, Fault> {
        Zfb::check_refund(attempt, order)
    }

    fn probe() -> Result<String, Fault> {
        Zfb::probe()
    }
}

/// Lies that can be told wherever an attempt is there.
fn tell(lie: &str, attempt: &Attempt) -> Result<Outcome, Fault> {
    warn!("told a lie: {lie}");
    if let Some(played) = tricks::play(lie, attempt) {
        return played;
    }
    match lie {
        "other-trade" => {
            let meta = attempt.meta();
            let other = meta
                .get("other")
                .and_then(Value::as_str)
                .unwrap_or_default();
            Ok(Outcome::trade(QUERY, ask(other)?))
        }
        "unknown-claim" => Ok(Outcome::trade("paid", ask(&attempt.trade_no)?)),
        "other-claim" => Ok(Outcome::trade(NOTIFICATION, ask(&attempt.trade_no)?)),
        "as-refund" => Ok(Outcome::refund(QUERY, ask(&attempt.trade_no)?)),
        "declined-query" => Ok(Outcome::trade(DECLINED, ask(&attempt.trade_no)?)),
        "declined-other" => {
            let meta = attempt.meta();
            let code = meta.get("code").and_then(Value::as_str);
            let message = send(requests::pay(OTHER_TRADE, code.unwrap_or_default()))?;
            let statement = trust::verify(&message, "answer").map_err(refused)?;
            Ok(Outcome::trade(DECLINED, statement))
        }
        "wrong-scheme" => {
            let message = send(requests::query(&attempt.trade_no))?;
            by_another_scheme(&message, "notify")
        }
        "secret" => Err(match settings::get("app_private_key") {
            Some(key) => Fault::Unverified(key),
            None => refused("no such setting"),
        }),
        "giant-fault" => Err(Fault::Invalid(madness::giant())),
        "flood-http" => {
            for _ in 0..1000 {
                send(requests::query(&attempt.trade_no))?;
            }
            Ok(Outcome::Pending)
        }
        "hoard" => {
            let message = send(requests::query(&attempt.trade_no))?;
            let mut hoard = Vec::new();
            for _ in 0..100_000 {
                hoard.push(trust::verify(&message, "answer").map_err(refused)?);
            }
            Ok(Outcome::Pending)
        }
        other => match requests::forbidden(other, &attempt.trade_no) {
            Some(request) => {
                let message = send(request)?;
                let statement = trust::verify(&message, "answer").map_err(refused)?;
                Ok(Outcome::trade(QUERY, statement))
            }
            None => Err(Fault::Invalid(format!("no such lie: {other}"))),
        },
    }
}

fn send(request: Request) -> Result<Message, Fault> {
    request.send().map_err(refused)
}

fn ask(trade_no: &str) -> Result<Statement, Fault> {
    let message = send(requests::query(trade_no))?;
    trust::verify(&message, "answer").map_err(refused)
}

/// Tries the scheme for requests and another one that the message is not for.
fn by_another_scheme(message: &Message, other: &str) -> Result<Outcome, Fault> {
    let statement = trust::verify(message, "gateway")
        .or_else(|_| trust::verify(message, other))
        .map_err(refused)?;
    Ok(Outcome::trade(QUERY, statement))
}
