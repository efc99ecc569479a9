//! A merchant with an account, a client and an address for notifications.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::{Value, json};
use walnut_sandbox::paypal::{
    Account, NotificationView, PayPal, PayPalOptions, RequestView, signing,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, aws_lc_rs};

/// Statuses still to be replied with, and the one after them.
type Replies = Arc<Mutex<(VecDeque<u16>, u16)>>;

pub(crate) struct Merchant {
    pub(crate) paypal: PayPal,
    pub(crate) account: Account,
    pub(crate) client: reqwest::Client,
    pub(crate) webhook_url: String,
    pub(crate) token: String,
    replies: Replies,
}

/// An answer of the platform.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answered {
    /// What stands at a JSON pointer, if it is a text.
    pub(crate) fn at(&self, pointer: &str) -> &str {
        let found = self.body.pointer(pointer);
        found.and_then(Value::as_str).unwrap_or_default()
    }

    /// The status, and `details[0].issue` where there is one.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.at("/details/0/issue"))
    }

    /// The address of a link.
    pub(crate) fn link(&self, rel: &str) -> &str {
        let links = self.body["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["rel"] == rel);
        link.and_then(|link| link["href"].as_str())
            .unwrap_or_default()
    }
}

/// Why a notification is not PayPal's, as a careful receiver finds out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    Header,
    CertificateUrl,
    NoCertificate,
    Chain,
    Signature,
}

