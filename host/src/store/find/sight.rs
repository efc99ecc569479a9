//! What a condition sees of a payment, whether it is a row of the store or the JSON that callers see.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::column::{Column, Kind};
use crate::payment::money::Currency;

/// A column's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: Option<&'a str>) -> Cell<'a> {
        text.map_or(Cell::Null, |text| Cell::Text(text.into()))
    }

    pub(super) fn time(value: u64) -> Cell<'a> {
        i64::try_from(value).map_or(Cell::Null, Cell::Integer)
    }
}

/// A payment as a condition looks at it.
pub(crate) trait Sight {
    /// What stands in a column.
    fn column(&self, column: Column) -> Cell<'_>;
    /// The objects in which fields are looked for that are no columns: what was given at `create`, and what platforms
    /// told.
    fn fields(&self) -> [Option<&Map<String, Value>>; 2];
}

/// A payment as callers see it.
pub(crate) struct Shown<'a>(pub(crate) &'a Map<String, Value>);

impl Sight for Shown<'_> {
    fn column(&self, column: Column) -> Cell<'_> {
        let value = self.0.get(column.name()).unwrap_or(&Value::Null);
        match (column.kind(), value) {
            // A hold is shown as an object, and left out where there is none.
            (Kind::Flag, value) => {
                let flag = value.as_bool().unwrap_or(value.is_object());
                Cell::Integer(flag.into())
            }
            (_, Value::Null) if column.is_number() => Cell::Null,
            (Kind::Currency, Value::String(code)) => match Currency::parse(code) {
                Ok(currency) => Cell::Text(currency.code().to_owned().into()),
                Err(_) => Cell::Text(code.as_str().into()),
            },
            (Kind::Text, Value::Object(named)) => {
                Cell::text(named.get("name").and_then(Value::as_str))
            }
            (_, Value::String(text)) => Cell::Text(text.as_str().into()),
            (_, Value::Number(number)) => number.as_i64().map_or(Cell::Null, Cell::Integer),
            _ => Cell::Null,
        }
    }

    fn fields(&self) -> [Option<&Map<String, Value>>; 2] {
        [Some(self.0), None]
    }
}

/// Whether any value at the path is one that `wanted` takes. A name with dots in it may be one name or several, one in
/// the other; lists are looked through.
pub(super) fn any_at(
    object: &Map<String, Value>,
    path: &str,
    wanted: &dyn Fn(&Value) -> bool,
) -> bool {
    let here = object.get(path).is_some_and(|value| any_in(value, wanted));
    here || path.match_indices('.').any(|(dot, _)| {
        let (name, rest) = (path.get(..dot), path.get(dot + 1..));
        match (name.and_then(|name| object.get(name)), rest) {
            (Some(value), Some(rest)) => any_below(value, rest, wanted),
            _ => false,
        }
    })
}

fn any_below(value: &Value, path: &str, wanted: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Object(object) => any_at(object, path, wanted),
        Value::Array(items) => items.iter().any(|item| any_below(item, path, wanted)),
        _ => false,
    }
}

fn any_in(value: &Value, wanted: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(items) => wanted(value) || items.iter().any(wanted),
        value => wanted(value),
    }
}
