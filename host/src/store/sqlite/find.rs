//! Payments that a question asks for.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params_from_iter};
use serde_json::Map;

use super::payment::{self, COLUMNS, decode};
use super::question::{Question, Rest, Value, sql};
use crate::payment::model::Payment;
use crate::store::StoreError;
use crate::store::find::{Cell, Column, Find, FindError, Sight};

/// Answers a question that was checked.
pub(in crate::store) fn payments(
    connection: &Connection,
    query: &Find,
) -> Result<Vec<Payment>, StoreError> {
    let question = asked(connection, query)?;
    let (skip, limit) = (query.skip as usize, query.limit as usize);
    let Some(rest) = &question.rest else {
        let sql = format!(
            "SELECT {COLUMNS} FROM payment WHERE {}{} LIMIT {limit} OFFSET {skip}",
            question.filter, question.order
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(&question.values))?;
        let mut answer = Answer::default();
        while let Some(row) = rows.next()? {
            answer.add(row)?;
        }
        return Ok(answer.payments);
    };
    // What stands at the top of the order is looked at first, by what the condition needs of it; only those for which it
    // holds are read in full.
    let mut found = Vec::new();
    let mut left_out = 0;
    each(connection, &question, rest, &mut |seq| {
        if left_out < skip {
            left_out += 1;
        } else {
            found.push(seq);
        }
        found.len() < limit
    })?;
    let sql = format!("SELECT {COLUMNS} FROM payment WHERE seq = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut answer = Answer::default();
    for seq in found {
        let mut rows = statement.query([seq])?;
        while let Some(row) = rows.next()? {
            answer.add(row)?;
        }
    }
    Ok(answer.payments)
}

/// How many payments the question has in all, whatever its limit.
pub(in crate::store) fn count(connection: &Connection, query: &Find) -> Result<u64, StoreError> {
    let everything = Find {
        after: None,
        ..query.clone()
    };
    let question = asked(connection, &everything)?;
    let Some(rest) = &question.rest else {
        let sql = format!("SELECT count(*) FROM payment WHERE {}", question.filter);
        let mut statement = connection.prepare_cached(&sql)?;
        let count: i64 =
            statement.query_row(params_from_iter(&question.values), |row| row.get(0))?;
        return Ok(u64::try_from(count).unwrap_or(0));
    };
    let mut count = 0;
    each(connection, &question, rest, &mut |_| {
        count += 1;
        true
    })?;
    Ok(count)
}

fn asked(connection: &Connection, query: &Find) -> Result<Question, StoreError> {
    let Some(cursor) = &query.after else {
        return Ok(Question::of(query, None));
    };
    let seq = payment::seq(connection, cursor.id)?;
    let seq = seq.ok_or(FindError::Cursor)?;
    Ok(Question::of(query, Some(seq)))
}

/// Gives the short key of every row for which the rest of the condition holds, until `wanted` wants no more.
fn each(
    connection: &Connection,
    question: &Question,
    rest: &Rest,
    wanted: &mut dyn FnMut(i64) -> bool,
) -> Result<(), StoreError> {
    let fields = if rest.fields { ", meta, platforms" } else { "" };
    let columns = rest
        .columns
        .iter()
        .map(|column| format!(", {}", sql(*column)));
    let columns: String = columns.collect();
    let sql = format!(
        "SELECT seq{fields}{columns} FROM payment WHERE {}{}",
        question.filter, question.order
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(&question.values))?;
    while let Some(row) = rows.next()? {
        let sight = RowSight::of(row, rest)?;
        if rest.condition.holds(&sight) && !wanted(row.get(0)?) {
            break;
        }
    }
    Ok(())
}

/// A row as a condition looks at it.
struct RowSight<'r> {
    row: &'r Row<'r>,
    columns: &'r [Column],
    /// Columns before the first of `columns`.
    before: usize,
    fields: [Map<String, serde_json::Value>; 2],
}

