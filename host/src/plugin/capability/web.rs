//! `web`: requests to hosts that the operator granted the domain. Grants cannot be given yet, so that every
//! request is denied.

use super::is_name;
use crate::plugin::bindings::callback::walnut::pay::web::{self, Failure, Request, Response};
use crate::plugin::call::Call;
use crate::plugin::callback::ForCallback;
use crate::plugin::limits;

impl web::Host for Call<ForCallback> {
    async fn fetch(&mut self, request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        self.count()?;
        Ok(Err(Failure::Denied(self.world.why_denied(&request))))
    }
}

impl ForCallback {
    fn why_denied(&self, request: &Request) -> String {
        if !is_name(&request.step) {
            return format!(
                "a step has 1 to {} letters, digits, dots, dashes and underscores",
                limits::NAME_BYTES
            );
        }
        let host = url::Url::parse(&request.url).ok();
        match host.as_ref().and_then(url::Url::host_str) {
            Some(host) => format!(
                "the operator has granted no hosts to the domain {:?}: ask for {host:?}",
                self.domain
            ),
            None => "the address is not an absolute URL".to_owned(),
        }
    }
}
