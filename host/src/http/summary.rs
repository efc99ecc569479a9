//! `GET /pay/ajax/summary`: payments of a span of time in sums.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::By;
use super::envelope::{Answer, Data};
use super::numbers::Whole;
use crate::payment::Payments;
use crate::payment::model::{Ams, State};
use crate::payment::money::Currency;
use crate::store::{Span, Sum};

/// Times are milliseconds, absolute but for `step`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The operator's: whose; all domains' where it is not said.
    #[serde(default)]
    domain: Option<String>,
    /// Only test payments, or only live ones.
    #[serde(default)]
    test: Option<bool>,
    /// Created at this time or later.
    from: Whole,
    /// Created before this time.
    until: Whole,
    /// Into how long spans they are summed: at most 1,000 of them.
    step: Whole,
}

pub(super) async fn summary(
    Of(payments): Of<Payments>,
    by: By,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer<Vec<SumView>> {
    let Query(asked) = asked?;
    let span = Span {
        domain: asked.domain.filter(|domain| !domain.is_empty()),
        test: asked.test,
        created: asked.from.0..asked.until.0,
        step_ms: asked.step.0,
    };
    let sums = payments.summary(&by.0, span).await?;
    Data::of(sums.into_iter().map(shown).collect())
}

/// Payments of one span of time, pay type, currency and state.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Sum")]
pub(super) struct SumView {
    /// When the span begins.
    at: Ams,
    /// The pay type; empty for what was not sent.
    pay_tp: String,
    /// The currency.
    cur: String,
    /// Where they stand.
    st: State,
    /// How many.
    count: u64,
    /// Together, in minor units.
    fee: u64,
    /// What went back of it.
    refunded: u64,
    /// How long they took from being sent to being paid, together.
    took_ms: u64,
    /// How many of them that is known of.
    took: u64,
}

fn shown(sum: Sum) -> SumView {
    // As callers read it everywhere else: RMB.
    let currency = Currency::parse(&sum.currency);
    SumView {
        at: sum.at_ms,
        pay_tp: sum.pay_type,
        cur: currency.map_or(sum.currency, |currency| currency.caller_code().to_owned()),
        st: sum.state,
        count: sum.count,
        fee: sum.fee_minor,
        refunded: sum.refunded_minor,
        took_ms: sum.took_ms,
        took: sum.took,
    }
}
