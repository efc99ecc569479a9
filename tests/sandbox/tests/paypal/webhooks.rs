//! Notifications that are late, lost, doubled, forged or about something else, and the ways to
//! find out.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{
    Amount, Currency, EventType, Misbehaviour, Notice, NoticeCertificate, NoticeSignature,
    NotificationFault, NotificationView, signing,
};

use crate::merchant::{Distrust, Merchant, holds};

#[tokio::test]
async fn each_notice_differs_in_what_it_says_it_does() {
    let shop = Merchant::open().await;
    let id = shop.approved("a1").await;
    let first = shop.told(&id, "CHECKOUT.ORDER.APPROVED").await;
    shop.capture(&id).await;
    shop.told(&id, "PAYMENT.CAPTURE.COMPLETED").await;

    let euros = Amount::new(1, Currency::EUR);
    let of = Notice::of;
    let genuine = Notice::genuine;
    let (amount, status) = ("/resource/amount/value", "/resource/status");
    let bad = Err(Distrust::Signature);
    // The notice, whether it is trusted, and what stands at a pointer into the body.
    let table = [
        (genuine(), Ok(()), (amount, "10.00")),
        (of(EventType::OrderApproved), Ok(()), (status, "APPROVED")),
        (of(EventType::CapturePending), Ok(()), (status, "PENDING")),
        (of(EventType::CaptureDenied), Ok(()), (status, "DECLINED")),
        (
            of(EventType::CaptureRefunded),
            Ok(()),
            ("/resource_type", "refund"),
        ),
        (genuine().amount(euros), Ok(()), (amount, "0.01")),
        (
            genuine().amount(euros),
            Ok(()),
            ("/resource/amount/currency_code", "EUR"),
        ),
        (
            of(EventType::OrderApproved).amount(euros),
            Ok(()),
            ("/resource/purchase_units/0/amount/value", "0.01"),
        ),
        (
            genuine().account("NOBODYNOBODY2"),
            Ok(()),
            ("/resource/payee/merchant_id", "NOBODYNOBODY2"),
        ),
        (genuine().trade("b1"), Ok(()), ("/resource/custom_id", "b1")),
        (
            genuine().order("1B"),
            Ok(()),
            ("/resource/supplementary_data/related_ids/order_id", "1B"),
        ),
        (
            of(EventType::OrderApproved).order("1B"),
            Ok(()),
            ("/resource/id", "1B"),
        ),
        (
            genuine().stating("/resource/custom_id", Value::Null),
            Ok(()),
            ("/resource/custom_id", ""),
        ),
        (genuine().tampered(amount, "9.99"), bad, (amount, "9.99")),
        (
            Notice::forged(),
            Err(Distrust::Signature),
            (amount, "10.00"),
        ),
        (
            Notice::forged_elsewhere(),
            Err(Distrust::CertificateUrl),
            (amount, "10.00"),
        ),
        (
            genuine().signed(NoticeSignature::Wrong),
            Err(Distrust::Signature),
            (amount, "10.00"),
        ),
        (
            genuine().signed(NoticeSignature::OtherWebhook),
            Err(Distrust::Signature),
            (amount, "10.00"),
        ),
        (
            genuine().signed(NoticeSignature::Missing),
            Err(Distrust::Header),
            (amount, "10.00"),
        ),
        (
            genuine().certified(NoticeCertificate::Missing),
            Err(Distrust::Header),
            (amount, "10.00"),
        ),
        (
            genuine().certified(NoticeCertificate::Unknown),
            Err(Distrust::NoCertificate),
            (amount, "10.00"),
        ),
        (
            genuine().certified(NoticeCertificate::Expired),
            Err(Distrust::Chain),
            (amount, "10.00"),
        ),
        (
            Notice {
                algorithm: Some("SHA1withRSA".to_owned()),
                ..genuine()
            },
            Err(Distrust::Header),
            (amount, "10.00"),
        ),
        (Notice::truncated(), Err(Distrust::Signature), (amount, "")),
        (Notice::replayed(), Ok(()), (status, "APPROVED")),
    ];
    for (notice, trusted, (pointer, value)) in table {
        let sent = shop.paypal.notify("a1", &notice).await.unwrap();
        assert_eq!(shop.trust(&sent).await, trusted, "{notice:?}");
        let body: Value = serde_json::from_str(&sent.body).unwrap_or_default();
        let found = body.pointer(pointer).and_then(Value::as_str);
        assert_eq!(found.unwrap_or_default(), value, "{notice:?}");
        assert_eq!(sent.genuine, notice.is_genuine(), "{notice:?}");
        let replayed = (&sent.body, &sent.headers) == (&first.body, &first.headers);
        assert_eq!(replayed, notice == Notice::replayed());
        assert_eq!((sent.http_status, sent.taken), (Some(200), true));
    }

    // What is stale says so, rightly signed.
    let sent = shop
        .paypal
        .notify("a1", &Notice::stale(86_400))
        .await
        .unwrap();
    assert_eq!(shop.trust(&sent).await, Ok(()));
    let time = |sent: &NotificationView| sent.headers["paypal-transmission-time"].clone();
    assert!(time(&sent) < time(&first) && !sent.genuine);

    // A forger needs no approval, and may know any address.
    shop.order("a2").await;
    let forged = Notice::forged().to(format!("{}?x=1", shop.webhook_url));
    let sent = shop.paypal.notify("a2", &forged).await.unwrap();
    assert!(sent.url.ends_with("?x=1"));
    assert_eq!(sent.event_type, "PAYMENT.CAPTURE.COMPLETED");
    assert!(shop.paypal.notify("a3", &Notice::genuine()).await.is_err());
}

