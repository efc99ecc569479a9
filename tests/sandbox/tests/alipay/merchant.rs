//! A merchant with an account, a client and an address for notifications.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use time::macros::{format_description, offset};
use time::{Duration, OffsetDateTime};
use walnut_sandbox::alipay::certificate;
use walnut_sandbox::alipay::encryption::ContentKey;
use walnut_sandbox::alipay::signing::{self, SigningKey, VerifyingKey};
use walnut_sandbox::alipay::{Account, Alipay, AlipayOptions};

/// Replies still to be given, and what to say after them.
type Replies = Arc<Mutex<(VecDeque<(u16, String)>, (u16, String))>>;

pub(crate) struct Merchant {
    pub(crate) alipay: Alipay,
    pub(crate) account: Account,
    pub(crate) notify_url: String,
    pub(crate) client: reqwest::Client,
    key: SigningKey,
    /// What the merchant takes for Alipay's.
    pub(crate) alipay_key: VerifyingKey,
    replies: Replies,
}

/// An answer of the gateway, with what its signature is worth.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) fields: Value,
    pub(crate) verified: bool,
    pub(crate) body: String,
    /// `alipay_cert_sn`; empty in key mode.
    pub(crate) cert_sn: String,
}

impl Answered {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_default()
    }

    /// `code` and `sub_code`.
    pub(crate) fn codes(&self) -> (&str, &str) {
        (self.get("code"), self.get("sub_code"))
    }
}

pub(crate) fn timestamp(from_now: Duration) -> String {
    let at = OffsetDateTime::now_utc().to_offset(offset!(+8)) + from_now;
    at.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second]"
    ))
    .unwrap()
}

impl Merchant {
    /// A platform whose minutes are fractions of a millisecond, and one merchant.
    pub(crate) async fn open() -> Merchant {
        let alipay = started().await;
        let account = alipay.open_account().await.unwrap();
        Merchant::with(alipay, account).await
    }

    /// The same in certificate mode.
    pub(crate) async fn open_certified() -> Merchant {
        let alipay = started().await;
        let account = alipay.open_certified_account().await.unwrap();
        Merchant::with(alipay, account).await
    }

