//! What platforms send: as it is, and as the platform itself might have signed it. Only what is about the trade that was
//! asked for can be read.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use walnut::outside;
use walnut::payment::model::TargetRef;
use walnut::trust::{
    Due, Manifest, Message, Origin, Statement, Target, compare, keep_token, open, read_claim,
    read_refund, refund_number, renew, verify,
};

use crate::keys::{merchant, platform, sealed};
use crate::{NOW_MS, TRADE};

pub(crate) const WX: &str = include_str!("../../../plugins/providers/wx/manifest.json");
pub(crate) const ZFB: &str = include_str!("../../../plugins/providers/zfb/manifest.json");
pub(crate) const PAYPAL: &str = include_str!("../../../plugins/providers/paypal/manifest.json");

const API_V3_KEY: &str = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb";
const API_KEY: &str = "192006250b4c09247ec02edce69f6a2d";
const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0114232134912410000000000000";
const WEBHOOK: &str = "4JH86294D6297924G";

/// A manifest and a merchant's account there.
struct Platform {
    manifest: Manifest,
    target: Target,
    /// All that its claims are read from.
    operations: BTreeSet<String>,
    schemes: Vec<String>,
    refunds: Vec<String>,
}

impl Platform {
    fn new(manifest: &str, settings: Value) -> Platform {
        let source: Value = serde_json::from_str(manifest).unwrap();
        let names = |part: &str| {
            let members = source.get(part).and_then(Value::as_object);
            let names = members.into_iter().flat_map(Map::keys).cloned();
            names.collect::<Vec<_>>()
        };
        let operations = ["claims", "refunds"]
            .iter()
            .filter_map(|part| source.get(part)?.as_object())
            .flat_map(Map::values)
            .filter_map(|claim| claim.get("operations")?.as_array())
            .flatten()
            .filter_map(Value::as_str);
        let operations = operations.map(str::to_owned).collect();
        let (schemes, refunds) = (names("schemes"), names("refunds"));
        let manifest = Manifest::parse(manifest.as_bytes()).unwrap();
        let target = assemble(&manifest, settings);
        Platform {
            manifest,
            target,
            operations,
            schemes,
            refunds,
        }
    }

    /// Every scheme looks at it, as a notification.
    fn notified(&self, body: &[u8], headers: Vec<(String, String)>) {
        self.looked_at(&Message {
            origin: Origin::Notification,
            status: 0,
            headers,
            body: body.to_vec(),
            came: Instant::now(),
        });
    }

    /// And as an answer to each request whose answer tells something.
    fn answered(&self, headers: &[(String, String)], body: impl Fn(&str) -> Vec<u8>) {
        for operation in &self.operations {
            let body = body(operation);
            self.looked_at(&answer(operation, headers.to_vec(), body));
        }
    }

    fn looked_at(&self, message: &Message) {
        for scheme in &self.schemes {
            if let Ok(statement) = verify(&self.manifest, &self.target, message, scheme, NOW_MS) {
                self.read(&statement);
                for scheme in &self.schemes {
                    if let Ok(inner) = open(&self.manifest, &self.target, &statement, scheme) {
                        self.read(&inner);
                    }
                }
            }
        }
    }

    fn read(&self, statement: &Statement) {
        let (manifest, target) = (&self.manifest, &self.target);
        let due = Due {
            trade: TRADE,
            transaction: None,
            amount: None,
            state: "WAIT",
            refund: Some("r1"),
        };
        for claim in manifest.claim_names() {
            if let Ok(reading) = read_claim(manifest, target, TRADE, claim, statement) {
                assert_eq!(reading.trade, TRADE);
                for money in [reading.amount, reading.refunded].into_iter().flatten() {
                    assert!(money.minor() >= 0, "{money:?}");
                }
            }
            let _ = compare(manifest, target, claim, statement.text(), &due);
        }
        for claim in &self.refunds {
            if let Ok(reading) = read_refund(manifest, target, TRADE, claim, statement) {
                assert!(reading.amount.is_none_or(|money| money.minor() >= 0));
            }
            let _ = compare(manifest, target, claim, statement.text(), &due);
            let _ = refund_number(manifest, claim, statement.text());
        }
    }
}

