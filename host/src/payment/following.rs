//! Who follows a payment hears of each change as it commits: the buyer's page, the till, an owner's console.
//!
//! Whoever follows one payment is woken by that payment alone, however many pages are open and whatever happens to
//! others'. What another host committed is heard of as soon ([`News`](crate::store::News)); what was not heard is
//! found by the look that is due anyway ([`LOOK_EVERY`]), which also brings the next question to the platform forward.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{Payment, PaymentId};
use super::state::is_final;
use super::{Payments, view};

/// Followers of one host: each holds a connection, and a connection some 20 kB.
const MOST: usize = 20_000;
/// Of one payment: a buyer's windows, a till and an owner who looks on.
const MOST_OF_ONE: usize = 64;
/// While a payment can still be paid: as often as the platform is asked when somebody waits.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Afterwards, for what comes late.
const LOOK_EVERY_WHEN_OVER: Duration = Duration::from_secs(30);

/// Who follows which payment.
#[derive(Default)]
pub(super) struct Followers(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    of: HashMap<PaymentId, Line>,
    followers: usize,
    closed: bool,
}

struct Line {
    bell: watch::Sender<()>,
    followers: usize,
}

impl Followers {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The payment changed.
    pub(super) fn tell(&self, id: PaymentId) {
        if let Some(line) = self.lines().of.get(&id) {
            line.bell.send_replace(());
        }
    }

    fn join(self: &Arc<Followers>, id: PaymentId) -> Result<Place> {
        let mut lines = self.lines();
        if lines.closed {
            return Err(PayError::too_busy(
                "the host is stopping: come back in a moment",
            ));
        }
        let of_it = lines.of.get(&id).map_or(0, |line| line.followers);
        if lines.followers >= MOST || of_it >= MOST_OF_ONE {
            return Err(PayError::too_busy(
                "too many follow this payment or this host already: ask with get instead",
            ));
        }
        lines.followers += 1;
        let line = lines.of.entry(id).or_insert_with(|| Line {
            bell: watch::channel(()).0,
            followers: 0,
        });
        line.followers += 1;
        Ok(Place {
            bell: line.bell.subscribe(),
            id,
            followers: Arc::clone(self),
        })
    }

    fn leave(&self, id: PaymentId) {
        let mut lines = self.lines();
        lines.followers = lines.followers.saturating_sub(1);
        if let Some(line) = lines.of.get_mut(&id) {
            line.followers = line.followers.saturating_sub(1);
            if line.followers == 0 {
                lines.of.remove(&id);
            }
        }
    }

    /// Ends everybody's following: the host stops.
    pub(super) fn close(&self) {
        let mut lines = self.lines();
        lines.closed = true;
        lines.of.clear();
    }
}

/// A follower's place, given back when it goes.
struct Place {
    bell: watch::Receiver<()>,
    id: PaymentId,
    followers: Arc<Followers>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.followers.leave(self.id);
    }
}

/// One payment, followed.
pub struct Following {
    payments: Payments,
    caller: Caller,
    place: Place,
    seen: Option<Seen>,
}

/// What the follower knows already.
enum Seen {
    /// By the number that it was given with it.
    Revision(u64),
    /// As it looked.
    Payment(Box<Payment>),
}

impl Seen {
    fn is(&self, payment: &Payment) -> bool {
        match self {
            Seen::Revision(revision) => *revision == payment.revision,
            // A question that is brought forward makes a revision too, and changes nothing that can be seen.
            Seen::Payment(seen) => {
                seen.revision == payment.revision
                    || view::payment(seen, 0) == view::payment(payment, 0)
            }
        }
    }
}

impl Following {
    /// The payment as it is now, then whenever it looks different. `None` when the host stops.
    ///
    /// # Errors
    /// When the store cannot be read, or the payment is gone.
    pub async fn next(&mut self) -> Result<Option<Payment>> {
        loop {
            self.place.bell.mark_unchanged();
            let payment = self.payments.get(&self.caller, self.place.id).await?;
            if !self.seen.as_ref().is_some_and(|seen| seen.is(&payment)) {
                self.seen = Some(Seen::Payment(Box::new(payment.clone())));
                return Ok(Some(payment));
            }
            let every = if is_final(payment.state) {
                LOOK_EVERY_WHEN_OVER
            } else {
                LOOK_EVERY
            };
            let rung = tokio::time::timeout(every, self.place.bell.changed()).await;
            if matches!(rung, Ok(Err(_))) {
                return Ok(None);
            }
        }
    }
}

impl Payments {
    /// Follows one payment that the caller may see. `seen` is the revision that the follower knows already, from before
    /// its connection broke.
    pub async fn follow(
        &self,
        caller: Caller,
        id: PaymentId,
        seen: Option<u64>,
    ) -> Result<Following> {
        self.case_for(&caller, Act::Read, id).await?;
        Ok(Following {
            payments: self.clone(),
            caller,
            place: self.0.followers.join(id)?,
            seen: seen.map(Seen::Revision),
        })
    }

    /// Ends everybody's following, so that their connections end.
    pub fn end_following(&self) {
        self.0.followers.close();
        self.0.domain_followers.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_leaves_nothing_behind() {
        let followers = Arc::new(Followers::default());
        let (one, other) = (PaymentId::generate(), PaymentId::generate());
        let places: Vec<_> = (0..3).map(|_| followers.join(one).unwrap()).collect();
        let mut alone = followers.join(other).unwrap();
        followers.tell(one);
        assert!(places.iter().all(|place| place.bell.has_changed().unwrap()));
        assert!(!alone.bell.has_changed().unwrap());
        followers.tell(other);
        assert!(alone.bell.has_changed().unwrap());
        alone.bell.mark_unchanged();
        drop((places, alone));
        let lines = followers.lines();
        assert!(lines.of.is_empty());
        assert_eq!(lines.followers, 0);
    }

    #[test]
    fn a_payment_has_room_for_so_many() {
        let followers = Arc::new(Followers::default());
        let id = PaymentId::generate();
        let places: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| followers.join(id).unwrap())
            .collect();
        assert_eq!(followers.join(id).err().unwrap().status(), 429);
        let another = followers.join(PaymentId::generate());
        assert!(another.is_ok());
        drop(places);
        assert!(followers.join(id).is_ok());
    }

    #[tokio::test]
    async fn a_host_that_stops_lets_go_of_everybody() {
        let followers = Arc::new(Followers::default());
        let mut place = followers.join(PaymentId::generate()).unwrap();
        followers.close();
        assert!(place.bell.changed().await.is_err());
        assert!(followers.join(PaymentId::generate()).is_err());
    }
}
