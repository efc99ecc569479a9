//! What the platforms' own tools publish: signed texts and signatures of theirs.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NOW_MS, answer, notification, settings, zfb_with};
use crate::trust::key::PublicKey;
use crate::trust::manifest::Manifest;
use crate::trust::message::Failure;
use crate::trust::scheme::{json_substring, sorted_form};
use crate::trust::target::Target;
use crate::trust::{form, template, verify};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
pub(super) struct Vector {
    pub(super) id: String,
    pub(super) inputs: BTreeMap<String, Value>,
    pub(super) expected: BTreeMap<String, Value>,
}

impl Vector {
    pub(super) fn input(&self, name: &str) -> &str {
        self.inputs[name].as_str().unwrap()
    }

    pub(super) fn expected(&self, name: &str) -> &str {
        self.expected[name].as_str().unwrap()
    }

    pub(super) fn fields(&self, name: &str) -> BTreeMap<&str, &str> {
        let fields = self.inputs[name].as_object().unwrap();
        fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect()
    }

    /// The platform's key, in whichever form it is published.
    fn key(&self) -> String {
        for name in ["alipay_public_key_der_b64", "alipay_public_key_pem"] {
            if let Some(key) = self.inputs.get(name) {
                return key.as_str().unwrap().to_owned();
            }
        }
        public_key_of(self.input("certificate_pem"))
    }
}

pub(super) fn vectors(prefix: &str) -> Vec<Vector> {
    let all: Vectors =
        serde_json::from_str(include_str!("../../../../tests/vectors.json")).unwrap();
    let found: Vec<Vector> = all
        .vectors
        .into_iter()
        .filter(|vector| vector.id.starts_with(prefix))
        .collect();
    assert!(!found.is_empty(), "no vector {prefix}");
    found
}

/// Cuts the SubjectPublicKeyInfo of an RSA key of 2048 bits out of a certificate.
fn public_key_of(certificate: &str) -> String {
    let body: String = certificate
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = STANDARD.decode(body).unwrap();
    let header = hex::decode("30820122300d06092a864886f70d01010105000382010f00").unwrap();
    let at = der
        .windows(header.len())
        .position(|window| window == header)
        .unwrap();
    STANDARD.encode(&der[at..at + 294])
}

fn target(manifest: &Manifest, key: &str) -> Target {
    let mut settings = settings();
    settings.insert("alipay_public_key".to_owned(), json!(key));
    super::assemble(manifest, false, settings).unwrap()
}

fn manifest(changes: &[(&str, Value)]) -> Manifest {
    Manifest::parse(zfb_with(changes).as_bytes()).unwrap()
}

#[test]
fn notifications_of_alipay_are_verified() {
    // The check that keeps sign_type in the text ("V2") is another scheme, not another host.
    let v1 = manifest(&[]);
    let v2 = manifest(&[("/schemes/notify/omit", json!(["sign"]))]);
    for vector in vectors("ali-notify-rsa2-") {
        let v2_style = vector.id.ends_with("-v2check");
        let (right, other) = if v2_style { (&v2, &v1) } else { (&v1, &v2) };
        let fields = vector.fields("form");
        let message = notification(form::write(fields).into_bytes());
        let checked = verify(
            right,
            &target(right, &vector.key()),
            &message,
            "notify",
            NOW_MS,
        );
        if vector.expected["valid"] == json!(true) {
            let omit = if v2_style {
                vec!["sign"]
            } else {
                vec!["sign", "sign_type"]
            };
            let omit: Vec<String> = omit.into_iter().map(str::to_owned).collect();
            let text = sorted_form::text(&sorted_form::signed(vector.fields("form"), &omit));
            assert_eq!(text, vector.expected("sign_content"), "{}", vector.id);
            let statement = checked.unwrap();
            let stated = form::read(statement.text()).unwrap();
            assert!(
                stated.iter().all(|(name, _)| !omit.contains(name)),
                "{}",
                vector.id
            );
            let with_other = verify(
                other,
                &target(other, &vector.key()),
                &message,
                "notify",
                NOW_MS,
            );
            assert_eq!(
                with_other.unwrap_err(),
                Failure::BadSignature,
                "{}",
                vector.id
            );
        } else {
            assert_eq!(checked.unwrap_err(), Failure::BadSignature, "{}", vector.id);
        }
    }
}

