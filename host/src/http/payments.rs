//! `/pay/ajax/…`: the verbs on payments.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{Json, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::By;
use super::callbacks::as_content;
use super::envelope::{Answer, Data, Failure};
use crate::payment::caller::Caller;
use crate::payment::create::CreateRequest;
use crate::payment::error::PayError;
use crate::payment::look::Question;
use crate::payment::model::{Digest, Payment, PaymentId};
use crate::payment::{Payments, now_ms, view};
use crate::relaxed;

/// The longest Idempotency-Key.
const MAX_KEY: usize = 255;

pub(super) async fn create(
    State(payments): State<Payments>,
    by: By,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = body?;
    let request = CreateRequest::parse(&body)?;
    let idempotency = idempotency_key(&headers)?.map(|key| (key, Digest::of(&body)));
    let created = payments.create(&by.0, &request, idempotency).await?;
    let payment = created.payment;
    let ticket = payments.tickets().issue(payment.id);
    let free = payment.total.is_zero();
    if let Some(pay_tp) = request.pay_tp.as_deref().filter(|tp| !tp.is_empty()) {
        let target = request
            .pay_target
            .as_deref()
            .filter(|target| !target.is_empty());
        let sent = payments
            .send(
                &by.0,
                payment.id,
                pay_tp,
                target,
                &request.args,
                request.client_ip.as_deref(),
            )
            .await;
        // Whatever came of it, the payment is shown as it stands now.
        let payment = match &sent {
            Ok(sent) => sent.clone(),
            Err(_) => payments.get(&by.0, payment.id).await.unwrap_or(payment),
        };
        return sent_at_once(&payment, sent.err(), &ticket);
    }
    let mut data = if free {
        view::sent_json(&payment, None)
    } else {
        view::to_json(&payment, now_ms())
    };
    data.insert("pay_types".into(), json!(payment.offers));
    data.insert("ticket".into(), json!(ticket));
    Data::of(data)
}

/// The payment exists whatever came of sending it: an error stands beside its id.
fn sent_at_once(payment: &Payment, error: Option<PayError>, ticket: &str) -> Answer {
    let mut data = view::sent_json(payment, error.as_ref());
    data.insert("pay_types".into(), json!(payment.offers));
    data.insert("ticket".into(), json!(ticket));
    Data::of(data)
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|key| !key.is_empty());
    match key {
        Some(key) if key.len() <= MAX_KEY => Ok(Some(key.to_owned())),
        _ => Err(
            PayError::invalid("the Idempotency-Key has 1 to 255 visible ASCII characters").into(),
        ),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct SendBody {
    id: String,
    pay_tp: String,
    #[serde(default)]
    pay_target: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    client_ip: Option<String>,
}

pub(super) async fn send(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<SendBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    let target = body
        .pay_target
        .as_deref()
        .filter(|target| !target.is_empty());
    let id = payment_id(&body.id)?;
    let sent = payments
        .send(
            &by.0,
            id,
            &body.pay_tp,
            target,
            &body.args,
            body.client_ip.as_deref(),
        )
        .await?;
    Data::of(view::sent_json(&sent, None))
}

#[derive(Deserialize)]
pub(super) struct ById {
    id: String,
}

type OneId = Result<Query<ById>, QueryRejection>;

pub(super) async fn get(State(payments): State<Payments>, by: By, id: OneId) -> Answer {
    let payment = payments.get(&by.0, payment_id(&id?.id)?).await?;
    shown(&payments, &by, payment).await
}

pub(super) async fn check(State(payments): State<Payments>, by: By, id: OneId) -> Answer {
    checked(&payments, &by, &id?.id).await
}

/// Asks the platform about a payment, and shows what came of it.
pub(super) async fn checked(payments: &Payments, by: &By, id: &str) -> Answer {
    let payment = payments.check(&by.0, payment_id(id)?).await?;
    shown(payments, by, payment).await
}

/// A payment as the caller sees it: owners and operators with its attempts and refunds.
async fn shown(payments: &Payments, by: &By, payment: Payment) -> Answer {
    if matches!(by.0, Caller::Ticket(_)) {
        return Data::of(view::to_json(&payment, now_ms()));
    }
    let case = payments.case(&by.0, payment.id).await?;
    Data::of(view::case_to_json(&case, now_ms()))
}

pub(super) async fn history(State(payments): State<Payments>, by: By, id: OneId) -> Answer {
    Data::of(payments.history(&by.0, payment_id(&id?.id)?).await?)
}

/// What platforms stated of the payment, as the host verified it.
pub(super) async fn evidence(State(payments): State<Payments>, by: By, id: OneId) -> Answer {
    let stated = payments.evidence(&by.0, payment_id(&id?.id)?).await?;
    let shown: Vec<Value> = stated
        .iter()
        .map(|found| {
            let stated = &found.statement;
            json!({
                "digest": stated.digest,
                "trade_no": stated.trade_no,
                "scheme": stated.scheme,
                "claim": stated.claim,
                "at": stated.at,
                "text": String::from_utf8_lossy(&stated.text),
                // Each fact beside what the payment says; or why that cannot be told any more.
                "facts": found.facts.as_ref().ok(),
                "incomparable": found.facts.as_ref().err(),
            })
        })
        .collect();
    Data::of(shown)
}

pub(super) async fn content(
    State(payments): State<Payments>,
    by: By,
    id: OneId,
) -> Result<Response, Failure> {
    let content = payments.content(&by.0, payment_id(&id?.id)?).await?;
    let bytes = content.map(|content| content.to_vec()).unwrap_or_default();
    Ok(as_content(bytes))
}

/// What `query` takes; `match` is an object of names and what their values have to be like, as relaxed JSON.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryBy {
    #[serde(default, rename = "match")]
    matching: Option<String>,
    /// `lm:-1,fee:1`
    #[serde(default)]
    sort: Option<String>,
    #[serde(default)]
    skip: Option<u32>,
    /// `next` of an earlier answer, or nothing at the beginning of a long way.
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    /// The time zone in which days begin, such as Asia/Shanghai; the host's own without one.
    #[serde(default)]
    tz: Option<String>,
    /// Whether the answer says how many there are in all.
    #[serde(default)]
    pager: bool,
}

