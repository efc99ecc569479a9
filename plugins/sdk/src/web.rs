//! Requests to the hosts that the operator allows the domain.

use std::fmt;

use crate::host;

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Names the request within the delivery (1 to 64 letters, digits, dots, dashes, underscores).
    /// The `Idempotency-Key` that is sent is made of both, and is the same on every try.
    pub step: String,
    /// In upper case.
    pub method: String,
    /// The absolute address.
    pub url: String,
    /// At most 32.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// With names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The domain may not reach this address; the text says what to ask the operator for.
    Denied(String),
    /// Surely not sent.
    NotSent(String),
    /// Perhaps received.
    MaybeSent(String),
    /// The answer is larger than 1 MiB.
    TooLarge,
}

impl Request {
    /// A `GET`.
    pub fn get(step: &str, url: &str) -> Request {
        Request {
            step: step.to_owned(),
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A `POST` of JSON.
    pub fn post_json(step: &str, url: &str, json: &serde_json::Value) -> Request {
        Request {
            method: "POST".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: json.to_string().into_bytes(),
            ..Request::get(step, url)
        }
    }

    /// Sends it and waits for the answer.
    pub fn send(self) -> Result<Response, Failure> {
        host::fetch(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Denied(what) => write!(f, "not allowed: {what}"),
            Failure::NotSent(what) => write!(f, "not sent: {what}"),
            Failure::MaybeSent(what) => write!(f, "sent, without an answer: {what}"),
            Failure::TooLarge => f.write_str("the answer is larger than 1 MiB"),
        }
    }
}

impl std::error::Error for Failure {}
