//! Who calls: an API key or a ticket, by `Authorization: Bearer …`; a ticket by `?ticket=` too, since
//! the buyer's page is opened by its address; whoever signed in to a page, by the session's cookie.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::audit::Who;
use super::envelope::Failure;
use super::session;
use crate::payment::Payments;
use crate::payment::caller::Caller;
use crate::payment::error::PayError;
use crate::payment::key_ends::HeldKey;
use crate::payment::keys::InSession;
use crate::payment::ticket::Tickets;

/// The caller of a request, whom the table of [`access`](super::access) let through, and until when it is one.
#[derive(Clone)]
pub(super) struct By(pub(super) Caller, Proof);

/// What a caller is known by.
#[derive(Clone)]
struct Proof {
    /// The id of a key; none for a ticket.
    key: Option<String>,
    /// None for what is no session.
    session: Option<InSession>,
}

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<By, Failure> {
        let by = parts.extensions.get::<By>().cloned();
        by.ok_or_else(|| needed().into())
    }
}

fn needed() -> PayError {
    PayError::unauthorized("send the header Authorization: Bearer <key or ticket>")
}

impl By {
    /// Finds out who asks; without a key, ticket or session the request ends with 401. `looks_after` says that only the
    /// host itself is looked at.
    pub(super) async fn find(
        parts: &mut Parts,
        payments: &Payments,
        looks_after: bool,
    ) -> Result<By, Failure> {
        let known = match bearer(parts)?.or_else(|| ticket_of_query(parts)) {
            Some(token) if looks_after => payments.known_to_look_after(&token).await?,
            Some(token) => payments.known(&token).await?,
            None => match session::of(parts, payments)? {
                Some(session) => payments.known_of_session(&session).await?,
                None => return Err(needed().into()),
            },
        };
        if let Some(who) = parts.extensions.get::<Who>() {
            who.is(&known);
        }
        let proof = Proof {
            key: known.key,
            session: known.session,
        };
        Ok(By(known.caller, proof))
    }
}

fn bearer(parts: &Parts) -> Result<Option<String>, Failure> {
    let Some(value) = parts.headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned())
    });
    token.map(Some).ok_or_else(|| {
        PayError::unauthorized("the header has to be Authorization: Bearer <key or ticket>").into()
    })
}

fn ticket_of_query(parts: &Parts) -> Option<String> {
    let query = parts.uri.query()?;
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "ticket" && Tickets::is_ticket(value))
        .map(|(_, value)| value.into_owned())
}

impl By {
    /// Holds on to what the caller is known by, for what goes on after the request was answered.
    pub(super) fn hold(&self, payments: &Payments) -> HeldKey {
        payments.hold(self.1.key.as_deref(), self.1.session)
    }

    /// The operator alone.
    pub(super) fn root(&self) -> Result<(), Failure> {
        match self.0 {
            Caller::Root => Ok(()),
            _ => Err(PayError::no_privilege("only the operator's root key may do that").into()),
        }
    }

    /// The operator, or whoever looks after the host.
    pub(super) fn operator(&self) -> Result<(), Failure> {
        match self.0 {
            Caller::Root | Caller::Op => Ok(()),
            _ => Err(PayError::no_privilege("only the operator's keys may do that").into()),
        }
    }

    /// The domain whose things are changed: the caller's own, or for `root` the one that is named.
    pub(super) async fn domain(
        &self,
        payments: &Payments,
        named: Option<&str>,
    ) -> Result<String, Failure> {
        match self.0 {
            Caller::Op => Err(PayError::no_privilege("this key may only look").into()),
            _ => self.domain_to_see(payments, named).await,
        }
    }

    /// The same where its things are only looked at, as `op` may too.
    pub(super) async fn domain_to_see(
        &self,
        payments: &Payments,
        named: Option<&str>,
    ) -> Result<String, Failure> {
        let wanted = match (&self.0, named) {
            (Caller::Domain { name, .. }, None) => return Ok(name.clone()),
            (Caller::Domain { name, .. }, Some(named)) if named == name => return Ok(name.clone()),
            (Caller::Root | Caller::Op, Some(named)) => named,
            (Caller::Root | Caller::Op, None) => {
                return Err(PayError::invalid("name the domain: ?domain=NAME").into());
            }
            _ => return Err(PayError::no_privilege("this key may not do that").into()),
        };
        let found = payments
            .store()
            .domain(wanted)
            .await
            .map_err(PayError::from)?;
        Ok(found
            .ok_or_else(|| PayError::not_found("no such domain"))?
            .name)
    }

    /// Whether the caller's key is for tests alone.
    pub(super) fn is_test_key(&self) -> bool {
        self.0.is_test_key()
    }

    /// Whether the caller may know of what is for tests, or of what is live. What it may not know of is not there.
    pub(super) fn sees(&self, test: bool) -> bool {
        test || !self.is_test_key()
    }
}
