//! Forms (`application/x-www-form-urlencoded`), read so that there is one way to read them.
//!
//! A name that comes twice, a broken escape or a byte that is no UTF-8 is refused: where two readers
//! may disagree about a message, its signature says nothing about what either of them saw.

use std::collections::HashSet;

/// Name and value pairs in the order in which they stood.
pub(crate) type Fields = Vec<(String, String)>;

/// Why bytes are not a form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    #[error("the form is not UTF-8")]
    NotUtf8,
    #[error("the form has a % that is not followed by two hex digits")]
    BadEscape,
    #[error("the form has a value without a name")]
    NoName,
    #[error("the form has {0:?} twice")]
    Repeated(String),
}

/// Reads a form, decoding each name and value once; `+` is a space.
pub(crate) fn read(bytes: &[u8]) -> Result<Fields, FormError> {
    let mut fields = Fields::new();
    for part in bytes.split(|b| *b == b'&').filter(|part| !part.is_empty()) {
        let mut halves = part.splitn(2, |b| *b == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if name.is_empty() {
            return Err(FormError::NoName);
        }
        fields.push((name, value));
    }
    let mut seen = HashSet::new();
    match fields.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        Some((name, _)) => Err(FormError::Repeated(name.chars().take(64).collect())),
        None => Ok(fields),
    }
}

fn decode(part: &[u8]) -> Result<String, FormError> {
    let digit = |b: &u8| {
        char::from(*b)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(part.len());
    let mut rest = part.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(digit).ok_or(FormError::BadEscape)?;
                let low = rest.next().and_then(digit).ok_or(FormError::BadEscape)?;
                high << 4 | low
            }
            other => *other,
        });
    }
    String::from_utf8(decoded).map_err(|_| FormError::NotUtf8)
}

/// Writes a form; a space becomes `+`.
pub(crate) fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_plus_is_a_space() {
        let fields = read("a=1+2&b=%2B%25&&%E8%AF%AD=%E9%9B%80&c&d=x=y".as_bytes()).unwrap();
        let expected = [
            ("a", "1 2"),
            ("b", "+%"),
            ("语", "雀"),
            ("c", ""),
            ("d", "x=y"),
        ]
        .map(own)
        .to_vec();
        assert_eq!(fields, expected);
        // Encoded twice, it stays encoded once.
        assert_eq!(read(b"a=%2531").unwrap(), [own(("a", "%31"))]);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (bytes, error) in [
            (&b"a=1&a=2"[..], FormError::Repeated("a".into())),
            (b"a=1&%61=2", FormError::Repeated("a".into())),
            (b"=1", FormError::NoName),
            (b"a=%", FormError::BadEscape),
            (b"a=%4", FormError::BadEscape),
            (b"a=%zz", FormError::BadEscape),
            (b"a=%+1", FormError::BadEscape),
            // GBK for 语.
            (b"a=%D3%EF", FormError::NotUtf8),
        ] {
            assert_eq!(
                read(bytes),
                Err(error),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let fields = vec![own(("a b", "1+2&3=4")), own(("语", "%41;\n"))];
        let written = write(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        assert_eq!(read(written.as_bytes()).unwrap(), fields);
    }

    fn own((name, value): (&str, &str)) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }
}
