//! The stories of this room, and what they share: keys made once a run, and manifests.

mod alipay;
mod authorities;
mod claims;
mod declines;
mod manifests;
mod messages;
mod paypal;
mod requests;
mod settings;
mod templates;
mod tokens;
mod vectors;
mod wechat;
mod wechat_certificates;
mod wechat_manifest;
mod wechat_vectors;

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::payment::model::TargetRef;
use crate::trust::key::PrivateKey;
use crate::trust::manifest::{FieldError, Manifest};
use crate::trust::message::{Message, Origin, Statement};
use crate::trust::target::Target;
use crate::trust::{Failure, form, verify};

pub(super) const ZFB: &str = include_str!("../fixtures/zfb.json");
pub(super) const FREE: &str = include_str!("../fixtures/free.json");
pub(super) const NOW_MS: u64 = 1_565_855_782_000;
pub(super) const APP_ID: &str = "2021000000000001";
pub(super) const TRADE: &str = "0190a1b2c3d47e5f8091a2b3c4d5e6f7";

/// An RSA key pair in all the forms in which tools write it.
pub(in crate::trust) struct Keys {
    pub(in crate::trust) pkcs8_pem: String,
    pub(in crate::trust) pkcs8_base64: String,
    pub(in crate::trust) pkcs1_pem: String,
    pub(in crate::trust) pkcs1_base64: String,
    pub(in crate::trust) spki_pem: String,
    pub(in crate::trust) spki_base64: String,
    pub(in crate::trust) public_pkcs1_base64: String,
}

impl Keys {
    fn generate() -> Keys {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        // PKCS #8 is a header of 26 bytes before the PKCS #1 key of 2048 bits.
        let pkcs1 = &pkcs8.as_ref()[26..];
        Keys {
            pkcs8_pem: pem("PRIVATE KEY", pkcs8.as_ref()),
            pkcs8_base64: STANDARD.encode(pkcs8.as_ref()),
            pkcs1_pem: pem("RSA PRIVATE KEY", pkcs1),
            pkcs1_base64: STANDARD.encode(pkcs1),
            spki_pem: pem("PUBLIC KEY", spki.as_ref()),
            spki_base64: STANDARD.encode(spki.as_ref()),
            public_pkcs1_base64: STANDARD.encode(pair.public_key().as_ref()),
        }
    }

    pub(in crate::trust) fn sign(&self, text: &str) -> String {
        PrivateKey::parse(&self.pkcs8_pem)
            .unwrap()
            .sign(text.as_bytes())
            .unwrap()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|l| str::from_utf8(l).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// The merchant's keys.
pub(in crate::trust) fn merchant() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

/// The platform's keys.
pub(in crate::trust) fn platform() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);
    &KEYS
}

pub(super) fn zfb() -> Manifest {
    Manifest::parse(ZFB.as_bytes()).unwrap()
}

/// Alipay's manifest with parts of it replaced.
pub(super) fn zfb_with(changes: &[(&str, Value)]) -> String {
    let mut manifest: Value = serde_json::from_str(ZFB).unwrap();
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = manifest
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("no {path}"));
        match (parent, value) {
            (Value::Object(members), Value::Null) => drop(members.remove(name)),
            (Value::Object(members), value) => drop(members.insert(name.to_owned(), value.clone())),
            (Value::Array(items), value) => items[name.parse::<usize>().unwrap()] = value.clone(),
            (other, _) => panic!("{path} stands in {other}"),
        }
    }
    manifest.to_string()
}

pub(super) fn settings() -> Map<String, Value> {
    let Value::Object(settings) = json!({
        "app_id": APP_ID,
        "app_private_key": merchant().pkcs8_pem,
        "alipay_public_key": platform().spki_base64,
    }) else {
        panic!("an object");
    };
    settings
}

pub(super) fn reference() -> TargetRef {
    TargetRef {
        platform: "zfb".to_owned(),
        name: "shop".to_owned(),
        version: 1,
    }
}

pub(super) fn assemble(
    manifest: &Manifest,
    test: bool,
    settings: Map<String, Value>,
) -> Result<Target, Vec<FieldError>> {
    let (public, secrets) = manifest.split_settings(settings);
    Target::assemble(
        manifest,
        "acme".to_owned(),
        reference(),
        test,
        public,
        secrets,
    )
}

/// A target with the settings of [`settings`] and these on top.
pub(super) fn target_with(manifest: &Manifest, test: bool, more: &[(&str, &str)]) -> Target {
    let mut settings = settings();
    for (name, value) in more {
        settings.insert((*name).to_owned(), json!(value));
    }
    assemble(manifest, test, settings).unwrap()
}

pub(super) fn live(manifest: &Manifest) -> Target {
    target_with(manifest, false, &[])
}

/// What Alipay sends when [`TRADE`] was paid with 23.00 yuan, before it is signed.
pub(super) fn paid_fields() -> Vec<(String, String)> {
    [
        ("app_id", APP_ID),
        ("buyer_logon_id", "138****0000"),
        ("charset", "utf-8"),
        ("gmt_payment", "2019-08-15 15:56:24"),
        ("notify_id", "2019081500222155624068450559358070"),
        ("out_trade_no", TRADE),
        ("seller_id", "2088102000000001"),
        ("subject", "three books + 1"),
        ("total_amount", "23.00"),
        ("trade_no", "2019081522001468450512505578"),
        ("trade_status", "TRADE_SUCCESS"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Replaces a field, or adds it; an empty value removes it.
pub(super) fn set(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    fields.retain(|(have, _)| have != name);
    if !value.is_empty() {
        fields.push((name.to_owned(), value.to_owned()));
    }
}

/// Signs a notification as Alipay does: written here anew, not by the code under test.
pub(super) fn signed_form(mut fields: Vec<(String, String)>, keys: &Keys) -> Vec<u8> {
    fields.sort();
    let text: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let signature = keys.sign(&text.join("&"));
    fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
    fields.push(("sign".to_owned(), signature));
    form::write(fields.iter().map(|(n, v)| (n.as_str(), v.as_str()))).into_bytes()
}

/// The body of an answer to `operation`, signed as Alipay does.
pub(super) fn signed_answer(operation: &str, content: &str, keys: &Keys) -> Vec<u8> {
    let member = operation.replace('.', "_");
    let signature = keys.sign(content);
    format!("{{\"{member}_response\":{content},\"sign\":\"{signature}\"}}").into_bytes()
}

pub(super) fn notification(body: Vec<u8>) -> Message {
    Message {
        origin: Origin::Notification,
        status: 0,
        headers: Vec::new(),
        body,
        came: std::time::Instant::now(),
    }
}

pub(super) fn answer(operation: &str, body: Vec<u8>) -> Message {
    let origin = Origin::Answer {
        operation: operation.to_owned(),
        signed: true,
        trade: None,
    };
    Message {
        origin,
        status: 200,
        headers: Vec::new(),
        body,
        came: std::time::Instant::now(),
    }
}

/// A verified notification with these fields.
pub(super) fn notified(
    manifest: &Manifest,
    target: &Target,
    fields: Vec<(String, String)>,
) -> Result<Statement, Failure> {
    let message = notification(signed_form(fields, platform()));
    verify(manifest, target, &message, "notify", NOW_MS)
}
