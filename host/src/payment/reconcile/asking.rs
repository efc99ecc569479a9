//! What a bill shows and the store does not: the platform is asked, and what it states is settled.

use crate::payment::error::PayError;
use crate::payment::model::{Attempt, AttemptState, Case};
use crate::payment::money::{Currency, Money};
use crate::payment::reconciling::{Compared, Side};
use crate::payment::sending::lease;
use crate::payment::{Payments, ask, now_ms, to_the_end};
use crate::plugin::{AttemptView, Outcome, RefundView};

impl Payments {
    /// Asks about what needs it, and notes with each difference what came of that.
    pub(super) async fn ask_about(&self, case: &Case, attempt: &Attempt, compared: &mut Compared) {
        if compared.ask {
            let asked = self.ask_at_once(attempt).await;
            if let Some(first) = compared.differences.first_mut() {
                first.asked = Some(asked);
            }
        }
        for at in &compared.ask_refunds {
            let Some(difference) = compared.differences.get_mut(*at) else {
                continue;
            };
            if let (Some(number), Some(there)) = (&difference.refund_no, &difference.there) {
                let asked = self.ask_about_refund(case, attempt, number, there).await;
                difference.asked = Some(asked);
            }
        }
    }

    /// Asks the platform about an attempt, and tells how it stands now.
    async fn ask_at_once(&self, attempt: &Attempt) -> String {
        let (this, id, trade_no) = (self.clone(), attempt.payment, attempt.trade_no.clone());
        let number = trade_no.clone();
        let asked = to_the_end(async move {
            let now = now_ms();
            let leased = this.0.store.change(id, move |case| {
                let free = case.attempt(&number).filter(|attempt| {
                    attempt.state != AttemptState::Ok && attempt.leased_until_ms <= now
                });
                let leased = free.map(|attempt| lease(attempt, now));
                let changes = leased.clone().map(|attempt| ask::only(case, attempt));
                Ok::<_, PayError>((changes, leased))
            });
            if let Some(leased) = leased.await?.transpose()?.flatten() {
                this.ask(&leased).await?;
            }
            let case = this.0.store.case(id).await?;
            Ok(case.and_then(|case| case.attempt(&trade_no).cloned()))
        });
        match asked.await {
            Ok(Some(attempt)) => attempt.state.as_str().to_owned(),
            Ok(None) => "the attempt is gone".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    /// Asks the platform about a refund that is none of the host's, and tells what is recorded of it.
    async fn ask_about_refund(
        &self,
        case: &Case,
        attempt: &Attempt,
        number: &str,
        there: &Side,
    ) -> String {
        match self.outside_refund(case, attempt, number, there).await {
            Ok(said) => said,
            Err(error) => error.message().to_owned(),
        }
    }

    async fn outside_refund(
        &self,
        case: &Case,
        attempt: &Attempt,
        number: &str,
        there: &Side,
    ) -> Result<String, PayError> {
        let currency: Currency = case.payment.total.currency();
        let money = |minor: Option<i64>| {
            Money::new(minor.unwrap_or(0), currency)
                .map_err(|error| PayError::internal(error.to_string()))
        };
        let view = RefundView {
            refund_no: number.to_owned(),
            amount: money(there.fee)?,
            reason: String::new(),
            paid: money(attempt.paid_minor)?,
            transaction_id: None,
        };
        let (provider, call) = self.call_for(case, attempt).await?;
        let of_attempt = AttemptView::of(&case.payment, attempt);
        let said = provider.check_refund(call, of_attempt, view).await?;
        match said {
            Ok(Outcome::Refund { claim, statement }) => {
                let settled = self.settle_refund_by(attempt, &claim, &statement, "reconcile");
                Ok(settled.await?.as_str().to_owned())
            }
            Ok(_) => Ok("the platform says nothing of it".to_owned()),
            Err(fault) => Ok(fault.to_string()),
        }
    }
}
