//! Orders: made, charged at the till, asked about, closed and reversed.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use time::Duration;

use super::super::book::{Book, Reference};
use super::super::clock;
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::notice::put;
use super::super::operation::Operation;
use super::super::order::{Dialect, Order, TradeType};
use super::super::platform::Platform;
use super::answer::Answer;
use super::{Asked, json, objects, order_fields, own, own_mchid};

/// Makes an order, or repeats the answer for the same one.
pub(super) fn order(
    platform: &Platform,
    shop: &Arc<Shop>,
    operation: Operation,
    body: &[u8],
) -> Result<Answer, Failure> {
    let trade_type = match operation {
        Operation::Jsapi => TradeType::Jsapi,
        Operation::H5 => TradeType::Mweb,
        Operation::App => TradeType::App,
        _ => TradeType::Native,
    };
    let content = order_fields::order(shop, trade_type, body)?;
    let now = clock::now();
    let link = platform
        .book()
        .order(shop, content, Dialect::V3, &platform.numbers, now)?;
    Ok(Answer::json(match trade_type {
        TradeType::Native => json!({"code_url": link.code_url()}),
        TradeType::Mweb => json!({"h5_url": link.h5_url(&platform.base_url)}),
        _ => json!({"prepay_id": link.prepay_id}),
    }))
}

/// Charges a buyer's code.
///
/// No source says how v3 tells a cashier to wait for the buyer. So it takes turns in what the
/// sources would allow: a 200 with the state, a 202 and a 403 with the code.
pub(super) fn codepay(
    platform: &Platform,
    shop: &Arc<Shop>,
    body: &[u8],
) -> Result<Answer, Failure> {
    let (content, code) = order_fields::codepay(shop, body)?;
    let reference = Reference::Number(content.out_trade_no.clone());
    let (now, mut book) = (clock::now(), platform.book());
    let charged = book.charge(shop, content, Dialect::V3, &code, &platform.numbers, now);
    let order = |book: &mut Book| {
        let order = book.referred(shop, &reference, now);
        let order = order.ok_or(Problem::System)?;
        Ok(Answer::json(objects::transaction(order)))
    };
    match charged {
        Ok(()) => order(&mut book),
        Err(failure) if failure.problem == Problem::Waiting => match shop.next_wait() % 3 {
            0 => order(&mut book),
            1 => Err(failure),
            _ => Ok(Answer::failed(&failure).with_status(403)),
        },
        Err(failure) => Err(failure),
    }
}

/// Answers what is known of an order.
pub(super) fn query(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
) -> Result<Answer, Failure> {
    asked.own_mchid(shop)?;
    let reference = match asked.operation {
        Operation::QueryById => Reference::Transaction(asked.number.clone()),
        _ => asked.reference()?,
    };
    with_order(platform, shop, &reference, |order| {
        Ok(Answer::json(objects::transaction(order)))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseFields {
    mchid: Option<String>,
}

/// Closes an order.
pub(super) fn close(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
    body: &[u8],
) -> Result<Answer, Failure> {
    let fields: CloseFields = json(body)?;
    own_mchid(shop, fields.mchid)?;
    with_order(platform, shop, &asked.reference()?, |order| {
        order.close(clock::now())?;
        Ok(Answer::nothing())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReverseFields {
    appid: Option<String>,
    mchid: Option<String>,
}

/// Reverses a payment at the till.
pub(super) fn reverse(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
    body: &[u8],
) -> Result<Answer, Failure> {
    let fields: ReverseFields = json(body)?;
    own(shop, fields.appid, fields.mchid)?;
    let not_before = Duration::try_from(platform.rules.reverse_after).unwrap_or_default();
    with_order(platform, shop, &asked.reference()?, |order| {
        order.reverse(clock::now(), not_before)?;
        let mut value: Value = json!({"appid": shop.appid, "mchid": shop.mchid});
        put(&mut value, "out_trade_no", &json!(asked.number));
        Ok(Answer::json(value))
    })
}

fn with_order<T>(
    platform: &Platform,
    shop: &Shop,
    reference: &Reference,
    act: impl FnOnce(&mut Order) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut book = platform.book();
    let order = book.referred(shop, reference, clock::now());
    act(order.ok_or(Problem::NoOrder)?)
}
