//! The ends of keys and sessions: whoever follows payments by a key that was revoked, or has ended, or in a session that was
//! ended, is let go within seconds, at every host that shares the store.
//!
//! A request asks for its key once. What goes on for longer than that holds on to the key, or the session, here: one
//! question every two seconds for each that is held, however many hold it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::keys::InSession;
use super::model::{Ams, Digest};
use super::{Inner, Payments, now_ms};

/// Between two looks at a key, or a session.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A session's end is waited for by the clock, which may be set.
const LONGEST_NAP: Ams = 10_000;

/// A key, or a session that was made from it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Good {
    key: String,
    session: Option<Digest>,
}

/// The keys and sessions that somebody holds on to.
#[derive(Default)]
pub(super) struct HeldKeys(Mutex<HashMap<Good, watch::Sender<()>>>);

impl HeldKeys {
    fn keys(&self) -> MutexGuard<'_, HashMap<Good, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of all who hold the key, or a session of it: it was revoked, or has ended.
    pub(super) fn end(&self, id: &str) {
        self.keys().retain(|good, _| good.key != id);
    }

    /// Lets go of all who hold the session: whoever signed in signed out.
    pub(super) fn end_session(&self, id: Digest) {
        self.keys().retain(|good, _| good.session != Some(id));
    }

    /// Lets go of all who hold the same.
    fn end_of(&self, good: &Good) {
        self.keys().remove(good);
    }

    /// Whether anybody holds it. Where nobody does it is forgotten.
    fn is_held(&self, good: &Good) -> bool {
        let mut keys = self.keys();
        let held = keys.get(good).is_some_and(|held| held.receiver_count() > 0);
        if !held {
            keys.remove(good);
        }
        held
    }
}

/// A key or session that somebody holds on to.
pub struct HeldKey {
    /// Closed with the end of the key, or of the session before its time. None for a ticket.
    key: Option<watch::Receiver<()>>,
    /// When the session ends, absolute milliseconds; 0 for what is no session.
    until: Ams,
}

impl HeldKey {
    /// Returns when it is good no more.
    pub async fn ended(&mut self) {
        let key = async {
            match &mut self.key {
                // It says nothing, and is closed at its end.
                Some(key) => while key.changed().await.is_ok() {},
                None => std::future::pending().await,
            }
        };
        let until = self.until;
        let session = async {
            if until == 0 {
                std::future::pending::<()>().await;
            }
            loop {
                match until.saturating_sub(now_ms()) {
                    0 => return,
                    left => tokio::time::sleep(Duration::from_millis(left.min(LONGEST_NAP))).await,
                }
            }
        };
        tokio::select! {
            () = key => {}
            () = session => {}
        }
    }
}

impl Payments {
    /// Holds on to the key of this id (to nothing, where there is none), and to a session that was made from it.
    pub fn hold(&self, key: Option<&str>, session: Option<InSession>) -> HeldKey {
        let key = key.map(|id| {
            let good = Good {
                key: id.to_owned(),
                session: session.map(|session| session.id),
            };
            let mut keys = self.0.held_keys.keys();
            if let Some(held) = keys.get(&good) {
                return held.subscribe();
            }
            let (held, end) = watch::channel(());
            keys.insert(good.clone(), held);
            tokio::spawn(look_after(Arc::downgrade(&self.0), good));
            end
        });
        let until = session.map_or(0, |session| session.until);
        HeldKey { key, until }
    }
}

/// Looks at a key, or a session, for as long as anybody holds it.
async fn look_after(payments: Weak<Inner>, good: Good) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(inner) = payments.upgrade() else {
            return;
        };
        if !inner.held_keys.is_held(&good) {
            return;
        }
        let key = match good.session {
            Some(session) => inner.store.key_of_session(&good.key, session).await,
            None => inner.store.key(&good.key).await,
        };
        match key {
            Ok(Some(key)) if key.is_good_at(now_ms()) => {}
            Ok(_) => {
                inner.keys.remembered.forget(&good.key);
                return inner.held_keys.end_of(&good);
            }
            Err(error) => tracing::debug!(%error, "a key that is held is looked at again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_holds_a_key_is_let_go_at_its_end_and_nothing_stays() {
        let held = HeldKeys::default();
        let good = |key: &str, session: Option<&str>| Good {
            key: key.to_owned(),
            session: session.map(|said| Digest::of(said.as_bytes())),
        };
        let k1 = good("k1", None);
        let (sender, end) = watch::channel(());
        held.keys().insert(k1.clone(), sender);
        let mut one = HeldKey {
            key: Some(end.clone()),
            until: 0,
        };
        assert!(held.is_held(&k1));
        let waits = tokio::time::timeout(Duration::from_millis(20), one.ended());
        assert!(waits.await.is_err());
        // Those of its sessions go with a key, and without it.
        let sessions = ["a", "b"].map(|said| {
            let (sender, end) = watch::channel(());
            held.keys().insert(good("k1", Some(said)), sender);
            end
        });
        let is_ended = |end: &watch::Receiver<()>| end.has_changed().is_err();
        held.end_session(Digest::of(b"a"));
        assert_eq!(sessions.each_ref().map(is_ended), [true, false]);
        assert!(held.is_held(&k1));
        held.end("k1");
        assert!(is_ended(&sessions[1]));
        one.ended().await;
        let k2 = good("k2", None);
        let (sender, end) = watch::channel(());
        held.keys().insert(k2.clone(), sender);
        drop(end);
        assert!(!held.is_held(&k2) && held.keys().is_empty());
        // A session ends by itself, a ticket does not.
        let mut session = HeldKey {
            key: None,
            until: now_ms() + 30,
        };
        session.ended().await;
        let mut ticket = HeldKey {
            key: None,
            until: 0,
        };
        let waits = tokio::time::timeout(Duration::from_millis(20), ticket.ended());
        assert!(waits.await.is_err());
    }
}
