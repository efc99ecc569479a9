//! What a reconciliation found, as callers read it.

use serde::Serialize;

use crate::payment::money::Money;

/// What a reconciliation of one domain and day found.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// `YYYY-MM-DD`, in the time zone of each platform.
    pub day: String,
    /// Whose payments were compared.
    pub domain: String,
    /// One entry for each account.
    pub targets: Vec<TargetReport>,
}

/// What came of one account.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct TargetReport {
    /// Such as `wx`.
    pub platform: String,
    /// The target's name in the domain.
    pub target: String,
    /// Pays test payments only.
    pub test: bool,
    /// Whether there was a bill to compare with.
    pub status: Status,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Rows of the bill.
    pub rows: usize,
    /// Trades of the bill on which both sides agree.
    pub agreed: usize,
    /// Payments and refunds that may stand in the bill of the day before or after, since they were made or heard of
    /// about midnight; they are not missed.
    pub about_midnight: usize,
    /// Where the sides differ.
    pub differences: Vec<Difference>,
    /// Differences beyond those that are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_off: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Whether an account could be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was; with nothing, where the platform states that nothing happened on that day.
    Compared,
    /// The platform, or its provider, gives no bills.
    NoBills,
    /// The bill could not be had or read.
    Failed,
}

/// In what the sides differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The bill has a payment that the domain does not have.
    MissingHere,
    /// The domain has a payment that the bill does not have.
    MissingThere,
    /// Paid on both sides, and not the same.
    Amount,
    /// Paid on one side only.
    State,
    /// Money went back on one side only, or not the same.
    Refund,
}

/// What one side says of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct Side {
    /// The side's own word: `st` of the attempt or refund here, the platform's there.
    pub state: String,
    /// Minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<i64>,
    /// `RMB`, `USD`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cur: Option<String>,
}

impl Side {
    pub(super) fn of(state: &str, money: Option<Money>) -> Side {
        Side {
            state: state.to_owned(),
            fee: money.map(|money| money.minor()),
            cur: money.map(|money| money.currency().caller_code().to_owned()),
        }
    }
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct Difference {
    /// In what.
    pub kind: Kind,
    /// The number by which the platform knows the trade.
    pub trade_no: String,
    /// The number by which it knows the refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_no: Option<String>,
    /// The payment, where the domain has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the store says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here: Option<Side>,
    /// What the bill says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there: Option<Side>,
    /// The difference in words.
    pub note: String,
    /// What came of asking the platform about it: the attempt's state, or what is recorded of the refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}
