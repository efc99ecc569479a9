//! Payments of a span of time in sums: for charts, and for what a till took today.

use std::ops::Range;

use crate::payment::model::{Ams, State};

use super::table::summary;
use super::{Store, StoreError};

/// What is summed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// Of this domain; of all where none is named.
    pub domain: Option<String>,
    /// Only test payments, or only live ones.
    pub test: Option<bool>,
    /// When they were created.
    pub created: Range<Ams>,
    /// Each sum is of so many milliseconds, the first from the span's start.
    pub step_ms: Ams,
}

/// Payments of one step that were to be paid in one way and currency and stand alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sum {
    /// The step's start.
    pub at_ms: Ams,
    /// Empty for what was never sent.
    pub pay_type: String,
    /// ISO 4217.
    pub currency: String,
    /// Where they stand.
    pub state: State,
    /// How many.
    pub count: u64,
    /// Their amounts together, minor units.
    pub fee_minor: u64,
    /// What of these was given back, minor units.
    pub refunded_minor: u64,
    /// The times from sending to the end together, of those that were sent and have ended.
    pub took_ms: u64,
    /// How many those are.
    pub took: u64,
}

impl Store {
    /// The sums of a span, the earliest first.
    ///
    /// # Errors
    /// [`StoreError::Find`] when there are too many payments to sum in time.
    pub async fn summary(&self, span: Span) -> Result<Vec<Sum>, StoreError> {
        self.database
            .find(move |link| summary::of(link, &span))
            .await
    }
}
