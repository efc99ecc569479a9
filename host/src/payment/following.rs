//! Who follows a payment hears of each change as it commits: the buyer's page, the till, an owner's console.
//!
//! Whoever follows one payment is woken by that payment alone, however many pages are open and whatever happens to
//! others'. What another host committed is heard of as soon ([`News`](crate::store::News)); what was not heard is
//! found by the look that is due anyway ([`LOOK_EVERY`]), which also brings the next question to the platform forward.
//!
//! The places are shared out so that nobody takes them all. A domain's payments have as many followers as there are places
//! left: half of them where the domain is alone, half of the rest where another has as many, and there is always one for the
//! next. Pages without a key take half of that, so that those with a key or a ticket have the rest, and of one source
//! [`MOST_OF_A_SOURCE`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{Payment, PaymentId};
use super::state::is_final;
use super::{Payments, view};
use crate::party::network;

/// Followers of one host: each holds a connection, and a connection some 20 kB.
const MOST: usize = 20_000;
/// Of one payment: a buyer's windows, a till and an owner who looks on.
const MOST_OF_ONE: usize = 64;
/// Of the pages of one source that have no key: more than a source has connections, as it is preset.
const MOST_OF_A_SOURCE: usize = MOST / 8;
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
    /// How many of them each has; who has none is not in it.
    parts: HashMap<Party, usize>,
    closed: bool,
}

/// Who has a part of the places.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Party {
    /// Whose payments are followed.
    Domain(String),
    /// Where pages without a key come from.
    Source(Option<IpAddr>),
}

impl Party {
    fn source(address: Option<IpAddr>) -> Party {
        Party::Source(address.map(network))
    }
}

impl Lines {
    fn part(&self, party: &Party) -> usize {
        self.parts.get(party).copied().unwrap_or(0)
    }

    /// Whether there is a place for one more who follows this domain's payment, without a key from that source.
    fn check_parts(&self, domain: &Party, source: Option<&Party>) -> Result<()> {
        let free = MOST.saturating_sub(self.followers);
        let for_domain = match source {
            None => free,
            Some(_) => free / 2,
        };
        let full = if free == 0 {
            "too many follow payments at this host already: ask with get instead"
        } else if self.part(domain) >= for_domain {
            "too many follow payments of this domain already: ask with get instead"
        } else if source.is_some_and(|source| self.part(source) >= MOST_OF_A_SOURCE) {
            "too many pages of your address follow payments already: ask with get instead"
        } else {
            return Ok(());
        };
        Err(PayError::too_busy(full))
    }
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

    /// A place to follow this domain's payment; for a page without a key, one of its source.
    fn join(
        self: &Arc<Followers>,
        id: PaymentId,
        domain: &str,
        source: Option<Party>,
    ) -> Result<Place> {
        let mut lines = self.lines();
        if lines.closed {
            return Err(PayError::too_busy(
                "the host is stopping: come back in a moment",
            ));
        }
        let of_it = lines.of.get(&id).map_or(0, |line| line.followers);
        if of_it >= MOST_OF_ONE {
            return Err(PayError::too_busy(
                "too many follow this payment already: ask with get instead",
            ));
        }
        let domain = Party::Domain(domain.to_owned());
        lines.check_parts(&domain, source.as_ref())?;
        let parties: Vec<Party> = [domain].into_iter().chain(source).collect();
        lines.followers += 1;
        for party in &parties {
            *lines.parts.entry(party.clone()).or_default() += 1;
        }
        let line = lines.of.entry(id).or_insert_with(|| Line {
            bell: watch::channel(()).0,
            followers: 0,
        });
        line.followers += 1;
        Ok(Place {
            bell: line.bell.subscribe(),
            id,
            parties,
            followers: Arc::clone(self),
        })
    }

