//! Sentences that hold between the rows of a sound store.

use std::ops::ControlFlow;

use super::row::Columns;
use crate::payment::model::Digest;
use crate::store::link::{Link, Value, all_rows, one_row};
use crate::store::{Checked, StoreError};

/// More of one kind are counted, not told one by one.
const TOLD: usize = 20;

/// Sentences that hold in a sound store, each with the SQL that finds what breaks it.
const RULES: [(&str, &str); 6] = [
    (
        "the last line of the history tells another state than the payment",
        "SELECT payment.id FROM payment JOIN history ON history.payment = payment.seq \
         WHERE history.line = (SELECT max(line) FROM history WHERE payment = payment.seq) \
         AND history.to_state <> payment.state",
    ),
    (
        "a payment has no history",
        "SELECT id FROM payment WHERE NOT EXISTS \
         (SELECT 1 FROM history WHERE history.payment = payment.seq)",
    ),
    (
        "a payment is OK and has a callback, and its delivery is missing",
        "SELECT id FROM payment WHERE state = 'OK' AND callback_name IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM delivery WHERE delivery.payment = payment.seq)",
    ),
    (
        "a delivery is done and its payment not applied, or the other way round",
        "SELECT payment.id FROM payment JOIN delivery ON delivery.payment = payment.seq \
         WHERE (delivery.state = 'DONE') <> (payment.applied_ms > 0)",
    ),
    (
        "more was given back than the payment says",
        "SELECT payment.id FROM payment JOIN refund ON refund.payment = payment.seq \
         WHERE refund.state = 'OK' AND refund.cause <> 'EXTRA' GROUP BY payment.seq \
         HAVING sum(refund.amount_minor) > payment.refunded_minor",
    ),
    (
        "the bytes of a domain's data are counted wrongly",
        "SELECT kv_space.domain FROM kv_space WHERE bytes <> \
         (SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0) FROM kv \
          WHERE kv.domain = kv_space.domain AND kv.test = kv_space.test)",
    ),
];

/// Looks through all rows.
pub(in crate::store) fn check(link: &dyn Link) -> Result<Checked, StoreError> {
    let payments = one_row(link, "SELECT count(*) FROM payment", &[], |row| {
        row.unsigned()
    })?;
    let mut checked = Checked {
        payments: payments.unwrap_or(0),
        problems: Vec::new(),
    };
    for (rule, sql) in RULES {
        let broken = all_rows(link, sql, &[], |row| row.next())?;
        checked.tell(rule, broken);
    }
    for (what, sql) in [
        ("a statement", "SELECT digest, text FROM statement"),
        (
            "a callback's content",
            "SELECT digest, bytes FROM content_bytes",
        ),
    ] {
        let broken = digests(link, sql)?;
        let rule = format!("the digest of {what} is not that of its bytes");
        checked.tell(&rule, broken);
    }
    Ok(checked)
}

impl Checked {
    /// Adds what breaks a rule.
    pub(in crate::store) fn tell(&mut self, rule: &str, broken: Vec<String>) {
        let count = broken.len();
        self.problems.extend(
            broken
                .into_iter()
                .take(TOLD)
                .map(|what| format!("{rule}: {what}")),
        );
        if count > TOLD {
            self.problems.push(format!("{rule}: {} more", count - TOLD));
        }
    }
}

/// Rows whose bytes are not those that their digest is of.
fn digests(link: &dyn Link, sql: &str) -> Result<Vec<String>, StoreError> {
    let mut broken = Vec::new();
    link.each_row(sql, &[], &mut |row| {
        let digest = Columns::of(row).digest()?;
        let Value::Bytes(bytes) = row.value(1)? else {
            return Err(StoreError::Corrupt(format!("{digest} has no bytes")));
        };
        if Digest::of(bytes) != digest {
            broken.push(digest.to_string());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(broken)
}
