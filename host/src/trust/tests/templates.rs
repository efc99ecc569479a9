//! What is signed for the buyer's client.

use serde_json::json;

use super::*;
use crate::trust::key::PublicKey;
use crate::trust::sign_template;

fn manifest() -> Manifest {
    let text = zfb_with(&[
        (
            "/settings/properties/app_private_key/x-key/usages",
            json!(["request", "client"]),
        ),
        (
            "/templates",
            json!({
                "jsapi": {
                    "kind": "lines", "fields": ["appId", "timeStamp", "nonceStr", "package"],
                    "set": {"appId": {"setting": "app_id"}},
                    "key": "app_private_key", "algorithm": "rsa-sha256"
                },
                "app": {
                    "kind": "sorted-form", "fields": ["method", "biz_content", "app_id", "empty", "return_url"],
                    "set": {"app_id": {"setting": "app_id"}, "method": "alipay.trade.app.pay"},
                    "key": "app_private_key", "algorithm": "rsa-sha256"
                }
            }),
        ),
    ]);
    Manifest::parse(text.as_bytes()).unwrap()
}

fn sign(template: &str, values: &[(&str, &str)]) -> Result<String, Failure> {
    let manifest = manifest();
    let values: Vec<(String, String)> = values
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    sign_template(&manifest, &live(&manifest), template, &values, NOW_MS)
}

#[test]
fn a_template_is_signed_with_what_the_host_sets() {
    let key = PublicKey::parse(&merchant().spki_pem).unwrap();
    let values = [
        ("package", "prepay_id=1"),
        ("timeStamp", "1"),
        ("nonceStr", "n"),
    ];
    let signature = sign("jsapi", &values).unwrap();
    let text = format!("{APP_ID}\n1\nn\nprepay_id=1\n");
    assert_eq!(key.verify(text.as_bytes(), &signature), Ok(()));

    let signature = sign(
        "app",
        &[
            ("biz_content", "{\"a\":\"b & c\"}"),
            ("empty", ""),
            ("return_url", ""),
        ],
    )
    .unwrap();
    let text =
        format!("app_id={APP_ID}&biz_content={{\"a\":\"b & c\"}}&method=alipay.trade.app.pay");
    assert_eq!(key.verify(text.as_bytes(), &signature), Ok(()));
}

#[test]
fn a_template_is_not_bent() {
    let good = [("package", "p"), ("timeStamp", "1"), ("nonceStr", "n")];
    let with = |name: &'static str, value: &'static str| {
        let mut values = good.to_vec();
        values.push((name, value));
        values
    };
    let malformed = |template: &str, values: &[(&str, &str)]| {
        let failure = sign(template, values).unwrap_err();
        assert!(
            matches!(failure, Failure::Malformed(_)),
            "{values:?}: {failure}"
        );
    };
    malformed("jsapi", &good[..2]);
    malformed("jsapi", &[]);
    malformed("jsapi", &with("appId", "other"));
    malformed("jsapi", &with("more", "x"));
    malformed("jsapi", &with("package", "p"));
    for bad in ["a\nb", "a\r", "\u{0}", "a\u{85}b"] {
        malformed(
            "jsapi",
            &[("package", bad), ("timeStamp", "1"), ("nonceStr", "n")],
        );
    }
    // It would be another method's text.
    let bent = |value: &str| {
        malformed(
            "app",
            &[("biz_content", value), ("empty", ""), ("return_url", "")],
        );
    };
    bent("{}&method=alipay.trade.refund");
    bent("{}&%41=1&method=alipay.trade.refund");
    assert!(matches!(
        sign("nonsense", &good),
        Err(Failure::UnknownScheme(_))
    ));
}

#[test]
fn an_address_with_a_query_hides_no_other_field() {
    let key = PublicKey::parse(&merchant().spki_pem).unwrap();
    let to = |address: &str| {
        let values = [
            ("biz_content", "{}"),
            ("empty", ""),
            ("return_url", address),
        ];
        sign("app", &values)
    };
    for good in [
        "https://shop.example/paid?order=7",
        "https://shop.example/paid?order=7&%6Cang=en&%74otal_amount=0.01&done",
    ] {
        let text = format!(
            "app_id={APP_ID}&biz_content={{}}&method=alipay.trade.app.pay&return_url={good}"
        );
        assert_eq!(key.verify(text.as_bytes(), &to(good).unwrap()), Ok(()));
    }
    // Whatever the name is, known to this manifest or not.
    for name in [
        "total_amount",
        "biz_content",
        "notify_url",
        "method",
        "METHOD",
        "app_auth_token",
        "zz",
        " method",
        "\u{feff}method",
        "",
    ] {
        for address in [
            format!("https://shop.example/?order=7&{name}=1"),
            format!("https://shop.example/?order=7&%6Cang=en&{name}=1"),
            format!("https://shop.example/?order=7&{name}=1&%6Cang=en"),
        ] {
            let refused = to(&address);
            assert!(
                matches!(&refused, Err(Failure::Malformed(why)) if why.contains("return_url")),
                "{address}: {refused:?}"
            );
        }
    }
}
