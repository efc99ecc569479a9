//! Sessions of the till and the console: made from an API key, and good for as long as that key is, twelve hours at most.
//!
//! A session says which key it was made from, until when it is good, and a number that no other has, under the host's seal. The
//! key itself is not in it, and revoking the key ends it at once. Nothing is stored of it until whoever signed in signs out:
//! then it is among those that have ended, at every host, until it would have ended by itself.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::caller::Caller;
use super::error::{PayError, Result};
use super::keys::{InSession, Known};
use super::model::{Ams, Digest};
use super::{Payments, now_ms};

/// A day at the till.
pub const LASTS: Ams = 12 * 3_600_000;

/// Of the number that tells one session of a key from another.
const NUMBER_BYTES: usize = 16;

/// Makes and checks sessions.
pub(crate) struct Sessions(hmac::Key);

impl Sessions {
    /// With a key of 32 bytes that never leaves the host.
    pub(crate) fn new(key: &[u8; 32]) -> Sessions {
        Sessions(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn issue(&self, key_id: &str, until: Ams, number: [u8; NUMBER_BYTES]) -> String {
        let said = format!("{key_id}.{until}.{}", URL_SAFE_NO_PAD.encode(number));
        let seal = hmac::sign(&self.0, said.as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(seal))
    }

    /// The id of the key that it was made from, and the session, until it ends by itself.
    pub(crate) fn read<'a>(&self, session: &'a str, now: Ams) -> Option<(&'a str, InSession)> {
        let (said, seal) = session.rsplit_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        hmac::verify(&self.0, said.as_bytes(), &seal).ok()?;
        let (key, until) = said.rsplit_once('.')?.0.split_once('.')?;
        let until = until.parse().ok()?;
        let id = Digest::of(said.as_bytes());
        (now < until).then_some((key, InSession { id, until }))
    }
}

impl Payments {
    /// Begins a session with an API key. A ticket is none: it is good for one payment by itself.
    pub async fn begin_session(&self, key: &str) -> Result<(Caller, String)> {
        let caller = self.caller(key).await?;
        let id = super::keys::id_of(key)
            .ok_or_else(|| PayError::unauthorized("sign in with an API key"))?;
        let mut number = [0; NUMBER_BYTES];
        rand::fill(&mut number)
            .map_err(|_| PayError::internal("the system gives no random bytes"))?;
        let session = self.0.sessions.issue(id, now_ms() + LASTS, number);
        Ok((caller, session))
    }

    /// Ends sessions at once, at every host that shares the store. What is none, or has ended, needs no end.
    pub async fn end_sessions(&self, sessions: &[String]) -> Result<()> {
        let now = now_ms();
        let read = |session| self.0.sessions.read(session, now);
        let good: Vec<_> = sessions
            .iter()
            .filter_map(|session| read(session))
            .collect();
        if good.is_empty() {
            return Ok(());
        }
        let ended = good.iter().map(|(_, session)| (session.id, session.until));
        self.0.store.end_sessions(ended.collect(), now).await?;
        for (_, session) in good {
            self.0.held_keys.end_session(session.id);
        }
        Ok(())
    }

    /// Who calls in this session, and by which key it was begun.
    pub async fn known_of_session(&self, session: &str) -> Result<Known> {
        let ended = || PayError::unauthorized("the session has ended: sign in again");
        let (key, session) = self.0.sessions.read(session, now_ms()).ok_or_else(ended)?;
        let stored = self.0.store.key_of_session(key, session.id).await?;
        let stored = stored.ok_or_else(ended)?;
        let known = self.known_by(&stored).ok_or_else(ended)?;
        Ok(Known {
            session: Some(session),
            ..known
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_key_until_it_ends() {
        let sessions = Sessions::new(&[7; 32]);
        let issue = |number| sessions.issue("0011223344556677", 1_000, [number; NUMBER_BYTES]);
        let session = issue(1);
        let (key, read) = sessions.read(&session, 999).unwrap();
        assert_eq!((key, read.until), ("0011223344556677", 1_000));
        assert_eq!(sessions.read(&session, 1_000), None);
        // Another one of the same key and moment is another one.
        let beside = issue(2);
        assert_ne!(sessions.read(&beside, 999).unwrap().1.id, read.id);
        let longer = session.replace(".1000.", ".9000.");
        let other = session.replace("0011", "1100");
        for bad in [
            "",
            ".",
            "..",
            &longer,
            &other,
            &session[..session.len() - 1],
        ] {
            assert_eq!(sessions.read(bad, 1), None, "{bad}");
        }
        assert_eq!(Sessions::new(&[8; 32]).read(&session, 1), None);
    }
}
