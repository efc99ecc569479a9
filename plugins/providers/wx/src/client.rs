//! The parameters by which a page within WeChat or an app calls the payment up (调起支付). The host signs them.

use walnut_sdk::serde_json::json;
use walnut_sdk::{Fault, clock, random, trust};

use crate::v3;

/// For `WeixinJSBridge.invoke("getBrandWCPayRequest", …)` and `wx.requestPayment`.
pub(crate) fn jsapi(prepay_id: &str) -> Result<String, Fault> {
    let (timestamp, nonce) = fresh();
    let package = format!("prepay_id={prepay_id}");
    let signature = sign(
        "jsapi",
        [
            ("timeStamp", &timestamp),
            ("nonceStr", &nonce),
            ("package", &package),
        ],
    )?;
    Ok(json!({
        "appId": v3::appid()?,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": signature,
    })
    .to_string())
}

/// For the open SDK's `PayReq`.
pub(crate) fn app(prepay_id: &str) -> Result<String, Fault> {
    let (timestamp, nonce) = fresh();
    let signature = sign(
        "app",
        [
            ("timestamp", &timestamp),
            ("noncestr", &nonce),
            ("prepayid", prepay_id),
        ],
    )?;
    Ok(json!({
        "appid": v3::appid()?,
        "partnerid": v3::mchid()?,
        "prepayid": prepay_id,
        "package": "Sign=WXPay",
        "noncestr": nonce,
        "timestamp": timestamp,
        "sign": signature,
    })
    .to_string())
}

fn sign(template: &str, values: [(&str, &str); 3]) -> Result<String, Fault> {
    let values = values
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    // The order stands: whoever sends again gets the same one, and parameters that are signed.
    trust::sign(template, values).map_err(|failure| Fault::Unknown(failure.to_string()))
}

/// Seconds since 1970, and 32 hex digits used once.
fn fresh() -> (String, String) {
    let nonce: String = random::bytes(16)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ((clock::now_ms() / 1000).to_string(), nonce)
}
