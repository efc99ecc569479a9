//! API keys: `wk_<live|test|root|op>_<id>_<secret>`, shown once and kept as a keyed hash.
//!
//! A key has a name, what it is for, and perhaps an end. It is followed by another one for a while in which both are good
//! (*rotation*), and revoked at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::caller::{Caller, Scope};
use super::error::{PayError, Result};
use super::model::{Ams, Digest, LATEST};
use super::remembered_keys::Remembered;
use super::{Payments, now_ms, to_the_end};
use crate::store::{StoreError, StoredKey};

const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// Characters of a key's name.
const NAME_CHARS: usize = 64;
/// The longest that a key and the one that follows it are both good.
pub const LONGEST_OVERLAP: Ams = 90 * 24 * 3_600_000;
/// Whoever looks after the host waits so long for the store to say what it has of a key that is remembered.
const REMEMBERED_AFTER: Duration = Duration::from_secs(1);
/// Between two notes of a key's use.
const USE_NOTED: Ams = 60_000;

/// Hashes and compares keys.
pub(super) struct Keys {
    hashing: hmac::Key,
    /// When the use of each was noted.
    used: Mutex<HashMap<String, Ams>>,
    /// Those of the operator that were good a while ago.
    pub(super) remembered: Remembered,
}

/// A key as it is shown, once.
pub struct IssuedKey {
    /// By which it is revoked.
    pub id: String,
    /// The whole key: a secret.
    pub key: String,
    /// When it ends by itself; 0 for never.
    pub expires_ms: Ams,
}

/// Whose key it is, and what for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyOf<'a> {
    /// The operator's: may do everything.
    Root,
    /// Of whoever looks after the host: reads everything, changes nothing.
    Op,
    /// A domain's.
    Domain {
        /// Its name.
        name: &'a str,
        /// What the key is for.
        scope: Scope,
        /// For test payments only.
        test: bool,
        /// Whether it may give money back, which an owner's may in any case.
        refunds: bool,
    },
}

/// A key that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewKey<'a> {
    /// Whose.
    pub of: KeyOf<'a>,
    /// What its owner calls it.
    pub name: &'a str,
    /// When it ends by itself; 0 for never.
    pub expires_ms: Ams,
}

impl<'a> NewKey<'a> {
    /// One without a name and without an end.
    pub fn of(of: KeyOf<'a>) -> NewKey<'a> {
        NewKey {
            of,
            name: "",
            expires_ms: 0,
        }
    }

    /// The same of a domain's owner, for its live payments or for tests only.
    pub fn of_owner(name: &'a str, test: bool) -> NewKey<'a> {
        NewKey::of(KeyOf::Domain {
            name,
            scope: Scope::Owner,
            test,
            refunds: true,
        })
    }
}

/// Who calls, and by which key.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who.
    pub caller: Caller,
    /// The id of the key; none for a ticket.
    pub key: Option<String>,
    /// The session; none for what is none.
    pub session: Option<InSession>,
}

/// A session that somebody calls in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InSession {
    /// By which it is ended.
    pub id: Digest,
    /// When it ends by itself.
    pub until: Ams,
}

impl Keys {
    pub(super) fn new(key: &[u8; 32]) -> Keys {
        Keys {
            hashing: hmac::Key::new(hmac::HMAC_SHA256, key),
            used: Mutex::default(),
            remembered: Remembered::default(),
        }
    }

    fn hash(&self, whole: &str) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.hashing, whole.as_bytes()).as_ref());
        out
    }

    /// Whether the use of this key has to be noted again.
    fn is_news(&self, key: &StoredKey, now: Ams) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match used.get_mut(&key.id) {
            Some(noted) if now < noted.saturating_add(USE_NOTED) => return false,
            Some(noted) => *noted = now,
            None => {
                used.insert(key.id.clone(), now);
            }
        }
        now >= key.used_ms.saturating_add(USE_NOTED)
    }
}

