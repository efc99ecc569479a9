//! The manifest's templates, as they are written, and what the host sets by itself.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};

use super::schemes::{Algorithm, Encryption};
use crate::trust::timestamp::TimestampRule;

/// What the host puts into a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SetValue {
    Literal(String),
    Setting {
        name: String,
        /// Left out when the target does not have the setting.
        when_set: bool,
    },
    /// Alipay's serial number of a certificate, or of all RSA certificates of an authority.
    CertificateSn {
        name: String,
        /// Left out when the target does not have the certificate.
        when_set: bool,
    },
}

/// A text that the host signs for the buyer's client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    pub(crate) kind: TemplateKind,
    /// All fields, in the order of the text.
    pub(crate) fields: Vec<String>,
    /// Those of them that the host sets.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, SetValue>,
    /// The one of them in which the host writes the time.
    pub(crate) timestamp: Option<TimestampRule>,
    /// The one of them that the host encrypts.
    pub(crate) encrypt: Option<Encryption>,
    pub(crate) key: String,
    #[expect(
        dead_code,
        reason = "there is one algorithm so far; reading it refuses any other"
    )]
    pub(crate) algorithm: Algorithm,
    /// The field of a signed query; without it the signature alone is given.
    pub(crate) query: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TemplateKind {
    /// Each value with a line break behind it.
    Lines,
    /// `name=value&…`, sorted by name, without empty values.
    SortedForm,
}

impl<'de> Deserialize<'de> for SetValue {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct FromSetting {
            setting: Option<String>,
            certificate_sn: Option<String>,
            #[serde(default)]
            when_set: bool,
        }
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = SetValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or {\"setting\": …} or {\"certificate_sn\": …}")
            }
            fn visit_str<E>(self, literal: &str) -> Result<SetValue, E> {
                Ok(SetValue::Literal(literal.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SetValue, A::Error> {
                let from = FromSetting::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let when_set = from.when_set;
                match (from.setting, from.certificate_sn) {
                    (Some(name), None) => Ok(SetValue::Setting { name, when_set }),
                    (None, Some(name)) => Ok(SetValue::CertificateSn { name, when_set }),
                    _ => Err(de::Error::custom(
                        "say either \"setting\" or \"certificate_sn\"",
                    )),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}
