//! One call of v2 (XML), and its verified answer.

use walnut_sdk::http::Request;
use walnut_sdk::{Fault, Outcome, Statement, form, settings, trust, xml};

use crate::{meaning, v3};

/// The claim of the manifest about a payment at the till.
pub(crate) const MICROPAY: &str = "micropay";
/// The claim of the manifest about a refusal of one.
pub(crate) const MICROPAY_DECLINED: &str = "micropay-declined";
/// The claim of the manifest about an answer to a query.
pub(crate) const ORDERQUERY: &str = "orderquery";

/// A verified answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Why it was not done, such as `USERPAYING`; empty when it was.
    pub(crate) code: String,
    /// Code and words, for people.
    pub(crate) words: String,
    form: Vec<u8>,
    /// What the host vouches for.
    pub(crate) statement: Statement,
}

impl Answer {
    /// A field of the answer.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        form::field(&self.form, name).map(|value| value.into_owned())
    }
}

/// Calls an operation and verifies the answer. The host adds `appid`, `mch_id` and `nonce_str` and signs; where the
/// path is one of `/secapi` it shows the merchant's certificate.
///
/// # Errors
/// Whatever is not a readable answer signed by WeChat Pay says nothing of the trade.
pub(crate) fn call(path: &str, fields: &[(&str, &str)]) -> Result<Answer, Fault> {
    let secure = path.starts_with("/secapi/");
    let own = settings::get("tls_gateway").filter(|own| secure && !own.is_empty());
    let address = own.map_or_else(|| v3::address(path), |own| format!("{own}{path}"));
    let mut request = Request::post_xml(address, fields).signed_by("v2-request");
    if secure {
        request = request.shown_as("merchant");
    }
    let message = request.send()?;
    if message.status() != 200 {
        return Err(Fault::Unknown(format!(
            "WeChat Pay answered with HTTP {}",
            message.status()
        )));
    }
    let statement = trust::verify(&message, "v2-answer").map_err(|why| {
        // A request that WeChat Pay could not read is refused without a signature.
        let body = message.body();
        let said = xml::unverified_field(&body, "return_msg")
            .unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
        Fault::Unverified(format!(
            "{why}; the answer, which proves nothing: {}",
            v3::plain(&said)
        ))
    })?;
    let form = statement.text();
    let field = |name: &str| {
        form::field(&form, name)
            .map(|value| value.into_owned())
            .unwrap_or_default()
    };
    let done = field("return_code") == "SUCCESS" && field("result_code") == "SUCCESS";
    let code = match field("err_code") {
        _ if done => String::new(),
        code if code.is_empty() => "?".to_owned(),
        code => code,
    };
    let words = v3::plain(&format!("{code} {}", field("err_code_des")));
    Ok(Answer {
        code,
        words,
        form,
        statement,
    })
}

/// Asks how a trade stands.
pub(crate) fn query(trade_no: &str) -> Result<Outcome, Fault> {
    let answer = call("/pay/orderquery", &[("out_trade_no", trade_no)])?;
    match answer.code.as_str() {
        "" => Ok(Outcome::trade(ORDERQUERY, answer.statement)),
        "ORDERNOTEXIST" | "ORDER_NOT_EXIST" => Ok(Outcome::NotFound),
        code => Err(meaning::of_code(code, &answer.words)),
    }
}
