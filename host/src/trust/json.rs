//! JSON, read without losing anything: members keep their raw text, so that numbers stay exact and
//! signed parts keep their bytes, and a name that comes twice is refused.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointer::Pointer;

/// Why a text is not a JSON document that can be relied on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct JsonError(String);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> JsonError {
        JsonError(format!("not the JSON that it should be: {error}"))
    }
}

/// The members of an object, each by its raw text. Every name stands once.
#[derive(Debug)]
pub(crate) struct Object<'a>(BTreeMap<String, &'a RawValue>);

/// What stands where a pointer points.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing, `null` or an empty text.
    Nothing,
    /// A text, or a number in exactly the digits in which it was written.
    Text(String),
    /// Something else, in its raw form.
    Other(String),
}

impl Found {
    /// The text or number.
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Found::Text(text) => Some(text),
            Found::Nothing | Found::Other(_) => None,
        }
    }
}

impl<'a> Object<'a> {
    /// Reads one level of an object; what is inside its members is checked for syntax only.
    pub(crate) fn parse(text: &'a str) -> Result<Object<'a>, JsonError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The raw text of a member, byte for byte as it stood, without the blanks around it.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// All names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What stands at `pointer`; every level on the way is checked for names that come twice.
    pub(crate) fn at(&self, pointer: &Pointer) -> Result<Found, JsonError> {
        self.raw_at(pointer)?.map_or(Ok(Found::Nothing), found)
    }

    /// The raw text at `pointer`.
    pub(crate) fn raw_at(&self, pointer: &Pointer) -> Result<Option<&'a str>, JsonError> {
        let mut parts = pointer.parts();
        let Some(mut raw) = parts.next().and_then(|first| self.raw(first)) else {
            return Ok(None);
        };
        for part in parts {
            let below = if raw.starts_with('{') {
                Object::parse(raw)?.raw(part)
            } else if raw.starts_with('[') {
                let items: Vec<&'a RawValue> = serde_json::from_str(raw)?;
                part.parse()
                    .ok()
                    .and_then(|at: usize| items.get(at).map(|raw| raw.get()))
            } else {
                None
            };
            let Some(below) = below else {
                return Ok(None);
            };
            raw = below;
        }
        Ok(Some(raw))
    }
}

fn found(raw: &str) -> Result<Found, JsonError> {
    Ok(match raw.bytes().next() {
        Some(b'"') => match serde_json::from_str::<String>(raw)? {
            text if text.is_empty() => Found::Nothing,
            text => Found::Text(text),
        },
        Some(b'-' | b'0'..=b'9') => Found::Text(raw.to_owned()),
        Some(b'n') | None => Found::Nothing,
        Some(_) => Found::Other(raw.to_owned()),
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    match members.entry(name) {
                        Entry::Occupied(twice) => return Err(repeated(twice.key())),
                        Entry::Vacant(free) => free.insert(map.next_value::<&'de RawValue>()?),
                    };
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Refuses a document in which, at any depth, an object has the same name twice.
pub(crate) fn refuse_repeated_names(text: &str) -> Result<(), JsonError> {
    serde_json::from_str::<NamedOnce>(text)?;
    Ok(())
}

fn repeated<E: de::Error>(name: &str) -> E {
    de::Error::custom(format_args!(
        "{:?} stands twice",
        name.chars().take(64).collect::<String>()
    ))
}

struct NamedOnce;

impl<'de> Deserialize<'de> for NamedOnce {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedOnce)
    }
}

impl<'de> Visitor<'de> for NamedOnce {
    type Value = NamedOnce;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NamedOnce, A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if seen.contains(&name) {
                return Err(repeated(&name));
            }
            seen.insert(name);
            map.next_value::<NamedOnce>()?;
        }
        Ok(NamedOnce)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NamedOnce, A::Error> {
        while seq.next_element::<NamedOnce>()?.is_some() {}
        Ok(NamedOnce)
    }

    fn visit_bool<E>(self, _: bool) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }
    fn visit_i64<E>(self, _: i64) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }
    fn visit_u64<E>(self, _: u64) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }
    fn visit_f64<E>(self, _: f64) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }
    fn visit_str<E>(self, _: &str) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }
    fn visit_unit<E>(self) -> Result<NamedOnce, E> {
        Ok(NamedOnce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pointer: &str) -> Result<Found, JsonError> {
        Object::parse(text)
            .unwrap()
            .at(&Pointer::parse(pointer).unwrap())
    }

    #[test]
    fn numbers_keep_their_digits() {
        // As a float this is 0.1 and 9007199254740992.
        let text =
            r#"{"a": 0.10000000000000000001, "b": [{"c": 9007199254740993}], "d": "\u0038\/8"}"#;
        assert_eq!(
            at(text, "/a").unwrap(),
            Found::Text("0.10000000000000000001".into())
        );
        assert_eq!(
            at(text, "/b/0/c").unwrap(),
            Found::Text("9007199254740993".into())
        );
        assert_eq!(at(text, "/d").unwrap(), Found::Text("8/8".into()));
    }

    #[test]
    fn nothing_is_nothing() {
        let text = r#"{"a": null, "b": "", "c": [1], "d": {"e": true}, "": 1, "x/y~": 2}"#;
        for pointer in ["/a", "/b", "/z", "/c/1", "/c/x", "/a/b", "/d/e/f"] {
            assert_eq!(at(text, pointer).unwrap(), Found::Nothing, "{pointer}");
        }
        assert_eq!(at(text, "/d/e").unwrap(), Found::Other("true".into()));
        assert_eq!(at(text, "/x~1y~0").unwrap(), Found::Text("2".into()));
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_where_it_is_read() {
        assert!(Object::parse(r#"{"a":1,"a":2}"#).is_err());
        assert!(Object::parse(r#"{"a":1,"\u0061":2}"#).is_err());
        assert!(at(r#"{"a":{"b":1,"b":2}}"#, "/a/b").is_err());
        assert!(refuse_repeated_names(r#"{"a":[{"b":1.5,"b":null}]}"#).is_err());
        assert!(refuse_repeated_names(r#"{"a":[{"b":true},{"b":-1}]}"#).is_ok());
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for bad in [
            "",
            "[]",
            "\"a\"",
            "1",
            "{",
            "{\"a\":1}x",
            "{\"a\":01}",
            "\u{feff}{}",
            "{'a':1}",
        ] {
            assert!(Object::parse(bad).is_err(), "{bad}");
        }
        // Deep nesting ends as an error or as nothing, never in the stack's end.
        let deep = format!("{{\"a\":{}", "[".repeat(1 << 20));
        assert!(Object::parse(&deep).is_err());
    }
}