#[tokio::test]
async fn a_forgers_own_certificate_holds_for_whoever_fetches_it_anywhere() {
    let shop = Merchant::open().await;
    shop.order("a1").await;
    let forged = Notice::forged_elsewhere();
    let sent = shop.paypal.notify("a1", &forged).await.unwrap();
    let url = &sent.headers["paypal-cert-url"];
    assert!(url.starts_with(&shop.paypal.elsewhere_url()));
    let pem = shop
        .client
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let text = signing::signed_text(
        &sent.headers["paypal-transmission-id"],
        &sent.headers["paypal-transmission-time"],
        shop.account.webhook_id(),
        sent.body.as_bytes(),
    );
    let signature = &sent.headers["paypal-transmission-sig"];
    // Its key did sign, and its authority is its own: only the address and the root tell.
    let second = &pem[pem.rfind("-----BEGIN").unwrap()..];
    assert_eq!(holds(&pem, second, &text, signature), Ok(()));
    let root = shop.account.certificate_authority();
    assert_eq!(holds(&pem, root, &text, signature), Err(Distrust::Chain));
    let fetched = shop.last_request();
    assert_eq!(fetched.operation.as_deref(), Some("certs.get"));
    assert!(shop.paypal.elsewhere_url().ends_with(&fetched.host));
    // At PayPal's own address it is not there.
    let own = url.replace(&shop.paypal.elsewhere_url(), &shop.paypal.url());
    assert_eq!(shop.client.get(own).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_spoilt_send_is_made_good_by_the_repeats() {
    let shop = Merchant::open().await;
    let faults = [
        NotificationFault::Lost,
        NotificationFault::Instead(Notice::forged()),
        NotificationFault::Instead(Notice::genuine().tampered("/resource/amount/value", "0.01")),
        NotificationFault::Late { ms: 1 },
    ];
    for fault in faults {
        let fault = Misbehaviour::once(fault).for_order("a1");
        shop.paypal
            .misbehave(fault.for_operation("PAYMENT.CAPTURE.COMPLETED"));
    }
    shop.captured("a1").await;
    let done = |sent: &NotificationView| sent.try_no == 4 && sent.taken;
    shop.paypal
        .until(|paypal| paypal.notifications().into_iter().find(done))
        .await;
    let sends = shop.paypal.notifications();
    let of_capture = |sent: &&NotificationView| sent.event_type == "PAYMENT.CAPTURE.COMPLETED";
    let seen: Vec<_> = sends
        .iter()
        .filter(of_capture)
        .map(|sent| (sent.try_no, sent.genuine))
        .collect();
    assert_eq!(seen, [(2, false), (3, false), (4, true)]);
}

#[tokio::test]
async fn a_notification_comes_twice_or_never_or_after_the_next() {
    let shop = Merchant::open().await;
    let approved = "CHECKOUT.ORDER.APPROVED";
    let approval = |fault, order: &str| {
        Misbehaviour::once(fault)
            .for_order(order)
            .for_operation(approved)
    };
    shop.paypal
        .misbehave(approval(NotificationFault::Twice, "a1"));
    shop.paypal
        .misbehave(approval(NotificationFault::Overtaken, "a2"));
    let never = Misbehaviour::always(NotificationFault::Lost);
    shop.paypal.misbehave(never.for_order("a3"));
    for name in ["a1", "a2", "a3"] {
        shop.captured(name).await;
    }
    let sends = shop
        .paypal
        .until(|paypal| (paypal.notifications().len() == 5).then(|| paypal.notifications()))
        .await;
    let of = |name: &str| {
        let id = shop.paypal.order(name).unwrap().id;
        let own = sends.iter().filter(move |sent| sent.order_id == id);
        own.map(|sent| sent.event_type.as_str()).collect::<Vec<_>>()
    };
    let approvals = of("a1").iter().filter(|event| **event == approved).count();
    assert_eq!(approvals, 2);
    assert_eq!(of("a2"), ["PAYMENT.CAPTURE.COMPLETED", approved]);
    assert!(of("a3").is_empty());
    shop.paypal.stop().await;
}

#[tokio::test]
async fn nobody_at_the_address_is_told_26_times_and_without_one_nobody_is_told() {
    let shop = Merchant::open().await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    shop.paypal
        .listen(&shop.account, format!("http://{address}/re"));
    shop.approved("a1").await;
    shop.paypal
        .until(|paypal| (paypal.notifications().len() == 26).then_some(()))
        .await;
    let failed = |sent: &NotificationView| sent.error.is_some() && sent.http_status.is_none();
    assert!(shop.paypal.notifications().iter().all(failed));

    let deaf = shop.paypal.open_account();
    let shop = shop.with_account(deaf).await;
    shop.approved("a2").await;
    assert!(shop.paypal.notify("a2", &Notice::genuine()).await.is_err());
    let to = Notice::genuine().to(shop.webhook_url.as_str());
    assert!(shop.paypal.notify("a2", &to).await.unwrap().taken);
}

#[tokio::test]
async fn certificates_change_and_the_earlier_ones_stay() {
    let shop = Merchant::open().await;
    shop.order("a1").await;
    let before = shop.paypal.notify("a1", &Notice::genuine()).await.unwrap();
    shop.paypal.rotate_certificate().await.unwrap();
    let after = shop.paypal.notify("a1", &Notice::genuine()).await.unwrap();
    let named = |sent: &NotificationView| sent.headers["paypal-cert-url"].clone();
    assert_ne!(named(&before), named(&after));
    for sent in [before, after] {
        assert_eq!(shop.trust(&sent).await, Ok(()));
    }
}

#[tokio::test]
async fn paypal_itself_checks_a_notification_that_is_passed_on_as_it_came() {
    let shop = Merchant::open().await;
    shop.captured("a1").await;
    let path = "/v1/notifications/verify-webhook-signature";
    let ask = async |sent: &NotificationView, webhook_id: &str| {
        let header = |name: &str| sent.headers.get(name).cloned().unwrap_or_default();
        let asked = json!({
            "auth_algo": header("paypal-auth-algo"),
            "cert_url": header("paypal-cert-url"),
            "transmission_id": header("paypal-transmission-id"),
            "transmission_sig": header("paypal-transmission-sig"),
            "transmission_time": header("paypal-transmission-time"),
            "webhook_id": webhook_id,
            "webhook_event": "EVENT",
        });
        let asked = asked.to_string().replace("\"EVENT\"", &sent.body);
        let request = shop.request("POST", path).body(asked);
        let request = request.header("content-type", "application/json");
        let answer = crate::merchant::read(request).await;
        answer.at("/verification_status").to_owned()
    };
    let own = shop.account.webhook_id();
    // Both ways in which events are written.
    for _ in 0..8 {
        let sent = shop.paypal.notify("a1", &Notice::genuine()).await.unwrap();
        assert_eq!(ask(&sent, own).await, "SUCCESS", "{}", sent.body);
        assert_eq!(ask(&sent, "1JE4291016473214C").await, "FAILURE");
    }
    for notice in [
        Notice::genuine().tampered("/resource/custom_id", "b1"),
        Notice::forged(),
        Notice::forged_elsewhere(),
        Notice::genuine().signed(NoticeSignature::OtherWebhook),
        Notice::genuine().certified(NoticeCertificate::Expired),
        Notice::genuine().certified(NoticeCertificate::Unknown),
    ] {
        let sent = shop.paypal.notify("a1", &notice).await.unwrap();
        assert_eq!(ask(&sent, own).await, "FAILURE", "{notice:?}");
    }
    let answer = shop.post(path, &json!({"webhook_id": own})).await;
    assert_eq!(answer.refusal(), (400, "MISSING_REQUIRED_PARAMETER"));
}
