//! The table `audit`.

use super::row::{Columns, integer};
use crate::store::audit::{Kind, Together};
use crate::store::link::{Link, Value, all_rows, params};
use crate::store::{AuditLine, AuditOf, StoreError};

pub(in crate::store) fn add(link: &dyn Link, line: &AuditLine) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit (at_ms, refused, who, key, domain, test, source, what, about, status, code, times) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let at = integer(line.at_ms)?;
    let (status, times) = (i64::from(line.status), i64::from(line.times));
    let values = params![
        at,
        line.refused,
        line.who,
        line.key,
        line.domain,
        line.test,
        line.source,
        line.what,
        line.about,
        status,
        line.code,
        times,
    ];
    link.execute(sql, &values).map(drop)
}

/// Lets go of all but the newest of the lines that are counted together.
pub(in crate::store) fn keep(
    link: &dyn Link,
    together: &Together,
    newest: u32,
) -> Result<(), StoreError> {
    let of_kind = match together.kind {
        Kind::Settings => "NOT refused AND what NOT LIKE '% /pay/ajax/%'",
        Kind::Payments => "NOT refused AND what LIKE '% /pay/ajax/%'",
        Kind::Refused => "refused AND who <> 'nobody'",
        Kind::Nobody => "refused AND who = 'nobody'",
    };
    let (of_domain, domain) = match &together.domain {
        Some(domain) => ("domain = ?3", Value::Text(domain)),
        None => ("domain IS NULL AND ?3 = ''", Value::Text("")),
    };
    let those = format!("{of_kind} AND {of_domain} AND test = ?2");
    let sql = format!(
        "DELETE FROM audit WHERE {those} AND seq <= \
        (SELECT seq FROM audit WHERE {those} ORDER BY seq DESC LIMIT 1 OFFSET ?1)"
    );
    let newest = Value::Integer(newest.into());
    link.execute(&sql, &[newest, Value::Bool(together.test), domain])
        .map(drop)
}

/// The newest first.
pub(in crate::store) fn list(link: &dyn Link, of: &AuditOf) -> Result<Vec<AuditLine>, StoreError> {
    let mut sql = "SELECT seq, at_ms, refused, who, key, domain, test, source, what, about, status, code, times \
        FROM audit WHERE TRUE"
        .to_owned();
    let (since, until) = (integer(of.since_ms)?, integer(of.until_ms)?);
    let (before, limit) = (integer(of.before)?, i64::from(of.limit));
    let mut values: Vec<Value<'_>> = Vec::new();
    let mut add = |condition: &str, value| {
        values.push(value);
        sql += &format!(" AND {condition} ?{}", values.len());
    };
    if let Some(domain) = &of.domain {
        add("domain =", Value::Text(domain));
    }
    if let Some(refused) = of.refused {
        add("refused =", Value::Bool(refused));
    }
    if let Some(who) = &of.who {
        add("who =", Value::Text(who));
    }
    if let Some(code) = &of.code {
        add("code =", Value::Text(code));
    }
    if of.test_only {
        add("test =", Value::Bool(true));
    }
    if since > 0 {
        add("at_ms >=", Value::Integer(since));
    }
    if until > 0 {
        add("at_ms <", Value::Integer(until));
    }
    if before > 0 {
        add("seq <", Value::Integer(before));
    }
    values.push(Value::Integer(limit));
    sql += &format!(" ORDER BY seq DESC LIMIT ?{}", values.len());
    all_rows(link, &sql, &values, decode)
}

fn decode(columns: &mut Columns<'_>) -> Result<AuditLine, StoreError> {
    Ok(AuditLine {
        seq: columns.unsigned()?,
        at_ms: columns.unsigned()?,
        refused: columns.next()?,
        who: columns.next()?,
        key: columns.next()?,
        domain: columns.next()?,
        test: columns.next()?,
        source: columns.next()?,
        what: columns.next()?,
        about: columns.next()?,
        status: columns.next()?,
        code: columns.next()?,
        times: columns.next()?,
    })
}
