//! Questions for payments, as SQL. Values are always bound; only names from this file become text.
//!
//! What SQL cannot say (a regular expression, what callers added) it narrows as far as it can, and the rest is looked at
//! row by row.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::store::find::{
    Absent, Column, Condition, Cursor, Find, Interval, Operand, Order, Subject, Test,
};
use crate::store::link::{Bind, Dialect, Value};

/// A value for a question mark.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Owned {
    Text(String),
    Integer(i64),
    Flag(bool),
}

impl Bind for Owned {
    fn bind(&self) -> Value<'_> {
        match self {
            Owned::Text(text) => text.bind(),
            Owned::Integer(number) => number.bind(),
            Owned::Flag(flag) => flag.bind(),
        }
    }
}

/// A question as SQL, from `WHERE` on.
pub(super) struct Question {
    /// The table that is read, with how.
    pub(super) from: &'static str,
    /// The condition, with a numbered question mark for each value.
    pub(super) filter: String,
    /// What stands for the question marks, in order.
    values: Vec<Owned>,
    /// `ORDER BY …`
    pub(super) order: String,
    /// What has to be looked at besides, for each row.
    pub(super) rest: Option<Rest>,
}

/// What SQL leaves open.
pub(super) struct Rest {
    pub(super) condition: Condition,
    /// The columns that it looks at.
    pub(super) columns: Vec<Column>,
    /// Whether it looks at what is no column.
    pub(super) fields: bool,
}

impl Question {
    /// `last_seq` is the short key of the payment at the cursor; `keys` lead to the few payments that are in question.
    pub(super) fn of(
        query: &Find,
        last_seq: Option<i64>,
        keys: Option<[i64; 2]>,
        dialect: Dialect,
    ) -> Question {
        let mut all = vec![];
        if let Some(keys) = keys {
            let sql = "seq IN (SELECT payment FROM field_key WHERE key IN (?, ?))";
            all.push(Part::exact(sql, keys.map(Owned::Integer).to_vec()));
        }
        if let Some(domain) = &query.domain {
            all.push(equal(Column::SellerName, &Operand::Text(domain.clone())));
        }
        if !query.states.is_empty() {
            let words = query
                .states
                .iter()
                .map(|state| Operand::Text(state.as_str().to_owned()));
            all.push(any_of(Column::State, &words.collect::<Vec<_>>()));
        }
        let condition = part(&query.condition, dialect);
        let exact = condition.exact;
        all.push(condition);
        if let (Some(cursor), Some(seq)) = (&query.after, last_seq) {
            all.push(behind(cursor, query.order(), seq));
        }
        let whole = join(all, " AND ", "true");
        let rest = (!exact).then(|| {
            let mut columns = BTreeSet::new();
            let fields = query.condition.looks_at(&mut columns);
            Rest {
                condition: query.condition.clone(),
                columns: columns.into_iter().collect(),
                fields,
            }
        });
        Question {
            // Otherwise SQLite reads along an index until it meets the few.
            from: match (keys, dialect) {
                (Some(_), Dialect::Sqlite) => "payment NOT INDEXED",
                _ => "payment",
            },
            filter: numbered(&whole.sql),
            values: whole.values,
            order: order(query.order()),
            rest,
        }
    }

    /// The values as a statement takes them.
    pub(super) fn bound(&self) -> Vec<Value<'_>> {
        self.values.iter().map(Bind::bind).collect()
    }
}

/// Counts the question marks. None stands in a text: what is not from this file is a value.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (number, part) in (1..).zip(parts) {
        text.push_str(&format!("?{number}{part}"));
    }
    text
}

/// A condition in SQL that is true for every row for which the condition holds, and when it is `exact` for no other.
struct Part {
    sql: String,
    values: Vec<Owned>,
    exact: bool,
}

impl Part {
    fn exact(sql: impl Into<String>, values: Vec<Owned>) -> Part {
        Part {
            sql: sql.into(),
            values,
            exact: true,
        }
    }

    fn open() -> Part {
        Part {
            exact: false,
            ..Part::exact("true", Vec::new())
        }
    }
}

