//! What is loaded: components, linked once, and the texts of scripts. It is found by digest, and the least recently
//! used unloaded. Calls that run keep what they use.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::OnceCell;

use crate::payment::model::Digest;

/// A component that is linked and ready to instantiate, or a script.
pub(super) struct Linked<P> {
    pub(super) ready: P,
    /// Of the compiled code, or of the text.
    pub(super) bytes: usize,
}

/// How much is kept.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) count: usize,
    pub(super) bytes: usize,
}

type Place<P> = Arc<OnceCell<Arc<Linked<P>>>>;

/// What is loaded of one kind.
pub(super) struct Registry<P> {
    places: Mutex<LruCache<Digest, Place<P>>>,
    bounds: Bounds,
}

impl<P> Registry<P> {
    pub(super) fn new(bounds: Bounds) -> Registry<P> {
        Registry {
            places: Mutex::new(LruCache::unbounded()),
            bounds,
        }
    }

    /// What has this digest, loaded when it is not there. Whoever asks meanwhile waits for the same loading; where it
    /// fails, the next one tries.
    pub(super) async fn get<E>(
        &self,
        digest: Digest,
        load: impl AsyncFnOnce() -> Result<Linked<P>, E>,
    ) -> Result<Arc<Linked<P>>, E> {
        let place = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            places.get_or_insert(digest, Place::default).clone()
        };
        if let Some(linked) = place.get() {
            return Ok(linked.clone());
        }
        let linked = place
            // Loading is rare and large: it takes no room in everybody's call.
            .get_or_try_init(async || Box::pin(load()).await.map(Arc::new))
            .await
            .cloned();
        self.unload_oldest();
        linked
    }

    /// How many there are and how many bytes they have.
    pub(super) fn loaded(&self) -> (usize, usize) {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = places.iter().filter_map(|(_, place)| place.get());
        loaded.fold((0, 0), |(count, bytes), linked| {
            (count + 1, bytes + linked.bytes)
        })
    }

    /// Keeps within both bounds; what was asked for last stays, however large it is.
    fn unload_oldest(&self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = |place: &Place<P>| place.get().map_or(0, |linked| linked.bytes);
        let mut bytes: usize = places.iter().map(|(_, place)| weight(place)).sum();
        while places.len() > 1 && (places.len() > self.bounds.count || bytes > self.bounds.bytes) {
            match places.pop_lru() {
                Some((_, place)) => bytes -= weight(&place),
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        count: 16,
        bytes: 1_000,
    };

    fn digest(number: usize) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    fn linked(number: usize, bytes: usize) -> Result<Linked<usize>, ()> {
        Ok(Linked {
            ready: number,
            bytes,
        })
    }

    #[tokio::test]
    async fn one_loading_serves_everybody_who_waits() {
        let registry = Registry::new(BOUNDS);
        let loads = std::cell::Cell::new(0);
        let load = async || {
            loads.set(loads.get() + 1);
            tokio::task::yield_now().await;
            linked(1, 10)
        };
        let (a, b) = tokio::join!(registry.get(digest(1), load), registry.get(digest(1), load),);
        assert_eq!((a.unwrap().ready, b.unwrap().ready, loads.get()), (1, 1, 1));
        // A loading that fails is not remembered.
        assert!(registry.get(digest(2), async || Err(())).await.is_err());
        assert_eq!(
            registry
                .get(digest(2), async || linked(2, 10))
                .await
                .unwrap()
                .ready,
            2
        );
    }

    #[tokio::test]
    async fn the_least_recently_used_are_unloaded() {
        let registry = Registry::new(BOUNDS);
        for number in 0..BOUNDS.count {
            registry
                .get(digest(number), async || linked(number, 1))
                .await
                .unwrap();
        }
        // The first is used again, so that the second is the oldest.
        registry.get(digest(0), async || Err(())).await.unwrap();
        registry
            .get(digest(9_999), async || linked(9_999, 1))
            .await
            .unwrap();
        assert!(registry.get(digest(0), async || Err(())).await.is_ok());
        assert!(registry.get(digest(1), async || Err(())).await.is_err());
        // One that fills the memory leaves no other.
        registry
            .get(digest(7), async || linked(7, BOUNDS.bytes))
            .await
            .unwrap();
        assert!(registry.get(digest(7), async || Err(())).await.is_ok());
    }
}