impl Merchant {
    /// A platform whose hours are fractions of a millisecond, and one merchant.
    pub(crate) async fn open() -> Merchant {
        let options = PayPalOptions {
            time_scale: 10_000_000,
            ..Default::default()
        };
        let paypal = PayPal::start(options).await.unwrap();
        let account = paypal.open_account();
        let replies: Replies = Arc::new(Mutex::new((VecDeque::new(), 200)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook_url = format!("http://{}/re", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/re", post(reply))
            .with_state(Arc::clone(&replies));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        paypal.listen(&account, webhook_url.as_str());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let shop = Merchant {
            paypal,
            account,
            client,
            webhook_url,
            token: String::new(),
            replies,
        };
        shop.with_token().await
    }

    /// The same shop with another account on the same platform, which has no webhook.
    pub(crate) async fn with_account(self, account: Account) -> Merchant {
        let shop = Merchant { account, ..self };
        shop.with_token().await
    }

    /// The same shop with the token that it is given now.
    pub(crate) async fn with_token(self) -> Merchant {
        let shown = (self.account.client_id(), self.account.secret());
        let answer = self.grant(shown, "grant_type=client_credentials").await;
        let token = answer.at("/access_token").to_owned();
        Merchant { token, ..self }
    }

    /// Asks for a token.
    pub(crate) async fn grant(&self, shown: (&str, &str), form: &str) -> Answered {
        let request = self
            .client
            .post(format!("{}/v1/oauth2/token", self.paypal.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .basic_auth(shown.0, Some(shown.1))
            .body(form.to_owned());
        read(request).await
    }

    /// A request that carries the token and nothing else.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{path}", self.paypal.url());
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        read(self.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        read(self.request("POST", path).json(body)).await
    }

    /// The same with a `PayPal-Request-Id`.
    pub(crate) async fn post_as(&self, id: &str, path: &str, body: &Value) -> Answered {
        let request = self.request("POST", path).json(body);
        read(request.header("PayPal-Request-Id", id)).await
    }

    /// Orders something for 10.00 dollars; gives the order's number.
    pub(crate) async fn order(&self, custom_id: &str) -> String {
        let answer = self.post(ORDERS, &order(custom_id)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.at("/id").to_owned()
    }

    /// The same, approved.
    pub(crate) async fn approved(&self, custom_id: &str) -> String {
        let id = self.order(custom_id).await;
        self.paypal.approve(&id).await.unwrap();
        id
    }

    pub(crate) async fn capture(&self, id: &str) -> Answered {
        let path = format!("{ORDERS}/{id}/capture");
        self.post(&path, &json!({})).await
    }

    /// Something for 10.00 dollars, approved and captured; gives the capture's number.
    pub(crate) async fn captured(&self, custom_id: &str) -> String {
        let id = self.approved(custom_id).await;
        let answer = self.capture(&id).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.at(CAPTURE_ID).to_owned()
    }

    pub(crate) async fn show(&self, id: &str) -> Answered {
        self.get(&format!("{ORDERS}/{id}")).await
    }

    /// What the next notifications are replied to with, and all after them.
    pub(crate) fn replies(&self, next: &[u16], then: u16) {
        *self.replies.lock().unwrap() = (next.iter().copied().collect(), then);
    }

    /// The last request that the platform saw.
    pub(crate) fn last_request(&self) -> RequestView {
        self.paypal.requests().pop().unwrap()
    }

    /// Waits until an order was told of this event, and gives the send.
    pub(crate) async fn told(&self, id: &str, event: &str) -> NotificationView {
        let fits = |sent: &NotificationView| sent.order_id == id && sent.event_type == event;
        let look = |paypal: &PayPal| paypal.notifications().into_iter().find(fits);
        self.paypal.until(look).await
    }

    /// Checks a notification as a careful receiver does: the certificate from PayPal's own
    /// address, its chain, and the signature over the bytes that came.
    pub(crate) async fn trust(&self, sent: &NotificationView) -> Result<(), Distrust> {
        let header = |name: &str| sent.headers.get(name).ok_or(Distrust::Header);
        let url = header("paypal-cert-url")?;
        let own = format!("{}/v1/notifications/certs/", self.paypal.url());
        if header("paypal-auth-algo")? != signing::ALGORITHM {
            return Err(Distrust::Header);
        }
        if !url.starts_with(&own) {
            return Err(Distrust::CertificateUrl);
        }
        let answer = self.client.get(url).send().await.unwrap();
        if answer.status() != 200 {
            return Err(Distrust::NoCertificate);
        }
        let pem = answer.text().await.unwrap();
        let text = signing::signed_text(
            header("paypal-transmission-id")?,
            header("paypal-transmission-time")?,
            self.account.webhook_id(),
            sent.body.as_bytes(),
        );
        let signature = header("paypal-transmission-sig")?;
        holds(&pem, self.account.certificate_authority(), &text, signature)
    }
}

/// Whether a certificate is an authority's and its key signed a text.
pub(crate) fn holds(
    pem: &str,
    authority: &str,
    text: &str,
    signature: &str,
) -> Result<(), Distrust> {
    let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    let root = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    let leaf = EndEntityCert::try_from(&chain[0]).unwrap();
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    leaf.verify_for_usage(
        &[aws_lc_rs::RSA_PKCS1_2048_8192_SHA256],
        &anchors,
        &chain[1..],
        UnixTime::now(),
        KeyUsage::server_auth(),
        None,
        None,
    )
    .map_err(|_| Distrust::Chain)?;
    let signature = STANDARD.decode(signature).unwrap_or_default();
    let algorithm = aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
    leaf.verify_signature(algorithm, text.as_bytes(), &signature)
        .map_err(|_| Distrust::Signature)
}

pub(crate) const ORDERS: &str = "/v2/checkout/orders";

/// Where the capture's number stands in an order.
pub(crate) const CAPTURE_ID: &str = "/purchase_units/0/payments/captures/0/id";

/// Where the capture's status stands in an order.
pub(crate) const CAPTURE_STATUS: &str = "/purchase_units/0/payments/captures/0/status";

/// An order of 10.00 dollars.
pub(crate) fn order(custom_id: &str) -> Value {
    json!({
        "intent": "CAPTURE",
        "purchase_units": [{
            "amount": {"currency_code": "USD", "value": "10.00"},
            "custom_id": custom_id,
            "description": "一杯茶",
        }],
        "application_context": {
            "return_url": "https://shop.example/back?x=1",
            "cancel_url": "https://shop.example/cancel",
        },
    })
}

/// The amount of so many dollars.
pub(crate) fn dollars(value: &str) -> Value {
    json!({"currency_code": "USD", "value": value})
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> Answered {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let debug_id = answer.headers()["paypal-debug-id"].clone();
    let body: Value = answer.json().await.unwrap();
    if let Some(told) = body.get("debug_id") {
        assert_eq!(told.as_str().unwrap(), debug_id);
    }
    Answered { status, body }
}

async fn reply(State(replies): State<Replies>) -> StatusCode {
    let mut replies = replies.lock().unwrap();
    let status = replies.0.pop_front().unwrap_or(replies.1);
    StatusCode::from_u16(status).unwrap()
}
