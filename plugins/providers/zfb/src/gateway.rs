//! One call of `gateway.do`, and its verified answer.

use serde::{Deserialize, Serialize};
use walnut_sdk::http::{self, Request};
use walnut_sdk::{Fault, Message, Statement, form, settings, text, trust};

use crate::renewal::verified;

/// The live gateway. A test target names its own.
const GATEWAY: &str = "https://openapi.alipay.com/gateway.do";

/// How much of Alipay's own words are repeated.
const WORDS: usize = 200;

/// A verified answer.
#[derive(Debug)]
pub struct Answer {
    /// `10000` when it was done.
    pub code: String,
    /// Why it was not done, such as `ACQ.TRADE_NOT_EXIST`.
    pub sub_code: String,
    /// The same in words, mostly Chinese.
    pub words: String,
    /// The trade that the answer is about.
    pub out_trade_no: Option<String>,
    /// What the buyer scans.
    pub qr_code: Option<String>,
    /// `Y` when a cancel has to be asked for once more.
    pub retry_flag: Option<String>,
    /// The refund that the answer is about, where Alipay knows it.
    pub out_request_no: Option<String>,
    /// Where the bill that was asked for is.
    pub bill_download_url: Option<String>,
    /// What the host vouches for.
    pub statement: Statement,
}

/// What is read of an answer's object.
#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    sub_code: String,
    #[serde(default)]
    sub_msg: String,
    out_trade_no: Option<String>,
    qr_code: Option<String>,
    retry_flag: Option<String>,
    out_request_no: Option<String>,
    bill_download_url: Option<String>,
}

impl Answer {
    /// Whether the operation was done.
    pub fn is_done(&self) -> bool {
        self.code == "10000"
    }

    /// Whether the business refused with this reason.
    pub fn says(&self, sub_code: &str) -> bool {
        self.code == "40004" && self.sub_code == sub_code
    }

    /// Code, reason and words, for people.
    pub fn in_words(&self) -> String {
        [&self.code, &self.sub_code, &self.words]
            .map(String::as_str)
            .join(" ")
            .trim()
            .to_owned()
    }
}

/// The gateway's address.
pub(crate) fn address() -> String {
    let own = settings::get("gateway").filter(|address| !address.is_empty());
    own.unwrap_or_else(|| GATEWAY.to_owned())
}

/// `biz_content` as JSON.
pub(crate) fn written(biz_content: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(biz_content)
        .map_err(|error| Fault::Invalid(format!("the order cannot be written: {error}")))
}

/// Asks for an operation. The host signs the request and adds `app_id`, `timestamp` and the other common fields; where
/// the target has a key for it, the host encrypts `biz_content`.
pub(crate) fn post(
    method: &str,
    biz_content: &str,
    notify_url: Option<&str>,
) -> Result<Message, http::Failure> {
    let mut query = vec![("method", method)];
    query.extend(notify_url.map(|address| ("notify_url", address)));
    let url = format!("{}?{}", address(), form::encode(&query));
    let request = Request::post_form(url, &[("biz_content", biz_content)]);
    request.signed_by("gateway").send()
}

/// Calls an operation and verifies the answer.
///
/// # Errors
/// Whatever is not a readable answer signed by Alipay says nothing of the trade: it is
/// [`Fault::Unknown`] or [`Fault::Unverified`].
pub fn call(
    method: &str,
    biz_content: &impl Serialize,
    notify_url: Option<&str>,
) -> Result<Answer, Fault> {
    let message = post(method, &written(biz_content)?, notify_url)?;
    if message.status() != 200 {
        return Err(Fault::Unknown(format!(
            "Alipay answered with HTTP {}",
            message.status()
        )));
    }
    let statement = verified(&message, "answer").map_err(|why| unverified(why, &message))?;
    let body: Body = serde_json::from_slice(&statement.text())
        .map_err(|error| Fault::Unknown(format!("Alipay's answer cannot be read: {error}")))?;
    let words = if body.sub_msg.is_empty() {
        body.msg
    } else {
        body.sub_msg
    };
    Ok(Answer {
        code: body.code,
        sub_code: body.sub_code,
        words: plain(&words),
        out_trade_no: body.out_trade_no,
        qr_code: body.qr_code,
        retry_flag: body.retry_flag,
        out_request_no: body.out_request_no,
        bill_download_url: body.bill_download_url,
        statement,
    })
}

/// Alipay signs no answer to a request that it cannot tell the application of. Such an answer
/// proves nothing, but whoever sets up a target has to read it.
fn unverified(why: trust::Failure, message: &Message) -> Fault {
    let body = message.body();
    let said = plain(&String::from_utf8_lossy(&body));
    Fault::Unverified(format!("{why}; the answer, which proves nothing: {said}"))
}

/// Words in one line, within bounds.
fn plain(words: &str) -> String {
    text::first_chars(words, WORDS).replace(char::is_control, " ")
}
