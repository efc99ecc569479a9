//! What each operation does and answers.

mod bill;
mod cancel;
mod certificate;
mod order;
mod query;
mod refund;

use std::sync::Arc;

use super::account::App;
use super::answer::Answer;
use super::book::OrderKey;
use super::content::Reference;
use super::failure::Failure;
use super::fen::Fen;
use super::letter::BUYER_LOGON_ID;
use super::misbehaviour::AnswerFault;
use super::order::{Order, not_exist};
use super::parameters::{Call, Operation};
use super::platform::Platform;
use super::trade::Trade;

/// What an operation does with a call: fills the blank answer, or says no.
type Act = fn(&Arc<Platform>, &Arc<App>, &Call, Answer) -> Result<Answer, Failure>;

/// Performs an operation and fills its answer.
pub(super) fn perform(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    blank: Answer,
) -> Answer {
    let act: Act = match call.operation {
        Operation::Precreate => order::precreate,
        Operation::Pay => order::pay,
        Operation::PagePay | Operation::WapPay => order::page,
        Operation::Query => query::query,
        Operation::Close => cancel::close,
        Operation::Cancel => cancel::cancel,
        Operation::Refund => refund::refund,
        Operation::RefundQuery => refund::query,
        Operation::Bill => bill::address,
        Operation::Certificate => certificate::download,
    };
    act(platform, app, call, blank.clone()).unwrap_or_else(|failure| blank.failed(&failure))
}

/// What a fault makes of an answer before it is written.
pub(super) fn spoil(answer: &mut Answer, out_trade_no: Option<&str>, fault: &AnswerFault) {
    match fault {
        AnswerFault::Busy { .. } => *answer = answer.instead(&Failure::busy()),
        AnswerFault::SystemError { .. } => *answer = answer.instead(&Failure::system_error()),
        AnswerFault::Refused { code, sub_code } => {
            *answer = answer.instead(&Failure::any(code, sub_code));
        }
        AnswerFault::CancelAgain { .. } => {
            let again = answer.emptied().success().with("retry_flag", "Y");
            *answer = again.with("out_trade_no", out_trade_no.unwrap_or_default());
        }
        AnswerFault::Other(values) => {
            for (name, value) in values {
                answer.put(name, value);
            }
        }
        _ => {}
    }
}

/// Who bought, and which trade.
fn with_trade(answer: Answer, platform: &Platform, order: &Order, trade: &Trade) -> Answer {
    answer
        .with("buyer_logon_id", BUYER_LOGON_ID)
        .with("buyer_user_id", platform.buyer_id.as_str())
        .with("out_trade_no", order.content.out_trade_no.as_str())
        .with("trade_no", trade.trade_no.as_str())
}

/// What the buyer paid, in each of its names.
fn with_paid(answer: Answer, paid: Fen) -> Answer {
    let mut answer = answer.with("point_amount", "0.00");
    for name in ["buyer_pay_amount", "receipt_amount", "invoice_amount"] {
        answer = answer.with(name, paid.to_string());
    }
    answer
}

/// Where money came from or went to.
fn fund_bills(amount: Fen) -> serde_json::Value {
    serde_json::json!([{"amount": amount.to_string(), "fund_channel": "ALIPAYACCOUNT"}])
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