fn join(parts: Vec<Part>, word: &str, empty: &str) -> Part {
    let exact = parts.iter().all(|part| part.exact);
    let told: Vec<&Part> = match word {
        // What says nothing needs no place.
        " AND " => parts.iter().filter(|part| part.sql != "true").collect(),
        _ => parts.iter().collect(),
    };
    let sql = match told.as_slice() {
        [] => empty.to_owned(),
        [one] => one.sql.clone(),
        several => {
            let each: Vec<&str> = several.iter().map(|part| part.sql.as_str()).collect();
            format!("({})", each.join(word))
        }
    };
    let values = told.iter().flat_map(|part| part.values.clone()).collect();
    Part { sql, values, exact }
}

fn part(condition: &Condition, dialect: Dialect) -> Part {
    let parts_of = |parts: &[Condition]| parts.iter().map(|one| part(one, dialect)).collect();
    match condition {
        Condition::All(parts) => join(parts_of(parts), " AND ", "true"),
        Condition::Any(parts) => match values_of_one(parts) {
            Some((column, values)) => any_of(column, &values),
            None => join(parts_of(parts), " OR ", "false"),
        },
        Condition::Not(inner) => match part(inner, dialect) {
            Part {
                sql,
                values,
                exact: true,
            } => Part::exact(format!("NOT {sql}"), values),
            _ => Part::open(),
        },
        Condition::Is(Subject::Field(_), test) => field(test, dialect),
        Condition::Is(Subject::Column(column), test) => match test {
            Test::Given => given(*column),
            Test::Equal(operand) => equal(*column, operand),
            Test::Within(interval) => within(*column, interval),
            Test::Like(pattern) => beginning(*column, pattern.prefix()),
        },
    }
}

/// When all are equalities of one column: an index answers a list at once.
fn values_of_one(parts: &[Condition]) -> Option<(Column, Vec<Operand>)> {
    let one = |part: &Condition| match part {
        Condition::Is(Subject::Column(column), Test::Equal(operand)) => {
            Some((*column, operand.clone()))
        }
        _ => None,
    };
    let (column, _) = parts.first().and_then(one)?;
    let values: Option<Vec<Operand>> = parts
        .iter()
        .map(|part| {
            one(part)
                .filter(|(other, _)| *other == column)
                .map(|(_, value)| value)
        })
        .collect();
    values.map(|values| (column, values))
}

fn given(column: Column) -> Part {
    let name = sql(column);
    Part::exact(
        match column.absent() {
            Absent::Never => "true".to_owned(),
            Absent::Null => format!("({name} IS NOT NULL)"),
            Absent::Empty => format!("({name} <> '')"),
            Absent::Zero => format!("({name} <> 0)"),
        },
        Vec::new(),
    )
}

fn equal(column: Column, operand: &Operand) -> Part {
    any_of(column, std::slice::from_ref(operand))
}

fn any_of(column: Column, operands: &[Operand]) -> Part {
    let values: Vec<Owned> = operands
        .iter()
        .filter_map(|one| value(column, one))
        .collect();
    let name = sql(column);
    let equal = match values.len() {
        0 => return Part::exact("false", values),
        1 => format!("{name} = ?"),
        many => format!("{name} IN ({})", vec!["?"; many].join(", ")),
    };
    let empty = values.contains(&Owned::Text(String::new()));
    Part::exact(
        match column.absent() {
            // NULL is neither equal nor unequal in SQL.
            Absent::Null => format!("({name} IS NOT NULL AND {equal})"),
            // The indexes by buyer leave out unknown ones; SQLite takes them only when the question says so too.
            Absent::Empty if !empty => format!("({equal} AND {name} <> '')"),
            _ if values.len() == 1 => format!("({equal})"),
            _ => equal,
        },
        values,
    )
}

fn value(column: Column, operand: &Operand) -> Option<Owned> {
    match operand {
        Operand::Integer(number) if column.is_flag() => Some(Owned::Flag(*number != 0)),
        Operand::Text(text) => Some(Owned::Text(text.clone())),
        Operand::Integer(number) => Some(Owned::Integer(*number)),
        // No column holds one.
        Operand::Json(_) => None,
    }
}