    async fn with(alipay: Alipay, account: Account) -> Merchant {
        let replies: Replies = Arc::new(Mutex::new((VecDeque::new(), (200, "success".to_owned()))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let notify_url = format!("http://{}/re", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/re", post(reply))
            .with_state(Arc::clone(&replies));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let no_redirects = reqwest::redirect::Policy::none();
        Merchant {
            key: SigningKey::from_pkcs8_base64(account.merchant_private_key()).unwrap(),
            alipay_key: VerifyingKey::from_base64(account.alipay_public_key()).unwrap(),
            client: reqwest::Client::builder()
                .no_proxy()
                .redirect(no_redirects)
                .build()
                .unwrap(),
            alipay,
            account,
            notify_url,
            replies,
        }
    }

    /// The same shop with another account on the same platform.
    pub(crate) async fn with_new_account(self) -> Merchant {
        let account = self.alipay.open_account().await.unwrap();
        Merchant {
            key: SigningKey::from_pkcs8_base64(account.merchant_private_key()).unwrap(),
            alipay_key: VerifyingKey::from_base64(account.alipay_public_key()).unwrap(),
            account,
            ..self
        }
    }

    /// What the next notifications are answered with, and all after them.
    pub(crate) fn replies(&self, next: &[(u16, &str)], then: (u16, &str)) {
        let owned = |(status, text): (u16, &str)| (status, text.to_owned());
        *self.replies.lock().unwrap() = (next.iter().copied().map(owned).collect(), owned(then));
    }

    /// The parameters of a right request.
    pub(crate) fn parameters(&self, method: &str, content: &str) -> BTreeMap<String, String> {
        let mut parameters: BTreeMap<String, String> = [
            ("app_id", self.account.app_id()),
            ("method", method),
            ("format", "JSON"),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &timestamp(Duration::ZERO)),
            ("version", "1.0"),
            ("notify_url", &self.notify_url),
            ("biz_content", content),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(files) = self.account.certificates() {
            let app = certificate::cert_sn(files.app()).unwrap();
            let root = certificate::root_cert_sn(files.root()).unwrap();
            parameters.insert("app_cert_sn".to_owned(), app);
            parameters.insert("alipay_root_cert_sn".to_owned(), root);
        }
        parameters
    }

    pub(crate) fn sign(&self, parameters: &mut BTreeMap<String, String>) {
        let pairs = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let sign = self.key.sign(signing::request_text(pairs).as_bytes());
        parameters.insert("sign".to_owned(), sign);
    }

    /// Sends parameters as the official SDK does: `biz_content` in the body, the rest in the query.
    pub(crate) async fn send(
        &self,
        parameters: &BTreeMap<String, String>,
    ) -> reqwest::Result<reqwest::Response> {
        let (body, query): (Vec<_>, Vec<_>) = parameters
            .iter()
            .partition(|(name, _)| *name == "biz_content");
        let url = format!("{}?{}", self.alipay.gateway_url(), encoded(&query));
        let content_type = "application/x-www-form-urlencoded;charset=utf-8";
        self.client
            .post(url)
            .header("content-type", content_type)
            .body(encoded(&body))
            .send()
            .await
    }

    /// One right request and its answer.
    pub(crate) async fn call(&self, method: &str, content: &str) -> Answered {
        let mut parameters = self.parameters(method, content);
        self.sign(&mut parameters);
        let answer = self.send(&parameters).await.unwrap();
        assert_eq!(answer.status(), 200);
        self.read(answer.text().await.unwrap())
    }

    /// One right request with encrypted content, and its decrypted answer.
    pub(crate) async fn call_encrypted(&self, method: &str, content: &str) -> Answered {
        let key = ContentKey::from_base64(self.account.content_key()).unwrap();
        let content = key.encrypt(content).unwrap();
        let mut parameters = self.parameters(method, &content);
        parameters.insert("encrypt_type".to_owned(), "AES".to_owned());
        self.sign(&mut parameters);
        let mut answer = self.read(self.send(&parameters).await.unwrap().text().await.unwrap());
        let secret = answer.fields.as_str().unwrap();
        answer.fields = serde_json::from_str(&key.decrypt(secret).unwrap()).unwrap();
        answer
    }

    /// Reads an answer's body and verifies it over its very bytes.
    pub(crate) fn read(&self, body: String) -> Answered {
        let parsed: Value = serde_json::from_str(&body).unwrap();
        let mut named = parsed
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| key.ends_with("_response"));
        let (key, fields) = named.next().unwrap();
        let part = signing::signed_part(&body, key).unwrap();
        let sign = parsed["sign"].as_str().unwrap_or_default();
        Answered {
            fields: fields.clone(),
            verified: self.alipay_key.verify(part.as_bytes(), sign),
            cert_sn: parsed["alipay_cert_sn"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            body,
        }
    }

    /// Orders something for 0.10 yuan; gives the QR code's text.
    pub(crate) async fn order(&self, out_trade_no: &str) -> String {
        let content = order(out_trade_no);
        let answer = self.call("alipay.trade.precreate", &content).await;
        assert_eq!(
            (answer.codes(), answer.verified),
            (("10000", ""), true),
            "{}",
            answer.body
        );
        answer.get("qr_code").to_owned()
    }

    /// The day on which an order was paid, `yyyy-MM-dd`.
    pub(crate) fn day_of(&self, out_trade_no: &str) -> String {
        let paid = self.alipay.trade(out_trade_no).unwrap().paid_ms.unwrap();
        let seconds = i64::try_from(paid / 1000).unwrap();
        let paid = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let form = format_description!("[year]-[month]-[day]");
        paid.to_offset(offset!(+8)).format(form).unwrap()
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answered {
        self.call("alipay.trade.query", &named(out_trade_no)).await
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answered {
        self.call("alipay.trade.close", &named(out_trade_no)).await
    }

    /// Orders something for 0.10 yuan and pays it.
    pub(crate) async fn sell(&self, out_trade_no: &str) {
        let qr_code = self.order(out_trade_no).await;
        self.alipay.pay(&qr_code).await.unwrap();
    }

    /// Whether a notification's form is Alipay's, and its fields.
    pub(crate) fn verify(&self, form: &str) -> (bool, BTreeMap<String, String>) {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(form.as_bytes())
            .into_owned()
            .collect();
        let text = signing::notification_text(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let sign = fields.get("sign").map(String::as_str).unwrap_or_default();
        (self.alipay_key.verify(text.as_bytes(), sign), fields)
    }
}

async fn started() -> Alipay {
    let options = AlipayOptions {
        time_scale: 1_000_000,
        ..Default::default()
    };
    Alipay::start(options).await.unwrap()
}

/// The `biz_content` of an order of 0.10 yuan.
pub(crate) fn order(out_trade_no: &str) -> String {
    format!(r#"{{"out_trade_no":"{out_trade_no}","total_amount":"0.10","subject":"一杯茶"}}"#)
}

/// The `biz_content` that names an order.
pub(crate) fn named(out_trade_no: &str) -> String {
    format!(r#"{{"out_trade_no":"{out_trade_no}"}}"#)
}

pub(crate) fn encoded(pairs: &[(&String, &String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

async fn reply(State(replies): State<Replies>) -> (StatusCode, String) {
    let mut replies = replies.lock().unwrap();
    let (status, text) = replies.0.pop_front().unwrap_or_else(|| replies.1.clone());
    (StatusCode::from_u16(status).unwrap(), text)
}
