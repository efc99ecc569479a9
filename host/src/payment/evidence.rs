//! What platforms stated of a payment and was acted upon, each fact beside what the payment says.

use super::Payments;
use super::caller::{Act, Caller};
use super::error::Result;
use super::model::{Case, Digest, PaymentId, StoredStatement};
use super::money::Money;
use crate::trust::{Due, Fact, compare, refund_number};

/// A kept statement, compared.
pub struct Evidence {
    /// As it was verified and kept.
    pub statement: StoredStatement,
    /// Fact by fact; why not where that cannot be done any more.
    pub facts: std::result::Result<Vec<Fact>, String>,
}

impl Payments {
    /// What platforms stated of a payment and was acted upon, in the order of its history.
    pub async fn evidence(&self, caller: &Caller, id: PaymentId) -> Result<Vec<Evidence>> {
        let case = self.case_for(caller, Act::Inspect, id).await?;
        let mut found: Vec<Evidence> = Vec::new();
        for line in self.0.store.history(id).await? {
            let Some(digest) = line.statement.as_deref().and_then(Digest::parse) else {
                continue;
            };
            if found.iter().any(|known| known.statement.digest == digest) {
                continue;
            }
            if let Some(statement) = self.0.store.statement(digest).await? {
                let facts = self.facts(&case, &statement).await;
                found.push(Evidence { statement, facts });
            }
        }
        Ok(found)
    }

    /// By the manifest and the settings that the attempt was made with.
    async fn facts(
        &self,
        case: &Case,
        statement: &StoredStatement,
    ) -> std::result::Result<Vec<Fact>, String> {
        let attempt = case
            .attempt(&statement.trade_no)
            .ok_or("the payment has no such attempt")?;
        let gone = |error: super::error::PayError| error.message().to_owned();
        let provider = self.provider(attempt.provider).await.map_err(gone)?;
        let target = self
            .target(&case.payment.domain, &attempt.target, &provider)
            .await
            .map_err(gone)?;
        let (manifest, claim) = (provider.manifest(), statement.claim.as_str());
        let refund = refund_number(manifest, claim, &statement.text).and_then(|no| {
            case.refunds
                .iter()
                .find(|known| known.refund_no.as_str() == no)
        });
        let total = case.payment.total;
        let due = match refund {
            Some(refund) => Due {
                trade: attempt.trade_no.as_str(),
                transaction: refund.transaction_id.as_deref(),
                amount: Money::new(refund.amount_minor, total.currency()).ok(),
                state: refund.state.as_str(),
                refund: Some(refund.refund_no.as_str()),
            },
            None => Due {
                trade: attempt.trade_no.as_str(),
                transaction: attempt.transaction_id.as_deref(),
                amount: Some(total),
                state: attempt.state.as_str(),
                refund: None,
            },
        };
        compare(manifest, &target, claim, &statement.text, &due).map_err(|error| error.to_string())
    }
}
