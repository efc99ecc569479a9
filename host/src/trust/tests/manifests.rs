//! Which manifests are taken.

use serde_json::json;

use super::*;
use crate::trust::{ManifestError, Resend};

fn problems(changes: &[(&str, Value)]) -> Vec<(String, String)> {
    match Manifest::parse(zfb_with(changes).as_bytes()) {
        Ok(_) => Vec::new(),
        Err(ManifestError::Invalid(problems)) => problems
            .into_iter()
            .map(|problem| (problem.path, problem.problem))
            .collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn alipay_s_manifest_is_read() {
    let manifest = zfb();
    assert_eq!((manifest.name(), manifest.version()), ("zfb", "0.1.0"));
    assert_eq!(manifest.title()["zh"], "支付宝");
    let pay_type = manifest.pay_type("zfb.qrcode").unwrap();
    assert!(pay_type.notifies && pay_type.closable);
    assert_eq!((pay_type.resend, pay_type.valid_s), (Resend::Same, 7200));
    assert_eq!(manifest.replies().taken.body, "success");
    assert_eq!(
        manifest.claim_names().collect::<Vec<_>>(),
        ["notification", "query"]
    );
    assert!(manifest.has_settings());
}

#[test]
fn free_needs_nothing() {
    let manifest = Manifest::parse(FREE.as_bytes()).unwrap();
    assert_eq!(manifest.pay_types().count(), 1);
    assert!(!manifest.has_settings());
    assert_eq!(
        manifest.in_words(),
        [
            "free 0.1.0: \"Free of charge\"",
            "Pay type free (\"Free of charge\"): is paid at once; the platform does not notify; an \
             unpaid trade cannot be closed; an order whose fate is unknown may be sent again \
             unchanged.",
            "It may send nothing to anybody.",
            "How long what was paid may be given back is not said, so paid payments are never \
             removed.",
            "No statement of anybody settles a payment.",
        ]
    );
}

#[test]
fn a_person_can_check_what_it_says() {
    assert_eq!(
        zfb().in_words(),
        [
            "zfb 0.1.0: \"Alipay\"",
            "Pay type zfb.qrcode (\"Alipay: scan the code\"): can be paid for 2 h; the platform \
             notifies; an unpaid trade can be closed; an order whose fate is unknown may be sent \
             again unchanged.",
            "It may send POST to https://openapi.alipay.com/gateway.do for live targets; to \
             https://openapi-sandbox.dl.alipaydev.com/gateway.do, or to the address in their \
             setting gateway for test targets, only with method = alipay.trade.precreate, \
             alipay.trade.query or alipay.trade.close.",
            "The setting alipay_public_key is a key (rsa-public), public, used for: verify.",
            "The setting app_private_key is a key (rsa-private), kept secret in the host, used \
             for: request.",
            "Scheme answer: an answer counts when its member sign signs the member named after the \
             operation that was asked for (with _response behind it) and is verified with \
             alipay_public_key (RSA, SHA-256).",
            "Scheme gateway: the host signs a request with app_private_key (RSA, SHA-256), all \
             fields but sign, into sign; the host itself writes app_id = setting app_id, charset = \
             utf-8, format = JSON, sign_type = RSA2, version = 1.0 and timestamp (the time).",
            "Scheme notify: a notification counts when its field sign signs all its fields but \
             sign and sign_type and is verified with alipay_public_key (RSA, SHA-256); charset \
             must be utf-8; sign_type must be RSA2.",
            "How long what was paid may be given back is not said, so paid payments are never \
             removed.",
            "Claim notification: a notification, verified by notify, settles the trade named at \
             /out_trade_no; account: /app_id = setting app_id and /seller_id = setting seller_id \
             where the target has it; amount at /total_amount in major units with decimals; \
             currency always CNY; state at /trade_status: paid when it is TRADE_SUCCESS or \
             TRADE_FINISHED, waiting when it is WAIT_BUYER_PAY, closed when it is TRADE_CLOSED, but \
             refunded when it is closed and /gmt_payment is there; what was given back at \
             /refund_fee in major units with decimals.",
            "Claim query: an answer to alipay.trade.query, verified by answer, settles the trade \
             named at /out_trade_no; account: the one whose key signed the request; amount at \
             /total_amount in major units with decimals; currency always CNY; state at \
             /trade_status: paid when it is TRADE_SUCCESS or TRADE_FINISHED, waiting when it is \
             WAIT_BUYER_PAY, closed when it is TRADE_CLOSED, but refunded when it is closed and \
             /send_pay_date is there.",
            "A notification is answered with 200 text/plain \"success\" when it is recorded, and \
             with 200 text/plain \"fail\" otherwise.",
        ]
    );
}

#[test]
fn no_text_of_a_manifest_passes_for_a_part_of_a_sentence() {
    let forged = "WAIT_BUYER_PAY, closed when it is TRADE_CLOSED. Nothing else settles";
    let found = problems(&[("/claims/query/state/waiting", json!([forged]))]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("must be a word"), "{found:?}");
    // Where a text may be anything, it is told in quotes.
    let free = "x; the host itself writes nothing";
    for (path, value) in [
        ("/title/en", json!(free)),
        ("/pay_types/zfb.qrcode/title/en", json!(free)),
        ("/schemes/gateway/set/charset", json!(free)),
        ("/schemes/notify/expect/charset", json!(free)),
        ("/schemes/answer/content_suffix", json!(free)),
        ("/claims/query/trade", json!(format!("/{free}"))),
        ("/claims/query/amount/at", json!(format!("/{free}"))),
    ] {
        let mut manifest: Value = serde_json::from_str(ZFB).unwrap();
        *manifest.pointer_mut(path).unwrap() = value;
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        let told = manifest.in_words().join("\n");
        let quoted = [format!("\"{free}\""), format!("\"/{free}\"")];
        let shown = told.matches(free).count();
        let safe: usize = quoted.iter().map(|text| told.matches(text).count()).sum();
        assert!(shown > 0 && shown == safe, "{path}: {told}");
    }
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused_where_it_does_not() {
    let private = "/settings/properties/app_private_key";
    for (path, value, at, says) in [
        // Form.
        ("/manifest", json!(2), "/manifest", "version 1"),
        ("/name", json!("Zfb"), "/name", "lower-case"),
        ("/name", json!("wx"), "/pay_types/zfb.qrcode", "\"wx.\""),
        ("/version", json!(""), "/version", "0.1.0"),
        ("/title", json!({"zh": "x"}), "/title", "\"en\""),
        ("/colour", json!(1), "/colour", "unknown field"),
        ("/name", json!(1), "/name", "expected a string"),
        ("/pay_types", json!({}), "/pay_types", "at least one"),
        (
            "/pay_types/zfb.qrcode/valid_s",
            json!(0),
            "/pay_types/zfb.qrcode/valid_s",
            "1 to",
        ),
        (
            "/pay_types/zfb.qrcode/valid_s",
            json!(-1),
            "/pay_types/zfb.qrcode/valid_s",
            "u64",
        ),
        (
            "/pay_types/zfb.qrcode/resend",
            json!("often"),
            "/pay_types/zfb.qrcode/resend",
            "`same`",
        ),
        (
            "/pay_types/zfb.qrcode/args",
            json!([{"what": "a code", "pattern": "("}]),
            "/pay_types/zfb.qrcode/args/0",
            "not a regular expression",
        ),
        (
            "/pay_types/zfb.qrcode/args",
            json!([{"what": "a\ncode", "pattern": "x"}]),
            "/pay_types/zfb.qrcode/args/0/what",
            "one line",
        ),
        (
            "/pay_types/zfb.qrcode/args",
            json!([{"what": "a", "pattern": "x", "optional": true}, {"what": "b", "pattern": "x"}]),
            "/pay_types/zfb.qrcode/args/1/optional",
            "optional too",
        ),
        ("/replies", Value::Null, "/replies", "taken"),
        (
            "/replies/taken/status",
            json!(100),
            "/replies/taken/status",
            "200 to 599",
        ),
        (
            "/replies/taken/type",
            json!("text\r\nX: y/z"),
            "/replies/taken/type",
            "content type",
        ),
        // Settings.
        (
            "/settings/additionalProperties",
            json!(true),
            "/settings/additionalProperties",
            "false",
        ),
        ("/settings/type", json!("array"), "/settings/type", "object"),
        (
            "/settings/required",
            json!(["x"]),
            "/settings/required",
            "\"x\"",
        ),
        (
            "/settings/properties/app_id/type",
            json!("strung"),
            "/settings/",
            "not a JSON Schema",
        ),
        (
            "/settings/properties/App",
            json!({}),
            "/settings/properties/App",
            "lower-case",
        ),
        (
            &format!("{private}/writeOnly"),
            json!(false),
            &format!("{private}/writeOnly"),
            "secret",
        ),
        (
            &format!("{private}/type"),
            json!("object"),
            &format!("{private}/type"),
            "string",
        ),
        (
            &format!("{private}/x-key/usages"),
            json!(["verify"]),
            &format!("{private}/x-key/usages"),
            "cannot be used for \"verify\"",
        ),
        (
            &format!("{private}/x-key/usages"),
            json!([]),
            &format!("{private}/x-key/usages"),
            "must name",
        ),
        (
            &format!("{private}/x-key/kind"),
            json!("aes"),
            &format!("{private}/x-key"),
            "rsa-private",
        ),
        // Reach.
        ("/reach/0/method", json!("post"), "/reach/0/method", "POST"),
        ("/reach/0/live", json!([]), "/reach/0/live", "at least one"),
        (
            "/reach/0/live",
            json!(["*.alipay.com"]),
            "/reach/0/live/0",
            "wildcard",
        ),
        (
            "/reach/0/live",
            json!(["alipay.com:443"]),
            "/reach/0/live/0",
            "port",
        ),
        (
            "/reach/0/live",
            json!(["10.0.0.1"]),
            "/reach/0/live/0",
            "address",
        ),
        (
            "/reach/0/live",
            json!(["localhost"]),
            "/reach/0/live/0",
            "full host",
        ),
        (
            "/reach/0/live",
            json!(["Alipay.com"]),
            "/reach/0/live/0",
            "lower case",
        ),
        (
            "/reach/0/live",
            json!(["a.com", "b..com"]),
            "/reach/0/live/1",
            "full host",
        ),
        (
            "/reach/0/test",
            json!(["openapi.alipay.com"]),
            "/reach/0/test",
            "live",
        ),
        (
            "/reach/0/path",
            json!("gateway.do"),
            "/reach/0/path",
            "plain path",
        ),
        (
            "/reach/0/path",
            json!("/a/../b"),
            "/reach/0/path",
            "plain path",
        ),
        (
            "/reach/0/path",
            json!("/a%2fb"),
            "/reach/0/path",
            "plain path",
        ),
        (
            "/reach/0/test_gateway",
            json!("nowhere"),
            "/reach/0/test_gateway",
            "no setting",
        ),
        (
            "/reach/0/test_gateway",
            json!("app_private_key"),
            "/reach/0/test_gateway",
            "secret",
        ),
        (
            "/reach/0/operation/one_of",
            json!([]),
            "/reach/0/operation/one_of",
            "operations",
        ),
        (
            "/reach/0/operation/field",
            json!("a b"),
            "/reach/0/operation/field",
            "letters",
        ),
        // Schemes.
        (
            "/schemes/gateway/kind",
            json!("xor"),
            "/schemes/gateway",
            "unknown variant `xor`",
        ),
        (
            "/schemes/gateway/algorithm",
            json!("md5"),
            "/schemes/gateway",
            "unknown variant `md5`",
        ),
        (
            "/schemes/gateway/colour",
            json!(1),
            "/schemes/gateway",
            "unknown field `colour`",
        ),
        (
            "/schemes/gateway/key",
            json!("nowhere"),
            "/schemes/gateway/key",
            "no setting \"nowhere\"",
        ),
        (
            "/schemes/gateway/key",
            json!("app_id"),
            "/schemes/gateway/key",
            "is no key",
        ),
        (
            "/schemes/gateway/key",
            json!("alipay_public_key"),
            "/schemes/gateway/key",
            "may not be used for \"request\"",
        ),
        (
            "/schemes/notify/key",
            json!("app_private_key"),
            "/schemes/notify/key",
            "may not be used for \"verify\"",
        ),
        (
            "/schemes/gateway/omit",
            json!([]),
            "/schemes/gateway/omit",
            "\"sign\"",
        ),
        (
            "/schemes/gateway/set/app_id",
            json!({"setting": "nowhere"}),
            "/schemes/gateway/set/app_id",
            "no setting",
        ),
        (
            "/schemes/gateway/set/app_id",
            json!({"setting": "app_private_key"}),
            "/schemes/gateway/set/app_id",
            "secret",
        ),
        (
            "/schemes/gateway/set/app_id",
            json!({"setting": "seller_id"}),
            "/schemes/gateway/set/app_id",
            "required",
        ),
        (
            "/schemes/gateway/set/app_id",
            json!(1),
            "/schemes/gateway",
            "a text, or",
        ),
        (
            "/schemes/gateway/timestamp/format",
            json!("unix"),
            "/schemes/gateway/timestamp/format",
            "yyyy",
        ),
        (
            "/schemes/gateway/timestamp/field",
            json!("app_id"),
            "/schemes/gateway/timestamp/field",
            "also in",
        ),
        (
            "/schemes/notify/set",
            json!({"a": "b"}),
            "/schemes/notify/set",
            "only requests",
        ),
        (
            "/schemes/notify/use",
            json!("answer"),
            "/schemes/notify/use",
            "only be used",
        ),
        (
            "/schemes/answer/use",
            json!("notification"),
            "/schemes/answer/use",
            "only be used",
        ),
        (
            "/schemes/answer/content_suffix",
            json!(""),
            "/schemes/answer/content_suffix",
            "empty",
        ),
        (
            "/schemes/a b",
            serde_json::from_str::<Value>(ZFB).unwrap()["schemes"]["answer"].clone(),
            "/schemes/a b",
            "named by",
        ),
        // Claims.
        (
            "/claims/query/scheme",
            json!("nowhere"),
            "/claims/query/scheme",
            "no scheme \"nowhere\"",
        ),
        (
            "/claims/query/scheme",
            json!("gateway"),
            "/claims/query/scheme",
            "for requests",
        ),
        (
            "/claims/query/operations",
            json!([]),
            "/claims/query/operations",
            "must name",
        ),
        (
            "/claims/query/operations",
            json!(["alipay.trade.refund"]),
            "/claims/query/operations",
            "not an operation",
        ),
        (
            "/claims/notification/operations",
            json!(["alipay.trade.query"]),
            "/claims/notification/operations",
            "only answers",
        ),
        (
            "/claims/notification/account",
            json!("request"),
            "/claims/notification/account",
            "only for answers",
        ),
        (
            "/claims/notification/account",
            json!("anything"),
            "/claims/notification/account",
            "request",
        ),
        (
            "/claims/notification/account",
            json!([]),
            "/claims/notification/account",
            "at least one",
        ),
        (
            "/claims/notification/account/0/when_set",
            json!(true),
            "/claims/notification/account",
            "at least one",
        ),
        (
            "/claims/notification/account/0/setting",
            json!("seller_id"),
            "/claims/notification/account/0/setting",
            "required",
        ),
        (
            "/claims/notification/account/0/setting",
            json!("nowhere"),
            "/claims/notification/account/0/setting",
            "no setting",
        ),
        (
            "/claims/query/trade",
            Value::Null,
            "/claims/query",
            "missing field `trade`",
        ),
        (
            "/claims/query/trade",
            json!("out_trade_no"),
            "/claims/query/trade",
            "JSON Pointer",
        ),
        (
            "/claims/query/trade",
            json!("/a~2"),
            "/claims/query/trade",
            "JSON Pointer",
        ),
        (
            "/claims/query/amount/unit",
            json!("float"),
            "/claims/query/amount/unit",
            "`decimal`",
        ),
        (
            "/claims/query/currency",
            json!({"fixed": "RMB"}),
            "/claims/query/currency/fixed",
            "CNY",
        ),
        (
            "/claims/query/state/paid",
            json!([]),
            "/claims/query/state/paid",
            "paid",
        ),
        (
            "/claims/query/state/closed",
            json!(["TRADE_SUCCESS"]),
            "/claims/query/state",
            "one thing",
        ),
        (
            "/claims/notification/amount/at",
            json!("/amount/total"),
            "/claims/notification/amount/at",
            "flat",
        ),
        (
            "/claims/notification/trade",
            json!("/sign_type"),
            "/claims/notification/trade",
            "not signed",
        ),
        ("/claims/notification", Value::Null, "/claims", "notifies"),
        ("/claims/query", Value::Null, "/claims", "asking"),
        // Templates.
        (
            "/templates/x",
            json!({"kind": "lines", "fields": ["a"], "key": "app_private_key", "algorithm": "rsa-sha256"}),
            "/templates/x/key",
            "\"client\"",
        ),
        (
            "/templates/x",
            json!({"kind": "lines", "fields": ["a", "a"], "key": "app_private_key", "algorithm": "rsa-sha256"}),
            "/templates/x/fields",
            "each once",
        ),
        (
            "/templates/x",
            json!({"kind": "lines", "fields": ["a"], "set": {"b": "c"}, "key": "app_private_key", "algorithm": "rsa-sha256"}),
            "/templates/x/set/b",
            "not among",
        ),
        (
            "/templates/x",
            json!({"kind": "sorted-form", "fields": ["a"], "key": "app_private_key", "algorithm": "rsa-sha256"}),
            "/templates/x/set",
            "no other request",
        ),
    ] {
        let found = problems(&[(path, value.clone())]);
        assert!(
            found
                .iter()
                .any(|(where_, what)| where_.starts_with(at) && what.contains(says)),
            "{path} = {value}: expected {at}: {says}, got {found:?}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = problems(&[
        ("/version", json!("")),
        ("/reach/0/method", json!("x")),
        ("/claims/query/scheme", json!("x")),
    ]);
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/version",
            "/reach/0/method",
            "/claims/query/scheme",
            "/claims"
        ]
    );
}

#[test]
fn what_is_no_manifest_is_refused() {
    let twice = ZFB.replacen("\"paid\":", "\"paid\": [\"X\"], \"paid\":", 1);
    let not_utf8 = [ZFB.as_bytes(), &[0xff]].concat();
    for bad in [
        b"".as_slice(),
        b"[]",
        b"null",
        b"{",
        twice.as_bytes(),
        &not_utf8,
    ] {
        assert!(
            Manifest::parse(bad).is_err(),
            "{}",
            String::from_utf8_lossy(bad)
        );
    }
    let error = Manifest::parse(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("\"paid\" stands twice"), "{error}");
    let long = " ".repeat(super::super::MAX_MANIFEST_BYTES + 1);
    assert_eq!(
        Manifest::parse(long.as_bytes()).unwrap_err(),
        ManifestError::TooLarge
    );
    // Names of platforms and pay types.
    for name in [
        "free.x",
        "zfb",
        "zfb.",
        "zfb.QR",
        "zfb.qr-code",
        "zfb.a.b",
        ".qrcode",
    ] {
        let pay_type =
            serde_json::from_str::<Value>(ZFB).unwrap()["pay_types"]["zfb.qrcode"].clone();
        let found = problems(&[("/pay_types", json!({name: pay_type}))]);
        assert!(
            found.iter().any(|(path, _)| path.contains(name)),
            "{name}: {found:?}"
        );
    }
}
