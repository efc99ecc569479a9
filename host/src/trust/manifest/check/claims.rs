//! Whether claims read what is signed, and all that a payment needs.

use std::collections::BTreeSet;

use super::names::is_state;
use super::schemes::Around;
use super::uses::{must_be_required, public_text};
use crate::payment::money::Currency;
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{AccountRule, Claim, CurrencyRule, StateRule, TradeRule};
use crate::trust::manifest::schemes::{Purpose, Scheme};
use crate::trust::pointer::Pointer;

pub(super) fn check_claim(path: &str, claim: &Claim, around: &Around<'_>, p: &mut Problems) {
    let source = Source {
        scheme: &claim.scheme,
        operations: &claim.operations,
        account: &claim.account,
        currency: claim.currency.as_ref(),
    };
    let Some(scheme) = source.check(path, around, p) else {
        return;
    };
    match claim.trade {
        TradeRule::At(_) => check_settling(path, claim, p),
        TradeRule::Request => check_refusal(path, claim, around, p),
    }
    check_state(&format!("{path}/state"), &claim.state, p);
    check_signed(path, scheme, &pointers(claim), p);
}

/// A claim whose statement names the trade: it can settle a payment, and needs all that is compared.
fn check_settling(path: &str, claim: &Claim, p: &mut Problems) {
    let state = &claim.state;
    if state.paid.is_empty() && state.approved.is_empty() {
        p.add(&format!("{path}/state/paid"), "must name the word for paid");
    }
    if claim.amount.is_none() {
        p.add(
            &format!("{path}/amount"),
            "must say where the amount stands",
        );
    }
    if claim.currency.is_none() {
        p.add(
            &format!("{path}/currency"),
            "must say where the currency stands, or which it is",
        );
    }
}

/// A claim whose trade is the request's. That a request was about a trade says nothing of money: only that the platform
/// refused it.
fn check_refusal(path: &str, claim: &Claim, around: &Around<'_>, p: &mut Problems) {
    let state = &claim.state;
    if claim.operations.is_empty() {
        p.add(
            &format!("{path}/trade"),
            "\"request\" is only for answers: say where the trade stands",
        );
    }
    for operation in &claim.operations {
        if around.operations.contains(operation) && !around.naming.contains(operation) {
            p.add(
                &format!("{path}/trade"),
                format!(
                    "\"reach\" does not say where a request for {operation:?} names its trade: give it a \"trade\""
                ),
            );
        }
    }
    if state.declined.is_empty() {
        p.add(
            &format!("{path}/state/declined"),
            "must name the words for declined",
        );
    }
    for (part, empty) in [
        ("state/paid", state.paid.is_empty()),
        ("state/approved", state.approved.is_empty()),
        ("state/waiting", state.waiting.is_empty()),
        ("state/closed", state.closed.is_empty()),
        ("state/refunded", state.refunded.is_empty()),
        ("amount", claim.amount.is_none()),
        ("currency", claim.currency.is_none()),
        ("refunded", claim.refunded.is_none()),
        ("was_paid", claim.was_paid.is_empty()),
    ] {
        if !empty {
            p.add(
                &format!("{path}/{part}"),
                "the trade is only that of the request: such a claim may state \"declined\" and nothing else",
            );
        }
    }
}

/// What claims about trades and about refunds have in common.
pub(super) struct Source<'a> {
    pub(super) scheme: &'a str,
    pub(super) operations: &'a [String],
    pub(super) account: &'a AccountRule,
    /// Missing where nothing is said of money.
    pub(super) currency: Option<&'a CurrencyRule>,
}

