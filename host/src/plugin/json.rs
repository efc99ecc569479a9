//! What plugins give back as JSON.

use serde::de::IgnoredAny;

use super::limits;

/// Whether a text is JSON that everybody can read.
///
/// # Errors
/// What it is instead, in words that follow "is".
pub(super) fn check(text: &str) -> Result<(), String> {
    if levels(text) > limits::JSON_LEVELS {
        return Err(format!(
            "nested more than {} levels deep",
            limits::JSON_LEVELS
        ));
    }
    match serde_json::from_str(text) {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

/// How many lists and objects stand inside each other, if the text is JSON.
fn levels(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_in_lists_and_objects_alone() {
        for (text, found) in [
            ("1", 0),
            (r#""[[[""#, 0),
            (r#""\"[[\\""#, 0),
            (r#"{"[{": [1, {"a": "]"}]}"#, 3),
            ("[[], [], [[]]]", 3),
        ] {
            assert_eq!(levels(text), found, "{text}");
            assert_eq!(check(text), Ok(()), "{text}");
        }
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(check(&nested(limits::JSON_LEVELS)), Ok(()));
        for deep in [nested(limits::JSON_LEVELS + 1), nested(1_000_000)] {
            assert!(check(&deep).unwrap_err().contains("levels deep"));
        }
        assert!(check("{").unwrap_err().starts_with("not JSON: "));
    }
}
