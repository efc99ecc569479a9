//! Questions for payments, as SQL. Values are always bound; only names from this file become text.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::payment::{COLUMNS, decode};
use crate::payment::model::Payment;
use crate::store::{Column, Find, FindError, Operand, Order, StoreError};

/// Answers a question that was checked.
pub(in crate::store) fn payments(
    connection: &Connection,
    query: &Find,
) -> Result<Vec<Payment>, StoreError> {
    let question = Question::of(query);
    let mut statement = connection.prepare_cached(&question.sql)?;
    let mut rows = statement.query(params_from_iter(question.values))?;
    let mut payments = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        bytes += text_bytes(row);
        if bytes > Find::MAX_BYTES {
            return Err(FindError::TooLarge.into());
        }
        payments.push(decode(row)?.1);
    }
    Ok(payments)
}

/// Of the row's texts, before they are copied.
fn text_bytes(row: &Row<'_>) -> usize {
    let texts = (0..).map_while(|column| row.get_ref(column).ok());
    texts.map(|value| value.as_str().map_or(0, str::len)).sum()
}

/// How many payments the question has in all, whatever its limit.
pub(in crate::store) fn count(connection: &Connection, query: &Find) -> Result<u64, StoreError> {
    let question = Question::filtered("count(*)", query);
    let mut statement = connection.prepare_cached(&question.sql)?;
    let count: i64 = statement.query_row(params_from_iter(question.values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

struct Question {
    sql: String,
    values: Vec<Value>,
}

impl Question {
    fn of(query: &Find) -> Question {
        let mut question = Question::filtered(COLUMNS, query);
        question.sort(&query.sort);
        question.sql.push_str(" LIMIT ? OFFSET ?");
        question.values.push(Value::Integer(query.limit.into()));
        question.values.push(Value::Integer(query.skip.into()));
        question
    }

    fn filtered(what: &str, query: &Find) -> Question {
        let mut question = Question {
            sql: format!("SELECT {what} FROM payment WHERE true"),
            values: Vec::new(),
        };
        if let Some(domain) = &query.domain {
            question.sql.push_str(" AND domain = ?");
            question.values.push(Value::Text(domain.clone()));
        }
        if !query.states.is_empty() {
            let states = query.states.iter();
            let words = states
                .map(|state| Operand::Text(state.as_str().to_owned()))
                .collect();
            question.any_of(Column::State, &words);
        }
        for (column, values) in &query.equals {
            question.any_of(*column, values);
        }
        question
    }

    fn any_of(&mut self, column: Column, values: &Vec<Operand>) {
        let name = sql(column);
        let mut ways = Vec::new();
        let mut bound = 0;
        let mut empty = false;
        for value in values {
            match value {
                Operand::Null => ways.push(format!("{name} IS NULL")),
                Operand::Text(text) => {
                    bound += 1;
                    empty |= text.is_empty();
                    self.values.push(Value::Text(text.clone()));
                }
                Operand::Integer(number) => {
                    bound += 1;
                    self.values.push(Value::Integer(*number));
                }
            }
        }
        match bound {
            0 => {}
            1 => ways.push(format!("{name} = ?")),
            _ => ways.push(format!("{name} IN ({})", vec!["?"; bound].join(", "))),
        }
        // An empty list has no value that would do.
        let ways = if ways.is_empty() {
            "false".to_owned()
        } else {
            ways.join(" OR ")
        };
        self.sql.push_str(&format!(" AND ({ways})"));
        // The indexes by buyer leave out unknown ones; SQLite takes them only when the question says so too.
        if matches!(column, Column::BuyerId | Column::BuyerName) && !empty {
            self.sql.push_str(&format!(" AND {name} <> ''"));
        }
    }

    /// The last key makes the order total, and goes the way of the first, as the indexes do.
    fn sort(&mut self, keys: &[(Column, Order)]) {
        let newest = [(Column::Created, Order::Descending)];
        let keys = if keys.is_empty() { &newest } else { keys };
        let last = keys.first().map_or(Order::Descending, |(_, order)| *order);
        self.sql.push_str(" ORDER BY ");
        for (column, order) in keys {
            self.sql
                .push_str(&format!("{} {}, ", sql(*column), direction(*order)));
        }
        self.sql.push_str(&format!("seq {}", direction(last)));
    }
}

fn direction(order: Order) -> &'static str {
    match order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    }
}

fn sql(column: Column) -> &'static str {
    match column {
        Column::Tp => "'wn_payment'",
        Column::Id => "id",
        Column::State => "state",
        Column::FailWhy => "fail_why",
        Column::Held => "(hold IS NOT NULL)",
        Column::Late => "late",
        Column::Test => "test",
        Column::Brief => "brief",
        Column::Fee => "fee_minor",
        Column::Currency => "currency",
        Column::Price => "price_minor",
        Column::PayType => "pay_type",
        Column::Target => "target",
        Column::Presentation => "presentation",
        Column::Created => "created_ms",
        Column::Changed => "changed_ms",
        Column::Sent => "sent_ms",
        Column::Closed => "closed_ms",
        Column::Applied => "applied_ms",
        Column::Expires => "expires_ms",
        Column::BuyerTp => "buyer_tp",
        Column::BuyerId => "buyer_id",
        Column::BuyerName => "buyer_name",
        Column::SellerId => "domain_id",
        Column::SellerName => "domain",
        Column::Len => "coalesce(callback_len, 0)",
        Column::Callback => "callback_name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::model::State;
    use crate::store::sqlite::schema;

    fn plan(query: &Find) -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        let question = Question::of(query);
        let sql = format!("EXPLAIN QUERY PLAN {}", question.sql);
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map(params_from_iter(question.values), |row| row.get(3));
        rows.unwrap()
            .collect::<Result<Vec<String>, _>>()
            .unwrap()
            .join("; ")
    }

    #[test]
    fn what_owners_ask_for_is_answered_by_an_index_and_never_sorted() {
        let text = |text: &str| vec![Operand::Text(text.to_owned())];
        let shop = || Find::new(Some("shop".to_owned()));
        let by = |column| Find {
            sort: vec![(column, Order::Descending)],
            ..shop()
        };
        let ok = |find| Find {
            states: vec![State::Ok],
            ..find
        };
        for (query, index) in [
            (shop(), "payment_created"),
            (by(Column::Changed), "payment_changed"),
            (ok(shop()), "payment_state_created"),
            (ok(by(Column::Changed)), "payment_state_changed"),
            (
                Find {
                    equals: vec![(Column::Brief, text("tea"))],
                    ..shop()
                },
                "payment_brief",
            ),
            (
                Find {
                    equals: vec![(Column::BuyerId, text("b1"))],
                    ..shop()
                },
                "payment_buyer_id",
            ),
            (
                Find {
                    equals: vec![(Column::BuyerName, text("x"))],
                    ..shop()
                },
                "payment_buyer_name",
            ),
            (Find::new(None), "payment_all_created"),
            (
                Find {
                    domain: None,
                    ..by(Column::Changed)
                },
                "payment_all_changed",
            ),
        ] {
            let plan = plan(&query);
            assert!(plan.contains(&format!("INDEX {index}")), "{index}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
