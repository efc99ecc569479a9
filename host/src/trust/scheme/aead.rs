//! `aead`: a part of a statement that the platform encrypted for the target (WeChat Pay's resources).
//!
//! The part comes out of a statement and never out of a message, so that what was not signed is not decrypted.

use crate::trust::json::Object;
use crate::trust::key::Usage;
use crate::trust::manifest::{Manifest, Scheme};
use crate::trust::message::{Failure, Statement};
use crate::trust::pointer::Pointer;
use crate::trust::sealed;
use crate::trust::target::Target;

/// Decrypts a part of a statement by a scheme of the manifest; the plain text is a statement that came the same way.
pub fn open(
    manifest: &Manifest,
    target: &Target,
    statement: &Statement,
    scheme: &str,
) -> Result<Statement, Failure> {
    let rule = match manifest.scheme(scheme) {
        Some(Scheme::Aead(rule)) => rule,
        Some(_) => {
            return Err(Failure::UnknownScheme(format!(
                "the scheme {scheme:?} does not decrypt"
            )));
        }
        None => {
            return Err(Failure::UnknownScheme(format!(
                "there is no scheme {scheme:?}"
            )));
        }
    };
    if statement.scheme() != rule.of || !statement.is_for(manifest.name(), target) {
        return Err(Failure::UnknownScheme(format!(
            "the scheme {scheme:?} opens statements of {:?}",
            rule.of
        )));
    }
    let reader = statement
        .reader()
        .map_err(|error| Failure::Malformed(error.to_string()))?;
    let at = |pointer: &Pointer| {
        let found = reader
            .at(pointer)
            .map_err(|error| Failure::Malformed(error.to_string()))?;
        Ok(found.text())
    };
    let needed = |pointer: &Pointer| {
        at(pointer)?
            .ok_or_else(|| Failure::Malformed(format!("the statement has nothing at {pointer}")))
    };
    let key = target.keys.secret(&rule.key, Usage::Decrypt)?;
    let plain = sealed::open_gcm(
        key,
        &needed(&rule.nonce)?,
        &at(&rule.associated_data)?.unwrap_or_default(),
        &needed(&rule.ciphertext)?,
    )?;
    Object::parse(&plain)
        .map_err(|error| Failure::Malformed(format!("the decrypted part: {error}")))?;
    let part = Statement::of_json(plain, manifest.name(), target, scheme, statement.origin());
    Ok(part.of_message(statement.came()))
}
