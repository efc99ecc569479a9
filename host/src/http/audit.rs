//! A line in the audit log for each request that was refused: who asked, for what, and why not.
//!
//! No query and no body is in it: a ticket may stand in the one, and a secret in the other.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use crate::payment::caller::Caller;
use crate::payment::keys::Known;

/// Characters of an address that are told: what is longer is no address of ours.
const ADDRESS_SHOWN: usize = 160;

/// Who asks, once that is known.
#[derive(Clone, Default)]
pub(super) struct Who(Arc<OnceLock<String>>);

/// The code of a refusal, beside its answer.
#[derive(Clone, Copy)]
pub(super) struct Refused(pub(super) &'static str);

impl Who {
    pub(super) fn is(&self, known: &Known) {
        let name = match &known.caller {
            Caller::Root => "root".to_owned(),
            Caller::Op => "op".to_owned(),
            Caller::Domain {
                name, test: false, ..
            } => format!("domain {name}"),
            Caller::Domain {
                name, test: true, ..
            } => format!("domain {name}, test key"),
            Caller::Ticket(id) => format!("ticket of {id}"),
        };
        // A request has one caller.
        let _ = self.0.set(name);
    }
}

/// Writes the line. A mistake of somebody unknown is nobody's, unless it is about who that is.
pub(super) async fn refusals(mut request: Request, next: Next) -> Response {
    let who = Who::default();
    let (method, address) = (request.method().clone(), request.uri().clone());
    request.extensions_mut().insert(who.clone());
    let response = next.run(request).await;
    let status = response.status();
    let Some(Refused(code)) = response.extensions().get() else {
        return response;
    };
    let who = who.0.get().map(String::as_str);
    let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if denied || (who.is_some() && status.is_client_error()) {
        let who = who.unwrap_or("nobody");
        let address: String = address.path().chars().take(ADDRESS_SHOWN).collect();
        let status = status.as_u16();
        tracing::info!(target: "audit", who, %method, ?address, status, err_code = code, "refused");
    }
    response
}
