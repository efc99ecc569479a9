//! How our types stand in columns.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::payment::model::{Digest, LATEST, PaymentId};
use crate::store::StoreError;
use crate::store::link::{Row, Value};

/// A count or time as a signed integer, the only one that databases have.
pub(in crate::store) fn integer(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| {
        StoreError::Unkeepable(format!(
            "the number {value} is too large: give at most {LATEST}"
        ))
    })
}

/// A JSON text.
pub(in crate::store) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Invariant(format!("cannot be written as JSON: {error}")))
}

/// Reads a row's columns from the first to the last.
pub(in crate::store) struct Columns<'r> {
    row: &'r dyn Row,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(in crate::store) fn of(row: &'r dyn Row) -> Columns<'r> {
        Columns { row, at: 0 }
    }

    /// The next column.
    pub(in crate::store) fn next<T: FromValue>(&mut self) -> Result<T, StoreError> {
        T::of(self.value()?).ok_or_else(|| self.wrong_type())
    }

    fn value(&mut self) -> Result<Value<'r>, StoreError> {
        let value = self.row.value(self.at)?;
        self.at += 1;
        Ok(value)
    }

    fn text(&mut self) -> Result<&'r str, StoreError> {
        self.text_or_null()?.ok_or_else(|| self.wrong_type())
    }

    fn text_or_null(&mut self) -> Result<Option<&'r str>, StoreError> {
        match self.value()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            _ => Err(self.wrong_type()),
        }
    }

    fn wrong_type(&self) -> StoreError {
        self.damaged("a value of another type")
    }

    fn damaged(&self, what: &str) -> StoreError {
        let name = self.at.checked_sub(1).and_then(|at| self.row.name(at));
        StoreError::Corrupt(format!("column {}: {what}", name.unwrap_or("?")))
    }

    /// A count or time.
    pub(in crate::store) fn unsigned(&mut self) -> Result<u64, StoreError> {
        let value: i64 = self.next()?;
        u64::try_from(value).map_err(|_| self.damaged("a negative number"))
    }

    /// The same, or NULL.
    pub(in crate::store) fn unsigned_or_null(&mut self) -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = self.next()?;
        value
            .map(u64::try_from)
            .transpose()
            .map_err(|_| self.damaged("a negative number"))
    }

    /// A JSON text.
    pub(in crate::store) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        serde_json::from_str(self.text()?).map_err(|error| self.damaged(&error.to_string()))
    }

    /// A JSON text or NULL.
    pub(in crate::store) fn json_or_null<T: DeserializeOwned>(
        &mut self,
    ) -> Result<Option<T>, StoreError> {
        self.text_or_null()?
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| self.damaged(&error.to_string()))
    }

    /// A text in one of our forms: a state, an id.
    pub(in crate::store) fn parsed<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.text()?).ok_or_else(|| self.damaged("an unknown word"))
    }

    /// The same, or NULL.
    pub(in crate::store) fn parsed_or_null<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.text_or_null()? {
            None => Ok(None),
            Some(text) => parse(text)
                .map(Some)
                .ok_or_else(|| self.damaged("an unknown word")),
        }
    }

    pub(in crate::store) fn id(&mut self) -> Result<PaymentId, StoreError> {
        self.parsed(PaymentId::parse)
    }

    pub(in crate::store) fn digest(&mut self) -> Result<Digest, StoreError> {
        self.next().map(Digest)
    }

    pub(in crate::store) fn digest_or_null(&mut self) -> Result<Option<Digest>, StoreError> {
        Ok(self.next::<Option<[u8; 32]>>()?.map(Digest))
    }
}

/// What can be read from a column.
pub(in crate::store) trait FromValue: Sized {
    /// `None` for a value that is none of these.
    fn of(value: Value<'_>) -> Option<Self>;
}

impl<T: FromValue> FromValue for Option<T> {
    fn of(value: Value<'_>) -> Option<Option<T>> {
        match value {
            Value::Null => Some(None),
            value => T::of(value).map(Some),
        }
    }
}

impl FromValue for i64 {
    fn of(value: Value<'_>) -> Option<i64> {
        match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromValue for u32 {
    fn of(value: Value<'_>) -> Option<u32> {
        i64::of(value)?.try_into().ok()
    }
}

impl FromValue for u8 {
    fn of(value: Value<'_>) -> Option<u8> {
        i64::of(value)?.try_into().ok()
    }
}

impl FromValue for bool {
    fn of(value: Value<'_>) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(flag),
            Value::Integer(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl FromValue for String {
    fn of(value: Value<'_>) -> Option<String> {
        match value {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn of(value: Value<'_>) -> Option<Vec<u8>> {
        match value {
            Value::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl FromValue for [u8; 32] {
    fn of(value: Value<'_>) -> Option<[u8; 32]> {
        match value {
            Value::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}
