//! How orders, captures, refunds and events are written as JSON.

use serde_json::{Map, Value, json};

use super::amount::Amount;
use super::clock;
use super::content::OrderContent;
use super::order::{Capture, Order, Refund, Settlement};
use super::status::{CaptureStatus, OrderStatus, RefundStatus};

/// How much of a resource the caller asked for with `Prefer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    Minimal,
    Representation,
}

/// Who writes resources: where its links lead, and who pays; there is one payer.
pub(super) struct Writer<'a> {
    pub(super) base_url: &'a str,
    pub(super) payer_id: &'a str,
}

impl Writer<'_> {
    /// What the answer to `orders.create` says.
    pub(super) fn created(&self, order: &Order, prefer: Prefer) -> Value {
        match prefer {
            Prefer::Representation => self.order(order),
            Prefer::Minimal => {
                let mut body = self.order(order);
                keep(&mut body, &["id", "status", "payment_source", "links"]);
                body
            }
        }
    }

    /// What the answer to `orders.capture` says.
    pub(super) fn captured(&self, order: &Order, prefer: Prefer) -> Value {
        let mut body = self.order(order);
        if prefer == Prefer::Minimal {
            let kept = [
                "id",
                "status",
                "payment_source",
                "payer",
                "purchase_units",
                "links",
            ];
            keep(&mut body, &kept);
            if let Some(unit) = body.pointer_mut("/purchase_units/0") {
                keep(unit, &["reference_id", "payments"]);
            }
        }
        body
    }

    /// The whole order.
    pub(super) fn order(&self, order: &Order) -> Value {
        let mut body = json!({
            "id": order.id,
            "intent": "CAPTURE",
            "status": order.status,
            "purchase_units": [self.unit(order)],
            "create_time": clock::text(order.created),
            "links": self.order_links(order),
        });
        let paid = order.capture.as_ref();
        let updated = paid.map(|capture| capture.updated).or(order.approved);
        put(&mut body, "update_time", updated.map(clock::text));
        if order.approved.is_some() {
            put(&mut body, "payer", Some(self.payer()));
            put(&mut body, "payment_source", Some(self.source()));
        } else if order.content.has_source {
            put(&mut body, "payment_source", Some(json!({"paypal": {}})));
        }
        body
    }

    fn unit(&self, order: &Order) -> Value {
        let content = &order.content;
        let payee = json!({
            "email_address": order.app.email, "merchant_id": order.app.merchant_id
        });
        let mut unit = json!({
            "reference_id": content.reference_id,
            "amount": content.amount.json(),
            "payee": payee,
        });
        put(&mut unit, "description", content.description.clone());
        put(
            &mut unit,
            "soft_descriptor",
            content.soft_descriptor.clone(),
        );
        put_numbers(&mut unit, content);
        if let Some(capture) = &order.capture {
            let mut payments = json!({"captures": [self.capture_in_order(order, capture)]});
            if !order.refunds.is_empty() {
                let refunds: Vec<Value> = order
                    .refunds
                    .iter()
                    .map(|refund| self.refund(order, refund, Prefer::Representation))
                    .collect();
                put(&mut payments, "refunds", Some(refunds));
            }
            put(&mut unit, "payments", Some(payments));
        }
        unit
    }

    fn order_links(&self, order: &Order) -> Value {
        let own = format!("{}/v2/checkout/orders/{}", self.base_url, order.id);
        let approve = self.approve_url(&order.id);
        match order.status {
            OrderStatus::Created => json!([
                link("self", "GET", &own),
                link("approve", "GET", &approve),
                link("update", "PATCH", &own),
                link("capture", "POST", &format!("{own}/capture")),
            ]),
            OrderStatus::PayerActionRequired => json!([
                link("self", "GET", &own),
                link("payer-action", "GET", &approve),
            ]),
            OrderStatus::Approved => json!([
                link("self", "GET", &own),
                link("update", "PATCH", &own),
                link("capture", "POST", &format!("{own}/capture")),
            ]),
            OrderStatus::Completed => json!([link("self", "GET", &own)]),
        }
    }

    /// Where the payer approves an order.
    pub(super) fn approve_url(&self, order_id: &str) -> String {
        format!("{}/checkoutnow?token={order_id}", self.base_url)
    }

    /// A capture by itself, with its order and its payee.
    pub(super) fn capture(&self, order: &Order, capture: &Capture) -> Value {
        let mut body = self.capture_in_order(order, capture);
        let payee = json!({
            "email_address": order.app.email, "merchant_id": order.app.merchant_id
        });
        put(&mut body, "payee", Some(payee));
        let related = json!({"related_ids": {"order_id": order.id}});
        put(&mut body, "supplementary_data", Some(related));
        body
    }

    fn capture_in_order(&self, order: &Order, capture: &Capture) -> Value {
        let own = format!("{}/v2/payments/captures/{}", self.base_url, capture.id);
        let up = format!("{}/v2/checkout/orders/{}", self.base_url, order.id);
        let amount = order.content.amount;
        let mut body = json!({
            "id": capture.id,
            "status": order.capture_status().unwrap_or(CaptureStatus::Completed),
            "amount": amount.json(),
            "final_capture": true,
            "seller_protection": {
                "status": "ELIGIBLE",
                "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
            },
            "disbursement_mode": "INSTANT",
            "create_time": clock::text(capture.created),
            "update_time": clock::text(capture.updated),
            "links": [
                link("self", "GET", &own),
                link("refund", "POST", &format!("{own}/refund")),
                link("up", "GET", &up),
            ],
        });
        put_numbers(&mut body, &order.content);
        match capture.settlement {
            Settlement::Pending(reason) => {
                put(&mut body, "status_details", Some(json!({"reason": reason})));
            }
            Settlement::Completed => {
                let fee = amount.of(fee(amount));
                let breakdown = json!({
                    "gross_amount": amount.json(),
                    "paypal_fee": fee.json(),
                    "net_amount": amount.of(amount.minor() - fee.minor()).json(),
                });
                put(&mut body, "seller_receivable_breakdown", Some(breakdown));
            }
            Settlement::Declined => {}
        }
        body
    }

    /// A refund.
    pub(super) fn refund(&self, order: &Order, refund: &Refund, prefer: Prefer) -> Value {
        let own = format!("{}/v2/payments/refunds/{}", self.base_url, refund.id);
        let capture = order.capture.as_ref();
        let capture = capture
            .map(|capture| capture.id.as_str())
            .unwrap_or_default();
        let up = format!("{}/v2/payments/captures/{capture}", self.base_url);
        let mut body = json!({
            "id": refund.id,
            "status": refund.status,
            "links": [link("self", "GET", &own), link("up", "GET", &up)],
        });
        if prefer == Prefer::Minimal {
            return body;
        }
        let breakdown = json!({
            "gross_amount": refund.amount.json(),
            "paypal_fee": refund.amount.of(0).json(),
            "net_amount": refund.amount.json(),
            "total_refunded_amount": refund.total.json(),
        });
        put(&mut body, "amount", Some(refund.amount.json()));
        put(&mut body, "seller_payable_breakdown", Some(breakdown));
        let payer = json!({
            "email_address": order.app.email, "merchant_id": order.app.merchant_id
        });
        put(&mut body, "payer", Some(payer));
        put(&mut body, "custom_id", refund.content.custom_id.clone());
        put(&mut body, "invoice_id", refund.content.invoice_id.clone());
        put(
            &mut body,
            "note_to_payer",
            refund.content.note_to_payer.clone(),
        );
        put(&mut body, "create_time", Some(clock::text(refund.created)));
        put(&mut body, "update_time", Some(clock::text(refund.updated)));
        if refund.status == RefundStatus::Pending {
            put(
                &mut body,
                "status_details",
                Some(json!({"reason": "ECHECK"})),
            );
        }
        body
    }

    fn payer(&self) -> Value {
        json!({
            "name": {"given_name": "John", "surname": "Doe"},
            "email_address": PAYER_EMAIL,
            "payer_id": self.payer_id,
            "address": {"country_code": "US"},
        })
    }

    fn source(&self) -> Value {
        json!({"paypal": {
            "email_address": PAYER_EMAIL,
            "account_id": self.payer_id,
            "account_status": "VERIFIED",
            "name": {"given_name": "John", "surname": "Doe"},
            "address": {"country_code": "US"},
        }})
    }
}

/// The payer's sign-in name.
const PAYER_EMAIL: &str = "sb-buyer@personal.example.com";

/// What PayPal keeps of a payment: 3.49 % and 49 minor units, at most all of it.
fn fee(amount: Amount) -> u64 {
    (amount.minor() / 10_000 * 349 + amount.minor() % 10_000 * 349 / 10_000 + 49)
        .min(amount.minor())
}

fn link(rel: &str, method: &str, href: &str) -> Value {
    json!({"href": href, "rel": rel, "method": method})
}

/// The merchant's numbers, as they stand in an order and in its capture.
fn put_numbers(body: &mut Value, content: &OrderContent) {
    put(body, "custom_id", content.custom_id.clone());
    put(body, "invoice_id", content.invoice_id.clone());
}

fn put<T: Into<Value>>(body: &mut Value, name: &str, value: Option<T>) {
    if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
        body.insert(name.to_owned(), value.into());
    }
}

fn keep(body: &mut Value, names: &[&str]) {
    if let Some(body) = body.as_object_mut() {
        let kept: Map<String, Value> = std::mem::take(body)
            .into_iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .collect();
        *body = kept;
    }
}
