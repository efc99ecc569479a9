//! Answers that are late, missing or wrong, the control surface, and the end.

use serde_json::{Value, json};
use walnut_sandbox::paypal::{
    Amount, AnswerFault, CaptureStatus, Currency, Fault, Misbehaviour, NotificationFault,
};

use crate::merchant::{CAPTURE_STATUS, Merchant, ORDERS, order};

#[tokio::test]
async fn an_unanswered_request_took_effect_or_not_and_nobody_can_tell() {
    let shop = Merchant::open().await;
    let dropped = [
        (AnswerFault::HangUp { processed: false }, false),
        (AnswerFault::HangUp { processed: true }, true),
        (
            AnswerFault::HttpStatus {
                status: 502,
                processed: false,
            },
            false,
        ),
        (
            AnswerFault::HttpStatus {
                status: 504,
                processed: true,
            },
            true,
        ),
        (AnswerFault::ServerError { processed: false }, false),
        (AnswerFault::ServerError { processed: true }, true),
    ];
    for (at, (fault, made)) in dropped.into_iter().enumerate() {
        let name = format!("a{at}");
        let once = |fault| Misbehaviour::once(fault).for_order(name.as_str());
        shop.paypal.misbehave(once(fault.clone()));
        let send = || {
            let request = shop.request("POST", ORDERS).json(&order(&name));
            request.header("PayPal-Request-Id", &name).send()
        };
        let answer = send().await;
        assert!(answer.is_err() || answer.unwrap().status().is_server_error());
        assert_eq!(shop.paypal.order(&name).is_some(), made, "{name}");
        // The identical request again is answered, and the order is there once.
        let answer = send().await.unwrap();
        assert_eq!(answer.status(), if made { 200 } else { 201 });

        let id = shop.paypal.order(&name).unwrap().id;
        shop.paypal.approve(&id).await.unwrap();
        shop.paypal
            .misbehave(once(fault).for_operation("orders.capture"));
        let path = format!("{ORDERS}/{id}/capture");
        let capture = shop.request("POST", &path).json(&json!({})).send().await;
        assert!(capture.is_err() || capture.unwrap().status().is_server_error());
        let view = shop.paypal.order(&name).unwrap();
        assert_eq!(view.capture.is_some(), made, "{name}");
    }
    assert_eq!(shop.paypal.orders().len(), 6);
    let requests = shop.paypal.requests();
    let spoilt = requests
        .iter()
        .filter(|request| request.misbehaved.is_some());
    assert_eq!(spoilt.count(), 12);
}

#[tokio::test]
async fn a_silent_platform_is_silent_until_the_caller_leaves() {
    let shop = Merchant::open().await;
    shop.paypal
        .misbehave(Misbehaviour::once(AnswerFault::Silent { processed: true }));
    let order = order("a1");
    let answer = tokio::select! {
        answer = shop.post(ORDERS, &order) => Some(answer),
        () = shop.paypal.until(|paypal| paypal.order("a1").map(drop)) => None,
    };
    assert!(answer.is_none());
    shop.paypal.stop().await;
}

#[tokio::test]
async fn an_endless_answer_goes_on_as_long_as_somebody_reads() {
    let shop = Merchant::open().await;
    let id = shop.order("a1").await;
    shop.paypal
        .misbehave(Misbehaviour::once(AnswerFault::Endless).for_operation("orders.get"));
    let path = format!("{ORDERS}/{id}");
    let mut answer = shop.request("GET", &path).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.content_length()),
        (200, None)
    );
    let mut bytes = 0;
    while bytes < 4_000_000 {
        bytes += answer.chunk().await.unwrap().unwrap().len();
    }
    // Its end is the platform's.
    shop.paypal.stop().await;
    while let Ok(Some(_)) = answer.chunk().await {}
}

#[tokio::test]
async fn a_redirect_leads_to_where_nobody_should_follow() {
    let shop = Merchant::open().await;
    let id = shop.order("a1").await;
    let fault = Misbehaviour::once(AnswerFault::Redirect).for_operation("orders.get");
    shop.paypal.misbehave(fault);
    let path = format!("{ORDERS}/{id}");
    let answer = shop.request("GET", &path).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let to = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(to, format!("{}{path}", shop.paypal.elsewhere_url()));
    let followed = shop.client.get(&to).bearer_auth(&shop.token).send().await;
    assert_eq!(followed.unwrap().status(), 200);
    assert!(to.contains(&shop.last_request().host));
    assert!(!shop.paypal.url().contains(&shop.last_request().host));
}

