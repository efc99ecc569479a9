//! A merchant with its keys, a client and an address for notifications.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use time::OffsetDateTime;
use walnut_sandbox::wechat::signing::v2::{self, SignType};
use walnut_sandbox::wechat::signing::{
    Authorization, SigningKey, VerifyingKey, answer_text, open, request_text,
};
use walnut_sandbox::wechat::{Merchant, NotificationView, WeChat, WeChatOptions};

/// Replies still to be given, and what to say after them.
type Replies = Arc<Mutex<(VecDeque<(u16, String)>, (u16, String))>>;

pub(crate) const TAKEN: &str = r#"{"code":"SUCCESS","message":"成功"}"#;

pub(crate) struct Shop {
    pub(crate) wechat: WeChat,
    pub(crate) merchant: Merchant,
    pub(crate) notify_url: String,
    pub(crate) client: reqwest::Client,
    /// Trusts the platform's authority, and presents the merchant's certificate.
    pub(crate) tls_client: reqwest::Client,
    pub(crate) key: SigningKey,
    /// By serial number or public-key id.
    pub(crate) keys: BTreeMap<String, VerifyingKey>,
    replies: Replies,
}

/// An answer of v3, with what its signature is worth.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) json: Value,
    pub(crate) verified: bool,
}

impl Answered {
    /// A field that is a text; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.json[name].as_str().unwrap_or_default()
    }

    /// HTTP status and `code`.
    pub(crate) fn codes(&self) -> (u16, &str) {
        (self.status, self.get("code"))
    }
}

pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// The public key inside a certificate.
pub(crate) fn public_key_of(certificate_pem: &str) -> (String, VerifyingKey) {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate_pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let serial = hex::encode_upper(certificate.raw_serial());
    // DER puts a zero before a number that would look negative.
    let serial = serial.strip_prefix("00").unwrap_or(&serial).to_owned();
    (serial, VerifyingKey::from_der(certificate.public_key().raw))
}

impl Shop {
    /// A platform whose hours are fractions of a millisecond, and one merchant.
    pub(crate) async fn open() -> Shop {
        Shop::open_with(WeChatOptions {
            time_scale: 1_000_000,
            ..Default::default()
        })
        .await
    }

    /// The same where a payment at the till may be reversed at once.
    pub(crate) async fn open_hasty() -> Shop {
        Shop::open_with(WeChatOptions {
            time_scale: 1_000_000,
            scale_rules: true,
            ..Default::default()
        })
        .await
    }

