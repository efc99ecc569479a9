//! `create`: makes a payment, freezes what is on offer, binds the callback.

mod request;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::error::{PayError, Result};
use super::model::{
    Ams, AttemptState, BoundCallback, CallbackKind, Change, Digest, Payment, PaymentId, State,
};
use super::send::new_attempt;
use super::settle::edit_platform;
use super::targets::check_args;
use super::{Payments, now_ms, view};
use crate::store::{Created, Domain, IdempotencyKey, NewPayment};
pub use request::CreateRequest;
pub(crate) use request::Fee;
pub(super) use request::read_client_ip;
use request::{
    MAX_META, MAX_META_DEPTH, is_shallow, note_library, read_brief, read_buyer, read_deadline,
    read_fee, read_price,
};

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
                let (provider, _) = self.offered(payment, pay_type, target)?;
                check_args(&provider, pay_type, &request.args)
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
            Caller::Domain { name, test, .. } => (Some(name.as_str()), *test),
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
            kind: CallbackKind::of(&content),
            digest: Digest::of(&content),
            len: content.len() as u64,
        });
        Ok(Some(Arc::new(content)))
    }
}

fn key_reused() -> PayError {
    PayError::key_reused(
        "this Idempotency-Key was used with another body: use a new key for a new payment",
    )
}
