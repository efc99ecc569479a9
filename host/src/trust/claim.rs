//! Reading a claim: what a statement says of a trade, at the places that the manifest names.
//!
//! Nothing here judges whether an amount is right: the payment room compares, and holds a payment
//! whose right trade was paid with a wrong amount.

use serde_json::{Map, Value};

use super::json::{Found, JsonError};
use super::manifest::{AccountRule, AmountRule, Claim, CurrencyRule, Manifest, StateRule, Unit};
use super::message::{Origin, Reader, Statement};
use super::pointer::Pointer;
use super::target::Target;
use crate::payment::money::{Currency, Money};

/// The longest text that is taken out of a statement, in characters.
const MAX_TEXT: usize = 256;

/// What the platform says of the trade's state, by the manifest's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stated {
    /// The buyer paid.
    Paid,
    /// The buyer agreed; the money moves when the host has it captured.
    Approved,
    /// The buyer may still pay.
    Waiting,
    /// Nobody paid, and nobody can any more.
    Closed,
    /// The platform refused the payment.
    Declined,
    /// It was paid, and all of it was given back.
    Refunded,
    /// It was paid, and some of it or all was given back: the word does not say how much.
    SomeRefunded,
    /// A word that the manifest does not know: nothing follows from it.
    Other(String),
}

/// What a statement says of the trade that was asked for, on the target's own account.
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    /// The host's number of the trade, as the platform states it, or as the host sent it with the request that was
    /// answered.
    pub trade: String,
    /// The platform's own number.
    pub transaction: Option<String>,
    /// How the trade stands.
    pub state: Stated,
    /// `None` when no amount is stated, or none that can be read exactly.
    pub amount: Option<Money>,
    /// The amount as it stands there; empty when it is not stated.
    pub amount_text: String,
    /// The currency as it stands there, or as the manifest fixes it; empty when it is not stated.
    pub currency_text: String,
    /// What was given back of it in all, where that is stated and can be read.
    pub refunded: Option<Money>,
    /// What the manifest wants noted in the payment's history of the platform.
    pub notes: Map<String, Value>,
    /// The scheme that verified the statement.
    pub scheme: String,
    /// The claim that was read.
    pub claim: String,
}

/// Why a statement does not support a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// It is genuine, and about another trade.
    #[error("the statement is about another trade")]
    OtherTrade,
    /// It is genuine, and about another account, or was not verified with this target's keys.
    #[error("the statement is about another account")]
    OtherAccount,
    /// The manifest has no claim of this name.
    #[error("the manifest has no claim {0:?}")]
    UnknownClaim(String),
    /// The claim reads statements of another scheme; the text names that one.
    #[error("the claim is for statements verified by the scheme {0:?}")]
    WrongScheme(String),
    /// The claim does not read what came this way; the text says why.
    #[error("{0}")]
    WrongOrigin(String),
    /// What every claim must find is not there; the text is the pointer.
    #[error("the statement has nothing at {0}")]
    Missing(String),
    /// The statement cannot be read.
    #[error("{0}")]
    Malformed(String),
}

impl From<JsonError> for ClaimError {
    fn from(error: JsonError) -> ClaimError {
        ClaimError::Malformed(format!("the statement: {error}"))
    }
}

/// Reads a claim out of a statement, for the trade `expected_trade` of this target.
pub fn read_claim(
    manifest: &Manifest,
    target: &Target,
    expected_trade: &str,
    claim: &str,
    statement: &Statement,
) -> Result<Reading, ClaimError> {
    let rule = manifest
        .claim(claim)
        .ok_or_else(|| ClaimError::UnknownClaim(clipped(claim.to_owned())))?;
    let source = Source {
        scheme: &rule.scheme,
        operations: &rule.operations,
        account: &rule.account,
        trade: rule.trade.pointer(),
    };
    let (reader, trade) = source.open(manifest, target, expected_trade, statement)?;
    let state = state(rule, &reader)?;
    let (currency_text, currency) = match &rule.currency {
        Some(rule) => stated_currency(rule, &reader)?,
        None => (String::new(), None),
    };
    let (amount, amount_text) = match &rule.amount {
        Some(rule) => amount(rule, currency, &reader)?,
        None => (None, String::new()),
    };
    let refunded = match &rule.refunded {
        Some(rule) => self::amount(rule, currency, &reader)?.0,
        None => None,
    };
    let transaction = match &rule.transaction {
        Some(pointer) => reader.at(pointer)?.text().map(clipped),
        None => None,
    };
    let mut notes = Map::new();
    for (name, pointer) in &rule.notes {
        if let Some(text) = reader.at(pointer)?.text() {
            notes.insert(name.clone(), Value::String(clipped(text)));
        }
    }
    Ok(Reading {
        trade,
        transaction,
        state,
        amount,
        amount_text,
        currency_text,
        refunded,
        notes,
        scheme: rule.scheme.clone(),
        claim: claim.to_owned(),
    })
}

/// What claims about trades and about refunds have in common.
pub(super) struct Source<'a> {
    pub(super) scheme: &'a str,
    pub(super) operations: &'a [String],
    pub(super) account: &'a AccountRule,
    /// Where it stands in the statement; `None` when it is that of the request.
    pub(super) trade: Option<&'a Pointer>,
}

