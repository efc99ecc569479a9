//! The payment's own columns: their names, what they hold, and how their values are written.

use serde_json::Value;

use super::error::{FindError, shown};
use super::sight::Cell;
use crate::payment::model::{FailWhy, Payment, PaymentId, PresentationKind};
use crate::payment::money::Currency;

/// A column of the payment that can be asked for and sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
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
    /// `refunded`, minor units.
    Refunded,
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    /// Absolute milliseconds.
    Time,
    Flag,
    Id,
    Currency,
    /// One of these words.
    Word(&'static Words),
}

/// The words that a column may hold.
#[derive(PartialEq, Eq)]
pub(super) struct Words {
    pub(super) all: &'static [&'static str],
    shown: &'static str,
}

static STATES: Words = Words {
    all: &["NEW", "WAIT", "OK", "FAIL"],
    shown: "NEW, WAIT, OK or FAIL",
};
static FAIL_WHY: Words = Words {
    all: &["DECLINED", "CLOSED", "EXPIRED", "REVERSED"],
    shown: "DECLINED, CLOSED, EXPIRED or REVERSED",
};
static PRESENTATIONS: Words = Words {
    all: &["LINK", "IFRAME", "QRCODE", "JSON", "TEXT"],
    shown: "LINK, IFRAME, QRCODE, JSON or TEXT",
};

/// How a payment without a value stands in a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Absent {
    /// Every payment has one.
    Never,
    /// As NULL.
    Null,
    /// As an empty text.
    Empty,
    /// As 0.
    Zero,
}

/// Every column with the names that callers use (the first is shown), what it holds, and how a missing value stands in it.
const COLUMNS: &[(Column, &[&str], Kind, Absent)] = &[
    (Column::Tp, &["tp"], Kind::Text, Absent::Never),
    (Column::Id, &["id", "nm"], Kind::Id, Absent::Never),
    (Column::State, &["st"], Kind::Word(&STATES), Absent::Never),
    (
        Column::FailWhy,
        &["fail_why"],
        Kind::Word(&FAIL_WHY),
        Absent::Null,
    ),
    (Column::Held, &["held"], Kind::Flag, Absent::Never),
    (Column::Late, &["late"], Kind::Flag, Absent::Never),
    (Column::Test, &["test"], Kind::Flag, Absent::Never),
    (Column::Brief, &["brief"], Kind::Text, Absent::Empty),
    (Column::Fee, &["fee"], Kind::Integer, Absent::Never),
    (Column::Currency, &["cur"], Kind::Currency, Absent::Never),
    (Column::Price, &["price"], Kind::Integer, Absent::Null),
    (Column::Refunded, &["refunded"], Kind::Integer, Absent::Zero),
    (Column::PayType, &["pay_tp"], Kind::Text, Absent::Null),
    (Column::Target, &["pay_target"], Kind::Text, Absent::Null),
    (
        Column::Presentation,
        &["re_tp"],
        Kind::Word(&PRESENTATIONS),
        Absent::Null,
    ),
    (Column::Created, &["ct"], Kind::Time, Absent::Never),
    (Column::Changed, &["lm"], Kind::Time, Absent::Never),
    (Column::Sent, &["send_at"], Kind::Time, Absent::Zero),
    (Column::Closed, &["close_at"], Kind::Time, Absent::Zero),
    (Column::Applied, &["apply_at"], Kind::Time, Absent::Zero),
    (Column::Expires, &["expi"], Kind::Time, Absent::Never),
    (Column::BuyerTp, &["buyer_tp"], Kind::Integer, Absent::Zero),
    (Column::BuyerId, &["buyer_id"], Kind::Text, Absent::Empty),
    (Column::BuyerName, &["buyer_nm"], Kind::Text, Absent::Empty),
    (Column::SellerId, &["seller_id"], Kind::Text, Absent::Never),
    (
        Column::SellerName,
        &["seller_nm"],
        Kind::Text,
        Absent::Never,
    ),
    (Column::Len, &["len"], Kind::Integer, Absent::Zero),
    (Column::Callback, &["callback"], Kind::Text, Absent::Null),
];

/// A value to compare with.
#[derive(Clone, PartialEq, Debug)]
pub enum Operand {
    /// A text, in the form it is stored in.
    Text(String),
    /// A number, or 0 and 1 for flags.
    Integer(i64),
    /// Any value in what callers added.
    Json(Value),
}

impl Column {
    /// The column that the user calls `name`.
    pub fn parse(name: &str) -> Result<Column, FindError> {
        Column::named(name).ok_or_else(|| FindError::UnknownColumn(shown(&name)))
    }

    pub(super) fn named(name: &str) -> Option<Column> {
        COLUMNS
            .iter()
            .find(|(_, names, ..)| names.contains(&name))
            .map(|(column, ..)| *column)
    }

