//! Reading a claim about a refund: what a statement says of money that the host had given back.

use super::claim::{ClaimError, Source, amount, clipped, needed, stated_currency};
use super::manifest::{Manifest, RefundClaim, RefundStateRule};
use super::message::{Reader, Statement};
use super::target::Target;
use crate::payment::money::Money;

/// What the platform says of the refund's state, by the manifest's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefundStated {
    /// The money was given back.
    Done,
    /// The platform works on it.
    Waiting,
    /// The platform cannot do it by itself; a person has to look there.
    Stuck,
    /// It will not be given back.
    Failed,
    /// Nothing that the manifest knows: nothing follows from it. Empty where no state is stated.
    Other(String),
}

/// What a statement says of one refund, on the target's own account.
#[derive(Clone, PartialEq, Debug)]
pub struct RefundReading {
    /// The host's number of the refund, as the platform states it.
    pub refund: String,
    /// The platform's own number.
    pub transaction: Option<String>,
    /// How it stands.
    pub state: RefundStated,
    /// `None` when no amount is stated, or none that can be read exactly.
    pub amount: Option<Money>,
    /// The scheme that verified the statement.
    pub scheme: String,
    /// The claim that was read.
    pub claim: String,
}

/// Reads a claim about a refund of the trade `expected_trade` of this target.
pub fn read_refund(
    manifest: &Manifest,
    target: &Target,
    expected_trade: &str,
    claim: &str,
    statement: &Statement,
) -> Result<RefundReading, ClaimError> {
    let rule: &RefundClaim = manifest
        .refund_claim(claim)
        .ok_or_else(|| ClaimError::UnknownClaim(clipped(claim.to_owned())))?;
    let source = Source {
        scheme: &rule.scheme,
        operations: &rule.operations,
        account: &rule.account,
        trade: Some(&rule.trade),
    };
    let (reader, _) = source.open(manifest, target, expected_trade, statement)?;
    let refund = needed(&reader, &rule.refund)?;
    let (_, currency) = stated_currency(&rule.currency, &reader)?;
    let (amount, _) = amount(&rule.amount, currency, &reader)?;
    let transaction = match &rule.transaction {
        Some(pointer) => reader.at(pointer)?.text().map(clipped),
        None => None,
    };
    Ok(RefundReading {
        refund,
        transaction,
        state: state(&rule.state, &reader)?,
        amount,
        scheme: rule.scheme.clone(),
        claim: claim.to_owned(),
    })
}

/// A platform that has not begun may leave the state out.
pub(super) fn state(
    rule: &RefundStateRule,
    reader: &Reader<'_>,
) -> Result<RefundStated, ClaimError> {
    let word = reader.at(&rule.at)?.text().unwrap_or_default();
    let known = [
        (&rule.done, RefundStated::Done),
        (&rule.waiting, RefundStated::Waiting),
        (&rule.stuck, RefundStated::Stuck),
        (&rule.failed, RefundStated::Failed),
    ];
    let meant = known.into_iter().find(|(words, _)| words.contains(&word));
    Ok(meant.map_or_else(|| RefundStated::Other(clipped(word)), |(_, state)| state))
}