#[tokio::test]
async fn wrong_answers_are_wrong_in_one_thing() {
    let shop = Merchant::open().await;
    shop.captured("a1").await;
    let id = shop.paypal.order("a1").unwrap().id;
    let amount = "/purchase_units/0/amount/value";
    let captured = "/purchase_units/0/payments/captures/0/amount/currency_code";
    let payee = "/purchase_units/0/payee/merchant_id";
    let euros = Amount::new(1, Currency::EUR);
    let refused = AnswerFault::Refused {
        issue: "PAYER_CANNOT_PAY".to_owned(),
    };
    // The fault, the status, and what stands at a pointer into the body.
    let table = [
        (AnswerFault::Late { ms: 1 }, 200, ("/status", "COMPLETED")),
        (AnswerFault::other_amount(euros), 200, (amount, "0.01")),
        (AnswerFault::other_amount(euros), 200, (captured, "EUR")),
        (
            AnswerFault::other_account("NOBODYNOBODY2"),
            200,
            (payee, "NOBODYNOBODY2"),
        ),
        (
            AnswerFault::other_trade("b1"),
            200,
            ("/purchase_units/0/custom_id", "b1"),
        ),
        (AnswerFault::other_order("1B"), 200, ("/id", "1B")),
        (
            AnswerFault::other_status("VOIDED"),
            200,
            ("/status", "VOIDED"),
        ),
        (
            AnswerFault::other_capture_status(CaptureStatus::Pending),
            200,
            (CAPTURE_STATUS, "PENDING"),
        ),
        (AnswerFault::InvalidToken, 401, ("/error", "invalid_token")),
        (
            AnswerFault::InProgress,
            409,
            ("/details/0/issue", "PREVIOUS_REQUEST_IN_PROGRESS"),
        ),
        (refused, 422, ("/details/0/issue", "PAYER_CANNOT_PAY")),
        (
            AnswerFault::RateLimited,
            429,
            ("/name", "RATE_LIMIT_REACHED"),
        ),
        (
            AnswerFault::ServerError { processed: true },
            500,
            ("/name", "INTERNAL_SERVER_ERROR"),
        ),
        (
            AnswerFault::Unavailable,
            503,
            ("/name", "SERVICE_UNAVAILABLE"),
        ),
    ];
    for (fault, status, (pointer, value)) in table {
        let once = Misbehaviour::once(fault.clone()).for_order("a1");
        shop.paypal.misbehave(once.for_operation("orders.get"));
        let answer = shop.show(&id).await;
        assert_eq!(
            (answer.status, answer.at(pointer)),
            (status, value),
            "{fault:?}"
        );
    }
    let page = AnswerFault::HttpStatus {
        status: 200,
        processed: true,
    };
    for fault in [AnswerFault::Truncated, page] {
        shop.paypal.misbehave(Misbehaviour::once(fault.clone()));
        let answer = shop.request("GET", &format!("{ORDERS}/{id}")).send().await;
        let bytes = answer.unwrap().bytes().await.unwrap();
        assert!(
            serde_json::from_slice::<Value>(&bytes).is_err(),
            "{fault:?}"
        );
    }
    shop.paypal
        .misbehave(Misbehaviour::times(2, AnswerFault::RateLimited));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(shop.show(&id).await.status);
    }
    assert_eq!(statuses, [429, 429, 200]);
    shop.paypal
        .misbehave(Misbehaviour::always(AnswerFault::Unavailable));
    assert_eq!(shop.show(&id).await.status, 503);
    shop.paypal.behave();
    assert_eq!(shop.show(&id).await.status, 200);
}

