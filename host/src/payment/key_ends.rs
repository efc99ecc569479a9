//! The ends of keys: whoever follows payments by a key that was revoked, or has ended, is let go within seconds, at every
//! host that shares the store.
//!
//! A request asks for its key once. What goes on for longer than that holds on to the key here: one question every two
//! seconds for each key that is held, however many hold it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::model::Ams;
use super::{Inner, Payments, now_ms};

/// Between two looks at a key.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A session's end is waited for by the clock, which may be set.
const LONGEST_NAP: Ams = 10_000;

/// The keys that somebody holds on to.
#[derive(Default)]
pub(super) struct HeldKeys(Mutex<HashMap<String, watch::Sender<()>>>);

impl HeldKeys {
    fn keys(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of all who hold it: it was revoked, or has ended.
    pub(super) fn end(&self, id: &str) {
        self.keys().remove(id);
    }

    /// Whether anybody holds it. Where nobody does it is forgotten.
    fn is_held(&self, id: &str) -> bool {
        let mut keys = self.keys();
        let held = keys.get(id).is_some_and(|held| held.receiver_count() > 0);
        if !held {
            keys.remove(id);
        }
        held
    }
}

/// A key or session that somebody holds on to.
pub struct HeldKey {
    /// Closed with the key's end. None for a ticket.
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
    /// Holds on to the key of this id (to nothing, where there is none), and to a session until its end.
    pub fn hold(&self, key: Option<&str>, until: Ams) -> HeldKey {
        let key = key.map(|id| {
            let mut keys = self.0.held_keys.keys();
            if let Some(held) = keys.get(id) {
                return held.subscribe();
            }
            let (held, end) = watch::channel(());
            keys.insert(id.to_owned(), held);
            tokio::spawn(look_after(Arc::downgrade(&self.0), id.to_owned()));
            end
        });
        HeldKey { key, until }
    }
}

/// Looks at a key for as long as anybody holds it.
async fn look_after(payments: Weak<Inner>, id: String) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(inner) = payments.upgrade() else {
            return;
        };
        if !inner.held_keys.is_held(&id) {
            return;
        }
        match inner.store.key(&id).await {
            Ok(Some(key)) if key.is_good_at(now_ms()) => {}
            Ok(_) => return inner.held_keys.end(&id),
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
        let (sender, end) = watch::channel(());
        held.keys().insert("k1".to_owned(), sender);
        let mut one = HeldKey {
            key: Some(end.clone()),
            until: 0,
        };
        assert!(held.is_held("k1"));
        let waits = tokio::time::timeout(Duration::from_millis(20), one.ended());
        assert!(waits.await.is_err());
        held.end("k1");
        one.ended().await;
        let (sender, end) = watch::channel(());
        held.keys().insert("k2".to_owned(), sender);
        drop(end);
        assert!(!held.is_held("k2") && held.keys().is_empty());
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
