//! How values stand in messages to and from the server.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use crate::store::StoreError;
use crate::store::link::{Row, Value};

/// What a value is sent as. The server would guess otherwise, and take a small number for a small type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// NULL is of every type; the server guesses.
    Any,
    Bool,
    Integer,
    Text,
    Bytes,
}

impl Kind {
    pub(super) fn of(value: &Value<'_>) -> Kind {
        match value {
            Value::Null => Kind::Any,
            Value::Bool(_) => Kind::Bool,
            Value::Integer(_) => Kind::Integer,
            Value::Text(_) => Kind::Text,
            Value::Bytes(_) => Kind::Bytes,
        }
    }

    pub(super) fn sql_type(self) -> Type {
        match self {
            Kind::Any => Type::UNKNOWN,
            Kind::Bool => Type::BOOL,
            Kind::Integer => Type::INT8,
            Kind::Text => Type::TEXT,
            Kind::Bytes => Type::BYTEA,
        }
    }

    /// Whether a statement that was prepared for a value of this kind takes the other.
    pub(super) fn takes(self, other: Kind) -> bool {
        self == other || other == Kind::Any
    }
}

/// Refuses what PostgreSQL has no room for.
pub(super) fn check(values: &[Value<'_>]) -> Result<(), StoreError> {
    let has_nul = |value: &Value<'_>| matches!(value, Value::Text(text) if text.contains('\0'));
    if values.iter().any(has_nul) {
        return Err(StoreError::Unkeepable(
            "a text with the character U+0000, which PostgreSQL cannot keep".to_owned(),
        ));
    }
    Ok(())
}

/// A value on its way to the server.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) Value<'a>);

type Failed = Box<dyn Error + Sync + Send>;

impl ToSql for Bound<'_> {
    fn to_sql(&self, sql_type: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Bool(value) => out.put_u8(value.into()),
            Value::Integer(value) => match *sql_type {
                Type::INT8 => out.put_i64(value),
                Type::INT4 => out.put_i32(value.try_into()?),
                Type::INT2 => out.put_i16(value.try_into()?),
                _ => return Err(format!("a number for {sql_type}").into()),
            },
            Value::Text(value) => out.put_slice(value.as_bytes()),
            Value::Bytes(value) => out.put_slice(value),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, sql_type: &Type, out: &mut BytesMut) -> Result<IsNull, Failed> {
        self.to_sql(sql_type, out)
    }
}

/// A value that came from the server.
struct Given<'a>(Value<'a>);

impl<'a> FromSql<'a> for Given<'a> {
    fn from_sql(sql_type: &Type, raw: &'a [u8]) -> Result<Given<'a>, Failed> {
        Ok(Given(match *sql_type {
            Type::BOOL => Value::Bool(bool::from_sql(sql_type, raw)?),
            Type::INT8 => Value::Integer(i64::from_sql(sql_type, raw)?),
            Type::INT4 => Value::Integer(i32::from_sql(sql_type, raw)?.into()),
            Type::INT2 => Value::Integer(i16::from_sql(sql_type, raw)?.into()),
            Type::BYTEA => Value::Bytes(raw),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => {
                Value::Text(str::from_utf8(raw)?)
            }
            _ => return Err(format!("a value of {sql_type}").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Given<'a>, Failed> {
        Ok(Given(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Row for tokio_postgres::Row {
    fn value(&self, index: usize) -> Result<Value<'_>, StoreError> {
        let given: Result<Given<'_>, _> = self.try_get(index);
        given
            .map(|given| given.0)
            .map_err(|error| StoreError::Corrupt(super::error::told(&error)))
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.columns().get(index).map(|column| column.name())
    }
}
