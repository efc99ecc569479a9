//! Refunds: accepted, asked about, and helped when the buyer's account did not take them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::super::book::Reference;
use super::super::clock;
use super::super::content::{is_notify_url, is_refund_number};
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::order::Dialect;
use super::super::platform::Platform;
use super::super::refund::{Refund, RefundContent, RefundOutcome, RefundStatus};
use super::answer::Answer;
use super::{Asked, json, need, objects, short};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundFields {
    transaction_id: Option<String>,
    out_trade_no: Option<String>,
    out_refund_no: Option<String>,
    reason: Option<String>,
    notify_url: Option<String>,
    funds_account: Option<String>,
    amount: Option<Amount>,
    #[serde(rename = "goods_detail")]
    _goods_detail: Option<Vec<serde_json::Map<String, Value>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    refund: Option<u64>,
    total: Option<u64>,
    currency: Option<String>,
    from: Option<Vec<From>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    #[serde(rename = "account")]
    _account: String,
    amount: u64,
}

/// Accepts a refund, or answers what became of the same one.
pub(super) fn refund(
    platform: &Arc<Platform>,
    shop: &Arc<Shop>,
    body: &[u8],
) -> Result<Answer, Failure> {
    let fields: RefundFields = json(body)?;
    let reference = match (fields.transaction_id, fields.out_trade_no) {
        (Some(id), None) => Reference::Transaction(id),
        (None, Some(number)) => Reference::Number(number),
        (None, None) => return Err(Failure::missing("/out_trade_no")),
        (Some(_), Some(_)) => {
            let issue = "transaction_id和out_trade_no二选一";
            return Err(Failure::field("/out_trade_no", issue));
        }
    };
    let out_refund_no = need("/out_refund_no", fields.out_refund_no)?;
    if !is_refund_number(&out_refund_no) {
        let issue = "最多64个字符，只能是数字、大小写字母_-|*@";
        return Err(Failure::field("/out_refund_no", issue));
    }
    short("/reason", fields.reason.as_deref().unwrap_or_default(), 80)?;
    let url = fields.notify_url.as_deref();
    if url.is_some_and(|url| !is_notify_url(url)) {
        return Err(Failure::field("/notify_url", "不合法的通知地址"));
    }
    let account = fields.funds_account.as_deref();
    if account.is_some_and(|account| account != "AVAILABLE") {
        return Err(Failure::field("/funds_account", "只能是AVAILABLE"));
    }
    let (fee_fen, total_fen) = amounts(fields.amount)?;
    let content = RefundContent {
        out_refund_no,
        fee_fen,
        total_fen,
        notify_url: fields.notify_url,
        dialect: Dialect::V3,
        sent: serde_json::from_slice(body).map_err(|_| Problem::Parameter)?,
    };
    let (answer, started) = {
        let (now, mut book) = (clock::now(), platform.book());
        let (order, refund, new) =
            book.refund(shop, &reference, content, &platform.numbers, now)?;
        let answer = Answer::json(objects::refund(order, &refund));
        (answer, new.then_some(refund.refund_id))
    };
    if let Some(refund_id) = started {
        platform.start_refund(refund_id);
    }
    Ok(answer)
}

fn amounts(amount: Option<Amount>) -> Result<(u64, u64), Failure> {
    let amount = amount.ok_or_else(|| Failure::missing("/amount"))?;
    let need = |field: &str, value: Option<u64>| {
        value.ok_or_else(|| Failure::missing(format!("/amount/{field}")))
    };
    let (fee, total) = (need("refund", amount.refund)?, need("total", amount.total)?);
    if fee == 0 || fee > total {
        let issue = "应为大于0的整数，单位为分，不能超过原订单金额";
        return Err(Failure::field("/amount/refund", issue));
    }
    match amount.currency.as_deref() {
        None => return Err(Failure::missing("/amount/currency")),
        Some("CNY") => {}
        Some(_) => return Err(Failure::field("/amount/currency", "只支持CNY")),
    }
    if let Some(from) = amount.from {
        let sum = from
            .iter()
            .try_fold(0_u64, |sum, part| sum.checked_add(part.amount));
        if sum != Some(fee) {
            return Err(Failure::field("/amount/from", "出资金额之和应等于退款金额"));
        }
    }
    Ok((fee, total))
}

/// Answers what is known of a refund, by the merchant's number.
pub(super) fn query(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
) -> Result<Answer, Failure> {
    let book = platform.book();
    let found = book.refund_of(shop, |refund| refund.content.out_refund_no == asked.number);
    let (order, refund) = found.ok_or(Problem::NoRefund)?;
    Ok(Answer::json(objects::refund(order, &refund)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AbnormalFields {
    out_refund_no: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    bank_type: Option<String>,
    /// Enciphered for the platform; the simulation does not look inside.
    bank_account: Option<String>,
    /// Enciphered for the platform; the simulation does not look inside.
    real_name: Option<String>,
}

/// Sends an abnormal refund elsewhere: it is in process again, and succeeds.
pub(super) fn apply_abnormal(
    platform: &Arc<Platform>,
    shop: &Arc<Shop>,
    asked: &Asked,
    body: &[u8],
) -> Result<Answer, Failure> {
    let fields: AbnormalFields = json(body)?;
    let out_refund_no = need("/out_refund_no", fields.out_refund_no)?;
    match need("/type", fields.kind)?.as_str() {
        "MERCHANT_BANK_CARD" => {}
        "USER_BANK_CARD" => {
            need("/bank_type", fields.bank_type)?;
            need("/bank_account", fields.bank_account)?;
            need("/real_name", fields.real_name)?;
        }
        _ => return Err(Failure::field("/type", "未知的退款方式")),
    }
    let meant = |refund: &Refund| {
        refund.refund_id == asked.number && refund.content.out_refund_no == out_refund_no
    };
    let key = {
        let book = platform.book();
        let (order, refund) = book.refund_of(shop, meant).ok_or(Problem::NoRefund)?;
        if refund.status != RefundStatus::Abnormal {
            let why = "退款状态不是退款异常";
            return Err(Failure::new(Problem::Request, why));
        }
        (shop.mchid.clone(), order.content.out_trade_no.clone())
    };
    platform.with_order(&key, |order| order.refund_outcome = RefundOutcome::Success);
    platform.settle_refund(meant, RefundStatus::Processing);
    platform.start_refund(asked.number.clone());
    let book = platform.book();
    let (order, refund) = book.refund_of(shop, meant).ok_or(Problem::NoRefund)?;
    Ok(Answer::json(objects::refund(order, &refund)))
}
