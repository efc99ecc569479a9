//! Background work: questions that are due (查单), refunds on their way, callbacks to deliver, payments that nobody
//! can pay any more. Everything is in the store; this room only wakes up, leases and calls the verbs, so that
//! a crash loses nothing but time.

mod others;
mod running;
mod sweeping;

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::logging::SPANS;
use crate::payment::model::{Ams, Attempt, Refund};
use crate::payment::{Payments, now_ms};
use crate::store::{CallRoom, Delivery, DeliveryRoom, StoreError};
use running::Running;

/// Questions under way at once: platforms limit requests to some tens a second per merchant.
const ASKS_AT_ONCE: u32 = 16;
/// Of these, of one domain: one whose platform does not answer leaves room to the others.
const ASKS_OF_A_DOMAIN: u32 = 4;
/// Of these, at one platform: one that does not answer leaves room to the others.
const ASKS_OF_A_PLATFORM: u32 = 8;
/// Refunds under way at once: they are rare, and nobody waits for them.
const REFUNDS_AT_ONCE: u32 = 4;
/// Of these, of one domain, and at one platform, for the same reasons.
const REFUNDS_OF_A_DOMAIN: u32 = 2;
const REFUNDS_OF_A_PLATFORM: u32 = 3;
/// Deliveries under way at once: no more than the plugin host keeps places for callbacks. [`DeliveryRoom`] says what of
/// them one domain may hold.
const DELIVERIES_AT_ONCE: u32 = 16;
/// A delivery is leased for longer than a callback may run; afterwards another may take it over.
const DELIVERY_LEASE: Ams = 60_000;
/// Longer than a provider's call may last.
const ASK_LEASE: Ams = 45_000;
/// Looks at the store at least this often, whatever it was told.
const AT_LEAST_EVERY: Duration = Duration::from_secs(30);
/// Between two looks at the store for deliveries, however often the bell rings: every payment that settles rings it.
const SHORTEST: Duration = Duration::from_millis(2);
/// The same for work that is due seconds after it was written down, and not at once: every payment that is sent rings the
/// bell.
const SHORTEST_FOR_LATER: Duration = Duration::from_millis(50);
/// The same while work is under way: its end is a reason to look in any case.
const SHORTEST_WHILE_BUSY: Duration = Duration::from_millis(20);
/// Where nothing fits, an end or the bell is a reason to look; this is for what becomes due by its time.
const WHEN_NOTHING_FITS: Duration = Duration::from_millis(250);
/// Payments that are ended in one go.
const EXPIRIES_AT_ONCE: u32 = 100;
/// After the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Runs until `stop`, then lets what was begun come to its end.
pub async fn run(payments: Payments, stop: CancellationToken) {
    tokio::join!(
        others::listen(&payments, &stop),
        attend("asking", &payments, &stop, ASKS_AT_ONCE, Work::Asking),
        attend(
            "delivering",
            &payments,
            &stop,
            DELIVERIES_AT_ONCE,
            Work::Delivering
        ),
        attend(
            "refunding",
            &payments,
            &stop,
            REFUNDS_AT_ONCE,
            Work::Refunding
        ),
        attend("expiring", &payments, &stop, 1, Work::Expiring),
        sweeping::sweep(&payments, &stop),
        tidy_audit(&payments, &stop),
    );
}

/// Writes what refusals came to, now and then.
async fn tidy_audit(payments: &Payments, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AT_LEAST_EVERY) => payments.tidy_audit(),
        }
    }
}

#[derive(Clone, Copy)]
enum Work {
    Asking,
    Delivering,
    Refunding,
    Expiring,
}

/// One kind of work: begin what is due while there is room, sleep until the next is due, until the
/// bell rings, or until a place is free. What takes long keeps its place and holds up nothing else.
async fn attend(
    what: &'static str,
    payments: &Payments,
    stop: &CancellationToken,
    at_once: u32,
    work: Work,
) {
    let mut bell = payments.bell();
    let mut running = Running::default();
    while !stop.is_cancelled() {
        let looked = Instant::now();
        let room = running.room(at_once);
        let pause = match begin(payments, work, room, &mut running).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, what, "background work");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            true = running.one_ends() => {}
            rung = bell.changed() => if rung.is_err() { break },
        }
        tokio::time::sleep_until(looked + shortest(work)).await;
    }
    while running.one_ends().await {}
}

/// Between two looks at the store for this work.
fn shortest(work: Work) -> Duration {
    match work {
        Work::Delivering => SHORTEST,
        Work::Asking | Work::Refunding | Work::Expiring => SHORTEST_FOR_LATER,
    }
}

