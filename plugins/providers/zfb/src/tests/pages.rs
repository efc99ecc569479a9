//! Addresses for the buyer's browser.

use super::*;

/// What a page is asked for, and what is shown of it.
fn opened(
    pay_type: &str,
    args: &[&str],
    double: Double,
    change: impl FnOnce(&mut Attempt),
) -> (Result<Sent, Fault>, Rc<Double>) {
    let mut attempt = attempt("一杯茶", 2300);
    attempt.pay_type = pay_type.to_owned();
    change(&mut attempt);
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    let double = Rc::new(double);
    let sent = with(double.clone(), || Zfb::send(attempt, args));
    (sent, double)
}

/// The values of the one template that was signed.
fn values(double: &Double) -> (String, serde_json::Map<String, serde_json::Value>) {
    let signed = double.signed();
    let [(template, values)] = signed.as_slice() else {
        panic!("{signed:?}");
    };
    let values = values.iter().map(|(n, v)| (n.clone(), json!(v)));
    (template.clone(), values.collect())
}

#[test]
fn a_page_is_an_address_that_the_host_signs() {
    let order = r#""total_amount":"23.00","subject":"一杯茶","#;
    let expires = r#""time_expire":"2025-01-01 01:30:00""#;
    for (pay_type, args, template, product, more) in [
        ("zfb.page", &[][..], "page", "FAST_INSTANT_TRADE_PAY", ""),
        (
            "zfb.page",
            &["iframe"],
            "page",
            "FAST_INSTANT_TRADE_PAY",
            r#","qr_pay_mode":"4""#,
        ),
        ("zfb.wap", &[], "wap", "QUICK_WAP_WAY", ""),
    ] {
        let (sent, double) = opened(pay_type, args, Double::new(), |_| {});
        let sent = sent.unwrap();
        let address = "https://openapi.alipay.com/gateway.do?signed".to_owned();
        let shown = match args {
            [] => Presentation::Link(address),
            _ => Presentation::Iframe(address),
        };
        assert_eq!(sent.presentation, Some(shown));
        assert_eq!(sent.valid_until_ms, Some(1_735_660_800_000 + 90 * 60_000));
        assert!(matches!(sent.outcome, Outcome::Pending));
        assert!(double.requests().is_empty(), "nothing is sent to Alipay");
        let (signed, values) = values(&double);
        assert_eq!(signed, template);
        let biz_content = format!(
            r#"{{"out_trade_no":"{TRADE}",{order}"product_code":"{product}",{expires}{more}}}"#
        );
        assert_eq!(
            json!(values),
            json!({
                "timestamp": "2025-01-01 00:00:00",
                "notify_url": format!("https://pay.example.com/pay/re/{TRADE}"),
                "return_url": "",
                "biz_content": biz_content,
            })
        );
    }
}

#[test]
fn a_resend_is_the_same_address() {
    let addresses = [0, 3_600_000].map(|later| {
        let double = Double::new().at(1_735_660_800_000 + later);
        values(&opened("zfb.page", &[], double, |_| {}).1)
    });
    assert_eq!(addresses[0], addresses[1]);
}

#[test]
fn the_buyer_comes_back_to_where_the_payment_or_the_settings_say() {
    let shop = || Double::new().setting("return_url", "https://shop.example/paid?a=1");
    let to = |address: &str| {
        let meta = json!({ "return_url": address }).to_string();
        move |attempt: &mut Attempt| attempt.meta_json = meta
    };
    let (sent, double) = opened("zfb.wap", &[], shop(), |_| {});
    assert!(sent.is_ok());
    let (_, said) = values(&double);
    assert_eq!(said["return_url"], "https://shop.example/paid?a=1");
    let order: serde_json::Value =
        serde_json::from_str(said["biz_content"].as_str().unwrap()).unwrap();
    assert_eq!(order["quit_url"], "https://shop.example/paid?a=1");

    let (_, double) = opened("zfb.page", &[], shop(), to("https://shop.example/order/7"));
    let (_, said) = values(&double);
    assert_eq!(said["return_url"], "https://shop.example/order/7");
    assert!(!said["biz_content"].as_str().unwrap().contains("quit_url"));

    let long = format!("https://shop.example/{}", "a".repeat(236));
    for bad in [
        "javascript:alert(1)",
        "https://",
        "https://a/b c",
        "https://a/\u{8336}",
        "https://a/#paid",
        &long,
    ] {
        for pay_type in ["zfb.page", "zfb.wap"] {
            let (sent, double) = opened(pay_type, &[], shop(), to(bad));
            assert!(matches!(sent, Err(Fault::Invalid(why)) if why.contains("return_url")));
            assert!(double.signed().is_empty(), "{bad}");
        }
    }
}

#[test]
fn no_parameter_of_the_shops_address_reads_as_a_field_of_alipays() {
    for (given, signed) in [
        (
            "https://shop.example/paid?order=7&lang=en&done",
            "https://shop.example/paid?order=7&%6Cang=en&done",
        ),
        (
            "https://shop.example/?a=1&total_amount=0.01&biz_content={}&notify_url=https://evil.example",
            "https://shop.example/?a=1&%74otal_amount=0.01&%62iz_content={}&%6Eotify_url=https://evil.example",
        ),
        (
            "https://a/?b=c=d&+e=1&%66=2",
            "https://a/?b=c=d&%20e=1&%66=2",
        ),
        ("https://a/?b&&c", "https://a/?b&&c"),
    ] {
        for pay_type in ["zfb.page", "zfb.wap"] {
            let (sent, double) = opened(pay_type, &[], Double::new(), |attempt| {
                attempt.meta_json = json!({ "return_url": given }).to_string();
            });
            assert!(sent.is_ok());
            let (_, said) = values(&double);
            assert_eq!(said["return_url"], signed);
            let order = said["biz_content"].as_str().unwrap();
            let order: serde_json::Value = serde_json::from_str(order).unwrap();
            let left = (pay_type == "zfb.wap").then_some(signed);
            assert_eq!(order.get("quit_url").and_then(|url| url.as_str()), left);
        }
    }
    // Two characters more for each parameter after the first.
    let long = format!("https://a/?b={}&c=1", "x".repeat(238));
    let just = &long[..254];
    for (given, fits) in [(just, true), (&*long, false), ("https://a/?b=1&=2", false)] {
        let (sent, _) = opened("zfb.page", &[], Double::new(), |attempt| {
            attempt.meta_json = json!({ "return_url": given }).to_string();
        });
        assert_eq!(sent.is_ok(), fits, "{given}");
    }
}

#[test]
fn what_a_page_cannot_be_asked_for_is_refused() {
    for (pay_type, args) in [
        ("zfb.page", &["frame"][..]),
        ("zfb.page", &["iframe", "200"]),
        ("zfb.wap", &["iframe"]),
    ] {
        let (sent, double) = opened(pay_type, args, Double::new(), |_| {});
        assert!(matches!(sent, Err(Fault::Invalid(_))), "{args:?}");
        assert!(double.signed().is_empty());
    }
    let (sent, _) = opened("zfb.page", &[], Double::new(), |attempt| {
        attempt.total = Money::new(1, Currency::parse("USD").unwrap()).unwrap();
    });
    assert!(matches!(sent, Err(Fault::Invalid(_))));
}
