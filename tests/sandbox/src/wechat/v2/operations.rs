//! What each operation of v2 does and answers.

use std::sync::Arc;

use time::Duration;

use super::super::clock;
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::operation::Operation;
use super::super::order::{Dialect, Order, TradeState, TradeType};
use super::super::platform::Platform;
use super::super::signing::v2::SignType;
use super::answer::Answer;
use super::fields::{listed_refund, named, paid_fields, refund_fields, transaction_id};
use super::parameters::{self, get};
use super::xml::Fields;

/// Performs an operation and fills its answer.
pub(super) fn perform(
    platform: &Arc<Platform>,
    shop: &Arc<Shop>,
    operation: Operation,
    fields: &Fields,
    sign_type: SignType,
) -> Answer {
    let outcome = parameters::check(operation, fields).and_then(|()| {
        if get(fields, "appid") != Some(shop.appid.as_str()) {
            return Err(Problem::Mismatch.into());
        }
        match operation {
            Operation::V2UnifiedOrder => unified_order(platform, shop, fields, sign_type),
            Operation::V2Micropay => micropay(platform, shop, fields, sign_type),
            Operation::V2OrderQuery => order_query(platform, shop, fields),
            Operation::V2CloseOrder => close_order(platform, shop, fields),
            Operation::V2Reverse => Ok(reverse(platform, shop, fields)),
            Operation::V2Refund => refund(platform, shop, fields, sign_type),
            Operation::V2RefundQuery => refund_query(platform, shop, fields),
            _ => Err(Problem::NoResource.into()),
        }
    });
    outcome.unwrap_or_else(|failure| Answer::failed(&failure))
}

fn unified_order(
    platform: &Platform,
    shop: &Arc<Shop>,
    fields: &Fields,
    sign_type: SignType,
) -> Result<Answer, Failure> {
    let content = parameters::order(shop, Operation::V2UnifiedOrder, fields)?;
    let (trade_type, now) = (content.trade_type, clock::now());
    let dialect = Dialect::V2(sign_type);
    let link = platform
        .book()
        .order(shop, content, dialect, &platform.numbers, now)?;
    let answer = Answer::success(named([
        ("trade_type", trade_type.as_str()),
        ("prepay_id", &link.prepay_id),
    ]));
    Ok(match trade_type {
        TradeType::Native => answer.with(named([("code_url", &link.code_url())])),
        TradeType::Mweb => answer.with(named([("mweb_url", &link.h5_url(&platform.base_url))])),
        _ => answer,
    })
}

fn micropay(
    platform: &Platform,
    shop: &Arc<Shop>,
    fields: &Fields,
    sign_type: SignType,
) -> Result<Answer, Failure> {
    let content = parameters::order(shop, Operation::V2Micropay, fields)?;
    let code = parameters::auth_code(fields)?;
    let key = (shop.mchid.clone(), content.out_trade_no.clone());
    let (now, dialect, mut book) = (clock::now(), Dialect::V2(sign_type), platform.book());
    book.charge(shop, content, dialect, code, &platform.numbers, now)?;
    let order = book.orders.get(&key).ok_or(Problem::System)?;
    let payment = order.payment.as_ref().ok_or(Problem::System)?;
    Ok(Answer::success(paid_fields(order, payment)))
}

fn order_query(platform: &Platform, shop: &Arc<Shop>, fields: &Fields) -> Result<Answer, Failure> {
    with_order(platform, shop, fields, |order| {
        let mut said = named([
            ("trade_state", order.state.as_str()),
            ("trade_state_desc", order.state.words()),
        ]);
        match &order.payment {
            Some(payment) => said.extend(paid_fields(order, payment)),
            None => said.extend(named([
                ("out_trade_no", order.content.out_trade_no.as_str()),
                ("total_fee", &order.content.total_fen.to_string()),
                (
                    "attach",
                    order.content.attach.as_deref().unwrap_or_default(),
                ),
            ])),
        }
        Ok(Answer::success(said))
    })
}