impl Source<'_> {
    /// Opens a statement that came the claim's way and is about this trade of this target. Gives the trade too.
    pub(super) fn open<'s>(
        &self,
        manifest: &Manifest,
        target: &Target,
        expected_trade: &str,
        statement: &'s Statement,
    ) -> Result<(Reader<'s>, String), ClaimError> {
        if self.scheme != statement.scheme() {
            return Err(ClaimError::WrongScheme(self.scheme.to_owned()));
        }
        check_origin(self, statement.origin())?;
        if !statement.is_for(manifest.name(), target) {
            return Err(ClaimError::OtherAccount);
        }
        let reader = statement.reader()?;
        let trade = match self.trade {
            Some(pointer) => needed(&reader, pointer)?,
            None => asked_about(statement.origin())?,
        };
        if trade != expected_trade {
            return Err(ClaimError::OtherTrade);
        }
        check_account(self.account, target, &reader)?;
        Ok((reader, trade))
    }
}

/// The currency as it stands there or as the manifest fixes it, and what that is.
pub(super) fn stated_currency(
    rule: &CurrencyRule,
    reader: &Reader<'_>,
) -> Result<(String, Option<Currency>), ClaimError> {
    let text = match rule {
        CurrencyRule::Fixed(code) => code.clone(),
        CurrencyRule::At(pointer) => reader.at(pointer)?.text().map(clipped).unwrap_or_default(),
    };
    let currency = currency(&text);
    Ok((text, currency))
}

fn check_origin(rule: &Source<'_>, origin: &Origin) -> Result<(), ClaimError> {
    match origin {
        Origin::Notification if rule.operations.is_empty() => Ok(()),
        Origin::Notification => Err(ClaimError::WrongOrigin(
            "the claim is for answers, not notifications".to_owned(),
        )),
        Origin::Answer { operation, .. } if !rule.operations.contains(operation) => Err(
            ClaimError::WrongOrigin(format!("the claim is not for answers to {operation:?}")),
        ),
        Origin::Answer { signed, .. } if *rule.account == AccountRule::Request && !signed => {
            Err(ClaimError::WrongOrigin(
                "the claim takes the account from the request, which the host did not sign"
                    .to_owned(),
            ))
        }
        Origin::Answer { signed, .. } if rule.trade.is_none() && !signed => {
            Err(ClaimError::WrongOrigin(
                "the claim takes the trade from the request, which the host did not sign"
                    .to_owned(),
            ))
        }
        Origin::Answer { .. } => Ok(()),
    }
}

/// The trade of the request that was answered.
fn asked_about(origin: &Origin) -> Result<String, ClaimError> {
    match origin {
        Origin::Answer {
            trade: Some(trade), ..
        } => Ok(trade.clone()),
        _ => Err(ClaimError::WrongOrigin(
            "the claim takes the trade from the request, which named none".to_owned(),
        )),
    }
}

fn check_account(
    rule: &AccountRule,
    target: &Target,
    reader: &Reader<'_>,
) -> Result<(), ClaimError> {
    let AccountRule::Stated(checks) = rule else {
        return Ok(());
    };
    for check in checks {
        match target.setting(&check.setting).filter(|own| !own.is_empty()) {
            None if check.when_set => {}
            None => return Err(ClaimError::OtherAccount),
            Some(own) => {
                if needed(reader, &check.at)? != own {
                    return Err(ClaimError::OtherAccount);
                }
            }
        }
    }
    Ok(())
}

pub(super) fn state(rule: &Claim, reader: &Reader<'_>) -> Result<Stated, ClaimError> {
    let word = needed(reader, &rule.state.at)?;
    let StateRule {
        paid,
        approved,
        waiting,
        closed,
        declined,
        refunded,
        ..
    } = &rule.state;
    for (words, state) in [
        (paid, Stated::Paid),
        (approved, Stated::Approved),
        (waiting, Stated::Waiting),
        (declined, Stated::Declined),
        (refunded, Stated::SomeRefunded),
    ] {
        if words.contains(&word) {
            return Ok(state);
        }
    }
    if !closed.contains(&word) {
        return Ok(Stated::Other(clipped(word)));
    }
    for pointer in &rule.was_paid {
        if reader.at(pointer)? != Found::Nothing {
            return Ok(Stated::Refunded);
        }
    }
    Ok(Stated::Closed)
}

/// The amount, where it can be read exactly, and the text in which it stands.
pub(super) fn amount(
    rule: &AmountRule,
    currency: Option<Currency>,
    reader: &Reader<'_>,
) -> Result<(Option<Money>, String), ClaimError> {
    let text = match reader.at(&rule.at)? {
        Found::Nothing => return Ok((None, String::new())),
        Found::Other(raw) => return Ok((None, clipped(raw))),
        Found::Text(text) => text,
    };
    let money = currency.and_then(|currency| match rule.unit {
        Unit::Decimal => Money::from_decimal(&text, currency).ok(),
        Unit::Minor => minor(&text).and_then(|minor| Money::new(minor, currency).ok()),
    });
    Ok((money, clipped(text)))
}

fn minor(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Platforms write ISO codes; the callers' `RMB` is not one.
fn currency(code: &str) -> Option<Currency> {
    Currency::parse(code)
        .ok()
        .filter(|currency| currency.code() == code)
}

pub(super) fn needed(reader: &Reader<'_>, pointer: &Pointer) -> Result<String, ClaimError> {
    reader
        .at(pointer)?
        .text()
        .ok_or_else(|| ClaimError::Missing(pointer.as_str().to_owned()))
}

pub(super) fn clipped(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}