pub(super) async fn query(
    State(payments): State<Payments>,
    by: By,
    query: Result<Query<QueryBy>, QueryRejection>,
) -> Answer {
    let Query(query) = query?;
    let matching: Map<String, Value> = match query.matching.as_deref().filter(|m| !m.is_empty()) {
        None => Map::new(),
        Some(text) => read_match(text)?,
    };
    let question = Question {
        matching: &matching,
        zone: zone(query.tz.as_deref())?,
        after: query.after.as_deref(),
        sort: query.sort.as_deref(),
        skip: query.skip,
        limit: query.limit,
        count: query.pager,
    };
    let found = payments.query(&by.0, &question).await?;
    let now = now_ms();
    let list: Vec<_> = found
        .payments
        .iter()
        .map(|payment| view::to_json(payment, now))
        .collect();
    if found.total.is_none() && query.after.is_none() {
        return Data::of(list);
    }
    let mut pager = Map::new();
    if let Some(total) = found.total {
        pager.insert("total".into(), total.into());
    }
    pager.insert("skip".into(), found.skip.into());
    pager.insert("limit".into(), found.limit.into());
    if query.after.is_some() {
        let next = found.next.map(|next| next.to_string());
        pager.insert("next".into(), json!(next));
    }
    Data::of(json!({ "list": list, "pager": pager }))
}

fn read_match(text: &str) -> Result<Map<String, Value>, PayError> {
    relaxed::object(text).map_err(|error| PayError::invalid(format!("match: {error}")))
}

fn zone(name: Option<&str>) -> Result<TimeZone, PayError> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(TimeZone::system());
    };
    TimeZone::get(name).map_err(|_| {
        let name: String = name.chars().take(64).collect();
        PayError::invalid(format!(
            "tz: {name:?} is no time zone that is known here: give a name such as Asia/Shanghai"
        ))
    })
}

pub(super) fn payment_id(text: &str) -> Result<PaymentId, Failure> {
    PaymentId::parse(text)
        .ok_or_else(|| PayError::invalid("the id is not a payment's: 32 hex digits").into())
}
