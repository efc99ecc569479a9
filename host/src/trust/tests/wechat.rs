//! WeChat Pay's messages, by the manifest of its provider.

use std::sync::LazyLock;

use md5::{Digest as _, Md5};
use serde_json::json;

use super::authorities::{Authority, sealed};
use super::*;
use crate::trust::key::PublicKey;
use crate::trust::{
    ClaimError, Outgoing, Prepared, Stated, is_probe, open, prepare, read_claim, read_refund,
};

pub(super) const WX: &str = include_str!("../../../../plugins/providers/wx/manifest.json");
pub(super) const API_V3_KEY: &str = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb";
const API_KEY: &str = "192006250b4c09247ec02edce69f6a2d";
pub(super) const SERIAL: &str = "5DEA10EF55877E3CF6C33255C2E7DEFFF7E427EC";
pub(super) const PUBLIC_ID: &str = "PUB_KEY_ID_0114232134912410000000000000";
const HOST: &str = "https://api.mch.weixin.qq.com";

pub(super) fn tenpay() -> &'static Authority {
    static TENPAY: LazyLock<Authority> =
        LazyLock::new(|| Authority::new("Tenpay.com Root CA", authority()));
    &TENPAY
}

/// The authority's keys.
pub(super) fn authority() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

pub(super) fn wx() -> Manifest {
    Manifest::parse(WX.as_bytes()).unwrap()
}

pub(super) fn wx_settings() -> Map<String, Value> {
    let Value::Object(settings) = json!({
        "appid": "wxd930ea5d5a258f4f",
        "mchid": "1900009191",
        "mch_serial_no": "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
        "mch_private_key": merchant().pkcs8_pem,
        "api_v3_key": API_V3_KEY,
        "api_key": API_KEY,
        "wechatpay_public_key": platform().spki_pem,
        "wechatpay_public_key_id": PUBLIC_ID,
    }) else {
        panic!("an object");
    };
    settings
}

pub(super) fn wx_target(manifest: &Manifest, more: &[(&str, &str)]) -> Target {
    let mut settings = wx_settings();
    for (name, value) in more {
        match *value {
            "" => drop(settings.remove(*name)),
            value => drop(settings.insert((*name).to_owned(), json!(value))),
        }
    }
    assemble(manifest, false, settings).unwrap()
}

pub(super) fn get(path: &str) -> Outgoing {
    Outgoing {
        method: "GET".to_owned(),
        url: format!("{HOST}{path}"),
        headers: Vec::new(),
        body: Vec::new(),
        auth: Some("request".to_owned()),
        identity: None,
    }
}

fn post(path: &str, body: &str, auth: &str) -> Outgoing {
    Outgoing {
        method: "POST".to_owned(),
        body: body.as_bytes().to_vec(),
        auth: Some(auth.to_owned()),
        ..get(path)
    }
}