impl Payments {
    /// A new key.
    pub async fn issue_key(&self, new: NewKey<'_>) -> Result<IssuedKey> {
        let (kind, domain) = match new.of {
            KeyOf::Root => ("root", None),
            KeyOf::Op => ("op", None),
            KeyOf::Domain { name, test, .. } => (if test { "test" } else { "live" }, Some(name)),
        };
        check_name(new.name)?;
        let now = now_ms();
        if new.expires_ms != 0 && new.expires_ms <= now {
            return Err(PayError::invalid("the key would have ended already"));
        }
        let (id, key) = self.draw(kind)?;
        let (role, test, refunds) = match new.of {
            KeyOf::Root | KeyOf::Op => (kind, false, true),
            KeyOf::Domain {
                scope,
                test,
                refunds,
                ..
            } => (scope.as_str(), test, refunds || scope == Scope::Owner),
        };
        let stored = StoredKey {
            id: id.clone(),
            name: new.name.to_owned(),
            domain: domain.map(str::to_owned),
            role: role.to_owned(),
            test,
            refunds,
            hash: self.0.keys.hash(&key),
            created_ms: now,
            expires_ms: new.expires_ms,
            used_ms: 0,
            successor: None,
        };
        self.0.store.add_key(stored).await?;
        Ok(IssuedKey {
            id,
            key,
            expires_ms: new.expires_ms,
        })
    }

