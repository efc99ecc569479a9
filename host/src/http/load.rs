//! Load that is shed before memory grows: what comes beyond what the host holds at once is told to come again, with 503,
//! `Retry-After` and `e.http.busy`. A platform repeats its notification, a caller its request with the same `Idempotency-Key`.
//!
//! | kind | is | may be in work | memory of its bodies |
//! |---|---|---|---|
//! | [`Kind::Alive`] | `/healthz` | always: who ends a busy host makes the others busier | none |
//! | [`Kind::Ready`] | `/readyz` | a few: each waits for the disk | none |
//! | [`Kind::Notified`] | notifications of platforms | [`Incoming::requests`], a quarter of one source | [`Incoming::bodies_bytes`], a quarter of one source |
//! | [`Kind::Open`] | what else needs no key: signing in, pages | as many again | as much again |
//! | [`Kind::Keyed`] | everything else | as many again: a quarter of one domain, its tickets among them, and [`OF_TICKET`] of one ticket | as much again, a quarter of one domain |
//! | [`Kind::Upload`] | that of it which takes components | the same places | as much again, a quarter of one domain, and never less than one upload takes |
//!
//! The kinds share nothing else, so that strangers take no place from callers, nor pages from platforms. A caller is one when
//! it is known whose the key is: whoever shows one has a place among as many again until then, a quarter of them from one
//! source. For the operator's keys [`KEPT_FREE`] places are kept that nobody else takes, so that a busy host can be looked at.
//!
//! In work is what has no answer yet: streams and WebSockets have bounds of their own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Listed;
use super::auth::By;
use super::bodies::{self, Memory};
use super::envelope::{BUSY, Failure};
use super::places::{Parties, Party, Place, Places};
use super::source::Source;
use super::{COMPONENT_BYTES, JSON_BYTES, NOTIFICATION_BYTES};
use crate::config::Incoming;
use crate::logging::Seldom;
use crate::payment::caller::Caller;
use crate::payment::model::PaymentId;
use crate::payment::{Payments, now_ms};

/// Questions at once whether the host is ready.
const READY_AT_ONCE: usize = 32;
/// One source, or one domain, has one in so many of the places, and of the memory.
const OF_ONE: usize = 4;
/// Requests at once with one ticket: a buyer has a page or two.
const OF_TICKET: usize = 16;
/// Places of the operator's own.
const KEPT_FREE: usize = 32;
/// Payments of which it is known whose they are, for those who come with tickets.
const KNOWN_PAYMENTS: usize = 4_096;

/// What bounds the requests in work.
#[derive(Clone)]
pub(super) struct Load(Arc<Bounds>);

struct Bounds {
    ready: Arc<Places>,
    notified: Bound,
    open: Bound,
    /// For those of whom it is not known yet whose their keys are.
    unknown: Arc<Places>,
    keyed: Bound,
    uploads: Memory,
    kept_free: Bound,
    /// Whose a payment is never changes.
    domains: Mutex<HashMap<PaymentId, Arc<str>>>,
    shed: Arc<Shed>,
}

struct Bound {
    places: Arc<Places>,
    bodies: Memory,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Alive,
    Ready,
    Notified,
    Open,
    Keyed,
    Upload,
}

impl Kind {
    fn of(listed: Listed) -> Kind {
        match (listed.is_open(), listed.path()) {
            (true, "/healthz") => Kind::Alive,
            (true, "/readyz") => Kind::Ready,
            (true, path) if is_below(path, "/pay/re") => Kind::Notified,
            (true, _) => Kind::Open,
            (false, path) if is_below(path, "/pay/callback") => Kind::Upload,
            (false, path) if is_below(path, "/pay/provider") => Kind::Upload,
            (false, _) => Kind::Keyed,
        }
    }
}

