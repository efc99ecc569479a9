//! The manifest's schemes, as they are written: how messages are signed, and with which keys.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

use super::templates::SetValue;
use crate::trust::pointer::Pointer;
use crate::trust::timestamp::TimestampRule;

/// How messages are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum Scheme {
    SortedForm(SortedForm),
    JsonSubstring(JsonSubstring),
    Lines(Lines),
    SortedXml(SortedXml),
    Aead(Aead),
    Certificates(Certificates),
    Bearer(Bearer),
    AuthenticatedJson(AuthenticatedJson),
    Webhook(Webhook),
}

impl Scheme {
    /// Which messages it is for. What is opened out of a statement came the statement's way.
    pub(crate) fn purpose(&self) -> Purpose {
        match self {
            Scheme::SortedForm(rule) => rule.purpose,
            Scheme::JsonSubstring(rule) => rule.purpose,
            Scheme::Lines(rule) => rule.purpose,
            Scheme::SortedXml(rule) => rule.purpose,
            Scheme::Aead(_) => Purpose::Part,
            Scheme::Certificates(_) => Purpose::Renewal,
            Scheme::Bearer(_) => Purpose::Request,
            Scheme::AuthenticatedJson(_) => Purpose::Answer,
            Scheme::Webhook(_) => Purpose::Notification,
        }
    }

    /// The purpose of the messages that its statements come from.
    pub(crate) fn source(&self, schemes: &BTreeMap<String, Scheme>) -> Purpose {
        match self {
            Scheme::Aead(rule) => schemes.get(&rule.of).map_or(Purpose::Part, Scheme::purpose),
            other => other.purpose(),
        }
    }

    /// Why its notifications settle nothing, where they do not: somebody else than the platform could make them.
    pub(crate) fn forgeable(&self) -> Option<&'static str> {
        match self {
            Scheme::SortedXml(_) => Some(
                "it is signed with a shared secret, so that whoever has a request signed could make it",
            ),
            Scheme::Webhook(_) => {
                Some("only a checksum of it is signed, so that whoever saw one could make another")
            }
            _ => None,
        }
    }
}

/// Which messages a scheme is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    Request,
    Answer,
    Notification,
    /// An encrypted part of a statement.
    #[serde(skip)]
    Part,
    /// An answer that brings certificates.
    #[serde(skip)]
    Renewal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
}

/// The settings that are the key: one, or several of which a target has at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyNames(pub(crate) Vec<String>);

/// Fields sorted by name and joined as `name=value&…`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SortedForm {
    #[serde(rename = "use")]
    pub(crate) purpose: Purpose,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    /// The settings that are the key.
    pub(crate) key: KeyNames,
    /// The scheme that brings further certificates to verify with.
    pub(crate) renewed_by: Option<String>,
    /// The field that names the key which signed; where it is missing any of the keys may have.
    pub(crate) serial: Option<String>,
    /// The field that carries the signature.
    pub(crate) signature: String,
    /// Fields that are not signed; the signature's own is among them.
    pub(crate) omit: Vec<String>,
    /// Fields that the host sets on a request.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, SetValue>,
    /// The field in which the host writes the time on a request.
    pub(crate) timestamp: Option<TimestampRule>,
    /// The field of a request that the host encrypts.
    pub(crate) encrypt: Option<Encryption>,
    /// Fields of a notification that must have these values, in any case of letters.
    #[serde(default)]
    pub(crate) expect: BTreeMap<String, String>,
}

/// A field that is encrypted (AES-128-CBC) where the target has the key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encryption {
    pub(crate) field: String,
    /// The setting that is the key, in base64.
    pub(crate) key: String,
    /// Fields that the host adds when it encrypts, such as how.
    pub(crate) set: BTreeMap<String, SetValue>,
}

/// A member of a JSON object, signed as it stands, with the signature beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonSubstring {
    #[serde(rename = "use")]
    pub(crate) purpose: Purpose,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    pub(crate) key: KeyNames,
    pub(crate) renewed_by: Option<String>,
    /// The member that names the key which signed; where it is missing any of the keys may have.
    pub(crate) serial: Option<String>,
    /// The member that carries the signature.
    pub(crate) signature: String,
    /// The signed member's name is the operation, with `_` for `.`, and this behind it.
    pub(crate) content_suffix: String,
    /// The setting that is the key (AES-128-CBC, in base64) to a signed member that is a text.
    pub(crate) decrypt: Option<String>,
}

/// Lines of a message, each with a line break behind it, signed beside the body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lines {
    #[serde(rename = "use")]
    pub(crate) purpose: Purpose,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    pub(crate) key: KeyNames,
    pub(crate) renewed_by: Option<String>,
    /// Of a request: what stands in `Authorization`.
    pub(crate) authorization: Option<Authorization>,
    /// Of an answer or notification: the headers that carry the signature.
    pub(crate) headers: Option<SignedHeaders>,
    /// How far the time of an answer or notification may be from the host's, in seconds.
    pub(crate) window_s: Option<u64>,
}

