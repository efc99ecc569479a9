//! How our types stand in SQLite's columns.

use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::payment::model::{Digest, PaymentId};
use crate::store::StoreError;

/// A count or time as SQLite's signed integer.
pub(super) fn integer(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Invariant(format!("{value} is too large")))
}

/// A JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Invariant(format!("cannot be written as JSON: {error}")))
}

/// Reads a row's columns from the first to the last.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r Row<'r>) -> Columns<'r> {
        Columns { row, at: 0 }
    }

    /// The next column, which SQLite converts.
    pub(super) fn next<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let value = self.row.get(self.at)?;
        self.at += 1;
        Ok(value)
    }

    fn damaged(&self, what: &str) -> StoreError {
        let name = self
            .at
            .checked_sub(1)
            .and_then(|at| self.row.as_ref().column_name(at).ok());
        StoreError::Corrupt(format!("column {}: {what}", name.unwrap_or("?")))
    }

    /// A count or time.
    pub(super) fn unsigned(&mut self) -> Result<u64, StoreError> {
        let value: i64 = self.next()?;
        u64::try_from(value).map_err(|_| self.damaged("a negative number"))
    }

    /// The same, or NULL.
    pub(super) fn unsigned_or_null(&mut self) -> Result<Option<u64>, StoreError> {
        let value: Option<i64> = self.next()?;
        value
            .map(u64::try_from)
            .transpose()
            .map_err(|_| self.damaged("a negative number"))
    }

    /// A JSON text.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text: String = self.next()?;
        serde_json::from_str(&text).map_err(|error| self.damaged(&error.to_string()))
    }

    /// A JSON text or NULL.
    pub(super) fn json_or_null<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.next()?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| self.damaged(&error.to_string()))
    }

    /// A text in one of our forms: a state, an id.
    pub(super) fn parsed<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text: String = self.next()?;
        parse(&text).ok_or_else(|| self.damaged("an unknown word"))
    }

    /// The same, or NULL.
    pub(super) fn parsed_or_null<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.next()?;
        match text {
            None => Ok(None),
            Some(text) => parse(&text)
                .map(Some)
                .ok_or_else(|| self.damaged("an unknown word")),
        }
    }

    pub(super) fn id(&mut self) -> Result<PaymentId, StoreError> {
        self.parsed(PaymentId::parse)
    }

    pub(super) fn digest(&mut self) -> Result<Digest, StoreError> {
        self.next().map(Digest)
    }

    pub(super) fn digest_or_null(&mut self) -> Result<Option<Digest>, StoreError> {
        Ok(self.next::<Option<[u8; 32]>>()?.map(Digest))
    }
}
