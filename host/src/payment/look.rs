//! Looking: `get`, `query`, `history`, the bound callback and its deliveries.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::model::{Case, Change, Payment, PaymentId};
use super::{Payments, now_ms};
use crate::store::{Column, Delivery, Find, FindError, Order};

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
    /// One payment.
    pub async fn get(&self, caller: &Caller, id: PaymentId) -> Result<Payment> {
        Ok(self.case_for(caller, Act::Read, id).await?.payment)
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

    /// Deliveries of callbacks, the newest first: of one payment, or of the caller's domain. A test key
    /// finds those of test payments only.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        id: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        if let Some(id) = id {
            self.case_for(caller, Act::Inspect, id).await?;
        }
        let (domain, test_only) = match caller {
            Caller::Root | Caller::Op => (None, false),
            Caller::Domain { name, test } => (Some(name.as_str()), *test),
            Caller::Ticket(_) => {
                return Err(PayError::no_privilege("a ticket is good for one payment"));
            }
        };
        Ok(self
            .0
            .store
            .deliveries(domain, test_only, id, limit.clamp(1, 100))
            .await?)
    }

    /// Puts a dead delivery back into the outbox.
    pub async fn replay(&self, caller: &Caller, key: &str) -> Result<()> {
        if matches!(caller, Caller::Op | Caller::Ticket(_)) {
            return Err(PayError::no_privilege("this key may not replay deliveries"));
        }
        let known = self.0.store.delivery(key).await?;
        let own = match known {
            None => false,
            Some(delivery) => {
                let case = self.0.store.case(delivery.payment).await?;
                case.is_some_and(|case| caller.may(Act::Resolve, &case.payment).is_ok())
            }
        };
        let replayed = own && self.0.store.replay_delivery(key, now_ms()).await?;
        self.ring();
        if replayed {
            Ok(())
        } else {
            Err(PayError::not_found("no dead delivery of this key"))
        }
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
