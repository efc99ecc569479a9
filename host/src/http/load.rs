//! Load that is shed before memory grows: what comes beyond what the host holds at once is told to come again, with 503,
//! `Retry-After` and `e.http.busy`. A platform repeats its notification, a caller its request with the same `Idempotency-Key`.
//!
//! | kind | is | may be in work | memory of its bodies |
//! |---|---|---|---|
//! | [`Kind::Alive`] | `/healthz` | always: who ends a busy host makes the others busier | none |
//! | [`Kind::Ready`] | `/readyz` | a few: each waits for the disk | none |
//! | [`Kind::Open`] | what needs no key: notifications, signing in, pages | [`Incoming::requests`], a quarter of one source | [`Incoming::bodies_bytes`] |
//! | [`Kind::Keyed`] | everything else | as many again | as much again |
//!
//! The kinds share nothing, so that strangers take no place from callers. In work is what has no answer yet: streams
//! and WebSockets have bounds of their own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Listed;
use super::bodies::Memory;
use super::envelope::{BUSY, Failure};
use super::places::Places;
use super::source::Source;
use crate::config::Incoming;
use crate::payment::now_ms;

/// Questions at once whether the host is ready.
const READY_AT_ONCE: usize = 32;
/// One source has one place in so many of those for what needs no key.
const OF_ONE_SOURCE: usize = 4;
/// Between two lines of the log about what was shed.
const TOLD_EVERY_MS: u64 = 10_000;

/// What bounds the requests in work.
#[derive(Clone)]
pub(super) struct Load(Arc<Bounds>);

struct Bounds {
    ready: Arc<Places>,
    open: Bound,
    keyed: Bound,
    shed: Shed,
}

struct Bound {
    places: Arc<Places>,
    bodies: Memory,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Alive,
    Ready,
    Open,
    Keyed,
}

impl Kind {
    fn of(listed: Listed) -> Kind {
        match listed.path() {
            "/healthz" => Kind::Alive,
            "/readyz" => Kind::Ready,
            _ if listed.is_open() => Kind::Open,
            _ => Kind::Keyed,
        }
    }
}

impl Load {
    pub(super) fn new(incoming: &Incoming) -> Load {
        let requests = incoming.requests;
        let bound = |of_one: usize| Bound {
            places: Places::new(requests, of_one),
            bodies: Memory::new(incoming.bodies_bytes),
        };
        Load(Arc::new(Bounds {
            ready: Places::new(READY_AT_ONCE, READY_AT_ONCE),
            open: bound((requests / OF_ONE_SOURCE).max(1)),
            keyed: bound(requests),
            shed: Shed::default(),
        }))
    }
}

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
    let (place, bodies) = match Kind::of(listed) {
        Kind::Alive => return next.run(request).await,
        Kind::Ready => (bounds.ready.take(None), None),
        Kind::Open => (bounds.open.places.take(source), Some(&bounds.open.bodies)),
        Kind::Keyed => (bounds.keyed.places.take(None), Some(&bounds.keyed.bodies)),
    };
    let Some(_place) = place else {
        bounds.shed.tell("requests in work");
        return busy().into_response();
    };
    // Held until there is an answer: what was read is in memory until then.
    let room = bodies.map(Memory::room);
    if let Some(room) = &room {
        request.extensions_mut().insert(room.clone());
    }
    next.run(request).await
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
pub(super) struct Shed {
    told_ms: AtomicU64,
    since_told: AtomicU64,
}

impl Shed {
    pub(super) fn tell(&self, of: &'static str) {
        let times = 1 + self.since_told.fetch_add(1, Ordering::Relaxed);
        let (now, told) = (now_ms(), self.told_ms.load(Ordering::Relaxed));
        let is_mine = now.saturating_sub(told) >= TOLD_EVERY_MS
            && self
                .told_ms
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_mine {
            self.since_told.store(0, Ordering::Relaxed);
            tracing::warn!(
                of,
                times,
                "the host has as much as it holds, and sheds what comes beyond"
            );
        }
    }
}
