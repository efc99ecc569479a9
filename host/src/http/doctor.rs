//! `GET /pay/doctor`: what is wrong with this host, for whoever looks after it.

use axum::extract::State;

use super::envelope::{Answer, Data};
use crate::payment::Payments;
use crate::payment::doctor::Diagnosis;

pub(super) async fn doctor(State(payments): State<Payments>) -> Answer<Diagnosis> {
    Data::of(payments.diagnose().await?)
}
