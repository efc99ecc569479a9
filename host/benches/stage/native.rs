//! The provider's code without a component: the crate `walnut-provider-zfb` compiled for this machine, on a
//! host whose one capability is the real one. Signatures are checked by the host's own trust room, as they
//! are for a component.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use walnut::plugin::AttemptView;
use walnut::trust::{Failure, Manifest, Message, Statement, Target, verify};
use walnut_provider_zfb::Zfb;
use walnut_sdk::native::{Host, with};
use walnut_sdk::{Attempt, Currency, Fault, Money, Outcome, Provider, trust};

/// What one call has of the host.
struct Checking {
    manifest: Arc<Manifest>,
    target: Arc<Target>,
    message: Message,
    now_ms: u64,
    /// The host's own form of what it verified, which no guest holds.
    proof: RefCell<Option<Statement>>,
}

impl Host for Checking {
    fn verify(
        &self,
        _: &walnut_sdk::Message,
        scheme: &str,
    ) -> Result<walnut_sdk::Statement, trust::Failure> {
        let (manifest, target) = (&self.manifest, &self.target);
        let statement =
            verify(manifest, target, &self.message, scheme, self.now_ms).map_err(told)?;
        let text = statement.text().to_vec();
        self.proof.replace(Some(statement));
        Ok(walnut_sdk::Statement::new(text))
    }
}

/// Reads a notification as [`walnut::plugin::Provider::complete`] does: the claim's name, and what it is to be
/// read from. `None` for whatever does not speak of the trade.
pub(crate) fn complete(
    manifest: &Arc<Manifest>,
    target: &Arc<Target>,
    attempt: AttemptView,
    notification: Message,
    now_ms: u64,
) -> Result<Option<(String, Statement)>, Fault> {
    let host = Rc::new(Checking {
        manifest: Arc::clone(manifest),
        target: Arc::clone(target),
        message: notification,
        now_ms,
        proof: RefCell::default(),
    });
    // The message that the guest points at is the host's; the provider never looks into its own.
    let lent = walnut_sdk::Message::default();
    let outcome = with(host.clone(), || Zfb::complete(given(attempt)?, &lent))?;
    Ok(match outcome {
        Outcome::Trade(evidence) => host.proof.take().map(|proof| (evidence.claim, proof)),
        _ => None,
    })
}

/// The attempt in the guest's own words.
fn given(attempt: AttemptView) -> Result<Attempt, Fault> {
    let invalid = |error: &dyn std::fmt::Display| Fault::Invalid(error.to_string());
    let currency = Currency::parse(attempt.total.currency().code()).map_err(|e| invalid(&e))?;
    Ok(Attempt {
        trade_no: attempt.trade_no,
        brief: attempt.brief,
        total: Money::new(attempt.total.minor(), currency).map_err(|e| invalid(&e))?,
        pay_type: attempt.pay_type,
        target: attempt.target,
        client_ip: attempt.client_ip,
        notify_url: attempt.notify_url,
        created_ms: attempt.created_ms,
        expires_ms: attempt.expires_ms,
        meta_json: Value::Object(attempt.meta).to_string(),
        notes_json: Value::Object(attempt.notes).to_string(),
        transaction_id: attempt.transaction_id,
    })
}

fn told(failure: Failure) -> trust::Failure {
    match failure {
        Failure::UnknownScheme(text) => trust::Failure::UnknownScheme(text),
        Failure::UnknownKey(text) => trust::Failure::UnknownKey(text),
        Failure::Stale => trust::Failure::Stale,
        Failure::BadSignature => trust::Failure::BadSignature,
        Failure::Malformed(text) => trust::Failure::Malformed(text),
    }
}
