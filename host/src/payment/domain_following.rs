//! Who looks after a domain hears of every change of its payments as it commits: an owner's console, a shop's own server.
//!
//! What changed is told by the commits of this host and of others ([`News`](crate::store::News)), and each payment is then
//! read as the follower may see it. Where that was too much at once, where a connection broke, and from time to time
//! anyway, the payments are found by the time of their change instead.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use lru::LruCache;
use serde_json::{Map, json};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::look::Question;
use super::model::{Ams, Payment, PaymentId};
use super::{Payments, now_ms};

/// Followers of one host: each reads what it tells.
const MOST: usize = 512;
/// Of one domain: its consoles and its servers.
const MOST_OF_ONE: usize = 32;
/// What changes within that time is told together, and a payment that changes twice in it once.
const TOGETHER: Duration = Duration::from_millis(100);
/// More changed payments than that in one go are looked for by time.
const MOST_TOGETHER: usize = 64;
/// Whoever missed more than that looks anew.
const MOST_MISSED: u32 = 500;
/// What no commit told of is found by then.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Changes are not committed in the order of their times, and hosts' clocks differ.
const OVERLAP: Ams = 10_000;
/// Payments of which it is known what was told last.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2_047);
/// So long at a time; browsers come back by themselves.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// Who follows which domain; `None` is all of them.
pub(super) struct DomainFollowers {
    lines: Mutex<HashMap<Option<String>, usize>>,
    closed: watch::Sender<bool>,
}

impl Default for DomainFollowers {
    fn default() -> DomainFollowers {
        DomainFollowers {
            lines: Mutex::default(),
            closed: watch::channel(false).0,
        }
    }
}

impl DomainFollowers {
    fn lines(&self) -> MutexGuard<'_, HashMap<Option<String>, usize>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(self: &Arc<DomainFollowers>, domain: Option<String>) -> Result<Place> {
        let closed = self.closed.subscribe();
        if *closed.borrow() {
            return Err(PayError::too_busy(
                "the host is stopping: come back in a moment",
            ));
        }
        let mut lines = self.lines();
        let of_it = lines.get(&domain).copied().unwrap_or(0);
        if lines.values().sum::<usize>() >= MOST || of_it >= MOST_OF_ONE {
            return Err(PayError::too_busy(
                "too many follow this domain or this host already: ask with query instead",
            ));
        }
        lines.insert(domain.clone(), of_it + 1);
        Ok(Place {
            domain,
            closed,
            followers: Arc::clone(self),
        })
    }

    fn leave(&self, domain: &Option<String>) {
        let mut lines = self.lines();
        if let Some(of_it) = lines.get_mut(domain) {
            *of_it = of_it.saturating_sub(1);
            if *of_it == 0 {
                lines.remove(domain);
            }
        }
    }

    /// Ends everybody's following: the host stops.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }
}

/// A follower's place, given back when it goes.
struct Place {
    domain: Option<String>,
    closed: watch::Receiver<bool>,
    followers: Arc<DomainFollowers>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.followers.leave(&self.domain);
    }
}

/// What a follower is told.
pub enum Told {
    /// From now on; the follower knew nothing before.
    Begun,
    /// A payment looks like this now.
    Changed(Box<Payment>),
    /// More happened than is told one by one: look anew.
    Behind,
}

/// A domain's payments, followed.
pub struct DomainFollowing {
    payments: Payments,
    caller: Caller,
    place: Place,
    heard: broadcast::Receiver<PaymentId>,
    ready: VecDeque<Told>,
    /// The latest change that was told.
    position: Ams,
    told: LruCache<PaymentId, u64>,
    misses: bool,
    looked: Instant,
    until: Instant,
}

impl DomainFollowing {
    /// When the latest change of which the follower knows was made: what it says when it comes back.
    pub fn position(&self) -> Ams {
        self.position
    }

