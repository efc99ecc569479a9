//! Tokens: the host fetches one with the target's secret, keeps it in memory, and adds it to requests. No
//! provider ever sees one.

use std::collections::BTreeSet;

use url::Url;
use zeroize::Zeroizing;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Outgoing, Prepared};
use crate::trust::form;
use crate::trust::json::Object;
use crate::trust::key::Usage;
use crate::trust::manifest::{Bearer, Manifest, Scheme};
use crate::trust::platform_keys::Token;
use crate::trust::reach::{Address, Denied, grants};
use crate::trust::target::Target;

/// How long before its end a token is not used any more: the request has to arrive.
const MARGIN_MS: u64 = 60_000;

/// The longest that a token is kept, whatever its giver says: a day.
const LONGEST_S: u64 = 24 * 3600;

/// Why there is no token. Nothing of the answer is in it but what the platform says of itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenRefused(pub String);

/// The request for a token, where one is needed before `outgoing` can be sent.
pub fn token_request(
    manifest: &Manifest,
    target: &Target,
    outgoing: &Outgoing,
    now_ms: u64,
) -> Result<Option<Prepared>, Denied> {
    let Some((name, rule)) = bearer(manifest, outgoing.auth.as_deref()) else {
        return Ok(None);
    };
    if target.platform.token(name, now_ms).is_some() {
        return Ok(None);
    }
    // The secret goes to nobody to whom the request itself might not go.
    let address = Address::read(&outgoing.url)?;
    let granted = grants(manifest.reach(), target, &outgoing.method, &address)?;
    let grant = granted
        .first()
        .ok_or_else(|| Denied("the manifest does not reach this address".to_owned()))?;
    let authority = grant
        .own
        .then_some(grant.reach.test_authority.as_deref())
        .flatten();
    let tls = target.tls(None, authority).map_err(Denied)?;
    let address = format!("{}://{}{}", address.scheme, address.authority, rule.path);
    let url = Url::parse(&address).map_err(|error| Denied(format!("the address: {error}")))?;
    let user = target
        .setting(&rule.user)
        .ok_or_else(|| Denied(format!("the target has no setting {:?}", rule.user)))?;
    let password = target
        .keys
        .secret(&rule.password, Usage::Request)
        .map_err(|failure| Denied(failure.to_string()))?;
    let mut both = Zeroizing::new(user);
    both.push(':');
    both.push_str(password);
    let headers = vec![
        (
            "authorization".to_owned(),
            format!("Basic {}", STANDARD.encode(both.as_bytes())),
        ),
        ("accept".to_owned(), "application/json".to_owned()),
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
    ];
    let body = form::write(rule.form.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    Ok(Some(Prepared {
        method: "POST".to_owned(),
        url,
        headers,
        body: body.into_bytes(),
        operation: format!("POST {}", rule.path),
        signed: true,
        trade: None,
        during: BTreeSet::new(),
        local_gateway: grant.local,
        domain: target.domain.clone(),
        tls,
    }))
}

/// Takes the token out of the answer and keeps it with the target, in memory.
pub fn keep_token(
    manifest: &Manifest,
    target: &Target,
    auth: &str,
    status: u16,
    body: &[u8],
    now_ms: u64,
) -> Result<(), TokenRefused> {
    let Some((name, rule)) = bearer(manifest, Some(auth)) else {
        return Err(TokenRefused(format!("the scheme {auth:?} has no token")));
    };
    if status != 200 {
        return Err(TokenRefused(format!(
            "the platform gives no token for the target's {} and {}: it answered with HTTP {status}",
            rule.user, rule.password
        )));
    }
    let unread = |_| TokenRefused("the platform's token cannot be read".to_owned());
    let text = str::from_utf8(body)
        .map_err(|_| TokenRefused("the platform's token cannot be read".to_owned()))?;
    let answer = Object::parse(text).map_err(unread)?;
    let token = answer.at(&rule.token).map_err(unread)?.text();
    let plain = |text: &String| text.len() <= 8192 && text.bytes().all(|b| b.is_ascii_graphic());
    let token = token
        .filter(plain)
        .ok_or_else(|| TokenRefused("the platform's answer has no token".to_owned()))?;
    let expires = answer.at(&rule.expires).map_err(unread)?.text();
    let expires_s: u64 = expires.and_then(|text| text.parse().ok()).unwrap_or(0);
    let lasts_ms = expires_s.min(LONGEST_S).saturating_mul(1000);
    let kept = Token {
        text: Zeroizing::new(token),
        // One that ends at once is good for the request that it was fetched for.
        until_ms: now_ms.saturating_add(lasts_ms.saturating_sub(MARGIN_MS).max(1000)),
    };
    target.platform.set_token(name, kept);
    Ok(())
}

/// Forgets a token that the platform does not take any more. False where the scheme has none.
pub fn forget_token(manifest: &Manifest, target: &Target, auth: Option<&str>) -> bool {
    let Some((name, _)) = bearer(manifest, auth) else {
        return false;
    };
    target.platform.drop_token(name);
    true
}

fn bearer<'m>(manifest: &'m Manifest, auth: Option<&str>) -> Option<(&'m str, &'m Bearer)> {
    let auth = auth?;
    let (name, scheme) = manifest.schemes().get_key_value(auth)?;
    match scheme {
        Scheme::Bearer(rule) => Some((name, rule)),
        _ => None,
    }
}
