//! `GET /pay/doctor`: what is wrong with this host, for whoever looks after it.

use axum::Extension;
use axum::extract::State;

use super::envelope::{Answer, Data};
use super::tls::OwnTls;
use crate::payment::doctor::Diagnosis;
use crate::payment::{Payments, now_ms};

pub(super) async fn doctor(
    State(payments): State<Payments>,
    Extension(own): Extension<OwnTls>,
) -> Answer<Diagnosis> {
    let mut diagnosis = payments.diagnose().await?;
    if let Some(tls) = own.0 {
        let found = tls.look(payments.public_url(), now_ms());
        diagnosis.findings.extend(found.0);
    }
    Data::of(diagnosis)
}
