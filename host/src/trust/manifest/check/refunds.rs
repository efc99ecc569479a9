//! Whether claims about refunds read what is signed, and all that a refund needs.

use super::claims::{Source, check_signed, check_words};
use super::schemes::Around;
use crate::trust::manifest::error::Problems;
use crate::trust::manifest::parts::{AccountRule, CurrencyRule, RefundClaim};
use crate::trust::pointer::Pointer;

pub(super) fn check_refund(path: &str, claim: &RefundClaim, around: &Around<'_>, p: &mut Problems) {
    let source = Source {
        scheme: &claim.scheme,
        operations: &claim.operations,
        account: &claim.account,
        currency: Some(&claim.currency),
    };
    let Some(scheme) = source.check(path, around, p) else {
        return;
    };
    let path_of_state = format!("{path}/state");
    let state = &claim.state;
    if state.done.is_empty() {
        p.add(
            &format!("{path_of_state}/done"),
            "must name the word for done",
        );
    }
    let all = [&state.done, &state.waiting, &state.stuck, &state.failed];
    check_words(&path_of_state, all.into_iter().flatten(), p);
    check_signed(path, scheme, &pointers(claim), p);
}

/// All pointers of a claim, with where in the claim they stand.
fn pointers(claim: &RefundClaim) -> Vec<(&'static str, &Pointer)> {
    let mut all = vec![
        ("/trade", &claim.trade),
        ("/refund", &claim.refund),
        ("/amount/at", &claim.amount.at),
        ("/state/at", &claim.state.at),
    ];
    all.extend(
        claim
            .transaction
            .iter()
            .map(|pointer| ("/transaction", pointer)),
    );
    if let AccountRule::Stated(checks) = &claim.account {
        all.extend(checks.iter().map(|check| ("/account", &check.at)));
    }
    if let CurrencyRule::At(pointer) = &claim.currency {
        all.push(("/currency/at", pointer));
    }
    all
}
