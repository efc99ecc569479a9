//! What an extractor reads of a request, and what a handler answers: said once for each type, so that a handler is
//! described by its own signature.

use std::marker::PhantomData;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{AppendHeaders, Response};
use schemars::JsonSchema;

use super::operation::Operation;
use crate::http::auth::By;
use crate::http::envelope::{Answer, Data, Failure, InPath};
use crate::http::notifications::Received;
use crate::payment::error::PayError;

/// The longest Idempotency-Key.
const MAX_KEY: usize = 255;

/// Something that a handler takes.
pub(in crate::http) trait Takes {
    fn describe(operation: &mut Operation<'_>);
}

/// Something that a handler answers.
pub(in crate::http) trait Answers {
    fn describe(operation: &mut Operation<'_>);
}

/// A handler that says what it takes and answers; `Args` is what it takes.
pub(in crate::http) trait Describes<Args> {
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! handlers {
    ($(($($arg:ident),*))+) => {
        $(
            impl<F, Fut, $($arg,)*> Describes<($($arg,)*)> for F
            where
                F: Fn($($arg),*) -> Fut,
                Fut: Future,
                Fut::Output: Answers,
                $($arg: Takes,)*
            {
                fn describe(operation: &mut Operation<'_>) {
                    $($arg::describe(operation);)*
                    Fut::Output::describe(operation);
                }
            }
        )+
    };
}

handlers! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, G)
    (A, B, C, D, E, G, H)
}

macro_rules! nothing_to_say {
    ($([$($arg:ident)?] $taken:ty;)+) => {
        $(
            impl$(<$arg>)? Takes for $taken {
                fn describe(_: &mut Operation<'_>) {}
            }
        )+
    };
}

nothing_to_say! {
    [S] State<S>;
    [T] Extension<T>;
    [T] Option<Extension<T>>;
    [] HeaderMap;
    [] RawQuery;
    [] By;
    // The address says it.
    [T] Path<T>;
}

impl<T> Takes for InPath<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.refuses("e.pay.invalid");
    }
}

impl<T: Takes, Why> Takes for Result<T, Why> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

impl<T: JsonSchema> Takes for Query<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.query::<T>();
        operation.refuses("e.pay.invalid");
    }
}

impl<T: JsonSchema> Takes for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.json_body::<T>();
        operation.refuses("e.http.mediaType");
    }
}

impl Takes for Bytes {
    fn describe(operation: &mut Operation<'_>) {
        operation.bytes_body();
    }
}

impl Takes for Received {
    fn describe(operation: &mut Operation<'_>) {
        operation.notification_body();
    }
}

impl Takes for WebSocketUpgrade {
    fn describe(operation: &mut Operation<'_>) {
        operation.upgrades();
    }
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident: $describe:ident;)+) => {
        $(
            $(#[$doc])*
            pub(in crate::http) struct $name<T> {
                pub(in crate::http) bytes: Bytes,
                read_as: PhantomData<T>,
            }

            impl<T, S: Send + Sync> FromRequest<S> for $name<T> {
                type Rejection = BytesRejection;

                async fn from_request(request: Request, state: &S) -> Result<$name<T>, BytesRejection> {
                    Ok($name {
                        bytes: Bytes::from_request(request, state).await?,
                        read_as: PhantomData,
                    })
                }
            }

            impl<T: JsonSchema> Takes for $name<T> {
                fn describe(operation: &mut Operation<'_>) {
                    operation.$describe::<T>();
                }
            }
        )+
    };
}

bodies! {
    /// A body in JSON that the handler reads itself, since its bytes count too.
    Raw: json_body;
    /// The same, which may be left out.
    RawIfAny: json_body_if_any;
    /// Bytes as they are, or JSON with more.
    BytesOr: bytes_or_json_body;
}

/// `Idempotency-Key`: the same request under the same key is done once.
pub(in crate::http) struct IdempotencyKey(pub(in crate::http) Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IdempotencyKey, Failure> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(IdempotencyKey(None));
        };
        let key = value
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|key| !key.is_empty());
        match key {
            Some(key) if key.len() <= MAX_KEY => Ok(IdempotencyKey(Some(key.to_owned()))),
            _ => {
                let why = "the Idempotency-Key has 1 to 255 visible ASCII characters";
                Err(PayError::invalid(why).into())
            }
        }
    }
}

impl Takes for IdempotencyKey {
    fn describe(operation: &mut Operation<'_>) {
        operation.header(
            "Idempotency-Key",
            "The same request under the same key is done once, and answered alike: 1 to 255 visible ASCII characters",
            "order-20261127-0815",
        );
        operation.refuses("e.pay.invalid");
        operation.refuses("e.pay.idempotency.reused");
    }
}

/// `Last-Event-ID`: what the caller of a stream knows already.
pub(in crate::http) struct LastEventId(pub(in crate::http) Option<Option<u64>>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<LastEventId, Self::Rejection> {
        let last = parts.headers.get("last-event-id");
        let read = |last: &axum::http::HeaderValue| last.to_str().ok()?.parse().ok();
        Ok(LastEventId(last.map(read)))
    }
}

impl Takes for LastEventId {
    fn describe(operation: &mut Operation<'_>) {
        let says = "The number of the last event that the caller has: browsers send it when they come back";
        operation.header("Last-Event-ID", says, "4");
    }
}

impl<T: JsonSchema> Answers for Result<Data<T>, Failure> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answers::<T>();
    }
}

impl<Head, T: JsonSchema> Answers for Result<(AppendHeaders<Head>, Data<T>), Failure> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answers::<T>();
    }
}

impl<Head, T: JsonSchema> Answers for Result<(AppendHeaders<Head>, Answer<T>), Failure> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answers::<T>();
    }
}

/// Something else than the envelope: the words of the endpoint say what.
impl Answers for Result<Response, Failure> {
    fn describe(_: &mut Operation<'_>) {}
}

impl Answers for Response {
    fn describe(_: &mut Operation<'_>) {}
}
