//! Sessions of the till and the console: made from an API key, and good for as long as that key is, twelve hours at most.
//!
//! A session says which key it was made from and until when it is good, under the host's seal. Nothing is stored, the key
//! itself is not in it, and revoking the key ends it at once.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::caller::Caller;
use super::error::{PayError, Result};
use super::keys::Known;
use super::model::Ams;
use super::{Payments, now_ms};

/// A day at the till.
pub const LASTS: Ams = 12 * 3_600_000;

/// Makes and checks sessions.
pub(crate) struct Sessions(hmac::Key);

impl Sessions {
    /// With a key of 32 bytes that never leaves the host.
    pub(crate) fn new(key: &[u8; 32]) -> Sessions {
        Sessions(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn issue(&self, key_id: &str, until: Ams) -> String {
        let said = format!("{key_id}.{until}");
        let seal = hmac::sign(&self.0, said.as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(seal))
    }

    /// The id of the key that it was made from, while it is good, and its end.
    pub(crate) fn read<'a>(&self, session: &'a str, now: Ams) -> Option<(&'a str, Ams)> {
        let (said, seal) = session.rsplit_once('.')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        hmac::verify(&self.0, said.as_bytes(), &seal).ok()?;
        let (id, until) = said.split_once('.')?;
        let until = until.parse().ok()?;
        (now < until).then_some((id, until))
    }
}

impl Payments {
    /// Begins a session with an API key. A ticket is none: it is good for one payment by itself.
    pub async fn begin_session(&self, key: &str) -> Result<(Caller, String)> {
        let caller = self.caller(key).await?;
        let id = super::keys::id_of(key)
            .ok_or_else(|| PayError::unauthorized("sign in with an API key"))?;
        let session = self.0.sessions.issue(id, now_ms() + LASTS);
        Ok((caller, session))
    }

    /// Who calls in this session, and by which key it was begun.
    pub async fn known_of_session(&self, session: &str) -> Result<Known> {
        let ended = || PayError::unauthorized("the session has ended: sign in again");
        let (id, until) = self.0.sessions.read(session, now_ms()).ok_or_else(ended)?;
        let stored = self.0.store.key(id).await?.ok_or_else(ended)?;
        let known = self.known_by(&stored).ok_or_else(ended)?;
        Ok(Known { until, ..known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_names_its_key_until_it_ends() {
        let sessions = Sessions::new(&[7; 32]);
        let session = sessions.issue("0011223344556677", 1_000);
        assert_eq!(
            sessions.read(&session, 999),
            Some(("0011223344556677", 1_000))
        );
        assert_eq!(sessions.read(&session, 1_000), None);
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
