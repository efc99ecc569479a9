//! The requests that the host sends for plugins: to public addresses, or to a simulated platform or receiver on this
//! machine where the host allows it; without redirects, proxies or repeats of its own.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Identity, Method, Response};
use url::Url;

use super::limits;
use crate::trust::{Prepared, Tls};

mod reach;

use reach::{Refused, Resolver, Side, check_literal};

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

/// The clients. Each has connections of its own, so that none that was made for one purpose is used for the other.
pub(super) struct Outbound {
    /// None where the machine has no certificates to trust; then it is told to whoever sends.
    public: Result<Client, String>,
    /// None where the host does not allow simulated platforms.
    local: Option<Client>,
    /// The same two for callbacks.
    web: Result<Client, String>,
    web_local: Option<Client>,
    /// Those of targets with a client certificate or an authority of their own.
    own: Mutex<LruCache<(String, Side), (Tls, Client)>>,
}

impl Outbound {
    pub(super) fn new(allow_local_gateways: bool) -> Result<Outbound, String> {
        let public = || {
            client(Side::Public)
                .build()
                .map_err(|error| format!("{}: are ca-certificates installed?", causes(&error)))
        };
        // It trusts nobody: a platform here that has TLS is certified by its target's own authority.
        let local = || {
            let client = client(Side::Local).tls_certs_only([]).build();
            client.map_err(|error| causes(&error))
        };
        let local = || allow_local_gateways.then(local).transpose();
        Ok(Outbound {
            public: public(),
            local: local()?,
            web: public(),
            web_local: local()?,
            own: Mutex::new(LruCache::new(limits::OWN_CLIENTS)),
        })
    }

    /// Sends a request that was checked and signed, and reads the whole answer.
    pub(super) async fn send(&self, request: Prepared) -> Result<Answer, Unsent> {
        let response = self.begin(request, limits::REQUEST_TIMEOUT).await?;
        read(response).await
    }

    /// Sends a callback's request, over a connection that no provider uses; `local` is for a receiver on this machine.
    pub(super) async fn fetch(&self, fetch: Fetch, local: bool) -> Result<Answer, Unsent> {
        let (side, client) = match (local, &self.web_local) {
            (false, _) => (Side::Public, self.web.clone().map_err(Unsent::NotSent)?),
            (true, Some(client)) => (Side::Local, client.clone()),
            (true, None) => {
                return Err(Unsent::Denied(
                    "this host does not allow receivers on its own machine".to_owned(),
                ));
            }
        };
        read(post(side, client, fetch, limits::REQUEST_TIMEOUT).await?).await
    }

    /// The same for a file, whose bytes are taken as they come.
    pub(super) async fn download(&self, request: Prepared) -> Result<Download, Unsent> {
        let response = self.begin(request, limits::BILL_TIMEOUT).await?;
        Ok(Download {
            response,
            came: 0,
            ahead: Vec::new(),
        })
    }

    /// Sends a provider's request, and waits for the head of the answer; `within` is for all of it.
    async fn begin(&self, request: Prepared, within: Duration) -> Result<Response, Unsent> {
        let (side, client) = self.client_for(&request)?;
        let fetch = Fetch {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
        };
        post(side, client, fetch, within).await
    }

    fn client_for(&self, request: &Prepared) -> Result<(Side, Client), Unsent> {
        let side = match (request.url.scheme(), request.local_gateway, &self.local) {
            ("https", false, _) => Side::Public,
            ("http" | "https", true, Some(_)) => Side::Local,
            ("http" | "https", true, None) => {
                return Err(Unsent::Denied(
                    "this host does not allow simulated platforms".to_owned(),
                ));
            }
            _ => return Err(Unsent::Denied("the address is not one of https".to_owned())),
        };
        let client = match (&request.tls, side) {
            (Some(tls), _) => self.own(tls, side).map_err(Unsent::Denied)?,
            (None, Side::Public) => self.public.clone().map_err(Unsent::NotSent)?,
            (None, Side::Local) => self
                .local
                .clone()
                .ok_or_else(|| Unsent::Denied("there is no such client".to_owned()))?,
        };
        Ok((side, client))
    }

    /// The client of one target's own. Whoever else has the same address uses other connections.
    fn own(&self, tls: &Tls, side: Side) -> Result<Client, String> {
        let place = (tls.owner.clone(), side);
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = own.get(&place).filter(|(known, _)| known == tls) {
            return Ok(client.clone());
        }
        let mut builder = client(side);
        if let Some(pem) = &tls.identity_pem {
            let identity = Identity::from_pem(pem.as_bytes())
                .map_err(|_| "the client certificate or its key cannot be used in TLS")?;
            builder = builder.identity(identity);
        }
        if let Some(pem) = &tls.authority_pem {
            let trusted = Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|_| "the target's authority cannot be used in TLS")?;
            builder = builder.tls_certs_only(trusted);
        } else if side == Side::Local {
            builder = builder.tls_certs_only([]);
        }
        let made = builder.build().map_err(|error| causes(&error))?;
        own.put(place, (tls.clone(), made.clone()));
        Ok(made)
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
    let sent = client
        .request(method, fetch.url)
        .headers(headers(fetch.headers)?)
        .body(fetch.body)
        .timeout(within)
        .send()
        .await;
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

fn client(side: Side) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("walnut/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // Whether a request may be repeated is decided by the payment's rules.
        .retry(reqwest::retry::never())
        .referer(false)
        .https_only(side == Side::Public)
        .http1_only()
        .http1_max_headers(limits::ANSWER_HEADERS)
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .pool_idle_timeout(limits::CONNECTION_IDLE)
        .pool_max_idle_per_host(limits::CONNECTIONS_IDLE)
        .dns_resolver(Resolver::new(side))
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
