//! `create`: makes a payment, freezes what is on offer, binds the callback.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::error::{PayError, Result};
use super::model::{
    Ams, AttemptState, BoundCallback, Buyer, CallbackKind, Change, Digest, Payment, PaymentId,
    State,
};
use super::money::Money;
use super::send::new_attempt;
use super::settle::edit_platform;
use super::{Payments, now_ms, view};
use crate::store::{Created, Domain, IdempotencyKey, NewPayment};
use crate::trust::refuse_repeated_names;

/// How long a payment may be paid when `create` names no deadline: as long as the platforms' QR
/// codes are valid.
const DEFAULT_LIFE: Ams = 2 * 60 * 60 * 1000;
/// The latest deadline: Alipay closes what is not paid after 15 days.
const LONGEST_LIFE: Ams = 15 * 24 * 60 * 60 * 1000;
const MAX_BRIEF: usize = 512;
const MAX_NAME: usize = 256;
const MAX_META: usize = 64 * 1024;
/// How deep metadata may be nested: deeper values break clients that read the payment.
const MAX_META_DEPTH: usize = 32;

/// A fee as callers write it: `2300`, `"2300"` or `"2300RMB"`, in minor units.
#[derive(Deserialize)]
#[serde(untagged)]
enum Fee {
    Minor(i64),
    Text(String),
    Other(Value),
}

/// What `create` takes. Everything else at the top level is metadata.
#[derive(Deserialize, Default)]
#[serde(expecting = "an object")]
pub struct CreateRequest {
    brief: Option<String>,
    fee: Option<Fee>,
    cur: Option<String>,
    price: Option<i64>,
    /// `TYPE:ID` or `TYPE:ID:NAME`.
    buyer: Option<String>,
    buyer_tp: Option<u8>,
    buyer_id: Option<String>,
    buyer_nm: Option<String>,
    /// A domain's name or id; another than the caller's own only for `root`.
    seller: Option<String>,
    callback: Option<String>,
    expi: Option<Ams>,
    test: Option<bool>,
    /// Sends at once when given.
    pub pay_tp: Option<String>,
    /// With `pay_tp`.
    pub pay_target: Option<String>,
    /// With `pay_tp`.
    #[serde(default)]
    pub args: Vec<String>,
    /// The buyer's address.
    pub client_ip: Option<String>,
    #[serde(flatten)]
    meta: Map<String, Value>,
}

impl CreateRequest {
    /// Reads the body of a request.
    pub fn parse(body: &[u8]) -> Result<CreateRequest> {
        let wrong = |error: &dyn Display| {
            PayError::invalid(format!(
                "the body has to be a JSON object of the payment: {error}"
            ))
        };
        let text = str::from_utf8(body).map_err(|error| wrong(&error))?;
        let request = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        // Of metadata the last would win, without a word.
        refuse_repeated_names(text).map_err(|error| wrong(&error))?;
        Ok(request)
    }
}

/// What `create` made.
pub struct NewlyCreated {
    /// The payment.
    pub payment: Payment,
    /// Whether it had been made before, by a request with the same Idempotency-Key.
    pub repeated: bool,
}

