//! Who gets a statement, and who does not.

use super::*;
use crate::trust::form;

fn malformed(failure: &Failure) -> bool {
    matches!(failure, Failure::Malformed(_))
}

#[test]
fn a_notification_becomes_a_statement_of_what_was_signed() {
    let manifest = zfb();
    let target = live(&manifest);
    let mut body = signed_form(paid_fields(), platform());
    // Empty fields are not signed, and therefore not stated.
    body.extend(b"&body=&passback_params=");
    let statement = verify(&manifest, &target, &notification(body), "notify", NOW_MS).unwrap();
    assert_eq!(form::read(statement.text()).unwrap(), paid_fields());
    assert_eq!(statement.scheme(), "notify");
    assert_eq!(statement.origin(), &Origin::Notification);
    assert_eq!(
        statement.digest(),
        crate::payment::model::Digest::of(statement.text())
    );
}

#[test]
fn the_same_statement_has_the_same_digest_in_whatever_order_it_came() {
    let manifest = zfb();
    let target = live(&manifest);
    let mut reversed = form::read(&signed_form(paid_fields(), platform())).unwrap();
    reversed.reverse();
    let body = form::write(reversed.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    let again = verify(
        &manifest,
        &target,
        &notification(body.into_bytes()),
        "notify",
        NOW_MS,
    );
    let first = notified(&manifest, &target, paid_fields());
    assert_eq!(again.unwrap().digest(), first.unwrap().digest());
}

#[test]
fn a_forged_notification_is_no_statement() {
    let manifest = zfb();
    let target = live(&manifest);
    let genuine = signed_form(paid_fields(), platform());
    let changed = |name: &str, value: &str| {
        let mut fields = form::read(&genuine).unwrap();
        set(&mut fields, name, value);
        form::write(fields.iter().map(|(n, v)| (n.as_str(), v.as_str()))).into_bytes()
    };
    for (why, body) in [
        (
            "signed by the merchant's own key",
            signed_form(paid_fields(), merchant()),
        ),
        ("another amount", changed("total_amount", "0.01")),
        ("another trade", changed("out_trade_no", "x")),
        ("one field more", changed("refund_fee", "23.00")),
        ("one field less", changed("subject", "")),
        ("no base64", changed("sign", "WECHATPAY/SIGNTEST/é")),
        ("a short signature", changed("sign", "AAAA")),
    ] {
        let failure = verify(&manifest, &target, &notification(body), "notify", NOW_MS);
        assert_eq!(failure.unwrap_err(), Failure::BadSignature, "{why}");
    }
}

#[test]
fn a_malformed_notification_is_no_statement() {
    let manifest = zfb();
    let target = live(&manifest);
    let genuine = String::from_utf8(signed_form(paid_fields(), platform())).unwrap();
    let mut gbk = paid_fields();
    set(&mut gbk, "charset", "GBK");
    let mut unsigned = form::read(genuine.as_bytes()).unwrap();
    set(&mut unsigned, "sign", "");
    let unsigned = form::write(unsigned.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    for (why, body) in [
        ("empty", String::new()),
        ("no form", "{\"a\":1}".to_owned()),
        ("the amount twice", format!("{genuine}&total_amount=0.01")),
        (
            "the amount twice, escaped",
            format!("{genuine}&%74otal_amount=23.00"),
        ),
        ("the signature twice", format!("{genuine}&sign=AAAA")),
        ("no signature", unsigned),
        ("an empty name", format!("{genuine}&=x")),
        ("a broken escape", format!("{genuine}&x=%4")),
        ("not UTF-8", format!("{genuine}&x=%D3%EF")),
        (
            "another charset",
            String::from_utf8(signed_form(gbk, platform())).unwrap(),
        ),
        (
            "another signature type",
            genuine.replace("sign_type=RSA2", "sign_type=RSA"),
        ),
    ] {
        let message = notification(body.into_bytes());
        let failure = verify(&manifest, &target, &message, "notify", NOW_MS).unwrap_err();
        assert!(malformed(&failure), "{why}: {failure}");
    }
    let mut message = notification(genuine.into_bytes());
    message.headers = vec![(
        "Content-Type".to_owned(),
        "text/plain; Charset=\"GBK\"".to_owned(),
    )];
    let failure = verify(&manifest, &target, &message, "notify", NOW_MS).unwrap_err();
    assert!(malformed(&failure), "{failure}");
}

#[test]
fn a_remark_of_the_buyer_is_not_cut_into_fields() {
    let manifest = zfb();
    let target = live(&manifest);
    // A genuine notification of one fen, whose subject the buyer chose so that its signed text is
    // also the text of a form that says 23.00.
    let mut genuine = paid_fields();
    set(&mut genuine, "total_amount", "0.01");
    set(
        &mut genuine,
        "subject",
        "x&total_amount=23.00&total_amounz=",
    );
    let genuine = form::read(&signed_form(genuine, platform())).unwrap();
    let mut cut = genuine.clone();
    set(&mut cut, "subject", "x");
    set(&mut cut, "total_amount", "23.00");
    set(&mut cut, "total_amounz", "&total_amount=0.01");
    for fields in [genuine, cut] {
        let body = form::write(fields.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let message = notification(body.into_bytes());
        let failure = verify(&manifest, &target, &message, "notify", NOW_MS).unwrap_err();
        assert!(malformed(&failure), "{failure}");
    }
    // An ampersand alone does no harm.
    let mut harmless = paid_fields();
    set(&mut harmless, "subject", "salt & pepper & a=b");
    assert!(notified(&manifest, &target, harmless).is_err());
    let mut harmless = paid_fields();
    set(&mut harmless, "subject", "a=b, salt & pepper");
    notified(&manifest, &target, harmless).unwrap();
}

#[test]
fn an_answer_becomes_a_statement_byte_for_byte() {
    let manifest = zfb();
    let target = live(&manifest);
    let content = r#"{ "code":"10000", "url":"http:\/\/a", "sign":"x}\"{", "n":1.50 }"#;
    let body = signed_answer("alipay.trade.query", content, platform());
    let message = answer("alipay.trade.query", body);
    let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
    assert_eq!(statement.text(), content.as_bytes());
}

#[test]
fn an_answer_that_is_not_the_one_asked_for_is_no_statement() {
    let manifest = zfb();
    let target = live(&manifest);
    let content = r#"{"code":"10000","out_trade_no":"x"}"#;
    let sign = platform().sign(content);
    let encrypted = r#""eyJjb2RlIjoiMTAwMDAifQ==""#;
    let sign_encrypted = platform().sign(encrypted);
    let twice = r#"{"code":"10000","code":"40004"}"#;
    let sign_twice = platform().sign(twice);
    for (why, body) in [
        ("empty", String::new()),
        ("no JSON", "<html>".to_owned()),
        ("a list", format!("[{content}]")),
        (
            "no signature",
            format!(r#"{{"alipay_trade_query_response":{content}}}"#),
        ),
        (
            "an empty signature",
            format!(r#"{{"alipay_trade_query_response":{content},"sign":""}}"#),
        ),
        (
            "a number as signature",
            format!(r#"{{"alipay_trade_query_response":{content},"sign":1}}"#),
        ),
        (
            "of another operation",
            format!(r#"{{"alipay_trade_close_response":{content},"sign":"{sign}"}}"#),
        ),
        (
            "an error",
            format!(r#"{{"error_response":{content},"sign":"{sign}"}}"#),
        ),
        (
            "two answers",
            format!(
                r#"{{"alipay_trade_query_response":{content},"alipay_trade_close_response":{{}},"sign":"{sign}"}}"#
            ),
        ),
        (
            "an error beside it",
            format!(
                r#"{{"error_response":{{}},"alipay_trade_query_response":{content},"sign":"{sign}"}}"#
            ),
        ),
        (
            "the same twice",
            format!(
                r#"{{"alipay_trade_query_response":{{}},"alipay_trade_query_response":{content},"sign":"{sign}"}}"#
            ),
        ),
        (
            "the same twice, escaped",
            format!(
                r#"{{"alipay\u005ftrade_query_response":{{}},"alipay_trade_query_response":{content},"sign":"{sign}"}}"#
            ),
        ),
        (
            "two signatures",
            format!(
                r#"{{"alipay_trade_query_response":{content},"sign":"{sign}","sign":"{sign}"}}"#
            ),
        ),
        (
            "encrypted",
            format!(r#"{{"alipay_trade_query_response":{encrypted},"sign":"{sign_encrypted}"}}"#),
        ),
        (
            "a member twice",
            format!(r#"{{"alipay_trade_query_response":{twice},"sign":"{sign_twice}"}}"#),
        ),
        (
            "more behind it",
            format!(r#"{{"alipay_trade_query_response":{content},"sign":"{sign}"}} x"#),
        ),
    ] {
        let message = answer("alipay.trade.query", body.into_bytes());
        let failure = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap_err();
        assert!(malformed(&failure), "{why}: {failure}");
    }
    let body = signed_answer("alipay.trade.query", content, merchant());
    let failure = verify(
        &manifest,
        &target,
        &answer("alipay.trade.query", body),
        "answer",
        NOW_MS,
    );
    assert_eq!(failure.unwrap_err(), Failure::BadSignature);
    let mut not_utf8 = signed_answer("alipay.trade.query", content, platform());
    not_utf8.extend([0xff]);
    let message = answer("alipay.trade.query", not_utf8);
    assert!(malformed(
        &verify(&manifest, &target, &message, "answer", NOW_MS).unwrap_err()
    ));
}

#[test]
fn a_scheme_is_for_one_kind_of_message() {
    let manifest = zfb();
    let target = live(&manifest);
    let form = signed_form(paid_fields(), platform());
    let json = signed_answer("alipay.trade.query", "{}", platform());
    for (message, scheme) in [
        (notification(form.clone()), "answer"),
        (notification(form.clone()), "gateway"),
        (notification(form.clone()), "nonsense"),
        (notification(json), "answer"),
        (answer("alipay.trade.query", form), "notify"),
    ] {
        let failure = verify(&manifest, &target, &message, scheme, NOW_MS).unwrap_err();
        assert!(
            matches!(failure, Failure::UnknownScheme(_)),
            "{scheme}: {failure}"
        );
    }
}
