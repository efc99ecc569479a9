use std::io::{Read, Write};
use std::net::TcpListener;

use walnut_sandbox::wechat::{Merchant, WeChat, WeChatOptions};

use super::*;

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
    let forbidden = Outbound::new(false)
        .unwrap()
        .send(request(&url, true))
        .await;
    assert!(matches!(forbidden, Err(Unsent::Denied(_))), "{forbidden:?}");
    let outbound = Outbound::new(true).unwrap();
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
    let outbound = Outbound::new(true).unwrap();
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
    let outbound = Outbound::new(true).unwrap();
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
    let outbound = Outbound::new(true).unwrap();
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