impl Payments {
    /// Makes a payment. With `idempotency` (the key and the digest of the request's body) a repeated
    /// request gives the payment that the first one made.
    ///
    /// A payment of fee 0 is complete when this returns (`free`).
    pub async fn create(
        &self,
        caller: &Caller,
        request: &CreateRequest,
        idempotency: Option<(String, Digest)>,
    ) -> Result<NewlyCreated> {
        let (domain, test_key) = self.seller(caller, request.seller.as_deref()).await?;
        let test = test_key || request.test.unwrap_or(false);
        let idempotency = idempotency.map(|(key, body)| IdempotencyKey {
            // Apart, so that a test never answers for a live payment.
            verb: if test { "create test" } else { "create" }.into(),
            key,
            body,
        });
        if let Some(key) = idempotency.clone() {
            // Before anything else is judged: what was right then need not be right now.
            match self.0.store.created(&domain.name, key).await? {
                Some(Created::Repeated(id)) => return self.repeated(id).await,
                Some(Created::KeyUsedForOtherBody) => return Err(key_reused()),
                Some(Created::Made) | None => {}
            }
        }
        let now = now_ms();
        let total = read_fee(request)?;
        self.check_meta(&request.meta)?;
        read_client_ip(request.client_ip.as_deref())?;
        let mut payment = Payment {
            id: PaymentId::generate(),
            domain_id: domain.id.clone(),
            domain: domain.name.clone(),
            test,
            brief: read_brief(request)?,
            total,
            price_minor: read_price(request)?,
            state: State::New,
            fail_why: None,
            hold: None,
            late: false,
            refunded_minor: 0,
            created_ms: now,
            changed_ms: now,
            sent_ms: 0,
            closed_ms: 0,
            expires_ms: read_deadline(request.expi, now)?,
            pay_type: None,
            target: None,
            presentation: None,
            buyer: read_buyer(request)?,
            callback: None,
            applied_ms: 0,
            applied_result: None,
            offers: self.offers(&domain.name, test, total.is_zero()).await?,
            platforms: Map::new(),
            meta: request.meta.clone(),
            revision: 0,
        };
        note_library(&mut payment, request.buyer.as_deref());
        self.check_sending(request, &payment)?;
        let content = self
            .bind_callback(&mut payment, request.callback.as_deref())
            .await?;
        let mut line = Change {
            at: now,
            cause: "create".into(),
            from: None,
            to: State::New,
            trade_no: None,
            statement: None,
            detail: Map::new(),
        };
        let mut attempts = Vec::new();
        if total.is_zero() {
            attempts.push(self.complete_free(&mut payment, now).await?);
            line.to = State::Ok;
            line.detail.insert("free".into(), json!(true));
        }
        let deliver = payment.state == State::Ok && payment.callback.is_some();
        let created = self
            .0
            .store
            .create(NewPayment {
                payment: payment.clone(),
                attempts,
                history: vec![line],
                callback_content: content,
                deliver,
                idempotency,
            })
            .await?;
        match created {
            Created::Made => {
                self.rang(payment.id);
                Ok(NewlyCreated {
                    payment,
                    repeated: false,
                })
            }
            Created::Repeated(id) => self.repeated(id).await,
            Created::KeyUsedForOtherBody => Err(key_reused()),
        }
    }

    /// What an earlier request with the same key made.
    async fn repeated(&self, id: PaymentId) -> Result<NewlyCreated> {
        let case = self.0.store.case(id).await?;
        Ok(NewlyCreated {
            payment: case.ok_or_else(super::caller::no_such_payment)?.payment,
            repeated: true,
        })
    }

