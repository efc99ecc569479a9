//! JSON Pointers (RFC 6901): where in a statement something stands.

use std::fmt;

use serde::Deserialize;

/// A pointer of at least one part, such as `/amount/total`. In a form it has exactly one part.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pointer {
    text: String,
    parts: Vec<String>,
}

impl Pointer {
    /// Reads a pointer; `None` when the text is none, or points at the whole document.
    pub(crate) fn parse(text: &str) -> Option<Pointer> {
        let parts = text
            .strip_prefix('/')?
            .split('/')
            .map(unescape)
            .collect::<Option<Vec<_>>>()?;
        parts.iter().all(|part| !part.is_empty()).then(|| Pointer {
            text: text.to_owned(),
            parts,
        })
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }

    /// The name of a form's field, when the pointer can point at one.
    pub(crate) fn field(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn unescape(part: &str) -> Option<String> {
    let mut plain = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Pointer, String> {
        Pointer::parse(&text)
            .ok_or_else(|| format!("{text:?} is not a JSON Pointer such as \"/out_trade_no\""))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}
