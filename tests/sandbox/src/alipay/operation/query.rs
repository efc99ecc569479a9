//! `alipay.trade.query`.

use std::sync::Arc;

use super::super::account::App;
use super::super::answer::Answer;
use super::super::clock;
use super::super::content::Reference;
use super::super::failure::Failure;
use super::super::fen::Fen;
use super::super::order::not_exist;
use super::super::parameters::Call;
use super::super::platform::Platform;
use super::{referred, with_paid, with_trade};

/// Tells a trade's state.
pub(super) fn query(
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
        let refused = blank.failed(&not_exist()).with("out_trade_no", number);
        return Ok(with_paid(refused, Fen::default()));
    };
    let total = order.content.total;
    let answer = with_trade(blank.success(), platform, order, trade)
        .with("total_amount", total.to_string())
        .with("trade_status", trade.status.as_str());
    let paid = trade.paid.map_or(Fen::default(), |_| total);
    let mut answer = with_paid(answer, paid);
    if let Some(paid) = trade.paid {
        answer = answer.with("send_pay_date", clock::text(paid));
    }
    Ok(answer)
}
