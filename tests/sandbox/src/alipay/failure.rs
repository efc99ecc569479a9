//! The gateway's ways to say no: `code`, `msg`, `sub_code`, `sub_msg`.

use std::borrow::Cow;

/// A refusal, as it stands in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Cow<'static, str>,
    pub(super) sub_code: Cow<'static, str>,
    pub(super) sub_msg: String,
}

impl Failure {
    fn new(code: &'static str, sub_code: &'static str, sub_msg: impl Into<String>) -> Failure {
        Failure {
            code: Cow::Borrowed(code),
            sub_code: Cow::Borrowed(sub_code),
            sub_msg: sub_msg.into(),
        }
    }

    /// `msg`: what the code says in English.
    pub(super) fn msg(&self) -> &'static str {
        match &*self.code {
            "20000" => "Service Currently Unavailable",
            "20001" => "Insufficient Token Permissions",
            "40001" => "Missing Required Arguments",
            "40002" => "Invalid Arguments",
            "40003" => "Insufficient Conditions",
            "40005" => "Call Limited",
            "40006" => "Insufficient Permissions",
            _ => "Business Failed",
        }
    }

    /// Any refusal, as it was asked for.
    pub(super) fn any(code: &str, sub_code: &str) -> Failure {
        Failure {
            code: Cow::Owned(code.to_owned()),
            sub_msg: words(sub_code).to_owned(),
            sub_code: Cow::Owned(sub_code.to_owned()),
        }
    }

    /// 40001: a common parameter is missing.
    pub(super) fn missing(sub_code: &'static str, sub_msg: &str) -> Failure {
        Failure::new("40001", sub_code, sub_msg)
    }

    /// 40002: a parameter is there and wrong.
    pub(super) fn invalid(sub_code: &'static str, sub_msg: impl Into<String>) -> Failure {
        Failure::new("40002", sub_code, sub_msg)
    }

    /// 40002 `isv.invalid-parameter`, for what has no code of its own.
    pub(super) fn parameter(what: impl std::fmt::Display) -> Failure {
        Failure::invalid("isv.invalid-parameter", format!("参数无效：{what}"))
    }

    /// 40003: the app has no public key at Alipay for this way of signing.
    pub(super) fn no_key() -> Failure {
        Failure::new(
            "40003",
            "isv.missing-signature-config",
            "验签出错, 未配置对应签名算法的公钥或者证书",
        )
    }

    /// 40003: `biz_content` is not encrypted with the app's key.
    pub(super) fn decryption() -> Failure {
        Failure::new(
            "40003",
            "isv.decryption-error-unknown",
            "解密出错, 未知错误",
        )
    }

    /// 40004: the operation understood the request and says no, in the code's own words.
    pub(super) fn business(sub_code: &'static str) -> Failure {
        Failure::new("40004", sub_code, words(sub_code))
    }

    /// 40004 `ACQ.INVALID_PARAMETER`: a field of `biz_content` is missing or wrong.
    pub(super) fn field(what: impl std::fmt::Display) -> Failure {
        Failure::new(
            "40004",
            "ACQ.INVALID_PARAMETER",
            format!("参数无效：{what}"),
        )
    }

    /// 40006: the operation exists and the app has not subscribed to it.
    pub(super) fn permission() -> Failure {
        Failure::new(
            "40006",
            "isv.insufficient-isv-permissions",
            "ISV权限不足，建议在开发者中心检查签约是否已经生效",
        )
    }

    /// 20000: unknown whether anything happened.
    pub(super) fn busy() -> Failure {
        Failure::new("20000", "isp.unknow-error", "系统繁忙")
    }

    /// `ACQ.SYSTEM_ERROR`: unknown whether anything happened.
    pub(super) fn system_error() -> Failure {
        Failure::business("ACQ.SYSTEM_ERROR")
    }
}

/// What a documented `sub_code` says in Chinese.
fn words(sub_code: &str) -> &'static str {
    match sub_code {
        "ACQ.SYSTEM_ERROR" => "系统错误",
        "ACQ.INVALID_PARAMETER" => "参数无效",
        "ACQ.ACCESS_FORBIDDEN" => "无权限使用接口",
        "ACQ.EXIST_FORBIDDEN_WORD" => "订单信息中包含违禁词",
        "ACQ.PARTNER_ERROR" => "应用APP_ID填写错误",
        "ACQ.TOTAL_FEE_EXCEED" => "订单总金额超过限额",
        "ACQ.PAYMENT_AUTH_CODE_INVALID" => "支付授权码无效",
        "ACQ.CONTEXT_INCONSISTENT" => "交易信息被篡改",
        "ACQ.TRADE_HAS_SUCCESS" => "交易已被支付",
        "ACQ.TRADE_HAS_CLOSE" => "交易已经关闭",
        "ACQ.BUYER_BALANCE_NOT_ENOUGH" => "买家余额不足",
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH" => "用户银行卡余额不足",
        "ACQ.BUYER_SELLER_EQUAL" => "买卖家不能相同",
        "ACQ.TRADE_BUYER_NOT_MATCH" => "交易买家不匹配",
        "ACQ.PAYMENT_FAIL" => "支付失败",
        "ACQ.PULL_MOBILE_CASHIER_FAIL" => "唤起移动收银台失败",
        "ACQ.TRADE_NOT_EXIST" => "交易不存在",
        "ACQ.TRADE_STATUS_ERROR" => "交易状态不合法",
        "ACQ.TRADE_HAS_FINISHED" => "交易已完结",
        "ACQ.REASON_TRADE_BEEN_FREEZEN" => "请求退款的交易被冻结",
        "ACQ.CANCEL_NOT_ALLOWED" => "本笔交易不允许撤销",
        "ACQ.SELLER_BALANCE_NOT_ENOUGH" => "卖家余额不足",
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL" => "退款金额超限",
        "ACQ.DISCORDANT_REPEAT_REQUEST" => "不一致的请求",
        "isp.bill_not_exist" => "账单不存在",
        "isv.invalid_arguments" => "入参不合法",
        _ => "业务处理失败",
    }
}