    pub(crate) async fn open_with(options: WeChatOptions) -> Shop {
        let wechat = WeChat::start(options).await.unwrap();
        let merchant = wechat.open_merchant().await.unwrap();
        let replies: Replies = Arc::new(Mutex::new((VecDeque::new(), (200, TAKEN.to_owned()))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let notify_url = format!("http://{}/re", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/re", post(reply))
            .with_state(Arc::clone(&replies));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Shop::of(wechat, merchant, notify_url, replies)
    }

    /// The same shop with another merchant on the same platform.
    pub(crate) fn with(self, merchant: Merchant) -> Shop {
        Shop::of(self.wechat, merchant, self.notify_url, self.replies)
    }

    fn of(wechat: WeChat, merchant: Merchant, notify_url: String, replies: Replies) -> Shop {
        let client = || {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .user_agent("shop/1.0")
        };
        let ca = reqwest::Certificate::from_pem(merchant.tls_ca_pem().as_bytes()).unwrap();
        let identity = reqwest::Identity::from_pem(merchant.identity_pem().as_bytes()).unwrap();
        let public = VerifyingKey::from_pem(merchant.public_key_pem()).unwrap();
        let mut keys = BTreeMap::from([(merchant.public_key_id().to_owned(), public)]);
        keys.extend(merchant.platform_certificate_pem().map(public_key_of));
        Shop {
            key: SigningKey::from_pem(merchant.private_key_pem()).unwrap(),
            keys,
            client: client().build().unwrap(),
            tls_client: client()
                .tls_certs_only([ca])
                .identity(identity)
                .build()
                .unwrap(),
            wechat,
            merchant,
            notify_url,
            replies,
        }
    }

    /// What the next notifications are answered with, and all after them.
    pub(crate) fn replies(&self, next: &[(u16, &str)], then: (u16, &str)) {
        let owned = |(status, text): (u16, &str)| (status, text.to_owned());
        *self.replies.lock().unwrap() = (next.iter().copied().map(owned).collect(), owned(then));
    }

    /// The `Authorization` of a right request.
    pub(crate) fn authorize(&self, method: &str, url: &str, body: &str) -> Authorization {
        let (timestamp, nonce) = (now().to_string(), nonce());
        let text = request_text(method, url, &timestamp, &nonce, body.as_bytes());
        Authorization {
            mchid: self.merchant.mchid().to_owned(),
            serial_no: self.merchant.serial_no().to_owned(),
            nonce_str: nonce,
            timestamp,
            signature: self.key.sign(&text),
        }
    }

    /// A right request.
    pub(crate) fn request(&self, method: &str, url: &str, body: &str) -> reqwest::RequestBuilder {
        let method: reqwest::Method = method.parse().unwrap();
        let authorization = self.authorize(method.as_str(), url, body);
        let request = self
            .client
            .request(method.clone(), format!("{}{url}", self.wechat.url()))
            .header("accept", "application/json")
            .header("authorization", authorization.to_string());
        if method == reqwest::Method::POST {
            return request
                .header("content-type", "application/json")
                .body(body.to_owned());
        }
        request
    }

    pub(crate) async fn get(&self, url: &str) -> Answered {
        let request = self.request("GET", url, "");
        self.read(request.send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> Answered {
        let request = self.request("POST", url, &body.to_string());
        self.read(request.send().await.unwrap()).await
    }

    /// Reads an answer and verifies it over its very bytes.
    pub(crate) async fn read(&self, answer: reqwest::Response) -> Answered {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.text().await.unwrap_or_default();
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        Answered {
            verified: self.verifies(&header, body.as_bytes()),
            json: serde_json::from_str(&body).unwrap_or_default(),
            status,
            headers,
            body,
        }
    }

    /// Whether a message is the platform's, by its headers.
    fn verifies<'a>(&self, header: &impl Fn(&str) -> Option<&'a str>, body: &[u8]) -> bool {
        let (Some(timestamp), Some(nonce), Some(signature), Some(serial)) = (
            header("wechatpay-timestamp"),
            header("wechatpay-nonce"),
            header("wechatpay-signature"),
            header("wechatpay-serial"),
        ) else {
            return false;
        };
        let fresh = now().abs_diff(timestamp.parse().unwrap()) < 300;
        let key = self.keys.get(serial);
        fresh && key.is_some_and(|key| key.verify(&answer_text(timestamp, nonce, body), signature))
    }

    /// Whether a notification is the platform's, and what is sealed in it.
    pub(crate) fn opened(&self, sent: &NotificationView) -> (bool, Value) {
        let header = |wanted: &str| {
            let mut found = sent.headers.iter();
            let found = found.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.as_str())
        };
        let verified = self.verifies(&header, sent.body.as_bytes());
        let body: Value = serde_json::from_str(&sent.body).unwrap_or_default();
        let part = |name: &str| body["resource"][name].as_str().unwrap_or_default();
        let plain = open(
            self.merchant.api_v3_key(),
            part("nonce"),
            part("associated_data"),
            part("ciphertext"),
        );
        let plain = plain.map(|plain| serde_json::from_slice(&plain).unwrap());
        (verified, plain.unwrap_or_default())
    }

    /// The body of an order for 0.10 yuan.
    pub(crate) fn order(&self, out_trade_no: &str) -> Value {
        json!({
            "appid": self.merchant.appid(),
            "mchid": self.merchant.mchid(),
            "description": "一杯茶",
            "out_trade_no": out_trade_no,
            "notify_url": self.notify_url,
            "amount": {"total": 10, "currency": "CNY"},
        })
    }

    /// Orders something for 0.10 yuan; gives the code's text.
    pub(crate) async fn native(&self, out_trade_no: &str) -> String {
        let order = self.order(out_trade_no);
        let answer = self.post("/v3/pay/transactions/native", &order).await;
        assert_eq!((answer.status, answer.verified), (200, true), "{answer:?}");
        answer.get("code_url").to_owned()
    }

    /// Orders something for 0.10 yuan, and the buyer pays.
    pub(crate) async fn paid(&self, out_trade_no: &str) {
        let code_url = self.native(out_trade_no).await;
        self.wechat.pay(&code_url).await.unwrap();
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answered {
        let mchid = self.merchant.mchid();
        let url = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={mchid}");
        self.get(&url).await
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answered {
        let url = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}/close");
        self.post(&url, &json!({"mchid": self.merchant.mchid()}))
            .await
    }

    /// The notification of an order that is the last in its row, once the merchant took it.
    pub(crate) async fn told(&self, out_trade_no: &str) -> NotificationView {
        let of_trade = |n: &NotificationView| n.out_trade_no == out_trade_no && n.taken;
        self.wechat
            .until(|wechat| wechat.notifications().into_iter().find(of_trade))
            .await
    }

    /// The fields that every v2 request has, and these.
    pub(crate) fn v2_fields(&self, fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        let nonce = nonce();
        let common = [
            ("appid", self.merchant.appid()),
            ("mch_id", self.merchant.mchid()),
            ("nonce_str", &nonce),
        ];
        let all = common.iter().chain(fields);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    pub(crate) fn v2_sign(&self, fields: &mut BTreeMap<String, String>) {
        let said = fields.get("sign_type").map(String::as_str);
        let sign_type = SignType::parse(said.unwrap_or_default()).unwrap();
        let sign = v2::sign(pairs(fields), self.merchant.api_key(), sign_type);
        fields.insert("sign".to_owned(), sign);
    }

    /// One right request of v2 and its answer's fields, whose signature must hold.
    pub(crate) async fn v2(&self, path: &str, fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut fields = self.v2_fields(fields);
        self.v2_sign(&mut fields);
        let said = self.v2_send(path, xml(&fields)).await;
        assert!(self.v2_verifies(&said, fields.get("sign_type")), "{said:?}");
        said
    }

    /// Sends XML where `/secapi` can be reached.
    pub(crate) async fn v2_send(&self, path: &str, body: String) -> BTreeMap<String, String> {
        let secret = path.starts_with("/secapi/");
        let (client, base) = match secret {
            true => (&self.tls_client, self.wechat.tls_url()),
            false => (&self.client, self.wechat.url()),
        };
        let request = client.post(format!("{base}{path}")).body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        parsed(&answer.text().await.unwrap())
    }

    pub(crate) fn v2_verifies(
        &self,
        said: &BTreeMap<String, String>,
        sign_type: Option<&String>,
    ) -> bool {
        let sign_type = SignType::parse(sign_type.map_or("", String::as_str)).unwrap();
        said.get("sign").map(String::as_str)
            == Some(&v2::sign(pairs(said), self.merchant.api_key(), sign_type))
    }
}

pub(crate) fn pairs(fields: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

pub(crate) fn xml(fields: &BTreeMap<String, String>) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>"))
        .collect();
    format!("<xml>{fields}</xml>")
}

/// Reads v2's XML, however it is written.
pub(crate) fn parsed(text: &str) -> BTreeMap<String, String> {
    use quick_xml::events::Event;

    let mut reader = quick_xml::Reader::from_str(text);
    let (mut fields, mut name, mut value) = (BTreeMap::new(), String::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                name = element.name().as_ref().to_owned();
                value.clear();
            }
            Event::Text(part) => value.push_str(&part.xml10_content()),
            Event::CData(part) => value.push_str(&part.xml10_content()),
            Event::GeneralRef(part) => {
                let entity = quick_xml::escape::resolve_xml_entity(&part);
                value.push_str(entity.unwrap());
            }
            Event::End(_) => {
                if !name.is_empty() {
                    fields.insert(std::mem::take(&mut name), value.clone());
                }
            }
            Event::Eof => return fields,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn nonce() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    hex::encode_upper(bytes)
}

async fn reply(State(replies): State<Replies>, _: Bytes) -> (StatusCode, String) {
    let mut replies = replies.lock().unwrap();
    let (status, text) = replies.0.pop_front().unwrap_or_else(|| replies.1.clone());
    (StatusCode::from_u16(status).unwrap(), text)
}