/// Headers of a message that these keys signed, so many seconds after now.
fn headers(keys: &Keys, serial: &str, age_s: i64, body: &str) -> Vec<(String, String)> {
    let at = i64::try_from(NOW_MS / 1000).unwrap() - age_s;
    let signature = keys.sign(&format!("{at}\nnonce1\n{body}\n"));
    [
        ("Wechatpay-Timestamp", at.to_string()),
        ("Wechatpay-Nonce", "nonce1".to_owned()),
        ("Wechatpay-Signature", signature),
        ("Wechatpay-Serial", serial.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

pub(super) fn signed(mut message: Message, keys: &Keys, serial: &str, age_s: i64) -> Message {
    let body = String::from_utf8(message.body.clone()).unwrap();
    message.headers = headers(keys, serial, age_s, &body);
    message
}

pub(super) const QUERY: &str = "GET /v3/pay/transactions/out-trade-no/{trade_no}";

fn transaction() -> Value {
    json!({
        "mchid": "1900009191", "appid": "wxd930ea5d5a258f4f", "out_trade_no": TRADE,
        "transaction_id": "4200001", "trade_state": "SUCCESS",
        "amount": {"total": 2300, "payer_total": 2200, "currency": "CNY"},
        "payer": {"openid": "o1"},
    })
}

fn envelope(plain: &str, kind: &str) -> String {
    json!({
        "id": "1", "event_type": "TRANSACTION.SUCCESS",
        "resource": {
            "original_type": kind, "algorithm": "AEAD_AES_256_GCM", "associated_data": kind,
            "nonce": "uluk4a9R25RW", "ciphertext": sealed(API_V3_KEY, "uluk4a9R25RW", kind, plain),
        },
    })
    .to_string()
}

fn notice(plain: &str, kind: &str) -> Message {
    signed(
        notification(envelope(plain, kind).into_bytes()),
        platform(),
        PUBLIC_ID,
        0,
    )
}

#[test]
fn a_request_is_authorised_over_exactly_what_is_sent() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let path = format!("/v3/pay/transactions/out-trade-no/{TRADE}");
    let query = get(&format!("{path}?mchid=1900009191"));
    let close = post(
        &format!("{path}/close"),
        "{\"mchid\":\"1900009191\"}",
        "request",
    );
    for (request, target_text, operation) in [
        (query, format!("{path}?mchid=1900009191"), QUERY.to_owned()),
        (
            close,
            format!("{path}/close"),
            "POST /v3/pay/transactions/out-trade-no/{trade_no}/close".to_owned(),
        ),
    ] {
        let (method, body) = (request.method.clone(), request.body.clone());
        let sent = prepare(&manifest, &target, request, NOW_MS).unwrap();
        assert_eq!(sent.operation, operation);
        assert!(sent.signed && sent.tls.is_none());
        let items = authorization(&sent);
        assert_eq!(items["mchid"], "1900009191");
        assert_eq!(
            items["serial_no"],
            "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
        );
        assert_eq!(items["timestamp"], (NOW_MS / 1000).to_string());
        let text = format!(
            "{method}\n{target_text}\n{}\n{}\n{}\n",
            items["timestamp"],
            items["nonce_str"],
            String::from_utf8(body).unwrap()
        );
        let key = PublicKey::parse(&merchant().spki_pem).unwrap();
        assert_eq!(key.verify(text.as_bytes(), &items["signature"]), Ok(()));
    }
}

fn authorization(sent: &Prepared) -> std::collections::BTreeMap<String, String> {
    let value = &sent
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .unwrap()
        .1;
    value
        .strip_prefix("WECHATPAY2-SHA256-RSA2048 ")
        .unwrap()
        .split(',')
        .map(|item| {
            let (name, value) = item.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('"').to_owned())
        })
        .collect()
}

#[test]
fn a_path_is_reached_with_a_trade_s_number_alone() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    for path in [
        "/v3/pay/transactions/out-trade-no/x".to_owned(),
        format!("/v3/pay/transactions/out-trade-no/{}", TRADE.to_uppercase()),
        format!("/v3/pay/transactions/out-trade-no/{TRADE}0"),
        format!("/v3/pay/transactions/out-trade-no/{TRADE}/"),
        format!("/v3/pay/transactions/out-trade-no/{TRADE}/close"),
        "/v3/pay/transactions/out-trade-no/{trade_no}".to_owned(),
        "/v3/pay/transactions/native".to_owned(),
        "/v3/merchant/fund/withdraw".to_owned(),
    ] {
        assert!(
            prepare(&manifest, &target, get(&path), NOW_MS).is_err(),
            "{path}"
        );
    }
}

#[test]
fn an_answer_counts_by_the_key_that_it_names_within_five_minutes() {
    let manifest = wx();
    let certificate = tenpay().certify(authority(), SERIAL, (-1, 1));
    let target = wx_target(&manifest, &[("wechatpay_certificate", &certificate)]);
    let body = transaction().to_string();
    let message = |keys, serial: &str, age_s| {
        signed(
            answer(QUERY, body.clone().into_bytes()),
            keys,
            serial,
            age_s,
        )
    };
    let check = |message: &Message| verify(&manifest, &target, message, "answer", NOW_MS);
    for age_s in [-299, 0, 299] {
        for (keys, serial) in [(platform(), PUBLIC_ID), (authority(), SERIAL)] {
            let statement = check(&message(keys, serial, age_s)).unwrap();
            assert_eq!(statement.text(), body.as_bytes());
        }
    }
    for age_s in [-301, 300, 301] {
        let failure = check(&message(platform(), PUBLIC_ID, age_s)).unwrap_err();
        assert_eq!(failure, Failure::Stale, "{age_s}");
    }
    for (keys, serial) in [
        (authority(), PUBLIC_ID),
        (platform(), SERIAL),
        (merchant(), PUBLIC_ID),
    ] {
        let failure = check(&message(keys, serial, 0)).unwrap_err();
        assert_eq!(failure, Failure::BadSignature, "{serial}");
    }
    let unknown = check(&message(platform(), "0123456789ABCDEF", 0)).unwrap_err();
    assert!(matches!(&unknown, Failure::UnknownKey(what) if what.contains("0123456789ABCDEF")));

    let mut probe = message(platform(), PUBLIC_ID, 0);
    probe.headers[2].1 = "WECHATPAY/SIGNTEST/pIvP1S==".to_owned();
    assert_eq!(check(&probe).unwrap_err(), Failure::BadSignature);
    for name in [
        "Wechatpay-Timestamp",
        "Wechatpay-Nonce",
        "Wechatpay-Signature",
        "Wechatpay-Serial",
    ] {
        let mut without = message(platform(), PUBLIC_ID, 0);
        without.headers.retain(|(have, _)| have != name);
        assert!(
            matches!(check(&without), Err(Failure::Malformed(_))),
            "{name}"
        );
    }
    let mut odd = message(platform(), PUBLIC_ID, 0);
    odd.headers[0].1 = format!("+{}", NOW_MS / 1000);
    assert!(matches!(check(&odd), Err(Failure::Malformed(_))));
}

