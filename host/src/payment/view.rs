//! The payment as JSON: the user's field names, metadata at the top level, system fields always
//! winning.

use serde_json::{Map, Value, json};

use super::error::PayError;
use super::model::{Attempt, Case, FailWhy, Payment, PresentationKind, Refund};

/// Names that metadata may not use, besides the names of platforms: the payment's own fields, what
/// `create` takes, and what the original kept on its payment objects.
const RESERVED: &[&str] = &[
    "id",
    "nm",
    "tp",
    "ct",
    "lm",
    "st",
    "brief",
    "fee",
    "cur",
    "price",
    "test",
    "len",
    "expi",
    "re_tp",
    "re_obj",
    "re_until",
    "pay_tp",
    "pay_target",
    "pay_types",
    "buyer",
    "buyer_tp",
    "buyer_id",
    "buyer_nm",
    "buyer_lib",
    "seller",
    "seller_id",
    "seller_nm",
    "send_at",
    "close_at",
    "apply_at",
    "apply_re",
    "callback",
    "fail_why",
    "held",
    "hold",
    "late",
    "overdue",
    "attempts",
    "refunds",
    "refunded",
    "args",
    "meta",
    "ticket",
    "client_ip",
    "revision",
    "history",
    "extra",
];

/// Whether metadata may not have this name. `pay_…` is the original's space of system fields: its
/// callers could make an unpaid payment look paid with `pay_st`.
pub fn is_reserved(name: &str, platforms: &[String]) -> bool {
    RESERVED.contains(&name)
        || ["pay_", "_"].iter().any(|prefix| name.starts_with(prefix))
        || platforms.iter().any(|platform| platform == name)
}

/// The whole payment at the time `now` (which decides `overdue`).
pub fn to_json(payment: &Payment, now: u64) -> Map<String, Value> {
    let p = payment;
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("id", json!(p.id.to_string()));
    put("nm", json!(p.id.to_string()));
    put("tp", json!("wn_payment"));
    put("ct", json!(p.created_ms));
    put("lm", json!(p.changed_ms));
    put("brief", json!(p.brief));
    put("fee", json!(p.total.minor()));
    put("cur", json!(p.total.currency().caller_code()));
    if let Some(price) = p.price_minor {
        put("price", json!(price));
    }
    put("st", json!(p.state.as_str()));
    if let Some(why) = p.fail_why {
        put("fail_why", json!(why.as_str()));
    }
    put("test", json!(p.test));
    put("pay_tp", json!(p.pay_type));
    put("pay_target", json!(p.target));
    put(
        "re_tp",
        json!(p.presentation.as_ref().map(|shown| shown.kind.as_str())),
    );
    put("re_obj", presentation_content(p));
    if let Some(shown) = &p.presentation {
        put("re_until", json!(shown.until_ms));
    }
    put("buyer_tp", json!(p.buyer.tp));
    put("buyer_id", json!(p.buyer.id));
    put("buyer_nm", json!(p.buyer.name));
    put("seller_id", json!(p.domain_id));
    put("seller_nm", json!(p.domain));
    put(
        "len",
        json!(p.callback.as_ref().map_or(0, |callback| callback.len)),
    );
    if let Some(callback) = &p.callback {
        put(
            "callback",
            json!({
                "name": callback.name,
                "kind": callback.kind.as_str(),
                "sha256": callback.digest.to_string(),
            }),
        );
    }
    put("send_at", json!(p.sent_ms));
    put("close_at", json!(p.closed_ms));
    put("apply_at", json!(p.applied_ms));
    put(
        "apply_re",
        p.applied_result
            .as_deref()
            .map_or(Value::Null, json_or_text),
    );
    put("expi", json!(p.expires_ms));
    put("late", json!(p.late));
    put("refunded", json!(p.refunded_minor));
    put(
        "overdue",
        json!(p.state == super::model::State::Wait && now > p.expires_ms),
    );
    if let Some(hold) = &p.hold {
        put("held", json!(hold));
    }
    for (platform, notes) in &p.platforms {
        put(platform, notes.clone());
    }
    for (name, value) in &p.meta {
        if !out.contains_key(name) {
            out.insert(name.clone(), value.clone());
        }
    }
    out
}

/// The payment for its owner: with its attempts and refunds.
pub fn case_to_json(case: &Case, now: u64) -> Map<String, Value> {
    let mut out = to_json(&case.payment, now);
    let attempts: Vec<Value> = case.attempts.iter().map(attempt_to_json).collect();
    out.insert("attempts".into(), json!(attempts));
    let currency = case.payment.total.currency();
    let refunds: Vec<Value> = case
        .refunds
        .iter()
        .map(|refund| refund_to_json(refund, currency.caller_code()))
        .collect();
    out.insert("refunds".into(), json!(refunds));
    out
}

