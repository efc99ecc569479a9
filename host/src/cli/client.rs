//! Calls to a running host.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::error::CliError;
use super::options::HostOptions;

/// Longest time until a host is connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time for a whole call: a `send` waits for the platform, and components are compiled when
/// they are uploaded.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest answer that is read: more than any content the host keeps.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// One request, told apart from the host that it goes to.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Below the host's address; each part is escaped.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    /// Longest time for the whole call.
    pub(super) within: Duration,
}

/// What a request carries.
#[derive(Debug)]
pub(super) enum Body {
    Nothing,
    Json(Value),
    Bytes(Vec<u8>),
}

/// What came back, not yet judged.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// A running host.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    #[serde(default)]
    data: Value,
    #[serde(default, rename = "errCode")]
    code: String,
    #[serde(default)]
    msg: String,
}

impl Call {
    pub(super) fn new(method: Method, path: &[&str]) -> Call {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        Call {
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Nothing,
            within: CALL_TIMEOUT,
        }
    }

    /// The same for what takes longer than other calls.
    pub(super) fn within(self, within: Duration) -> Call {
        Call { within, ..self }
    }

    pub(super) fn get(path: &[&str]) -> Call {
        Call::new(Method::GET, path)
    }

    pub(super) fn post(path: &[&str], body: Value) -> Call {
        Call {
            body: Body::Json(body),
            ..Call::new(Method::POST, path)
        }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.query.push((name, value.into()));
        self
    }

    /// The same where there is a value.
    pub(super) fn query_opt(self, name: &'static str, value: Option<impl ToString>) -> Call {
        match value {
            Some(value) => self.query(name, value.to_string()),
            None => self,
        }
    }

    pub(super) fn bytes(self, bytes: Vec<u8>) -> Call {
        Call {
            body: Body::Bytes(bytes),
            ..self
        }
    }
}

