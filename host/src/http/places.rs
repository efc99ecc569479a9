//! Places that those who come in take, of which one source has a part at most.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many places.
pub(super) struct Places {
    free: Arc<Semaphore>,
    of_one: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    of: Option<(Arc<Places>, IpAddr)>,
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Full {
    /// All are taken.
    All,
    /// The source has its part.
    OfSource,
}

impl Places {
    /// `all` of them, of which one source has `of_one` at most.
    pub(super) fn new(all: usize, of_one: usize) -> Arc<Places> {
        Arc::new(Places {
            free: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            of_one,
            taken: Mutex::default(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this source; for nobody in particular, where it is none. Nobody waits: there is one or there is not.
    pub(super) fn take(self: &Arc<Places>, source: Option<IpAddr>) -> Option<Place> {
        self.ask(source).ok()
    }

    /// The same, with the reason where there is none.
    pub(super) fn ask(self: &Arc<Places>, source: Option<IpAddr>) -> Result<Place, Full> {
        let permit = Arc::clone(&self.free).try_acquire_owned();
        let permit = permit.map_err(|_| Full::All)?;
        let of = match source.map(network) {
            None => None,
            Some(source) => {
                let mut taken = self.taken();
                let count = taken.entry(source).or_insert(0);
                if *count >= self.of_one {
                    return Err(Full::OfSource);
                }
                *count += 1;
                Some((Arc::clone(self), source))
            }
        };
        Ok(Place {
            _permit: permit,
            of,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, source)) = &self.of else {
            return;
        };
        let mut taken = places.taken();
        match taken.get_mut(source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(source)),
        }
    }
}

/// What one party has of addresses: with IPv6 a network of 64 bits.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_has_its_part_and_leaves_the_rest() {
        let places = Places::new(4, 2);
        let take = |from: &str| places.take(Some(from.parse().unwrap()));
        let held = [take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let ask = |from: &str| places.ask(Some(from.parse().unwrap())).err();
        assert_eq!(ask("192.0.2.1"), Some(Full::OfSource));
        assert!(take("::ffff:192.0.2.1").is_none(), "the same, written else");
        let other = take("192.0.2.2").unwrap();
        drop(held);
        assert!(take("192.0.2.1").is_some());
        drop(other);
        assert!(places.taken().is_empty(), "nothing is left behind");

        // A party has a network.
        let held = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        let rest = [take("2001:db8:0:1::1"), places.take(None)];
        assert!(rest.iter().all(Option::is_some));
        assert!(take("192.0.2.3").is_none(), "all are taken");
        assert!(places.take(None).is_none());
        assert_eq!(ask("192.0.2.3"), Some(Full::All));
        drop((held, rest));
        assert_eq!(places.free.available_permits(), 4);
    }
}
