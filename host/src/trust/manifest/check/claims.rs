//! Whether claims read what is signed, and all that a payment needs.

use std::collections::{BTreeMap, BTreeSet};

use super::names::is_state;
use super::uses::{must_be_required, public_text};
use crate::payment::money::Currency;
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{AccountRule, Claim, CurrencyRule, StateRule};
use crate::trust::manifest::schemes::{Purpose, Scheme};
use crate::trust::manifest::settings::Settings;
use crate::trust::pointer::Pointer;

pub(super) fn check_claim(
    path: &str,
    claim: &Claim,
    schemes: &BTreeMap<String, Scheme>,
    operations: &BTreeSet<String>,
    settings: &Settings,
    p: &mut Problems,
) {
    let source = Source {
        scheme: &claim.scheme,
        operations: &claim.operations,
        account: &claim.account,
        currency: &claim.currency,
    };
    let Some(scheme) = source.check(path, schemes, operations, settings, p) else {
        return;
    };
    check_state(&format!("{path}/state"), &claim.state, p);
    check_signed(path, scheme, &pointers(claim), p);
}

/// What claims about trades and about refunds have in common.
pub(super) struct Source<'a> {
    pub(super) scheme: &'a str,
    pub(super) operations: &'a [String],
    pub(super) account: &'a AccountRule,
    pub(super) currency: &'a CurrencyRule,
}

impl Source<'_> {
    /// Checks it, and gives the scheme where there is one.
    pub(super) fn check<'m>(
        &self,
        path: &str,
        schemes: &'m BTreeMap<String, Scheme>,
        operations: &BTreeSet<String>,
        settings: &Settings,
        p: &mut Problems,
    ) -> Option<&'m Scheme> {
        let claim = self;
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
        if let CurrencyRule::Fixed(code) = claim.currency
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
    if state.paid.is_empty() && state.approved.is_empty() {
        p.add(&format!("{path}/paid"), "must name the word for paid");
    }
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
    let mut all = vec![
        ("/trade", &claim.trade),
        ("/amount/at", &claim.amount.at),
        ("/state/at", &claim.state.at),
    ];
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
    if let CurrencyRule::At(pointer) = &claim.currency {
        all.push(("/currency/at", pointer));
    }
    all.extend(claim.was_paid.iter().map(|pointer| ("/was_paid", pointer)));
    all.extend(claim.notes.values().map(|pointer| ("/notes", pointer)));
    all
}