impl Client {
    /// A client for the host that the options name. Nothing is sent yet.
    pub(super) fn new(options: &HostOptions) -> Result<Client, CliError> {
        let wrong = |why: &str| CliError::usage(format!("--url {:?} {why}", options.url));
        let base = Url::parse(&options.url)
            .map_err(|_| wrong("is no address, such as http://127.0.0.1:8080"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong("is no http or https address"));
        }
        if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
            return Err(wrong(
                "carries more than an address: give the key by WALNUT_KEY or --key",
            ));
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("walnut/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect would carry the key elsewhere.
            .redirect(Policy::none());
        if is_this_machine(&base) {
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| CliError::usage(format!("cannot set up HTTP: {}", chain(&error))))?;
        let key = options
            .key
            .clone()
            .map(|key| key.trim().to_owned())
            .filter(|key| !key.is_empty());
        Ok(Client { http, base, key })
    }

    /// Calls an endpoint that answers with the envelope, and opens it.
    pub(super) async fn call(&self, call: Call) -> Result<Value, CliError> {
        let answer = self.send(call, true).await?;
        self.open(answer)
    }

    /// Calls an endpoint whose good answer is not an envelope.
    pub(super) async fn bytes(&self, call: Call) -> Result<Vec<u8>, CliError> {
        let answer = self.send(call, true).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        self.open(answer).map(|_| Vec::new())
    }

    /// Calls as a platform would: without a key, and every answer is an answer.
    pub(super) async fn as_platform(&self, call: Call) -> Result<Answer, CliError> {
        self.send(call, false).await
    }

    fn open(&self, answer: Answer) -> Result<Value, CliError> {
        let envelope: Envelope = serde_json::from_slice(&answer.body).map_err(|_| {
            let why = format!(
                "status {} without walnut's envelope",
                answer.status.as_u16()
            );
            CliError::NotWalnut {
                url: self.base.to_string(),
                why,
            }
        })?;
        if envelope.ok {
            return Ok(envelope.data);
        }
        let mut message = envelope.msg;
        if answer.status == StatusCode::UNAUTHORIZED && self.key.is_none() {
            message.push_str(" (give an API key by WALNUT_KEY or --key)");
        }
        Err(CliError::Refused {
            code: envelope.code,
            message,
        })
    }

    async fn send(&self, call: Call, with_key: bool) -> Result<Answer, CliError> {
        let mut request = self
            .http
            .request(call.method, self.address(&call.path, &call.query)?)
            .timeout(call.within);
        let mut headers = HeaderMap::new();
        for (name, value) in &call.headers {
            let wrong = || CliError::usage(format!("{name:?} is no header that can be sent"));
            let name: HeaderName = name.parse().map_err(|_| wrong())?;
            headers.append(name, value.parse().map_err(|_| wrong())?);
        }
        if let Some(key) = self.key.as_ref().filter(|_| with_key) {
            let mut value: HeaderValue = format!("Bearer {key}")
                .parse()
                .map_err(|_| CliError::usage("the API key has characters that no key has"))?;
            value.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
        request = request.headers(headers);
        request = match call.body {
            Body::Nothing => request,
            Body::Json(value) => request.json(&value),
            Body::Bytes(bytes) => request.body(bytes),
        };
        let unreachable = |error: reqwest::Error| CliError::Unreachable {
            url: self.base.to_string(),
            why: chain(&error.without_url()),
        };
        let mut answer = request.send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                let why = format!("more than {MAX_ANSWER_BYTES} bytes");
                return Err(CliError::NotWalnut {
                    url: self.base.to_string(),
                    why,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: answer.status(),
            body,
        })
    }

    fn address(&self, path: &[String], query: &[(&str, String)]) -> Result<Url, CliError> {
        // These would vanish from the path and make it another endpoint's.
        if let Some(part) = path
            .iter()
            .find(|part| matches!(part.as_str(), "" | "." | ".."))
        {
            return Err(CliError::usage(format!("{part:?} is no name")));
        }
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut parts) => {
                parts.pop_if_empty().extend(path);
            }
            Err(()) => return Err(CliError::usage(format!("--url {} has no path", self.base))),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The error with everything that it comes from: the innermost says what happened.
fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !out.contains(&cause_text) {
            out.push_str(": ");
            out.push_str(&cause_text);
        }
        next = cause.source();
    }
    out
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Request;
    use axum::http;
    use axum::response::IntoResponse;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers as a host, a refusing host, or as something else, by path.
    async fn answer(request: Request) -> impl IntoResponse {
        let shown = format!(
            "{} {} {}",
            request.method(),
            request.uri(),
            request
                .headers()
                .get("authorization")
                .map_or("-", |v| v.to_str().unwrap())
        );
        match request.uri().path().rsplit('/').next().unwrap() {
            "refused" => (
                http::StatusCode::NOT_FOUND,
                r#"{"ok":false,"errCode":"e.pay.noexists","msg":"no such payment"}"#.to_owned(),
            ),
            "nobody" => (
                http::StatusCode::UNAUTHORIZED,
                r#"{"ok":false,"errCode":"e.auth","msg":"who are you?"}"#.to_owned(),
            ),
            "html" => (http::StatusCode::OK, "<html>".to_owned()),
            "elsewhere" => (http::StatusCode::FOUND, String::new()),
            _ => (
                http::StatusCode::OK,
                serde_json::json!({"ok": true, "data": shown}).to_string(),
            ),
        }
    }

    async fn client(path: &str, key: Option<&str>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        let url = format!("http://{address}{path}");
        Client::new(&HostOptions {
            url,
            key: key.map(str::to_owned),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_call_names_parts_and_key() {
        let client = client("/base/", Some("wk_test_1")).await;
        let call = Call::get(&["pay", "callback", "a/b c"]).query("match", r#"{"a":"&"}"#);
        assert_eq!(
            client.call(call).await.unwrap(),
            "GET /base/pay/callback/a%2Fb%20c?match=%7B%22a%22%3A%22%26%22%7D Bearer wk_test_1"
        );
        let platform = client.as_platform(Call::get(&["pay", "re"])).await.unwrap();
        assert!(
            String::from_utf8(platform.body)
                .unwrap()
                .contains("GET /base/pay/re -")
        );
        let up = client
            .call(Call::get(&["pay", "callback", ".."]))
            .await
            .unwrap_err();
        assert_eq!(up.exit_code(), 2);
    }

    #[tokio::test]
    async fn refusals_and_strangers_are_told_apart() {
        let client = client("", None).await;
        let refused = client.call(Call::get(&["refused"])).await.unwrap_err();
        assert_eq!((refused.exit_code(), refused.to_string()), {
            (1, "e.pay.noexists: no such payment".to_owned())
        });
        let nobody = client
            .call(Call::get(&["nobody"]))
            .await
            .unwrap_err()
            .to_string();
        assert!(nobody.contains("WALNUT_KEY"), "{nobody}");
        for strange in ["html", "elsewhere"] {
            let strange = client.call(Call::get(&[strange])).await.unwrap_err();
            assert_eq!(strange.exit_code(), 3, "{strange}");
        }
        assert_eq!(client.bytes(Call::get(&["html"])).await.unwrap(), b"<html>");
        assert_eq!(
            client
                .bytes(Call::get(&["refused"]))
                .await
                .unwrap_err()
                .exit_code(),
            1
        );
    }

    #[tokio::test]
    async fn no_host_is_exit_code_3() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = Client::new(&HostOptions { url, key: None }).unwrap();
        let error = client.call(Call::get(&["x"])).await.unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("walnut serve"), "{error}");
    }

    #[test]
    fn an_address_is_only_an_address() {
        for url in [
            "",
            "127.0.0.1:8080",
            "ftp://h",
            "http://u:p@h",
            "http://h?x=1",
            "file:///x",
        ] {
            assert!(
                Client::new(&HostOptions {
                    url: url.to_owned(),
                    key: None
                })
                .is_err(),
                "{url}"
            );
        }
    }
}
