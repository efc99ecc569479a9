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
use super::bodies::{NoRoom, TooSlow};
use super::load;
use crate::payment::error::PayError;

/// What a handler answers: data in the envelope, or a refusal.
pub(super) type Answer = Result<Data, Failure>;

/// Data in the envelope.
pub(super) struct Data {
    value: serde_json::Value,
    /// For the audit log.
    changed: Option<String>,
}

impl Data {
    pub(super) fn of(data: impl Serialize) -> Result<Data, Failure> {
        let value = serde_json::to_value(data).map_err(|error| {
            PayError::internal(format!("the answer cannot be written: {error}"))
        })?;
        Ok(Data {
            value,
            changed: None,
        })
    }

    /// Says what was changed where the address does not, for the audit log: no secret.
    pub(super) fn changed(self, what: impl Into<String>) -> Data {
        let changed = Some(what.into());
        Data { changed, ..self }
    }
}

/// Answers are of one caller and one moment: nothing between the host and the caller keeps them.
const NOT_KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

impl IntoResponse for Data {
    fn into_response(self) -> Response {
        let body = Json(json!({ "ok": true, "data": self.value }));
        let mut response = ([NOT_KEPT], body).into_response();
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

/// A refusal in the envelope, with the fitting HTTP status.
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn with_status(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> Failure {
        Failure {
            status,
            code,
            message: message.into(),
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
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Failure::with_status(status, error.code(), error.message())
    }
}

impl From<BytesRejection> for Failure {
    fn from(error: BytesRejection) -> Failure {
        if is_for::<NoRoom>(&error) {
            return load::busy();
        }
        if is_for::<TooSlow>(&error) {
            return Failure::with_status(
                StatusCode::REQUEST_TIMEOUT,
                "e.http.tooSlow",
                "the body did not come in time",
            );
        }
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::with_status(
                StatusCode::PAYLOAD_TOO_LARGE,
                "e.http.tooLarge",
                "the body is larger than this address takes",
            ),
            _ => Failure::from(PayError::invalid(error.body_text())),
        }
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
            JsonRejection::MissingJsonContentType(_) => Failure::with_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "e.http.mediaType",
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
