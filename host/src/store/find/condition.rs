//! What has to hold for a payment to be found.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};

use serde_json::Value;

use super::column::{Absent, Column, Operand};
use super::pattern::Pattern;
use super::sight::{Cell, Sight, any_at};

/// A condition on a payment.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// Each of them.
    All(Vec<Condition>),
    /// At least one of them; none of an empty list.
    Any(Vec<Condition>),
    /// The contrary.
    Not(Box<Condition>),
    /// A value is like this.
    Is(Subject, Test),
}

/// What is looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A column of the payment.
    Column(Column),
    /// Anything else at the payment's top level, with dots into what is nested.
    Field(String),
}

/// What a value has to be like.
#[derive(Clone, PartialEq, Debug)]
pub enum Test {
    /// There is one.
    Given,
    /// It equals this.
    Equal(Operand),
    /// It is a number in between.
    Within(Interval),
    /// It is a text that the pattern takes.
    Like(Pattern),
}

/// Numbers between two ends, each with or without the end itself, or open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// The lower end.
    pub low: Bound<i64>,
    /// The upper end.
    pub high: Bound<i64>,
}

impl Condition {
    /// What holds for everything.
    pub fn always() -> Condition {
        Condition::All(Vec::new())
    }

    pub(crate) fn column(column: Column, test: Test) -> Condition {
        Condition::Is(Subject::Column(column), test)
    }

    pub(super) fn negated(self) -> Condition {
        match self {
            Condition::Not(inner) => *inner,
            other => Condition::Not(Box::new(other)),
        }
    }

    /// How many tests it has.
    pub(super) fn size(&self) -> usize {
        match self {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().map(Condition::size).sum::<usize>().max(1)
            }
            Condition::Not(inner) => inner.size(),
            Condition::Is(..) => 1,
        }
    }

    /// The columns that it looks at, and whether at anything else.
    pub(crate) fn looks_at(&self, columns: &mut BTreeSet<Column>) -> bool {
        match self {
            Condition::All(parts) | Condition::Any(parts) => {
                let mut fields = false;
                for part in parts {
                    fields |= part.looks_at(columns);
                }
                fields
            }
            Condition::Not(inner) => inner.looks_at(columns),
            Condition::Is(Subject::Column(column), _) => {
                columns.insert(*column);
                false
            }
            Condition::Is(Subject::Field(_), _) => true,
        }
    }

    /// Whether it holds for this payment.
    pub(crate) fn holds(&self, payment: &dyn Sight) -> bool {
        match self {
            Condition::All(parts) => parts.iter().all(|part| part.holds(payment)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(payment)),
            Condition::Not(inner) => !inner.holds(payment),
            Condition::Is(Subject::Column(column), test) => {
                test.takes_cell(*column, &payment.column(*column))
            }
            Condition::Is(Subject::Field(path), test) => payment
                .fields()
                .into_iter()
                .flatten()
                .any(|object| any_at(object, path, &|value| test.takes_value(value))),
        }
    }
}

impl Test {
    fn takes_cell(&self, column: Column, cell: &Cell<'_>) -> bool {
        match (self, cell) {
            (Test::Given, cell) => match (column.absent(), cell) {
                (Absent::Never, _) => true,
                (_, Cell::Null) => false,
                (Absent::Empty, Cell::Text(text)) => !text.is_empty(),
                (Absent::Zero, Cell::Integer(number)) => *number != 0,
                _ => true,
            },
            (Test::Equal(Operand::Text(wanted)), Cell::Text(text)) => wanted == text,
            (Test::Equal(Operand::Integer(wanted)), Cell::Integer(number)) => wanted == number,
            // What is not shown is what is not there.
            (Test::Equal(Operand::Integer(0)), Cell::Null) => column.absent() == Absent::Zero,
            (Test::Equal(Operand::Text(wanted)), Cell::Null) => {
                column.absent() == Absent::Empty && wanted.is_empty()
            }
            (Test::Within(interval), Cell::Integer(number)) => interval.contains(*number),
            (Test::Like(pattern), Cell::Text(text)) => pattern.takes(text),
            _ => false,
        }
    }

    fn takes_value(&self, value: &Value) -> bool {
        match (self, value) {
            (Test::Given, value) => !value.is_null(),
            (Test::Equal(Operand::Text(wanted)), Value::String(text)) => wanted == text,
            (Test::Equal(Operand::Integer(wanted)), Value::Number(number)) => {
                number.as_i64() == Some(*wanted)
            }
            (Test::Equal(Operand::Json(wanted)), value) => wanted == value,
            (Test::Within(interval), Value::Number(number)) => match number.as_i64() {
                Some(number) => interval.contains(number),
                None => number
                    .as_f64()
                    .is_some_and(|number| interval.surrounds(number)),
            },
            (Test::Like(pattern), Value::String(text)) => pattern.takes(text),
            _ => false,
        }
    }
}

impl Interval {
    /// Whether the number is in it.
    pub fn contains(&self, number: i64) -> bool {
        (self.low, self.high).contains(&number)
    }

    /// The same of a fraction in what callers added, which is never money.
    fn surrounds(&self, number: f64) -> bool {
        let as_float = |end: Bound<i64>| end.map(|end| end as f64);
        (as_float(self.low), as_float(self.high)).contains(&number)
    }
}
