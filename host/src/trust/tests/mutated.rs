//! Messages, forms, XML, JSON, manifests and settings that were changed at random: nothing of them panics, and what is
//! signed anew is still read as what it is about and nothing else.

use super::paypal;
use super::wechat::{signed, wx, wx_settings, wx_target};
use super::*;
use crate::outside::tried;
use crate::trust::json::Object;
use crate::trust::{read_claim, refuse_repeated_names, xml};

/// What can be read of a statement is about the trade that was asked for.
fn read_all(manifest: &Manifest, target: &Target, statement: &Statement) {
    for claim in manifest.claim_names() {
        if let Ok(reading) = read_claim(manifest, target, TRADE, claim, statement) {
            assert_eq!(reading.trade, TRADE);
        }
    }
}

/// Every scheme looks at it, as a notification and as an answer.
fn looked_at(manifest: &Manifest, target: &Target, message: &Message) {
    let asked = Message {
        origin: answer("alipay.trade.query", Vec::new()).origin,
        status: 200,
        ..message.clone()
    };
    for scheme in manifest.schemes().keys() {
        for message in [message, &asked] {
            if let Ok(statement) = verify(manifest, target, message, scheme, NOW_MS) {
                read_all(manifest, target, &statement);
            }
        }
    }
}

#[test]
fn notifications_of_alipay() {
    let manifest = zfb();
    let target = live(&manifest);
    tried("zfb", |body| {
        looked_at(&manifest, &target, &notification(body.to_vec()));
        // What the platform itself might sign.
        if let Ok(fields) = form::read(body) {
            let fields = fields.into_iter().filter(|(name, _)| name != "sign");
            let body = signed_form(fields.collect(), platform());
            looked_at(&manifest, &target, &notification(body));
        }
    });
}

#[test]
fn notifications_of_wechat() {
    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    let serial = wx_settings()["wechatpay_public_key_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    tried("wx", |body| {
        let plain = notification(body.to_vec());
        looked_at(&manifest, &target, &plain);
        if str::from_utf8(body).is_ok() {
            looked_at(&manifest, &target, &signed(plain, platform(), &serial, 0));
        }
    });
}

#[test]
fn notifications_of_paypal() {
    let manifest = paypal::manifest();
    let target = paypal::target(&manifest, None);
    tried("paypal", |body| {
        looked_at(&manifest, &target, &notification(body.to_vec()));
        if let Ok(text) = str::from_utf8(body) {
            looked_at(&manifest, &target, &paypal::event(platform(), text));
        }
    });
}

#[test]
fn forms() {
    tried("form", |bytes| {
        if let Ok(fields) = form::read(bytes) {
            let pairs = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            let written = form::write(pairs);
            assert_eq!(form::read(written.as_bytes()).unwrap(), fields);
        }
    });
}

#[test]
fn xml_of_the_older_interface() {
    tried("xml", |bytes| {
        if let Ok(fields) = xml::read(bytes, "xml") {
            let pairs = fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()));
            let written = xml::write("xml", pairs);
            let _ = xml::read(written.as_bytes(), "xml");
        }
    });
}

#[test]
fn json_with_its_bytes() {
    tried("json", |bytes| {
        let Ok(text) = str::from_utf8(bytes) else {
            return;
        };
        let _ = refuse_repeated_names(text);
        if let Ok(object) = Object::parse(text) {
            let names: Vec<String> = object.names().map(str::to_owned).collect();
            for name in names {
                assert!(
                    object.raw(&name).is_some_and(|raw| text.contains(raw)),
                    "{name}"
                );
            }
        }
    });
}

#[test]
fn manifests() {
    tried("manifest", |bytes| {
        if let Ok(manifest) = Manifest::parse(bytes) {
            assert!(!manifest.in_words().is_empty());
        }
    });
}

#[test]
fn settings_of_targets() {
    let manifest = zfb();
    tried("settings", |bytes| {
        if let Ok(settings) = serde_json::from_slice::<Map<String, Value>>(bytes) {
            let checked = manifest.check_settings(&settings).is_ok();
            let assembled = assemble(&manifest, false, settings).is_ok();
            assert!(
                checked || !assembled,
                "what does not fit the schema is no target"
            );
        }
    });
}