fn assemble(manifest: &Manifest, settings: Value) -> Target {
    let Value::Object(settings) = settings else {
        panic!("settings are an object");
    };
    let (public, secrets) = manifest.split_settings(settings);
    let reference = TargetRef {
        platform: manifest.name().to_owned(),
        name: "shop".to_owned(),
        version: 1,
    };
    Target::assemble(
        manifest,
        "acme".to_owned(),
        reference,
        false,
        public,
        secrets,
    )
    .unwrap()
}

fn answer(operation: &str, headers: Vec<(String, String)>, body: Vec<u8>) -> Message {
    Message {
        origin: Origin::Answer {
            operation: operation.to_owned(),
            signed: true,
            trade: Some(TRADE.to_owned()),
        },
        status: 200,
        headers,
        body,
        came: Instant::now(),
    }
}

fn headers<const N: usize>(headers: [(&str, String); N]) -> Vec<(String, String)> {
    headers
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
}

fn zfb_settings() -> Value {
    json!({
        "app_id": "2021000000000001",
        "app_private_key": merchant().private(),
        "alipay_public_key": platform().public(),
        "content_key": STANDARD.encode([7; 16]),
        "seller_id": "2088102116773037",
    })
}

/// Bodies of Alipay: of notifications, of answers, and what is signed in them.
pub fn zfb(body: &[u8]) {
    static PLATFORM: LazyLock<Platform> = LazyLock::new(|| Platform::new(ZFB, zfb_settings()));
    PLATFORM.notified(body, Vec::new());
    PLATFORM.answered(&[], |_| body.to_vec());
    if let Ok(mut fields) = outside::form(body) {
        fields.retain(|(name, _)| name != "sign" && name != "sign_type");
        fields.sort();
        let signature = platform().sign(joined(&fields).as_bytes());
        fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
        fields.push(("sign".to_owned(), signature));
        PLATFORM.notified(outside::write_form(&fields).as_bytes(), Vec::new());
    }
    if let Ok(content) = serde_json::from_slice::<&RawValue>(body) {
        let signature = platform().sign(content.get().as_bytes());
        PLATFORM.answered(&[], |operation| {
            signed_answer(operation, content.get(), &signature)
        });
    }
}

fn signed_answer(operation: &str, content: &str, signature: &str) -> Vec<u8> {
    let member = operation.replace('.', "_");
    format!("{{\"{member}_response\":{content},\"sign\":\"{signature}\"}}").into_bytes()
}

/// What is signed of fields that are sorted: those that are empty are left out.
fn joined(fields: &outside::Fields) -> String {
    let said = fields.iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<String> = said
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    said.join("&")
}

fn wx_settings() -> Value {
    json!({
        "appid": "wxd678efh567hg6787",
        "mchid": "1900000001",
        "mch_serial_no": "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C",
        "mch_private_key": merchant().private(),
        "api_v3_key": API_V3_KEY,
        "api_key": API_KEY,
        "wechatpay_public_key": platform().public(),
        "wechatpay_public_key_id": PUBLIC_KEY_ID,
    })
}

fn wx_headers(body: &[u8]) -> Vec<(String, String)> {
    let at = NOW_MS / 1000;
    let text = [format!("{at}\nnonce1\n").as_bytes(), body, b"\n"].concat();
    headers([
        ("Wechatpay-Timestamp", at.to_string()),
        ("Wechatpay-Nonce", "nonce1".to_owned()),
        ("Wechatpay-Signature", platform().sign(&text)),
        ("Wechatpay-Serial", PUBLIC_KEY_ID.to_owned()),
    ])
}

