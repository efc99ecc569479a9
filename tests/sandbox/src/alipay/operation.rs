//! What each operation does and answers.

use std::sync::Arc;

use super::account::App;
use super::answer::Answer;
use super::book::OrderKey;
use super::clock;
use super::content::{OrderContent, Reference};
use super::failure::Failure;
use super::fen::Fen;
use super::notification::BUYER_LOGON_ID;
use super::order::{Cancelled, Order, not_exist};
use super::parameters::{Call, Operation};
use super::platform::Platform;

/// Performs an operation and fills its answer.
pub(super) fn perform(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    blank: Answer,
) -> Answer {
    let outcome = match call.operation {
        Operation::Precreate => precreate(platform, app, call, blank.clone()),
        Operation::Query => query(platform, app, call, blank.clone()),
        Operation::Close => close(platform, app, call, blank.clone()),
        Operation::Cancel => cancel(platform, app, call, blank.clone()),
    };
    outcome.unwrap_or_else(|failure| blank.failed(&failure))
}

fn precreate(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let now = clock::now();
    let content = OrderContent::read(&call.biz_content, &app.seller_id, now)?;
    let number = content.out_trade_no.clone();
    platform.lapse(&(app.app_id.clone(), number.clone()));
    let code = platform.book().precreate(
        app,
        content,
        call.notify_url.clone(),
        &platform.numbers,
        now,
    )?;
    let qr_code = format!("{}/qr/{code}", platform.base_url);
    Ok(answer
        .success()
        .with("out_trade_no", number)
        .with("qr_code", qr_code))
}

fn query(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    blank: Answer,
) -> Result<Answer, Failure> {
    let reference = Reference::read(&call.biz_content)?;
    let key = referred(platform, app, &reference);
    let book = platform.book();
    let order = key.and_then(|key| book.orders.get(&key));
    let found = order.and_then(|order| order.trade.as_ref().map(|trade| (order, trade)));
    let Some((order, trade)) = found else {
        // A refused query still has the amounts, all of them nothing, as Alipay's has.
        let number = reference.out_trade_no.unwrap_or_default();
        return Ok(paid_amounts(
            blank.failed(&not_exist()).with("out_trade_no", number),
            Fen::default(),
        ));
    };
    let total = order.content.total;
    let mut answer = blank
        .success()
        .with("buyer_logon_id", BUYER_LOGON_ID)
        .with("buyer_user_id", platform.buyer_id.as_str())
        .with("out_trade_no", order.content.out_trade_no.as_str())
        .with("total_amount", total.to_string())
        .with("trade_no", trade.trade_no.as_str())
        .with("trade_status", trade.status.as_str());
    answer = paid_amounts(
        answer,
        if trade.paid.is_some() {
            total
        } else {
            Fen::default()
        },
    );
    if let Some(paid) = trade.paid {
        answer = answer.with("send_pay_date", clock::text(paid));
    }
    Ok(answer)
}

fn paid_amounts(answer: Answer, paid: Fen) -> Answer {
    let mut answer = answer.with("point_amount", "0.00");
    for name in ["buyer_pay_amount", "receipt_amount", "invoice_amount"] {
        answer = answer.with(name, paid.to_string());
    }
    answer
}

fn close(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let reference = Reference::read(&call.biz_content)?;
    let key = referred(platform, app, &reference).ok_or_else(not_exist)?;
    let answer = with_order(platform, &key, |order| {
        let trade = order.close(clock::now())?;
        Ok(answer
            .success()
            .with("trade_no", trade.trade_no.as_str())
            .with("out_trade_no", key.1.as_str()))
    })?;
    platform.announce(&key);
    Ok(answer)
}

fn cancel(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let reference = Reference::read(&call.biz_content)?;
    let answer = answer.success().with("retry_flag", "N");
    let Some(key) = referred(platform, app, &reference) else {
        return Ok(answer.with("out_trade_no", reference.out_trade_no.unwrap_or_default()));
    };
    let (done, trade_no) = with_order(platform, &key, |order| {
        let done = order.cancel(clock::now())?;
        Ok((done, order.trade().map(|trade| trade.trade_no.clone()).ok()))
    })?;
    let mut answer = answer.with("out_trade_no", key.1.as_str());
    if let Some(number) = trade_no {
        answer = answer.with("trade_no", number);
    }
    match done {
        Cancelled::Nothing => return Ok(answer),
        Cancelled::Already => return Ok(answer.with("action", "close")),
        Cancelled::Closed => answer = answer.with("action", "close"),
        Cancelled::Refunded => answer = answer.with("action", "refund"),
    }
    platform.announce(&key);
    Ok(answer)
}

/// The order meant, its time checked first.
fn referred(platform: &Arc<Platform>, app: &App, reference: &Reference) -> Option<OrderKey> {
    let key = platform.book().referred(app, reference)?;
    platform.lapse(&key);
    Some(key)
}

fn with_order<T>(
    platform: &Platform,
    key: &OrderKey,
    act: impl FnOnce(&mut Order) -> Result<T, Failure>,
) -> Result<T, Failure> {
    platform
        .book()
        .orders
        .get_mut(key)
        .ok_or_else(not_exist)
        .and_then(act)
}
