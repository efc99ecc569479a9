//! SQLite as the tables see it.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use crate::store::StoreError;
use crate::store::link::{Dialect, EachRow, Link, Row, Value};

/// A connection inside a transaction. Of those that write there is one at a time, so nothing has to be locked.
pub(super) struct SqliteLink<'c> {
    connection: &'c Connection,
    writes: bool,
}

impl<'c> SqliteLink<'c> {
    pub(super) fn reading(connection: &'c Connection) -> SqliteLink<'c> {
        SqliteLink {
            connection,
            writes: false,
        }
    }

    pub(super) fn writing(connection: &'c Connection) -> SqliteLink<'c> {
        SqliteLink {
            connection,
            writes: true,
        }
    }
}

impl Link for SqliteLink<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn writes(&self) -> bool {
        self.writes
    }

    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(values))?)
    }

    fn each_row(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if each(&SqliteRow(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    // RETURNING costs more here than the row with all its indexes.
    fn insert(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<i64>, StoreError> {
        let inserted = self.execute(sql, values)?;
        Ok((inserted > 0).then(|| self.connection.last_insert_rowid()))
    }

    fn lock_name(&self, _name: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

struct SqliteRow<'r, 's>(&'r rusqlite::Row<'s>);

impl Row for SqliteRow<'_, '_> {
    fn value(&self, index: usize) -> Result<Value<'_>, StoreError> {
        let wrong = |what: &str| {
            let name = self.name(index).unwrap_or("?");
            StoreError::Corrupt(format!("column {name}: {what}"))
        };
        match self.0.get_ref(index)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Integer(number)),
            ValueRef::Real(_) => Err(wrong("a real number")),
            ValueRef::Text(text) => std::str::from_utf8(text)
                .map(Value::Text)
                .map_err(|error| wrong(&error.to_string())),
            ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes)),
        }
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.0.as_ref().column_name(index).ok()
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Bool(flag) => ValueRef::Integer(i64::from(flag)),
            Value::Integer(number) => ValueRef::Integer(number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
