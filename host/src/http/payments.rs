//! `/pay/ajax/…`: the verbs on payments.

use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{Json, Query, State};
use axum::response::Response;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::auth::By;
use super::callbacks::as_content;
use super::envelope::{Answer, Data, Failure};
use super::openapi::{IdempotencyKey, Raw};
use crate::payment::caller::Caller;
use crate::payment::create::CreateRequest;
use crate::payment::error::PayError;
use crate::payment::look::Question;
use crate::payment::model::{Ams, Change, Digest, Offer, Payment, PaymentId};
use crate::payment::view::{CaseView, PaymentView, SentView};
use crate::payment::{Payments, now_ms, view};
use crate::relaxed;
use crate::trust::Fact;

/// What `create` answers.
#[derive(Serialize, JsonSchema)]
pub(super) struct Created {
    #[serde(flatten)]
    payment: CreatedAs,
    /// The ways to pay that are open to it.
    pay_types: Vec<Offer>,
    /// For the buyer's page: good for this payment alone.
    ticket: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum CreatedAs {
    /// It was sent at once, or is free; the payment exists whatever came of sending it.
    Sent(SentView),
    /// It waits for `send`.
    New(Box<PaymentView>),
}

pub(super) async fn create(
    State(payments): State<Payments>,
    by: By,
    key: Result<IdempotencyKey, Failure>,
    body: Result<Raw<CreateRequest>, BytesRejection>,
) -> Answer<Created> {
    let body = body?.bytes;
    let request = CreateRequest::parse(&body)?;
    let IdempotencyKey(key) = key?;
    let idempotency = key.map(|key| (key, Digest::of(&body)));
    let created = payments.create(&by.0, &request, idempotency).await?;
    let payment = created.payment;
    let ticket = payments.tickets().issue(payment.id);
    let shown = |payment: CreatedAs, pay_types| {
        Data::of(Created {
            payment,
            pay_types,
            ticket,
        })
    };
    let Some(pay_tp) = request.pay_tp.as_deref().filter(|tp| !tp.is_empty()) else {
        let made = match payment.total.is_zero() {
            true => CreatedAs::Sent(view::sent(&payment, None)),
            false => CreatedAs::New(Box::new(view::payment(&payment, now_ms()))),
        };
        return shown(made, payment.offers);
    };
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
    let view = view::sent(&payment, sent.err().as_ref());
    shown(CreatedAs::Sent(view), payment.offers)
}

/// How a payment is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct SendBody {
    /// The payment.
    id: String,
    /// What the buyer picked.
    pay_tp: String,
    /// The account; the one that is marked as default where nobody says otherwise.
    #[serde(default)]
    pay_target: Option<String>,
    /// What the pay type takes, such as the buyer's code at a till.
    #[serde(default)]
    args: Vec<String>,
    /// The buyer's address.
    #[serde(default)]
    client_ip: Option<String>,
}

