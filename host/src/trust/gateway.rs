//! The address at which a test target finds a simulated platform.

use std::net::IpAddr;

use url::{Host, Url};

/// An address of a test target's own: `http` only for this machine, `https` for any other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Gateway {
    scheme: String,
    authority: String,
    path: Option<String>,
    local: bool,
}

/// Why an address cannot be a gateway.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GatewayError {
    #[error("must be an address such as http://127.0.0.1:8080/gateway.do, written plainly")]
    NotAnAddress,
    #[error("must have neither user, nor query, nor fragment")]
    TooMuch,
    #[error("must be https, unless it is on this machine (127.0.0.1, [::1] or localhost)")]
    Plain,
}

impl Gateway {
    pub(crate) fn parse(text: &str) -> Result<Gateway, GatewayError> {
        let url = Url::parse(text).map_err(|_| GatewayError::NotAnAddress)?;
        if url.as_str() != text && url.as_str().strip_suffix('/') != Some(text) {
            return Err(GatewayError::NotAnAddress);
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(GatewayError::TooMuch);
        }
        let local = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err(GatewayError::NotAnAddress),
        };
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            "http" => return Err(GatewayError::Plain),
            _ => return Err(GatewayError::NotAnAddress),
        }
        Ok(Gateway {
            scheme: url.scheme().to_owned(),
            authority: url.authority().to_owned(),
            path: Some(url.path().to_owned()).filter(|path| path != "/"),
            local,
        })
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port as they stand in an address.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path, where the address has one.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// It is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for local in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/a/b.do",
            "http://[::1]:1",
            "http://localhost:9/",
        ] {
            assert!(Gateway::parse(local).unwrap().is_local(), "{local}");
        }
        let other = Gateway::parse("https://sandbox.example.com/gateway.do").unwrap();
        assert!(!other.is_local());
        assert_eq!(other.path(), Some("/gateway.do"));
        for bad in [
            "http://example.com/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example.com/",
            "ftp://127.0.0.1/",
            "http://user@127.0.0.1/",
            "http://127.0.0.1/?a=b",
            "http://127.0.0.1/#a",
            "http://127.1/",
            "HTTP://127.0.0.1/",
            "http://127.0.0.1/a/../b",
            "127.0.0.1:80",
            "",
        ] {
            assert!(Gateway::parse(bad).is_err(), "{bad}");
        }
    }
}
