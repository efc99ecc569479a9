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
    /// For how long the server may be silent while one of them waits for its answer.
    silence: Duration,
    outage: Mutex<Option<Outage>>,
}

struct Outage {
    since: Instant,
    /// When it was last tried, and failed.
    tried: Option<Instant>,
    /// Somebody tries now: a server that hangs is waited for by one thread and not by all.
    trying: bool,
    why: StoreError,
}

impl Door {
    pub(super) fn new(address: Address, settings: String, silence: Duration) -> Door {
        Door {
            address,
            settings,
            silence,
            outage: Mutex::default(),
        }
    }

    /// For how long the server may be silent while an answer is waited for.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// The thread's connection, in a state to be used.
    pub(super) fn session<'s>(
        &self,
        kept: &'s mut Option<Session>,
    ) -> Result<&'s mut Session, StoreError> {
        if let Some(session) = kept.take_if(|session| session.is_closed())
            && session.is_lost()
        {
            self.suspect();
        }
        match kept {
            Some(session) => Ok(session),
            none => Ok(none.insert(self.open()?)),
        }
    }

    /// A connection was silent for too long. Whether the others are too is found out by the first that is made.
    fn suspect(&self) {
        let seconds = self.silence.as_secs();
        let why = StoreError::Unavailable(format!("it has been silent for {seconds} s"));
        self.outage().get_or_insert_with(|| {
            tracing::error!(error = %why, "the store");
            Outage {
                since: Instant::now(),
                tried: None,
                trying: false,
                why,
            }
        });
    }

    fn open(&self) -> Result<Session, StoreError> {
        if let Some(outage) = self.outage().as_mut() {
            let lately = outage.tried.is_some_and(|tried| tried.elapsed() < PAUSE);
            if outage.trying || lately {
                return Err(outage.why.clone());
            }
            outage.trying = true;
        }
        let begun = Instant::now();
        match Session::open(&self.address, &self.settings, Some(self.silence)) {
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
                let mut outage = self.outage();
                if outage.is_none() {
                    tracing::error!(%error, "the store");
                }
                *outage = Some(Outage {
                    since: outage.as_ref().map_or(begun, |outage| outage.since),
                    tried: Some(Instant::now()),
                    trying: false,
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
