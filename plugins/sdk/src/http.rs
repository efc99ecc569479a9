//! Requests to what the operator granted by the manifest's `reach`.

use std::fmt;

use crate::trust::Message;
use crate::{Fault, form, host, xml};

/// One request. The host adds what the manifest's scheme says, and signs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// The absolute address.
    pub url: String,
    /// At most 32.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
    /// A scheme of the manifest by which the host signs the request.
    pub auth: Option<String>,
    /// The target's client certificate, for mutual TLS.
    pub identity: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The manifest does not reach this host, method, path or operation.
    Denied(String),
    /// Surely not sent.
    NotSent(String),
    /// Perhaps received: only asking can tell.
    MaybeSent(String),
    /// The answer is larger than 1 MiB.
    TooLarge,
}

impl Request {
    /// A `POST` of form fields.
    pub fn post_form(url: String, fields: &[(&str, &str)]) -> Request {
        Request {
            method: "POST".to_owned(),
            url,
            headers: vec![("content-type".to_owned(), form::CONTENT_TYPE.to_owned())],
            body: form::encode(fields).into_bytes(),
            auth: None,
            identity: None,
        }
    }

    /// A `GET`.
    pub fn get(url: String) -> Request {
        Request::of("GET", url, None, Vec::new())
    }

    /// A `POST` of a JSON text; an empty one has no type.
    pub fn post_json(url: String, json: String) -> Request {
        Request::of("POST", url, Some("application/json"), json.into_bytes())
    }

    /// A `POST` of a flat XML document.
    pub fn post_xml(url: String, fields: &[(&str, &str)]) -> Request {
        let body = xml::encode(fields).into_bytes();
        Request::of("POST", url, Some("text/xml"), body)
    }

    fn of(method: &str, url: String, kind: Option<&str>, body: Vec<u8>) -> Request {
        let mut headers = vec![("accept".to_owned(), kind.unwrap_or("application/json").to_owned())];
        headers.extend(kind.map(|kind| ("content-type".to_owned(), kind.to_owned())));
        Request {
            method: method.to_owned(),
            url,
            headers,
            body,
            auth: None,
            identity: None,
        }
    }

    /// Has the host show a client certificate of the target's, by its name in the manifest.
    pub fn shown_as(mut self, identity: &str) -> Request {
        self.identity = Some(identity.to_owned());
        self
    }

    /// Has the host sign the request by a scheme of the manifest.
    pub fn signed_by(mut self, scheme: &str) -> Request {
        self.auth = Some(scheme.to_owned());
        self
    }

    /// Sends it and waits for the answer, at most 10 s.
    pub fn send(self) -> Result<Message, Failure> {
        host::send(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Denied(what) => write!(f, "not granted: {what}"),
            Failure::NotSent(what) => write!(f, "not sent: {what}"),
            Failure::MaybeSent(what) => write!(f, "sent, without an answer: {what}"),
            Failure::TooLarge => f.write_str("the answer is larger than 1 MiB"),
        }
    }
}

impl std::error::Error for Failure {}

/// A request that is not granted is a matter of settings or manifest; nothing left the host. With
/// everything else only the platform knows how the trade stands.
impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        match &failure {
            Failure::Denied(_) => Fault::Misconfigured(failure.to_string()),
            _ => Fault::Unknown(failure.to_string()),
        }
    }
}
