//! Requests to the hosts that the operator allows the domain.

use std::fmt;

use serde::de::DeserializeOwned;

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

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it and waits for the answer.
    pub fn send(self) -> Result<Response, Failure> {
        host::fetch(self)
    }
}

impl Response {
    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header by its name in any case; the first one where it is repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON, read as `T`.
    ///
    /// # Errors
    /// Where it is no JSON, or not that of `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::native::{Double, with};
    use serde_json::{Value, json};

    #[test]
    fn a_request_is_sent_and_its_answer_read() {
        let answer = Response {
            status: 201,
            headers: vec![("content-type".into(), "application/json".into())],
            body: br#"{"parcel":"p-17"}"#.to_vec(),
        };
        let double = Rc::new(Double::new().serving(Ok(answer)));
        let got = with(double.clone(), || {
            Request::post_json("ship", "https://api.example.com/", &json!({"order": 1}))
                .header("x-shop", "tea")
                .send()
        });
        let got = got.unwrap();
        assert!(got.is_success());
        assert_eq!(got.header("Content-Type"), Some("application/json"));
        assert_eq!(got.json::<Value>().unwrap()["parcel"], "p-17");
        let sent = &double.fetched()[0];
        assert_eq!(sent.headers[1], ("x-shop".into(), "tea".into()));
        assert_eq!(sent.body, br#"{"order":1}"#);
    }
}
