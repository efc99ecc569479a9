//! How many requests of a domain are under way at a time, and so how many connections it has open: a domain whose receivers
//! are slow has no more of the host's sockets than that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Unsent;
use super::clients::Purpose;
use crate::plugin::limits;

/// The gates of the domains that have requests under way.
#[derive(Default)]
pub(super) struct Gates(Mutex<HashMap<Whose, Arc<Semaphore>>>);

/// Of which domain, and what for.
type Whose = (String, Purpose);

/// The place of one request, until it is dropped.
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    whose: Whose,
    gates: Arc<Gates>,
}

impl Gates {
    fn gates(&self) -> MutexGuard<'_, HashMap<Whose, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a request, which is waited for as long as for a connection.
    pub(super) async fn enter(
        self: &Arc<Gates>,
        domain: &str,
        purpose: Purpose,
    ) -> Result<Place, Unsent> {
        let whose = (domain.to_owned(), purpose);
        let gate = {
            let mut gates = self.gates();
            let gate = gates
                .entry(whose.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(limits::DOMAIN_REQUESTS)));
            Arc::clone(gate)
        };
        // Made before it is waited for, so that whoever gives up leaves nothing behind.
        let mut place = Place {
            permit: None,
            whose,
            gates: Arc::clone(self),
        };
        let entered = tokio::time::timeout(limits::CONNECT_TIMEOUT, gate.acquire_owned()).await;
        match entered {
            Ok(Ok(permit)) => {
                place.permit = Some(permit);
                Ok(place)
            }
            _ => Err(Unsent::NotSent(format!(
                "the domain {domain} has {} requests under way, and none of them ended",
                limits::DOMAIN_REQUESTS
            ))),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut gates = self.gates.gates();
        self.permit = None;
        // Whoever is inside, or waits, holds it too.
        if gates
            .get(&self.whose)
            .is_some_and(|gate| Arc::strong_count(gate) == 1)
        {
            gates.remove(&self.whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_domain_has_so_many_requests_under_way_and_keeps_nobody_else_waiting() {
        let gates = Arc::new(Gates::default());
        let mut places = Vec::new();
        for _ in 0..limits::DOMAIN_REQUESTS {
            places.push(gates.enter("busy", Purpose::Callback).await.unwrap());
        }
        let more = gates.enter("busy", Purpose::Callback).await;
        assert!(matches!(more, Err(Unsent::NotSent(_))));
        let others = [
            gates.enter("busy", Purpose::Platform).await.unwrap(),
            gates.enter("shop", Purpose::Callback).await.unwrap(),
        ];
        let waiting = tokio::spawn({
            let gates = Arc::clone(&gates);
            async move { gates.enter("busy", Purpose::Callback).await }
        });
        tokio::task::yield_now().await;
        places.pop();
        drop(waiting.await.unwrap().unwrap());
        assert_eq!(gates.gates().len(), 3);
        drop((places, others));
        assert!(gates.gates().is_empty());
    }
}