#[test]
fn forms_that_the_java_sdk_checks_are_verified() {
    let manifest = manifest(&[
        ("/schemes/notify/omit", json!(["sign"])),
        ("/schemes/notify/expect", json!({"sign_type": "RSA2"})),
    ]);
    for vector in vectors("ali-rsacheckv2-rsa2") {
        let fields = vector.fields("params");
        let text = sorted_form::text(&sorted_form::signed(fields.clone(), &["sign".to_owned()]));
        assert_eq!(text, vector.expected("sign_content"), "{}", vector.id);
        let message = notification(form::write(fields).into_bytes());
        let target = target(&manifest, &vector.key());
        verify(&manifest, &target, &message, "notify", NOW_MS).expect(&vector.id);
    }
}

#[test]
fn answers_of_alipay_are_verified_as_they_stand() {
    let manifest = manifest(&[]);
    let raw = vectors("ali-response-verify-raw-substring").remove(0);
    let body = raw.input("response_body").as_bytes().to_vec();
    let message = answer("alipay.open.file.upload", body);
    let target_of = |vector: &Vector| target(&manifest, &vector.key());
    let statement = verify(&manifest, &target_of(&raw), &message, "answer", NOW_MS).unwrap();
    assert_eq!(statement.text(), raw.expected("sign_content").as_bytes());

    let pay = vectors("ali-response-verify-pay-gopay").remove(0);
    let content = pay.input("sign_content");
    let body = format!(
        "{{\"alipay_trade_pay_response\":{content},\"sign\":{}}}",
        json!(pay.input("sign"))
    );
    let message = answer("alipay.trade.pay", body.into_bytes());
    let statement = verify(&manifest, &target_of(&pay), &message, "answer", NOW_MS).unwrap();
    assert_eq!(statement.text(), content.as_bytes());
}

#[test]
fn the_signed_part_of_an_answer_is_found() {
    let vectors = ["ali-signstr-extract-", "ali-extract-java-"]
        .into_iter()
        .flat_map(vectors);
    for vector in vectors {
        let member = vector.input("response_key");
        let found = json_substring::extract(
            vector.input("response_body"),
            member,
            "_response",
            "sign",
            None,
        );
        assert_eq!(
            found.unwrap().content,
            vector.expected("sign_content"),
            "{}",
            vector.id
        );
    }
}

#[test]
fn client_signatures_of_wechat_sign_the_template_s_lines() {
    for (id, fields, last, signature) in [
        (
            "wx3-paysign-jsapi-official",
            ["appId", "timeStamp", "nonceStr"],
            "package",
            "paySign",
        ),
        (
            "wx3-paysign-app-official",
            ["appid", "timestamp", "noncestr"],
            "prepayid",
            "sign",
        ),
    ] {
        let vector = vectors(id).remove(0);
        let names: Vec<&str> = fields.into_iter().chain([last]).collect();
        let manifest = manifest(&[
            (
                "/settings/properties/app_private_key/x-key/usages",
                json!(["request", "client"]),
            ),
            (
                "/templates/client",
                json!({"kind": "lines", "fields": names, "key": "app_private_key",
                       "algorithm": "rsa-sha256"}),
            ),
        ]);
        let values: Vec<(String, String)> = names
            .iter()
            .map(|name| ((*name).to_owned(), vector.input(name).to_owned()))
            .collect();
        let target = super::live(&manifest);
        let rule = manifest.template("client").unwrap();
        let fields = template::fields(rule, &target, &values, NOW_MS).unwrap();
        let text = template::text(rule, &fields).unwrap();
        assert_eq!(text, vector.expected("message"), "{id}");
        let key = PublicKey::parse(vector.input("recovered_public_key_pem")).unwrap();
        assert_eq!(
            key.verify(text.as_bytes(), vector.expected(signature)),
            Ok(()),
            "{id}"
        );
    }
}
