//! Asking for payments by their own columns.

use serde_json::Value;

use crate::payment::model::{FailWhy, Payment, PaymentId, PresentationKind, State};
use crate::payment::money::Currency;

use super::sqlite::find;
use super::{Store, StoreError};

/// A column of the payment that can be asked for and sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Column {
    /// `tp`: `wn_payment` for every payment.
    Tp,
    /// `id`, `nm`
    Id,
    /// `st`
    State,
    /// `fail_why`
    FailWhy,
    /// `held`: whether it is on hold.
    Held,
    /// `late`
    Late,
    /// `test`
    Test,
    /// `brief`
    Brief,
    /// `fee`, minor units.
    Fee,
    /// `cur`
    Currency,
    /// `price`, minor units.
    Price,
    /// `pay_tp`
    PayType,
    /// `pay_target`
    Target,
    /// `re_tp`
    Presentation,
    /// `ct`
    Created,
    /// `lm`
    Changed,
    /// `send_at`
    Sent,
    /// `close_at`
    Closed,
    /// `apply_at`
    Applied,
    /// `expi`
    Expires,
    /// `buyer_tp`
    BuyerTp,
    /// `buyer_id`
    BuyerId,
    /// `buyer_nm`
    BuyerName,
    /// `seller_id`
    SellerId,
    /// `seller_nm`
    SellerName,
    /// `len`: bytes of the bound callback.
    Len,
    /// `callback`: the name of the bound callback.
    Callback,
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Flag,
    Id,
    Currency,
    Word {
        allowed: &'static str,
        known: fn(&str) -> bool,
    },
}

const STATE: Kind = Kind::Word {
    allowed: "NEW, WAIT, OK or FAIL",
    known: |word| State::parse(word).is_some(),
};
const FAIL_WHY: Kind = Kind::Word {
    allowed: "DECLINED, CLOSED, EXPIRED or REVERSED",
    known: |word| FailWhy::parse(word).is_some(),
};
const PRESENTATION: Kind = Kind::Word {
    allowed: "LINK, IFRAME, QRCODE, JSON or TEXT",
    known: |word| PresentationKind::parse(word).is_some(),
};

/// Every column with the names that callers use (the first is shown), what it holds, and whether it may be null.
const COLUMNS: &[(Column, &[&str], Kind, bool)] = &[
    (Column::Tp, &["tp"], Kind::Text, false),
    (Column::Id, &["id", "nm"], Kind::Id, false),
    (Column::State, &["st"], STATE, false),
    (Column::FailWhy, &["fail_why"], FAIL_WHY, true),
    (Column::Held, &["held"], Kind::Flag, false),
    (Column::Late, &["late"], Kind::Flag, false),
    (Column::Test, &["test"], Kind::Flag, false),
    (Column::Brief, &["brief"], Kind::Text, false),
    (Column::Fee, &["fee"], Kind::Integer, false),
    (Column::Currency, &["cur"], Kind::Currency, false),
    (Column::Price, &["price"], Kind::Integer, true),
    (Column::PayType, &["pay_tp"], Kind::Text, true),
    (Column::Target, &["pay_target"], Kind::Text, true),
    (Column::Presentation, &["re_tp"], PRESENTATION, true),
    (Column::Created, &["ct"], Kind::Integer, false),
    (Column::Changed, &["lm"], Kind::Integer, false),
    (Column::Sent, &["send_at"], Kind::Integer, false),
    (Column::Closed, &["close_at"], Kind::Integer, false),
    (Column::Applied, &["apply_at"], Kind::Integer, false),
    (Column::Expires, &["expi"], Kind::Integer, false),
    (Column::BuyerTp, &["buyer_tp"], Kind::Integer, false),
    (Column::BuyerId, &["buyer_id"], Kind::Text, false),
    (Column::BuyerName, &["buyer_nm"], Kind::Text, false),
    (Column::SellerId, &["seller_id"], Kind::Text, false),
    (Column::SellerName, &["seller_nm"], Kind::Text, false),
    (Column::Len, &["len"], Kind::Integer, false),
    (Column::Callback, &["callback"], Kind::Text, true),
];

/// A value to compare a column with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// The column has no value.
    Null,
    /// A text, in the form it is stored in.
    Text(String),
    /// A number, or 0 and 1 for flags.
    Integer(i64),
}

/// The direction of a sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// `1` in the user's words.
    Ascending,
    /// `-1`
    Descending,
}

/// Why a question cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// No column has this name.
    #[error("{0:?} is not a column of payments")]
    UnknownColumn(String),
    /// What the original reads as a pattern. Taken literally it would find nothing, and look like an answer.
    #[error(
        "{column}: {found} is a pattern or an interval; payments are found by equal values, or by any of a list of them"
    )]
    Pattern {
        /// As the user names it.
        column: &'static str,
        /// What was given.
        found: String,
    },
    /// The column holds something else.
    #[error("{column}: {expected} is expected, not {found}")]
    WrongType {
        /// As the user names it.
        column: &'static str,
        /// What the column holds.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The list has too many values.
    #[error(
        "{column}: {given} values are too many; {} are allowed",
        Find::MAX_VALUES
    )]
    TooManyValues {
        /// As the user names it.
        column: &'static str,
        /// How many there are.
        given: usize,
    },
    /// There are too many conditions or sort keys.
    #[error("more than {} conditions or sort keys", Find::MAX_CONDITIONS)]
    TooManyConditions,
    /// The limit is not between 1 and [`Find::MAX_LIMIT`].
    #[error("limit: {0} is not between 1 and {max}", max = Find::MAX_LIMIT)]
    Limit(u32),
    /// More than [`Find::MAX_SKIP`].
    #[error("skip: {0} is more than {max}", max = Find::MAX_SKIP)]
    Skip(u32),
    /// Too many payments have to be read to answer it.
    #[error(
        "this question takes too long: ask for a state, a buyer or a brief, and sort by ct or lm"
    )]
    TooSlow,
    /// The payments have more than [`Find::MAX_BYTES`] together.
    #[error(
        "the payments have more than {} bytes together: lower the limit",
        Find::MAX_BYTES
    )]
    TooLarge,
}

