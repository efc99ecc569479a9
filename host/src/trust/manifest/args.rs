//! What a caller gives with a pay type, such as the code on the buyer's phone: checked before anything is made or sent.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// As many as a caller may give.
pub(super) const MAX_ARGS: usize = 16;
/// The longest description, in bytes: it stands within a sentence.
pub(super) const MAX_WHAT: usize = 256;
/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 256;
/// How large a pattern may become when it is compiled, in bytes.
const MAX_COMPILED: usize = 64 * 1024;

/// One argument, by its place.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Argument {
    /// What it is, for whoever gave another: "the buyer's payment code: 18 digits".
    pub(super) what: String,
    /// What all of it must look like, without the blanks around it.
    pattern: Pattern,
    /// It may be left out.
    #[serde(default)]
    pub(super) optional: bool,
}

impl Argument {
    /// Whether the caller's argument at this place, where there is one, will do.
    pub(super) fn takes(&self, given: Option<&str>) -> bool {
        match given {
            None => self.optional,
            Some(text) => self.pattern.0.is_match(text.trim()),
        }
    }
}

/// A regular expression that a whole text must match; it takes time in proportion to the text.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!("a pattern has at most {MAX_PATTERN} bytes"));
        }
        // By itself first: one that closes a bracket which it did not open would end the group.
        let compiled = |text: &str| RegexBuilder::new(text).size_limit(MAX_COMPILED).build();
        compiled(&text)
            .and_then(|_| compiled(&format!("^(?:{text})$")))
            .map(Pattern)
            .map_err(|error| format!("not a regular expression: {error}"))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(pattern: &str, optional: bool) -> Argument {
        Argument {
            what: "a code".to_owned(),
            pattern: Pattern::try_from(pattern.to_owned()).unwrap(),
            optional,
        }
    }

    #[test]
    fn all_of_an_argument_must_fit() {
        let code = argument("1[0-5][0-9]{2}|fp", false);
        for good in ["1234", " 1034\r\n", "fp"] {
            assert!(code.takes(Some(good)), "{good:?}");
        }
        for bad in ["", "12345", "x1234", "1234fp", "fp\n1234", "1634"] {
            assert!(!code.takes(Some(bad)), "{bad:?}");
        }
        assert!(!code.takes(None));
        let way = argument("iframe", true);
        assert!(way.takes(None) && way.takes(Some("iframe")) && !way.takes(Some("")));
    }

    #[test]
    fn a_pattern_is_one_and_stays_small() {
        for bad in ["(", "a)(b", "[0-9]{64}{64}{64}", &"x".repeat(257)] {
            assert!(Pattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
