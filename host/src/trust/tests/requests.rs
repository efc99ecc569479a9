//! Where a provider may send, and what the host makes of its requests.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::trust::key::PublicKey;
use crate::trust::{Outgoing, Prepared, prepare};

const URL: &str = "https://openapi.alipay.com/gateway.do?method=alipay.trade.query";
const SANDBOX: &str =
    "https://openapi-sandbox.dl.alipaydev.com/gateway.do?method=alipay.trade.query";

fn outgoing(url: &str, body: &str) -> Outgoing {
    Outgoing {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        auth: Some("gateway".to_owned()),
        identity: None,
    }
}

fn send(target: &Target, request: Outgoing) -> Result<Prepared, String> {
    prepare(&zfb(), target, request, NOW_MS).map_err(|denied| denied.to_string())
}

#[test]
fn a_request_is_completed_and_signed() {
    let target = live(&zfb());
    let biz = r#"{"out_trade_no":"1","subject":"书 & a=b+c%;"}"#;
    let body = form::write([("biz_content", biz)]);
    let url = format!("{URL}&notify_url=https%3A%2F%2Fpay.example.com%2Fpay%2Fre%2F1&empty=");
    let prepared = send(&target, outgoing(&url, &body)).unwrap();
    assert_eq!(prepared.operation, "alipay.trade.query");
    assert!(prepared.signed && !prepared.local_gateway);
    assert_eq!(prepared.method, "POST");
    assert_eq!(
        prepared.headers,
        [(
            "content-type".to_owned(),
            "application/x-www-form-urlencoded;charset=utf-8".to_owned()
        )]
    );
    let query = form::read(prepared.url.query().unwrap().as_bytes()).unwrap();
    let sent_body = form::read(&prepared.body).unwrap();
    assert_eq!(sent_body, [("biz_content".to_owned(), biz.to_owned())]);
    let mut all: BTreeMap<_, _> = query.into_iter().chain(sent_body).collect();
    let signature = all.remove("sign").unwrap();
    let expected = [
        ("app_id", APP_ID),
        ("biz_content", biz),
        ("charset", "utf-8"),
        ("empty", ""),
        ("format", "JSON"),
        ("method", "alipay.trade.query"),
        ("notify_url", "https://pay.example.com/pay/re/1"),
        ("sign_type", "RSA2"),
        ("timestamp", "2019-08-15 15:56:22"),
        ("version", "1.0"),
    ];
    assert!(
        all.iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .eq(expected)
    );
    // The signed text, by hand: without what is empty.
    let text: Vec<String> = expected
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let key = PublicKey::parse(&merchant().spki_pem).unwrap();
    assert_eq!(key.verify(text.join("&").as_bytes(), &signature), Ok(()));
}

#[test]
fn the_same_request_at_the_same_time_is_the_same() {
    let target = live(&zfb());
    let first = send(&target, outgoing(URL, "biz_content=%7B%7D")).unwrap();
    let again = send(&target, outgoing(URL, "biz_content=%7B%7D")).unwrap();
    assert_eq!((first.url, first.body), (again.url, again.body));
}

#[test]
fn nothing_else_is_reached() {
    let target = live(&zfb());
    let query = "method=alipay.trade.query";
    for url in [
        format!("http://openapi.alipay.com/gateway.do?{query}"),
        format!("https://openapi.alipay.com.evil.com/gateway.do?{query}"),
        format!("https://evil.com/gateway.do?{query}"),
        format!("https://openapi.alipay.com@evil.com/gateway.do?{query}"),
        format!("https://evil@openapi.alipay.com/gateway.do?{query}"),
        format!("https://openapi.alipay.com:8443/gateway.do?{query}"),
        format!("https://openapi.alipay.com:443/gateway.do?{query}"),
        format!("https://openapi.alipay.com./gateway.do?{query}"),
        format!("https://OPENAPI.alipay.com/gateway.do?{query}"),
        format!("HTTPS://openapi.alipay.com/gateway.do?{query}"),
        format!("https://openapi.alipay.com/Gateway.do?{query}"),
        format!("https://openapi.alipay.com/gateway.do/?{query}"),
        format!("https://openapi.alipay.com//gateway.do?{query}"),
        format!("https://openapi.alipay.com/a/../gateway.do?{query}"),
        format!("https://openapi.alipay.com/./gateway.do?{query}"),
        format!("https://openapi.alipay.com/gateway%2Edo?{query}"),
        format!("https://openapi.alipay.com/%2e%2e/gateway.do?{query}"),
        format!("https://openapi.alipay.com/gateway.do;x?{query}"),
        format!("https://openapi.alipay.com\\gateway.do?{query}"),
        format!("https://openapi.alipay.com/gateway.do?{query}#x"),
        format!(" https://openapi.alipay.com/gateway.do?{query}"),
        format!("https://openapi.alipay.com/gateway.do?{query}\n"),
        format!("https://openapi.alipaｙ.com/gateway.do?{query}"),
        format!("https://127.0.0.1/gateway.do?{query}"),
        format!("//openapi.alipay.com/gateway.do?{query}"),
        format!("file:///gateway.do?{query}"),
        // Of the test targets.
        SANDBOX.to_owned(),
        String::new(),
    ] {
        assert!(send(&target, outgoing(&url, "")).is_err(), "{url}");
    }
    for method in ["GET", "post", "DELETE", "POST "] {
        let request = Outgoing {
            method: method.to_owned(),
            ..outgoing(URL, "")
        };
        assert!(send(&target, request).is_err(), "{method}");
    }
    let denied = send(&target, outgoing(SANDBOX, "")).unwrap_err();
    assert!(
        denied.contains("POST https://openapi.alipay.com/gateway.do"),
        "{denied}"
    );
}

