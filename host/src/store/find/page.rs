//! Where an answer ended. However deep a page is, it costs no more than the first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Order;
use super::column::{Absent, Column, Operand};
use super::error::FindError;
use super::sight::Cell;
use crate::payment::model::{Payment, PaymentId};

/// A place in an order: the values of the payment that stands there.
#[derive(Clone, PartialEq, Debug)]
pub struct Cursor {
    order: String,
    /// One for each key of the order.
    pub(crate) values: Vec<Operand>,
    /// The payment, whose creation divides those with equal values.
    pub(crate) id: PaymentId,
}

impl Cursor {
    pub(super) fn behind(last: &Payment, order: &[(Column, Order)]) -> Result<Cursor, FindError> {
        let values = order.iter().map(|(column, _)| match column.of(last) {
            _ if column.absent() == Absent::Null => Err(FindError::NoCursor(column.name())),
            Cell::Null => Err(FindError::NoCursor(column.name())),
            Cell::Text(text) => Ok(Operand::Text(text.into_owned())),
            Cell::Integer(number) => Ok(Operand::Integer(number)),
        });
        Ok(Cursor {
            order: name(order),
            values: values.collect::<Result<_, _>>()?,
            id: last.id,
        })
    }

    /// Reads what [`Cursor::to_string`] wrote.
    pub fn parse(text: &str) -> Result<Cursor, FindError> {
        let wrong = || FindError::Cursor;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| wrong())?;
        let read: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let (Some(order), Some(Value::Array(values)), Some(id)) = (
            read.get("o").and_then(Value::as_str),
            read.get("v"),
            read.get("i")
                .and_then(Value::as_str)
                .and_then(PaymentId::parse),
        ) else {
            return Err(wrong());
        };
        let values = values.iter().map(|value| match value {
            Value::String(text) => Ok(Operand::Text(text.clone())),
            value => value.as_i64().map(Operand::Integer).ok_or_else(wrong),
        });
        Ok(Cursor {
            order: order.to_owned(),
            values: values.collect::<Result<_, _>>()?,
            id,
        })
    }

    /// Refuses a place in another order.
    pub(super) fn check(&self, order: &[(Column, Order)]) -> Result<(), FindError> {
        let alike = |((column, _), value): (&(Column, Order), &Operand)| {
            matches!(value, Operand::Integer(_)) == column.is_number()
        };
        let fits = self.order == name(order)
            && self.values.len() == order.len()
            && order.iter().zip(&self.values).all(alike);
        if fits { Ok(()) } else { Err(FindError::Cursor) }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values = self.values.iter().map(|value| match value {
            Operand::Text(text) => json!(text),
            Operand::Integer(number) => json!(number),
            Operand::Json(value) => value.clone(),
        });
        let values: Vec<Value> = values.collect();
        let text = json!({ "o": self.order, "v": values, "i": self.id.to_string() }).to_string();
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

/// The order in the user's words.
fn name(order: &[(Column, Order)]) -> String {
    let keys: Vec<String> = order
        .iter()
        .map(|(column, order)| match order {
            Order::Ascending => format!("{}:1", column.name()),
            Order::Descending => format!("{}:-1", column.name()),
        })
        .collect();
    keys.join(",")
}
