//! Messages and the keys that they were signed with. In certificate mode Alipay changes its certificate now and then,
//! and names in an answer the one that it used; the host fetches one that nobody here knows.

use serde::Deserialize;
use serde_json::json;
use walnut_sdk::{Message, Statement, form, settings, trust};

use crate::gateway;

/// The member of an answer, or field of a notification, that names the certificate.
const SERIAL: &str = "alipay_cert_sn";

#[derive(Deserialize)]
struct Named {
    alipay_cert_sn: String,
}

/// Verifies a message. Where it was signed with a certificate that nobody here knows, the host fetches that one, at
/// most once a minute.
pub(crate) fn verified(message: &Message, scheme: &str) -> Result<Statement, trust::Failure> {
    let failure = match trust::verify(message, scheme) {
        Err(failure @ trust::Failure::UnknownKey(_)) => failure,
        other => return other,
    };
    // Without the roots nothing could be said of a new certificate.
    let certified = settings::get("alipay_root_certificate").is_some_and(|pem| !pem.is_empty());
    let Some(serial) = certified.then(|| serial(&message.body())).flatten() else {
        return Err(failure);
    };
    let wanted = json!({ SERIAL: serial }).to_string();
    match gateway::post("alipay.open.app.alipaycert.download", &wanted, None) {
        Ok(answer) if answer.status() == 200 => {
            trust::renew(&answer, "certificates")?;
            trust::verify(message, scheme)
        }
        // Another call may have asked just now, and got what signed this.
        _ => trust::verify(message, scheme),
    }
}

/// The number of the certificate that a message names: 32 hex digits.
fn serial(body: &[u8]) -> Option<String> {
    let serial = match serde_json::from_slice::<Named>(body) {
        Ok(named) => named.alipay_cert_sn,
        Err(_) => form::field(body, SERIAL)?.into_owned(),
    };
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (serial.len() == 32 && serial.bytes().all(hex)).then_some(serial)
}
