//! Whether the host lives, and whether it can work.

use std::time::Duration;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::error::PayError;

/// Whoever asks has given up after some seconds.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The host lives.
#[derive(Serialize, JsonSchema)]
pub(super) struct Alive {
    /// `alive`
    status: &'static str,
    /// The release that runs.
    version: &'static str,
}

/// The host can work.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ready {
    /// `ready`
    status: &'static str,
}

/// The process answers.
pub(super) async fn healthz() -> Answer<Alive> {
    Data::of(Alive {
        status: "alive",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// The store can be read and written too.
pub(super) async fn readyz(State(payments): State<Payments>) -> Answer<Ready> {
    let ready = tokio::time::timeout(READY_WITHIN, payments.store().ready());
    match ready.await {
        Ok(ready) => ready.map_err(PayError::from)?,
        Err(_) => {
            let why = "the payment store does not answer in time";
            return Err(PayError::store_down(why).into());
        }
    }
    Data::of(Ready { status: "ready" })
}
