//! Asking for payments.
//!
//! | file | is |
//! |---|---|
//! | `reading` | the language of `match`, from JSON to a condition |
//! | `moments`, `pattern` | its times and regular expressions |
//! | `condition`, `sight` | what a condition is, and whether it holds for a payment |
//! | `column` | the payment's own columns |
//! | `page` | where an answer ended, to go on from there |

mod column;
mod condition;
mod error;
mod moments;
mod page;
mod pattern;
mod reading;
mod sight;

use serde_json::{Map, Value};

use crate::payment::model::{Payment, State};

use super::table::find;
use super::{Store, StoreError};

pub(crate) use column::Absent;
pub use column::{Column, Operand};
pub use condition::{Condition, Interval, Subject, Test};
pub use error::FindError;
pub use moments::Clock;
pub use page::Cursor;
pub use pattern::Pattern;
pub(crate) use sight::{Cell, Shown, Sight};

/// The direction of a sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// `1` in the user's words.
    Ascending,
    /// `-1`
    Descending,
}

/// A question for payments.
#[derive(Clone, PartialEq, Debug)]
pub struct Find {
    /// `None` looks at all domains: for root alone.
    pub domain: Option<String>,
    /// Any state when empty.
    pub states: Vec<State>,
    /// What has to hold besides.
    pub condition: Condition,
    /// The newest first when empty. Equal rows follow their creation.
    pub sort: Vec<(Column, Order)>,
    /// Behind this place in the order.
    pub after: Option<Cursor>,
    /// Rows to leave out, at most [`Find::MAX_SKIP`].
    pub skip: u32,
    /// Rows to answer with, 1 to [`Find::MAX_LIMIT`].
    pub limit: u32,
}

impl Find {
    /// As the original: there is always a limit.
    pub const DEFAULT_LIMIT: u32 = 10;
    /// Keeps an ordinary answer below about a megabyte.
    pub const MAX_LIMIT: u32 = 1000;
    /// What the payments of an answer may have together: a payment with all that may be put into one has 200 kB.
    pub const MAX_BYTES: usize = 8 << 20;
    /// Skipped rows are read all the same.
    pub const MAX_SKIP: u32 = 100_000;
    /// Values of one list.
    pub const MAX_VALUES: usize = 100;
    /// Tests of a condition besides, and sort keys.
    pub const MAX_CONDITIONS: usize = 200;

    /// The ten newest payments of a domain, or of all.
    pub fn new(domain: Option<String>) -> Find {
        Find {
            domain,
            states: Vec::new(),
            condition: Condition::always(),
            sort: Vec::new(),
            after: None,
            skip: 0,
            limit: Find::DEFAULT_LIMIT,
        }
    }

    /// Adds conditions as the user writes them; see the table in `reading`. `clock` says what `now` means.
    pub fn matching(
        &mut self,
        matching: &Map<String, Value>,
        clock: &Clock,
    ) -> Result<(), FindError> {
        self.also(reading::object(matching, clock)?);
        Ok(())
    }

    /// Only test payments, or only live ones.
    pub fn test(&mut self, test: bool) {
        let is_test = Test::Equal(Operand::Integer(test.into()));
        self.also(Condition::column(Column::Test, is_test));
    }

    fn also(&mut self, condition: Condition) {
        match &mut self.condition {
            Condition::All(parts) => parts.push(condition),
            other => *other = Condition::All(vec![other.clone(), condition]),
        }
    }

    /// The order in full: what is asked for, or the newest first.
    pub(crate) fn order(&self) -> &[(Column, Order)] {
        match self.sort.as_slice() {
            [] => &[(Column::Created, Order::Descending)],
            keys => keys,
        }
    }

    /// Where to go on behind this payment, the last of an answer.
    ///
    /// # Errors
    /// [`FindError::NoCursor`] when the order has places without a value.
    pub fn cursor(&self, last: &Payment) -> Result<Cursor, FindError> {
        Cursor::behind(last, self.order())
    }

    /// Refuses what would cost too much.
    pub fn check(&self) -> Result<(), FindError> {
        if !(1..=Find::MAX_LIMIT).contains(&self.limit) {
            return Err(FindError::Limit(self.limit));
        }
        if self.skip > Find::MAX_SKIP {
            return Err(FindError::Skip(self.skip));
        }
        let many = self
            .condition
            .size()
            .max(self.sort.len())
            .max(self.states.len());
        if many > Find::MAX_CONDITIONS {
            return Err(FindError::TooManyConditions);
        }
        match &self.after {
            Some(cursor) => cursor.check(self.order()),
            None => Ok(()),
        }
    }
}

impl Store {
    /// How many payments [`Store::find`] would give without limit.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub async fn count(&self, query: Find) -> Result<u64, StoreError> {
        query.check()?;
        self.database
            .find(move |link| find::count(link, &query))
            .await
    }

    /// Payments that match.
    ///
    /// # Errors
    /// [`StoreError::Find`] when the question goes over a limit of [`Find`], or takes too long.
    pub async fn find(&self, query: Find) -> Result<Vec<Payment>, StoreError> {
        query.check()?;
        self.database
            .find(move |link| find::payments(link, &query))
            .await
    }
}