#[test]
fn no_other_operation_is_smuggled_in() {
    let target = live(&zfb());
    let base = "https://openapi.alipay.com/gateway.do";
    for (query, body) in [
        ("", ""),
        ("method=", ""),
        ("method=alipay.trade.refund", ""),
        ("", "method=alipay.trade.refund"),
        ("method=alipay.trade.query", "method=alipay.trade.refund"),
        ("method=alipay.trade.query&method=alipay.trade.refund", ""),
        ("method=alipay.trade.query&method=alipay.trade.query", ""),
        ("method=alipay.trade.query&%6Dethod=alipay.trade.refund", ""),
        ("method=alipay.trade.query&Method=alipay.trade.refund", ""),
        ("METHOD=alipay.trade.query", ""),
        ("method=alipay.trade.query%20", ""),
        ("method=Alipay.trade.query", ""),
        ("method%20=alipay.trade.refund", "method=alipay.trade.query"),
        ("method[]=alipay.trade.refund", "method=alipay.trade.query"),
        ("method%00=alipay.trade.refund", "method=alipay.trade.query"),
        ("method=alipay.trade.query;method=alipay.trade.refund", ""),
        ("method=alipay.trade.query", "a=1&a=2"),
        ("method=alipay.trade.query&a=1", "A=2"),
        ("method=alipay.trade.query", "a=%zz"),
        (
            "method=alipay.trade.query",
            "{\"method\":\"alipay.trade.refund\"}",
        ),
    ] {
        let request = outgoing(&format!("{base}?{query}"), body);
        assert!(send(&target, request).is_err(), "{query} | {body}");
    }
    // A semicolon in a value is escaped when it is written anew.
    let request = outgoing(
        &format!("{base}?method=alipay.trade.query&a=1;method=x"),
        "b=1;c=2",
    );
    let prepared = send(&target, request).unwrap();
    assert!(
        prepared.url.query().unwrap().contains("a=1%3Bmethod%3Dx"),
        "{}",
        prepared.url
    );
    assert_eq!(prepared.body, b"b=1%3Bc%3D2");
    // The operation may stand in the body as well.
    assert!(send(&target, outgoing(base, "method=alipay.trade.close")).is_ok());
}

#[test]
fn what_the_host_sets_is_the_host_s() {
    let target = live(&zfb());
    for field in [
        "sign",
        "app_id",
        "format",
        "charset",
        "sign_type",
        "version",
        "timestamp",
        "APP_ID",
        "Sign",
    ] {
        for (url, body) in [
            (format!("{URL}&{field}=x"), String::new()),
            (URL.to_owned(), format!("{field}=x")),
        ] {
            let denied = send(&target, outgoing(&url, &body)).unwrap_err();
            assert!(denied.contains("sets the field"), "{field}: {denied}");
        }
    }
}

#[test]
fn only_a_scheme_for_requests_signs() {
    let target = live(&zfb());
    for auth in ["answer", "notify", "nonsense", ""] {
        let request = Outgoing {
            auth: Some(auth.to_owned()),
            ..outgoing(URL, "")
        };
        assert!(send(&target, request).is_err(), "{auth}");
    }
    let request = Outgoing {
        identity: Some("cert".to_owned()),
        ..outgoing(URL, "")
    };
    assert!(send(&target, request).is_err());
    let unsigned = Outgoing {
        auth: None,
        ..outgoing(URL, "")
    };
    let prepared = send(&target, unsigned).unwrap();
    assert!(!prepared.signed);
    assert_eq!(prepared.url.as_str(), URL);
}