    fn draw(&self, kind: &str) -> Result<(String, String)> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        let drawn = rand::fill(&mut id).and_then(|()| rand::fill(&mut secret));
        drawn.map_err(|_| PayError::internal("the system gives no random bytes"))?;
        let id = hex::encode(id);
        let key = format!("wk_{kind}_{id}_{}", URL_SAFE_NO_PAD.encode(secret));
        Ok((id, key))
    }

    /// A key that does what this one does, which is good for `overlap` longer and then ends. What had an end before
    /// gets a successor that lasts as long again.
    pub async fn rotate_key(&self, id: &str, overlap: Ams) -> Result<IssuedKey> {
        let old = self.key_in_use(id).await?;
        let now = now_ms();
        let kind = match (&old.domain, old.test) {
            (None, _) => old.role.as_str(),
            (Some(_), true) => "test",
            (Some(_), false) => "live",
        };
        let (new_id, key) = self.draw(kind)?;
        let expires_ms = match old.expires_ms {
            0 => 0,
            end => {
                let lasts = end.saturating_sub(old.created_ms);
                now.saturating_add(lasts).min(LATEST)
            }
        };
        let stored = StoredKey {
            id: new_id.clone(),
            hash: self.0.keys.hash(&key),
            created_ms: now,
            expires_ms,
            used_ms: 0,
            successor: None,
            ..StoredKey::clone(&old)
        };
        let until = now + overlap.min(LONGEST_OVERLAP);
        let (payments, of) = (self.clone(), id.to_owned());
        let succeeded = to_the_end(async move {
            let succeeded = payments.0.store.succeed_key(&of, stored, until).await;
            payments.0.keys.remembered.forget(&of);
            Ok(succeeded?)
        });
        if !succeeded.await? {
            return Err(PayError::exists(
                "the key has been rotated already: rotate the one that follows it",
            ));
        }
        Ok(IssuedKey {
            id: new_id,
            key,
            expires_ms,
        })
    }

    /// Ends a key at once; `false` when there is none in use.
    pub async fn revoke_key(&self, id: &str) -> Result<bool> {
        let (payments, id) = (self.clone(), id.to_owned());
        to_the_end(async move {
            let revoked = payments.0.store.revoke_key(&id, now_ms()).await;
            // Whatever became of it: nobody is to be let in by memory with a key that somebody wants to end.
            payments.0.keys.remembered.forget(&id);
            let revoked = revoked?;
            payments.0.held_keys.end(&id);
            Ok(revoked)
        })
        .await
    }

    /// A key that is neither revoked nor at its end.
    pub async fn key_in_use(&self, id: &str) -> Result<Arc<StoredKey>> {
        let found = self.0.store.key(id).await?;
        found
            .filter(|key| key.is_good_at(now_ms()))
            .ok_or_else(|| PayError::not_found("no such key in use"))
    }

    /// Who calls with this key or ticket.
    pub async fn caller(&self, token: &str) -> Result<Caller> {
        Ok(self.known(token).await?.caller)
    }

    /// Who calls with this key or ticket, and by which key.
    pub async fn known(&self, token: &str) -> Result<Known> {
        let refused = || PayError::unauthorized("the key or ticket is not known here");
        if super::ticket::Tickets::is_ticket(token) {
            let caller = self.0.tickets.check(token).map(Caller::Ticket);
            return caller
                .map(|caller| Known {
                    caller,
                    key: None,
                    session: None,
                })
                .ok_or_else(refused);
        }
        let id = id_of(token).ok_or_else(refused)?;
        let stored = self.stored_key(id).await?;
        self.known_by_secret(stored.as_deref(), token)
            .ok_or_else(refused)
    }

    /// The same for who only looks after the host: a key of the operator that was good here a while ago is good while
    /// the store does not answer.
    pub async fn known_to_look_after(&self, token: &str) -> Result<Known> {
        let remembered = |id| self.0.keys.remembered.get(id, now_ms());
        let Some(id) = id_of(token).filter(|id| remembered(id).is_some()) else {
            return self.known(token).await;
        };
        let (payments, wanted) = (self.clone(), id.to_owned());
        // To its end: what the store says too late counts the next time.
        let asking = tokio::spawn(async move { payments.stored_key(&wanted).await });
        let stored = match tokio::time::timeout(REMEMBERED_AFTER, asking).await {
            Ok(Ok(Ok(stored))) => stored,
            _ => remembered(id),
        };
        self.known_by_secret(stored.as_deref(), token)
            .ok_or_else(|| PayError::unauthorized("the key or ticket is not known here"))
    }

    /// What the store has of a key; one of the operator's is remembered.
    async fn stored_key(
        &self,
        id: &str,
    ) -> std::result::Result<Option<Arc<StoredKey>>, StoreError> {
        let remembered = &self.0.keys.remembered;
        let asking = remembered.asking(id);
        let found = self.0.store.key(id).await?;
        remembered.heard(id, found.as_ref(), asking);
        Ok(found)
    }

    /// Whom a whole key stands for, now.
    fn known_by_secret(&self, stored: Option<&StoredKey>, token: &str) -> Option<Known> {
        let stored = stored?;
        verify_slices_are_equal(&stored.hash, &self.0.keys.hash(token)).ok()?;
        self.known_by(stored)
    }

    /// Whom a key stands for, now.
    pub(super) fn known_by(&self, key: &StoredKey) -> Option<Known> {
        let now = now_ms();
        let caller = caller_of(key).filter(|_| key.is_good_at(now))?;
        if self.0.keys.is_news(key, now) {
            let (store, id) = (self.0.store.clone(), key.id.clone());
            // Nobody waits for it.
            tokio::spawn(async move {
                if let Err(error) = store.used_key(&id, now).await {
                    tracing::debug!(%error, "the use of a key is not noted");
                }
            });
        }
        let key = Some(key.id.clone());
        Some(Known {
            caller,
            key,
            session: None,
        })
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(PayError::invalid(format!(
            "a key's name has at most {NAME_CHARS} characters and no control characters"
        )));
    }
    Ok(())
}

/// Whether a text has the mark of an API key or a ticket in it: nothing that is told may have it. In a longer word, such as
/// `hawk_1`, it is none.
pub(crate) fn looks_secret(text: &str) -> bool {
    let mut words = text.split(|one: char| !one.is_ascii_alphanumeric());
    words.any(|word| {
        ["wk", "wt"]
            .iter()
            .any(|mark| word.eq_ignore_ascii_case(mark))
    })
}

/// The part of a key by which it is found.
pub(super) fn id_of(key: &str) -> Option<&str> {
    let id = key.strip_prefix("wk_")?.split('_').nth(1)?;
    (id.len() == 2 * ID_BYTES).then_some(id)
}

/// Whom a key stands for.
fn caller_of(key: &StoredKey) -> Option<Caller> {
    match (key.role.as_str(), &key.domain) {
        ("root", None) => Some(Caller::Root),
        ("op", None) => Some(Caller::Op),
        (scope, Some(name)) => Some(Caller::Domain {
            name: name.clone(),
            test: key.test,
            scope: Scope::parse(scope)?,
            refunds: key.refunds,
        }),
        _ => None,
    }
}
