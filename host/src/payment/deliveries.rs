//! The deliveries of callbacks as their owner sees them, and runs them again.

use super::caller::{Act, Caller};
use super::error::{PayError, Result};
use super::{Payments, now_ms};
use crate::store::{DeliveriesOf, Delivery};

/// The most deliveries of one answer.
pub const MAX_DELIVERIES: u32 = 100;

/// Dead deliveries that come back in one transaction: other payments wait for it.
const RETRIED_AT_ONCE: u32 = 100;

impl Payments {
    /// Deliveries, the newest first. A domain finds its own only, a test key those of test payments only; the operator
    /// all, or those of the domain that is named.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        of: DeliveriesOf,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        if let Some(id) = of.payment {
            self.case_for(caller, Act::Inspect, id).await?;
        }
        let of = narrowed(caller, of)?;
        let limit = limit.clamp(1, MAX_DELIVERIES);
        Ok(self.0.store.deliveries(of, skip, limit).await?)
    }

    /// Runs a delivery now: one that is dead, with all its tries before it, or one that waits for its next try.
    pub async fn retry(&self, caller: &Caller, key: &str) -> Result<()> {
        may_retry(caller)?;
        let known = self.0.store.delivery(key).await?;
        let own = match known {
            None => false,
            Some(delivery) => {
                let case = self.0.store.case(delivery.payment).await?;
                case.is_some_and(|case| caller.may(Act::Resolve, &case.payment).is_ok())
            }
        };
        let retried = own && self.0.store.retry_delivery(key, now_ms()).await?;
        self.ring();
        if retried {
            Ok(())
        } else {
            Err(PayError::not_found(
                "no delivery of this key is dead or waits for its next try",
            ))
        }
    }

    /// Runs all dead deliveries again, and says how many those are. Of a domain, or for the operator of the one that is
    /// named.
    pub async fn retry_dead(&self, caller: &Caller, of: DeliveriesOf) -> Result<u32> {
        may_retry(caller)?;
        let of = narrowed(caller, of)?;
        let mut retried = 0;
        loop {
            let again = self
                .0
                .store
                .retry_dead(of.clone(), RETRIED_AT_ONCE, now_ms());
            let again = again.await?;
            self.ring();
            retried += again;
            if again < RETRIED_AT_ONCE {
                return Ok(retried);
            }
        }
    }
}

fn may_retry(caller: &Caller) -> Result<()> {
    match caller {
        Caller::Op | Caller::Ticket(_) => {
            Err(PayError::no_privilege("this key may not run callbacks"))
        }
        _ => Ok(()),
    }
}

/// What the caller may see of it.
fn narrowed(caller: &Caller, of: DeliveriesOf) -> Result<DeliveriesOf> {
    match caller {
        Caller::Root | Caller::Op => Ok(of),
        Caller::Domain { name, test, .. } => {
            if of.domain.as_ref().is_some_and(|domain| domain != name) {
                return Err(PayError::no_privilege("this key sees its own domain only"));
            }
            Ok(DeliveriesOf {
                domain: Some(name.clone()),
                test_only: of.test_only || *test,
                ..of
            })
        }
        Caller::Ticket(_) => Err(PayError::no_privilege("a ticket is good for one payment")),
    }
}