    /// The user's name for it.
    pub fn name(self) -> &'static str {
        let names = self.facts().0;
        names.first().copied().unwrap_or("?")
    }

    fn facts(self) -> (&'static [&'static str], Kind, Absent) {
        let found = COLUMNS.iter().find(|(column, ..)| *column == self);
        found.map_or(
            (&[], Kind::Text, Absent::Null),
            |(_, names, kind, absent)| (names, *kind, *absent),
        )
    }

    pub(super) fn kind(self) -> Kind {
        self.facts().1
    }

    pub(crate) fn absent(self) -> Absent {
        self.facts().2
    }

    /// Whether it holds numbers.
    pub(crate) fn is_number(self) -> bool {
        matches!(self.kind(), Kind::Integer | Kind::Time | Kind::Flag)
    }

    /// Whether it holds yes or no.
    pub(crate) fn is_flag(self) -> bool {
        matches!(self.kind(), Kind::Flag)
    }

    /// Reads a plain value as the user writes it: ids in both forms, `RMB` for yuan, `true` for flags.
    pub(super) fn operand(self, value: &Value) -> Result<Operand, FindError> {
        let wrong = |expected| FindError::WrongType {
            column: self.name().to_owned(),
            expected,
            found: shown(value),
        };
        let text = |expected| value.as_str().ok_or_else(|| wrong(expected));
        match self.kind() {
            Kind::Text => Ok(Operand::Text(text("a text")?.to_owned())),
            Kind::Integer | Kind::Time => value
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
            Kind::Word(words) => {
                let word = text(words.shown)?;
                match words.all.contains(&word) {
                    true => Ok(Operand::Text(word.to_owned())),
                    false => Err(wrong(words.shown)),
                }
            }
        }
    }

    /// What the payment has in it, as it is stored.
    pub(crate) fn of(self, payment: &Payment) -> Cell<'_> {
        let callback = payment.callback.as_ref();
        match self {
            Column::Tp => Cell::Text("wn_payment".into()),
            Column::Id => Cell::Text(payment.id.to_string().into()),
            Column::State => Cell::Text(payment.state.as_str().into()),
            Column::FailWhy => Cell::text(payment.fail_why.as_ref().map(FailWhy::as_str)),
            Column::Held => Cell::Integer(payment.hold.is_some().into()),
            Column::Late => Cell::Integer(payment.late.into()),
            Column::Test => Cell::Integer(payment.test.into()),
            Column::Brief => Cell::Text(payment.brief.as_str().into()),
            Column::Fee => Cell::Integer(payment.total.minor()),
            Column::Currency => Cell::Text(payment.total.currency().code().to_owned().into()),
            Column::Price => payment.price_minor.map_or(Cell::Null, Cell::Integer),
            Column::Refunded => Cell::Integer(payment.refunded_minor),
            Column::PayType => Cell::text(payment.pay_type.as_deref()),
            Column::Target => Cell::text(payment.target.as_deref()),
            Column::Presentation => {
                let shown = payment.presentation.as_ref();
                Cell::text(shown.map(|shown| PresentationKind::as_str(&shown.kind)))
            }
            Column::Created => Cell::time(payment.created_ms),
            Column::Changed => Cell::time(payment.changed_ms),
            Column::Sent => Cell::time(payment.sent_ms),
            Column::Closed => Cell::time(payment.closed_ms),
            Column::Applied => Cell::time(payment.applied_ms),
            Column::Expires => Cell::time(payment.expires_ms),
            Column::BuyerTp => Cell::Integer(payment.buyer.tp.into()),
            Column::BuyerId => Cell::Text(payment.buyer.id.as_str().into()),
            Column::BuyerName => Cell::Text(payment.buyer.name.as_str().into()),
            Column::SellerId => Cell::Text(payment.domain_id.as_str().into()),
            Column::SellerName => Cell::Text(payment.domain.as_str().into()),
            Column::Len => Cell::time(callback.map_or(0, |callback| callback.len)),
            Column::Callback => Cell::text(callback.map(|callback| callback.name.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::model::State;

    #[test]
    fn every_column_has_a_name_that_leads_back_to_it() {
        for (column, names, ..) in COLUMNS {
            for name in *names {
                assert_eq!(Column::parse(name).unwrap(), *column);
            }
            assert_eq!(column.name(), names[0]);
        }
    }

    #[test]
    fn words_are_those_of_the_model() {
        let every =
            |words: &Words, known: fn(&str) -> bool| words.all.iter().all(|word| known(word));
        assert!(every(&STATES, |word| State::parse(word).is_some()));
        assert!(every(&FAIL_WHY, |word| FailWhy::parse(word).is_some()));
        assert!(every(&PRESENTATIONS, |word| PresentationKind::parse(word)
            .is_some()));
    }
}