fn close_order(platform: &Platform, shop: &Arc<Shop>, fields: &Fields) -> Result<Answer, Failure> {
    let not_before = Duration::try_from(platform.rules.v2_close_after).unwrap_or_default();
    with_order(platform, shop, fields, |order| {
        let now = clock::now();
        if order.state == TradeState::Closed {
            return Err(Problem::Closed.into());
        }
        if order.state == TradeState::Notpay && now - order.created < not_before {
            let why = "订单生成后不能马上调用关单接口，最短调用时间间隔为5分钟";
            return Err(Failure::new(Problem::Request, why));
        }
        order.close(now)?;
        Ok(Answer::success(named([("result_msg", "OK")])))
    })
}

/// `recall` says whether to call again: `Y` where only the time has not come.
fn reverse(platform: &Platform, shop: &Arc<Shop>, fields: &Fields) -> Answer {
    let not_before = Duration::try_from(platform.rules.reverse_after).unwrap_or_default();
    let mut early = false;
    let outcome = with_order(platform, shop, fields, |order| {
        let now = clock::now();
        early = now - order.created < not_before;
        order.reverse(now, not_before)
    });
    match outcome {
        Ok(()) => Answer::success(named([("recall", "N")])),
        Err(failure) => {
            let again = early && failure.problem == Problem::Request;
            let recall = if again { "Y" } else { "N" };
            Answer::failed(&failure).with(named([("recall", recall)]))
        }
    }
}

fn refund(
    platform: &Arc<Platform>,
    shop: &Arc<Shop>,
    fields: &Fields,
    sign_type: SignType,
) -> Result<Answer, Failure> {
    let reference = parameters::reference(fields)?;
    let content = parameters::refund(fields, sign_type)?;
    let (answer, started) = {
        let (now, mut book) = (clock::now(), platform.book());
        let (order, refund, new) =
            book.refund(shop, &reference, content, &platform.numbers, now)?;
        let answer = Answer::success(refund_fields(order, &refund));
        (answer, new.then_some(refund.refund_id))
    };
    if let Some(refund_id) = started {
        platform.start_refund(refund_id);
    }
    Ok(answer)
}

/// By a number of the refund, or of the order with all of its refunds.
fn refund_query(platform: &Platform, shop: &Arc<Shop>, fields: &Fields) -> Result<Answer, Failure> {
    let mut book = platform.book();
    let (id, number) = (get(fields, "refund_id"), get(fields, "out_refund_no"));
    let (order, refunds) = if id.is_some() || number.is_some() {
        let found = book.refund_of(shop, |refund| match id {
            Some(id) => refund.refund_id == id,
            None => Some(refund.content.out_refund_no.as_str()) == number,
        });
        let (order, refund) = found.ok_or(Problem::NoRefund)?;
        (order, vec![refund])
    } else {
        let reference = parameters::reference(fields)?;
        let order = book.referred(shop, &reference, clock::now());
        let order = order.ok_or(Problem::NoRefund)?;
        (&*order, order.refunds.clone())
    };
    if refunds.is_empty() {
        return Err(Problem::NoRefund.into());
    }
    let total = order.content.total_fen.to_string();
    let mut said = named([
        ("transaction_id", transaction_id(order).as_str()),
        ("out_trade_no", &order.content.out_trade_no),
        ("total_fee", &total),
        ("settlement_total_fee", &total),
        ("fee_type", "CNY"),
        ("cash_fee", &total),
        ("refund_count", &refunds.len().to_string()),
    ]);
    for (at, refund) in refunds.iter().enumerate() {
        said.extend(listed_refund(at, refund));
    }
    Ok(Answer::success(said))
}

fn with_order<T>(
    platform: &Platform,
    shop: &Shop,
    fields: &Fields,
    act: impl FnOnce(&mut Order) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let reference = parameters::reference(fields)?;
    let mut book = platform.book();
    let order = book.referred(shop, &reference, clock::now());
    act(order.ok_or(Problem::NoOrder)?)
}