pub(super) async fn send(
    State(payments): State<Payments>,
    by: By,
    body: Result<Json<SendBody>, JsonRejection>,
) -> Answer<SentView> {
    // What stands in a wrong place may be the buyer's code.
    let Json(body) = body.map_err(|error| {
        let has_to_be = r#"{"id":"…","pay_tp":"…"}, with "pay_target", "args" (a list of texts) and "client_ip" where they are needed"#;
        Failure::unread(error, has_to_be)
    })?;
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
    Data::of(view::sent(&sent, None))
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ById {
    /// The payment.
    id: String,
}

type OneId = Result<Query<ById>, QueryRejection>;

pub(super) async fn get(State(payments): State<Payments>, by: By, id: OneId) -> Answer<CaseView> {
    let payment = payments.get(&by.0, payment_id(&id?.id)?).await?;
    shown(&payments, &by, payment).await
}

pub(super) async fn check(State(payments): State<Payments>, by: By, id: OneId) -> Answer<CaseView> {
    checked(&payments, &by, &id?.id).await
}

/// Asks the platform about a payment, and shows what came of it.
pub(super) async fn checked(payments: &Payments, by: &By, id: &str) -> Answer<CaseView> {
    let payment = payments.check(&by.0, payment_id(id)?).await?;
    shown(payments, by, payment).await
}

/// A payment as the caller sees it: owners and operators with its attempts and refunds.
async fn shown(payments: &Payments, by: &By, payment: Payment) -> Answer<CaseView> {
    if matches!(by.0, Caller::Ticket(_)) {
        return Data::of(CaseView::bare(&payment, now_ms()));
    }
    let case = payments.case(&by.0, payment.id).await?;
    Data::of(view::case(&case, now_ms()))
}

pub(super) async fn history(
    State(payments): State<Payments>,
    by: By,
    id: OneId,
) -> Answer<Vec<Change>> {
    Data::of(payments.history(&by.0, payment_id(&id?.id)?).await?)
}

/// A statement of a platform that was acted upon.
#[derive(Serialize, JsonSchema)]
pub(super) struct Evidence {
    /// Of its bytes.
    digest: Digest,
    /// The attempt that it speaks of.
    trade_no: String,
    /// What it was verified by.
    scheme: String,
    /// What it was read by.
    claim: String,
    /// When it was accepted.
    at: Ams,
    /// The bytes that were signed.
    text: String,
    /// Each fact beside what the payment says.
    facts: Option<Vec<Fact>>,
    /// Why that cannot be told any more.
    incomparable: Option<String>,
}

/// What platforms stated of the payment, as the host verified it.
pub(super) async fn evidence(
    State(payments): State<Payments>,
    by: By,
    id: OneId,
) -> Answer<Vec<Evidence>> {
    let stated = payments.evidence(&by.0, payment_id(&id?.id)?).await?;
    let shown = stated.into_iter().map(|found| {
        let stated = found.statement;
        let (facts, incomparable) = match found.facts {
            Ok(facts) => (Some(facts), None),
            Err(why) => (None, Some(why)),
        };
        Evidence {
            digest: stated.digest,
            trade_no: stated.trade_no.to_string(),
            scheme: stated.scheme,
            claim: stated.claim,
            at: stated.at,
            text: String::from_utf8_lossy(&stated.text).into_owned(),
            facts,
            incomparable,
        }
    });
    Data::of(shown.collect())
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

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryBy {
    /// An object of names and what their values have to be like, as relaxed JSON.
    #[serde(default, rename = "match")]
    matching: Option<String>,
    /// `lm:-1,fee:1`
    #[serde(default)]
    sort: Option<String>,
    /// So many are passed over.
    #[serde(default)]
    skip: Option<u32>,
    /// `next` of an earlier answer, or nothing at the beginning of a long way.
    #[serde(default)]
    after: Option<String>,
    /// At most so many are answered.
    #[serde(default)]
    limit: Option<u32>,
    /// The time zone in which days begin, such as Asia/Shanghai; the host's own without one.
    #[serde(default)]
    tz: Option<String>,
    /// Whether the answer says how many there are in all.
    #[serde(default)]
    pager: bool,
}

/// What `query` answers: the payments, or a page of them.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Found {
    /// Where nobody asked for a page.
    List(Vec<PaymentView>),
    /// Where `pager` or `after` did.
    Page {
        /// The payments.
        list: Vec<PaymentView>,
        /// Where the page is.
        pager: Pager,
    },
}

/// Where a page is among all that match.
#[derive(Serialize, JsonSchema)]
pub(super) struct Pager {
    /// How many there are, where `pager` asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// So many are before it.
    skip: u32,
    /// At most so many are on it.
    limit: u32,
    /// For `after`, to go on; null at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Option<String>>,
}

pub(super) async fn query(
    State(payments): State<Payments>,
    by: By,
    query: Result<Query<QueryBy>, QueryRejection>,
) -> Answer<Found> {
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
    let shown = found.payments.iter();
    let list = shown.map(|payment| view::payment(payment, now)).collect();
    if found.total.is_none() && query.after.is_none() {
        return Data::of(Found::List(list));
    }
    let next = || found.next.map(|next| next.to_string());
    let pager = Pager {
        total: found.total,
        skip: found.skip,
        limit: found.limit,
        next: query.after.is_some().then(next),
    };
    Data::of(Found::Page { list, pager })
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