    fn leave(&self, place: &mut Place) {
        let mut lines = self.lines();
        lines.followers = lines.followers.saturating_sub(1);
        for party in place.parties.drain(..) {
            if let Entry::Occupied(mut part) = lines.parts.entry(party) {
                match part.get() {
                    0 | 1 => drop(part.remove()),
                    more => drop(part.insert(more - 1)),
                }
            }
        }
        if let Some(line) = lines.of.get_mut(&place.id) {
            line.followers = line.followers.saturating_sub(1);
            if line.followers == 0 {
                lines.of.remove(&place.id);
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
    parties: Vec<Party>,
    followers: Arc<Followers>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let followers = Arc::clone(&self.followers);
        followers.leave(self);
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
        self.follow_by(caller, id, seen, None).await
    }

    /// Follows one payment for a page that has no key, and comes from there.
    pub async fn follow_without_key(
        &self,
        id: PaymentId,
        source: Option<IpAddr>,
    ) -> Result<Following> {
        let source = Party::source(source);
        self.follow_by(Caller::Ticket(id), id, None, Some(source))
            .await
    }

    async fn follow_by(
        &self,
        caller: Caller,
        id: PaymentId,
        seen: Option<u64>,
        source: Option<Party>,
    ) -> Result<Following> {
        let case = self.case_for(&caller, Act::Read, id).await?;
        let place = self.0.followers.join(id, &case.payment.domain, source)?;
        Ok(Following {
            payments: self.clone(),
            caller,
            place,
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

    fn join(followers: &Arc<Followers>, id: PaymentId) -> Result<Place> {
        followers.join(id, "shop", None)
    }

    /// Takes places until there are no more, each at another payment; what is said then.
    fn fill(
        followers: &Arc<Followers>,
        domain: &str,
        source: Option<&str>,
    ) -> (Vec<Place>, PayError) {
        let mut places = Vec::new();
        loop {
            let source = source.map(|source| Party::source(Some(source.parse().unwrap())));
            match followers.join(PaymentId::generate(), domain, source) {
                Ok(place) => places.push(place),
                Err(error) => return (places, error),
            }
        }
    }

    #[test]
    fn who_goes_leaves_nothing_behind() {
        let followers = Arc::new(Followers::default());
        let (one, other) = (PaymentId::generate(), PaymentId::generate());
        let places: Vec<_> = (0..3).map(|_| join(&followers, one).unwrap()).collect();
        let source = Party::source(None);
        let mut alone = followers.join(other, "rival", Some(source)).unwrap();
        followers.tell(one);
        assert!(places.iter().all(|place| place.bell.has_changed().unwrap()));
        assert!(!alone.bell.has_changed().unwrap());
        followers.tell(other);
        assert!(alone.bell.has_changed().unwrap());
        alone.bell.mark_unchanged();
        drop((places, alone));
        let lines = followers.lines();
        assert!(lines.of.is_empty() && lines.parts.is_empty());
        assert_eq!(lines.followers, 0);
    }

    #[test]
    fn a_payment_has_room_for_so_many() {
        let followers = Arc::new(Followers::default());
        let id = PaymentId::generate();
        let places: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| join(&followers, id).unwrap())
            .collect();
        assert_eq!(join(&followers, id).err().unwrap().status(), 429);
        let another = join(&followers, PaymentId::generate());
        assert!(another.is_ok());
        drop(places);
        assert!(join(&followers, id).is_ok());
    }

    #[test]
    fn a_domain_leaves_places_to_the_others() {
        let followers = Arc::new(Followers::default());
        let (places, refused) = fill(&followers, "shop", None);
        assert_eq!(places.len(), MOST / 2);
        assert_eq!((refused.status(), refused.code()), (429, "e.pay.busy"));
        assert!(refused.message().contains("this domain"));
        let (others, _) = fill(&followers, "rival", None);
        assert_eq!(others.len(), MOST / 4);
        let (third, _) = fill(&followers, "third", None);
        assert_eq!(third.len(), MOST / 8);
        drop(others);
        assert!(join(&followers, PaymentId::generate()).is_err());
        drop(third);
        drop(places);
        assert!(join(&followers, PaymentId::generate()).is_ok());
    }

    #[test]
    fn pages_without_a_key_leave_places_to_other_sources_and_to_those_with_one() {
        let followers = Arc::new(Followers::default());
        let (one, refused) = fill(&followers, "shop", Some("2001:db8::1"));
        assert_eq!(one.len(), MOST_OF_A_SOURCE);
        assert!(refused.message().contains("your address"));
        let (none, _) = fill(&followers, "shop", Some("2001:db8::2"));
        assert!(none.is_empty(), "the same network");
        let (other, _) = fill(&followers, "shop", Some("192.0.2.1"));
        assert_eq!(other.len(), MOST_OF_A_SOURCE);
        // However many sources there are, they leave places of the domain.
        let (third, refused) = fill(&followers, "shop", Some("192.0.2.2"));
        assert!(third.len() < MOST_OF_A_SOURCE);
        assert!(refused.message().contains("this domain"));
        let (keyed, _) = fill(&followers, "shop", None);
        assert!(keyed.len() > MOST / 8, "{}", keyed.len());
        assert!(followers.join(PaymentId::generate(), "rival", None).is_ok());
    }

    #[tokio::test]
    async fn a_host_that_stops_lets_go_of_everybody() {
        let followers = Arc::new(Followers::default());
        let mut place = join(&followers, PaymentId::generate()).unwrap();
        followers.close();
        assert!(place.bell.changed().await.is_err());
        assert!(join(&followers, PaymentId::generate()).is_err());
    }
}
