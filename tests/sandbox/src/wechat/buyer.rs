//! The buyer's WeChat: what it checks before it lets anybody pay.

use std::sync::Arc;

use serde_json::Value;

use super::merchant::Shop;
use super::order::{BuyerError, TradeType};
use super::platform::Platform;
use super::signing::call_text;
use super::signing::v2::{SignType, sign};
use super::view::TradeView;

/// Pays by the parameters that a page hands to `getBrandWCPayRequest`, or an app to the SDK.
///
/// A page's are `appId`, `timeStamp`, `nonceStr`, `package` (`prepay_id=…`), `signType` and
/// `paySign`; an app's `appid`, `partnerid`, `prepayid`, `package` (`Sign=WXPay`), `noncestr`,
/// `timestamp` and `sign`. All of them are texts.
pub(super) fn call(platform: &Arc<Platform>, parameters: &Value) -> Result<TradeView, BuyerError> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let need = |name: &str| text(name).ok_or(BuyerError::BadSignature);
    let page = text("paySign").is_some();
    let appid = need(if page { "appId" } else { "appid" })?;
    let shop = {
        let book = platform.book();
        let mut found = book.shops.values().filter(|shop| shop.appid == appid);
        found.next().cloned().ok_or(BuyerError::BadSignature)?
    };
    let (prepay_id, right, trade_type) = if page {
        let package = need("package")?;
        let id = package
            .strip_prefix("prepay_id=")
            .ok_or(BuyerError::BadSignature)?;
        (id, is_page_signed(&shop, parameters)?, TradeType::Jsapi)
    } else {
        let id = need("prepayid")?;
        let last = (need("timestamp")?, need("noncestr")?);
        let signed = call_text(appid, last.0, last.1, id);
        let fits = need("package")? == "Sign=WXPay" && need("partnerid")? == shop.mchid;
        let right = fits && shop.merchant.verify(signed.as_bytes(), need("sign")?);
        (id, right, TradeType::App)
    };
    if !right {
        return Err(BuyerError::BadSignature);
    }
    if platform.book().linked(prepay_id)?.content.trade_type != trade_type {
        return Err(BuyerError::UnknownLink);
    }
    platform.buy(prepay_id, Some(&shop), true)
}

/// `paySign`: v3's by the merchant's key where `signType` is `RSA`, otherwise v2's.
fn is_page_signed(shop: &Shop, parameters: &Value) -> Result<bool, BuyerError> {
    let need = |name: &str| {
        let value = parameters.get(name).and_then(Value::as_str);
        value.ok_or(BuyerError::BadSignature)
    };
    let (timestamp, nonce, package) = (need("timeStamp")?, need("nonceStr")?, need("package")?);
    let (kind, said) = (need("signType")?, need("paySign")?);
    if kind == "RSA" {
        let signed = call_text(&shop.appid, timestamp, nonce, package);
        return Ok(shop.merchant.verify(signed.as_bytes(), said));
    }
    let sign_type = SignType::parse(kind).ok_or(BuyerError::BadSignature)?;
    let fields = [
        ("appId", shop.appid.as_str()),
        ("timeStamp", timestamp),
        ("nonceStr", nonce),
        ("package", package),
        ("signType", kind),
    ];
    Ok(sign(fields, &shop.api_key, sign_type) == said)
}
