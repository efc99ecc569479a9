//! `http`: requests to the platform, checked and signed by the manifest's rules, sent by the host.

use std::time::Instant;

use wasmtime::component::Resource;

use crate::plugin::bindings::provider::walnut::pay::http::{self, Failure, Request};
use crate::plugin::call::Call;
use crate::plugin::limits;
use crate::plugin::outbound::Unsent;
use crate::plugin::provider::ForProvider;
use crate::plugin::token;
use crate::trust::{self, Message, Origin, Outgoing, Prepared, Target};

impl http::Host for Call<ForProvider> {
    async fn send(
        &mut self,
        request: Request,
    ) -> wasmtime::Result<Result<Resource<Message>, Failure>> {
        self.count()?;
        match self.request(request).await {
            Ok(message) => Ok(Ok(self.table.push(message)?)),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

impl Call<ForProvider> {
    async fn request(&mut self, request: Request) -> Result<Message, Failure> {
        let Some(target) = self.world.target.clone() else {
            return Err(denied(
                "this call has no target, and so nobody to ask".to_owned(),
            ));
        };
        let Some(left) = self.world.requests_left.checked_sub(1) else {
            return Err(denied(format!(
                "a call may send {} requests",
                limits::REQUESTS
            )));
        };
        self.world.requests_left = left;
        check_size(&request)?;
        let outgoing = Outgoing {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            auth: request.auth,
            identity: request.identity,
        };
        self.fetch_token(&target, &outgoing).await?;
        let mut message = self.exchange(&target, outgoing.clone()).await?;
        // The platform gave the token up before its time: it did nothing of what was asked.
        if message.status == 401
            && trust::forget_token(&self.world.manifest, &target, outgoing.auth.as_deref())
        {
            self.fetch_token(&target, &outgoing).await?;
            message = self.exchange(&target, outgoing).await?;
        }
        Ok(message)
    }

    /// Fetches the token that the request needs, where the target has none.
    async fn fetch_token(&mut self, target: &Target, outgoing: &Outgoing) -> Result<(), Failure> {
        let now_ms = self.time_ms();
        let (outbound, manifest) = (&self.world.outbound, &self.world.manifest);
        token::fetch(outbound, manifest, target, outgoing, now_ms)
            .await
            .map_err(failure)
    }

    /// Prepares a request, sends it, and takes its answer.
    async fn exchange(&mut self, target: &Target, outgoing: Outgoing) -> Result<Message, Failure> {
        let prepared = self.prepared(target, outgoing).await?;
        self.is_its_errand(&prepared)?;
        let renews = self.world.manifest.renews(&prepared.operation);
        let origin = Origin::Answer {
            operation: prepared.operation.clone(),
            signed: prepared.signed,
            trade: prepared.trade.clone(),
        };
        let answer = self.world.outbound.send(prepared).await;
        if renews && !answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            target.not_renewed();
        }
        let answer = answer.map_err(failure)?;
        let platform = self.world.manifest.name();
        self.world.outbound.clocks.heard(platform, &answer.headers);
        Ok(Message {
            origin,
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
            came: Instant::now(),
        })
    }

    /// A request that names its trade names the one that the provider was called for, and what moves money or ends a
    /// trade is asked for only when that is the errand.
    fn is_its_errand(&self, prepared: &Prepared) -> Result<(), Failure> {
        let about = self.world.about.as_ref();
        if !prepared.during.is_empty() {
            let errand = about.map(|about| about.errand);
            if !errand.is_some_and(|errand| prepared.during.contains(&errand)) {
                return Err(denied(format!(
                    "the manifest allows {} only when the host calls for it",
                    prepared.operation
                )));
            }
        }
        match (&prepared.trade, about) {
            (Some(trade), Some(about)) if *trade != about.trade => Err(denied(
                "the request is about another trade than this call".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Checks a request, and signs it. A target's first requests come together, and one of them fetches the platform's
    /// certificates: whoever is denied the same waits until they are there, and may look again.
    async fn prepared(&mut self, target: &Target, outgoing: Outgoing) -> Result<Prepared, Failure> {
        match trust::prepare(&self.world.manifest, target, outgoing, self.time_ms()) {
            Ok(prepared) => Ok(prepared),
            Err(trust::Denied(why)) => {
                let _ = tokio::time::timeout(limits::RENEWAL_WAIT, target.renewed()).await;
                Err(Failure::Denied(why))
            }
        }
    }
}

fn check_size(request: &Request) -> Result<(), Failure> {
    let checks = [
        ("the address", request.url.len(), limits::URL_BYTES, "bytes"),
        (
            "the request",
            request.headers.len(),
            limits::REQUEST_HEADERS,
            "headers",
        ),
        ("the body", request.body.len(), limits::BODY_BYTES, "bytes"),
    ];
    for (part, is, most, unit) in checks {
        if is > most {
            return Err(denied(format!(
                "{part} has {is} {unit}, which is more than {most}"
            )));
        }
    }
    Ok(())
}

fn failure(unsent: Unsent) -> Failure {
    match unsent {
        Unsent::Denied(why) => Failure::Denied(why),
        Unsent::NotSent(why) => Failure::NotSent(why),
        Unsent::MaybeSent(why) => Failure::MaybeSent(why),
        Unsent::TooLarge => Failure::TooLarge,
    }
}

fn denied(why: String) -> Failure {
    Failure::Denied(why)
}
