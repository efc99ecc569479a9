//! Numbers and times: by what payments, attempts, refunds and contents are known.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Milliseconds since 1970 (the user's document says AMS, 绝对毫秒数); 0 means "has not happened".
pub type Ams = u64;

/// The latest time, and the largest count, that stores have a place for.
pub const LATEST: Ams = u64::MAX >> 1;

/// A payment's id: a time-ordered UUID (version 7), written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId(Uuid);

impl PaymentId {
    /// A new id; later ones sort behind earlier ones.
    pub fn generate() -> PaymentId {
        PaymentId(Uuid::now_v7())
    }

    /// Reads 32 hex digits or the dashed form, in any case.
    pub fn parse(text: &str) -> Option<PaymentId> {
        let text = text.trim();
        matches!(text.len(), 32 | 36)
            .then(|| Uuid::try_parse(text).ok().map(PaymentId))
            .flatten()
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl fmt::Debug for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number by which a platform knows an attempt: 32 lower-case hex digits. The first attempt's
/// number is the payment's id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct TradeNo(String);

impl TradeNo {
    /// The number of a payment's first attempt.
    pub fn first(id: PaymentId) -> TradeNo {
        TradeNo(id.to_string())
    }

    /// A number for a later attempt.
    pub fn generate() -> TradeNo {
        TradeNo(Uuid::now_v7().simple().to_string())
    }

    /// Takes only the exact form: 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<TradeNo> {
        let exact =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        exact.then(|| TradeNo(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TradeNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of a component or of a callback's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let mut out = [0; 32];
        out.copy_from_slice(digest.as_ref());
        Digest(out)
    }

    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Digest> {
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out)
            .ok()
            .map(|()| Digest(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl JsonSchema for Digest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Digest::parse(&text).ok_or_else(|| serde::de::Error::custom("a digest has 64 hex digits"))
    }
}

/// The number by which a platform knows a refund: 32 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RefundNo(String);

impl RefundNo {
    /// A new number; later ones sort behind earlier ones.
    pub fn generate() -> RefundNo {
        RefundNo(Uuid::now_v7().simple().to_string())
    }

    /// Takes only the exact form: 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<RefundNo> {
        TradeNo::parse(text).map(|TradeNo(digits)| RefundNo(digits))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefundNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