impl<'r> RowSight<'r> {
    fn of(row: &'r Row<'r>, rest: &'r Rest) -> Result<RowSight<'r>, StoreError> {
        let object = |at: usize| {
            let text = row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?;
            serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
        };
        let (before, fields) = match rest.fields {
            true => (3, [object(1)?, object(2)?]),
            false => (1, [Map::new(), Map::new()]),
        };
        Ok(RowSight {
            row,
            columns: &rest.columns,
            before,
            fields,
        })
    }
}

impl Sight for RowSight<'_> {
    fn column(&self, column: Column) -> Cell<'_> {
        let place = self.columns.iter().position(|other| *other == column);
        let value = place.and_then(|place| self.row.get_ref(self.before + place).ok());
        match value {
            Some(ValueRef::Integer(number)) => Cell::Integer(number),
            Some(ValueRef::Text(text)) => Cell::Text(String::from_utf8_lossy(text)),
            _ => Cell::Null,
        }
    }

    fn fields(&self) -> [Option<&Map<String, serde_json::Value>>; 2] {
        self.fields.each_ref().map(Some)
    }
}

/// Payments, bounded together.
#[derive(Default)]
struct Answer {
    payments: Vec<Payment>,
    bytes: usize,
}

impl Answer {
    fn add(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        self.bytes += text_bytes(row);
        if self.bytes > Find::MAX_BYTES {
            return Err(FindError::TooLarge.into());
        }
        self.payments.push(decode(row)?.1);
        Ok(())
    }
}

/// Of the row's texts, before they are copied.
fn text_bytes(row: &Row<'_>) -> usize {
    let texts = (0..).map_while(|column| row.get_ref(column).ok());
    texts.map(|value| value.as_str().map_or(0, str::len)).sum()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Value::Text(text) => text.to_sql(),
            Value::Integer(number) => number.to_sql(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::payment::model::{State, test_payment};
    use crate::store::find::{Clock, Order};
    use crate::store::sqlite::schema;

    fn plan(query: &Find) -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let question = Question::of(query, query.after.as_ref().map(|_| 7));
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT {COLUMNS} FROM payment WHERE {}{} LIMIT 10",
            question.filter, question.order
        );
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map(params_from_iter(&question.values), |row| row.get(3));
        rows.unwrap()
            .collect::<Result<Vec<String>, _>>()
            .unwrap()
            .join("; ")
    }

    #[test]
    fn what_owners_ask_for_is_answered_by_an_index_and_never_sorted() {
        let shop = |matching: serde_json::Value| {
            let mut find = Find::new(Some("shop".to_owned()));
            let clock = Clock::at(1_795_393_800_000, jiff::tz::TimeZone::UTC);
            find.matching(matching.as_object().unwrap(), &clock)
                .unwrap();
            find
        };
        let by = |column, find| Find {
            sort: vec![(column, Order::Descending)],
            ..find
        };
        let deep = |find: Find| Find {
            after: Some(find.cursor(&test_payment()).unwrap()),
            ..find
        };
        let all = || Find::new(None);
        let ok = |find| Find {
            states: vec![State::Ok],
            ..find
        };
        use Column::Changed;
        for (query, index) in [
            (shop(json!({})), "payment_created"),
            (by(Changed, shop(json!({}))), "payment_changed"),
            (ok(shop(json!({}))), "payment_state_created"),
            (shop(json!({"st": "^(OK)$"})), "payment_state_created"),
            (
                by(Changed, shop(json!({"st": "OK"}))),
                "payment_state_changed",
            ),
            (shop(json!({"brief": "tea"})), "payment_brief"),
            (shop(json!({"brief": "^tea$"})), "payment_brief"),
            (shop(json!({"buyer_id": "b1"})), "payment_buyer_id"),
            (shop(json!({"buyer_nm": "x"})), "payment_buyer_name"),
            (shop(json!({"ct": "today"})), "payment_created"),
            (
                by(Changed, shop(json!({"lm": "[now-1h,]"}))),
                "payment_changed",
            ),
            (deep(shop(json!({}))), "payment_created"),
            (
                deep(by(Changed, shop(json!({"st": "OK"})))),
                "payment_state_changed",
            ),
            (all(), "payment_all_created"),
            (by(Changed, all()), "payment_all_changed"),
        ] {
            let plan = plan(&query) + " ";
            assert!(plan.contains(&format!("INDEX {index} ")), "{index}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        // Where it goes on is found in the index, not read up to.
        let plan = plan(&deep(shop(json!({}))));
        assert!(plan.contains("created_ms<?"), "{plan}");
        // Texts that begin alike stand side by side.
        let alike = super::tests::plan(&shop(json!({"buyer_id": "^b1"})));
        assert!(
            alike.contains("payment_buyer_id (domain=? AND buyer_id>? AND buyer_id<?)"),
            "{alike}"
        );
    }
}
