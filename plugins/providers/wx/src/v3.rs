//! One call of APIv3, and its verified answer.

use serde::{Deserialize, Serialize};
use walnut_sdk::http::Request;
use walnut_sdk::serde_json::{self, Value};
use walnut_sdk::{Fault, Message, Statement, settings, text, trust};

/// The live platform. A test target names its own.
const GATEWAY: &str = "https://api.mch.weixin.qq.com";

/// The header that names the key that signed.
pub(crate) const SERIAL: &str = "Wechatpay-Serial";

/// How much of the platform's own words are repeated.
const WORDS: usize = 200;

/// A verified answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Why it was not done, such as `ORDER_NOT_EXIST`; empty when it was.
    pub(crate) code: String,
    /// The same in words, mostly Chinese.
    pub(crate) words: String,
    /// What it says; null where it says nothing.
    pub(crate) body: Value,
    /// What the host vouches for.
    pub(crate) statement: Statement,
}

/// What is read of a refusal.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Answer {
    /// Whether the operation was done.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.status, 200 | 204)
    }

    /// A text of the answer.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.body.get(name)?.as_str().map(str::to_owned)
    }

    /// Status, code and words, for people.
    pub(crate) fn in_words(&self) -> String {
        format!("{} {} {}", self.status, self.code, self.words)
            .trim_end()
            .to_owned()
    }
}

/// The merchant's number.
pub(crate) fn mchid() -> Result<String, Fault> {
    settings::required("mchid")
}

/// The application's id.
pub(crate) fn appid() -> Result<String, Fault> {
    settings::required("appid")
}

/// The platform's address of a path.
pub(crate) fn address(path: &str) -> String {
    let gateway = settings::get("gateway").filter(|address| !address.is_empty());
    format!("{}{path}", gateway.as_deref().unwrap_or(GATEWAY))
}

/// Asks by `GET`.
pub(crate) fn get(path: &str) -> Result<Answer, Fault> {
    call(Request::get(address(path)))
}

/// Asks by `POST`.
pub(crate) fn post(path: &str, body: &impl Serialize) -> Result<Answer, Fault> {
    let body = serde_json::to_string(body)
        .map_err(|error| Fault::Invalid(format!("the order cannot be written: {error}")))?;
    call(Request::post_json(address(path), body))
}

/// Sends a request that the host signs, and verifies the answer.
///
/// # Errors
/// Whatever is not a readable answer signed by WeChat Pay says nothing of the trade: it is [`Fault::Unknown`] or
/// [`Fault::Unverified`].
fn call(request: Request) -> Result<Answer, Fault> {
    let message = request.signed_by("request").send()?;
    let status = message.status();
    let statement = verified(&message, "answer").map_err(|why| unverified(why, &message))?;
    let body = match statement.text() {
        text if text.is_empty() => Value::Null,
        text => serde_json::from_slice(&text).map_err(|error| {
            Fault::Unknown(format!("WeChat Pay's answer cannot be read: {error}"))
        })?,
    };
    let refusal = if matches!(status, 200 | 204) {
        Refusal::default()
    } else {
        serde_json::from_value(body.clone()).unwrap_or_default()
    };
    Ok(Answer {
        status,
        code: refusal.code,
        words: plain(&refusal.message),
        body,
        statement,
    })
}

/// Verifies a message. Where it was signed with a certificate that nobody here knows, the host fetches those that
/// WeChat Pay has now, at most once a minute.
pub(crate) fn verified(message: &Message, scheme: &str) -> Result<Statement, trust::Failure> {
    let failure = match trust::verify(message, scheme) {
        Err(failure @ trust::Failure::UnknownKey(_)) => failure,
        other => return other,
    };
    let of_certificate = message
        .header(SERIAL)
        .is_some_and(|serial| is_serial(&serial) && !serial.starts_with("PUB_KEY_ID_"));
    if !of_certificate {
        return Err(failure);
    }
    let asked = Request::get(address("/v3/certificates"))
        .signed_by("request")
        .send();
    match asked {
        Ok(certificates) if certificates.status() == 200 => {
            trust::renew(&certificates, "certificates")?;
            trust::verify(message, scheme)
        }
        // Another call may have asked just now, and got what signed this.
        _ => trust::verify(message, scheme),
    }
}

/// Whether a text can name a key: a certificate's serial number, or a public key's id.
pub(crate) fn is_serial(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (8..=96).contains(&text.len()) && text.bytes().all(plain)
}

/// An answer that proves nothing, but whoever sets up a target has to read it.
fn unverified(why: trust::Failure, message: &Message) -> Fault {
    let said = plain(&String::from_utf8_lossy(&message.body()));
    let status = message.status();
    Fault::Unverified(format!(
        "{why}; the answer, which proves nothing: {status} {said}"
    ))
}

/// Words in one line, within bounds.
pub(crate) fn plain(words: &str) -> String {
    text::first_chars(words, WORDS).replace(char::is_control, " ")
}
