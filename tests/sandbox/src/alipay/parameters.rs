//! The common parameters of a request: query and form together, each checked, the signature last.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use url::Url;

use super::account::App;
use super::clock;
use super::failure::Failure;
use super::signing;

/// How far a request's `timestamp` may be from Alipay's clock. An assumption: Alipay publishes
/// `isv.invalid-timestamp` without its window, and a quarter of an hour is what the field says.
const TIMESTAMP_WINDOW: Duration = Duration::minutes(15);

/// Operations that Alipay has and that an app here is not subscribed to.
const UNSUBSCRIBED: [&str; 9] = [
    "alipay.trade.pay",
    "alipay.trade.create",
    "alipay.trade.refund",
    "alipay.trade.fastpay.refund.query",
    "alipay.trade.page.pay",
    "alipay.trade.wap.pay",
    "alipay.trade.app.pay",
    "alipay.trade.orderinfo.sync",
    "alipay.data.dataservice.bill.downloadurl.query",
];

/// An operation that the simulation performs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Precreate,
    Query,
    Close,
    Cancel,
}

impl Operation {
    fn of(method: &str) -> Result<Operation, Failure> {
        match method {
            "alipay.trade.precreate" => Ok(Operation::Precreate),
            "alipay.trade.query" => Ok(Operation::Query),
            "alipay.trade.close" => Ok(Operation::Close),
            "alipay.trade.cancel" => Ok(Operation::Cancel),
            other if UNSUBSCRIBED.contains(&other) => Err(Failure::permission()),
            _ => Err(Failure::invalid("isv.invalid-method", "不存在的方法名")),
        }
    }
}

/// A request whose common parameters all hold.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) notify_url: Option<String>,
    pub(super) biz_content: String,
}

/// What became of a request's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureCheck {
    /// It is the merchant's.
    Valid,
    /// It is not the merchant's over these parameters.
    Invalid,
    /// The request was refused before.
    Unchecked,
}

/// The parameters of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Takes the query and the form body together. A name that comes twice, in one of them or
    /// across both, is refused: which of the values counts would be anybody's guess.
    pub(super) fn merge(query: &str, form: &[u8]) -> Result<Parameters, Failure> {
        let mut merged = BTreeMap::new();
        let parts = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(form));
        for (name, value) in parts {
            if name.contains('\u{FFFD}') || value.contains('\u{FFFD}') {
                return Err(Failure::invalid("isv.invalid-charset", "字符集错误"));
            }
            if merged
                .insert(name.to_string(), value.into_owned())
                .is_some()
            {
                return Err(Failure::parameter(format_args!("{name} 重复")));
            }
        }
        Ok(Parameters(merged))
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All of them by name, as received.
    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The operation's name; without one there is no answer to name after it.
    pub(super) fn method(&self) -> Result<&str, Failure> {
        let method = self
            .get("method")
            .ok_or_else(|| Failure::missing("isv.missing-method", "缺少方法名参数"))?;
        let named = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_';
        if method.len() > 128 || !method.bytes().all(named) {
            return Err(Failure::invalid("isv.invalid-method", "不存在的方法名"));
        }
        Ok(method)
    }

    /// The app that the request names.
    pub(super) fn app(
        &self,
        find: impl FnOnce(&str) -> Option<Arc<App>>,
    ) -> Result<Arc<App>, Failure> {
        let app_id = self
            .get("app_id")
            .ok_or_else(|| Failure::missing("isv.missing-app-id", "缺少appId参数"))?;
        find(app_id).ok_or_else(|| Failure::invalid("isv.invalid-app-id", "无效的AppID参数"))
    }

    /// Checks everything else that all operations have, and the signature.
    pub(super) fn check(
        &self,
        app: &App,
        now: OffsetDateTime,
        signature: &mut SignatureCheck,
    ) -> Result<Call, Failure> {
        self.check_forms(now)?;
        let sign = self
            .get("sign")
            .ok_or_else(|| Failure::missing("isv.missing-signature", "缺少签名参数"))?;
        let text = signing::request_text(
            self.0
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        if sign.len() > 344 || !app.merchant.verify(text.as_bytes(), sign) {
            *signature = SignatureCheck::Invalid;
            let why = "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配";
            return Err(Failure::invalid("isv.invalid-signature", why));
        }
        *signature = SignatureCheck::Valid;
        let operation = Operation::of(self.method()?)?;
        let notify_url = self.get("notify_url").map(notify_url).transpose()?;
        let biz_content = self
            .get("biz_content")
            .ok_or_else(|| Failure::parameter("biz_content 为空"))?;
        Ok(Call {
            operation,
            notify_url,
            biz_content: biz_content.to_owned(),
        })
    }

    fn check_forms(&self, now: OffsetDateTime) -> Result<(), Failure> {
        match self.get("sign_type") {
            None => {
                return Err(Failure::missing(
                    "isv.missing-signature-type",
                    "缺少签名类型参数",
                ));
            }
            Some("RSA2") => {}
            // The app uploaded a key for RSA2 alone.
            Some("RSA") => return Err(Failure::no_key()),
            Some(_) => {
                return Err(Failure::invalid(
                    "isv.invalid-signature-type",
                    "无效的签名类型",
                ));
            }
        }
        if !self
            .get("charset")
            .is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8"))
        {
            return Err(Failure::invalid("isv.invalid-charset", "字符集错误"));
        }
        if !self
            .get("format")
            .is_none_or(|format| format.eq_ignore_ascii_case("JSON"))
        {
            return Err(Failure::invalid("isv.invalid-format", "无效的数据格式"));
        }
        match self.get("version") {
            None => return Err(Failure::missing("isv.missing-version", "缺少版本参数")),
            Some("1.0") => {}
            Some(other) => return Err(Failure::parameter(format_args!("version={other}"))),
        }
        let timestamp = self
            .get("timestamp")
            .ok_or_else(|| Failure::missing("isv.missing-timestamp", "缺少时间戳参数"))?;
        match clock::parse(timestamp) {
            Some(sent) if (now - sent).abs() <= TIMESTAMP_WINDOW => Ok(()),
            _ => Err(Failure::invalid(
                "isv.invalid-timestamp",
                "非法的时间戳参数",
            )),
        }
    }
}

/// An address that Alipay would notify: absolute, http or https, at most 256 characters.
fn notify_url(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::parameter("notify_url");
    let url = Url::parse(text).map_err(|_| wrong())?;
    let fits = text.len() <= 256
        && matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    fits.then(|| text.to_owned()).ok_or_else(wrong)
}