#[test]
fn a_certificate_counts_while_it_is_valid() {
    let manifest = wx();
    for valid in [(-3, -1), (1, 3)] {
        let certificate = tenpay().certify(authority(), SERIAL, valid);
        let target = wx_target(&manifest, &[("wechatpay_certificate", &certificate)]);
        let message = signed(answer(QUERY, b"{}".to_vec()), authority(), SERIAL, 0);
        let failure = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap_err();
        assert!(
            matches!(failure, Failure::UnknownKey(_)),
            "{valid:?}: {failure}"
        );
    }
}

#[test]
fn an_answer_without_a_body_is_signed_too_and_states_nothing() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let message = signed(answer(QUERY, Vec::new()), platform(), PUBLIC_ID, 0);
    let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
    assert!(statement.text().is_empty());
    let read = read_claim(&manifest, &target, TRADE, "query", &statement);
    assert!(matches!(read, Err(ClaimError::Malformed(_))), "{read:?}");
}

#[test]
fn a_notification_is_verified_then_decrypted_then_read() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let plain = transaction().to_string();
    let outer = verify(
        &manifest,
        &target,
        &notice(&plain, "transaction"),
        "notify",
        NOW_MS,
    )
    .unwrap();
    let inner = open(&manifest, &target, &outer, "resource").unwrap();
    assert_eq!(inner.text(), plain.as_bytes());
    let read = read_claim(&manifest, &target, TRADE, "notification", &inner).unwrap();
    assert_eq!(read.state, Stated::Paid);
    assert_eq!(read.amount.unwrap().minor(), 2300);
    assert_eq!(read.transaction.as_deref(), Some("4200001"));
    let other = read_claim(&manifest, &target, "x", "notification", &inner);
    assert_eq!(other.unwrap_err(), ClaimError::OtherTrade);
    // The envelope is no claim's, and what an answer says is not a notification's.
    let outside = read_claim(&manifest, &target, TRADE, "notification", &outer);
    assert!(matches!(outside, Err(ClaimError::WrongScheme(_))));
    let as_query = read_claim(&manifest, &target, TRADE, "query", &inner);
    assert!(matches!(as_query, Err(ClaimError::WrongScheme(_))));
    for (name, value) in [("mchid", json!("1")), ("appid", json!("wx1"))] {
        let mut of_other = transaction();
        of_other[name] = value;
        let plain = of_other.to_string();
        let outer = verify(
            &manifest,
            &target,
            &notice(&plain, "transaction"),
            "notify",
            NOW_MS,
        )
        .unwrap();
        let inner = open(&manifest, &target, &outer, "resource").unwrap();
        let read = read_claim(&manifest, &target, TRADE, "notification", &inner);
        assert_eq!(read.unwrap_err(), ClaimError::OtherAccount, "{name}");
    }
}

#[test]
fn a_refund_s_notification_is_read_by_its_own_claim() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let plain = json!({
        "mchid": "1900009191", "out_trade_no": TRADE, "transaction_id": "42", "refund_id": "50",
        "out_refund_no": "r1", "refund_status": "ABNORMAL", "amount": {"total": 2300, "refund": 500},
    })
    .to_string();
    let outer = verify(
        &manifest,
        &target,
        &notice(&plain, "refund"),
        "notify",
        NOW_MS,
    )
    .unwrap();
    let inner = open(&manifest, &target, &outer, "resource").unwrap();
    let read = read_refund(&manifest, &target, TRADE, "refund-notification", &inner).unwrap();
    assert_eq!(
        (read.refund.as_str(), read.amount.unwrap().minor()),
        ("r1", 500)
    );
    assert_eq!(read.state, crate::trust::RefundStated::Stuck);
    let as_payment = read_claim(&manifest, &target, TRADE, "notification", &inner);
    assert!(matches!(as_payment, Err(ClaimError::Missing(_))));
}

