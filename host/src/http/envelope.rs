//! Walnut's envelope: `{"ok":true,"data":…}` and `{"ok":false,"errCode":…,"msg":…}`.

use std::error::Error as _;

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::audit::{Changed, Refused};
use super::bodies::{MAX_VALUES, NoRoom, TooLarge, TooMany, TooSlow};
use super::load;
use crate::payment::error::PayError;

/// What a handler answers: data in the envelope, or a refusal.
pub(super) type Answer<T> = Result<Data<T>, Failure>;

/// Data in the envelope.
pub(super) struct Data<T> {
    data: T,
    /// For the audit log.
    changed: Option<String>,
}

impl<T> Data<T> {
    pub(super) fn of(data: T) -> Answer<T> {
        Ok(Data::plain(data))
    }

    pub(super) fn plain(data: T) -> Data<T> {
        Data {
            data,
            changed: None,
        }
    }

    /// Says what was changed where the address does not, for the audit log: no secret.
    pub(super) fn changed(data: T, what: impl Into<String>) -> Answer<T> {
        Ok(Data {
            data,
            changed: Some(what.into()),
        })
    }
}

/// Answers are of one caller and one moment: nothing between the host and the caller keeps them.
const NOT_KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

#[derive(Serialize)]
struct Envelope<T> {
    ok: bool,
    data: T,
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        let written = serde_json::to_vec(&Envelope {
            ok: true,
            data: self.data,
        });
        let body = match written {
            Ok(body) => body,
            Err(error) => {
                let why = format!("the answer cannot be written: {error}");
                return Failure::from(PayError::internal(why)).into_response();
            }
        };
        let mut response = ([NOT_KEPT, JSON], body).into_response();
        if let Some(what) = self.changed {
            response.extensions_mut().insert(Changed(what));
        }
        response
    }
}

/// The variable parts of an address; what cannot be read is refused in the envelope.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<InPath<T>, Failure> {
        let Path(read) = Path::from_request_parts(parts, state).await?;
        Ok(InPath(read))
    }
}

/// As axum reads JSON.
type At = serde_path_to_error::Error<serde_json::Error>;

/// A refusal in the envelope, with the fitting HTTP status.
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// A refusal that is HTTP's own: its code, its status, and when it is given.
pub(super) type OfHttp = (&'static str, u16, &'static str);

/// More than the host holds, or its bodies are.
pub(super) const BUSY: OfHttp = (
    "e.http.busy",
    503,
    "The host has as much in work as it holds.",
);
const TOO_SLOW: OfHttp = ("e.http.tooSlow", 408, "The body did not come in time.");
const TOO_LARGE: OfHttp = (
    "e.http.tooLarge",
    413,
    "The body is larger than the address takes, or its JSON has more than 10,000 names and values.",
);
const MEDIA_TYPE: OfHttp = ("e.http.mediaType", 415, "The body is not said to be JSON.");
/// The address is there, and not for that method.
pub(super) const METHOD: OfHttp = (
    "e.http.method",
    405,
    "The address does not take the method.",
);
/// Something else than a WebSocket.
pub(super) const UPGRADE: OfHttp = ("e.http.upgrade", 426, "The address speaks WebSocket only.");

/// All of them.
pub(super) const OF_HTTP: &[OfHttp] = &[BUSY, TOO_SLOW, TOO_LARGE, MEDIA_TYPE, METHOD, UPGRADE];

impl Failure {
    /// A refusal that is HTTP's own.
    pub(super) fn of_http((code, status, _): OfHttp, message: impl Into<String>) -> Failure {
        Failure::with(code, status, message.into())
    }

    /// What is wrong with a body that may hold secrets: what it has to be, where it is not, and nothing of what stands there.
    pub(super) fn unread(error: JsonRejection, has_to_be: &str) -> Failure {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(found) = cause {
            if let Some(at) = found.downcast_ref::<At>() {
                let (line, column) = (at.inner().line(), at.inner().column());
                let why = format!(
                    "the body has to be {has_to_be}; it is not at line {line} column {column}"
                );
                return PayError::invalid(why).into();
            }
            cause = found.source();
        }
        Failure::from(error)
    }

    fn with(code: &'static str, status: u16, message: String) -> Failure {
        Failure {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            message,
        }
    }

    /// The sentence for the caller.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<PayError> for Failure {
    fn from(error: PayError) -> Failure {
        Failure::with(error.code(), error.status(), error.message().to_owned())
    }
}

impl From<BytesRejection> for Failure {
    fn from(error: BytesRejection) -> Failure {
        if is_for::<NoRoom>(&error) {
            return load::busy();
        }
        if is_for::<TooSlow>(&error) {
            return Failure::of_http(TOO_SLOW, "the body did not come in time");
        }
        if is_for::<TooMany>(&error) {
            let why = format!(
                "the JSON of the body has more than {MAX_VALUES} names and values: send fewer of them"
            );
            return Failure::of_http(TOO_LARGE, why);
        }
        if is_for::<TooLarge>(&error) || error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Failure::of_http(TOO_LARGE, "the body is larger than this address takes");
        }
        Failure::from(PayError::invalid(error.body_text()))
    }
}

/// Whether the body was not read for this.
fn is_for<Why: std::error::Error + 'static>(error: &BytesRejection) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Why>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl From<QueryRejection> for Failure {
    fn from(error: QueryRejection) -> Failure {
        Failure::from(PayError::invalid(error.body_text()))
    }
}

impl From<PathRejection> for Failure {
    fn from(error: PathRejection) -> Failure {
        Failure::from(PayError::invalid(error.body_text()))
    }
}

impl From<JsonRejection> for Failure {
    fn from(error: JsonRejection) -> Failure {
        match error {
            JsonRejection::BytesRejection(error) => Failure::from(error),
            JsonRejection::MissingJsonContentType(_) => Failure::of_http(
                MEDIA_TYPE,
                "send JSON with the header Content-Type: application/json",
            ),
            other => Failure::from(PayError::invalid(other.body_text())),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = Json(json!({ "ok": false, "errCode": self.code, "msg": self.message }));
        let mut response = (self.status, [NOT_KEPT], body).into_response();
        response.extensions_mut().insert(Refused(self.code));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
