//! The fields of an order and their rules.
//!
//! Stricter than WeChat Pay in one thing: a field that the operation does not have is refused,
//! where the platform drops it in silence, because a misspelt `time_expire` costs a merchant real
//! money.

use serde::Deserialize;
use serde_json::Value;

use super::super::clock;
use super::super::content::{OrderContent, is_ip, is_notify_url, is_payment_code, is_trade_number};
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::order::TradeType;
use super::{json, need, own, short};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderFields {
    appid: Option<String>,
    mchid: Option<String>,
    description: Option<String>,
    out_trade_no: Option<String>,
    time_expire: Option<String>,
    attach: Option<String>,
    notify_url: Option<String>,
    goods_tag: Option<String>,
    #[serde(rename = "support_fapiao")]
    _support_fapiao: Option<bool>,
    limit_pay: Option<Vec<String>>,
    amount: Option<Amount>,
    payer: Option<Payer>,
    detail: Option<Detail>,
    scene_info: Option<Scene>,
    #[serde(rename = "settle_info")]
    _settle_info: Option<Settle>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    total: Option<u64>,
    currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payer {
    openid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    #[serde(rename = "profit_sharing")]
    _profit_sharing: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Detail {
    #[serde(rename = "cost_price")]
    _cost_price: Option<u64>,
    invoice_id: Option<String>,
    goods_detail: Option<Vec<Goods>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Goods {
    merchant_goods_id: Option<String>,
    wechatpay_goods_id: Option<String>,
    /// What `codepay` calls the same.
    wxpay_goods_id: Option<String>,
    goods_name: Option<String>,
    quantity: Option<u64>,
    unit_price: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    payer_client_ip: Option<String>,
    device_id: Option<String>,
    store_info: Option<Store>,
    h5_info: Option<H5>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    id: Option<String>,
    name: Option<String>,
    area_code: Option<String>,
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct H5 {
    #[serde(rename = "type")]
    kind: Option<String>,
    app_name: Option<String>,
    app_url: Option<String>,
    bundle_id: Option<String>,
    package_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodepayFields {
    appid: Option<String>,
    mchid: Option<String>,
    description: Option<String>,
    out_trade_no: Option<String>,
    attach: Option<String>,
    goods_tag: Option<String>,
    #[serde(rename = "support_fapiao")]
    _support_fapiao: Option<bool>,
    amount: Option<Amount>,
    payer: Option<CodepayPayer>,
    detail: Option<Detail>,
    scene_info: Option<CodepayScene>,
    #[serde(rename = "settle_info")]
    _settle_info: Option<Settle>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodepayPayer {
    auth_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodepayScene {
    device_id: Option<String>,
    device_ip: Option<String>,
    store_info: Option<CodepayStore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodepayStore {
    id: Option<String>,
    out_id: Option<String>,
}

/// Reads and checks an order of `native`, `jsapi`, `h5` or `app`.
pub(super) fn order(
    shop: &Shop,
    trade_type: TradeType,
    body: &[u8],
) -> Result<OrderContent, Failure> {
    let fields: OrderFields = json(body)?;
    own(shop, fields.appid, fields.mchid)?;
    let (description, out_trade_no) =
        description_and_number(fields.description, fields.out_trade_no, true)?;
    let notify_url = need("/notify_url", fields.notify_url)?;
    if !is_notify_url(&notify_url) {
        let issue = "最多255个字符的http(s)地址，不能携带参数";
        return Err(Failure::field("/notify_url", issue));
    }
    let time_expire = match fields.time_expire.as_deref() {
        None => None,
        Some(text) => {
            let at = clock::parse_rfc3339(text).filter(|_| text.len() <= 64);
            Some(at.ok_or_else(|| Failure::field("/time_expire", "应为RFC3339格式"))?)
        }
    };
    for kind in fields.limit_pay.iter().flatten() {
        let known = ["no_balance", "no_credit", "no_debit", "balance_only"];
        if !known.contains(&kind.as_str()) {
            return Err(Failure::field("/limit_pay", "未知的支付方式"));
        }
    }
    optional(&fields.attach, "/attach", 128)?;
    optional(&fields.goods_tag, "/goods_tag", 32)?;
    check_detail(fields.detail)?;
    let h5 = trade_type == TradeType::Mweb;
    let device_id = check_scene(fields.scene_info, h5)?;
    Ok(OrderContent {
        trade_type,
        out_trade_no,
        description,
        total_fen: total(fields.amount)?,
        attach: fields.attach,
        notify_url: Some(notify_url),
        openid: payer(shop, trade_type, fields.payer)?,
        device_id,
        time_expire,
        sent: sent(body)?,
    })
}

/// Reads and checks an order of `codepay`; with the buyer's code.
pub(super) fn codepay(shop: &Shop, body: &[u8]) -> Result<(OrderContent, String), Failure> {
    let fields: CodepayFields = json(body)?;
    own(shop, fields.appid, fields.mchid)?;
    let (description, out_trade_no) =
        description_and_number(fields.description, fields.out_trade_no, false)?;
    optional(&fields.attach, "/attach", 128)?;
    optional(&fields.goods_tag, "/goods_tag", 32)?;
    check_detail(fields.detail)?;
    let code = fields.payer.and_then(|payer| payer.auth_code);
    let code = need("/payer/auth_code", code)?;
    if !is_payment_code(&code) {
        return Err(Failure::field("/payer/auth_code", "18位数字，以10-15开头"));
    }
    let missing = || Failure::missing("/scene_info/store_info");
    let scene = fields
        .scene_info
        .ok_or_else(|| Failure::missing("/scene_info"))?;
    let store = scene.store_info.ok_or_else(missing)?;
    if store.id.is_none() && store.out_id.is_none() {
        return Err(missing());
    }
    optional(&store.id, "/scene_info/store_info/id", 32)?;
    optional(&store.out_id, "/scene_info/store_info/out_id", 32)?;
    optional(&scene.device_id, "/scene_info/device_id", 32)?;
    if scene.device_ip.as_deref().is_some_and(|ip| !is_ip(ip)) {
        return Err(Failure::field("/scene_info/device_ip", "不是IP地址"));
    }
    let content = OrderContent {
        trade_type: TradeType::Micropay,
        out_trade_no,
        description,
        total_fen: total(fields.amount)?,
        attach: fields.attach,
        notify_url: None,
        openid: None,
        device_id: scene.device_id,
        time_expire: None,
        sent: sent(body)?,
    };
    Ok((content, code))
}

fn description_and_number(
    description: Option<String>,
    number: Option<String>,
    bar: bool,
) -> Result<(String, String), Failure> {
    let description = need("/description", description)?;
    short("/description", &description, 127)?;
    let number = need("/out_trade_no", number)?;
    if !is_trade_number(&number, bar) {
        let issue = "6-32个字符，只能是数字、大小写字母_-|*";
        return Err(Failure::field("/out_trade_no", issue));
    }
    Ok((description, number))
}

fn optional(value: &Option<String>, field: &str, most: usize) -> Result<(), Failure> {
    value
        .as_deref()
        .map_or(Ok(()), |text| short(field, text, most))
}

fn total(amount: Option<Amount>) -> Result<u64, Failure> {
    let amount = amount.ok_or_else(|| Failure::missing("/amount"))?;
    if amount.currency.as_deref().is_some_and(|said| said != "CNY") {
        return Err(Failure::field("/amount/currency", "只支持CNY"));
    }
    let total = amount.total;
    let total = total.ok_or_else(|| Failure::missing("/amount/total"))?;
    if total == 0 {
        return Err(Failure::field("/amount/total", "应为大于0的整数，单位为分"));
    }
    Ok(total)
}

/// Only `jsapi` names the buyer, and only one whom the appid knows.
fn payer(
    shop: &Shop,
    trade_type: TradeType,
    payer: Option<Payer>,
) -> Result<Option<String>, Failure> {
    if trade_type != TradeType::Jsapi {
        return match payer {
            None => Ok(None),
            Some(_) => Err(Failure::field("/payer", "未知的参数")),
        };
    }
    let openid = need("/payer/openid", payer.and_then(|payer| payer.openid))?;
    if openid != shop.buyer_openid {
        return Err(Failure::field("/payer/openid", "无效的openid"));
    }
    Ok(Some(openid))
}

fn check_detail(detail: Option<Detail>) -> Result<(), Failure> {
    let Some(detail) = detail else {
        return Ok(());
    };
    optional(&detail.invoice_id, "/detail/invoice_id", 32)?;
    for (at, goods) in detail.goods_detail.into_iter().flatten().enumerate() {
        let field = |name: &str| format!("/detail/goods_detail/{at}/{name}");
        let id = need(&field("merchant_goods_id"), goods.merchant_goods_id)?;
        short(&field("merchant_goods_id"), &id, 32)?;
        optional(&goods.wechatpay_goods_id, &field("wechatpay_goods_id"), 32)?;
        optional(&goods.wxpay_goods_id, &field("wxpay_goods_id"), 32)?;
        optional(&goods.goods_name, &field("goods_name"), 256)?;
        if goods.quantity.unwrap_or_default() == 0 {
            return Err(Failure::missing(field("quantity")));
        }
        if goods.unit_price.is_none() {
            return Err(Failure::missing(field("unit_price")));
        }
    }
    Ok(())
}

/// The device, if the scene is as it should be; H5 needs one that says where the browser is.
fn check_scene(scene: Option<Scene>, h5: bool) -> Result<Option<String>, Failure> {
    let Some(scene) = scene else {
        return match h5 {
            true => Err(Failure::missing("/scene_info")),
            false => Ok(None),
        };
    };
    let ip = need("/scene_info/payer_client_ip", scene.payer_client_ip)?;
    if !is_ip(&ip) {
        return Err(Failure::field("/scene_info/payer_client_ip", "不是IP地址"));
    }
    optional(&scene.device_id, "/scene_info/device_id", 32)?;
    if let Some(store) = scene.store_info {
        let id = need("/scene_info/store_info/id", store.id)?;
        short("/scene_info/store_info/id", &id, 32)?;
        optional(&store.name, "/scene_info/store_info/name", 256)?;
        optional(&store.area_code, "/scene_info/store_info/area_code", 32)?;
        optional(&store.address, "/scene_info/store_info/address", 512)?;
    }
    match scene.h5_info {
        Some(_) if !h5 => return Err(Failure::field("/scene_info/h5_info", "未知的参数")),
        None if h5 => return Err(Failure::missing("/scene_info/h5_info")),
        None => {}
        Some(info) => {
            let kind = need("/scene_info/h5_info/type", info.kind)?;
            short("/scene_info/h5_info/type", &kind, 32)?;
            optional(&info.app_name, "/scene_info/h5_info/app_name", 64)?;
            optional(&info.app_url, "/scene_info/h5_info/app_url", 128)?;
            optional(&info.bundle_id, "/scene_info/h5_info/bundle_id", 128)?;
            optional(&info.package_name, "/scene_info/h5_info/package_name", 128)?;
        }
    }
    Ok(scene.device_id)
}

/// What may not change when the order is asked for again: everything but `time_expire`.
fn sent(body: &[u8]) -> Result<Value, Failure> {
    let mut sent: Value = serde_json::from_slice(body).map_err(|_| Problem::Parameter)?;
    if let Some(fields) = sent.as_object_mut() {
        fields.remove("time_expire");
    }
    Ok(sent)
}