/// Begins what is due, and says how long there is nothing to begin.
async fn begin(
    payments: &Payments,
    work: Work,
    room: u32,
    running: &mut Running,
) -> Result<Duration, StoreError> {
    if room == 0 {
        return Ok(AT_LEAST_EVERY);
    }
    // What waits is due by the clock, and somebody may have set it.
    if let Err(error) = payments.look_at_clock().await {
        tracing::error!(%error, "the clock");
        return Ok(AFTER_FAILURE);
    }
    let now = clock(payments, work);
    let mut next = next_due(payments, work).await?;
    // Looking is a read, which holds up nobody; beginning is a write.
    if next.is_some_and(|at| at <= now) {
        match begin_due(payments, work, now, room, running).await? {
            Begun::Failed => return Ok(AFTER_FAILURE),
            Begun::NothingFits => return Ok(WHEN_NOTHING_FITS),
            Begun::Looked => next = next_due(payments, work).await?,
        }
    }
    Ok(until(next, clock(payments, work), running))
}

/// The time by which this work is due.
fn clock(payments: &Payments, work: Work) -> Ams {
    match work {
        Work::Expiring => payments.deadline_now(),
        Work::Asking | Work::Delivering | Work::Refunding => now_ms(),
    }
}

/// When the next of this work is due.
async fn next_due(payments: &Payments, work: Work) -> Result<Option<Ams>, StoreError> {
    let store = payments.store();
    match work {
        Work::Asking => store.next_ask().await,
        Work::Delivering => store.next_delivery().await,
        Work::Refunding => store.next_refund().await,
        Work::Expiring => store.next_expiry().await,
    }
}

/// What came of beginning what is due.
enum Begun {
    /// As much as there was room for.
    Looked,
    /// Nothing: all that is due is of domains that hold their share.
    NothingFits,
    /// It failed, and is better left for a while.
    Failed,
}

/// Begins what is due now.
async fn begin_due(
    payments: &Payments,
    work: Work,
    now: Ams,
    room: u32,
    running: &mut Running,
) -> Result<Begun, StoreError> {
    let store = payments.store();
    match work {
        Work::Asking => {
            let room = CallRoom {
                places: room,
                of_a_domain: ASKS_OF_A_DOMAIN,
                of_a_platform: ASKS_OF_A_PLATFORM,
                under_way: running.under_way(),
            };
            for due in store.claim_asks(now, now + ASK_LEASE, room).await? {
                let payments = payments.clone();
                let lane = (due.domain, due.attempt.target.platform.clone());
                running.begin(Some(lane), async move {
                    ask(&payments, &due.attempt).await;
                });
            }
        }
        Work::Delivering => {
            let room = DeliveryRoom {
                places: room,
                under_way: running.domains(),
            };
            let leased_until = now + DELIVERY_LEASE;
            let leased = store.lease_deliveries(now, leased_until, room).await?;
            if leased.is_empty() {
                return Ok(Begun::NothingFits);
            }
            for delivery in leased {
                let payments = payments.clone();
                let lane = (delivery.domain.clone(), String::new());
                running.begin(
                    Some(lane),
                    async move { deliver(&payments, &delivery).await },
                );
            }
        }
        Work::Refunding => {
            let room = CallRoom {
                places: room,
                of_a_domain: REFUNDS_OF_A_DOMAIN,
                of_a_platform: REFUNDS_OF_A_PLATFORM,
                under_way: running.under_way(),
            };
            for due in store.claim_refunds(now, now + ASK_LEASE, room).await? {
                let payments = payments.clone();
                let lane = (due.domain, due.platform);
                running.begin(Some(lane), async move {
                    refund_once(&payments, &due.refund).await;
                });
            }
        }
        Work::Expiring => {
            for id in store.expired(now, EXPIRIES_AT_ONCE).await? {
                if let Err(error) = payments.expire(id).await {
                    tracing::error!(%id, %error, "expiring");
                    return Ok(Begun::Failed);
                }
            }
        }
    }
    Ok(Begun::Looked)
}

/// What is due and has no room waits for a place.
fn until(next: Option<Ams>, now: Ams, running: &Running) -> Duration {
    let pause = next.map_or(AT_LEAST_EVERY, |at| {
        Duration::from_millis(at.saturating_sub(now)).min(AT_LEAST_EVERY)
    });
    if running.is_empty() {
        pause.max(SHORTEST)
    } else {
        pause.max(SHORTEST_WHILE_BUSY)
    }
}

async fn ask(payments: &Payments, attempt: &Attempt) {
    let span = tracing::info_span!(target: SPANS, "asking");
    if let Err(error) = payments.ask(attempt).instrument(span).await {
        tracing::warn!(trade_no = %attempt.trade_no, %error, "asking");
    }
}

async fn refund_once(payments: &Payments, refund: &Refund) {
    let span = tracing::info_span!(target: SPANS, "refunding");
    if let Err(error) = payments.pursue_refund(refund).instrument(span).await {
        tracing::warn!(refund_no = %refund.refund_no, %error, "refunding");
    }
}

async fn deliver(payments: &Payments, delivery: &Delivery) {
    let span = tracing::info_span!(target: SPANS, "delivering");
    if let Err(error) = payments.deliver(delivery).instrument(span).await {
        tracing::error!(key = %delivery.key, %error, "delivering");
    }
}

#[cfg(test)]
mod tests;
