//! Orders and refunds as v3 writes them.

use serde_json::{Value, json};

use super::super::clock;
use super::super::notice::put;
use super::super::order::{Order, Payment, TradeState};
use super::super::refund::{Refund, RefundStatus};

/// The bank that every simulated buyer pays from.
const BANK_TYPE: &str = "OTHERS";

/// Where every simulated refund goes.
pub(in super::super) const RECEIVED_BY: &str = "支付用户零钱";

/// An order as a query answers it. What is not paid has no transaction, no time and no payer.
pub(super) fn transaction(order: &Order) -> Value {
    match &order.payment {
        Some(payment) => transaction_of(order, payment, order.state),
        None => {
            let mut value = head(order, order.state);
            put(&mut value, "amount.currency", &json!("CNY"));
            put(&mut value, "amount.total", &json!(order.content.total_fen));
            value
        }
    }
}

/// An order as a notification tells of its payment.
pub(in super::super) fn paid(order: &Order, payment: &Payment) -> Value {
    transaction_of(order, payment, TradeState::Success)
}

fn head(order: &Order, state: TradeState) -> Value {
    let content = &order.content;
    let mut value = json!({
        "appid": order.shop.appid,
        "mchid": order.shop.mchid,
        "out_trade_no": content.out_trade_no,
        "trade_state": state.as_str(),
        "trade_state_desc": state.words(),
        "promotion_detail": [],
    });
    if let Some(attach) = &content.attach {
        put(&mut value, "attach", &json!(attach));
    }
    if let Some(device_id) = &content.device_id {
        put(&mut value, "scene_info.device_id", &json!(device_id));
    }
    value
}

fn transaction_of(order: &Order, payment: &Payment, state: TradeState) -> Value {
    let (content, mut value) = (&order.content, head(order, state));
    let total = content.total_fen;
    let payer = content.openid.as_ref().unwrap_or(&order.shop.buyer_openid);
    for (name, part) in [
        ("transaction_id", json!(payment.transaction_id)),
        ("trade_type", json!(content.trade_type.as_str())),
        ("bank_type", json!(BANK_TYPE)),
        ("success_time", json!(clock::rfc3339(payment.at))),
        ("payer", json!({"openid": payer})),
        (
            "amount",
            json!({
                "total": total,
                "payer_total": total,
                "currency": "CNY",
                "payer_currency": "CNY",
            }),
        ),
    ] {
        put(&mut value, name, &part);
    }
    value
}

/// A refund as its request and its query answer it.
pub(super) fn refund(order: &Order, refund: &Refund) -> Value {
    let (fee, total) = (refund.content.fee_fen, order.content.total_fen);
    let mut value = refund_head(order, refund);
    for (name, part) in [
        ("status", json!(refund.status.as_str())),
        ("create_time", json!(clock::rfc3339(refund.created))),
        ("channel", json!("ORIGINAL")),
        ("funds_account", json!("AVAILABLE")),
        ("promotion_detail", json!([])),
        (
            "amount",
            json!({
                "total": total,
                "refund": fee,
                "payer_total": total,
                "payer_refund": fee,
                "settlement_total": total,
                "settlement_refund": fee,
                "discount_refund": 0,
                "refund_fee": 0,
                "currency": "CNY",
                "from": [],
            }),
        ),
    ] {
        put(&mut value, name, &part);
    }
    value
}

/// A refund as a notification tells of its end: `refund_status`, and no currency.
pub(in super::super) fn refund_notice(order: &Order, refund: &Refund) -> Value {
    let (fee, total) = (refund.content.fee_fen, order.content.total_fen);
    let mut value = refund_head(order, refund);
    for (name, part) in [
        ("mchid", json!(order.shop.mchid)),
        ("refund_status", json!(refund.status.as_str())),
        (
            "amount",
            json!({"total": total, "refund": fee, "payer_total": total, "payer_refund": fee}),
        ),
    ] {
        put(&mut value, name, &part);
    }
    value
}

fn refund_head(order: &Order, refund: &Refund) -> Value {
    let payment = order.payment.as_ref();
    let transaction_id = payment.map(|payment| payment.transaction_id.as_str());
    let mut value = json!({
        "refund_id": refund.refund_id,
        "out_refund_no": refund.content.out_refund_no,
        "transaction_id": transaction_id,
        "out_trade_no": order.content.out_trade_no,
        "user_received_account": RECEIVED_BY,
    });
    let success = refund.status == RefundStatus::Success;
    if let Some(settled) = refund.settled.filter(|_| success) {
        put(&mut value, "success_time", &json!(clock::rfc3339(settled)));
    }
    value
}
