//! Places for calls: as many as the engine has instances. Too busy is an answer, never a hang.
//!
//! Who may wait long never holds all of them. Callbacks have a share, and in it each domain a part; so have calls
//! that ask a platform, and in it each domain and each platform. What both hold together leaves some places to calls
//! that only read what was received, so that notifications settle whatever else hangs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;

use super::error::Stop;
use super::limits;
use super::meter::Meter;
use super::outbound::Outbound;

/// What every loaded plugin needs for a call.
pub(super) struct Pool {
    pub(super) engine: Engine,
    pub(super) outbound: Arc<Outbound>,
    pub(super) counts: Arc<Meter>,
    /// How many there are: for all calls, for those that may wait, and of these for callbacks.
    places: [u32; 3],
    all: Arc<Semaphore>,
    /// All but those that are kept for calls that only read.
    waiting: Arc<Semaphore>,
    callbacks: Arc<Semaphore>,
    domains_with_callbacks: Parts,
    asking_domains: Parts,
    asked_platforms: Parts,
}

/// A place in the pool, with the shares and parts that it counts in; all are free when this is dropped.
pub(super) struct Permits(#[allow(dead_code, reason = "held")] Vec<OwnedSemaphorePermit>);

impl Pool {
    pub(super) fn new(engine: Engine, instances: u32, outbound: Outbound) -> Pool {
        let kept = (instances / limits::READING_SHARE)
            .max(1)
            .min(instances.saturating_sub(1));
        let waiting = instances - kept;
        let callbacks = instances / limits::CALLBACK_SHARE;
        Pool {
            engine,
            outbound: Arc::new(outbound),
            counts: Arc::default(),
            places: [instances, waiting, callbacks].map(|count| count.max(1)),
            all: places(instances),
            waiting: places(waiting),
            callbacks: places(callbacks),
            domains_with_callbacks: Parts::of(callbacks / limits::DOMAIN_SHARE),
            asking_domains: Parts::of(waiting - waiting / limits::OTHER_DOMAINS_SHARE),
            asked_platforms: Parts::of(waiting / limits::PLATFORM_SHARE),
        }
    }

    /// A place for a provider's call that only reads what was received.
    pub(super) async fn reading_place(&self) -> Result<Permits, Stop> {
        self.counted("reading", take([&self.all]).await)
    }

    /// A place for a provider's call that may wait for its platform, in the parts of the domain and of the platform.
    pub(super) async fn asking_place(&self, domain: &str, platform: &str) -> Result<Permits, Stop> {
        let domain = self.asking_domains.part(domain);
        let platform = self.asked_platforms.part(platform);
        let taken = take([&domain, &platform, &self.waiting, &self.all]).await;
        self.counted("asking", taken)
    }

    /// A place for a callback's run, in its domain's part of the share that callbacks have.
    pub(super) async fn callback_place(&self, domain: &str) -> Result<Permits, Stop> {
        let domain = self.domains_with_callbacks.part(domain);
        let taken = take([&domain, &self.callbacks, &self.waiting, &self.all]).await;
        self.counted("callbacks", taken)
    }

    fn counted(&self, kind: &'static str, taken: Result<Permits, Stop>) -> Result<Permits, Stop> {
        if taken.is_err() {
            self.counts.found_no_place(kind);
        }
        taken
    }

    /// The places that there are, and how many of them are taken now, by whom they are for.
    pub(super) fn used(&self) -> [(&'static str, usize, usize); 3] {
        let [all, waiting, callbacks] = self.places.map(|count| count as usize);
        let taken =
            |places: usize, free: &Semaphore| places.saturating_sub(free.available_permits());
        [
            ("all", all, taken(all, &self.all)),
            ("waiting", waiting, taken(waiting, &self.waiting)),
            ("callbacks", callbacks, taken(callbacks, &self.callbacks)),
        ]
    }
}

/// Equal parts of a share, by name; those that nobody uses or waits for are forgotten.
struct Parts {
    places: u32,
    used: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Parts {
    fn of(places: u32) -> Parts {
        Parts {
            places,
            used: Mutex::default(),
        }
    }

    fn part(&self, name: &str) -> Arc<Semaphore> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = used.get(name).and_then(Weak::upgrade) {
            return part;
        }
        used.retain(|_, part| part.strong_count() > 0);
        let part = places(self.places);
        used.insert(name.to_owned(), Arc::downgrade(&part));
        part
    }
}

fn places(count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count.max(1) as usize))
}

/// One place of each, at once or after a short wait for all of them.
async fn take<const N: usize>(from: [&Arc<Semaphore>; N]) -> Result<Permits, Stop> {
    let taking = async {
        let mut taken = Vec::with_capacity(N);
        for places in from {
            taken.push(places.clone().acquire_owned().await.ok()?);
        }
        Some(taken)
    };
    match tokio::time::timeout(limits::POOL_WAIT, taking).await {
        Ok(Some(taken)) => Ok(Permits(taken)),
        Ok(None) | Err(_) => Err(Stop::Busy),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn pool(instances: u32) -> Pool {
        Pool::new(Engine::default(), instances, Outbound::new(false))
    }

    /// A place if there is one now.
    fn free(place: impl Future<Output = Result<Permits, Stop>>) -> Option<Permits> {
        match pin!(place).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => place.ok(),
            Poll::Pending => None,
        }
    }

    /// Takes places for asking until there is none.
    fn asking(pool: &Pool, domain: &str, platform: &str) -> Vec<Permits> {
        std::iter::from_fn(|| free(pool.asking_place(domain, platform))).collect()
    }

    #[tokio::test]
    async fn a_domain_that_waits_for_its_platforms_leaves_places_to_the_others() {
        let pool = pool(16);
        let mut mine = asking(&pool, "shop", "zfb");
        mine.extend(asking(&pool, "shop", "wx"));
        assert_eq!(mine.len(), 11, "of 14 places for calls that may wait");
        assert_eq!(asking(&pool, "rival", "wx").len(), 3);
        drop(mine);
        assert!(free(pool.asking_place("shop", "zfb")).is_some());
    }

    #[tokio::test]
    async fn a_platform_that_hangs_leaves_places_to_the_others() {
        let pool = pool(16);
        let hanging = ["a", "b", "c", "d"].map(|domain| asking(&pool, domain, "wx"));
        assert_eq!(hanging.iter().map(Vec::len).sum::<usize>(), 7);
        assert!(free(pool.asking_place("a", "zfb")).is_some());
    }

    #[tokio::test]
    async fn notifications_find_a_place_when_everything_else_waits() {
        for instances in [2, 3, 16] {
            let pool = pool(instances);
            let mut waiting = Vec::new();
            for domain in ["a", "b", "c", "d"] {
                waiting.extend(std::iter::from_fn(|| free(pool.callback_place(domain))));
                waiting.extend(asking(&pool, domain, "wx"));
                waiting.extend(asking(&pool, domain, "zfb"));
            }
            assert!(free(pool.reading_place()).is_some(), "{instances}");
        }
        // With a single instance there is nothing to keep apart.
        assert!(free(pool(1).asking_place("a", "zfb")).is_some());
    }

    #[tokio::test]
    async fn who_comes_too_late_is_told_so() {
        let pool = pool(1);
        let _only = pool.reading_place().await.ok().unwrap();
        assert!(matches!(pool.reading_place().await, Err(Stop::Busy)));
    }
}