/// Bodies of WeChat Pay: of notifications and answers by v3, what is encrypted in notifications, and XML of v2.
pub fn wx(body: &[u8]) {
    static PLATFORM: LazyLock<Platform> = LazyLock::new(|| Platform::new(WX, wx_settings()));
    PLATFORM.notified(body, Vec::new());
    let signed = wx_headers(body);
    PLATFORM.answered(&signed, |_| body.to_vec());
    PLATFORM.notified(body, signed);

    let (nonce, about) = ("uluk4a9R25RW", "transaction");
    let notice = json!({
        "id": "EV-1", "event_type": "TRANSACTION.SUCCESS",
        "resource": {
            "original_type": about, "algorithm": "AEAD_AES_256_GCM", "associated_data": about, "nonce": nonce,
            "ciphertext": sealed(API_V3_KEY, nonce, about, body),
        },
    });
    let notice = notice.to_string().into_bytes();
    PLATFORM.notified(&notice, wx_headers(&notice));

    if let Ok(mut fields) = outside::xml(body) {
        fields.retain(|(name, _)| name != "sign");
        fields.sort();
        let text = format!("{}&key={API_KEY}", joined(&fields));
        fields.push(("sign".to_owned(), hex::encode_upper(Md5::digest(text))));
        let signed = outside::write_xml(&fields).into_bytes();
        PLATFORM.notified(&signed, Vec::new());
        PLATFORM.answered(&[], |_| signed.clone());
    }
}

fn paypal_settings() -> Value {
    json!({
        "client_id": "client-of-the-shop", "client_secret": "secret-of-the-shop", "webhook_id": WEBHOOK,
    })
}

const CERTIFICATE: &str = "GET /v1/notifications/certs/{certificate}";

fn waited<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    RUNTIME.block_on(work)
}

/// Bodies of PayPal: of webhooks, of answers, and of those that bring a token.
pub fn paypal(body: &[u8]) {
    static PLATFORM: LazyLock<Platform> = LazyLock::new(|| {
        let made = Platform::new(PAYPAL, paypal_settings());
        let pem = answer(CERTIFICATE, Vec::new(), platform().certificate().into());
        let known = renew(&made.manifest, &made.target, &pem, "certificates", NOW_MS);
        waited(known).unwrap();
        made
    });
    PLATFORM.notified(body, Vec::new());
    PLATFORM.answered(&[], |_| body.to_vec());
    let (id, at) = ("t-1", "2026-12-25T04:00:00Z");
    let text = format!("{id}|{at}|{WEBHOOK}|{}", crc32fast::hash(body));
    let signed = headers([
        ("Paypal-Transmission-Id", id.to_owned()),
        ("Paypal-Transmission-Time", at.to_owned()),
        ("Paypal-Transmission-Sig", platform().sign(text.as_bytes())),
        ("Paypal-Auth-Algo", "SHA256withRSA".to_owned()),
    ]);
    PLATFORM.notified(body, signed);
    let target = &PLATFORM.target;
    let _ = keep_token(&PLATFORM.manifest, target, "token", 200, body, NOW_MS);
}

/// Certificates of the platforms, in the answers that bring them.
pub fn certificate(pem: &[u8]) {
    static MANIFESTS: LazyLock<[Manifest; 3]> =
        LazyLock::new(|| [WX, ZFB, PAYPAL].map(|text| Manifest::parse(text.as_bytes()).unwrap()));
    let [wx, zfb, paypal] = &*MANIFESTS;
    // Each anew, since what comes is kept.
    let brought = |manifest, settings, message| {
        let target = assemble(manifest, settings);
        let came = renew(manifest, &target, &message, "certificates", NOW_MS);
        if let Ok(serials) = waited(came) {
            assert!(!serials.is_empty(), "nothing came, and was taken");
        }
    };
    let plain = answer(CERTIFICATE, Vec::new(), pem.to_vec());
    brought(paypal, paypal_settings(), plain);

    let content = json!({ "alipay_cert_content": STANDARD.encode(pem) }).to_string();
    let operation = "alipay.open.app.alipaycert.download";
    let signature = platform().sign(content.as_bytes());
    let signed = signed_answer(operation, &content, &signature);
    brought(zfb, zfb_settings(), answer(operation, Vec::new(), signed));

    let (nonce, about) = ("uluk4a9R25RW", "certificate");
    let list = json!({ "data": [{
        "serial_no": "5DEA10EF55877E3CF6C33255C2E7DEFFF7E427EC",
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": about,
            "ciphertext": sealed(API_V3_KEY, nonce, about, pem),
        },
    }]});
    let list = list.to_string().into_bytes();
    let message = answer("GET /v3/certificates", wx_headers(&list), list);
    brought(wx, wx_settings(), message);
}
