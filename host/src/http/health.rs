//! Whether the host lives, and whether it can work.

use axum::extract::State;
use serde_json::json;

use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::error::PayError;

/// The process answers.
pub(super) async fn healthz() -> Answer {
    Data::of(json!({ "status": "alive", "version": env!("CARGO_PKG_VERSION") }))
}

/// The store answers too.
pub(super) async fn readyz(State(payments): State<Payments>) -> Answer {
    payments.store().domains().await.map_err(PayError::from)?;
    Data::of(json!({ "status": "ready" }))
}
