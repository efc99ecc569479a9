//! The requests that the host sends for plugins: to public addresses, or to a simulated platform or receiver on this
//! machine where the host allows it; without redirects, proxies or repeats of its own.
//!
//! | file      | is                                                             |
//! | --------- | -------------------------------------------------------------- |
//! | `clients` | connections, and whose they are: no domain uses another's      |
//! | `gates`   | how many requests of a domain are under way                    |
//! | `reach`   | where a client may connect to                                  |

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use tracing::{Instrument as _, field};
use url::Url;

use super::clocks::Clocks;
use super::limits;
use crate::logging::SPANS;
use crate::trust::Prepared;

mod clients;
mod gates;
mod reach;

use clients::{Clients, Purpose};
use gates::{Gates, Place};
use reach::{Refused, Side, check_literal};

/// A callback's request, which the operator granted.
pub(super) struct Fetch {
    /// In upper case.
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// An answer of a platform, or of a callback's receiver.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unsent {
    /// It may not be sent.
    Denied(String),
    /// Surely not sent.
    NotSent(String),
    /// Perhaps received.
    MaybeSent(String),
    /// The answer is larger than the host takes.
    TooLarge,
}

/// How requests leave.
pub(super) struct Outbound {
    clients: Clients,
    gates: Arc<Gates>,
    /// Whether simulated platforms and receivers on this machine are allowed.
    local: bool,
    pub(super) clocks: Clocks,
}

impl Outbound {
    pub(super) fn new(allow_local_gateways: bool) -> Outbound {
        Outbound {
            clients: Clients::new(),
            gates: Arc::default(),
            local: allow_local_gateways,
            clocks: Clocks::default(),
        }
    }

    /// Whether simulated platforms on this machine may be asked.
    pub(super) fn allows_local(&self) -> bool {
        self.local
    }

    /// Sends a request that was checked and signed, and reads the whole answer.
    pub(super) async fn send(&self, request: Prepared) -> Result<Answer, Unsent> {
        let (response, _place) = self.begin(request, limits::REQUEST_TIMEOUT).await?;
        read(response).await
    }

    /// Sends a callback's request; `local` is for a receiver on this machine.
    pub(super) async fn fetch(
        &self,
        domain: &str,
        fetch: Fetch,
        local: bool,
    ) -> Result<Answer, Unsent> {
        let side = match (local, self.local) {
            (false, _) => Side::Public,
            (true, true) => Side::Local,
            (true, false) => {
                return Err(Unsent::Denied(
                    "this host does not allow receivers on its own machine".to_owned(),
                ));
            }
        };
        let client = self.clients.of(domain, Purpose::Callback, side, None)?;
        let _place = self.gates.enter(domain, Purpose::Callback).await?;
        read(post(side, client, fetch, limits::REQUEST_TIMEOUT).await?).await
    }

    /// The same for a file, whose bytes are taken as they come.
    pub(super) async fn download(&self, request: Prepared) -> Result<Download, Unsent> {
        let (response, place) = self.begin(request, limits::BILL_TIMEOUT).await?;
        Ok(Download {
            response,
            _place: place,
            came: 0,
            ahead: Vec::new(),
        })
    }

    /// Sends a provider's request, and waits for the head of the answer; `within` is for all of it.
    async fn begin(
        &self,
        request: Prepared,
        within: Duration,
    ) -> Result<(Response, Place), Unsent> {
        let side = match (request.url.scheme(), request.local_gateway, self.local) {
            ("https", false, _) => Side::Public,
            ("http" | "https", true, true) => Side::Local,
            ("http" | "https", true, false) => {
                return Err(Unsent::Denied(
                    "this host does not allow simulated platforms".to_owned(),
                ));
            }
            _ => return Err(Unsent::Denied("the address is not one of https".to_owned())),
        };
        let (domain, tls) = (&request.domain, request.tls.as_ref());
        let client = self.clients.of(domain, Purpose::Platform, side, tls)?;
        let place = self.gates.enter(domain, Purpose::Platform).await?;
        let fetch = Fetch {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
        };
        Ok((post(side, client, fetch, within).await?, place))
    }
}

/// Sends, and waits for the head of the answer.
async fn post(
    side: Side,
    client: Client,
    fetch: Fetch,
    within: Duration,
) -> Result<Response, Unsent> {
    check_literal(side, &fetch.url)?;
    let method = Method::from_bytes(fetch.method.as_bytes())
        .map_err(|_| Unsent::Denied("the method is not one of HTTP".to_owned()))?;
    // Of the address the host alone: what stands behind it may be signed, or be about somebody.
    let span = tracing::info_span!(
        target: SPANS, "outgoing", otel.name = method.as_str(), otel.kind = "client",
        http.request.method = method.as_str(), server.address = fetch.url.host_str(),
        http.response.status_code = field::Empty,
    );
    let sent = client
        .request(method, fetch.url)
        .headers(headers(fetch.headers)?)
        .body(fetch.body)
        .timeout(within)
        .send()
        .instrument(span.clone())
        .await;
    if let Ok(answer) = &sent {
        span.record("http.response.status_code", answer.status().as_u16());
    }
    sent.map_err(|error| {
        if let Some(refused) = refused(&error) {
            Unsent::Denied(refused.to_string())
        } else if error.is_connect() || error.is_builder() {
            Unsent::NotSent(causes(&error))
        } else {
            Unsent::MaybeSent(causes(&error))
        }
    })
}

/// A file that is being fetched.
pub(super) struct Download {
    response: Response,
    /// Until all of it has come.
    _place: Place,
    came: usize,
    /// Came with the last part, and belongs to the next.
    ahead: Vec<u8>,
}

impl Download {
    /// The HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The next bytes: so many, or fewer at the end.
    pub(super) async fn next(&mut self, bytes: usize) -> Result<Vec<u8>, Unsent> {
        let mut part = std::mem::take(&mut self.ahead);
        while part.len() < bytes {
            match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    self.came += chunk.len();
                    if self.came > limits::BILL_BYTES {
                        return Err(Unsent::TooLarge);
                    }
                    part.extend_from_slice(&chunk);
                }
                Ok(None) => break,
                Err(error) => return Err(Unsent::MaybeSent(causes(&error))),
            }
        }
        if part.len() > bytes {
            self.ahead = part.split_off(bytes);
        }
        Ok(part)
    }
}

fn headers(pairs: Vec<(String, String)>) -> Result<HeaderMap, Unsent> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Unsent::Denied("a header's name is not one of HTTP".to_owned()))?;
        let value = HeaderValue::from_str(&value)
            .map_err(|_| Unsent::Denied(format!("the value of the header {name} is not one")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

async fn read(mut response: Response) -> Result<Answer, Unsent> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limits::BODY_BYTES => {
                return Err(Unsent::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => {
                return Ok(Answer {
                    status,
                    headers,
                    body,
                });
            }
            Err(error) => return Err(Unsent::MaybeSent(causes(&error))),
        }
    }
}

fn refused(error: &reqwest::Error) -> Option<&Refused> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

/// What happened, without the address: its query may carry a signature.
fn causes(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        parts.push("it took too long".to_owned());
    }
    if parts.is_empty() {
        "the request failed".to_owned()
    } else {
        parts.join(": ")
    }
}

#[cfg(test)]
mod tests;
