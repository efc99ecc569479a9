//! From the order to its end.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{BuyerError, CaptureStatus, Funding, OrderStatus};

use crate::merchant::{CAPTURE_ID, CAPTURE_STATUS, Merchant, ORDERS, order, read};

#[tokio::test]
async fn an_order_is_approved_captured_and_told_until_the_merchant_takes_it() {
    let shop = Merchant::open().await;
    let made = shop.post(ORDERS, &order("a1")).await;
    let (id, link) = (made.at("/id").to_owned(), made.link("approve").to_owned());
    assert_eq!((made.status, made.at("/status")), (201, "CREATED"));
    assert_eq!(
        link,
        format!("{}/checkoutnow?token={id}", shop.paypal.url())
    );
    assert_eq!(made.body.get("purchase_units"), None);
    let early = shop.capture(&id).await;
    assert_eq!(early.refusal(), (422, "ORDER_NOT_APPROVED"));

    let decision = shop.paypal.approve(&link).await.unwrap();
    assert_eq!(decision.order.status, OrderStatus::Approved);
    let approved = shop.show(&id).await;
    assert_eq!(approved.at("/status"), "APPROVED");
    assert_eq!(approved.at("/purchase_units/0/amount/value"), "10.00");
    assert_eq!(approved.at("/purchase_units/0/custom_id"), "a1");
    assert_eq!(approved.at("/purchase_units/0/description"), "一杯茶");
    let merchant_id = shop.account.merchant_id();
    assert_eq!(
        approved.at("/purchase_units/0/payee/merchant_id"),
        merchant_id
    );
    assert_eq!(approved.at(CAPTURE_ID), "");
    let told = shop.told(&id, "CHECKOUT.ORDER.APPROVED").await;
    assert_eq!(shop.trust(&told).await, Ok(()));

    shop.replies(&[500, 302, 404], 204);
    let captured = shop.capture(&id).await;
    assert_eq!(
        (captured.status, captured.at("/status")),
        (201, "COMPLETED")
    );
    assert_eq!(captured.at(CAPTURE_STATUS), "COMPLETED");
    assert_eq!(captured.body.get("intent"), None);
    let again = shop.capture(&id).await;
    assert_eq!(again.refusal(), (422, "ORDER_ALREADY_CAPTURED"));
    let shown = shop.show(&id).await;
    assert_eq!(shown.at(CAPTURE_ID), captured.at(CAPTURE_ID));
    let capture_id = captured.at(CAPTURE_ID);
    let capture = shop
        .get(&format!("/v2/payments/captures/{capture_id}"))
        .await;
    assert_eq!((capture.status, capture.at("/status")), (200, "COMPLETED"));
    assert_eq!(capture.at("/amount/value"), "10.00");
    assert_eq!(capture.at("/custom_id"), "a1");
    assert_eq!(capture.at("/supplementary_data/related_ids/order_id"), id);
    assert_eq!(capture.at("/payee/merchant_id"), merchant_id);

    let sends = shop
        .paypal
        .until(|paypal| {
            let sends = paypal.notifications();
            sends
                .last()
                .is_some_and(|last| last.taken && last.try_no == 4)
                .then_some(sends)
        })
        .await;
    let sends = &sends[1..];
    assert_eq!(sends.len(), 4);
    for send in sends {
        assert_eq!(send.event_type, "PAYMENT.CAPTURE.COMPLETED");
        assert_eq!((send.genuine, &send.event_id), (true, &sends[0].event_id));
        assert_eq!(send.body, sends[0].body);
        assert_eq!(shop.trust(send).await, Ok(()));
        let event: Value = serde_json::from_str(&send.body).unwrap();
        assert_eq!(event["resource"], capture.body);
    }
    // Each transmission is another one; what it tells of is the same.
    let id = |at: usize| &sends[at].headers["paypal-transmission-id"];
    assert_ne!(id(0), id(1));

    // Another order's whole schedule passes, and the one that was taken is not told again.
    shop.replies(&[], 500);
    let other = shop.approved("a2").await;
    let of = |order: &str| {
        let sends = shop.paypal.notifications();
        sends.iter().filter(|sent| sent.order_id == order).count()
    };
    shop.paypal
        .until(|_| (of(&other) == 26).then_some(()))
        .await;
    assert_eq!(
        of(capture.at("/supplementary_data/related_ids/order_id")),
        5
    );
}

