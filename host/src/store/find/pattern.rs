//! Regular expressions in questions.

use regex::{Regex, RegexBuilder};

/// The longest expression, in bytes: what a person writes.
const MAX_BYTES: usize = 500;

/// What a compiled expression may take: `[一-龥]{1,50}` has 200 KiB, and `(a{100}){100}` more than this.
const MAX_COMPILED: usize = 1 << 20;

/// A regular expression that costs time in proportion to the text, whatever it says.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// What every text that it takes begins with.
    prefix: String,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Pattern {
    /// Reads an expression that begins with `^`.
    ///
    /// # Errors
    /// In words, with the place.
    pub(super) fn parse(text: &str) -> Result<Pattern, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("a pattern has at most {MAX_BYTES} bytes"));
        }
        let built = RegexBuilder::new(text)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(50)
            .build();
        match built {
            Ok(regex) => Ok(Pattern {
                prefix: prefix(text),
                regex,
            }),
            Err(regex::Error::CompiledTooBig(_)) => Err(
                "this pattern grows too large: repeat less in it, or less of what is repeated"
                    .to_owned(),
            ),
            Err(error) => Err(in_one_line(text, &error.to_string())),
        }
    }

    /// `*` for any text, as in `2026*`: the whole of it stands at the beginning, as in the original.
    pub(super) fn of_wildcard(text: &str) -> Result<Pattern, String> {
        let parts: Vec<String> = text.split('*').map(regex::escape).collect();
        Pattern::parse(&format!("^{}", parts.join(".*")))
    }

    pub(super) fn takes(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What every text that it takes begins with; empty when nothing is known.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The texts that it takes, when it is nothing else than a list of them: `^(OK|FAIL)$`.
    pub(crate) fn words(&self) -> Option<Vec<&str>> {
        let inner = self.regex.as_str().strip_prefix('^')?.strip_suffix('$')?;
        let words = match inner.strip_prefix('(') {
            Some(rest) => rest.strip_suffix(')')?,
            // Without brackets the bars divide the ends too.
            None if inner.contains('|') => return None,
            None => inner,
        };
        let words: Vec<&str> = words.split('|').collect();
        words.iter().all(|word| is_plain(word)).then_some(words)
    }
}

/// The letters and digits that the expression begins with, and that nothing makes optional.
fn prefix(text: &str) -> String {
    let rest = text.strip_prefix('^').unwrap_or_default();
    // A bar on the outside would begin another text.
    if text.contains('|') {
        return String::new();
    }
    let plain: String = rest.chars().take_while(|c| is_plain_char(*c)).collect();
    let behind = rest.get(plain.len()..).and_then(|rest| rest.chars().next());
    let mut prefix = plain;
    if matches!(behind, Some('?' | '*' | '{' | '+')) {
        prefix.pop();
    }
    prefix
}

fn is_plain(text: &str) -> bool {
    text.chars().all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    c.is_alphanumeric() || " _-,:;@#/%&=!'\"<>~".contains(c)
}

/// The library draws the expression with a mark beneath; here it is a place and a reason.
fn in_one_line(text: &str, drawn: &str) -> String {
    let reason = drawn
        .lines()
        .find_map(|line| line.trim().strip_prefix("error: "));
    let mark = drawn.lines().find(|line| {
        let marks = line.trim();
        !marks.is_empty() && marks.chars().all(|c| c == '^')
    });
    // The expression is drawn four spaces in.
    let at = mark.map(|line| {
        line.chars()
            .take_while(|c| *c == ' ')
            .count()
            .saturating_sub(3)
    });
    match (reason, at) {
        (Some(reason), Some(at)) if at <= text.chars().count() + 1 => {
            format!("{reason}, at character {at}")
        }
        (Some(reason), _) => reason.to_owned(),
        _ => "this is no regular expression".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn what_is_known_of_a_pattern_is_true() {
        for (text, prefix, words) in [
            ("^tea", "tea", None),
            ("^.*tea", "", None),
            ("^te?a", "t", None),
            ("^tea*", "te", None),
            ("^te+a", "t", None),
            ("^te{0}a", "t", None),
            ("^te(a|b)", "", None),
            ("^tea|coffee", "", None),
            ("^a.b", "a", None),
            ("^tea$", "tea", Some(vec!["tea"])),
            ("^(OK|FAIL)$", "", Some(vec!["OK", "FAIL"])),
            ("^OK|FAIL$", "", None),
            ("^(OK|.*)$", "", None),
            ("^(OK)(FAIL)$", "", None),
            ("^一杯", "一杯", None),
            ("^(?i)tea", "", None),
        ] {
            let pattern = pattern(text);
            assert_eq!(pattern.prefix(), prefix, "{text}");
            assert_eq!(pattern.words(), words, "{text}");
        }
        assert!(pattern("^(?i)tea").takes("TEA"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        let dated = Pattern::of_wildcard("2026*.pdf").unwrap();
        assert!(dated.takes("2026-11.pdf") && !dated.takes("2026-11xpdf"));
        assert_eq!(dated.prefix(), "2026");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        for (text, told) in [
            ("^a(b", "unclosed group, at character 3"),
            ("^a[b", "unclosed character class, at character 3"),
            ("^a{2,1}", "must be <= the end, at character 3"),
            ("^a(?=b)", "look-around"),
            ("^(a)\\1", "backreferences"),
            ("^(((a{100}){100}){100})", "grows too large"),
        ] {
            let refused = Pattern::parse(text).unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
            assert!(!refused.contains('\n'), "{refused}");
        }
        assert!(Pattern::parse(&format!("^{}", "a".repeat(500))).is_err());
        assert!(Pattern::parse(&format!("^{}", "(".repeat(400))).is_err());
        // The classic that takes exponential time elsewhere.
        let classic = pattern("^(a+)+$");
        assert!(!classic.takes(&format!("{}!", "a".repeat(50_000))));
    }
}
