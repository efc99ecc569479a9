//! What was received, and what of it the host vouches for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::form;
use super::json::{Found, JsonError, Object};
use super::pointer::Pointer;
use super::target::Target;
use crate::payment::model::{Digest, TargetRef};

/// Where a message came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Somebody sent it to the host; nothing is known of them.
    Notification,
    /// It answers a request that the host sent to the platform.
    Answer {
        /// The granted operation that was asked for (see [`super::Prepared::operation`]).
        operation: String,
        /// The host signed that request with the target's own key.
        signed: bool,
        /// The number of the trade that it was about, where the manifest says where that stands and the host signed it.
        trade: Option<String>,
    },
}

/// Bytes that the host received. Nothing in them is to be believed.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it came from.
    pub origin: Origin,
    /// The HTTP status of an answer; 0 for a notification.
    pub status: u16,
    /// Names in any case.
    pub headers: Vec<(String, String)>,
    /// As received.
    pub body: Vec<u8>,
    /// When it came.
    pub came: Instant,
}

impl Message {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a platform stated, checked by a scheme of the manifest against the target's own keys.
///
/// It can be made in this room only: whoever holds one holds what the platform said. Copies share
/// the bytes.
#[derive(Clone, Debug)]
pub struct Statement {
    inner: Arc<Inner>,
    came: Instant,
}

#[derive(Debug)]
struct Inner {
    stated: Stated,
    scheme: String,
    origin: Origin,
    digest: Digest,
    provider: String,
    domain: String,
    target: TargetRef,
}

#[derive(Debug)]
enum Stated {
    Json(String),
    Form {
        text: String,
        fields: BTreeMap<String, String>,
    },
}

impl Statement {
    /// A JSON object that was signed as it stands.
    pub(super) fn of_json(
        json: String,
        provider: &str,
        target: &Target,
        scheme: &str,
        origin: &Origin,
    ) -> Statement {
        Statement::new(Stated::Json(json), provider, target, scheme, origin)
    }

    /// The fields of a form that the signature covers, and no others.
    pub(super) fn of_form(
        fields: BTreeMap<String, String>,
        provider: &str,
        target: &Target,
        scheme: &str,
        origin: &Origin,
    ) -> Statement {
        let text = form::write(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        Statement::new(
            Stated::Form { text, fields },
            provider,
            target,
            scheme,
            origin,
        )
    }

    fn new(
        stated: Stated,
        provider: &str,
        target: &Target,
        scheme: &str,
        origin: &Origin,
    ) -> Statement {
        let digest = Digest::of(match &stated {
            Stated::Json(text) | Stated::Form { text, .. } => text.as_bytes(),
        });
        Statement {
            inner: Arc::new(Inner {
                stated,
                scheme: scheme.to_owned(),
                origin: origin.clone(),
                digest,
                provider: provider.to_owned(),
                domain: target.domain.clone(),
                target: target.reference.clone(),
            }),
            came: Instant::now(),
        }
    }

    /// The same, of a message that came then.
    pub(super) fn of_message(self, came: Instant) -> Statement {
        Statement { came, ..self }
    }

    /// When the message came that it was in.
    pub fn came(&self) -> Instant {
        self.came
    }

    /// What was stated, without the signature: the bytes of a JSON object as they were signed, or
    /// a form of the signed fields, sorted by name.
    pub fn text(&self) -> &[u8] {
        match &self.inner.stated {
            Stated::Json(text) | Stated::Form { text, .. } => text.as_bytes(),
        }
    }

    /// The scheme of the manifest by which it was verified.
    pub fn scheme(&self) -> &str {
        &self.inner.scheme
    }

    /// Where the message came from.
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
    }

    /// SHA-256 of [`Statement::text`]. The same statement received twice has the same digest.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// Whether it was verified for this provider by the keys of this version of this target.
    pub(super) fn is_for(&self, provider: &str, target: &Target) -> bool {
        self.inner.provider == provider
            && self.inner.domain == target.domain
            && self.inner.target == target.reference
    }

    /// Opens it for reading at pointers.
    pub(super) fn reader(&self) -> Result<Reader<'_>, JsonError> {
        Ok(match &self.inner.stated {
            Stated::Json(text) => Reader::Json(Object::parse(text)?),
            Stated::Form { fields, .. } => Reader::Form(fields),
        })
    }
}

/// A statement, opened. A form is read as a flat object.
pub(super) enum Reader<'a> {
    Json(Object<'a>),
    Form(&'a BTreeMap<String, String>),
}

impl Reader<'_> {
    pub(super) fn at(&self, pointer: &Pointer) -> Result<Found, JsonError> {
        match self {
            Reader::Json(object) => object.at(pointer),
            Reader::Form(fields) => Ok(pointer
                .field()
                .and_then(|field| fields.get(field))
                .filter(|value| !value.is_empty())
                .map_or(Found::Nothing, |value| Found::Text(value.clone()))),
        }
    }
}

/// Why there is no statement, or no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The manifest has no scheme (or template) of this name, or it is not for this use.
    #[error("{0}")]
    UnknownScheme(String),
    /// The target does not have the key that is needed.
    #[error("{0}")]
    UnknownKey(String),
    /// The message is older or newer than the scheme's window allows.
    #[error("the message is too old, or from the future")]
    Stale,
    /// The signature does not fit the bytes and the target's key.
    #[error("the signature does not hold")]
    BadSignature,
    /// The message does not have the form that the scheme describes.
    #[error("{0}")]
    Malformed(String),
}
