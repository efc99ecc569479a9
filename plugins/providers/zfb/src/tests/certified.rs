//! Certificate mode: the platform signs with a certificate that may be new.

use std::cell::Cell;

use super::*;

const SN: &str = "7513daaaa48aa3ba2e4018d84402479c";

fn named(sn: &str) -> String {
    let content = json!({"code": "10000", "out_trade_no": TRADE});
    json!({"alipay_trade_query_response": content, "sign": "c2ln", "alipay_cert_sn": sn})
        .to_string()
}

/// A host that knows the certificate only after it took it from an answer.
fn host(fetches: bool) -> Double {
    let known = Rc::new(Cell::new(false));
    let learns = known.clone();
    Double::new()
        .setting("alipay_root_certificate", "-----BEGIN CERTIFICATE-----")
        .verifying(move |message, _| match known.get() {
            true => Ok(Statement::new(
                json!({"code": "10000", "out_trade_no": TRADE}).to_string(),
            )),
            false => {
                assert!(!message.bytes().is_empty());
                Err(trust::Failure::UnknownKey(SN.to_owned()))
            }
        })
        .renewing(move |message, scheme| {
            assert_eq!((scheme, message.bytes()), ("certificates", &b"new"[..]));
            learns.set(fetches);
            match fetches {
                true => Ok(vec![SN.to_owned()]),
                false => Err(trust::Failure::BadSignature),
            }
        })
}

fn checked(double: Double, body: &str) -> (Result<Outcome, Fault>, Vec<Request>) {
    let double = Rc::new(
        double
            .answering(Ok(Message::new(200, Vec::new(), body)))
            .answering(Ok(Message::new(200, Vec::new(), "new"))),
    );
    let checked = with(double.clone(), || Zfb::check(attempt("茶", 2300)));
    (checked, double.requests())
}

#[test]
fn a_new_certificate_is_fetched_by_its_number() {
    let (outcome, requests) = checked(host(true), &named(SN));
    assert!(matches!(outcome, Ok(Outcome::Trade(evidence)) if evidence.claim == "query"));
    let request = &requests[1];
    assert_eq!(
        request.url,
        "https://openapi.alipay.com/gateway.do?method=alipay.open.app.alipaycert.download"
    );
    assert_eq!(request.auth.as_deref(), Some("gateway"));
    assert_eq!(
        form::field(&request.body, "biz_content").unwrap(),
        format!(r#"{{"alipay_cert_sn":"{SN}"}}"#)
    );
    assert_eq!(requests.len(), 2);
}

#[test]
fn a_notification_may_be_the_first_to_name_it() {
    let double = host(true).answering(Ok(Message::new(200, Vec::new(), "new")));
    let body = format!("notify_type=trade_status_sync&out_trade_no={TRADE}&alipay_cert_sn={SN}");
    let double = Rc::new(double);
    let message = Message::new(0, Vec::new(), body);
    let outcome = with(double.clone(), || {
        Zfb::complete(attempt("茶", 2300), &message)
    });
    // The statement of this host is an answer's, and no notification of a trade.
    assert!(matches!(outcome, Ok(Outcome::Ignored)), "{outcome:?}");
    assert_eq!(double.requests().len(), 1);
}

#[test]
fn what_the_host_does_not_take_is_not_believed() {
    let (outcome, _) = checked(host(false), &named(SN));
    assert!(matches!(outcome, Err(Fault::Unverified(_))), "{outcome:?}");
}

#[test]
fn nothing_is_fetched_for_what_names_no_certificate() {
    for bad in [
        "",
        "7513",
        "7513DAAAA48AA3BA2E4018D84402479C",
        "../../../../../../../../../../../",
    ] {
        let (outcome, requests) = checked(host(true), &named(bad));
        assert!(matches!(outcome, Err(Fault::Unverified(_))), "{bad}");
        assert_eq!(requests.len(), 1, "{bad}");
    }
    // In key mode there is nothing to check a certificate by.
    let in_key_mode = host(true).setting("alipay_root_certificate", "");
    let (outcome, requests) = checked(in_key_mode, &named(SN));
    assert!(matches!(outcome, Err(Fault::Unverified(_))));
    assert_eq!(requests.len(), 1);
}

#[test]
fn refusals_about_certificates_and_content_say_what_to_look_after() {
    for (code, sub_code, words) in [
        (
            "40002",
            "isv.missing-app-cert-sn",
            "put its certificates into the settings",
        ),
        ("40002", "isv.app-cert-not-exist", "app_certificate"),
        (
            "40002",
            "isv.invalid-alipay-root-cert-sn",
            "alipay_root_certificate",
        ),
        ("40003", "isv.decryption-error-unknown", "content_key"),
    ] {
        let (result, _) = sent(&refused("precreate", code, sub_code));
        assert!(
            matches!(result, Err(Fault::Misconfigured(why)) if why.contains(words)),
            "{sub_code}"
        );
    }
}
