//! Looking: `get`, `query`, `history`, and the bound callback.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Payments;
use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{Case, Change, Payment, PaymentId};
use crate::store::{Column, Find, FindError, Order};

/// What `query` is asked.
pub struct Question<'a> {
    /// Columns and the values that they must equal; a list is any-of.
    pub matching: &'a Map<String, Value>,
    /// `lm:-1,fee:1`
    pub sort: Option<&'a str>,
    /// How many to pass over.
    pub skip: Option<u32>,
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

    /// The content of the callback that the payment was created with; `None` when it has none.
    pub async fn content(&self, caller: &Caller, id: PaymentId) -> Result<Option<Arc<Vec<u8>>>> {
        let case = self.case_for(caller, Act::Inspect, id).await?;
        match case.payment.callback {
            None => Ok(None),
            Some(bound) => Ok(self.0.store.content(bound.digest).await?),
        }
    }

    /// Payments whose columns equal what the question says, by default the ten latest. A domain finds
    /// its own only; a test key finds test payments only.
    pub async fn query(&self, caller: &Caller, question: &Question<'_>) -> Result<Found> {
        let mut find = Find::new(None);
        for (name, value) in question.matching {
            find.equal(name, value).map_err(refused)?;
        }
        match caller {
            Caller::Root | Caller::Op => {}
            Caller::Domain { name, test } => {
                find.domain = Some(name.clone());
                if *test {
                    find.equal("test", &Value::Bool(true)).map_err(refused)?;
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
        find.limit = question.limit.unwrap_or(Find::DEFAULT_LIMIT);
        find.check().map_err(refused)?;
        let total = match question.count {
            true => Some(self.0.store.count(find.clone()).await?),
            false => None,
        };
        let (skip, limit) = (find.skip, find.limit);
        let payments = self.0.store.find(find).await?;
        Ok(Found {
            payments,
            skip,
            limit,
            total,
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
