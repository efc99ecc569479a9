//! Requests of callbacks to the web: where one goes, what it is, and what became of it.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

use super::limits;

/// Where a request goes: scheme, host and port. Written as the operator grants it: `api.example.com`,
/// `api.example.com:8443`, or `http://127.0.0.1:9000` for a receiver on this machine.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct WebHost {
    https: bool,
    host: String,
    port: u16,
}

impl WebHost {
    /// Reads a grant.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<WebHost, String> {
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let rule = "write a host as api.example.com or api.example.com:8443";
        let url = Url::parse(&full).map_err(|error| format!("{text:?}: {error}: {rule}"))?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if text.contains('*') {
            return Err(format!("{text:?}: each host is named by itself: {rule}"));
        }
        if !bare || text.ends_with('/') {
            return Err(format!("{text:?} is more than a host: {rule}"));
        }
        WebHost::of(&url).map_err(|why| format!("{text:?}: {why}"))
    }

    /// Where a request to this address goes.
    ///
    /// # Errors
    /// Why no request goes there, in words.
    pub fn of(url: &Url) -> Result<WebHost, String> {
        let https = match url.scheme() {
            "https" => true,
            "http" if is_this_machine(url) => false,
            "http" => return Err("the address is not one of https".to_owned()),
            other => {
                return Err(format!(
                    "requests go to addresses of https, not of {other:?}"
                ));
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the address carries a name or a password: send it in a header".to_owned());
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err("the address has no host".to_owned());
        };
        Ok(WebHost {
            https,
            host: host.to_owned(),
            port,
        })
    }

    /// Whether it is a receiver on this machine, spoken to without TLS.
    pub(super) fn is_local(&self) -> bool {
        !self.https
    }
}

/// By what the address says, nothing is resolved.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl fmt::Display for WebHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.https {
            ("", 443)
        } else {
            ("http://", 80)
        };
        write!(f, "{scheme}{}", self.host)?;
        if self.port == usual {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

/// A request of a callback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebRequest {
    /// Its name within the delivery.
    pub step: String,
    /// In upper case.
    pub method: String,
    /// The absolute address.
    pub url: Url,
    /// As the callback gave them, without those that the host adds.
    pub headers: Vec<(String, String)>,
    /// The bytes to send.
    pub body: Vec<u8>,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WebFailure {
    /// It may not be sent.
    Denied(String),
    /// Surely not sent.
    NotSent(String),
    /// Perhaps received.
    MaybeSent(String),
    /// The answer is larger than the host takes.
    TooLarge,
}

/// Answers a request in the place of the web.
pub type WebAnswers = Arc<dyn Fn(&WebRequest) -> Result<WebAnswer, WebFailure> + Send + Sync>;

/// What becomes of a domain's requests to a host.
#[derive(Clone)]
pub enum Web {
    /// The operator did not grant it: they are denied.
    NotGranted,
    /// They are sent.
    Granted,
    /// Nothing is sent: this answers.
    Answered(WebAnswers),
}

/// Headers that are the host's own: they say where a request ends, who sends it, or that it was sent before.
const OWN_HEADERS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl WebRequest {
    /// Whether it has the form of a request that the host sends.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        if !METHODS.contains(&self.method.as_str()) {
            return Err(format!("the method is one of {}", METHODS.join(", ")));
        }
        if self.headers.len() > limits::REQUEST_HEADERS {
            return Err(format!(
                "a request has at most {} headers",
                limits::REQUEST_HEADERS
            ));
        }
        let own = |name: &str| OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
        if let Some((name, _)) = self.headers.iter().find(|(name, _)| own(name)) {
            return Err(format!("the host itself sends the header {name}"));
        }
        if self.body.len() > limits::BODY_BYTES {
            return Err(format!("a body has at most {} bytes", limits::BODY_BYTES));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_a_host_and_perhaps_a_port() {
        for (text, shown) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.com:443", "api.example.com"),
            ("https://api.example.com", "api.example.com"),
            ("api.example.com:8443", "api.example.com:8443"),
            ("例子.cn", "xn--fsqu00a.cn"),
            ("[2606:4700::1111]:8443", "[2606:4700::1111]:8443"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://localhost", "http://localhost"),
        ] {
            let host = WebHost::parse(text).unwrap();
            assert_eq!(host.to_string(), shown);
            assert_eq!(WebHost::parse(shown).unwrap(), host);
        }
        for text in [
            "",
            "*",
            "*.example.com/",
            "api.example.com/path",
            "api.example.com?x=1",
            "user@api.example.com",
            "user:word@api.example.com",
            "http://api.example.com",
            "http://10.0.0.1",
            "ftp://api.example.com",
            "api.example.com:0x1",
            "two words",
        ] {
            let refused = WebHost::parse(text);
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
    }

    #[test]
    fn what_is_the_hosts_own_is_refused() {
        let request = |method: &str, header: &str| WebRequest {
            step: "tell".into(),
            method: method.into(),
            url: "https://api.example.com/".parse().unwrap(),
            headers: vec![(header.into(), "1".into())],
            body: Vec::new(),
        };
        assert_eq!(request("POST", "X-Shop").check(), Ok(()));
        for (method, header) in [
            ("CONNECT", "x"),
            ("post", "x"),
            ("POST", "Host"),
            ("POST", "Idempotency-Key"),
            ("POST", "transfer-encoding"),
        ] {
            assert!(
                request(method, header).check().is_err(),
                "{method} {header}"
            );
        }
    }
}
