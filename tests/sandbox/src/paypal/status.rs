//! What the states of orders, captures and refunds are called, and what a payer pays with.

use serde::{Deserialize, Serialize};

/// An order's `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Made without a payment source; waits for the payer.
    Created,
    /// Made with `payment_source.paypal`; waits for the payer.
    PayerActionRequired,
    /// The payer agreed. Nothing is paid.
    Approved,
    /// A capture was made; whether it succeeded is the capture's to say.
    Completed,
}

/// A capture's `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureStatus {
    /// The merchant has the money.
    Completed,
    /// The merchant does not have it yet.
    Pending,
    /// The merchant will not have it.
    Declined,
    /// The merchant had it and gave a part back.
    PartiallyRefunded,
    /// The merchant had it and gave all of it back.
    Refunded,
}

/// A refund's `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// The payer has the money back.
    Completed,
    /// The payer does not have it yet; what it takes is reserved.
    Pending,
    /// It came to nothing; what it took is free again.
    Failed,
    /// It was called off; what it took is free again.
    Cancelled,
}

/// What the payer pays with: it decides how the capture ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funding {
    /// Money that is there: the capture is `COMPLETED`.
    #[default]
    Balance,
    /// A cheque that has to clear: the capture is `PENDING`, reason `ECHECK`.
    Echeck,
    /// A payment that PayPal looks at first: the capture is `PENDING`, reason `PENDING_REVIEW`.
    Review,
    /// A card that the bank refuses: no capture, but 422 `INSTRUMENT_DECLINED`, until the payer
    /// approves with something better. That the order stays `APPROVED` meanwhile is an assumption.
    DeclinedInstrument,
    /// A payment that is refused after all: the order is `COMPLETED`, its capture `DECLINED`.
    Refused,
}

/// Why the payer cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuyerError {
    /// The text is no order of this platform, nor a link to one.
    #[error("this is not an order of this platform")]
    UnknownOrder,
    /// The order is past its time.
    #[error("the order has expired")]
    Expired,
    /// The order was captured before.
    #[error("the order is already completed")]
    Completed,
}