    /// What is told next. `None` when the host stops, or the caller has to show its key once more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Told>> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                if let Told::Changed(payment) = &told {
                    self.position = self.position.max(payment.changed_ms);
                }
                return Ok(Some(told));
            }
            if std::mem::take(&mut self.misses) {
                self.look().await?;
                continue;
            }
            let Some(changed) = self.gather().await else {
                return Ok(None);
            };
            for id in changed {
                self.read(id).await?;
            }
        }
    }

    /// Waits for changes, and takes together what changed in one go.
    async fn gather(&mut self) -> Option<BTreeSet<PaymentId>> {
        let mut changed = BTreeSet::new();
        let look_at = self.looked + LOOK_EVERY;
        let first = tokio::select! {
            first = self.heard.recv() => first,
            _ = self.place.closed.wait_for(|closed| *closed) => return None,
            () = sleep_until(self.until) => return None,
            () = sleep_until(look_at) => {
                self.misses = true;
                return Some(changed);
            }
        };
        let mut next = first;
        let until = Instant::now() + TOGETHER;
        loop {
            match next {
                Ok(id) if changed.len() < MOST_TOGETHER => {
                    changed.insert(id);
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    // Behind the look, only what comes after it is listened to.
                    self.heard = self.heard.resubscribe();
                    self.misses = true;
                    return Some(BTreeSet::new());
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
            match timeout_at(until, self.heard.recv()).await {
                Ok(heard) => next = heard,
                Err(_) => return Some(changed),
            }
        }
    }

    async fn read(&mut self, id: PaymentId) -> Result<()> {
        match self.payments.case_for(&self.caller, Act::Read, id).await {
            Ok(case) => self.tell(case.payment),
            // Another's, or gone.
            Err(error) if error.status() == 404 => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn tell(&mut self, payment: Payment) {
        let of_it = self.place.domain.as_ref();
        if of_it.is_some_and(|domain| *domain != payment.domain)
            || self.told.put(payment.id, payment.revision) == Some(payment.revision)
        {
            return;
        }
        self.ready.push_back(Told::Changed(Box::new(payment)));
    }

    /// What changed since the latest change that was told, and a little before.
    async fn look(&mut self) -> Result<()> {
        self.looked = Instant::now();
        let now = now_ms();
        let from = self.position.saturating_sub(OVERLAP);
        let mut matching = Map::new();
        matching.insert("lm".to_owned(), json!(format!("[{from},]")));
        if let Some(domain) = &self.place.domain {
            matching.insert("seller_nm".to_owned(), json!(domain));
        }
        let question = Question {
            matching: &matching,
            zone: TimeZone::UTC,
            sort: Some("lm:1"),
            skip: None,
            after: None,
            limit: Some(MOST_MISSED),
            count: false,
        };
        let found = self.payments.query(&self.caller, &question).await?.payments;
        if found.len() >= MOST_MISSED as usize {
            self.position = self.position.max(now);
            self.ready.push_back(Told::Behind);
            return Ok(());
        }
        for payment in found {
            self.tell(payment);
        }
        Ok(())
    }
}

impl Payments {
    /// Follows all payments of a domain that the caller may see; those of all domains where none is named. `since` is the
    /// position that the follower knows already, from before its connection broke; what changed shortly before it may be
    /// told once more.
    ///
    /// # Errors
    /// With a ticket, which is good for one payment, and where too many follow.
    pub fn follow_domain(
        &self,
        caller: Caller,
        domain: Option<String>,
        since: Option<Ams>,
    ) -> Result<DomainFollowing> {
        let domain = match &caller {
            Caller::Root | Caller::Op => domain,
            Caller::Domain { name, .. } => Some(name.clone()),
            Caller::Ticket(_) => {
                return Err(PayError::no_privilege(
                    "a ticket is good for one payment: name its id",
                ));
            }
        };
        let now = now_ms();
        let begun = match since {
            None => VecDeque::from([Told::Begun]),
            Some(_) => VecDeque::new(),
        };
        Ok(DomainFollowing {
            payments: self.clone(),
            caller,
            // Listening begins before the look, so that nothing falls in between.
            heard: self.0.changed.subscribe(),
            place: self.0.domain_followers.join(domain)?,
            ready: begun,
            position: since.unwrap_or(now).min(now),
            told: LruCache::new(REMEMBERED),
            misses: since.is_some(),
            looked: Instant::now(),
            until: Instant::now() + LASTS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_room_for_so_many_and_leaves_nothing_behind() {
        let followers = Arc::new(DomainFollowers::default());
        let one = || Some("shop".to_owned());
        let places: Vec<_> = (0..MOST_OF_ONE)
            .map(|_| followers.join(one()).unwrap())
            .collect();
        assert_eq!(followers.join(one()).err().unwrap().status(), 429);
        let another = followers.join(Some("other".to_owned()));
        assert!(another.is_ok());
        drop((places, another));
        assert!(followers.lines().is_empty());
        let all: Vec<_> = (0..MOST)
            .map(|number| followers.join(Some(number.to_string())).unwrap())
            .collect();
        assert_eq!(followers.join(one()).err().unwrap().status(), 429);
        drop(all);
        followers.close();
        assert!(followers.join(one()).is_err());
    }
}
