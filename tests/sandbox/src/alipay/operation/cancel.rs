//! `alipay.trade.close` and `alipay.trade.cancel`.

use std::sync::Arc;

use super::super::account::App;
use super::super::answer::Answer;
use super::super::clock;
use super::super::content::Reference;
use super::super::failure::Failure;
use super::super::order::{Cancelled, not_exist};
use super::super::parameters::Call;
use super::super::platform::Platform;
use super::{referred, with_order};

/// Closes what waits for its buyer.
pub(super) fn close(
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

/// Closes what waits and gives back what was paid; `action` says which, and is absent where there
/// was no trade.
pub(super) fn cancel(
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
        let done = order.cancel(&platform.numbers, clock::now())?;
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