fn is_below(path: &str, above: &str) -> bool {
    let below = path.strip_prefix(above);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Load {
    pub(super) fn new(incoming: &Incoming) -> Load {
        let shed = Arc::default();
        let (requests, bytes) = (incoming.requests, incoming.bodies_bytes);
        let part = (requests / OF_ONE).max(1);
        let one = bodies::most(JSON_BYTES);
        let memory = |all: usize, least: usize| {
            let of_one = (all / OF_ONE).max(least);
            Memory::new(all.max(least), of_one, (of_one / OF_ONE).max(one), &shed)
        };
        let bound = |largest: usize| Bound {
            places: Places::with_tickets(requests, part, OF_TICKET),
            bodies: memory(bytes, bodies::most(largest)),
        };
        Load(Arc::new(Bounds {
            ready: Places::new(READY_AT_ONCE, READY_AT_ONCE),
            notified: bound(NOTIFICATION_BYTES),
            open: bound(JSON_BYTES),
            unknown: Places::new(requests, part),
            keyed: bound(JSON_BYTES),
            uploads: memory(bytes, bodies::most(COMPONENT_BYTES)),
            kept_free: Bound {
                places: Places::new(KEPT_FREE, KEPT_FREE),
                bodies: memory(OF_ONE * one, one),
            },
            domains: Mutex::default(),
            shed,
        }))
    }

    fn shed(&self, of: &'static str) -> Response {
        self.0.shed.tell(of);
        busy().into_response()
    }

    /// The domain of a payment; that of a payment which is not there any more is one with all of those.
    async fn domain_of(&self, payments: &Payments, id: PaymentId) -> Arc<str> {
        let known = || {
            let domains = self.0.domains.lock();
            domains.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(domain) = known().get(&id) {
            return Arc::clone(domain);
        }
        let Ok(Some(case)) = payments.store().case(id).await else {
            return Arc::default();
        };
        let domain: Arc<str> = case.payment.domain.into();
        let mut known = known();
        if known.len() >= KNOWN_PAYMENTS {
            known.clear();
        }
        known.insert(id, Arc::clone(&domain));
        domain
    }
}

/// The place of a request while it is not known yet whose its key is.
#[derive(Clone)]
struct Unknown(#[expect(dead_code, reason = "held until it is dropped")] Arc<Place>);

/// Lets a request through where there is a place for it; its row in the table of callers is known.
pub(super) async fn bounded(
    State(load): State<Load>,
    mut request: Request,
    next: Next,
) -> Response {
    let bounds = &*load.0;
    let source = request.extensions().get::<Source>();
    let source: Option<IpAddr> = source.map(|Source(address)| *address);
    let Some(&listed) = request.extensions().get::<Listed>() else {
        return next.run(request).await;
    };
    let bound = match Kind::of(listed) {
        Kind::Alive => return next.run(request).await,
        Kind::Ready => {
            let Some(_place) = bounds.ready.take(None) else {
                return load.shed("requests in work");
            };
            return next.run(request).await;
        }
        Kind::Keyed | Kind::Upload => {
            let Some(place) = bounds.unknown.take(source) else {
                return load.shed("requests in work");
            };
            request.extensions_mut().insert(Unknown(Arc::new(place)));
            return next.run(request).await;
        }
        Kind::Notified => &bounds.notified,
        Kind::Open => &bounds.open,
    };
    let by: Parties = [source.map(Party::source), None];
    let Ok(place) = bound.places.ask_as(by.clone()) else {
        return load.shed("requests in work");
    };
    in_work(place, &bound.bodies, by, request, next).await
}

/// The same for a request whose caller is known by now, where it has one.
pub(super) async fn placed(
    State((load, payments)): State<(Load, Payments)>,
    mut request: Request,
    next: Next,
) -> Response {
    let bounds = &*load.0;
    let extensions = request.extensions();
    let (Some(by), Some(&listed)) = (extensions.get::<By>(), extensions.get::<Listed>()) else {
        return next.run(request).await;
    };
    let is_operators = matches!(by.0, Caller::Root | Caller::Op);
    let by: Parties = match by.0.clone() {
        Caller::Root | Caller::Op => [None, None],
        Caller::Domain { name, .. } => [Some(Party::Domain(name.into())), None],
        Caller::Ticket(id) => {
            let domain = load.domain_of(&payments, id).await;
            [Some(Party::Domain(domain)), Some(Party::Ticket(id))]
        }
    };
    let (place, bodies) = match bounds.keyed.places.ask_as(by.clone()) {
        Ok(place) => (place, &bounds.keyed.bodies),
        Err(_) if is_operators => match bounds.kept_free.places.take(None) {
            Some(place) => (place, &bounds.kept_free.bodies),
            None => return load.shed("requests in work"),
        },
        Err(_) => return load.shed("requests in work"),
    };
    let bodies = match Kind::of(listed) {
        Kind::Upload => &bounds.uploads,
        _ => bodies,
    };
    drop(request.extensions_mut().remove::<Unknown>());
    in_work(place, bodies, by, request, next).await
}

/// Holds the place, and what is taken for the body, until there is an answer: what was read is in memory until then.
async fn in_work(
    _place: Place,
    bodies: &Memory,
    by: Parties,
    mut request: Request,
    next: Next,
) -> Response {
    let room = bodies.room(by);
    request.extensions_mut().insert(room.clone());
    let response = next.run(request).await;
    drop(room);
    response
}

/// What is told who comes beyond what the host holds.
pub(super) fn busy() -> Failure {
    Failure::of_http(
        BUSY,
        "the host has as much in work as it holds: try again in a moment, with the same Idempotency-Key where there is one",
    )
}

/// Tells the operator what is shed, now and then.
#[derive(Default)]
pub(super) struct Shed(Seldom);

impl Shed {
    pub(super) fn tell(&self, of: &'static str) {
        if let Some(times) = self.0.happened(1, now_ms()) {
            tracing::warn!(
                of,
                times,
                "the host has as much as it holds, and sheds what comes beyond"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/security.md");

    #[test]
    fn the_page_has_these_numbers() {
        let largest = bodies::most(COMPONENT_BYTES).div_ceil(1 << 20);
        for says in [
            format!("and one ticket {OF_TICKET};"),
            format!("for the operator's keys {KEPT_FREE} are kept besides"),
            format!("the largest one takes ({largest} MiB)"),
        ] {
            assert!(PAGE.contains(&says), "docs/security.md has to say: {says}");
        }
        assert_eq!(OF_ONE, 4, "a quarter");
        assert_eq!(bodies::MAX_VALUES, 10_000, "in the words of refusals too");
    }

    #[test]
    fn each_address_is_of_its_kind() {
        for (path, kind) in [
            ("/pay/re", Kind::Notified),
            ("/pay/re/t/{token}", Kind::Notified),
            ("/pay/refused", Kind::Keyed),
            ("/pay/ajax/create", Kind::Keyed),
            ("/pay/callback/{name}", Kind::Upload),
            ("/pay/provider", Kind::Upload),
            ("/pay/till", Kind::Open),
            ("/healthz", Kind::Alive),
            ("/readyz", Kind::Ready),
        ] {
            let listed = Listed::of_path(path).unwrap();
            assert_eq!(Kind::of(listed), kind, "{path}");
        }
    }
}
