//! How long ended payments stay. Nothing is removed unless the operator says so, and never within the term in which a
//! platform still gives money back: that is counted from the payment's last change, which is not before it was paid.

use super::Payments;
use super::error::Result;
use super::model::{Ams, Attempt, AttemptState, Case, PaymentId, State};
use crate::store::Ended;

/// A day.
const DAY_MS: Ams = 24 * 3_600_000;
/// Payments that are looked at in one go.
const AT_ONCE: u32 = 100;

/// What the operator lets go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Days after its last change at which a payment that was not paid is removed; `None` for never.
    pub failed_days: Option<u32>,
    /// The same for paid ones, and later where a platform's refund term is longer.
    pub paid_days: Option<u32>,
}

/// What one walk through the store came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Payments that were removed.
    pub removed: u64,
    /// Payments that were old enough and stayed: within a refund term, held, or with something under way.
    pub kept: u64,
}

impl Retention {
    /// Whether anything is ever removed.
    pub fn removes(&self) -> bool {
        self.failed_days.is_some() || self.paid_days.is_some()
    }
}

impl Payments {
    /// Removes what is older at `now` than the operator's policy keeps it.
    ///
    /// # Errors
    /// The store's. What was removed before stays removed.
    pub async fn sweep(&self, now: Ams) -> Result<Swept> {
        let Retention {
            failed_days,
            paid_days,
        } = self.0.options.retention;
        let mut swept = Swept::default();
        for (state, days) in [(State::Fail, failed_days), (State::Ok, paid_days)] {
            let Some(before) = days.and_then(|days| now.checked_sub(Ams::from(days) * DAY_MS))
            else {
                continue;
            };
            self.sweep_state(state, before, now, &mut swept).await?;
        }
        Ok(swept)
    }

    async fn sweep_state(
        &self,
        state: State,
        before: Ams,
        now: Ams,
        swept: &mut Swept,
    ) -> Result<()> {
        let store = &self.0.store;
        let mut after: Option<Ended> = None;
        loop {
            let old = store.ended(state, before, after.clone(), AT_ONCE).await?;
            let Some(last) = old.last() else {
                return Ok(());
            };
            after = Some(last.clone());
            for Ended { id, .. } in old {
                let Some(term) = self.refund_term(id).await? else {
                    swept.kept += 1;
                    continue;
                };
                let removed = store
                    .remove(id, move |case| {
                        let Case {
                            payment, attempts, ..
                        } = case;
                        attempts.iter().all(|one| one.payable_until_ms < before)
                            && payment.state == state
                            && payment.changed_ms < before
                            && payment.changed_ms.saturating_add(term) < now
                    })
                    .await?;
                if removed {
                    swept.removed += 1;
                    self.rang(id);
                } else {
                    swept.kept += 1;
                }
            }
        }
    }

    /// For how long after its last change a platform may give money of this payment back, in milliseconds; `None` where
    /// a provider does not say.
    async fn refund_term(&self, id: PaymentId) -> Result<Option<Ams>> {
        let Some(case) = self.0.store.case(id).await? else {
            return Ok(None);
        };
        let mut term = 0;
        for attempt in case.attempts.iter().filter(|attempt| was_paid(attempt)) {
            let provider = self.provider(attempt.provider).await?;
            match provider.manifest().refund_days() {
                Some(days) => term = term.max(Ams::from(days) * DAY_MS),
                None => return Ok(None),
            }
        }
        Ok(Some(term))
    }
}

fn was_paid(attempt: &Attempt) -> bool {
    attempt.state == AttemptState::Ok || attempt.paid_minor.is_some()
}
