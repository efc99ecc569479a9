//! Places for calls: as many as the engine has instances. Too busy is an answer, never a hang.

use std::sync::Arc;

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
}

impl Pool {
    pub(super) fn new(engine: Engine, instances: u32, outbound: Outbound) -> Pool {
        let places = |count: u32| Arc::new(Semaphore::new(count.max(1) as usize));
        Pool {
            engine,
            outbound: Arc::new(outbound),
            places: places(instances),
            callback_places: places(instances / limits::CALLBACK_SHARE),
        }
    }

    /// A place for a provider's call, at once or after a short wait.
    pub(super) async fn provider_place(&self) -> Result<Permits, Stop> {
        Ok(Permits {
            _pool: place(&self.places).await?,
            _share: None,
        })
    }

    /// A place for a callback's run, in the share that callbacks have.
    pub(super) async fn callback_place(&self) -> Result<Permits, Stop> {
        let share = place(&self.callback_places).await?;
        Ok(Permits {
            _pool: place(&self.places).await?,
            _share: Some(share),
        })
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