/// `name item="value",…`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorization {
    pub(crate) name: String,
    /// Items that the host sets.
    pub(crate) set: BTreeMap<String, SetValue>,
    pub(crate) nonce: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedHeaders {
    pub(crate) timestamp: String,
    pub(crate) nonce: String,
    pub(crate) signature: String,
    /// Names the key that signed.
    pub(crate) serial: String,
    /// How the signature of a notification begins by which the platform tries whether merchants look at signatures.
    pub(crate) probe: Option<String>,
}

/// The fields of a flat XML document, sorted by name and joined as `name=value&…&key=secret`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SortedXml {
    #[serde(rename = "use")]
    pub(crate) purpose: Purpose,
    pub(crate) algorithm: SharedAlgorithm,
    pub(crate) key: String,
    pub(crate) signature: String,
    /// Fields that the host sets on a request.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, SetValue>,
    /// The field of a request in which the host writes a number used once.
    pub(crate) nonce: Option<String>,
}

/// An algorithm with a shared secret.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SharedAlgorithm {
    Md5,
    HmacSha256,
    /// The setting that says `MD5` or `HMAC-SHA256`; without it, MD5.
    Setting(String),
}

/// An encrypted part of a statement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aead {
    /// The scheme whose statements have it.
    pub(crate) of: String,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: AeadAlgorithm,
    /// The setting that is the key: its 32 bytes as they are.
    pub(crate) key: String,
    pub(crate) ciphertext: Pointer,
    pub(crate) nonce: Pointer,
    pub(crate) associated_data: Pointer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) enum AeadAlgorithm {
    #[serde(rename = "aes-256-gcm")]
    Aes256Gcm,
}

/// An answer that brings the platform's certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificates {
    /// The operations whose answers bring them.
    pub(crate) operations: Vec<String>,
    /// The scheme by which such an answer is signed, by a key that the target has or one that the answer brings. None
    /// for a certificate that comes as the whole answer, from the platform's own host over TLS.
    pub(crate) answer: Option<String>,
    /// Where they stand.
    pub(crate) at: CertificatesAt,
    /// The issuer's common name, one of these; any, where none is named.
    #[serde(default)]
    pub(crate) issuer: Vec<String>,
    /// The setting with the authority that they come from; where a target has it the whole chain is checked.
    pub(crate) authority: Option<String>,
}

/// Where certificates stand in an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CertificatesAt {
    /// In a list, each encrypted with the target's key.
    Encrypted(Box<EncryptedCertificates>),
    /// A text in base64: the certificate, and those that it was issued by.
    Base64(Pointer),
    /// The whole answer is the certificate, and those that it was issued by.
    Pem,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptedCertificates {
    /// The list; the other pointers are within an item of it.
    pub(crate) list: Pointer,
    /// The setting that is the key: its 32 bytes as they are.
    pub(crate) key: String,
    pub(crate) serial: Pointer,
    pub(crate) ciphertext: Pointer,
    pub(crate) nonce: Pointer,
    pub(crate) associated_data: Pointer,
}

/// A token that the host fetches and adds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bearer {
    /// The path at the same host where a token is given for a form.
    pub(crate) path: String,
    pub(crate) form: BTreeMap<String, String>,
    /// The setting that is the user's name for it.
    pub(crate) user: String,
    /// The setting that is the password.
    pub(crate) password: String,
    pub(crate) token: Pointer,
    /// In seconds.
    pub(crate) expires: Pointer,
    /// Headers that a provider may set besides, such as the one that makes a request safe to repeat.
    #[serde(default)]
    pub(crate) headers: Vec<String>,
}

/// A notification of which only a checksum is signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    /// The setting that is the webhook's id.
    pub(crate) webhook: String,
    /// The scheme that brings the certificates to verify with.
    pub(crate) renewed_by: String,
    pub(crate) headers: WebhookHeaders,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookHeaders {
    pub(crate) id: String,
    pub(crate) time: String,
    pub(crate) signature: String,
    pub(crate) algorithm: String,
}

/// A JSON answer over TLS to a request that the host authenticated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthenticatedJson {
    /// The scheme of the request.
    #[serde(rename = "to")]
    pub(crate) request: String,
}

impl<'de> Deserialize<'de> for KeyNames {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = KeyNames;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a setting, or a list of settings")
            }
            fn visit_str<E>(self, name: &str) -> Result<KeyNames, E> {
                Ok(KeyNames(vec![name.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<KeyNames, A::Error> {
                let list = de::value::SeqAccessDeserializer::new(seq);
                Vec::deserialize(list).map(KeyNames)
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl fmt::Display for KeyNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}
