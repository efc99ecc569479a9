//! The operator's keys that the store said were good a while ago: so that whoever looks after the host can still look at
//! it when the store does not answer.
//!
//! Of a key there is what the store has, its keyed hash. What another host does to a key is not heard of before the
//! key is used here again, so that each is kept for a day at most, and is good for nothing that shows or changes a payment.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::model::Ams;
use crate::store::StoredKey;

/// Keys that are kept: those by which hosts are looked after are few.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// How long what the store said of one counts.
const COUNTS_FOR: Duration = Duration::from_secs(24 * 3600);

/// Changes are counted in so many parts, so that whoever tries one key after another does not keep the operator's from
/// being remembered.
const PARTS: usize = 256;

/// The keys, by their ids.
pub(super) struct Remembered {
    kept: Mutex<Kept>,
    parts: RandomState,
}

struct Kept {
    keys: LruCache<String, Seen>,
    /// Each grows whenever a key of its part is forgotten: what was read before that is not kept.
    changes: [u64; PARTS],
}

struct Seen {
    key: Arc<StoredKey>,
    at: Instant,
}

impl Default for Remembered {
    fn default() -> Remembered {
        Remembered {
            kept: Mutex::new(Kept {
                keys: LruCache::new(KEPT),
                changes: [0; PARTS],
            }),
            parts: RandomState::new(),
        }
    }
}

impl Remembered {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, id: &str) -> usize {
        let parts = u64::try_from(PARTS).unwrap_or(1);
        usize::try_from(self.parts.hash_one(id) % parts).unwrap_or(0)
    }

    /// Before the store is asked for a key; it goes with what the store says.
    pub(super) fn asking(&self, id: &str) -> u64 {
        let part = self.part(id);
        self.kept().changes.get(part).copied().unwrap_or(0)
    }

    /// What the store said of a key when it was asked.
    pub(super) fn heard(&self, id: &str, found: Option<&Arc<StoredKey>>, asking: u64) {
        let Some(key) = found else {
            return self.forget(id);
        };
        let part = self.part(id);
        let mut kept = self.kept();
        if key.domain.is_none() && kept.changes.get(part) == Some(&asking) {
            let seen = Seen {
                key: Arc::clone(key),
                at: Instant::now(),
            };
            kept.keys.push(id.to_owned(), seen);
        }
    }

    /// It was revoked, or changed.
    pub(super) fn forget(&self, id: &str) {
        let part = self.part(id);
        let mut kept = self.kept();
        kept.keys.pop(id);
        if let Some(changes) = kept.changes.get_mut(part) {
            *changes += 1;
        }
    }

    /// A key that was good a while ago and has not ended since.
    pub(super) fn get(&self, id: &str, now: Ams) -> Option<Arc<StoredKey>> {
        let mut kept = self.kept();
        let seen = kept.keys.get(id)?;
        let counts = seen.at.elapsed() < COUNTS_FOR && seen.key.is_good_at(now);
        counts.then(|| Arc::clone(&seen.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, domain: Option<&str>, expires_ms: Ams) -> Arc<StoredKey> {
        Arc::new(StoredKey {
            id: id.to_owned(),
            name: String::new(),
            domain: domain.map(str::to_owned),
            role: "op".to_owned(),
            test: false,
            refunds: true,
            hash: [1; 32],
            created_ms: 1,
            expires_ms,
            used_ms: 0,
            successor: None,
        })
    }

    #[test]
    fn an_operators_key_is_remembered_until_it_ends_or_is_seen_to_be_revoked() {
        let remembered = Remembered::default();
        let hear = |found: &Arc<StoredKey>| {
            let asking = remembered.asking(&found.id);
            remembered.heard(&found.id, Some(found), asking);
        };
        hear(&key("op", None, 50));
        hear(&key("shop", Some("shop"), 0));
        assert!(remembered.get("op", 49).is_some());
        assert!(remembered.get("op", 50).is_none(), "it has ended");
        assert!(remembered.get("shop", 1).is_none(), "a domain's");
        assert!(remembered.get("other", 1).is_none());
        remembered.heard("op", None, remembered.asking("op"));
        assert!(remembered.get("op", 1).is_none());
    }

    #[test]
    fn what_was_read_before_a_key_was_revoked_does_not_bring_it_back() {
        let remembered = Remembered::default();
        let asking = remembered.asking("op");
        remembered.forget("op");
        remembered.heard("op", Some(&key("op", None, 0)), asking);
        assert!(remembered.get("op", 1).is_none());
    }

    #[test]
    fn so_many_are_kept_and_no_more() {
        let remembered = Remembered::default();
        for number in 0..=KEPT.get() {
            let id = number.to_string();
            remembered.heard(&id, Some(&key(&id, None, 0)), 0);
        }
        assert!(remembered.get("0", 1).is_none());
        assert!(remembered.get("1", 1).is_some());
    }
}
