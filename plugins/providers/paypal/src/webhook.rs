//! Webhooks. PayPal signs a checksum of the body alone, so that one settles nothing: it makes the host ask.

use walnut_sdk::http::Request;
use walnut_sdk::serde_json::{self, Value};
use walnut_sdk::{Hint, Message, Statement, trust};

/// The header with the address of the certificate.
const CERTIFICATE: &str = "Paypal-Cert-Url";

/// Verifies a webhook. Where no certificate is known that signed it, the host fetches the one that it names, at most
/// once a minute and from PayPal's own hosts alone.
pub(crate) fn verified(message: &Message) -> Result<Statement, trust::Failure> {
    let failure = match trust::verify(message, "webhook") {
        Err(failure @ trust::Failure::UnknownKey(_)) => failure,
        other => return other,
    };
    let Some(address) = message.header(CERTIFICATE) else {
        return Err(failure);
    };
    match Request::get(address).send() {
        Ok(certificate) if certificate.status() == 200 => {
            trust::renew(&certificate, "certificates")?;
            trust::verify(message, "webhook")
        }
        // Another call may have asked just now, and got what signed this.
        _ => trust::verify(message, "webhook"),
    }
}

/// The trade that a webhook claims to speak of.
pub(crate) fn identify(notification: &Message) -> Hint {
    if notification.header(CERTIFICATE).is_none() {
        return Hint::None;
    }
    let event: Value = serde_json::from_slice(&notification.body()).unwrap_or_default();
    let named = [
        "/resource/custom_id",
        "/resource/purchase_units/0/custom_id",
    ]
    .into_iter()
    .find_map(|pointer| event.pointer(pointer)?.as_str());
    match named {
        Some(number) if is_trade_no(number) => Hint::Trade(number.to_owned()),
        _ => Hint::None,
    }
}

/// The form of the host's trade numbers.
fn is_trade_no(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
