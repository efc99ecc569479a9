//! Which names may become parts of a path. Everything else is refused before the disk is asked.

use super::HomeError;

/// Longest name of a callback or a target, in bytes.
const MAX_NAME: usize = 64;

/// Longest name of a domain or a platform, in bytes: what a DNS label may have.
const MAX_LABEL: usize = 63;

/// The folder of the callbacks stands beside the platforms' folders, so no platform has its name.
pub(super) const CALLBACK_FOLDER: &str = "callback";

/// The folder of those that test payments alone are bound to. No platform's name has a dot.
pub(super) const TEST_CALLBACK_FOLDER: &str = "callback.test";

/// A domain: lower-case ASCII letters, digits and dashes, a letter or digit first, at most 63.
pub fn is_domain(name: &str) -> bool {
    is_label(name, |byte| byte == b'-')
}

/// A platform such as `zfb`: as a domain, with `_` allowed inside, and never `callback`.
pub fn is_platform(name: &str) -> bool {
    is_label(name, |byte| matches!(byte, b'-' | b'_')) && name != CALLBACK_FOLDER
}

/// A callback or a target: ASCII letters, digits, `.`, `_` and `-`, a letter or digit first, at
/// most 64.
pub fn is_item(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= MAX_NAME
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_label(name: &str, inside: fn(u8) -> bool) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= MAX_LABEL
        && bytes.first().is_some_and(|&byte| alphanumeric(byte))
        && bytes.iter().all(|&byte| alphanumeric(byte) || inside(byte))
}

pub(super) fn check_domain(name: &str) -> Result<(), HomeError> {
    check(
        is_domain(name),
        name,
        "domain",
        "a-z, 0-9 and -, a letter or digit first, at most 63",
    )
}

pub(super) fn check_platform(name: &str) -> Result<(), HomeError> {
    check(
        is_platform(name),
        name,
        "platform",
        "a-z, 0-9, - and _, a letter or digit first, at most 63, and not \"callback\"",
    )
}

pub(super) fn check_target(name: &str) -> Result<(), HomeError> {
    check(is_item(name), name, "target", ITEM_RULE)
}

/// Refuses what is no callback's name, with the rule.
///
/// # Errors
/// [`HomeError::Name`].
pub fn check_callback(name: &str) -> Result<(), HomeError> {
    check(is_item(name), name, "callback", ITEM_RULE)
}

const ITEM_RULE: &str = "A-Z, a-z, 0-9, ., _ and -, a letter or digit first, at most 64";

fn check(good: bool, name: &str, what: &'static str, rule: &'static str) -> Result<(), HomeError> {
    if good {
        return Ok(());
    }
    // Names come from outside: as much as a person needs to recognise it, and no more.
    Err(HomeError::Name {
        what,
        name: name.chars().take(80).collect(),
        rule,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken() {
        for name in [
            "aaa",
            "record-sale",
            "record_sale.v2",
            "A",
            "0",
            &"x".repeat(64),
        ] {
            assert!(is_item(name), "{name}");
        }
        for name in ["shop", "shop-2", "0day", &"x".repeat(63)] {
            assert!(is_domain(name), "{name}");
        }
        assert!(is_platform("zfb"));
        assert!(
            !is_platform("callback"),
            "it would share a folder with the callbacks"
        );
    }

    #[test]
    fn whatever_could_leave_the_home_is_refused() {
        let long = "x".repeat(65);
        let tricks = [
            "",
            ".",
            "..",
            "../other",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "a\0",
            ".hidden",
            "-rf",
            "a b",
            "a\n",
            "支付",
            "ａ",
            "shop\u{202e}",
            "cafe\u{301}",
            "\u{2024}\u{2024}",
            "%2e%2e",
            &long,
        ];
        for name in tricks {
            assert!(!is_item(name), "{name:?}");
            assert!(!is_domain(name), "{name:?}");
            assert!(!is_platform(name), "{name:?}");
        }
        assert!(
            !is_domain("Shop"),
            "domains that differ only in case would be confused"
        );
        assert!(!is_domain("a.b"));
    }
}
