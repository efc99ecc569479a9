//! Whether claims read what is signed, and all that a payment needs.

use std::collections::{BTreeMap, BTreeSet};

use super::names::is_state;
use super::uses::{must_be_required, public_text};
use crate::payment::money::Currency;
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{AccountRule, Claim, CurrencyRule, Purpose, Scheme, StateRule};
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
    let Some(scheme) = schemes.get(&claim.scheme) else {
        let problem = format!("there is no scheme {:?}", claim.scheme);
        return p.add(&format!("{path}/scheme"), problem);
    };
    let answer = scheme.purpose() == Purpose::Answer;
    if scheme.purpose() == Purpose::Request {
        let problem = format!(
            "the scheme {:?} is for requests and states nothing",
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
    match &claim.account {
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
    if let CurrencyRule::Fixed(code) = &claim.currency
        && Currency::parse(code).map(|currency| currency.code() == code) != Ok(true)
    {
        p.add(
            &format!("{path}/currency/fixed"),
            "must be an ISO 4217 code such as \"CNY\"",
        );
    }
    check_state(&format!("{path}/state"), &claim.state, p);
    if let Scheme::SortedForm(rule) = scheme {
        for (part, pointer) in pointers(claim) {
            match pointer.field() {
                None => p.add(
                    &format!("{path}{part}"),
                    "a form is flat: point at one field",
                ),
                Some(field) if rule.omit.iter().any(|omitted| omitted == field) => {
                    p.add(&format!("{path}{part}"), format!("{field:?} is not signed"));
                }
                Some(_) => {}
            }
        }
    }
}

fn check_state(path: &str, state: &StateRule, p: &mut Problems) {
    if state.paid.is_empty() {
        p.add(&format!("{path}/paid"), "must name the word for paid");
    }
    let mut seen = BTreeSet::new();
    let all = [
        &state.paid,
        &state.waiting,
        &state.closed,
        &state.declined,
        &state.refunded,
    ];
    for word in all.into_iter().flatten() {
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