#[tokio::test]
async fn a_browser_and_curl_can_act_as_the_buyer() {
    let shop = Merchant::open().await;
    let (client, url) = (&shop.client, shop.paypal.url());
    let id = shop.order("a1").await;
    let link = shop.paypal.order("a1").unwrap().approve_url;
    let page = client
        .get(&link)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("10.00 USD") && page.contains("/buyer/approve") && page.contains("a1"));
    let nothing = client.get(format!("{url}/checkoutnow?token=1"));
    assert_eq!(nothing.send().await.unwrap().status(), 404);
    let form = |path: &str, body: String| {
        let request = client.post(format!("{url}{path}")).body(body);
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .send()
    };
    let back = form("/buyer/cancel", format!("token={id}")).await.unwrap();
    assert_eq!(back.status(), 303);
    assert!(back.headers()["location"].to_str().unwrap().ends_with(&id));
    let body = format!("token={id}&funding=echeck");
    let paid = form("/buyer/approve", body).await.unwrap();
    let to = paid.headers()["location"].to_str().unwrap().to_owned();
    assert!(to.starts_with("https://shop.example/back?x=1&token=") && to.contains("PayerID="));
    assert_eq!(shop.capture(&id).await.at(CAPTURE_STATUS), "PENDING");

    let second = shop.order("a2").await;
    let send = async |method: reqwest::Method, path: &str, body: Value| {
        let request = client.request(method, format!("{url}{path}")).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let post = reqwest::Method::POST;
    let buy = json!({"token": second});
    let (status, approved) = send(post.clone(), "/buyer/approve", buy.clone()).await;
    assert!(status == 200 && approved.contains("APPROVED"));
    shop.capture(&second).await;
    assert_eq!(send(post.clone(), "/buyer/approve", buy).await.0, 409);
    let unknown = json!({"token": "https://example.com/"});
    assert_eq!(send(post.clone(), "/buyer/approve", unknown).await.0, 404);
    let wrong = json!({"order": second});
    assert_eq!(send(post.clone(), "/buyer/approve", wrong).await.0, 400);

    let fault = json!({"what": {"answer": {"hang_up": {"processed": true}}}, "order": "a3"});
    assert_eq!(send(post.clone(), "/misbehave", fault).await.0, 204);
    let unheard = json!({"what": {"answer": "explode"}});
    assert!(send(post, "/misbehave", unheard).await.0 >= 400);
    let forget = client.delete(format!("{url}/misbehave"));
    forget.send().await.unwrap();
    shop.order("a3").await;
    let put = reqwest::Method::PUT;
    let webhook = json!({"client_id": shop.account.client_id(), "url": "http://127.0.0.1:1/"});
    assert_eq!(send(put.clone(), "/webhook", webhook).await.0, 204);
    let webhook = json!({"client_id": "nobody", "url": "http://127.0.0.1:1/"});
    assert_eq!(send(put, "/webhook", webhook).await.0, 404);

    let orders = client.get(format!("{url}/orders")).send().await.unwrap();
    let orders: Vec<Value> = orders.json().await.unwrap();
    assert_eq!(orders.len(), 3);
    let of = |name: &str| orders.iter().find(|order| order["custom_id"] == name);
    assert_eq!(of("a1").unwrap()["capture"]["status"], "PENDING");
    assert_eq!(of("a3").unwrap()["amount"]["value"], "10.00");
}

#[tokio::test]
async fn misbehaviours_have_a_stable_json_form() {
    let read = |text: &str| serde_json::from_str::<Misbehaviour>(text).unwrap();
    let lost = read(r#"{"what":{"notification":"lost"},"times":null}"#);
    let fault = Fault::Notification(NotificationFault::Lost);
    assert_eq!((lost.times, &lost.what), (None, &fault));
    assert_eq!(
        read(r#"{"what":{"answer":{"late":{"ms":5}}}}"#),
        Misbehaviour::once(AnswerFault::Late { ms: 5 })
    );
    assert_eq!(
        read(r#"{"what":{"answer":{"other":{"/status":"VOIDED"}}},"operation":"orders.get"}"#),
        Misbehaviour::once(AnswerFault::other_status("VOIDED")).for_operation("orders.get")
    );
    let forged = r#"{"what":{"notification":{"instead":
        {"signature":"stranger","certificate":"elsewhere","event":"PAYMENT.CAPTURE.COMPLETED"}}},
        "order":"a1"}"#;
    assert_eq!(read(forged).order.as_deref(), Some("a1"));
}

#[tokio::test]
async fn after_stopping_nobody_is_there() {
    let shop = Merchant::open().await;
    let url = shop.paypal.url();
    shop.paypal.stop().await;
    assert!(shop.client.get(url).send().await.unwrap_err().is_connect());
}
