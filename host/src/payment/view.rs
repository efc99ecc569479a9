//! The payment as JSON: the user's field names, metadata at the top level, system fields always
//! winning.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::error::PayError;
use super::model::{
    Ams, Attempt, AttemptState, CallbackKind, Case, EndWhy, FailWhy, Hold, Payment,
    PresentationKind, Refund, RefundCause, RefundState, State,
};

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

/// Whether a payment's own field has this name. The library of a buyer is kept beside them, where the original had it.
fn is_ours(name: &str) -> bool {
    RESERVED.contains(&name) && name != "buyer_lib"
}

/// Whether metadata may not have this name. `pay_…` is the original's space of system fields: its
/// callers could make an unpaid payment look paid with `pay_st`.
pub fn is_reserved(name: &str, platforms: &[String]) -> bool {
    RESERVED.contains(&name)
        || ["pay_", "_"].iter().any(|prefix| name.starts_with(prefix))
        || platforms.iter().any(|platform| platform == name)
}

/// A payment as JSON: Walnut's names. What its creator added, and what the platforms' providers noted under the platforms'
/// names, stands beside them.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Payment")]
pub struct PaymentView {
    /// The payment's id: 32 hex digits.
    pub id: String,
    /// The same.
    pub nm: String,
    /// `wn_payment`.
    pub tp: &'static str,
    /// When it was created.
    pub ct: Ams,
    /// When it changed last.
    pub lm: Ams,
    /// What it is for, in words for the buyer.
    pub brief: String,
    /// What is to be paid, in minor units.
    pub fee: i64,
    /// The currency: `RMB`, `USD`, …
    pub cur: String,
    /// What it cost before a discount, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    /// Where it stands.
    pub st: State,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_why: Option<FailWhy>,
    /// Whether it is a test payment.
    pub test: bool,
    /// How it is paid, once it was sent.
    pub pay_tp: Option<String>,
    /// The account that it is paid to, once it was sent.
    pub pay_target: Option<String>,
    /// What kind of thing the buyer is shown.
    pub re_tp: Option<PresentationKind>,
    /// What the buyer is shown: an object for `JSON`, otherwise a text.
    pub re_obj: Value,
    /// Until when that is of use; 0 where the platform names no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re_until: Option<Ams>,
    /// 0 not known, 1 a Walnut user, 2 a user of the domain.
    pub buyer_tp: u8,
    /// Empty when not known.
    pub buyer_id: String,
    /// Empty when not known.
    pub buyer_nm: String,
    /// The domain's id.
    pub seller_id: String,
    /// The domain's name.
    pub seller_nm: String,
    /// Bytes of its callback.
    pub len: u64,
    /// The callback that runs when it is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback: Option<BoundView>,
    /// When it was sent.
    pub send_at: Ams,
    /// When `st` became final.
    pub close_at: Ams,
    /// When its callback was applied.
    pub apply_at: Ams,
    /// What the callback answered.
    pub apply_re: Value,
    /// Until when it may be paid.
    pub expi: Ams,
    /// Paid after its end, or after it was closed.
    pub late: bool,
    /// What went back, in minor units.
    pub refunded: i64,
    /// Sent, and not paid in time.
    pub overdue: bool,
    /// Why a person has to decide about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// What platforms' providers noted, and what its creator added.
    #[serde(flatten)]
    pub beside: Map<String, Value>,
}

/// The callback that a payment is bound to.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "BoundCallback")]
pub struct BoundView {
    /// Its name.
    pub name: String,
    /// How it is written.
    pub kind: CallbackKind,
    /// Of its content.
    pub sha256: String,
}

/// The whole payment at the time `now` (which decides `overdue`).
pub fn payment(p: &Payment, now: Ams) -> PaymentView {
    let mut beside = p.platforms.clone();
    for (name, value) in &p.meta {
        if !is_ours(name) && !beside.contains_key(name) {
            beside.insert(name.clone(), value.clone());
        }
    }
    PaymentView {
        id: p.id.to_string(),
        nm: p.id.to_string(),
        tp: "wn_payment",
        ct: p.created_ms,
        lm: p.changed_ms,
        brief: p.brief.clone(),
        fee: p.total.minor(),
        cur: p.total.currency().caller_code().to_owned(),
        price: p.price_minor,
        st: p.state,
        fail_why: p.fail_why,
        test: p.test,
        pay_tp: p.pay_type.clone(),
        pay_target: p.target.clone(),
        re_tp: p.presentation.as_ref().map(|shown| shown.kind),
        re_obj: presentation_content(p),
        re_until: p.presentation.as_ref().map(|shown| shown.until_ms),
        buyer_tp: p.buyer.tp,
        buyer_id: p.buyer.id.clone(),
        buyer_nm: p.buyer.name.clone(),
        seller_id: p.domain_id.clone(),
        seller_nm: p.domain.clone(),
        len: p.callback.as_ref().map_or(0, |callback| callback.len),
        callback: p.callback.as_ref().map(|callback| BoundView {
            name: callback.name.clone(),
            kind: callback.kind,
            sha256: callback.digest.to_string(),
        }),
        send_at: p.sent_ms,
        close_at: p.closed_ms,
        apply_at: p.applied_ms,
        apply_re: p
            .applied_result
            .as_deref()
            .map_or(Value::Null, json_or_text),
        expi: p.expires_ms,
        late: p.late,
        refunded: p.refunded_minor,
        overdue: p.state == State::Wait && now > p.expires_ms,
        held: p.hold.clone(),
        beside,
    }
}

