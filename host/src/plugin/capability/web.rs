//! `web`: requests to hosts that the operator granted the domain. Each carries an `Idempotency-Key` made of the delivery
//! and the request's step, so that the receiver can tell a repeated one; redirects are answers like any other.

use std::collections::HashMap;
use std::sync::Arc;

use url::Url;

use super::is_name;
use crate::payment::model::Digest;
use crate::plugin::bindings::callback::walnut::pay::web::{self, Failure, Request, Response};
use crate::plugin::call::Call;
use crate::plugin::callback::{ForCallback, ViewError};
use crate::plugin::error::Stop;
use crate::plugin::limits;
use crate::plugin::outbound::{Fetch, Outbound, Unsent};
use crate::plugin::web::{Web, WebAnswer, WebFailure, WebHost, WebRequest};

impl web::Host for Call<ForCallback> {
    async fn fetch(&mut self, request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        self.count()?;
        let (request, host) = match read(request) {
            Ok(read) => read,
            Err(why) => return Ok(Err(Failure::Denied(why))),
        };
        if let Err(why) = self.world.requests.count(&request) {
            return Ok(Err(Failure::Denied(why)));
        }
        let answer = match self.world.view.web(&host).await {
            Ok(Web::Granted) => self.world.requests.send(request, &host).await,
            Ok(Web::Answered(answers)) => answers(&request),
            Ok(Web::NotGranted) => Err(WebFailure::Denied(self.world.not_granted(&host))),
            Err(ViewError::Refused(why)) => Err(WebFailure::Denied(why)),
            Err(ViewError::Failed(why)) => return Err(Stop::Down(why).into()),
        };
        Ok(told(answer))
    }
}

impl ForCallback {
    fn not_granted(&self, host: &WebHost) -> String {
        let domain = &self.domain;
        format!(
            "the operator has not granted the domain {domain:?} the host {host}: ask for `walnut domain set {domain} \
             --web {host}`"
        )
    }
}

/// What was asked for and where it goes, if it is a request at all.
fn read(request: Request) -> Result<(WebRequest, WebHost), String> {
    if !is_name(&request.step) {
        return Err(format!(
            "a step has 1 to {} letters, digits, dots, dashes and underscores",
            limits::NAME_BYTES
        ));
    }
    if request.url.len() > limits::URL_BYTES {
        return Err(format!(
            "an address has at most {} bytes",
            limits::URL_BYTES
        ));
    }
    let url = Url::parse(&request.url).map_err(|_| "the address is not an absolute URL")?;
    let host = WebHost::of(&url)?;
    let request = WebRequest {
        step: request.step,
        method: request.method,
        url,
        headers: request.headers,
        body: request.body,
    };
    request.check()?;
    Ok((request, host))
}

fn told(answer: Result<WebAnswer, WebFailure>) -> Result<Response, Failure> {
    match answer {
        Ok(answer) => Ok(Response {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        }),
        Err(WebFailure::Denied(why)) => Err(Failure::Denied(why)),
        Err(WebFailure::NotSent(why)) => Err(Failure::NotSent(why)),
        Err(WebFailure::MaybeSent(why)) => Err(Failure::MaybeSent(why)),
        Err(WebFailure::TooLarge) => Err(Failure::TooLarge),
    }
}

/// The requests of one run.
#[derive(Default)]
pub(in crate::plugin) struct Requests {
    /// None while an upload is only started.
    line: Option<Line>,
    /// What each step asked for.
    steps: HashMap<String, Digest>,
    made: u32,
}

/// How requests leave.
struct Line {
    outbound: Arc<Outbound>,
    domain: String,
    delivery: String,
}

impl Requests {
    /// Those of a run for the domain's delivery of this key.
    pub(in crate::plugin) fn of(
        outbound: Arc<Outbound>,
        domain: String,
        delivery: String,
    ) -> Requests {
        let line = Line {
            outbound,
            domain,
            delivery,
        };
        Requests {
            line: Some(line),
            ..Requests::default()
        }
    }

    /// How many were made.
    pub(in crate::plugin) fn made(&self) -> u32 {
        self.made
    }

    /// Counts a request. A step stands for one request, on every try: another one under the same name would be taken by
    /// its receiver for the first.
    fn count(&mut self, request: &WebRequest) -> Result<(), String> {
        if self.made >= limits::WEB_REQUESTS {
            return Err(format!(
                "a run makes at most {} requests",
                limits::WEB_REQUESTS
            ));
        }
        let asked = fingerprint(request);
        match self.steps.get(&request.step) {
            Some(before) if *before != asked => Err(format!(
                "the step {:?} was another request before: give each request a step of its own",
                request.step
            )),
            _ => {
                self.made += 1;
                self.steps.insert(request.step.clone(), asked);
                Ok(())
            }
        }
    }

    async fn send(&self, request: WebRequest, host: &WebHost) -> Result<WebAnswer, WebFailure> {
        let Some(line) = &self.line else {
            let why = "nothing is sent before the callback is called".to_owned();
            return Err(WebFailure::Denied(why));
        };
        let mut headers = request.headers;
        let key = format!("{}.{}", line.delivery, request.step);
        headers.push(("idempotency-key".to_owned(), key));
        let fetch = Fetch {
            method: request.method,
            url: request.url,
            headers,
            body: request.body,
        };
        let sent = line.outbound.fetch(&line.domain, fetch, host.is_local());
        match sent.await {
            Ok(answer) => Ok(WebAnswer {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            }),
            Err(Unsent::Denied(why)) => Err(WebFailure::Denied(why)),
            Err(Unsent::NotSent(why)) => Err(WebFailure::NotSent(why)),
            Err(Unsent::MaybeSent(why)) => Err(WebFailure::MaybeSent(why)),
            Err(Unsent::TooLarge) => Err(WebFailure::TooLarge),
        }
    }
}

/// Of what the receiver acts on.
fn fingerprint(request: &WebRequest) -> Digest {
    let mut text = format!("{} {}\n", request.method, request.url).into_bytes();
    text.extend_from_slice(&request.body);
    Digest::of(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(step: &str, body: &str) -> WebRequest {
        WebRequest {
            step: step.into(),
            method: "POST".into(),
            url: "https://api.example.com/".parse().unwrap(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    #[test]
    fn a_step_is_one_request_and_a_run_makes_so_many() {
        let mut requests = Requests::default();
        requests.count(&request("tell", "1")).unwrap();
        requests.count(&request("tell", "1")).unwrap();
        let other = requests.count(&request("tell", "2")).unwrap_err();
        assert!(other.contains("a step of its own"), "{other}");
        for number in 2..limits::WEB_REQUESTS {
            requests.count(&request(&number.to_string(), "")).unwrap();
        }
        assert!(requests.count(&request("more", "")).is_err());
    }

    #[tokio::test]
    async fn nothing_is_sent_before_the_callback_is_called() {
        let host = WebHost::parse("api.example.com").unwrap();
        let sent = Requests::default().send(request("tell", ""), &host).await;
        assert!(matches!(sent, Err(WebFailure::Denied(_))), "{sent:?}");
    }
}
