//! `GET /pay/doctor`: what is wrong with this host, for whoever looks after it.

use axum::extract::State;

use super::envelope::{Answer, Data};
use crate::payment::Payments;

pub(super) async fn doctor(State(payments): State<Payments>) -> Answer {
    Data::of(payments.diagnose().await?)
}
