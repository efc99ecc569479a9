//! Tokens (OAuth 2.0): fetched before the request that needs one, by the host alone.

use super::outbound::{Outbound, Unsent};
use crate::trust::{self, Manifest, Outgoing, Target};

/// Fetches the token that a request needs, where the target has none. Nothing of the request itself is sent, whatever
/// becomes of this: it fails with [`Unsent::Denied`] or [`Unsent::NotSent`]. `now_ms` is milliseconds since 1970.
pub(super) async fn fetch(
    outbound: &Outbound,
    manifest: &Manifest,
    target: &Target,
    outgoing: &Outgoing,
    now_ms: u64,
) -> Result<(), Unsent> {
    let request = trust::token_request(manifest, target, outgoing, now_ms)
        .map_err(|trust::Denied(why)| Unsent::Denied(why))?;
    let (Some(request), Some(auth)) = (request, &outgoing.auth) else {
        return Ok(());
    };
    let none = |why: &str| Unsent::NotSent(format!("there is no token{why}"));
    let answer = outbound
        .send(request)
        .await
        .map_err(|unsent| match unsent {
            Unsent::Denied(why) => Unsent::Denied(why),
            Unsent::NotSent(why) | Unsent::MaybeSent(why) => none(&format!(": {why}")),
            Unsent::TooLarge => none(""),
        })?;
    trust::keep_token(manifest, target, auth, answer.status, &answer.body, now_ms).map_err(
        |trust::TokenRefused(why)| match answer.status {
            // Only these say that the target's settings are wrong.
            400 | 401 | 403 => Unsent::Denied(why),
            _ => Unsent::NotSent(why),
        },
    )
}
