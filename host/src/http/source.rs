//! Where a request comes from: the other end of its connection, or whom a proxy names that the operator named.
//!
//! A proxy adds the address that it sees at the right of what it was given, and what stands left of that may have been
//! written by anybody. So the list is read from the right, as long as those who are named wrote it: the first address that is
//! no named proxy is the one that asks.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Who asks; the server puts it beside each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Source(pub(super) IpAddr);

/// Beside each request that came by TLS, to this host or to a proxy that is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByTls;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Proxies between two ends, at most: more are no list that a proxy wrote.
const MOST: usize = 32;

/// The header in which proxies tell whom they speak for. Only one of them is read: the other passes many proxies untouched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Telling {
    /// `X-Forwarded-For`, and `X-Forwarded-Proto` beside it.
    #[default]
    ForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies that are believed.
#[derive(Clone, Default, Debug)]
pub struct Proxies {
    /// Where they are.
    pub named: Vec<IpNet>,
    /// How they tell.
    pub telling: Telling,
}

/// What is known of who asks.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) source: IpAddr,
    /// Whether a named proxy says that it came by TLS.
    pub(super) by_tls: bool,
}

impl Proxies {
    /// Whether the other end of a connection is one of them.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.named.iter().any(|network| network.contains(&address))
    }

    /// Who asks by a connection from `peer` with these headers.
    pub(crate) fn ask(&self, peer: IpAddr, headers: &HeaderMap) -> Known {
        let peer = peer.to_canonical();
        let mut known = Known {
            source: peer,
            by_tls: false,
        };
        if !self.has(peer) {
            return known;
        }
        match self.telling {
            Telling::ForwardedFor => {
                known.by_tls = from_the_right(headers, &PROTO)
                    .next()
                    .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
                let hops = from_the_right(headers, &FOR).map(|hop| (hop, None));
                self.follow(&mut known, hops);
            }
            Telling::Forwarded => {
                let hops = from_the_right(headers, &FORWARDED);
                let hops = hops.map(|hop| (part(hop, "for").unwrap_or(""), part(hop, "proto")));
                self.follow(&mut known, hops);
            }
        }
        known
    }

    /// Goes from proxy to proxy, up to who is none.
    fn follow<'a>(
        &self,
        known: &mut Known,
        hops: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) {
        for (hop, scheme) in hops.take(MOST) {
            let Some(address) = address(hop) else {
                return;
            };
            known.source = address;
            if let Some(scheme) = scheme {
                known.by_tls = scheme.eq_ignore_ascii_case("https");
            }
            if !self.has(address) {
                return;
            }
        }
    }
}

/// The entries of a list that may stand in several headers, the last one first. What is no text is an empty entry.
fn from_the_right<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .rev()
        .flat_map(|list| list.to_str().unwrap_or("").rsplit(',').map(str::trim))
}

/// An address as proxies write it: alone, with a port, an IPv6 one in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|with| with.ip()));
    address.map(|address| address.to_canonical())
}

/// The value of a parameter of one entry of `Forwarded`.
fn part<'a>(entry: &'a str, name: &str) -> Option<&'a str> {
    let pairs = entry.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    named
        .next()
        .map(|(_, value)| value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(telling: Telling) -> Proxies {
        let named = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48"];
        Proxies {
            named: named.iter().map(|net| net.parse().unwrap()).collect(),
            telling,
        }
    }

    fn asked(telling: Telling, peer: &str, said: &[(&'static str, &str)]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let known = proxies(telling).ask(peer.parse().unwrap(), &headers);
        (known.source.to_string(), known.by_tls)
    }

    #[test]
    fn the_first_from_the_right_that_is_no_named_proxy_asks() {
        let source = |peer: &str, lists: &[&str]| {
            let said: Vec<_> = lists
                .iter()
                .map(|list| ("x-forwarded-for", *list))
                .collect();
            asked(Telling::ForwardedFor, peer, &said).0
        };
        for (peer, lists, source_is) in [
            // Who is no named proxy says nothing of others.
            ("203.0.113.1", &["198.51.100.1"][..], "203.0.113.1"),
            ("192.0.2.8", &["198.51.100.1"], "192.0.2.8"),
            // A named proxy says whom it speaks for, and what stands before that is anybody's.
            ("192.0.2.7", &["198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["8.8.8.8, 198.51.100.1"], "198.51.100.1"),
            (
                "10.1.2.3",
                &["8.8.8.8, 198.51.100.1 ,10.9.9.9"],
                "198.51.100.1",
            ),
            (
                "10.1.2.3",
                &["8.8.8.8", "198.51.100.1, 10.9.9.9", "192.0.2.7"],
                "198.51.100.1",
            ),
            // All are proxies: the one that is farthest.
            ("10.1.2.3", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            ("10.1.2.3", &[], "10.1.2.3"),
            // What is no address ends what is believed.
            ("10.1.2.3", &["198.51.100.1, unknown"], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1, x, 10.0.0.2"], "10.0.0.2"),
            ("10.1.2.3", &["198.51.100.1,"], "10.1.2.3"),
            ("10.1.2.3", &["198.51.100.1, é"], "10.1.2.3"),
            // However it is written.
            ("::ffff:10.1.2.3", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.1.2.3", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("2001:db8:1::9", &["[2001:db8:2::1]:443"], "2001:db8:2::1"),
            ("2001:db8:1::9", &["[2001:db8:2::1]"], "2001:db8:2::1"),
            ("2001:db8:1::9", &["2001:db8:2::1"], "2001:db8:2::1"),
        ] {
            assert_eq!(source(peer, lists), source_is, "{peer} {lists:?}");
        }
        // A list without an end is not read to its end.
        let long = "10.0.0.1,".repeat(1_000) + "10.0.0.1";
        assert_eq!(
            source("10.1.2.3", &[&format!("198.51.100.1,{long}")]),
            "10.0.0.1"
        );
    }

    #[test]
    fn only_one_header_is_believed() {
        let both = [
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "https"),
            (
                "forwarded",
                "For=\"[2001:db8:2::1]:4711\";proto=http, for=10.0.0.9;proto=https",
            ),
        ];
        let by = |telling| asked(telling, "10.1.2.3", &both);
        assert_eq!(by(Telling::ForwardedFor), ("198.51.100.1".to_owned(), true));
        assert_eq!(by(Telling::Forwarded), ("2001:db8:2::1".to_owned(), false));
        let stranger = asked(Telling::ForwardedFor, "203.0.113.1", &both);
        assert_eq!(stranger, ("203.0.113.1".to_owned(), false));
        for hidden in [
            "for=_hidden;proto=https",
            "for=unknown",
            "proto=https",
            "for",
        ] {
            let said = [("forwarded", hidden)];
            assert_eq!(asked(Telling::Forwarded, "10.1.2.3", &said).0, "10.1.2.3");
        }
    }
}