#[tokio::test]
async fn what_the_payer_pays_with_decides_how_the_capture_ends() {
    let shop = Merchant::open().await;
    let table = [
        (
            Funding::Echeck,
            "PENDING",
            "ECHECK",
            "PAYMENT.CAPTURE.PENDING",
        ),
        (
            Funding::Review,
            "PENDING",
            "PENDING_REVIEW",
            "PAYMENT.CAPTURE.PENDING",
        ),
        (Funding::Refused, "DECLINED", "", "PAYMENT.CAPTURE.DENIED"),
    ];
    for (at, (funding, status, reason, event)) in table.into_iter().enumerate() {
        let id = shop.order(&format!("a{at}")).await;
        shop.paypal.approve_with(&id, funding).await.unwrap();
        let captured = shop.capture(&id).await;
        // The order says COMPLETED each time: the capture's status is what counts.
        assert_eq!(
            (captured.status, captured.at("/status")),
            (201, "COMPLETED")
        );
        assert_eq!(captured.at(CAPTURE_STATUS), status, "{funding:?}");
        let capture = "/purchase_units/0/payments/captures/0";
        assert_eq!(
            captured.at(&format!("{capture}/status_details/reason")),
            reason
        );
        let told = shop.told(&id, event).await;
        assert_eq!(shop.trust(&told).await, Ok(()));
    }
    shop.paypal.complete_capture("a0").unwrap();
    shop.paypal.deny_capture("a1").unwrap();
    assert!(shop.paypal.complete_capture("a1").is_err());
    assert!(shop.paypal.deny_capture("a2").is_err());
    for (name, event, status) in [
        ("a0", "PAYMENT.CAPTURE.COMPLETED", CaptureStatus::Completed),
        ("a1", "PAYMENT.CAPTURE.DENIED", CaptureStatus::Declined),
    ] {
        let view = shop.paypal.order(name).unwrap();
        assert_eq!(view.capture.unwrap().status, status);
        let told = shop.told(&view.id, event).await;
        assert_eq!(shop.trust(&told).await, Ok(()));
    }
}

#[tokio::test]
async fn a_declined_instrument_sends_the_payer_back_to_choose_another() {
    let shop = Merchant::open().await;
    let id = shop.order("a1").await;
    let bad = Funding::DeclinedInstrument;
    shop.paypal.approve_with(&id, bad).await.unwrap();
    for _ in 0..2 {
        let declined = shop.capture(&id).await;
        assert_eq!(declined.refusal(), (422, "INSTRUMENT_DECLINED"));
        assert!(declined.link("redirect").ends_with(&id));
    }
    assert!(shop.paypal.order(&id).unwrap().capture.is_none());
    shop.paypal.approve(&id).await.unwrap();
    assert_eq!(shop.capture(&id).await.at(CAPTURE_STATUS), "COMPLETED");
}

#[tokio::test]
async fn who_goes_back_may_come_again_until_the_order_is_forgotten() {
    let shop = Merchant::open().await;
    let id = shop.order("a1").await;
    let decision = shop.paypal.cancel(&id).await.unwrap();
    let back = format!("https://shop.example/cancel?token={id}");
    assert_eq!(decision.goes_to.as_deref(), Some(back.as_str()));
    assert_eq!(shop.show(&id).await.at("/status"), "CREATED");
    assert!(shop.paypal.notifications().is_empty());
    shop.paypal.approve(&id).await.unwrap();

    shop.paypal.run_out("a1").unwrap();
    assert!(shop.paypal.order("a1").unwrap().gone);
    for answer in [shop.show(&id).await, shop.capture(&id).await] {
        assert_eq!(answer.refusal(), (404, "INVALID_RESOURCE_ID"));
    }
    let approve = async |id: &str| shop.paypal.approve(id).await.map(drop);
    assert_eq!(approve(&id).await, Err(BuyerError::Expired));
    let unknown = format!("{}/checkoutnow?token=1", shop.paypal.url());
    assert_eq!(approve(&unknown).await, Err(BuyerError::UnknownOrder));
    shop.captured("a2").await;
    let paid = shop.paypal.order("a2").unwrap().id;
    shop.paypal.run_out("a2").unwrap();
    assert_eq!(approve(&paid).await, Err(BuyerError::Completed));
    assert_eq!(shop.show(&paid).await.status, 200);
    assert!(shop.paypal.run_out("nothing").is_err());
}

#[tokio::test]
async fn who_prefers_the_representation_is_given_all_of_it() {
    let shop = Merchant::open().await;
    let prefer = async |path: &str, body: Value| {
        let request = shop.request("POST", path).json(&body);
        read(request.header("Prefer", "return=representation")).await
    };
    let made = prefer(ORDERS, order("a1")).await;
    let shown = shop.show(made.at("/id")).await;
    assert_eq!((made.status, &made.body), (201, &shown.body));
    shop.paypal.approve(made.at("/id")).await.unwrap();
    let path = format!("{ORDERS}/{}/capture", made.at("/id"));
    let captured = prefer(&path, json!({})).await;
    let shown = shop.show(made.at("/id")).await;
    assert_eq!((captured.status, &captured.body), (201, &shown.body));

    // Amounts come back as PayPal writes them; yen have no decimals.
    let mut cheap = order("a2");
    let amount = "/purchase_units/0/amount/value";
    *cheap.pointer_mut(amount).unwrap() = json!("7.5");
    assert_eq!(prefer(ORDERS, cheap.clone()).await.at(amount), "7.50");
    let yen = json!({"currency_code": "JPY", "value": "750"});
    cheap["purchase_units"][0]["amount"] = yen;
    assert_eq!(prefer(ORDERS, cheap).await.at(amount), "750");
}