/// The same as an object, for what reads members by their names.
pub fn to_json(p: &Payment, now: Ams) -> Map<String, Value> {
    match json!(payment(p, now)) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A payment for its owner: with its attempts and refunds. Whoever has a ticket sees neither.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Case")]
pub struct CaseView {
    /// The payment.
    #[serde(flatten)]
    pub payment: PaymentView,
    /// Its attempts, the earliest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<AttemptView>>,
    /// Its refunds, the earliest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunds: Option<Vec<RefundView>>,
}

impl CaseView {
    /// The payment by itself.
    pub fn bare(of: &Payment, now: Ams) -> CaseView {
        CaseView {
            payment: payment(of, now),
            attempts: None,
            refunds: None,
        }
    }
}

/// The payment with its attempts and refunds.
pub fn case(case: &Case, now: Ams) -> CaseView {
    let currency = case.payment.total.currency();
    let refunds = case.refunds.iter();
    let refunds = refunds.map(|one| refund(one, currency.caller_code()));
    CaseView {
        payment: payment(&case.payment, now),
        attempts: Some(case.attempts.iter().map(attempt).collect()),
        refunds: Some(refunds.collect()),
    }
}

/// An attempt at getting a payment paid.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptView {
    /// The number by which the platform knows it.
    pub trade_no: String,
    /// How it is paid.
    pub pay_tp: String,
    /// To which account.
    pub pay_target: String,
    /// Where it stands.
    pub st: AttemptState,
    /// Why it failed.
    pub fail_why: Option<FailWhy>,
    /// Why it is being ended.
    pub ending: Option<EndWhy>,
    /// When it was begun.
    pub ct: Ams,
    /// Until when the platform takes money for it.
    pub payable_until: Ams,
    /// What was paid, in minor units.
    pub paid: Option<i64>,
    /// The platform's own number.
    pub transaction_id: Option<String>,
    /// How often the platform was asked.
    pub asks: u32,
    /// When it is asked next; 0 for never.
    pub ask_at: Ams,
    /// What went wrong last.
    pub error: Option<String>,
}

fn attempt(attempt: &Attempt) -> AttemptView {
    AttemptView {
        trade_no: attempt.trade_no.to_string(),
        pay_tp: attempt.pay_type.clone(),
        pay_target: attempt.target.name.clone(),
        st: attempt.state,
        fail_why: attempt.fail_why,
        ending: attempt.ending.map(|ending| ending.why),
        ct: attempt.created_ms,
        payable_until: attempt.payable_until_ms,
        paid: attempt.paid_minor,
        transaction_id: attempt.transaction_id.clone(),
        asks: attempt.asks,
        ask_at: attempt.ask_at_ms,
        error: attempt.last_error.clone(),
    }
}

/// Money that goes back.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Refund")]
pub struct RefundView {
    /// The number by which the platform knows it.
    pub refund_no: String,
    /// The attempt whose money goes back.
    pub trade_no: String,
    /// How much, in minor units.
    pub fee: i64,
    /// The currency: `RMB`, `USD`, …
    pub cur: String,
    /// For the buyer and the books.
    pub reason: String,
    /// Who wanted it.
    pub cause: RefundCause,
    /// Where it stands.
    pub st: RefundState,
    /// When it was asked for.
    pub ct: Ams,
    /// When it became OK or FAIL; 0 before.
    pub close_at: Ams,
    /// The platform's own number.
    pub transaction_id: Option<String>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// A refund as callers see it.
pub fn refund(refund: &Refund, currency: &str) -> RefundView {
    RefundView {
        refund_no: refund.refund_no.to_string(),
        trade_no: refund.trade_no.to_string(),
        fee: refund.amount_minor,
        cur: currency.to_owned(),
        reason: refund.reason.clone(),
        cause: refund.cause,
        st: refund.state,
        ct: refund.created_ms,
        close_at: refund.ended_ms,
        transaction_id: refund.transaction_id.clone(),
        error: refund.last_error.clone(),
    }
}

/// `re_obj`: an object for JSON, otherwise a text.
pub fn presentation_content(payment: &Payment) -> Value {
    match &payment.presentation {
        None => Value::Null,
        Some(shown) if shown.kind == PresentationKind::Json => json_or_text(&shown.content),
        Some(shown) => json!(shown.content),
    }
}

/// What came of sending a payment, by the original's field names, with `type` beside `dataType` as its manual calls it. A
/// payment that the platform declined says so in `errCode` and `errMsg`: it is final, and nothing went wrong in sending it.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sent")]
#[serde(rename_all = "camelCase")]
pub struct SentView {
    /// The payment's id.
    pub pay_obj_id: String,
    /// Where it stands (`st`).
    pub status: State,
    /// What kind of thing the buyer is shown.
    pub data_type: Option<PresentationKind>,
    /// The same.
    pub r#type: Option<PresentationKind>,
    /// What the buyer is shown: an object for `JSON`, otherwise a text.
    pub data: Value,
    /// Why it failed.
    #[serde(rename = "fail_why", skip_serializing_if = "Option::is_none")]
    pub fail_why: Option<FailWhy>,
    /// What went wrong, in words.
    pub err_msg: Option<String>,
    /// What went wrong, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub err_code: Option<&'static str>,
}

/// What `send` answers, and `create` when it sends at once.
pub fn sent(payment: &Payment, error: Option<&PayError>) -> SentView {
    let kind = payment.presentation.as_ref().map(|shown| shown.kind);
    let declined = (payment.fail_why == Some(FailWhy::Declined))
        .then(|| PayError::declined(why_declined(payment)));
    let error = error.or(declined.as_ref());
    SentView {
        pay_obj_id: payment.id.to_string(),
        status: payment.state,
        data_type: kind,
        r#type: kind,
        data: presentation_content(payment),
        fail_why: payment.fail_why,
        err_msg: error.map(|error| error.message().to_owned()),
        err_code: error.map(PayError::code),
    }
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
