//! API keys: `wk_<live|test|root|op>_<id>_<secret>`, shown once and kept as a keyed hash.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::caller::Caller;
use super::error::{PayError, Result};
use super::{Payments, now_ms};
use crate::store::StoredKey;

const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// Hashes and compares keys.
pub(super) struct Keys(hmac::Key);

/// A key as it is shown, once.
pub struct IssuedKey {
    /// By which it is revoked.
    pub id: String,
    /// The whole key: a secret.
    pub key: String,
}

impl Keys {
    pub(super) fn new(key: &[u8; 32]) -> Keys {
        Keys(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn hash(&self, whole: &str) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.0, whole.as_bytes()).as_ref());
        out
    }
}

impl Payments {
    /// A new key of a domain, for its live payments or for tests only.
    pub async fn issue_domain_key(&self, domain: &str, test: bool) -> Result<IssuedKey> {
        let kind = if test { "test" } else { "live" };
        self.issue(kind, Some(domain), test).await
    }

    /// A new key of the operator: `root` may do everything.
    pub async fn issue_root_key(&self) -> Result<IssuedKey> {
        self.issue("root", None, false).await
    }

    /// A new key for whoever looks after the host: reads everything, changes nothing.
    pub async fn issue_op_key(&self) -> Result<IssuedKey> {
        self.issue("op", None, false).await
    }

    async fn issue(&self, kind: &str, domain: Option<&str>, test: bool) -> Result<IssuedKey> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        let drawn = rand::fill(&mut id).and_then(|()| rand::fill(&mut secret));
        drawn.map_err(|_| PayError::internal("the system gives no random bytes"))?;
        let id = hex::encode(id);
        let key = format!("wk_{kind}_{id}_{}", URL_SAFE_NO_PAD.encode(secret));
        let role = if domain.is_some() { "domain" } else { kind };
        let stored = StoredKey {
            id: id.clone(),
            domain: domain.map(str::to_owned),
            role: role.to_owned(),
            test,
            hash: self.0.keys.hash(&key),
            created_ms: now_ms(),
        };
        self.0.store.add_key(stored).await?;
        Ok(IssuedKey { id, key })
    }

    /// Who calls with this key or ticket.
    pub async fn caller(&self, token: &str) -> Result<Caller> {
        let refused = || PayError::unauthorized("the key or ticket is not known here");
        if super::ticket::Tickets::is_ticket(token) {
            return self
                .0
                .tickets
                .check(token)
                .map(Caller::Ticket)
                .ok_or_else(refused);
        }
        let id = id_of(token).ok_or_else(refused)?;
        let stored = self.0.store.key(id).await?.ok_or_else(refused)?;
        verify_slices_are_equal(&stored.hash, &self.0.keys.hash(token)).map_err(|_| refused())?;
        caller_of(stored).ok_or_else(refused)
    }
}

/// The part of a key by which it is found.
pub(super) fn id_of(key: &str) -> Option<&str> {
    let id = key.strip_prefix("wk_")?.split('_').nth(1)?;
    (id.len() == 2 * ID_BYTES).then_some(id)
}

/// Whom a key stands for.
pub(super) fn caller_of(key: StoredKey) -> Option<Caller> {
    match (key.role.as_str(), key.domain) {
        ("root", None) => Some(Caller::Root),
        ("op", None) => Some(Caller::Op),
        (_, Some(name)) => Some(Caller::Domain {
            name,
            test: key.test,
        }),
        _ => None,
    }
}