fn attempt_to_json(attempt: &Attempt) -> Value {
    json!({
        "trade_no": attempt.trade_no,
        "pay_tp": attempt.pay_type,
        "pay_target": attempt.target.name,
        "st": attempt.state.as_str(),
        "fail_why": attempt.fail_why.map(|why| why.as_str()),
        "ending": attempt.ending.map(|ending| ending.why),
        "ct": attempt.created_ms,
        "payable_until": attempt.payable_until_ms,
        "paid": attempt.paid_minor,
        "transaction_id": attempt.transaction_id,
        "asks": attempt.asks,
        "ask_at": attempt.ask_at_ms,
        "error": attempt.last_error,
    })
}

/// A refund as callers see it.
pub fn refund_to_json(refund: &Refund, currency: &str) -> Value {
    json!({
        "refund_no": refund.refund_no,
        "trade_no": refund.trade_no,
        "fee": refund.amount_minor,
        "cur": currency,
        "reason": refund.reason,
        "cause": refund.cause.as_str(),
        "st": refund.state.as_str(),
        "ct": refund.created_ms,
        "close_at": refund.ended_ms,
        "transaction_id": refund.transaction_id,
        "error": refund.last_error,
    })
}

/// `re_obj`: an object for JSON, otherwise a text.
pub fn presentation_content(payment: &Payment) -> Value {
    match &payment.presentation {
        None => Value::Null,
        Some(shown) if shown.kind == PresentationKind::Json => json_or_text(&shown.content),
        Some(shown) => json!(shown.content),
    }
}

/// What `send` answers, and `create` when it sends at once: the original's field names, with
/// `type` beside `dataType` as its manual calls it. A payment that the platform declined says so in `errCode` and
/// `errMsg`: it is final, and nothing went wrong in sending it.
pub fn sent_json(payment: &Payment, error: Option<&PayError>) -> Map<String, Value> {
    let kind = json!(
        payment
            .presentation
            .as_ref()
            .map(|shown| shown.kind.as_str())
    );
    let mut out = Map::new();
    out.insert("payObjId".into(), json!(payment.id.to_string()));
    out.insert("status".into(), json!(payment.state.as_str()));
    out.insert("dataType".into(), kind.clone());
    out.insert("type".into(), kind);
    out.insert("data".into(), presentation_content(payment));
    if let Some(why) = payment.fail_why {
        out.insert("fail_why".into(), json!(why.as_str()));
    }
    let declined = (payment.fail_why == Some(FailWhy::Declined))
        .then(|| PayError::declined(why_declined(payment)));
    let error = error.or(declined.as_ref());
    out.insert("errMsg".into(), json!(error.map(PayError::message)));
    if let Some(error) = error {
        out.insert("errCode".into(), json!(error.code()));
    }
    out
}

/// What was noted when the platform declined the payment, for the cashier or the buyer.
fn why_declined(payment: &Payment) -> String {
    let noted = payment.platforms.values().find_map(|notes| {
        let entry = notes.get("declined")?.as_array()?.last()?;
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let both = [text("code"), text("words")];
        let own = || both.into_iter().flatten().collect::<Vec<_>>().join(" ");
        Some(text("why").map_or_else(own, str::to_owned)).filter(|words| !words.is_empty())
    });
    match noted {
        Some(words) => format!("the platform declined the payment: {words}"),
        None => "the platform declined the payment: make a new one".to_owned(),
    }
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

#[cfg(test)]
mod tests {
    use super::super::model::test_payment;
    use super::*;

    #[test]
    fn system_fields_win_over_metadata() {
        let mut payment = test_payment();
        payment.meta.insert("st".into(), json!("OK"));
        payment.meta.insert("table".into(), json!(12));
        let shown = to_json(&payment, 0);
        assert_eq!(shown["st"], "NEW");
        assert_eq!(shown["table"], 12);
        assert_eq!(shown["cur"], "RMB");
        assert_eq!(shown["nm"], shown["id"]);
    }

    #[test]
    fn names_of_system_fields_and_platforms_are_reserved() {
        let platforms = ["zfb".to_owned()];
        for name in [
            "st",
            "fee",
            "pay_st",
            "pay_anything",
            "apply_at",
            "zfb",
            "_id",
        ] {
            assert!(is_reserved(name, &platforms), "{name}");
        }
        for name in ["table", "order_no", "payload", "status"] {
            assert!(!is_reserved(name, &platforms), "{name}");
        }
    }
}
