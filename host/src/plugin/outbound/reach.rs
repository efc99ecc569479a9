//! Where a client may connect to. A name is resolved once for each connection, and the addresses that were checked are
//! the only ones that the connection is given: a name that means another address the next time is checked the next time.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::Unsent;
use crate::plugin::address::is_public;

/// Which addresses a client may connect to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Side {
    Public,
    /// This machine itself, for simulated platforms.
    Local,
}

impl Side {
    fn may_reach(self, address: IpAddr) -> bool {
        match self {
            Side::Public => is_public(address),
            Side::Local => address.to_canonical().is_loopback(),
        }
    }
}

/// An address that the host does not connect to.
#[derive(Debug, thiserror::Error)]
#[error("{host} is at no address that may be reached from here")]
pub(super) struct Refused {
    host: String,
}

/// What the system says of a name.
type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves names, and keeps the addresses that may be reached: what is checked is what is connected to.
pub(super) struct Resolver {
    side: Side,
    look_up: Arc<dyn Fn(String) -> Found + Send + Sync>,
}

impl Resolver {
    /// Asks the system.
    pub(super) fn new(side: Side) -> Resolver {
        Resolver::asking(side, |name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.collect())
            })
        })
    }

    fn asking(side: Side, look_up: impl Fn(String) -> Found + Send + Sync + 'static) -> Resolver {
        let look_up = Arc::new(look_up);
        Resolver { side, look_up }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let side = self.side;
        let found = (self.look_up)(name.as_str().to_owned());
        Box::pin(async move {
            let mut allowed = found.await?;
            allowed.retain(|address| side.may_reach(address.ip()));
            if allowed.is_empty() {
                return Err(Refused {
                    host: name.as_str().to_owned(),
                }
                .into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// An address that is written as numbers is never resolved, and is checked here.
pub(super) fn check_literal(side: Side, url: &Url) -> Result<(), Unsent> {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(Unsent::Denied("the address has no host".to_owned())),
    };
    if side.may_reach(address) {
        return Ok(());
    }
    Err(Unsent::Denied(
        Refused {
            host: address.to_string(),
        }
        .to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::clients::builder;
    use super::super::{Fetch, post, read};
    use super::*;
    use crate::plugin::limits;

    /// Addresses of the operator's own network, in all the ways in which a resolver may give them.
    const INSIDE: &[&str] = &[
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ];

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 0)
    }

    /// A resolver that says something else each time, the last for ever; and how often it was asked.
    fn changing(side: Side, answers: Vec<Vec<SocketAddr>>) -> (Resolver, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, answers) = (asked.clone(), Mutex::new(answers));
        let resolver = Resolver::asking(side, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            let mut answers = answers.lock().unwrap();
            let now = answers[0].clone();
            if answers.len() > 1 {
                answers.remove(0);
            }
            Box::pin(async move { Ok(now) })
        });
        (resolver, asked)
    }

    async fn resolve(resolver: &Resolver) -> Result<Vec<SocketAddr>, String> {
        let found = resolver.resolve("pay.example.com".parse().unwrap()).await;
        found
            .map(Iterator::collect)
            .map_err(|error| error.to_string())
    }

    async fn get(side: Side, client: &reqwest::Client, url: &str) -> Result<u16, Unsent> {
        let fetch = Fetch {
            method: "GET".into(),
            url: url.parse().unwrap(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let response = post(side, client.clone(), fetch, limits::REQUEST_TIMEOUT).await?;
        Ok(read(response).await?.status)
    }

    #[tokio::test]
    async fn a_name_of_the_operators_network_leads_nowhere() {
        for inside in INSIDE {
            let (resolver, _) = changing(Side::Public, vec![vec![address(inside)]]);
            let told = resolve(&resolver).await.unwrap_err();
            assert!(
                told.contains("may be reached from here"),
                "{inside}: {told}"
            );
            let client = builder(Side::Public)
                .dns_resolver(resolver)
                .build()
                .unwrap();
            let sent = get(Side::Public, &client, "https://pay.example.com/").await;
            assert!(matches!(sent, Err(Unsent::Denied(_))), "{inside}: {sent:?}");
        }
        // Between others it is left out.
        let public = address("1.1.1.1");
        let mixed = INSIDE.iter().map(|inside| address(inside)).chain([public]);
        let (resolver, _) = changing(Side::Public, vec![mixed.collect()]);
        assert_eq!(resolve(&resolver).await, Ok(vec![public]));
    }

    #[test]
    fn a_number_is_an_address_however_it_is_written() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://%31%32%37.0.0.1/",
            "https://１２７。０。０。１/",
            "https://①②⑦.0.0.1/",
            "https://0/",
            "https://10.0.0.1/",
            "https://0xa9fea9fe/latest/meta-data",
            "https://[::]/",
            "https://[::1]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://[fd00:ec2::254]/",
        ] {
            let url: Url = url.parse().unwrap();
            let checked = check_literal(Side::Public, &url);
            assert!(matches!(checked, Err(Unsent::Denied(_))), "{url}");
        }
        // What is a name is for the resolver.
        let url = "https://127.0.0.1.nip.io/".parse().unwrap();
        assert!(check_literal(Side::Public, &url).is_ok());
    }

    #[tokio::test]
    async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
        // Here the machine itself is what may be reached, and everything else is not.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://rebinding.example:{}/",
            listener.local_addr().unwrap().port()
        );
        let serving = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = [0; 1024];
            let _ = connection.read(&mut head).await.unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            connection.write_all(answer).await.unwrap();
            // Kept open, so that a second connection would be waited for in vain.
            listener
        });
        let (good, bad) = (address("127.0.0.1"), address("10.1.2.3"));
        let (resolver, asked) = changing(Side::Local, vec![vec![bad, good], vec![bad]]);
        let client = builder(Side::Local).dns_resolver(resolver).build().unwrap();
        assert_eq!(get(Side::Local, &client, &url).await.unwrap(), 204);
        assert_eq!(
            asked.load(Ordering::SeqCst),
            1,
            "resolved once, and not again"
        );
        // The name means another address now, and that one is checked before there is a connection.
        let rebound = get(Side::Local, &client, &url).await;
        assert!(matches!(rebound, Err(Unsent::Denied(_))), "{rebound:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        drop(serving.await.unwrap());
    }
}