fn within(column: Column, interval: &Interval) -> Part {
    let name = match column.is_flag() {
        true => format!("CAST(CAST({} AS integer) AS bigint)", sql(column)),
        false => sql(column).to_owned(),
    };
    let mut ends = Vec::new();
    let mut values = Vec::new();
    for (bound, closed, open) in [(interval.low, ">=", ">"), (interval.high, "<=", "<")] {
        let (end, sign) = match bound {
            Bound::Unbounded => continue,
            Bound::Included(end) => (end, closed),
            Bound::Excluded(end) => (end, open),
        };
        ends.push(format!("{name} {sign} ?"));
        values.push(Owned::Integer(end));
    }
    if column.absent() == Absent::Null || ends.is_empty() {
        ends.insert(0, format!("{name} IS NOT NULL"));
    }
    Part::exact(format!("({})", ends.join(" AND ")), values)
}

/// Texts that begin with this, in the order of their bytes.
fn beginning(column: Column, prefix: &str) -> Part {
    let name = sql(column);
    if prefix.is_empty() {
        return Part::open();
    }
    let mut sql = format!("{name} >= ?");
    let mut values = vec![Owned::Text(prefix.to_owned())];
    if let Some(behind) = next_text(prefix) {
        sql.push_str(&format!(" AND {name} < ?"));
        values.push(Owned::Text(behind));
    }
    if matches!(column, Column::BuyerId | Column::BuyerName) {
        sql.push_str(&format!(" AND {name} <> ''"));
    }
    Part {
        sql: format!("({sql})"),
        values,
        exact: false,
    }
}

/// The first text behind all that begin with this one.
fn next_text(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The surrogates are no characters.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// What callers added is JSON: a text in it that has no need of escapes stands there as it is.
fn field(test: &Test, dialect: Dialect) -> Part {
    match test {
        Test::Equal(Operand::Text(text))
            if text
                .chars()
                .all(|c| c != '"' && c != '\\' && !c.is_control()) =>
        {
            let quoted = Owned::Text(format!("\"{text}\""));
            let place = match dialect {
                Dialect::Sqlite => "instr",
                Dialect::Postgres => "strpos",
            };
            Part {
                sql: format!("({place}(meta, ?) > 0 OR {place}(platforms, ?) > 0)"),
                values: vec![quoted.clone(), quoted],
                exact: false,
            }
        }
        _ => Part::open(),
    }
}

/// Rows behind a place. The first comparison leads into the index; the rest divides equal rows.
fn behind(cursor: &Cursor, order: &[(Column, Order)], seq: i64) -> Part {
    let signs = |order: Order| match order {
        Order::Ascending => (">", ">="),
        Order::Descending => ("<", "<="),
    };
    let (last, _) = signs(last_order(order));
    let mut sql_text = format!("seq {last} ?");
    let mut values = vec![Owned::Integer(seq)];
    for ((column, order), operand) in order.iter().zip(&cursor.values).rev() {
        let name = sql(*column);
        let (strictly, _) = signs(*order);
        sql_text = format!("({name} {strictly} ? OR ({name} = ? AND {sql_text}))");
        let value = value(*column, operand).unwrap_or(Owned::Integer(0));
        values.splice(0..0, [value.clone(), value]);
    }
    if let (Some((column, order)), Some(first)) = (order.first(), values.first().cloned()) {
        let (_, or_equal) = signs(*order);
        sql_text = format!("({} {or_equal} ? AND {sql_text})", sql(*column));
        values.insert(0, first);
    }
    Part::exact(sql_text, values)
}

/// The last key makes the order total, and goes the way of the first, as the indexes do.
fn order(keys: &[(Column, Order)]) -> String {
    let mut text = " ORDER BY ".to_owned();
    // PostgreSQL takes no constant here.
    for (column, order) in keys.iter().filter(|(column, _)| *column != Column::Tp) {
        text.push_str(&format!("{} {}, ", sql(*column), direction(*order)));
    }
    text.push_str(&format!("seq {}", direction(last_order(keys))));
    text
}

fn last_order(keys: &[(Column, Order)]) -> Order {
    keys.first().map_or(Order::Descending, |(_, order)| *order)
}

fn direction(order: Order) -> &'static str {
    match order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    }
}

/// The column's expression.
pub(super) fn sql(column: Column) -> &'static str {
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
        Column::Refunded => "refunded_minor",
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
