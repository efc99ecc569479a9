//! The gateway's ways to say no: `code`, `msg`, `sub_code`, `sub_msg`.

/// A refusal, as it stands in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) msg: &'static str,
    pub(super) sub_code: &'static str,
    pub(super) sub_msg: String,
}

impl Failure {
    fn new(
        code: &'static str,
        msg: &'static str,
        sub_code: &'static str,
        sub_msg: String,
    ) -> Failure {
        Failure {
            code,
            msg,
            sub_code,
            sub_msg,
        }
    }

    /// 40001: a common parameter is missing.
    pub(super) fn missing(sub_code: &'static str, sub_msg: &str) -> Failure {
        Failure::new(
            "40001",
            "Missing Required Arguments",
            sub_code,
            sub_msg.to_owned(),
        )
    }

    /// 40002: a parameter is there and wrong.
    pub(super) fn invalid(sub_code: &'static str, sub_msg: impl Into<String>) -> Failure {
        Failure::new("40002", "Invalid Arguments", sub_code, sub_msg.into())
    }

    /// 40002 `isv.invalid-parameter`, for what has no code of its own.
    pub(super) fn parameter(what: impl std::fmt::Display) -> Failure {
        Failure::invalid("isv.invalid-parameter", format!("参数无效：{what}"))
    }

    /// 40003: the app has no public key at Alipay for this way of signing.
    pub(super) fn no_key() -> Failure {
        let sub_msg = "验签出错, 未配置对应签名算法的公钥或者证书".to_owned();
        Failure::new(
            "40003",
            "Conditions Not Satisfied",
            "isv.missing-signature-config",
            sub_msg,
        )
    }

    /// 40004: the operation understood the request and says no.
    pub(super) fn business(sub_code: &'static str, sub_msg: impl Into<String>) -> Failure {
        Failure::new("40004", "Business Failed", sub_code, sub_msg.into())
    }

    /// 40004 `ACQ.INVALID_PARAMETER`: a field of `biz_content` is missing or wrong.
    pub(super) fn field(what: impl std::fmt::Display) -> Failure {
        Failure::business("ACQ.INVALID_PARAMETER", format!("参数无效：{what}"))
    }

    /// 40006: the operation exists and the app has not subscribed to it.
    pub(super) fn permission() -> Failure {
        let sub_msg = "ISV权限不足，建议在开发者中心检查签约是否已经生效".to_owned();
        Failure::new(
            "40006",
            "Insufficient Permissions",
            "isv.insufficient-isv-permissions",
            sub_msg,
        )
    }

    /// 20000: unknown whether anything happened.
    pub(super) fn busy() -> Failure {
        Failure::new(
            "20000",
            "Service Currently Unavailable",
            "isp.unknow-error",
            "系统繁忙".to_owned(),
        )
    }

    /// `ACQ.SYSTEM_ERROR`: unknown whether anything happened.
    pub(super) fn system_error() -> Failure {
        Failure::business("ACQ.SYSTEM_ERROR", "系统错误")
    }
}
