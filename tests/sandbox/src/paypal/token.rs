//! `/v1/oauth2/token` and what its tokens are worth.
//!
//! A client that asks again while its token holds is given the same one, with what is left of
//! its time, as PayPal does.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::account::App;
use super::book::Book;
use super::clock;
use super::failure::Failure;
use super::numbers::Numbers;

/// How long a token holds.
const LIFE: Duration = Duration::hours(9);

/// What a token is good for.
const SCOPE: &str = "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/payments/payment/authcapture https://uri.paypal.com/services/payments/refund https://uri.paypal.com/services/applications/webhooks openid";

/// What a token is good for besides, where the app has "Transaction Search" switched on.
const REPORTS: &str = "https://uri.paypal.com/services/reporting/search/read";

/// PayPal's number of apps in its sandbox.
const APP_ID: &str = "APP-80W284485P519543T";

/// A token that was given out.
#[derive(Clone)]
struct Token {
    text: String,
    client_id: String,
    nonce: String,
    ends: OffsetDateTime,
    /// The app had "Transaction Search" switched on when it was given out.
    reports: bool,
}

/// All tokens that were given out.
#[derive(Default)]
pub(super) struct Tokens(Vec<Token>);

impl Tokens {
    /// The client's token that holds, or a new one, as the answer tells of it.
    fn grant(
        &mut self,
        client_id: &str,
        reports: bool,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> Value {
        let holds = |token: &&Token| token.client_id == client_id && now < token.ends;
        let token = match self.0.iter().find(holds) {
            Some(token) => token.clone(),
            None => {
                let token = Token {
                    text: numbers.access_token(),
                    client_id: client_id.to_owned(),
                    nonce: format!("{}{}", clock::text(now), numbers.nonce()),
                    ends: now + LIFE,
                    reports,
                };
                self.0.push(token.clone());
                token
            }
        };
        let scope = match token.reports {
            true => format!("{SCOPE} {REPORTS}"),
            false => SCOPE.to_owned(),
        };
        json!({
            "scope": scope,
            "access_token": token.text,
            "token_type": "Bearer",
            "app_id": APP_ID,
            "expires_in": (token.ends - now).whole_seconds(),
            "nonce": token.nonce,
        })
    }

    /// The token, as long as it holds.
    fn holder(&self, text: &str, now: OffsetDateTime) -> Result<&Token, Failure> {
        let token = self.0.iter().find(|token| token.text == text);
        let token = token.ok_or_else(|| Failure::token("Token signature verification failed"))?;
        if now >= token.ends {
            return Err(Failure::token("Access Token not found in cache"));
        }
        Ok(token)
    }

    /// None of them holds any more.
    pub(super) fn end_all(&mut self, now: OffsetDateTime) {
        for token in &mut self.0 {
            token.ends = token.ends.min(now);
        }
    }
}

/// Grants a token to a client that shows its secret; gives the client too.
pub(super) fn grant(
    book: &mut Book,
    numbers: &Numbers,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Arc<App>, Value), Failure> {
    let unknown = || Failure::oauth(401, "invalid_client", "Client Authentication failed");
    let shown = credentials(headers).ok_or_else(unknown)?;
    let app = book.apps.get(&shown.0).cloned().ok_or_else(unknown)?;
    if app.secret != shown.1 {
        return Err(unknown());
    }
    let is_form = media_type(headers).eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let asked = form_urlencoded::parse(if is_form { body } else { b"" })
        .find(|(name, _)| name == "grant_type");
    match asked {
        Some((_, asked)) if asked == "client_credentials" => {
            let reports = !book.reports.is_off(&app.client_id);
            let answer = book
                .tokens
                .grant(&app.client_id, reports, numbers, clock::now());
            Ok((app, answer))
        }
        Some(_) => Err(Failure::oauth(
            400,
            "unsupported_grant_type",
            "unsupported grant_type",
        )),
        None => Err(Failure::oauth(
            400,
            "unsupported_grant_type",
            "Grant Type is NULL",
        )),
    }
}

/// Whose request it is, by its bearer token.
pub(super) fn authenticate(book: &Book, headers: &HeaderMap) -> Result<Arc<App>, Failure> {
    let token = bearer(book, headers)?;
    let app = book.apps.get(&token.client_id).cloned();
    app.ok_or_else(Failure::unauthenticated)
}

/// Whether the bearer token is good for reports.
pub(super) fn may_report(book: &Book, headers: &HeaderMap) -> Result<(), Failure> {
    match bearer(book, headers)?.reports {
        true => Ok(()),
        false => Err(Failure::forbidden("PERMISSION_DENIED")),
    }
}

fn bearer<'a>(book: &'a Book, headers: &HeaderMap) -> Result<&'a Token, Failure> {
    let token = authorization(headers, "bearer").ok_or_else(Failure::unauthenticated)?;
    book.tokens.holder(token, clock::now())
}

/// The media type of a body, without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    let media = value.and_then(|value| value.split(';').next());
    media.unwrap_or_default().trim()
}

fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let shown = STANDARD.decode(authorization(headers, "basic")?).ok()?;
    let shown = String::from_utf8(shown).ok()?;
    let (client_id, secret) = shown.split_once(':')?;
    Some((client_id.to_owned(), secret.to_owned()))
}
