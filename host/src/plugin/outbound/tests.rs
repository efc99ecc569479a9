use std::io::{Read, Write};
use std::net::TcpListener;

use walnut_sandbox::wechat::{Merchant, WeChat, WeChatOptions};

use super::*;
use crate::trust::Tls;

fn request(url: &str, local_gateway: bool) -> Prepared {
    Prepared {
        method: "POST".into(),
        url: url.parse().unwrap(),
        headers: vec![("content-type".into(), "text/plain".into())],
        body: b"order".to_vec(),
        operation: "order".into(),
        signed: true,
        trade: None,
        during: Default::default(),
        local_gateway,
        domain: "shop".into(),
        tls: None,
    }
}

/// Answers one request with these bytes, or hangs up where there are none.
fn platform(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while !seen.windows(5).any(|part| part == b"order") {
            let read = connection.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..read]);
        }
        let _ = connection.write_all(&answer);
    });
    format!("http://{address}/gateway.do?sign=secret")
}

#[tokio::test]
async fn a_simulated_platform_answers_where_the_host_allows_it() {
    let answer =
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 2\r\n\r\nok";
    let url = platform(answer.to_vec());
    let forbidden = Outbound::new(false).send(request(&url, true)).await;
    assert!(matches!(forbidden, Err(Unsent::Denied(_))), "{forbidden:?}");
    let outbound = Outbound::new(true);
    let plain = outbound.send(request(&url, false)).await;
    assert!(matches!(plain, Err(Unsent::Denied(_))), "{plain:?}");
    let answer = outbound.send(request(&url, true)).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (302, b"ok".as_slice())
    );
    assert!(
        answer
            .headers
            .contains(&("location".into(), "http://127.0.0.1/".into()))
    );
}

#[tokio::test]
async fn what_was_surely_not_sent_is_told_from_what_was_perhaps_received() {
    let outbound = Outbound::new(true);
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = outbound
        .send(request(&format!("http://{gone}/?sign=secret"), true))
        .await;
    assert!(
        matches!(&refused, Err(Unsent::NotSent(why)) if !why.contains("secret")),
        "{refused:?}"
    );
    let hung_up = outbound.send(request(&platform(Vec::new()), true)).await;
    assert!(
        matches!(&hung_up, Err(Unsent::MaybeSent(why)) if !why.contains("secret")),
        "{hung_up:?}"
    );
    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(endless.len() + limits::BODY_BYTES + 1, b'x');
    let large = outbound.send(request(&platform(endless), true)).await;
    assert!(matches!(large, Err(Unsent::TooLarge)), "{large:?}");
}

#[tokio::test]
async fn the_operators_own_network_cannot_be_reached() {
    let outbound = Outbound::new(true);
    for url in [
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/",
    ] {
        let answer = outbound.send(request(url, true)).await;
        // Where the machine has no certificates nothing is sent at all.
        assert!(
            matches!(answer, Err(Unsent::Denied(_) | Unsent::NotSent(_))),
            "{url}: {answer:?}"
        );
    }
    for url in [
        "http://8.8.8.8/",
        "http://10.0.0.1/",
        "http://169.254.169.254/",
    ] {
        let answer = outbound.send(request(url, true)).await;
        assert!(
            matches!(answer, Err(Unsent::Denied(_))),
            "{url}: {answer:?}"
        );
    }
}

/// A target's own side of TLS towards the simulated WeChat Pay.
fn own(owner: &str, merchant: &Merchant, identity: bool) -> Tls {
    Tls {
        owner: owner.to_owned(),
        identity_pem: identity.then(|| merchant.identity_pem().into()),
        authority_pem: Some(merchant.tls_ca_pem().to_owned()),
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_for_its_target_alone() {
    let wechat = WeChat::start(WeChatOptions::default()).await.unwrap();
    let merchant = wechat.open_merchant().await.unwrap();
    let outbound = Outbound::new(true);
    let url = format!("{}/secapi/pay/reverse", wechat.tls_url());
    let send = |tls: Option<Tls>| {
        let request = Prepared {
            body: b"<xml></xml>".to_vec(),
            tls,
            ..request(&url, true)
        };
        outbound.send(request)
    };
    for (owner, identity) in [("a", true), ("b", false), ("a", true), ("a", false)] {
        send(Some(own(owner, &merchant, identity))).await.unwrap();
    }
    let seen: Vec<bool> = wechat
        .requests()
        .iter()
        .map(|request| request.client_certificate)
        .collect();
    assert_eq!(seen, [true, false, true, false]);
    // Nobody else trusts that authority, nor is it trusted where it is not named.
    let stranger = send(None).await;
    assert!(matches!(stranger, Err(Unsent::NotSent(_))), "{stranger:?}");
    let broken = Tls {
        identity_pem: Some("no PEM".into()),
        ..own("c", &merchant, true)
    };
    let refused = send(Some(broken)).await;
    assert!(matches!(refused, Err(Unsent::Denied(_))), "{refused:?}");
    wechat.stop().await;
}

/// Answers every request with the number of the connection that it came by, and sets a cookie.
fn counting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = connection.read(&mut buffer) {
                    seen.extend_from_slice(&buffer[..read]);
                    if !seen.windows(5).any(|part| part == b"order") {
                        continue;
                    }
                    let cookie = String::from_utf8_lossy(&seen).contains("cookie");
                    seen.clear();
                    let said = format!("{number} {cookie}");
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nset-cookie: whose=yours\r\ncontent-length: {}\r\n\r\n{said}",
                        said.len()
                    );
                    if connection.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn no_domain_uses_a_connection_of_another() {
    let outbound = Outbound::new(true);
    let url = counting();
    let said = |answer: Answer| String::from_utf8(answer.body).unwrap();
    let platform = async |domain: &str| {
        let request = Prepared {
            domain: domain.into(),
            ..request(&url, true)
        };
        said(outbound.send(request).await.unwrap())
    };
    let callback = async |domain: &str| {
        let fetch = Fetch {
            method: "POST".into(),
            url: url.parse().unwrap(),
            headers: Vec::new(),
            body: b"order".to_vec(),
        };
        said(outbound.fetch(domain, fetch, true).await.unwrap())
    };
    let mut connections = Vec::new();
    for _ in 0..3 {
        let round = [
            platform("shop").await,
            platform("rival").await,
            callback("shop").await,
            callback("rival").await,
        ];
        connections.push(round);
    }
    // Each has one that it goes on with, and no cookie that came by any.
    assert_eq!(connections[0], ["0 false", "1 false", "2 false", "3 false"]);
    assert!(connections.iter().all(|round| *round == connections[0]));
}

#[tokio::test]
async fn of_many_domains_those_that_sent_last_are_remembered() {
    let outbound = Outbound::new(true);
    let url = counting();
    let send = async |domain: String| {
        let request = Prepared {
            domain,
            ..request(&url, true)
        };
        String::from_utf8(outbound.send(request).await.unwrap().body).unwrap()
    };
    let first = send("first".to_owned()).await;
    assert_eq!(send("first".to_owned()).await, first);
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages = statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
        pages * 4096
    };
    let before = resident();
    for number in 0..limits::CLIENTS.get() {
        let made = outbound
            .clients
            .of(&number.to_string(), Purpose::Callback, Side::Public, None);
        // Where the machine has no certificates there are none to be kept.
        if made.is_err() {
            return;
        }
    }
    let grown = resident().saturating_sub(before);
    println!("{} KiB a client", grown / limits::CLIENTS.get() / 1024);
    assert!(grown < 64 << 20, "{grown} bytes");
    assert_ne!(send("first".to_owned()).await, first, "it was forgotten");
}
