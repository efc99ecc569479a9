//! One call of the REST API, and its answer.

use serde::Serialize;
use walnut_sdk::http::Request;
use walnut_sdk::serde_json::{self, Value};
use walnut_sdk::{Fault, Statement, text, trust};

use crate::{REQUEST_ID, setting};

/// The live platform, and the one for test targets that name none.
const GATEWAY: &str = "https://api-m.paypal.com";

/// How much of PayPal's own words are repeated.
const WORDS: usize = 200;

/// An answer to a request that the host authenticated.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Why it was not done, such as `ORDER_NOT_APPROVED`; empty when it was.
    pub(crate) issue: String,
    /// The same in words.
    words: String,
    pub(crate) body: Value,
    /// What the host vouches for.
    pub(crate) statement: Statement,
}

impl Answer {
    /// Whether the operation was done.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// A text of the answer.
    pub(crate) fn text(&self, pointer: &str) -> Option<String> {
        self.body.pointer(pointer)?.as_str().map(str::to_owned)
    }

    /// The address behind a link.
    pub(crate) fn link(&self, rel: &str) -> Option<String> {
        let links = self.body.get("links")?.as_array()?;
        let found = links
            .iter()
            .find(|link| link.get("rel").and_then(Value::as_str) == Some(rel))?;
        found.get("href")?.as_str().map(str::to_owned)
    }

    /// Status, issue and words, for people.
    pub(crate) fn in_words(&self) -> String {
        format!("{} {} {}", self.status, self.issue, self.words)
            .trim_end()
            .to_owned()
    }
}

/// The platform's address of a path.
pub(crate) fn address(path: &str) -> String {
    format!("{}{path}", setting("gateway").as_deref().unwrap_or(GATEWAY))
}

/// The form of PayPal's numbers.
pub(crate) fn is_number(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Asks by `GET`.
pub(crate) fn get(path: &str) -> Result<Answer, Fault> {
    call(Request::get(address(path)))
}

/// Asks by `POST`, once for each id: PayPal answers a repeated one as it did the first time.
pub(crate) fn post(path: &str, body: &impl Serialize, id: &str) -> Result<Answer, Fault> {
    let body = serde_json::to_string(body)
        .map_err(|error| Fault::Invalid(format!("the order cannot be written: {error}")))?;
    let mut request = Request::post_json(address(path), body);
    request.headers.extend([
        (REQUEST_ID.to_owned(), id.to_owned()),
        ("prefer".to_owned(), "return=representation".to_owned()),
    ]);
    call(request)
}

fn call(request: Request) -> Result<Answer, Fault> {
    let message = request.signed_by("token").send()?;
    let status = message.status();
    if status >= 500 || status == 429 {
        return Err(Fault::Unknown(format!(
            "PayPal is not available at the moment (HTTP {status})"
        )));
    }
    let statement = trust::verify(&message, "answer")?;
    let body: Value = serde_json::from_slice(&statement.text())
        .map_err(|error| Fault::Unknown(format!("PayPal's answer cannot be read: {error}")))?;
    let said = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let (issue, words) = if matches!(status, 200 | 201) {
        ("", "")
    } else {
        let issue = said("/details/0/issue")
            .or(said("/name"))
            .or(said("/error"));
        let words = said("/details/0/description").or(said("/message"));
        (issue.unwrap_or("?"), words.unwrap_or_default())
    };
    Ok(Answer {
        status,
        issue: plain(issue),
        words: plain(words),
        statement,
        body,
    })
}

/// Words in one line, within bounds.
fn plain(words: &str) -> String {
    text::first_chars(words, WORDS).replace(char::is_control, " ")
}
