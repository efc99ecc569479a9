//! The API keys by which callers are known.
//!
//! Every request asks for one, and a request of a session besides whether that was ended. A store that no other host has open
//! keeps those that were asked for in memory; nobody can change one beside it. Where several hosts share a store each request
//! asks it anew, once for both, so that a key which one host revoked, or a session which it ended, is good at no other.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::payment::model::{Ams, Digest};

use super::link::Link;
use super::table::{api_key, ended_session};
use super::{Store, StoreError};

/// Keys that a domain has in use at most, for live and for test payments each, and the operator.
pub const MOST_KEYS: u32 = 256;
/// That a session was ended is remembered for so long after it would have ended by itself: clocks are set, and hosts have
/// their own.
const REMEMBERED: Ams = 24 * 3_600_000;
/// Keys that are kept in memory.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);
/// Sessions of which it is kept in memory that they were not ended.
const KEPT_SESSIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// An API key as it is stored: the secret itself is known to its owner alone.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The part of the key by which it is found.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `None` for a key of the operator.
    pub domain: Option<String>,
    /// What the key may do.
    pub role: String,
    /// Makes and touches test payments only.
    pub test: bool,
    /// May give money back.
    pub refunds: bool,
    /// Of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_ms: Ams,
    /// When it ends by itself; 0 for never.
    pub expires_ms: Ams,
    /// When it was last used, to the minute; 0 for not yet.
    pub used_ms: Ams,
    /// The key that follows it.
    pub successor: Option<String>,
}

impl StoredKey {
    /// Whether it has not ended by then.
    pub fn is_good_at(&self, now: Ams) -> bool {
        self.expires_ms == 0 || now < self.expires_ms
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("domain", &self.domain)
            .field("role", &self.role)
            .field("test", &self.test)
            .field("created_ms", &self.created_ms)
            .finish_non_exhaustive()
    }
}

/// The keys that were asked for.
pub(super) struct KnownKeys(Mutex<Kept>);

struct Kept {
    keys: LruCache<String, Arc<StoredKey>>,
    /// Those that were not ended.
    sessions: LruCache<Digest, ()>,
    /// Grows whenever one of them changes: what was read before that is not kept.
    changes: u64,
}

impl Default for KnownKeys {
    fn default() -> KnownKeys {
        KnownKeys(Mutex::new(Kept {
            keys: LruCache::new(KEPT),
            sessions: LruCache::new(KEPT_SESSIONS),
            changes: 0,
        }))
    }
}

impl KnownKeys {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: &str) {
        let mut kept = self.kept();
        kept.changes += 1;
        kept.keys.pop(id);
    }

    fn forget_sessions(&self, ended: &[(Digest, Ams)]) {
        let mut kept = self.kept();
        kept.changes += 1;
        for (id, _) in ended {
            kept.sessions.pop(id);
        }
    }
}

impl Store {
    /// Stores an API key.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its id is taken, also by a revoked key; [`StoreError::TooMany`] when [`MOST_KEYS`] are in
    /// use; [`StoreError::Invariant`] when it names a domain that does not exist.
    pub async fn add_key(&self, key: StoredKey) -> Result<(), StoreError> {
        self.database
            .write(move |link| api_key::add(link, &key))
            .await
    }

    /// The key of this id, unless it was revoked. It may have ended by itself.
    pub async fn key(&self, id: &str) -> Result<Option<Arc<StoredKey>>, StoreError> {
        self.key_in(id, None).await
    }

    /// The same for a session that was made from the key; none where the session was ended.
    pub async fn key_of_session(
        &self,
        id: &str,
        session: Digest,
    ) -> Result<Option<Arc<StoredKey>>, StoreError> {
        self.key_in(id, Some(session)).await
    }

    async fn key_in(
        &self,
        id: &str,
        session: Option<Digest>,
    ) -> Result<Option<Arc<StoredKey>>, StoreError> {
        let known = self.database.known_keys();
        let before = match known {
            None => 0,
            Some(known) => {
                let mut kept = known.kept();
                let goes_on = session.is_none_or(|id| kept.sessions.get(&id).is_some());
                if let Some(key) = kept.keys.get(id).filter(|_| goes_on) {
                    return Ok(Some(Arc::clone(key)));
                }
                kept.changes
            }
        };
        let wanted = id.to_owned();
        let read = self
            .database
            .read(move |link| api_key::get(link, &wanted, session))
            .await?;
        let found = read.map(Arc::new);
        if let (Some(known), Some(key)) = (known, &found) {
            let mut kept = known.kept();
            if kept.changes == before {
                kept.keys.push(id.to_owned(), Arc::clone(key));
                if let Some(session) = session {
                    kept.sessions.push(session, ());
                }
            }
        }
        Ok(found)
    }

    /// The keys of a domain, or those of the operator, the oldest first, without revoked ones.
    pub async fn keys(&self, domain: Option<&str>) -> Result<Vec<StoredKey>, StoreError> {
        let domain = domain.map(str::to_owned);
        self.database
            .read(move |link| api_key::list(link, domain.as_deref()))
            .await
    }

    /// Stores a key that follows another one, which is good until `until` and no longer; `false` when there is none in
    /// use, or it was followed before.
    ///
    /// # Errors
    /// As [`Store::add_key`].
    pub async fn succeed_key(
        &self,
        of: &str,
        new: StoredKey,
        until: Ams,
    ) -> Result<bool, StoreError> {
        let (id, changed) = (of.to_owned(), of.to_owned());
        self.changing(
            move |link| api_key::succeed(link, &id, &new, until),
            move |known| known.forget(&changed),
        )
        .await
    }

    /// Makes a key useless from `now` on; `false` when there is none or it was revoked before.
    pub async fn revoke_key(&self, id: &str, now: Ams) -> Result<bool, StoreError> {
        let (id, changed) = (id.to_owned(), id.to_owned());
        self.changing(
            move |link| api_key::revoke(link, &id, now),
            move |known| known.forget(&changed),
        )
        .await
    }

    /// Notes when a key was used.
    pub async fn used_key(&self, id: &str, at: Ams) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.database
            .write(move |link| api_key::used(link, &id, at))
            .await
    }

    /// Ends sessions, each with the time at which it would end by itself. Those of which that is long over are forgotten.
    pub async fn end_sessions(
        &self,
        sessions: Vec<(Digest, Ams)>,
        now: Ams,
    ) -> Result<(), StoreError> {
        let ended = sessions.clone();
        let write = move |link: &dyn Link| {
            for (id, until) in &sessions {
                ended_session::add(link, *id, *until)?;
            }
            ended_session::remove_before(link, now.saturating_sub(REMEMBERED))
        };
        self.changing(write, move |known| known.forget_sessions(&ended))
            .await
    }

    /// Changes something, and forgets what was known of it: to the end, even when whoever wanted it goes away, and after a
    /// failure too, since it may be written nevertheless.
    async fn changing<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Link) -> Result<T, StoreError> + Send + 'static,
        forget: impl FnOnce(&KnownKeys) + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let change = tokio::spawn(async move {
            let done = store.database.write(work).await;
            if let Some(known) = store.database.known_keys() {
                forget(known);
            }
            done
        });
        let lost = |_| StoreError::Uncertain("the change of a key was given up".to_owned());
        change.await.map_err(lost)?
    }
}