impl Column {
    /// The column that the user calls `name`.
    pub fn parse(name: &str) -> Result<Column, FindError> {
        COLUMNS
            .iter()
            .find(|(_, names, _, _)| names.contains(&name))
            .map(|(column, ..)| *column)
            .ok_or_else(|| FindError::UnknownColumn(name.chars().take(64).collect()))
    }

    /// The user's name for it.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    fn facts(self) -> (&'static str, Kind, bool) {
        let found = COLUMNS.iter().find(|(column, ..)| *column == self);
        let Some((_, names, kind, nullable)) = found else {
            return ("?", Kind::Text, true);
        };
        (names.first().copied().unwrap_or("?"), *kind, *nullable)
    }

    /// Reads a value as the user writes it: ids in both forms, `RMB` for yuan, `true` for flags.
    pub fn operand(self, value: &Value) -> Result<Operand, FindError> {
        let (column, kind, nullable) = self.facts();
        let wrong = |expected| {
            let found = value.to_string().chars().take(80).collect();
            FindError::WrongType {
                column,
                expected,
                found,
            }
        };
        if value.is_null() && nullable {
            return Ok(Operand::Null);
        }
        if value.as_str().is_some_and(is_pattern) {
            let found = value.to_string().chars().take(80).collect();
            return Err(FindError::Pattern { column, found });
        }
        let text = |expected| value.as_str().ok_or_else(|| wrong(expected));
        match kind {
            Kind::Text => Ok(Operand::Text(text("a text")?.to_owned())),
            Kind::Integer => value
                .as_i64()
                .map(Operand::Integer)
                .ok_or_else(|| wrong("a whole number")),
            Kind::Flag => value
                .as_bool()
                .map(|flag| Operand::Integer(flag.into()))
                .ok_or_else(|| wrong("true or false")),
            Kind::Id => PaymentId::parse(text("a payment's id")?)
                .map(|id| Operand::Text(id.to_string()))
                .ok_or_else(|| wrong("a payment's id")),
            Kind::Currency => Currency::parse(text("a currency")?)
                .map(|currency| Operand::Text(currency.code().to_owned()))
                .map_err(|_| wrong("a currency")),
            Kind::Word { allowed, known } => {
                let word = text(allowed)?;
                known(word)
                    .then(|| Operand::Text(word.to_owned()))
                    .ok_or_else(|| wrong(allowed))
            }
        }
    }
}

/// Whether the original reads a text as more than itself: a regular expression behind `^`, an interval such as `[1,2)`,
/// or a time such as `%ms:now-1h`.
fn is_pattern(text: &str) -> bool {
    let text = text.trim();
    let interval = text.starts_with(['[', '(']) && text.ends_with([']', ')']) && text.contains(',');
    text.starts_with('^') || interval || text.starts_with("%ms:") || text.starts_with("%date:")
}

/// A question for payments: all conditions hold; a list means any of its values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Find {
    /// `None` looks at all domains: for root alone.
    pub domain: Option<String>,
    /// Any state when empty.
    pub states: Vec<State>,
    /// Columns and the values that they may have; a column may be named several times.
    pub equals: Vec<(Column, Vec<Operand>)>,
    /// The newest first when empty. Equal rows follow their creation.
    pub sort: Vec<(Column, Order)>,
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
    /// Conditions, and sort keys.
    pub const MAX_CONDITIONS: usize = 32;

    /// The ten newest payments of a domain, or of all.
    pub fn new(domain: Option<String>) -> Find {
        Find {
            domain,
            states: Vec::new(),
            equals: Vec::new(),
            sort: Vec::new(),
            skip: 0,
            limit: Find::DEFAULT_LIMIT,
        }
    }

    /// Adds a condition as the user writes it: a value, or a list of values of which any will do.
    pub fn equal(&mut self, name: &str, value: &Value) -> Result<(), FindError> {
        let column = Column::parse(name)?;
        let operands = match value {
            Value::Array(values) => values
                .iter()
                .map(|value| column.operand(value))
                .collect::<Result<_, _>>()?,
            value => vec![column.operand(value)?],
        };
        self.equals.push((column, operands));
        Ok(())
    }

    /// Refuses what would cost too much.
    pub fn check(&self) -> Result<(), FindError> {
        if !(1..=Find::MAX_LIMIT).contains(&self.limit) {
            return Err(FindError::Limit(self.limit));
        }
        if self.skip > Find::MAX_SKIP {
            return Err(FindError::Skip(self.skip));
        }
        if self
            .equals
            .len()
            .max(self.sort.len())
            .max(self.states.len())
            > Find::MAX_CONDITIONS
        {
            return Err(FindError::TooManyConditions);
        }
        match self
            .equals
            .iter()
            .find(|(_, values)| values.len() > Find::MAX_VALUES)
        {
            Some((column, values)) => Err(FindError::TooManyValues {
                column: column.name(),
                given: values.len(),
            }),
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
            .find(move |connection| find::count(connection, &query))
            .await
    }

    /// Payments by their own columns.
    ///
    /// # Errors
    /// [`StoreError::Find`] when the question goes over a limit of [`Find`], or takes too long.
    pub async fn find(&self, query: Find) -> Result<Vec<Payment>, StoreError> {
        query.check()?;
        self.database
            .find(move |connection| find::payments(connection, &query))
            .await
    }
}