    /// A payment that is to be sent at once, and could not be, is not made.
    fn check_sending(&self, request: &CreateRequest, payment: &Payment) -> Result<()> {
        let target = request.pay_target.as_deref().filter(|t| !t.is_empty());
        match request.pay_tp.as_deref().filter(|tp| !tp.is_empty()) {
            None if target.is_some() || !request.args.is_empty() => Err(PayError::invalid(
                "pay_target and args are of use only when the payment is sent at once: give pay_tp too",
            )),
            // Nothing to pay is free, whatever else was asked for.
            Some(pay_type) if !payment.total.is_zero() => {
                self.offered(payment, pay_type, target).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Fee 0 and nothing else: a rule of the host. The component is asked for its words only.
    async fn complete_free(
        &self,
        payment: &mut Payment,
        now: Ams,
    ) -> Result<super::model::Attempt> {
        let chosen = self.choose(payment, "free", None).await?;
        let mut attempt = new_attempt(payment, &chosen, 1, Vec::new(), None, &self.0.options, now);
        let sent = self.call_send(payment, &attempt, &[]).await?;
        if let Ok(Some(notes)) = sent.map(|sent| sent.notes) {
            edit_platform(payment, "free", |kept| kept.extend(notes));
        }
        attempt.state = AttemptState::Ok;
        attempt.paid_minor = Some(0);
        attempt.leased_until_ms = 0;
        attempt.ask_at_ms = 0;
        payment.state = State::Ok;
        payment.pay_type = Some("free".into());
        payment.target = Some(String::new());
        payment.sent_ms = now;
        payment.closed_ms = now;
        Ok(attempt)
    }

    /// The domain that sells, and whether the caller's key is for tests only.
    async fn seller(&self, caller: &Caller, named: Option<&str>) -> Result<(Domain, bool)> {
        let (own, test) = match caller {
            Caller::Domain { name, test } => (Some(name.as_str()), *test),
            Caller::Root => (None, false),
            Caller::Op | Caller::Ticket(_) => {
                return Err(PayError::no_privilege("this key may not create payments"));
            }
        };
        let named = named.map(str::trim).filter(|name| !name.is_empty());
        let Some(wanted) = named.or(own) else {
            return Err(PayError::no_match_seller(
                "name the seller: the operator's key belongs to no domain",
            ));
        };
        let domain = self.find_domain(wanted).await?;
        match (domain, own) {
            (Some(domain), None) => Ok((domain, test)),
            (Some(domain), Some(own)) if domain.name == own => Ok((domain, test)),
            (None, None) => Err(PayError::no_match_seller("no domain of this name or id")),
            _ => Err(PayError::no_match_seller(
                "the seller is not the domain of this key",
            )),
        }
    }

    /// By name, by id, or by `ID:NAME` as the original writes it, where both have to fit.
    async fn find_domain(&self, wanted: &str) -> Result<Option<Domain>> {
        let (first, second) = match wanted.split_once(':') {
            Some((id, name)) => (id, Some(name)),
            None => (wanted, None),
        };
        if first.is_empty() && second.is_none_or(str::is_empty) {
            return Ok(None);
        }
        let domains = self.0.store.domains().await?;
        Ok(domains.into_iter().find(|domain| match second {
            None => domain.name == first || domain.id == first,
            Some(name) => {
                (first.is_empty() || domain.id == first) && (name.is_empty() || domain.name == name)
            }
        }))
    }

    fn check_meta(&self, meta: &Map<String, Value>) -> Result<()> {
        let platforms = self.0.providers.platforms();
        for name in meta.keys() {
            if view::is_reserved(name, &platforms) {
                return Err(PayError::reserved_name(format!(
                    "{name:?} is a name of the payment itself: give this metadata another name"
                )));
            }
            if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
                return Err(PayError::reserved_name(
                    "names of metadata have 1 to 128 bytes and no control characters",
                ));
            }
        }
        if meta
            .values()
            .any(|value| !is_shallow(value, MAX_META_DEPTH))
        {
            return Err(PayError::meta_too_large(format!(
                "the metadata is nested more than {MAX_META_DEPTH} levels deep"
            )));
        }
        if serde_json::to_string(meta).map_or(usize::MAX, |text| text.len()) > MAX_META {
            return Err(PayError::meta_too_large(
                "the metadata is larger than 64 KiB",
            ));
        }
        Ok(())
    }

    async fn bind_callback(
        &self,
        payment: &mut Payment,
        name: Option<&str>,
    ) -> Result<Option<Arc<Vec<u8>>>> {
        let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let content = self
            .0
            .home
            .home(&payment.domain)?
            .callback_to_bind(payment.test, name)
            .await?
            .ok_or_else(|| {
                PayError::no_callback(format!(
                    "the seller has no callback named {name:?}: upload it first"
                ))
            })?;
        payment.callback = Some(BoundCallback {
            name: name.to_owned(),
            kind: CallbackKind::Component,
            digest: Digest::of(&content),
            len: content.len() as u64,
        });
        Ok(Some(Arc::new(content)))
    }
}

/// Whether a value has at most so many levels of lists and objects.
fn is_shallow(value: &Value, levels: usize) -> bool {
    let inner = |below: &Value| levels > 0 && is_shallow(below, levels - 1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(inner),
        Value::Object(members) => levels > 0 && members.values().all(inner),
        _ => true,
    }
}

/// The buyer's address, in its usual form; platforms refuse anything else.
pub(super) fn read_client_ip(written: Option<&str>) -> Result<Option<String>> {
    let Some(written) = written.map(str::trim).filter(|ip| !ip.is_empty()) else {
        return Ok(None);
    };
    match written.parse::<IpAddr>() {
        Ok(ip) => Ok(Some(ip.to_string())),
        Err(_) => Err(PayError::invalid(
            "client_ip is not an IP address, such as 203.0.113.7 or 2001:db8::1",
        )),
    }
}

fn key_reused() -> PayError {
    PayError::key_reused(
        "this Idempotency-Key was used with another body: use a new key for a new payment",
    )
}

fn read_fee(request: &CreateRequest) -> Result<Money> {
    let text = match &request.fee {
        None => {
            return Err(PayError::invalid_fee(
                "give the fee in minor units, such as 2300 or \"2300RMB\"",
            ));
        }
        Some(Fee::Minor(minor)) => minor.to_string(),
        Some(Fee::Text(text)) => text.clone(),
        Some(Fee::Other(other)) => other.to_string(),
    };
    Money::parse(&text, request.cur.as_deref())
        .map_err(|error| PayError::invalid_fee(error.to_string()))
}

fn read_price(request: &CreateRequest) -> Result<Option<i64>> {
    match request.price {
        Some(price) if !(0..=Money::MAX_MINOR).contains(&price) => {
            Err(PayError::invalid_fee("the price is out of range"))
        }
        price => Ok(price),
    }
}

fn read_brief(request: &CreateRequest) -> Result<String> {
    let brief = request.brief.as_deref().unwrap_or("").trim();
    if brief.len() > MAX_BRIEF {
        return Err(PayError::invalid(format!(
            "the brief has more than {MAX_BRIEF} bytes"
        )));
    }
    Ok(brief.to_owned())
}

fn read_deadline(expi: Option<Ams>, now: Ams) -> Result<Ams> {
    match expi {
        None | Some(0) => Ok(now + DEFAULT_LIFE),
        Some(at) if at <= now => Err(PayError::invalid(
            "expi lies in the past: give milliseconds since 1970",
        )),
        Some(at) if at > now + LONGEST_LIFE => Err(PayError::invalid(
            "expi is more than 15 days away: platforms close payments then",
        )),
        Some(at) => Ok(at),
    }
}

fn read_buyer(request: &CreateRequest) -> Result<Buyer> {
    let text = |value: &Option<String>| value.as_deref().unwrap_or("").trim().to_owned();
    let mut buyer = Buyer {
        tp: request.buyer_tp.unwrap_or(0),
        id: text(&request.buyer_id),
        name: text(&request.buyer_nm),
    };
    if buyer.tp > 2 {
        return Err(PayError::invalid_buyer("buyer_tp is 0, 1 or 2"));
    }
    if let Some(written) = request
        .buyer
        .as_deref()
        .map(str::trim)
        .filter(|b| !b.is_empty())
    {
        let mut parts = written.splitn(3, ':');
        let (kind, id) = (
            parts.next().unwrap_or("").trim(),
            parts.next().unwrap_or("").trim(),
        );
        if !written.contains(':') {
            return Err(PayError::invalid_buyer(
                "write the buyer as TYPE:ID, such as walnut:45 or members:a1",
            ));
        }
        if kind.is_empty() || id.is_empty() {
            return Err(PayError::buyer_imperfect(
                "the buyer needs a type and an id: TYPE:ID",
            ));
        }
        buyer.tp = if kind == "walnut" { 1 } else { 2 };
        buyer.id = id.to_owned();
        if let Some(name) = parts.next() {
            buyer.name = name.trim().to_owned();
        }
    }
    if buyer.tp != 0 && buyer.id.is_empty() && buyer.name.is_empty() {
        return Err(PayError::buyer_imperfect(
            "the buyer has a type but neither id nor name",
        ));
    }
    if buyer.id.len() > MAX_NAME || buyer.name.len() > MAX_NAME {
        return Err(PayError::invalid_buyer(
            "the buyer's id or name has more than 256 bytes",
        ));
    }
    Ok(buyer)
}

/// The account library of a buyer written as `LIBRARY:ID`, kept beside the id.
fn note_library(payment: &mut Payment, written: Option<&str>) {
    let library = written
        .and_then(|written| written.split_once(':'))
        .map(|(kind, _)| kind.trim());
    if let Some(library) = library.filter(|_| payment.buyer.tp == 2) {
        payment.meta.insert("buyer_lib".into(), json!(library));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_nested_so_deep_and_no_deeper() {
        let nested = |levels: usize| {
            (0..levels).fold(json!(1), |inner, level| match level % 2 {
                0 => json!([inner]),
                _ => json!({ "a": inner }),
            })
        };
        assert!(is_shallow(&nested(MAX_META_DEPTH), MAX_META_DEPTH));
        assert!(!is_shallow(&nested(MAX_META_DEPTH + 1), MAX_META_DEPTH));
        assert!(is_shallow(&json!("text"), 0) && !is_shallow(&json!({}), 0));
    }

    #[test]
    fn the_buyers_address_is_one() {
        for (written, read) in [
            (None, None),
            (Some(" "), None),
            (Some(" 203.0.113.7 "), Some("203.0.113.7")),
            (Some("2001:DB8:0::1"), Some("2001:db8::1")),
        ] {
            assert_eq!(read_client_ip(written).unwrap().as_deref(), read);
        }
        for wrong in ["localhost", "203.0.113.7:80", "203.0.113.07", "<script>"] {
            assert!(read_client_ip(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