#[test]
fn what_is_not_encrypted_for_the_target_is_not_opened() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let mut tampered: Value = serde_json::from_str(&envelope("{}", "transaction")).unwrap();
    tampered["resource"]["associated_data"] = json!("refund");
    let mut short: Value = serde_json::from_str(&envelope("{}", "transaction")).unwrap();
    short["resource"]["nonce"] = json!("short");
    let of_other = envelope("{}", "transaction");
    for (body, key, malformed) in [
        (tampered.to_string(), API_V3_KEY, false),
        (short.to_string(), API_V3_KEY, true),
        (of_other, "another-key-of-thirty-two-chars!", false),
        ("{\"event_type\":\"X\"}".to_owned(), API_V3_KEY, true),
        (envelope("no JSON", "transaction"), API_V3_KEY, true),
    ] {
        let target = match key {
            API_V3_KEY => wx_target(&manifest, &[]),
            other => wx_target(&manifest, &[("api_v3_key", other)]),
        };
        let message = signed(
            notification(body.clone().into_bytes()),
            platform(),
            PUBLIC_ID,
            0,
        );
        let outer = verify(&manifest, &target, &message, "notify", NOW_MS).unwrap();
        let failure = open(&manifest, &target, &outer, "resource").unwrap_err();
        assert_eq!(
            matches!(failure, Failure::Malformed(_)),
            malformed,
            "{body}: {failure}"
        );
    }
    let message = signed(answer(QUERY, b"{}".to_vec()), platform(), PUBLIC_ID, 0);
    let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
    for scheme in ["resource", "answer", "nonsense"] {
        let failure = open(&manifest, &target, &statement, scheme).unwrap_err();
        assert!(matches!(failure, Failure::UnknownScheme(_)), "{scheme}");
    }
}

/// A verified answer of v2 to a request about this trade: signed with the shared key, as the host signs its own.
pub(super) fn v2_answer(
    manifest: &Manifest,
    target: &Target,
    operation: &str,
    trade: Option<&str>,
    fields: &[(&str, &str)],
) -> Statement {
    let own = |name: &str| fields.iter().any(|(field, _)| *field == name);
    let mut all = vec![("return_code", "SUCCESS"), ("nonce_str", "1")];
    all.extend(
        [("appid", "wxd930ea5d5a258f4f"), ("mch_id", "1900009191")]
            .into_iter()
            .filter(|(name, _)| !own(name)),
    );
    all.extend(fields);
    all.sort_unstable();
    let text: String = all
        .iter()
        .map(|(name, value)| format!("{name}={value}&"))
        .collect();
    let sign = hex::encode_upper(Md5::digest(format!("{text}key={API_KEY}")));
    let body: String = all
        .iter()
        .chain([&("sign", sign.as_str())])
        .map(|(name, value)| format!("<{name}>{value}</{name}>"))
        .collect();
    let mut message = answer(operation, format!("<xml>{body}</xml>").into_bytes());
    message.origin = Origin::Answer {
        operation: operation.to_owned(),
        signed: true,
        trade: trade.map(str::to_owned),
    };
    verify(manifest, target, &message, "v2-answer", NOW_MS).unwrap()
}

/// Signed by the platform's key of today.
pub(super) fn signed_by_platform(message: Message) -> Message {
    signed(message, platform(), PUBLIC_ID, 0)
}

