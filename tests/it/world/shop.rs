//! A caller of the host with a key: what a shop's server is, or the operator.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use walnut_sandbox::alipay::{Account, Alipay};

use super::contract;

/// A caller with a key.
#[derive(Clone)]
pub(crate) struct Shop {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// An HTTP answer of the host.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|_| panic!("{}: {}", self.status, String::from_utf8_lossy(&self.bytes)))
    }

    /// The data of an answer that says `ok`.
    pub(crate) fn data(&self) -> Value {
        let json = self.json();
        assert_eq!(
            (json["ok"].clone(), self.status),
            (json!(true), 200),
            "{json}"
        );
        json["data"].clone()
    }

    /// The status and `errCode` of a refusal; it has to explain itself.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(json["ok"], false, "{json}");
        assert!(
            json["msg"].as_str().is_some_and(|msg| msg.len() > 5),
            "{json}"
        );
        (self.status, json["errCode"].as_str().unwrap().to_owned())
    }
}

/// Plenty for a machine under load; nothing depends on it when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

impl Shop {
    pub(crate) fn new(url: &str, key: &str) -> Shop {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Shop {
            http,
            url: url.to_owned(),
            key: key.to_owned(),
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The same caller at another address.
    pub(crate) fn at(&self, url: &str) -> Shop {
        Shop {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// The same caller with another key or ticket.
    pub(crate) fn with_key(&self, key: &str) -> Shop {
        Shop {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.keyless(method, path).bearer_auth(&self.key)
    }

    /// A request without any key.
    pub(crate) fn keyless(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn answer(request: RequestBuilder) -> Answer {
        let (http, request) = request.build_split();
        let request = request.unwrap();
        let (method, url) = (request.method().clone(), request.url().clone());
        let response = http.execute(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let answer = Answer {
            status,
            headers,
            bytes: response.bytes().await.unwrap().to_vec(),
        };
        contract::hold(&http, &method, &url, &answer).await;
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Shop::answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Shop::answer(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Shop::answer(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        Shop::answer(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn put_bytes(&self, path: &str, body: &[u8]) -> Answer {
        Shop::answer(self.request(Method::PUT, path).body(body.to_vec())).await
    }

    pub(crate) async fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        Shop::answer(self.request(Method::POST, path).body(body.to_vec())).await
    }

    pub(crate) async fn put_callback(&self, name: &str, component: &[u8]) {
        self.put_bytes(&format!("/pay/callback/{name}"), component)
            .await
            .data();
    }

    /// The settings of a test target at the simulated Alipay.
    pub(crate) fn target_body(alipay: &Alipay, account: &Account) -> Value {
        json!({
            "test": true,
            "settings": {
                "app_id": account.app_id(),
                "seller_id": account.seller_id(),
                "app_private_key": account.merchant_private_key(),
                "alipay_public_key": account.alipay_public_key(),
                "gateway": alipay.gateway_url(),
            },
        })
    }

    pub(crate) async fn put_target(
        &self,
        platform: &str,
        name: &str,
        alipay: &Alipay,
        account: &Account,
    ) {
        let body = Shop::target_body(alipay, account);
        self.put(&format!("/pay/target/{platform}/{name}"), body)
            .await
            .data();
    }

    /// A payment of 23.00 yuan, with more fields; gives its id.
    pub(crate) async fn create(&self, more: Value) -> String {
        let mut body = json!({ "brief": "两杯茶", "fee": 2300 });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let created = self.post("/pay/ajax/create", body).await.data();
        let id = created["id"].as_str().or(created["payObjId"].as_str());
        id.unwrap_or_else(|| panic!("{created}")).to_owned()
    }

    /// Sends by `zfb.qrcode`.
    pub(crate) async fn send(&self, id: &str) -> Answer {
        self.send_by(id, "zfb.qrcode").await
    }

    pub(crate) async fn send_by(&self, id: &str, pay_tp: &str) -> Answer {
        self.post("/pay/ajax/send", json!({ "id": id, "pay_tp": pay_tp }))
            .await
    }

    pub(crate) async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/pay/ajax/get?id={id}")).await.data()
    }

    pub(crate) async fn check(&self, id: &str) -> Answer {
        self.get(&format!("/pay/ajax/check?id={id}")).await
    }

    pub(crate) async fn history(&self, id: &str) -> Vec<Value> {
        let history = self.get(&format!("/pay/ajax/history?id={id}")).await.data();
        history.as_array().unwrap().clone()
    }

    /// The causes in the payment's history, the earliest first.
    pub(crate) async fn causes(&self, id: &str) -> Vec<String> {
        let history = self.history(id).await;
        history
            .iter()
            .map(|line| line["cause"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until the payment looks like this.
    pub(crate) async fn until(&self, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let look = async {
            loop {
                last = self.payment(id).await;
                if is(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, look).await.is_ok();
        assert!(seen, "the payment never became {what}: {last}");
        last
    }

    /// The delivery of the payment's callback, as its owner sees it; null before there is one.
    pub(crate) async fn delivery(&self, id: &str) -> Value {
        let path = format!("/pay/ajax/deliveries?id={id}");
        let found = self.get(&path).await.data();
        found[0].clone()
    }

    /// Waits until the delivery of the payment's callback looks like this.
    pub(crate) async fn until_delivery(
        &self,
        id: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let look = async {
            loop {
                last = self.delivery(id).await;
                if is(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, look).await.is_ok();
        assert!(seen, "the delivery never became {what}: {last}");
        last
    }

    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Value {
        self.until(id, state, |payment| payment["st"] == state)
            .await
    }

    pub(crate) async fn until_applied(&self, id: &str) -> Value {
        self.until(id, "applied", |payment| payment["apply_at"] != 0)
            .await
    }
}
