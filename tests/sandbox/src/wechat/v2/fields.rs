//! Orders and refunds as v2 writes them: flat fields.

use super::super::clock;
use super::super::order::{Order, Payment};
use super::super::refund::{Refund, RefundStatus};
use super::super::v3::objects::RECEIVED_BY;

/// Fields in their order.
pub(in super::super) type Pairs = Vec<(String, String)>;

/// Fields from literals.
pub(in super::super) fn named<const N: usize>(pairs: [(&str, &str); N]) -> Pairs {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// v2's name of a field that v3 has under a path.
pub(in super::super) fn v2_name(path: &str) -> &str {
    match path {
        "mchid" => "mch_id",
        "amount.total" => "total_fee",
        "amount.payer_total" => "cash_fee",
        "amount.refund" => "refund_fee",
        "amount.currency" => "fee_type",
        "amount.payer_currency" => "cash_fee_type",
        "payer.openid" => "openid",
        "code" => "err_code",
        other => other,
    }
}

/// What a paid order says of its payment.
pub(in super::super) fn paid_fields(order: &Order, payment: &Payment) -> Pairs {
    let content = &order.content;
    let total = content.total_fen.to_string();
    let mut fields = named([
        (
            "openid",
            content.openid.as_ref().unwrap_or(&order.shop.buyer_openid),
        ),
        ("is_subscribe", "N"),
        ("trade_type", content.trade_type.as_str()),
        ("bank_type", "OTHERS"),
        ("fee_type", "CNY"),
        ("total_fee", &total),
        ("settlement_total_fee", &total),
        ("cash_fee", &total),
        ("cash_fee_type", "CNY"),
        ("transaction_id", &payment.transaction_id),
        ("out_trade_no", &content.out_trade_no),
        // Empty on purpose where there is nothing to say: the signature leaves it out.
        ("attach", content.attach.as_deref().unwrap_or_default()),
        ("time_end", &clock::compact(payment.at)),
    ]);
    if let Some(device) = &content.device_id {
        fields.extend(named([("device_info", device)]));
    }
    fields
}

/// What a refund's answer says of it.
pub(super) fn refund_fields(order: &Order, refund: &Refund) -> Pairs {
    let (fee, total) = amounts(order, refund);
    named([
        ("transaction_id", &transaction_id(order)),
        ("out_trade_no", &order.content.out_trade_no),
        ("out_refund_no", &refund.content.out_refund_no),
        ("refund_id", &refund.refund_id),
        ("refund_fee", &fee),
        ("settlement_refund_fee", &fee),
        ("total_fee", &total),
        ("settlement_total_fee", &total),
        ("fee_type", "CNY"),
        ("cash_fee", &total),
        ("cash_refund_fee", &fee),
    ])
}

/// What a query of refunds says of the one in this place; `refund_recv_accout` is spelt so.
pub(super) fn listed_refund(at: usize, refund: &Refund) -> Pairs {
    let fee = refund.content.fee_fen.to_string();
    let success = refund.status == RefundStatus::Success;
    let settled = refund.settled.filter(|_| success).map(clock::spaced);
    let pairs = [
        ("out_refund_no", refund.content.out_refund_no.clone()),
        ("refund_id", refund.refund_id.clone()),
        ("refund_channel", "ORIGINAL".to_owned()),
        ("refund_fee", fee.clone()),
        ("settlement_refund_fee", fee),
        ("refund_status", refund.status.v2().to_owned()),
        ("refund_account", "REFUND_SOURCE_UNSETTLED_FUNDS".to_owned()),
        ("refund_recv_accout", RECEIVED_BY.to_owned()),
        ("refund_success_time", settled.unwrap_or_default()),
    ];
    pairs
        .into_iter()
        .map(|(name, value)| (format!("{name}_{at}"), value))
        .collect()
}

/// What the notification of a refund's end says inside its seal.
pub(in super::super) fn refund_notice(order: &Order, refund: &Refund) -> Pairs {
    let (fee, total) = amounts(order, refund);
    let success = refund.status == RefundStatus::Success;
    let settled = refund.settled.filter(|_| success).map(clock::spaced);
    named([
        ("out_refund_no", &refund.content.out_refund_no),
        ("out_trade_no", &order.content.out_trade_no),
        ("refund_account", "REFUND_SOURCE_UNSETTLED_FUNDS"),
        ("refund_fee", &fee),
        ("refund_id", &refund.refund_id),
        ("refund_recv_accout", RECEIVED_BY),
        ("refund_request_source", "API"),
        ("refund_status", refund.status.v2()),
        ("settlement_refund_fee", &fee),
        ("settlement_total_fee", &total),
        ("success_time", &settled.unwrap_or_default()),
        ("total_fee", &total),
        ("transaction_id", &transaction_id(order)),
    ])
}

fn amounts(order: &Order, refund: &Refund) -> (String, String) {
    (
        refund.content.fee_fen.to_string(),
        order.content.total_fen.to_string(),
    )
}

/// The platform's number; empty for what is not paid.
pub(super) fn transaction_id(order: &Order) -> String {
    let payment = order.payment.as_ref();
    payment
        .map(|payment| payment.transaction_id.clone())
        .unwrap_or_default()
}