#[test]
fn v2_is_signed_both_ways_with_the_shared_key() {
    let manifest = wx();
    for sign_type in ["MD5", "HMAC-SHA256"] {
        let target = wx_target(&manifest, &[("sign_type", sign_type)]);
        let body =
            "<xml><body>茶 &amp; tea</body><out_trade_no>1</out_trade_no><empty></empty></xml>";
        let sent = prepare(
            &manifest,
            &target,
            post("/pay/micropay", body, "v2-request"),
            NOW_MS,
        )
        .unwrap();
        let fields = crate::trust::xml::read(&sent.body, "xml").unwrap();
        let value = |name: &str| fields.iter().find(|(n, _)| n == name).unwrap().1.clone();
        assert_eq!(
            (value("mch_id"), value("sign_type")),
            ("1900009191".into(), sign_type.into())
        );
        assert_eq!(value("nonce_str").len(), 32);
        // What WeChat Pay would check is what its answers are checked by.
        let mut message = answer("POST /pay/micropay", sent.body.clone());
        verify(&manifest, &target, &message, "v2-answer", NOW_MS).unwrap();
        let lower = String::from_utf8(sent.body)
            .unwrap()
            .replace(&value("sign"), &value("sign").to_lowercase());
        message.body = lower.into_bytes();
        let failure = verify(&manifest, &target, &message, "v2-answer", NOW_MS).unwrap_err();
        assert_eq!(failure, Failure::BadSignature);
        message.origin = Origin::Notification;
        let failure = verify(&manifest, &target, &message, "v2-answer", NOW_MS).unwrap_err();
        assert!(matches!(failure, Failure::UnknownScheme(_)));
    }
    let target = wx_target(&manifest, &[]);
    let unsigned = answer(
        "POST /pay/micropay",
        b"<xml><return_code>FAIL</return_code></xml>".to_vec(),
    );
    let failure = verify(&manifest, &target, &unsigned, "v2-answer", NOW_MS).unwrap_err();
    assert!(malformed(&failure));
    for body in [
        "<xml><mch_id>1</mch_id></xml>",
        "<xml><sign>1</sign></xml>",
        "<xml><a>1&amp;b=2</a></xml>",
        "{}",
    ] {
        assert!(
            prepare(
                &manifest,
                &target,
                post("/pay/micropay", body, "v2-request"),
                NOW_MS
            )
            .is_err(),
            "{body}"
        );
    }
    let bare = wx_target(&manifest, &[("api_key", "")]);
    assert!(
        prepare(
            &manifest,
            &bare,
            post("/pay/micropay", "<xml></xml>", "v2-request"),
            NOW_MS
        )
        .is_err()
    );
}

fn malformed(failure: &Failure) -> bool {
    matches!(failure, Failure::Malformed(_))
}

#[test]
fn a_client_certificate_makes_a_connection_of_the_target_s_own() {
    let manifest = wx();
    let own = tenpay().certify(merchant(), SERIAL, (-1, 1));
    let target = wx_target(&manifest, &[("mch_certificate", &own)]);
    let reverse = || Outgoing {
        identity: Some("merchant".to_owned()),
        ..post(
            "/secapi/pay/reverse",
            "<xml><out_trade_no>1</out_trade_no></xml>",
            "v2-request",
        )
    };
    let sent = prepare(&manifest, &target, reverse(), NOW_MS).unwrap();
    let tls = sent.tls.unwrap();
    assert_eq!(tls.owner, "acme/zfb/shop/1/merchant");
    assert!(!format!("{tls:?}").contains("PRIVATE"));
    let pem = tls.identity_pem.unwrap();
    assert!(pem.contains("BEGIN CERTIFICATE") && pem.contains("BEGIN PRIVATE KEY"));
    let without = wx_target(&manifest, &[]);
    assert!(prepare(&manifest, &without, reverse(), NOW_MS).is_err());
    let unknown = Outgoing {
        identity: Some("x".to_owned()),
        ..reverse()
    };
    assert!(prepare(&manifest, &target, unknown, NOW_MS).is_err());
    // The certificate of somebody else's key.
    let mut settings = wx_settings();
    settings.insert(
        "mch_certificate".to_owned(),
        json!(tenpay().certify(platform(), SERIAL, (-1, 1))),
    );
    let errors = assemble(&manifest, false, settings).unwrap_err();
    assert_eq!(errors[0].field, "mch_certificate");
}

#[test]
fn a_probe_is_told_by_its_own_header_at_its_own_platform() {
    const SIGNATURE: &str = "WECHATPAY/SIGNTEST/pIvP1S==";
    let with = |name: &str, value: &str| Message {
        headers: vec![(name.to_owned(), value.to_owned())],
        ..notification(Vec::new())
    };
    let probe = with("Wechatpay-Signature", SIGNATURE);
    assert!(is_probe(&wx(), &probe));
    assert!(is_probe(&wx(), &with("wechatpay-signature", SIGNATURE)));
    assert!(!is_probe(&zfb(), &probe), "another platform makes no such");
    for (name, value) in [
        ("Wechatpay-Nonce", SIGNATURE),
        ("X-Any", SIGNATURE),
        ("Wechatpay-Signature", "AWECHATPAY/SIGNTEST/pIvP1S=="),
        ("Wechatpay-Signature", "WECHATPAY/SIGNTEST"),
    ] {
        assert!(!is_probe(&wx(), &with(name, value)), "{name}: {value}");
    }
    let mut twice = with("Wechatpay-Signature", "AAAA");
    twice.headers.extend(probe.headers);
    assert!(!is_probe(&wx(), &twice), "the first one is looked at");
}
