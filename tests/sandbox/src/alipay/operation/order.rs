//! The operations that make an order: `precreate`, `pay`, `page.pay` and `wap.pay`.

use std::sync::Arc;

use super::super::account::App;
use super::super::answer::Answer;
use super::super::clock;
use super::super::content::{OrderContent, OrderKind};
use super::super::failure::Failure;
use super::super::fen::Fen;
use super::super::order::Order;
use super::super::parameters::{Call, Operation};
use super::super::platform::Platform;
use super::{fund_bills, with_paid, with_trade};

/// `alipay.trade.precreate`: registers an order and gives its QR code.
pub(super) fn precreate(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let now = clock::now();
    let content = OrderContent::read(OrderKind::QrCode, &call.biz_content, &app.seller_id, now)?;
    let number = content.out_trade_no.clone();
    let order = Order::new(Arc::clone(app), content, call.notify_url.clone(), now);
    platform.lapse(&order.key());
    let make = || platform.numbers.code();
    let code = platform.book().register(order, make, now)?;
    let qr_code = format!("{}/qr/{code}", platform.base_url);
    Ok(answer
        .success()
        .with("out_trade_no", number)
        .with("qr_code", qr_code))
}

/// `alipay.trade.pay`: takes the buyer's money by the code on the phone, or asks for the password.
/// A buyer or a code that does not do leaves no trade: an assumption, since Alipay does not say.
pub(super) fn pay(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let now = clock::now();
    let (content, scene) = OrderContent::read_till(&call.biz_content, &app.seller_id, now)?;
    let order = Order::new(Arc::clone(app), content, call.notify_url.clone(), now);
    let key = order.key();
    platform.lapse(&key);
    let (answer, paid) = {
        let mut book = platform.book();
        let order = book.ring_up(order, &scene, &platform.numbers, now)?;
        let (trade, total) = (order.trade()?, order.content.total);
        let answer = match trade.paid {
            Some(paid) => with_paid(answer.success(), total)
                .with("gmt_payment", clock::text(paid))
                .with("fund_bill_list", fund_bills(total)),
            None => with_paid(answer.in_process(), Fen::default()),
        };
        let mut answer =
            with_trade(answer, platform, order, trade).with("total_amount", total.to_string());
        if let Some(store) = &order.content.store_id {
            answer = answer.with("store_name", store.as_str());
        }
        (answer, trade.paid.is_some())
    };
    if paid {
        platform.announce(&key);
    } else {
        platform.changed();
        platform.watch_deadline(key);
    }
    Ok(answer)
}

/// `alipay.trade.page.pay` and `wap.pay`: the buyer's browser came by the merchant's link. The
/// answer is for the record; the browser is led to the page in `cashier`.
pub(super) fn page(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let now = clock::now();
    let kind = if call.operation == Operation::WapPay {
        OrderKind::Wap
    } else {
        OrderKind::Page
    };
    let content = OrderContent::read(kind, &call.biz_content, &app.seller_id, now)?;
    let number = content.out_trade_no.clone();
    let mut order = Order::new(Arc::clone(app), content, call.notify_url.clone(), now);
    order.return_url.clone_from(&call.return_url);
    platform.lapse(&order.key());
    let make = || platform.numbers.token();
    let token = platform.book().register(order, make, now)?;
    platform.changed();
    Ok(answer
        .success()
        .with("out_trade_no", number)
        .with("cashier", format!("{}/cashier/{token}", platform.base_url)))
}
