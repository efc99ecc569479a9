//! What the platform does wrong on command.
//!
//! A [`Misbehaviour`] says what, for which order and operation, and how often. The oldest one
//! that fits is taken; one of each kind at a time. Unasked, the platform behaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::amount::Amount;
use super::notice::Notice;
use super::status::CaptureStatus;

/// Something done wrong, so many times, for an order or for whatever comes next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    /// What is done wrong.
    pub what: Fault,
    /// Only for this order, by PayPal's number of it, its capture or a refund, or by one of the
    /// merchant's numbers: `custom_id`, `invoice_id` or `reference_id`.
    #[serde(default)]
    pub order: Option<String>,
    /// Only for requests of this operation, such as `orders.capture`, or for events of this
    /// type, such as `PAYMENT.CAPTURE.COMPLETED`.
    #[serde(default)]
    pub operation: Option<String>,
    /// How many answers or sends it spoils; none means all of them.
    #[serde(default = "one_time")]
    pub times: Option<u32>,
}

fn one_time() -> Option<u32> {
    Some(1)
}

impl Misbehaviour {
    /// Spoils the next answer or send that fits.
    pub fn once(what: impl Into<Fault>) -> Misbehaviour {
        Misbehaviour::times(1, what)
    }

    /// Spoils the next answers or sends that fit.
    pub fn times(times: u32, what: impl Into<Fault>) -> Misbehaviour {
        Misbehaviour {
            what: what.into(),
            order: None,
            operation: None,
            times: Some(times),
        }
    }

    /// Spoils every answer or send that fits, until [`behave`](super::PayPal::behave).
    pub fn always(what: impl Into<Fault>) -> Misbehaviour {
        Misbehaviour {
            what: what.into(),
            order: None,
            operation: None,
            times: None,
        }
    }

    /// Only for this order.
    #[must_use]
    pub fn for_order(self, order: impl Into<String>) -> Misbehaviour {
        Misbehaviour {
            order: Some(order.into()),
            ..self
        }
    }

    /// Only for requests of this operation, or for events of this type.
    #[must_use]
    pub fn for_operation(self, operation: impl Into<String>) -> Misbehaviour {
        Misbehaviour {
            operation: Some(operation.into()),
            ..self
        }
    }
}

/// What is done wrong: with an answer of the platform, or with a notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The answer to a request.
    Answer(AnswerFault),
    /// One send of a notification.
    Notification(NotificationFault),
}

impl From<AnswerFault> for Fault {
    fn from(fault: AnswerFault) -> Fault {
        Fault::Answer(fault)
    }
}