#[test]
fn headers_are_few_and_plain() {
    let target = live(&zfb());
    let with = |headers: &[(&str, &str)]| {
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        send(
            &target,
            Outgoing {
                headers,
                ..outgoing(URL, "a=1")
            },
        )
    };
    let prepared = with(&[("Accept", "*/*"), ("User-Agent", "walnut-zfb/0.1")]).unwrap();
    assert_eq!(prepared.headers.len(), 3);
    with(&[(
        "Content-Type",
        "application/x-www-form-urlencoded; charset=UTF-8",
    )])
    .unwrap();
    for headers in [
        &[("Host", "evil.com")][..],
        &[("Content-Length", "1")],
        &[("Transfer-Encoding", "chunked")],
        &[("Authorization", "x")],
        &[("Cookie", "x")],
        &[("X-HTTP-Method-Override", "GET")],
        &[("Accept", "a\r\nHost: evil.com")],
        &[("Accept", "a"), ("accept", "b")],
        &[("Content-Type", "application/json")],
        &[(
            "Content-Type",
            "application/x-www-form-urlencoded;charset=gbk",
        )],
        &[("", "x")],
    ] {
        assert!(with(headers).is_err(), "{headers:?}");
    }
}

#[test]
fn a_test_target_reaches_the_sandbox_or_its_own_gateway() {
    let manifest = zfb();
    let test = target_with(&manifest, true, &[]);
    assert!(send(&test, outgoing(SANDBOX, "")).is_ok());
    assert!(send(&test, outgoing(URL, "")).is_err());

    for (gateway, url) in [
        (
            "http://127.0.0.1:8080/gateway.do",
            "http://127.0.0.1:8080/gateway.do",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/gateway.do"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/gateway.do"),
        ("http://[::1]:8080/sim", "http://[::1]:8080/sim"),
    ] {
        let own = target_with(&manifest, true, &[("gateway", gateway)]);
        let asked = |url: &str| {
            send(
                &own,
                outgoing(&format!("{url}?method=alipay.trade.query"), ""),
            )
        };
        assert!(asked(url).unwrap().local_gateway, "{gateway}");
        assert!(
            send(&own, outgoing(SANDBOX, "")).is_err(),
            "the own one replaces the sandbox"
        );
        assert!(send(&own, outgoing(URL, "")).is_err());
        for other in [
            "http://127.0.0.1:8081/gateway.do",
            "https://127.0.0.1:8080/gateway.do",
            "http://localhost:8080/gateway.do",
            "http://127.0.0.1:8080/other",
        ] {
            assert!(asked(other).is_err(), "{gateway}: {other}");
        }
    }
    let public = target_with(
        &manifest,
        true,
        &[("gateway", "https://sim.example.com/gateway.do")],
    );
    let url = "https://sim.example.com/gateway.do?method=alipay.trade.query";
    assert!(!send(&public, outgoing(url, "")).unwrap().local_gateway);
}

#[test]
fn a_manifest_that_reaches_nothing_denies_everything() {
    let free = Manifest::parse(FREE.as_bytes()).unwrap();
    let target = assemble(&free, false, Map::new()).unwrap();
    let request = Outgoing {
        auth: None,
        ..outgoing(URL, "")
    };
    let denied = prepare(&free, &target, request, NOW_MS).unwrap_err();
    assert!(
        denied.to_string().contains("it reaches nothing"),
        "{denied}"
    );
}

#[test]
fn an_address_without_operations_takes_any_body() {
    let changes = [(
        "/reach",
        json!([
            {"method": "POST", "live": ["a.example.com"], "path": "/v1/orders"},
            {"method": "POST", "live": ["openapi.alipay.com"], "path": "/gateway.do",
             "operation": {"field": "method", "one_of": ["alipay.trade.query"]}},
        ]),
    )];
    let manifest = Manifest::parse(zfb_with(&changes).as_bytes()).unwrap();
    let request = Outgoing {
        auth: None,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        ..outgoing("https://a.example.com/v1/orders?x=1", "{\"a\":1}")
    };
    let prepared = prepare(&manifest, &live(&manifest), request, NOW_MS).unwrap();
    assert_eq!(prepared.operation, "POST /v1/orders");
    assert_eq!(prepared.body, b"{\"a\":1}");
    assert_eq!(prepared.url.as_str(), "https://a.example.com/v1/orders?x=1");
}
