//! What the buyer's page asks besides the verbs: the ways to pay with their names, and the QR code as a picture.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::By;
use super::envelope::{Answer, Data, Failure};
use super::payments::payment_id;
use crate::payment::caller::Act;
use crate::payment::error::PayError;
use crate::payment::model::{Ams, PresentationKind};
use crate::payment::{Payments, now_ms};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Of {
    /// The payment.
    id: String,
}

/// The ways to pay that are open to a payment.
#[derive(Serialize, JsonSchema)]
pub(super) struct Offers {
    /// In the order in which they are shown.
    pay_types: Vec<Way>,
    /// The host's time, by which the deadlines are meant.
    now: Ams,
}

/// A way to pay.
#[derive(Serialize, JsonSchema)]
struct Way {
    /// For `send`.
    pay_tp: String,
    /// For `send`.
    pay_target: String,
    /// Whether `send` takes this account where none is named.
    default: bool,
    /// The platform.
    platform: String,
    /// What people read, by language.
    title: BTreeMap<String, String>,
    /// What has to be given with it.
    takes: Vec<Taken>,
}

/// Something that a pay type takes.
#[derive(Serialize, JsonSchema)]
struct Taken {
    /// What.
    what: String,
    /// Whether it may be left out.
    optional: bool,
}

/// The ways to pay that are open to a payment, with what people are to read of each and what has to be given with it; and
/// the host's time, by which the deadlines are meant.
pub(super) async fn offers(
    State(payments): State<Payments>,
    by: By,
    of: Result<Query<Of>, QueryRejection>,
) -> Answer<Offers> {
    let id = payment_id(&of?.id)?;
    let case = payments.case_for(&by.0, Act::Read, id).await?;
    let known = payments.providers();
    let pay_types = case
        .payment
        .offers
        .iter()
        .filter_map(|offer| {
            let provider = known.of_pay_type(&offer.pay_tp)?;
            let pay_type = provider.manifest.pay_type(&offer.pay_tp)?;
            let takes = pay_type.takes().map(|(what, optional)| Taken {
                what: what.to_owned(),
                optional,
            });
            Some(Way {
                pay_tp: offer.pay_tp.clone(),
                pay_target: offer.pay_target.clone(),
                default: offer.default,
                platform: provider.manifest.name().to_owned(),
                title: pay_type.title.clone(),
                takes: takes.collect(),
            })
        })
        .collect();
    Data::of(Offers {
        pay_types,
        now: now_ms(),
    })
}

/// The QR code that the payment shows now, as SVG.
pub(super) async fn qrcode(
    State(payments): State<Payments>,
    by: By,
    of: Result<Query<Of>, QueryRejection>,
) -> Result<Response, Failure> {
    let id = payment_id(&of?.id)?;
    let payment = payments.get(&by.0, id).await?;
    let shown = payment
        .presentation
        .filter(|shown| shown.kind == PresentationKind::Qrcode)
        .ok_or_else(|| PayError::not_found("the payment shows no QR code now"))?;
    // Whoever scans a screen has reflections to deal with.
    let code = QrCode::with_error_correction_level(&shown.content, EcLevel::M)
        .map_err(|_| PayError::internal("the platform's code does not fit into a QR code"))?;
    let picture = code
        .render::<svg::Color<'_>>()
        .quiet_zone(true)
        .min_dimensions(256, 256)
        .build();
    let headers = [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-store")];
    Ok((headers, picture).into_response())
}
