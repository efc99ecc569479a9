//! What leaves the store by the operator's policy. The policy is `payment`'s; here stands what may never leave.

use crate::payment::model::{Ams, Case, PaymentId, State};

use super::link::Link;
use super::table::{case, leaving};
use super::{Store, StoreError};

/// A payment that ended, by its place in the order in which they are looked through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    pub(in crate::store) changed: i64,
    pub(in crate::store) seq: i64,
    /// Which one.
    pub(crate) id: PaymentId,
}

impl Store {
    /// Payments that ended in this state and did not change since `before`, the longest unchanged first, from behind
    /// `after` on.
    pub(crate) async fn ended(
        &self,
        state: State,
        before: Ams,
        after: Option<Ended>,
        limit: u32,
    ) -> Result<Vec<Ended>, StoreError> {
        let next = move |link: &dyn Link| leaving::next(link, state, before, after.as_ref(), limit);
        self.database.read(next).await
    }

    /// Removes a payment for ever, with its attempts, refunds, history, evidence and events, if `rule` agrees to the case
    /// as it is now. One that has not ended, is held for a person, has an attempt or a refund of unknown end, or a
    /// callback that has not run stays whatever the rule says. Whether it is gone.
    pub(crate) async fn remove<F>(&self, id: PaymentId, rule: F) -> Result<bool, StoreError>
    where
        F: Fn(&Case) -> bool + Send + 'static,
    {
        let remove = move |link: &dyn Link| {
            let Some(case) = case::load(link, id)? else {
                return Ok(false);
            };
            if !is_over(&case) || leaving::owes_delivery(link, id)? || !rule(&case) {
                return Ok(false);
            }
            leaving::remove(link, &case.payment)?;
            Ok(true)
        };
        self.database.write_payment_and_more(id, remove).await
    }
}

/// Whether nothing of it is under way.
fn is_over(case: &Case) -> bool {
    matches!(case.payment.state, State::Ok | State::Fail)
        && case.payment.hold.is_none()
        && case.attempts.iter().all(|attempt| !attempt.is_open())
        && !case.refunds.iter().any(|refund| refund.is_open())
}
