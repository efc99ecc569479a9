//! Connections of the store's threads: made when they are needed, made again when they are lost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::address::Address;
use super::session::Session;
use crate::store::StoreError;

/// While the server does not answer, it is tried no more often than this, by all threads together.
const PAUSE: Duration = Duration::from_millis(200);

/// A verb waits so long for a server that comes back; when it has been away for longer, verbs are refused at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// How the threads of one kind connect.
pub(super) struct Door {
    address: Address,
    settings: String,
    outage: Mutex<Option<Outage>>,
}

struct Outage {
    since: Instant,
    tried: Instant,
    why: StoreError,
}

impl Door {
    pub(super) fn new(address: Address, settings: String) -> Door {
        Door {
            address,
            settings,
            outage: Mutex::default(),
        }
    }

    /// The thread's connection, in a state to be used.
    pub(super) fn session<'s>(
        &self,
        kept: &'s mut Option<Session>,
    ) -> Result<&'s mut Session, StoreError> {
        if kept.as_ref().is_some_and(Session::is_closed) {
            *kept = None;
        }
        match kept {
            Some(session) => Ok(session),
            none => Ok(none.insert(self.open()?)),
        }
    }

    fn open(&self) -> Result<Session, StoreError> {
        if let Some(outage) = self.outage().as_ref()
            && outage.tried.elapsed() < PAUSE
        {
            return Err(outage.why.clone());
        }
        match Session::open(&self.address, &self.settings) {
            Ok(session) => {
                *self.outage() = None;
                Ok(session)
            }
            Err(error) => {
                // Whatever is wrong with an address that was good before may be mended at the server.
                let error = match error {
                    StoreError::Address(why) | StoreError::Postgres(why) => {
                        StoreError::Unavailable(why)
                    }
                    other => other,
                };
                let now = Instant::now();
                let mut outage = self.outage();
                if outage.is_none() {
                    tracing::error!(%error, "the store");
                }
                let since = outage.as_ref().map_or(now, |outage| outage.since);
                *outage = Some(Outage {
                    since,
                    tried: now,
                    why: error.clone(),
                });
                Err(error)
            }
        }
    }

    /// Waits until it makes sense to try again; `false` when what began at `begun` has waited long enough.
    pub(super) fn waits(&self, begun: Instant) -> bool {
        let long_gone = self
            .outage()
            .as_ref()
            .is_some_and(|outage| outage.since.elapsed() >= PATIENCE);
        if long_gone || begun.elapsed() >= PATIENCE {
            return false;
        }
        std::thread::sleep(PAUSE / 4);
        true
    }

    fn outage(&self) -> std::sync::MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
