//! Orders that the buyer pays on their own device. The same attempt gives the same words on every resend: nothing in
//! them comes from the clock.

use serde::Serialize;
use walnut_sdk::{Attempt, Currency, Fault, Outcome, Presentation, Sent, clock, text, time};

use crate::{client, meaning, v3};

/// Orders by the merchant's number.
pub(crate) const BY_NUMBER: &str = "/v3/pay/transactions/out-trade-no";

/// The longest description, in characters.
const DESCRIPTION_CHARS: usize = 127;

/// How long a code or a prepared payment is good for.
const LINK_MS: u64 = 2 * 3600 * 1000;

/// How long an address for a mobile browser is good for.
const H5_MS: u64 = 5 * 60 * 1000;

/// The longest name of a buyer (openid), in bytes.
const MAX_OPENID: usize = 128;

/// What is ordered.
#[derive(Serialize, PartialEq, Eq, Debug)]
struct Order {
    appid: String,
    mchid: String,
    description: String,
    out_trade_no: String,
    time_expire: String,
    notify_url: String,
    amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene_info: Option<Scene>,
}

/// An amount in fen.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub(crate) struct Amount {
    total: i64,
    currency: &'static str,
}

#[derive(Serialize, PartialEq, Eq, Debug)]
struct Payer {
    openid: String,
}

#[derive(Serialize, PartialEq, Eq, Debug)]
struct Scene {
    payer_client_ip: String,
    h5_info: H5,
}

#[derive(Serialize, PartialEq, Eq, Debug)]
struct H5 {
    r#type: &'static str,
}

/// Orders, and tells what the buyer is shown.
pub(crate) fn send(attempt: &Attempt, args: &[String]) -> Result<Sent, Fault> {
    let way = match attempt.pay_type.as_str() {
        "wx.qrcode" => "native",
        "wx.jsapi" => "jsapi",
        "wx.h5" => "h5",
        "wx.app" => "app",
        _ => return Err(Fault::Unsupported),
    };
    let order = Order {
        appid: v3::appid()?,
        mchid: v3::mchid()?,
        description: description(attempt),
        out_trade_no: attempt.trade_no.clone(),
        time_expire: time::china_rfc3339(attempt.expires_ms),
        notify_url: attempt.notify_url.clone(),
        amount: amount(attempt)?,
        payer: (way == "jsapi")
            .then(|| openid(attempt, args))
            .transpose()?,
        scene_info: (way == "h5").then(|| scene(attempt)).transpose()?,
    };
    let answer = v3::post(&format!("/v3/pay/transactions/{way}"), &order)?;
    if !answer.is_done() {
        return meaning::of_refused_order(&answer).map(Sent::of);
    }
    let given = |name: &str| {
        answer
            .text(name)
            .filter(|text| !text.is_empty())
            // The order stands all the same.
            .ok_or_else(|| Fault::Unknown(format!("WeChat Pay took the order and gave no {name}")))
    };
    let (presentation, good_ms) = match way {
        "native" => (Presentation::Qrcode(given("code_url")?), LINK_MS),
        "h5" => (Presentation::Link(given("h5_url")?), H5_MS),
        "jsapi" => (
            Presentation::Json(client::jsapi(&given("prepay_id")?)?),
            LINK_MS,
        ),
        _ => (
            Presentation::Json(client::app(&given("prepay_id")?)?),
            LINK_MS,
        ),
    };
    Ok(Sent {
        presentation: Some(presentation),
        valid_until_ms: Some(attempt.expires_ms.min(clock::now_ms() + good_ms)),
        ..Sent::of(Outcome::Pending)
    })
}

/// The amount in fen.
pub(crate) fn amount(attempt: &Attempt) -> Result<Amount, Fault> {
    let currency = attempt.total.currency();
    if currency != Currency::CNY {
        return Err(Fault::Invalid(format!(
            "WeChat Pay takes yuan here, and this is {currency:?}"
        )));
    }
    if attempt.total.minor() < 1 {
        return Err(Fault::Invalid(
            "WeChat Pay takes 0.01 yuan and more".to_owned(),
        ));
    }
    Ok(Amount {
        total: attempt.total.minor(),
        currency: "CNY",
    })
}

/// The brief as WeChat Pay takes it: one line of at most 127 characters. A brief that has nothing else is replaced by
/// the trade's number.
pub(crate) fn description(attempt: &Attempt) -> String {
    let line = attempt.brief.replace(char::is_control, " ");
    match text::first_chars(line.trim(), DESCRIPTION_CHARS).trim_end() {
        "" => attempt.trade_no.clone(),
        description => description.to_owned(),
    }
}

/// The buyer, as this appid knows them: the first argument, or `openid` of the payment.
fn openid(attempt: &Attempt, args: &[String]) -> Result<Payer, Fault> {
    let of_meta = || attempt.meta().get("openid")?.as_str().map(str::to_owned);
    let openid = args.first().cloned().or_else(of_meta).unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if openid.is_empty() || openid.len() > MAX_OPENID || !openid.bytes().all(plain) {
        return Err(Fault::Invalid(
            "wx.jsapi needs the buyer's openid: give it as the first argument of send, or as \"openid\" at create"
                .to_owned(),
        ));
    }
    Ok(Payer { openid })
}

/// Where the buyer's browser is.
fn scene(attempt: &Attempt) -> Result<Scene, Fault> {
    let address = attempt.client_ip.clone().ok_or_else(|| {
        Fault::Invalid("wx.h5 needs the buyer's address: give \"client_ip\" with send".to_owned())
    })?;
    Ok(Scene {
        payer_client_ip: address,
        h5_info: H5 { r#type: "Wap" },
    })
}
