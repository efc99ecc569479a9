//! `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`.

use std::sync::Arc;

use super::super::account::App;
use super::super::answer::Answer;
use super::super::clock;
use super::super::content::{RefundContent, RefundQuestion};
use super::super::failure::Failure;
use super::super::fen::Fen;
use super::super::order::not_exist;
use super::super::parameters::Call;
use super::super::platform::Platform;
use super::super::trade::RefundState;
use super::{fund_bills, referred, with_order, with_trade};

/// Gives money back. `fund_change=Y` says that money moved just now; the same number once more,
/// or money that has not moved yet, says `N`. `refund_fee` is all that went back so far.
pub(super) fn refund(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let demand = RefundContent::read(&call.biz_content)?;
    let key = referred(platform, app, &demand.trade).ok_or_else(not_exist)?;
    let (answer, moved) = with_order(platform, &key, |order| {
        let moved = order.refund(&demand, clock::now())?;
        let trade = order.trade()?;
        let sent_back = if moved { demand.amount } else { Fen::default() };
        let mut answer = with_trade(answer.success(), platform, order, trade)
            .with("fund_change", if moved { "Y" } else { "N" })
            .with("refund_fee", trade.refunded().to_string())
            .with("send_back_fee", sent_back.to_string());
        let number = demand.request_no.as_deref();
        if let Some(at) = trade.refunded_at(number.unwrap_or(&order.content.out_trade_no)) {
            answer = answer.with("gmt_refund_pay", clock::text(at));
        }
        if demand.wants_details && moved {
            answer = answer.with("refund_detail_item_list", fund_bills(demand.amount));
        }
        Ok((answer, moved))
    })?;
    if moved {
        platform.announce(&key);
    } else {
        platform.changed();
    }
    Ok(answer)
}

/// Tells of a refund. `refund_status=REFUND_SUCCESS` says that the money went back; of a number
/// that is not known, or that failed, the answer tells nothing.
pub(super) fn query(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let question = RefundQuestion::read(&call.biz_content)?;
    let key = referred(platform, app, &question.trade).ok_or_else(not_exist)?;
    with_order(platform, &key, |order| {
        let (trade, answer) = (order.trade()?, answer.success());
        let known = trade.refund(&question.request_no);
        let Some(refund) = known.filter(|refund| refund.state != RefundState::Failed) else {
            return Ok(answer);
        };
        let mut answer = answer
            .with("out_request_no", refund.request_no.as_str())
            .with("out_trade_no", order.content.out_trade_no.as_str())
            .with("refund_amount", refund.amount.to_string())
            .with("total_amount", order.content.total.to_string())
            .with("trade_no", trade.trade_no.as_str());
        if refund.state == RefundState::Done {
            answer = answer.with("refund_status", "REFUND_SUCCESS");
            if question.wants_time {
                answer = answer.with("gmt_refund_pay", clock::text(refund.at));
            }
        }
        Ok(answer)
    })
}