impl Source<'_> {
    /// Checks it, and gives the scheme where there is one.
    pub(super) fn check<'m>(
        &self,
        path: &str,
        around: &Around<'m>,
        p: &mut Problems,
    ) -> Option<&'m Scheme> {
        let claim = self;
        let Around {
            schemes,
            operations,
            settings,
            ..
        } = *around;
        let Some(scheme) = schemes.get(claim.scheme) else {
            let problem = format!("there is no scheme {:?}", claim.scheme);
            p.add(&format!("{path}/scheme"), problem);
            return None;
        };
        let source = scheme.source(schemes);
        let answer = source == Purpose::Answer;
        if let (Purpose::Notification, Some(why)) = (source, scheme.forgeable()) {
            p.add(
                &format!("{path}/scheme"),
                format!("such a notification settles nothing: {why}"),
            );
        }
        if matches!(source, Purpose::Request | Purpose::Renewal | Purpose::Part) {
            let problem = format!(
                "the scheme {:?} is for requests or keys and states nothing",
                claim.scheme
            );
            p.add(&format!("{path}/scheme"), problem);
        }
        if answer && claim.operations.is_empty() {
            p.add(
                &format!("{path}/operations"),
                "must name the operations whose answers it reads",
            );
        }
        if !answer && !claim.operations.is_empty() {
            p.add(
                &format!("{path}/operations"),
                "only answers belong to an operation",
            );
        }
        for operation in claim
            .operations
            .iter()
            .filter(|name| !operations.contains(*name))
        {
            let problem = format!("{operation:?} is not an operation of \"reach\"");
            p.add(&format!("{path}/operations"), problem);
        }
        match claim.account {
            AccountRule::Request if !answer => p.add(
                &format!("{path}/account"),
                "\"request\" is only for answers: say where the account stands",
            ),
            AccountRule::Request => {}
            AccountRule::Stated(checks) => {
                if checks.iter().all(|check| check.when_set) {
                    p.add(
                        &format!("{path}/account"),
                        "at least one check must not be \"when_set\"",
                    );
                }
                for (at, check) in checks.iter().enumerate() {
                    let path = format!("{path}/account/{at}/setting");
                    public_text(&path, &check.setting, settings, p);
                    if !check.when_set {
                        must_be_required(&path, &check.setting, settings, p);
                    }
                }
            }
        }
        if let Some(CurrencyRule::Fixed(code)) = claim.currency
            && Currency::parse(code).map(|currency| currency.code() == code) != Ok(true)
        {
            p.add(
                &format!("{path}/currency/fixed"),
                "must be an ISO 4217 code such as \"CNY\"",
            );
        }
        Some(scheme)
    }
}

/// What a form does not sign must not be read.
pub(super) fn check_signed(
    path: &str,
    scheme: &Scheme,
    pointers: &[(&'static str, &Pointer)],
    p: &mut Problems,
) {
    let omitted = match scheme {
        Scheme::SortedForm(rule) => rule.omit.as_slice(),
        Scheme::SortedXml(rule) => std::slice::from_ref(&rule.signature),
        _ => return,
    };
    for (part, pointer) in pointers {
        match pointer.field() {
            None => p.add(
                &format!("{path}{part}"),
                "a form is flat: point at one field",
            ),
            Some(field) if omitted.iter().any(|omitted| omitted == field) => {
                p.add(&format!("{path}{part}"), format!("{field:?} is not signed"));
            }
            Some(_) => {}
        }
    }
}

fn check_state(path: &str, state: &StateRule, p: &mut Problems) {
    let all = [
        &state.paid,
        &state.approved,
        &state.waiting,
        &state.closed,
        &state.declined,
        &state.refunded,
    ];
    check_words(path, all.into_iter().flatten(), p);
}

/// Each word reads as one, and means one thing.
pub(super) fn check_words<'a>(
    path: &str,
    words: impl Iterator<Item = &'a String>,
    p: &mut Problems,
) {
    let mut seen = BTreeSet::new();
    for word in words {
        if !is_state(word) {
            p.add(
                path,
                format!("{word:?} must be a word of 1 to 64 letters, digits, _, ., : and -"),
            );
        }
        if !seen.insert(word) {
            p.add(path, format!("{word:?} must mean one thing"));
        }
    }
}

/// All pointers of a claim, with where in the claim they stand.
fn pointers(claim: &Claim) -> Vec<(&'static str, &Pointer)> {
    let mut all = vec![("/state/at", &claim.state.at)];
    all.extend(claim.trade.pointer().map(|pointer| ("/trade", pointer)));
    all.extend(claim.amount.iter().map(|amount| ("/amount/at", &amount.at)));
    all.extend(
        claim
            .transaction
            .iter()
            .map(|pointer| ("/transaction", pointer)),
    );
    all.extend(
        claim
            .refunded
            .iter()
            .map(|amount| ("/refunded/at", &amount.at)),
    );
    if let AccountRule::Stated(checks) = &claim.account {
        all.extend(checks.iter().map(|check| ("/account", &check.at)));
    }
    if let Some(CurrencyRule::At(pointer)) = &claim.currency {
        all.push(("/currency/at", pointer));
    }
    all.extend(claim.was_paid.iter().map(|pointer| ("/was_paid", pointer)));
    all.extend(claim.notes.values().map(|pointer| ("/notes", pointer)));
    all
}
