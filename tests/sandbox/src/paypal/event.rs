//! The events that webhooks tell of, and how each is written.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock;
use super::content::RefundContent;
use super::numbers::Numbers;
use super::order::{Capture, Order, Refund, Settlement};
use super::resource::{Prefer, Writer};
use super::status::RefundStatus;

/// An event's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// The payer approved an order. Nothing is paid.
    #[serde(rename = "CHECKOUT.ORDER.APPROVED")]
    OrderApproved,
    /// The merchant has the money.
    #[serde(rename = "PAYMENT.CAPTURE.COMPLETED")]
    CaptureCompleted,
    /// The merchant does not have the money yet.
    #[serde(rename = "PAYMENT.CAPTURE.PENDING")]
    CapturePending,
    /// The merchant will not have the money.
    #[serde(rename = "PAYMENT.CAPTURE.DENIED")]
    CaptureDenied,
    /// The payer has money back.
    #[serde(rename = "PAYMENT.CAPTURE.REFUNDED")]
    CaptureRefunded,
    /// The payer does not have the money back yet.
    #[serde(rename = "PAYMENT.REFUND.PENDING")]
    RefundPending,
    /// The payer will not have the money back.
    #[serde(rename = "PAYMENT.REFUND.FAILED")]
    RefundFailed,
}

impl EventType {
    /// As the body writes it, such as `PAYMENT.CAPTURE.COMPLETED`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::OrderApproved => "CHECKOUT.ORDER.APPROVED",
            EventType::CaptureCompleted => "PAYMENT.CAPTURE.COMPLETED",
            EventType::CapturePending => "PAYMENT.CAPTURE.PENDING",
            EventType::CaptureDenied => "PAYMENT.CAPTURE.DENIED",
            EventType::CaptureRefunded => "PAYMENT.CAPTURE.REFUNDED",
            EventType::RefundPending => "PAYMENT.REFUND.PENDING",
            EventType::RefundFailed => "PAYMENT.REFUND.FAILED",
        }
    }

    /// The event that tells of a capture in this state.
    pub(super) fn of_capture(settlement: Settlement) -> EventType {
        match settlement {
            Settlement::Completed => EventType::CaptureCompleted,
            Settlement::Pending(_) => EventType::CapturePending,
            Settlement::Declined => EventType::CaptureDenied,
        }
    }

    /// The event that tells of a refund in this state; none when it was called off.
    pub(super) fn of_refund(status: RefundStatus) -> Option<EventType> {
        match status {
            RefundStatus::Completed => Some(EventType::CaptureRefunded),
            RefundStatus::Pending => Some(EventType::RefundPending),
            RefundStatus::Failed => Some(EventType::RefundFailed),
            RefundStatus::Cancelled => None,
        }
    }

    /// The event of an order's present state, its latest; of an order that nobody approved, the
    /// one that somebody would forge.
    pub(super) fn latest(order: &Order) -> EventType {
        let refund = order.refunds.last();
        if let Some(event) = refund.and_then(|refund| EventType::of_refund(refund.status)) {
            return event;
        }
        match &order.capture {
            Some(capture) => EventType::of_capture(capture.settlement),
            None if order.approved.is_some() => EventType::OrderApproved,
            None => EventType::CaptureCompleted,
        }
    }
}

/// An event about an order: its number and its body. What the order lacks for it, such as the
/// capture that a forger tells of, is made up.
pub(super) fn event(
    writer: &Writer<'_>,
    numbers: &Numbers,
    order: &Order,
    kind: EventType,
    refund: Option<&Refund>,
) -> (String, Value) {
    let id = numbers.event_id();
    let (resource_type, summary, resource) = match kind {
        EventType::OrderApproved => {
            let mut resource = writer.order(order);
            if let Some(status) = resource.pointer_mut("/status") {
                *status = Value::from("APPROVED");
            }
            // An event tells what happened then, not what was captured since.
            if let Some(Value::Object(unit)) = resource.pointer_mut("/purchase_units/0") {
                unit.remove("payments");
            }
            let summary = "An order has been approved by buyer".to_owned();
            ("checkout-order", summary, resource)
        }
        EventType::CaptureCompleted | EventType::CapturePending | EventType::CaptureDenied => {
            let (word, settlement) = match kind {
                EventType::CapturePending => ("pending", Settlement::Pending("OTHER")),
                EventType::CaptureDenied => ("denied", Settlement::Declined),
                _ => ("completed", Settlement::Completed),
            };
            let resource = capture(writer, numbers, order, settlement);
            let summary = format!("Payment {word} for {}", order.content.amount);
            ("capture", summary, resource)
        }
        EventType::CaptureRefunded | EventType::RefundPending | EventType::RefundFailed => {
            let made_up = made_up_refund(numbers, order, kind);
            let refund = refund.or(order.refunds.last()).unwrap_or(&made_up);
            let summary = format!("A {} capture payment was refunded", refund.amount);
            let resource = writer.refund(order, refund, Prefer::Representation);
            ("refund", summary, resource)
        }
    };
    let own = format!("{}/v1/notifications/webhooks-events/{id}", writer.base_url);
    let body = json!({
        "id": id,
        "event_version": "1.0",
        "create_time": clock::text_ms(clock::now()),
        "resource_type": resource_type,
        "resource_version": "2.0",
        "event_type": kind.as_str(),
        "summary": summary,
        "resource": resource,
        "links": [
            {"href": own, "rel": "self", "method": "GET"},
            {"href": format!("{own}/resend"), "rel": "resend", "method": "POST"},
        ],
    });
    (id, body)
}

/// The order's capture, said to be in this state whatever it is in.
fn capture(writer: &Writer<'_>, numbers: &Numbers, order: &Order, settlement: Settlement) -> Value {
    let now = clock::now();
    let made_up = Capture {
        id: numbers.resource_id(),
        settlement,
        created: now,
        updated: now,
    };
    let mut said = order.capture.clone().unwrap_or(made_up);
    let waits = |settlement| matches!(settlement, Settlement::Pending(_));
    if !(waits(said.settlement) && waits(settlement)) {
        said.settlement = settlement;
    }
    let mut body = writer.capture(order, &said);
    let status = match settlement {
        Settlement::Completed => "COMPLETED",
        Settlement::Pending(_) => "PENDING",
        Settlement::Declined => "DECLINED",
    };
    // An event tells what happened then, not what was given back since.
    if let Some(place) = body.pointer_mut("/status") {
        *place = Value::from(status);
    }
    body
}

fn made_up_refund(numbers: &Numbers, order: &Order, kind: EventType) -> Refund {
    let now = clock::now();
    Refund {
        id: numbers.resource_id(),
        status: match kind {
            EventType::RefundPending => RefundStatus::Pending,
            EventType::RefundFailed => RefundStatus::Failed,
            _ => RefundStatus::Completed,
        },
        amount: order.content.amount,
        total: order.content.amount,
        content: RefundContent::default(),
        created: now,
        updated: now,
    }
}
