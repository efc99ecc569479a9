//! What the tables ask of an engine, so that their SQL is written once.
//!
//! One text of SQL is for both engines. Parameters are numbered (`?1`), and one that is used twice has one type. Flags
//! are compared with nothing: `WHERE current`, `NOT shipped`. Texts are compared by their bytes, so every column of text
//! has the collation `C` in PostgreSQL. Columns that a conflict may mean are named with their table. What no text says in
//! both ways asks for the [`Dialect`].
//!
//! On SQLite one transaction writes at a time. On PostgreSQL several do, each statement seeing what was committed before
//! it (`READ COMMITTED`): so rows that a rule will change are locked as they are read ([`Link::lock_rows`]), what is
//! taken from a queue passes over what others hold ([`Link::lock_free_row`]), and what is not there yet is locked by its
//! name ([`Link::lock_name`]). A payment's row is locked before its attempts and refunds, and a delivery before its
//! payment.

use std::ops::ControlFlow;

use super::StoreError;
use super::table::row::Columns;

/// Which SQL an engine speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::store) enum Dialect {
    Sqlite,
    Postgres,
}

/// A connection inside a transaction, as the tables see it.
pub(in crate::store) trait Link {
    /// Which SQL this engine speaks, for the few places where they differ.
    fn dialect(&self) -> Dialect;

    /// Whether this transaction may write.
    fn writes(&self) -> bool;

    /// Runs a statement; how many rows it changed.
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError>;

    /// Runs a question and hands each row to `each`, until that says `Break`. What it writes is written, however few
    /// rows were looked at. `each` asks nothing of the same link.
    fn each_row(
        &self,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError>;

    /// Runs an `INSERT` of one row into a table that numbers its rows in `seq`; the number, or `None` when the row met a
    /// conflict and nothing was written.
    fn insert(&self, sql: &str, values: &[Value<'_>]) -> Result<Option<i64>, StoreError> {
        let mut seq = None;
        self.each_row(&format!("{sql} RETURNING seq"), values, &mut |row| {
            seq = Some(Columns::of(row).next()?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(seq)
    }

    /// Holds a name until the end of the transaction: whoever else asks for it waits. For what several may write and
    /// nobody can lock, since there is no row yet.
    fn lock_name(&self, name: &str) -> Result<(), StoreError>;

    /// What stands behind a `SELECT` of one table whose rows will be changed.
    fn lock_rows(&self) -> &'static str {
        // The keys stay, so whoever refers to the rows need not wait.
        self.where_many_write(" FOR NO KEY UPDATE")
    }

    /// The same for one row of those that are free: what others hold is passed over.
    fn lock_free_row(&self) -> &'static str {
        self.where_many_write(" FOR NO KEY UPDATE SKIP LOCKED")
    }

    /// The text where other transactions may write beside this one, which writes itself.
    fn where_many_write(&self, text: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Postgres if self.writes() => text,
            Dialect::Postgres | Dialect::Sqlite => "",
        }
    }
}

/// Looks at a row, and says whether it wants the next.
pub(in crate::store) type EachRow<'a> =
    dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, StoreError> + 'a;

/// A value that is bound to a statement, or stands in a row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::store) enum Value<'a> {
    Null,
    /// In SQLite 0 or 1; read from there, it is an integer.
    Bool(bool),
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// One row of an answer; its columns by place.
pub(in crate::store) trait Row {
    /// What stands in a column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for what is none of [`Value`]; any error when there is no such column.
    fn value(&self, index: usize) -> Result<Value<'_>, StoreError>;

    /// The column's name, to say where something is wrong.
    fn name(&self, index: usize) -> Option<&str>;
}

/// The first row, if there is one.
pub(in crate::store) fn one_row<T>(
    link: &dyn Link,
    sql: &str,
    values: &[Value<'_>],
    mut decode: impl FnMut(&mut Columns<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut found = None;
    link.each_row(sql, values, &mut |row| {
        found = Some(decode(&mut Columns::of(row))?);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// All rows.
pub(in crate::store) fn all_rows<T>(
    link: &dyn Link,
    sql: &str,
    values: &[Value<'_>],
    mut decode: impl FnMut(&mut Columns<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    link.each_row(sql, values, &mut |row| {
        found.push(decode(&mut Columns::of(row))?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The values of a statement, in the order of their numbers.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::store::link::Bind::bind(&$value)),*]
    };
}
pub(in crate::store) use params;

/// What can be bound to a statement.
pub(in crate::store) trait Bind {
    fn bind(&self) -> Value<'_>;
}

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> Value<'_> {
        (**self).bind()
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::bind)
    }
}

impl Bind for bool {
    fn bind(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl Bind for i64 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl Bind for u32 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for u8 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for str {
    fn bind(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for String {
    fn bind(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for [u8] {
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Bind for Vec<u8> {
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}

impl Bind for [u8; 32] {
    fn bind(&self) -> Value<'_> {
        Value::Bytes(self)
    }
}
