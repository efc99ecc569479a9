//! `/v1/notifications/verify-webhook-signature`: PayPal checks for the merchant.
//!
//! The signature covers the bytes of the notification, so `webhook_event` must hold them as they
//! came: an event that was read and written again in another way does not verify.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::account::App;
use super::certificate::Validity;
use super::failure::Failure;
use super::operation::Answer;
use super::platform::Platform;
use super::signing;

#[derive(Deserialize)]
struct Asked<'a> {
    auth_algo: String,
    cert_url: String,
    transmission_id: String,
    transmission_sig: String,
    transmission_time: String,
    webhook_id: String,
    #[serde(borrow)]
    webhook_event: &'a RawValue,
}

/// Answers whether a notification is PayPal's and the caller's.
pub(super) fn verify(platform: &Platform, app: &App, body: &[u8]) -> Result<Answer, Failure> {
    let asked: Asked<'_> = serde_json::from_slice(body).map_err(|error| {
        Failure::invalid(if error.is_data() {
            "MISSING_REQUIRED_PARAMETER"
        } else {
            "MALFORMED_REQUEST_JSON"
        })
    })?;
    let certificate = platform
        .certificate_id(&asked.cert_url)
        .and_then(|id| platform.book().certificates.get(id).cloned());
    let text = signing::signed_text(
        &asked.transmission_id,
        &asked.transmission_time,
        &asked.webhook_id,
        asked.webhook_event.get().as_bytes(),
    );
    let holds = asked.auth_algo == signing::ALGORITHM
        && asked.webhook_id == app.webhook_id
        && certificate.is_some_and(|certificate| {
            let key = certificate.public_key();
            certificate.validity == Validity::Now
                && signing::verifies(&key, &text, &asked.transmission_sig)
        });
    let status = if holds { "SUCCESS" } else { "FAILURE" };
    Ok(Answer::json(200, json!({"verification_status": status})))
}