impl From<NotificationFault> for Fault {
    fn from(fault: NotificationFault) -> Fault {
        Fault::Notification(fault)
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AnswerFault {
    /// The request takes effect at once and the right answer comes so much later.
    Late {
        /// Milliseconds.
        ms: u64,
    },
    /// No answer: the connection stays open until the caller gives up.
    Silent {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// No answer: the connection is closed without a byte.
    HangUp {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// An HTML page with this HTTP status, as a load balancer in front answers.
    HttpStatus {
        /// Such as 502, or 200 for a page that is no answer.
        status: u16,
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// 500 `INTERNAL_SERVER_ERROR`.
    ServerError {
        /// Whether the request takes effect first.
        #[serde(default)]
        processed: bool,
    },
    /// 503 `SERVICE_UNAVAILABLE`; nothing takes effect.
    Unavailable,
    /// 429 `RATE_LIMIT_REACHED`; nothing takes effect.
    RateLimited,
    /// 409 `PREVIOUS_REQUEST_IN_PROGRESS`; nothing takes effect.
    InProgress,
    /// 401 `invalid_token`, though the token holds; nothing takes effect.
    InvalidToken,
    /// 422 with any of PayPal's issues, such as `PAYER_CANNOT_PAY`; nothing takes effect.
    Refused {
        /// `details[0].issue`.
        issue: String,
    },
    /// 302 to the same path at another name of this host; nothing takes effect before the caller
    /// follows.
    Redirect,
    /// Half of the right answer.
    Truncated,
    /// The right status and headers, and a body that never ends.
    Endless,
    /// Other values in an answer that is otherwise right.
    Other(
        /// By JSON pointer; null drops what is there, and a pointer that leads nowhere changes
        /// nothing.
        BTreeMap<String, Value>,
    ),
}

/// Where the amounts of orders, captures and refunds stand.
pub(super) const AMOUNTS: [&str; 3] = [
    "/amount",
    "/purchase_units/0/amount",
    "/purchase_units/0/payments/captures/0/amount",
];

/// Where the merchant stands.
pub(super) const MERCHANTS: [&str; 2] =
    ["/payee/merchant_id", "/purchase_units/0/payee/merchant_id"];

/// Where the merchant's numbers stand.
pub(super) const NUMBERS: [&str; 7] = [
    "/custom_id",
    "/invoice_id",
    "/purchase_units/0/reference_id",
    "/purchase_units/0/custom_id",
    "/purchase_units/0/invoice_id",
    "/purchase_units/0/payments/captures/0/custom_id",
    "/purchase_units/0/payments/captures/0/invoice_id",
];

/// Where a capture tells of its order.
pub(super) const ORDER: &str = "/supplementary_data/related_ids/order_id";

impl AnswerFault {
    fn others<'a>(pointers: impl IntoIterator<Item = &'a str>, value: &Value) -> AnswerFault {
        let entries = pointers.into_iter();
        AnswerFault::Other(
            entries
                .map(|pointer| (pointer.to_owned(), value.clone()))
                .collect(),
        )
    }

    /// Another amount, or another currency, wherever one stands.
    pub fn other_amount(amount: Amount) -> AnswerFault {
        AnswerFault::others(AMOUNTS, &amount.json())
    }

    /// Another merchant.
    pub fn other_account(merchant_id: impl Into<String>) -> AnswerFault {
        AnswerFault::others(MERCHANTS, &Value::from(merchant_id.into()))
    }

    /// Other numbers of the merchant's: the answer is about another of its sales.
    pub fn other_trade(number: impl Into<String>) -> AnswerFault {
        AnswerFault::others(NUMBERS, &Value::from(number.into()))
    }

    /// Another number of PayPal's for what was asked about, and for a capture's order.
    pub fn other_order(id: impl Into<String>) -> AnswerFault {
        AnswerFault::others(["/id", ORDER], &Value::from(id.into()))
    }

    /// Another status of what was asked about, such as `APPROVED` of an order.
    pub fn other_status(status: impl Into<String>) -> AnswerFault {
        AnswerFault::others(["/status"], &Value::from(status.into()))
    }

    /// Another status of the capture in an order, whose own status stays.
    pub fn other_capture_status(status: CaptureStatus) -> AnswerFault {
        let status = serde_json::to_value(status).unwrap_or_default();
        AnswerFault::others(["/purchase_units/0/payments/captures/0/status"], &status)
    }
}

/// What is done wrong with one send. The schedule of repeats goes on by the reply that it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationFault {
    /// It goes out so much later.
    Late {
        /// Milliseconds, not scaled.
        ms: u64,
    },
    /// It goes out after the next event about the same order.
    Overtaken,
    /// It is lost on the way: nothing arrives.
    Lost,
    /// It arrives twice at the same time.
    Twice,
    /// Something else arrives in its place.
    Instead(Notice),
}

/// Puts other values in: null drops what is there, and a pointer that leads nowhere changes
/// nothing.
pub(super) fn put_all(target: &mut Value, values: &BTreeMap<String, Value>) {
    for (pointer, value) in values {
        let Some((parent, name)) = pointer.rsplit_once('/') else {
            continue;
        };
        match target.pointer_mut(parent) {
            Some(Value::Object(fields)) if value.is_null() => {
                fields.remove(name);
            }
            Some(Value::Object(fields)) => {
                if let Some(place) = fields.get_mut(name) {
                    *place = value.clone();
                }
            }
            Some(Value::Array(entries)) => {
                let at: Option<usize> = name.parse().ok();
                if let Some(place) = at.and_then(|at| entries.get_mut(at)) {
                    *place = value.clone();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::amount::Currency;
    use super::*;

    #[test]
    fn other_values_stand_where_values_stood() {
        let unit = json!({"amount": {"value": "1.00", "currency_code": "USD"}, "custom_id": "a1"});
        let mut order = json!({"id": "1", "status": "APPROVED", "purchase_units": [unit]});
        let AnswerFault::Other(values) = AnswerFault::other_amount(Amount::new(2, Currency::EUR))
        else {
            panic!("other values");
        };
        put_all(&mut order, &values);
        assert_eq!(
            order["purchase_units"][0]["amount"],
            json!({"value": "0.02", "currency_code": "EUR"})
        );
        assert_eq!(order.get("amount"), None);
        let values = BTreeMap::from([
            ("/purchase_units/0/custom_id".to_owned(), Value::Null),
            ("/status".to_owned(), json!("COMPLETED")),
            ("nowhere".to_owned(), json!(1)),
        ]);
        put_all(&mut order, &values);
        assert_eq!(order["purchase_units"][0].get("custom_id"), None);
        assert_eq!(order["status"], "COMPLETED");
    }
}
