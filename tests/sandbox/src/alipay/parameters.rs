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
const UNSUBSCRIBED: [&str; 4] = [
    "alipay.trade.create",
    "alipay.trade.app.pay",
    "alipay.trade.orderinfo.sync",
    "alipay.trade.order.settle",
];

/// An operation that the simulation performs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Precreate,
    Pay,
    PagePay,
    WapPay,
    Query,
    Close,
    Cancel,
    Refund,
    RefundQuery,
    Bill,
    Certificate,
}

impl Operation {
    /// The operation of a method's name.
    pub(super) fn of(method: &str) -> Result<Operation, Failure> {
        match method {
            "alipay.trade.precreate" => Ok(Operation::Precreate),
            "alipay.trade.pay" => Ok(Operation::Pay),
            "alipay.trade.page.pay" => Ok(Operation::PagePay),
            "alipay.trade.wap.pay" => Ok(Operation::WapPay),
            "alipay.trade.query" => Ok(Operation::Query),
            "alipay.trade.close" => Ok(Operation::Close),
            "alipay.trade.cancel" => Ok(Operation::Cancel),
            "alipay.trade.refund" => Ok(Operation::Refund),
            "alipay.trade.fastpay.refund.query" => Ok(Operation::RefundQuery),
            "alipay.data.dataservice.bill.downloadurl.query" => Ok(Operation::Bill),
            "alipay.open.app.alipaycert.download" => Ok(Operation::Certificate),
            other if UNSUBSCRIBED.contains(&other) => Err(Failure::permission()),
            _ => Err(Failure::invalid("isv.invalid-method", "不存在的方法名")),
        }
    }

    /// Whether the buyer's browser comes with it, not the merchant's server.
    pub(super) fn is_page(self) -> bool {
        matches!(self, Operation::PagePay | Operation::WapPay)
    }
}

/// A request whose common parameters all hold.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) notify_url: Option<String>,
    pub(super) return_url: Option<String>,
    /// Decrypted, where it came encrypted.
    pub(super) biz_content: String,
    /// Whether the answer's content is to be encrypted as well.
    pub(super) encrypted: bool,
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
        self.check_certificates(app)?;
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
        let content = self
            .get("biz_content")
            .ok_or_else(|| Failure::parameter("biz_content 为空"))?;
        let encrypted = match self.get("encrypt_type") {
            None => false,
            Some("AES") => true,
            Some(_) => {
                return Err(Failure::invalid(
                    "isv.invalid-encrypt-type",
                    "无效的加密类型",
                ));
            }
        };
        let biz_content = if encrypted {
            let content = app.content_key.decrypt(content);
            content.ok_or_else(Failure::decryption)?
        } else {
            content.to_owned()
        };
        Ok(Call {
            operation,
            notify_url: self.address("notify_url")?,
            return_url: self.address("return_url")?,
            biz_content,
            encrypted,
        })
    }

    /// The numbers that certificate mode asks for, and that key mode does not know.
    fn check_certificates(&self, app: &App) -> Result<(), Failure> {
        let unknown = || Failure::invalid("isv.app-cert-not-exist", "应用公钥证书不存在");
        let Some(certified) = &app.certified else {
            return match self.get("app_cert_sn") {
                Some(_) => Err(unknown()),
                None => Ok(()),
            };
        };
        match self.get("app_cert_sn") {
            None => Err(Failure::invalid(
                "isv.missing-app-cert-sn",
                "缺少应用公钥证书序列号",
            )),
            Some(sn) if sn != certified.app_cert_sn => Err(unknown()),
            Some(_) => Ok(()),
        }?;
        match self.get("alipay_root_cert_sn") {
            None => Err(Failure::invalid(
                "isv.missing-alipay-root-cert-sn",
                "缺少支付宝根证书序列号",
            )),
            Some(sn) if sn != certified.root_cert_sn => Err(Failure::invalid(
                "isv.invalid-alipay-root-cert-sn",
                "无效的支付宝根证书序列号",
            )),
            Some(_) => Ok(()),
        }
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
            Some(sent) if sent - now <= TIMESTAMP_WINDOW && now - sent <= self.oldest() => Ok(()),
            _ => Err(Failure::invalid(
                "isv.invalid-timestamp",
                "非法的时间戳参数",
            )),
        }
    }

    /// How old a request may be. A buyer opens the link of a page when it suits: as long as a
    /// trade can live.
    fn oldest(&self) -> Duration {
        match self.method().and_then(Operation::of) {
            Ok(operation) if operation.is_page() => Duration::days(15),
            _ => TIMESTAMP_WINDOW,
        }
    }

    /// An address that Alipay would call or lead a browser to: absolute, http or https, at most
    /// 256 characters, all of which a header can carry.
    fn address(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let url = Url::parse(text).map_err(|_| Failure::parameter(name))?;
        let fits = text.len() <= 256
            && text.bytes().all(|b| b.is_ascii_graphic())
            && matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        fits.then(|| Some(text.to_owned()))
            .ok_or_else(|| Failure::parameter(name))
    }
}
