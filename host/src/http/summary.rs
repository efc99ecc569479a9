//! `GET /pay/ajax/summary`: payments of a span of time in sums.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::By;
use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::money::Currency;
use crate::store::{Span, Sum};

/// Times are milliseconds, absolute but for `step`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The operator's: whose; all domains' where it is not said.
    #[serde(default)]
    domain: Option<String>,
    /// Only test payments, or only live ones.
    #[serde(default)]
    test: Option<bool>,
    from: u64,
    until: u64,
    step: u64,
}

pub(super) async fn summary(
    State(payments): State<Payments>,
    by: By,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer {
    let Query(asked) = asked?;
    let span = Span {
        domain: asked.domain.filter(|domain| !domain.is_empty()),
        test: asked.test,
        created: asked.from..asked.until,
        step_ms: asked.step,
    };
    let sums = payments.summary(&by.0, span).await?;
    Data::of(sums.iter().map(shown).collect::<Vec<Value>>())
}

fn shown(sum: &Sum) -> Value {
    // As callers read it everywhere else: RMB.
    let currency = Currency::parse(&sum.currency);
    json!({
        "at": sum.at_ms,
        "pay_tp": sum.pay_type,
        "cur": currency.map_or(sum.currency.clone(), |currency| currency.caller_code().to_owned()),
        "st": sum.state.as_str(),
        "count": sum.count,
        "fee": sum.fee_minor,
        "refunded": sum.refunded_minor,
        "took_ms": sum.took_ms,
        "took": sum.took,
    })
}
