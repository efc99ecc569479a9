//! Whether the host lives, and whether it can work.

use std::time::Duration;

use axum::extract::State;
use serde_json::json;

use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::error::PayError;

/// Whoever asks has given up after some seconds.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The process answers.
pub(super) async fn healthz() -> Answer {
    Data::of(json!({ "status": "alive", "version": env!("CARGO_PKG_VERSION") }))
}

/// The store can be read and written too.
pub(super) async fn readyz(State(payments): State<Payments>) -> Answer {
    let ready = tokio::time::timeout(READY_WITHIN, payments.store().ready());
    match ready.await {
        Ok(ready) => ready.map_err(PayError::from)?,
        Err(_) => {
            let why = "the payment store does not answer in time";
            return Err(PayError::store_down(why).into());
        }
    }
    Data::of(json!({ "status": "ready" }))
}
