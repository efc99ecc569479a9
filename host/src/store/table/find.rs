//! Payments that a question asks for.

use std::ops::ControlFlow;

use serde_json::Map;

use super::field_key;
use super::payment::{self, COLUMNS, decode};
use super::question::{Question, Rest, sql};
use super::row::Columns;
use crate::payment::model::Payment;
use crate::store::StoreError;
use crate::store::find::{Cell, Column, Find, FindError, Sight};
use crate::store::link::{Link, Row, Value, one_row, params};

/// Answers a question that was checked.
pub(in crate::store) fn payments(
    link: &dyn Link,
    query: &Find,
) -> Result<Vec<Payment>, StoreError> {
    let question = asked(link, query)?;
    let (skip, limit) = (query.skip as usize, query.limit as usize);
    let Some(rest) = &question.rest else {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE {}{} LIMIT {limit} OFFSET {skip}",
            question.from, question.filter, question.order
        );
        let mut answer = Answer::default();
        link.each_row(&sql, &question.bound(), &mut |row| answer.add(row))?;
        return Ok(answer.payments);
    };
    // What stands at the top of the order is looked at first, by what the condition needs of it; only those for which it
    // holds are read in full.
    let mut found = Vec::new();
    let mut left_out = 0;
    each(link, &question, rest, &mut |seq| {
        if left_out < skip {
            left_out += 1;
        } else {
            found.push(seq);
        }
        found.len() < limit
    })?;
    let sql = format!("SELECT {COLUMNS} FROM payment WHERE seq = ?1");
    let mut answer = Answer::default();
    for seq in found {
        link.each_row(&sql, &params![seq], &mut |row| answer.add(row))?;
    }
    Ok(answer.payments)
}

/// How many payments the question has in all, whatever its limit.
pub(in crate::store) fn count(link: &dyn Link, query: &Find) -> Result<u64, StoreError> {
    let everything = Find {
        after: None,
        ..query.clone()
    };
    let question = asked(link, &everything)?;
    let Some(rest) = &question.rest else {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {}",
            question.from, question.filter
        );
        let count = one_row(link, &sql, &question.bound(), |row| row.unsigned())?;
        return Ok(count.unwrap_or(0));
    };
    let mut count = 0;
    each(link, &question, rest, &mut |_| {
        count += 1;
        true
    })?;
    Ok(count)
}

fn asked(link: &dyn Link, query: &Find) -> Result<Question, StoreError> {
    let keys = field_key::leading(link, query)?;
    let Some(cursor) = &query.after else {
        return Ok(Question::of(query, None, keys, link.dialect()));
    };
    let seq = payment::seq(link, cursor.id)?;
    let seq = seq.ok_or(FindError::Cursor)?;
    Ok(Question::of(query, Some(seq), keys, link.dialect()))
}

/// Gives the short key of every row for which the rest of the condition holds, until `wanted` wants no more.
fn each(
    link: &dyn Link,
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
        "SELECT seq{fields}{columns} FROM {} WHERE {}{}",
        question.from, question.filter, question.order
    );
    link.each_row(&sql, &question.bound(), &mut |row| {
        let sight = RowSight::of(row, rest)?;
        if rest.condition.holds(&sight) && !wanted(Columns::of(row).next()?) {
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// A row as a condition looks at it.
struct RowSight<'r> {
    row: &'r dyn Row,
    columns: &'r [Column],
    /// Columns before the first of `columns`.
    before: usize,
    fields: [Map<String, serde_json::Value>; 2],
}

impl<'r> RowSight<'r> {
    fn of(row: &'r dyn Row, rest: &'r Rest) -> Result<RowSight<'r>, StoreError> {
        let mut columns = Columns::of(row);
        columns.next::<i64>()?;
        let (before, fields) = match rest.fields {
            true => (3, [columns.json()?, columns.json()?]),
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
        let value = place.and_then(|place| self.row.value(self.before + place).ok());
        match value {
            Some(Value::Integer(number)) => Cell::Integer(number),
            Some(Value::Bool(flag)) => Cell::Integer(flag.into()),
            Some(Value::Text(text)) => Cell::Text(text.into()),
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
    fn add(&mut self, row: &dyn Row) -> Result<ControlFlow<()>, StoreError> {
        self.bytes += text_bytes(row);
        if self.bytes > Find::MAX_BYTES {
            return Err(FindError::TooLarge.into());
        }
        self.payments.push(decode(&mut Columns::of(row))?.1);
        Ok(ControlFlow::Continue(()))
    }
}

/// Of the row's texts, before they are copied.
fn text_bytes(row: &dyn Row) -> usize {
    let values = (0..).map_while(|column| row.value(column).ok());
    values
        .map(|value| match value {
            Value::Text(text) => text.len(),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::payment::model::{State, test_payment};
    use crate::store::find::{Clock, Order};
    use crate::store::link::Dialect;
    use crate::store::sqlite;

    fn plan(query: &Find) -> String {
        let seq = query.after.as_ref().map(|_| 7);
        planned(&Question::of(query, seq, None, Dialect::Sqlite))
    }

    fn planned(question: &Question) -> String {
        sqlite::plan(&format!(
            "SELECT {COLUMNS} FROM {} WHERE {}{} LIMIT 10",
            question.from, question.filter, question.order
        ))
    }

    #[test]
    fn what_keys_lead_to_is_looked_up_and_not_met_on_the_way() {
        let query = Find::new(Some("shop".to_owned()));
        let question = Question::of(&query, None, Some([1, 2]), Dialect::Sqlite);
        let plan = planned(&question);
        assert!(
            plan.contains("SEARCH payment USING INTEGER PRIMARY KEY (rowid=?)")
                && plan.contains("SEARCH field_key USING PRIMARY KEY (key=?)"),
            "{plan}"
        );
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
