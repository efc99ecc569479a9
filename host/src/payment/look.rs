//! Looking: `get`, `query`, `history`, and the bound callback.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{BoundCallback, Case, Change, Payment, PaymentId};
use super::{Payments, now_ms};
use crate::store::{Clock, Column, Cursor, Find, FindError, Order, Span, Sum};

/// What `query` is asked.
pub struct Question<'a> {
    /// Names and what their values have to be like.
    pub matching: &'a Map<String, Value>,
    /// The time zone in which days begin.
    pub zone: TimeZone,
    /// `lm:-1,fee:1`
    pub sort: Option<&'a str>,
    /// How many to pass over.
    pub skip: Option<u32>,
    /// Where an earlier answer ended; empty for the beginning of an answer that says where it ends.
    pub after: Option<&'a str>,
    /// How many at most.
    pub limit: Option<u32>,
    /// Whether to count all that there are.
    pub count: bool,
}

/// What `query` found.
pub struct Found {
    /// In the order that was asked for.
    pub payments: Vec<Payment>,
    /// How many were passed over.
    pub skip: u32,
    /// How many there are at most.
    pub limit: u32,
    /// How many there are in all, when that was asked.
    pub total: Option<u64>,
    /// Where to go on from, when that was asked and there may be more.
    pub next: Option<Cursor>,
}

impl Payments {
    /// One payment. While it waits, whoever looks at it is taken to watch it: the platform is asked soon.
    pub async fn get(&self, caller: &Caller, id: PaymentId) -> Result<Payment> {
        let case = self.case_for(caller, Act::Read, id).await?;
        self.watched(caller, &case).await;
        Ok(case.payment)
    }

    /// One payment with its attempts and refunds, for its owner.
    pub async fn case(&self, caller: &Caller, id: PaymentId) -> Result<Case> {
        self.case_for(caller, Act::Inspect, id).await
    }

    /// Every change of a payment, the earliest first.
    pub async fn history(&self, caller: &Caller, id: PaymentId) -> Result<Vec<Change>> {
        self.case_for(caller, Act::Inspect, id).await?;
        Ok(self.0.store.history(id).await?)
    }

    /// The content of the callback that the payment was created with; `None` when it has none. A test payment may be bound
    /// to a live callback: that is not for a test key to read.
    pub async fn content(&self, caller: &Caller, id: PaymentId) -> Result<Option<Arc<Vec<u8>>>> {
        let case = self.case_for(caller, Act::Inspect, id).await?;
        let Some(bound) = case.payment.callback else {
            return Ok(None);
        };
        if caller.is_test_key() && self.is_live_alone(&case.payment.domain, &bound).await? {
            return Err(PayError::no_callback("no callback of this name"));
        }
        Ok(self.0.store.content(bound.digest).await?)
    }

    /// Whether a live callback of this name has, or had, this content, and none of test payments.
    async fn is_live_alone(&self, domain: &str, bound: &BoundCallback) -> Result<bool> {
        let home = self.0.home.home(domain)?;
        for test in [true, false] {
            let versions = home.callback_versions(test, &bound.name).await?;
            if versions.iter().any(|kept| kept.sha256 == bound.digest) {
                return Ok(!test);
            }
        }
        Ok(false)
    }

    /// Payments of a span of time in sums, of the caller's domain; the operator may name one, or sum all. A test key sums
    /// test payments.
    pub async fn summary(&self, caller: &Caller, asked: Span) -> Result<Vec<Sum>> {
        const MOST_STEPS: u64 = 1_000;
        let length = asked.created.end.saturating_sub(asked.created.start);
        if asked.step_ms == 0 || length.div_ceil(asked.step_ms.max(1)) > MOST_STEPS {
            return Err(PayError::invalid(format!(
                "from, until and step are milliseconds, with at most {MOST_STEPS} steps in between"
            )));
        }
        let span = match caller {
            Caller::Root | Caller::Op => asked,
            Caller::Domain { name, test, .. } => Span {
                domain: Some(name.clone()),
                test: if *test { Some(true) } else { asked.test },
                ..asked
            },
            Caller::Ticket(_) => {
                return Err(PayError::no_privilege(
                    "a ticket is good for one payment: use get",
                ));
            }
        };
        Ok(self.0.store.summary(span).await?)
    }

    /// Payments that are like the question says, by default the ten latest. A domain finds its own only; a test key finds
    /// test payments only.
    pub async fn query(&self, caller: &Caller, question: &Question<'_>) -> Result<Found> {
        let mut find = Find::new(None);
        let clock = Clock::at(i64::try_from(now_ms()).unwrap_or(0), question.zone.clone());
        find.matching(question.matching, &clock).map_err(refused)?;
        match caller {
            Caller::Root | Caller::Op => {}
            Caller::Domain { name, test, .. } => {
                find.domain = Some(name.clone());
                if *test {
                    find.test(true);
                }
            }
            Caller::Ticket(_) => {
                return Err(PayError::no_privilege(
                    "a ticket is good for one payment: use get",
                ));
            }
        }
        if let Some(sort) = question.sort.map(str::trim).filter(|sort| !sort.is_empty()) {
            find.sort = sort.split(',').map(read_sort).collect::<Result<_>>()?;
        }
        find.skip = question.skip.unwrap_or(0);
        if let Some(after) = question
            .after
            .map(str::trim)
            .filter(|after| !after.is_empty())
        {
            find.after = Some(Cursor::parse(after).map_err(refused)?);
        }
        find.limit = question.limit.unwrap_or(Find::DEFAULT_LIMIT);
        find.check().map_err(refused)?;
        let total = match question.count {
            true => Some(self.0.store.count(find.clone()).await?),
            false => None,
        };
        let payments = self.0.store.find(find.clone()).await?;
        let next = match (question.after, payments.last()) {
            (Some(_), Some(last)) if payments.len() == find.limit as usize => {
                Some(find.cursor(last).map_err(refused)?)
            }
            _ => None,
        };
        Ok(Found {
            payments,
            skip: find.skip,
            limit: find.limit,
            total,
            next,
        })
    }
}

fn read_sort(part: &str) -> Result<(Column, Order)> {
    let (name, direction) = part.split_once(':').unwrap_or((part, "1"));
    let column = Column::parse(name.trim()).map_err(refused)?;
    match direction.trim() {
        "1" => Ok((column, Order::Ascending)),
        "-1" => Ok((column, Order::Descending)),
        other => Err(PayError::invalid(format!(
            "sort by {name}:1 or {name}:-1, not {:?}",
            other.chars().take(16).collect::<String>()
        ))),
    }
}

fn refused(error: FindError) -> PayError {
    PayError::invalid(error.to_string())
}
