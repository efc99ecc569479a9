//! Places for calls: as many as the engine has instances. Too busy is an answer, never a hang.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;

use super::call::Permits;
use super::error::Stop;
use super::limits;
use super::outbound::Outbound;

/// What every loaded plugin needs for a call.
pub(super) struct Pool {
    pub(super) engine: Engine,
    pub(super) outbound: Arc<Outbound>,
    places: Arc<Semaphore>,
    callback_places: Arc<Semaphore>,
    /// Of the domains whose callbacks run or wait.
    domain_places: Mutex<HashMap<String, Weak<Semaphore>>>,
    places_of_a_domain: usize,
}

impl Pool {
    pub(super) fn new(engine: Engine, instances: u32, outbound: Outbound) -> Pool {
        let places = |count: u32| Arc::new(Semaphore::new(count.max(1) as usize));
        let callbacks = instances / limits::CALLBACK_SHARE;
        Pool {
            engine,
            outbound: Arc::new(outbound),
            places: places(instances),
            callback_places: places(callbacks),
            domain_places: Mutex::default(),
            places_of_a_domain: (callbacks / limits::DOMAIN_SHARE).max(1) as usize,
        }
    }

    /// A place for a provider's call, at once or after a short wait.
    pub(super) async fn provider_place(&self) -> Result<Permits, Stop> {
        Ok(Permits {
            _pool: place(&self.places).await?,
            _shares: None,
        })
    }

    /// A place for a callback's run, in its domain's part of the share that callbacks have.
    pub(super) async fn callback_place(&self, domain: &str) -> Result<Permits, Stop> {
        let part = place(&self.places_of(domain)).await?;
        let share = place(&self.callback_places).await?;
        Ok(Permits {
            _pool: place(&self.places).await?,
            _shares: Some([part, share]),
        })
    }

    fn places_of(&self, domain: &str) -> Arc<Semaphore> {
        let mut domains = self
            .domain_places
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = domains.get(domain).and_then(Weak::upgrade) {
            return places;
        }
        domains.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(self.places_of_a_domain));
        domains.insert(domain.to_owned(), Arc::downgrade(&places));
        places
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Stop> {
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Ok(place);
    }
    match tokio::time::timeout(limits::POOL_WAIT, places.clone().acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => Err(Stop::Busy),
    }
}
