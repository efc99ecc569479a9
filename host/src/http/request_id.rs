//! Each request's id: in the log beside what is told of it, and in its answer, so that whoever asks can say which it was.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Where it stands in requests and answers.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of one that a proxy gave, at most.
const LONGEST: usize = 64;

/// What begins the ids that this process makes: no two processes make the same.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let random = Uuid::new_v4().simple().to_string();
    random.chars().take(16).collect()
});
static MADE: AtomicU64 = AtomicU64::new(0);

/// The id of one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The one that a proxy gave, where it is one, or else a new one. Headers of whom nobody named are not asked.
    pub(super) fn of(headers: &HeaderMap, by_proxy: bool) -> RequestId {
        let given = headers.get(HEADER).filter(|_| by_proxy);
        match given.filter(|given| is_id(given.as_bytes())) {
            Some(given) => RequestId(given.clone()),
            None => RequestId::new(),
        }
    }

    fn new() -> RequestId {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let made = HeaderValue::from_str(&format!("{}{number:08x}", *PROCESS));
        // Hexadecimal digits are a header's value.
        RequestId(made.unwrap_or_else(|_| HeaderValue::from_static("0")))
    }

    /// For the answer.
    pub(super) fn into_value(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Nothing that could break a line of the log, or a program that reads it.
fn is_id(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_gives_an_id_and_nobody_else_does() {
        let longest = "x".repeat(LONGEST);
        let too_long = "x".repeat(LONGEST + 1);
        let of = |given: &str, by_proxy| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(given.as_bytes()).unwrap());
            RequestId::of(&headers, by_proxy).to_string()
        };
        for given in ["7", "7b1c.f-2_A", &longest] {
            assert_eq!(of(given, true), given);
            assert_ne!(of(given, false), given);
        }
        for given in ["", " ", "a b", "a\"b", "a=b", "a\u{e9}", "a\tb", &too_long] {
            let id = of(given, true);
            assert!(id.len() == 24 && is_id(id.as_bytes()), "{given:?}: {id}");
        }
        let [one, other] = [(); 2].map(|()| RequestId::of(&HeaderMap::new(), true));
        assert_ne!(one, other);
    }
}
