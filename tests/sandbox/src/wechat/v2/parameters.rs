//! The fields of a v2 request, each with its longest length.
//!
//! Stricter than WeChat Pay in one thing, as v3 here is: a field that the operation does not have
//! is refused.

use serde_json::Value;
use time::OffsetDateTime;

use super::super::book::Reference;
use super::super::clock;
use super::super::content::{
    OrderContent, is_ip, is_notify_url, is_payment_code, is_refund_number, is_trade_number,
};
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::operation::Operation;
use super::super::order::{Dialect, TradeType};
use super::super::refund::RefundContent;
use super::super::signing::v2::SignType;
use super::xml::Fields;

/// A field: its name, its longest length in characters, and whether it must be there.
type Rule = (&'static str, usize, bool);

const COMMON: &[Rule] = &[
    ("appid", 32, true),
    ("mch_id", 32, true),
    ("nonce_str", 32, true),
    ("sign", 64, true),
    ("sign_type", 32, false),
];

const ORDER: &[Rule] = &[
    ("device_info", 32, false),
    ("body", 128, true),
    ("detail", 6000, false),
    ("attach", 127, false),
    ("out_trade_no", 32, true),
    ("fee_type", 16, false),
    ("total_fee", 18, true),
    ("spbill_create_ip", 64, true),
    ("time_start", 14, false),
    ("time_expire", 14, false),
    ("goods_tag", 32, false),
    ("limit_pay", 32, false),
    ("receipt", 8, false),
    ("scene_info", 256, false),
    ("profit_sharing", 16, false),
];

const UNIFIED: &[Rule] = &[
    ("notify_url", 256, true),
    ("trade_type", 16, true),
    ("product_id", 32, false),
    ("openid", 128, false),
];

const MICROPAY: &[Rule] = &[("auth_code", 128, true)];

const REFERENCE: &[Rule] = &[("transaction_id", 32, false), ("out_trade_no", 32, false)];

const CLOSE: &[Rule] = &[("out_trade_no", 32, true)];

const REFUND: &[Rule] = &[
    ("out_refund_no", 64, true),
    ("total_fee", 18, true),
    ("refund_fee", 18, true),
    ("refund_fee_type", 8, false),
    ("refund_desc", 80, false),
    ("refund_account", 30, false),
    ("notify_url", 256, false),
];

const REFUND_QUERY: &[Rule] = &[
    ("out_refund_no", 64, false),
    ("refund_id", 32, false),
    ("offset", 8, false),
];

/// What the fields of an operation are.
fn rules(operation: Operation) -> [&'static [Rule]; 3] {
    match operation {
        Operation::V2UnifiedOrder => [COMMON, ORDER, UNIFIED],
        Operation::V2Micropay => [COMMON, ORDER, MICROPAY],
        Operation::V2CloseOrder => [COMMON, CLOSE, &[]],
        Operation::V2Refund => [COMMON, REFERENCE, REFUND],
        Operation::V2RefundQuery => [COMMON, REFERENCE, REFUND_QUERY],
        _ => [COMMON, REFERENCE, &[]],
    }
}

/// Every field is one of the operation's, none is too long, none is missing.
pub(super) fn check(operation: Operation, fields: &Fields) -> Result<(), Failure> {
    let rules = rules(operation);
    let known = || rules.iter().copied().flatten();
    for (name, value) in fields {
        let rule = known().find(|(known, ..)| known == name);
        let (_, most, _) = rule.ok_or_else(|| Failure::field(name, "未知的参数"))?;
        if value.chars().count() > *most {
            return Err(Failure::field(name, format!("最多{most}个字符")));
        }
    }
    for (name, _, needed) in known() {
        if *needed && get(fields, name).is_none() {
            return Err(Failure::missing(*name));
        }
    }
    Ok(())
}

/// A field that is there and not empty.
pub(super) fn get<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

fn owned(fields: &Fields, name: &str) -> Option<String> {
    get(fields, name).map(str::to_owned)
}

/// Which order is meant; the platform's number wins.
pub(super) fn reference(fields: &Fields) -> Result<Reference, Failure> {
    let transaction = owned(fields, "transaction_id").map(Reference::Transaction);
    transaction
        .or_else(|| owned(fields, "out_trade_no").map(Reference::Number))
        .ok_or_else(|| Failure::missing("out_trade_no"))
}

/// The buyer's code of a micropay.
pub(super) fn auth_code(fields: &Fields) -> Result<&str, Failure> {
    get(fields, "auth_code")
        .filter(|code| is_payment_code(code))
        .ok_or_else(|| Problem::CodeError.into())
}

/// An order as `micropay` or `unifiedorder` describes it.
pub(super) fn order(
    shop: &Shop,
    operation: Operation,
    fields: &Fields,
) -> Result<OrderContent, Failure> {
    let wrong = |name: &str, issue: &str| Err(Failure::field(name, issue));
    let trade_type = match (operation, get(fields, "trade_type")) {
        (Operation::V2Micropay, _) => TradeType::Micropay,
        (_, Some("JSAPI")) => TradeType::Jsapi,
        (_, Some("NATIVE")) => TradeType::Native,
        (_, Some("APP")) => TradeType::App,
        (_, Some("MWEB")) => TradeType::Mweb,
        _ => return wrong("trade_type", "未知的交易类型"),
    };
    let number = get(fields, "out_trade_no").unwrap_or_default();
    if !is_trade_number(number, trade_type != TradeType::Micropay) {
        return wrong("out_trade_no", "6-32个字符，只能是数字、大小写字母_-|*");
    }
    if get(fields, "fee_type").is_some_and(|kind| kind != "CNY") {
        return wrong("fee_type", "只支持CNY");
    }
    if !get(fields, "spbill_create_ip").is_some_and(is_ip) {
        return wrong("spbill_create_ip", "不是IP地址");
    }
    if get(fields, "notify_url").is_some_and(|url| !is_notify_url(url)) {
        return wrong("notify_url", "不合法的通知地址");
    }
    let openid = match trade_type {
        TradeType::Jsapi => {
            let openid = get(fields, "openid").ok_or_else(|| Failure::missing("openid"))?;
            if openid != shop.buyer_openid {
                return wrong("openid", "无效的openid");
            }
            Some(openid.to_owned())
        }
        TradeType::Native if get(fields, "product_id").is_none() => {
            return Err(Failure::missing("product_id"));
        }
        _ => None,
    };
    time(fields, "time_start")?;
    Ok(OrderContent {
        trade_type,
        out_trade_no: number.to_owned(),
        description: owned(fields, "body").unwrap_or_default(),
        total_fen: fen(fields, "total_fee")?,
        attach: owned(fields, "attach"),
        notify_url: owned(fields, "notify_url"),
        openid,
        device_id: owned(fields, "device_info"),
        time_expire: time(fields, "time_expire")?,
        sent: sent(fields, &["time_start", "time_expire"]),
    })
}

/// A refund.
pub(super) fn refund(fields: &Fields, sign_type: SignType) -> Result<RefundContent, Failure> {
    let wrong = |name: &str, issue: &str| Err(Failure::field(name, issue));
    let number = get(fields, "out_refund_no").unwrap_or_default();
    if !is_refund_number(number) {
        return wrong("out_refund_no", "最多64个字符，只能是数字、大小写字母_-|*@");
    }
    if get(fields, "refund_fee_type").is_some_and(|kind| kind != "CNY") {
        return wrong("refund_fee_type", "只支持CNY");
    }
    if get(fields, "notify_url").is_some_and(|url| !is_notify_url(url)) {
        return wrong("notify_url", "不合法的通知地址");
    }
    let accounts = [
        "REFUND_SOURCE_UNSETTLED_FUNDS",
        "REFUND_SOURCE_RECHARGE_FUNDS",
    ];
    if get(fields, "refund_account").is_some_and(|account| !accounts.contains(&account)) {
        return wrong("refund_account", "未知的资金来源");
    }
    Ok(RefundContent {
        out_refund_no: number.to_owned(),
        fee_fen: fen(fields, "refund_fee")?,
        total_fen: fen(fields, "total_fee")?,
        notify_url: owned(fields, "notify_url"),
        dialect: Dialect::V2(sign_type),
        sent: sent(fields, &[]),
    })
}

/// Fen: digits only, no leading zero, above zero.
fn fen(fields: &Fields, name: &str) -> Result<u64, Failure> {
    let text = get(fields, name).unwrap_or_default();
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| Failure::field(name, "应为大于0的整数，单位为分"))
}

fn time(fields: &Fields, name: &str) -> Result<Option<OffsetDateTime>, Failure> {
    let Some(text) = get(fields, name) else {
        return Ok(None);
    };
    let at = clock::parse_compact(text);
    at.map(Some)
        .ok_or_else(|| Failure::field(name, "格式为yyyyMMddHHmmss"))
}

/// What may not change when the same is asked for again.
fn sent(fields: &Fields, but: &[&str]) -> Value {
    let changing = ["nonce_str", "sign", "sign_type"];
    fields
        .iter()
        .filter(|(name, value)| {
            let name = name.as_str();
            !value.is_empty() && !changing.contains(&name) && !but.contains(&name)
        })
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect()
}
