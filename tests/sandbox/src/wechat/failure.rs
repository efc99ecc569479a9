//! Ways to say no, in both dialects: v3 has an HTTP status, a code and a number behind the
//! `Request-Id`; v2 has an `err_code` in a 200.

use serde_json::{Value, json};

/// Why a request is refused, or why nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// A field is wrong.
    Parameter,
    /// A field is missing.
    Missing,
    /// The request as a whole is not one that may be made, or not now.
    Request,
    /// Another request with the same number and other content came before.
    Inconsistent,
    /// The number was used in another way of paying.
    NumberUsed,
    /// The appid is not bound to the merchant.
    Mismatch,
    /// Not signed as it must be.
    Sign,
    /// The merchant may not do this.
    NoAuth,
    /// No such order.
    NoOrder,
    /// The order is paid.
    Paid,
    /// The order is closed.
    Closed,
    /// The order is reversed.
    Reversed,
    /// There is nothing paid that could be refunded.
    NothingPaid,
    /// No such refund.
    NoRefund,
    /// The payment is too old for a refund.
    Overdue,
    /// The refund is not possible as asked.
    Unrefundable,
    /// No such thing.
    NoResource,
    /// Nothing happened on that day.
    NoStatement,
    /// The buyer has to confirm.
    Waiting,
    /// The payment code's minute is over.
    CodeExpired,
    /// The payment code is not one of WeChat's.
    CodeInvalid,
    /// The payment code is no payment code at all.
    CodeError,
    /// The buyer has not the money.
    NotEnough,
    /// The buyer's card cannot pay this.
    CardRefused,
    /// Unknown whether anything happened.
    System,
    /// Unknown what the bank did.
    Bank,
}

impl Problem {
    /// HTTP status, `code` and the number in `Request-Id`. Where no source gives a number it is
    /// that of a refused request in general.
    pub(super) fn v3(self) -> (u16, &'static str, u32) {
        const GENERAL: u32 = 268_435_457;
        match self {
            Problem::Parameter | Problem::Missing => (400, "PARAM_ERROR", GENERAL),
            Problem::Request | Problem::Unrefundable => (400, "INVALID_REQUEST", GENERAL),
            Problem::Inconsistent => (400, "INVALID_REQUEST", 268_498_688),
            Problem::NumberUsed => (403, "OUT_TRADE_NO_USED", GENERAL),
            Problem::Mismatch => (400, "APPID_MCHID_NOT_MATCH", GENERAL),
            Problem::Sign => (401, "SIGN_ERROR", GENERAL),
            Problem::NoAuth => (403, "NO_AUTH", GENERAL),
            Problem::NoOrder => (404, "ORDER_NOT_EXIST", 268_512_771),
            Problem::Paid => (400, "ORDER_PAID", 268_449_538),
            Problem::Closed => (400, "ORDER_CLOSED", 268_447_914),
            Problem::Reversed => (403, "TRADE_ERROR", 268_447_914),
            Problem::NothingPaid | Problem::NoRefund | Problem::NoResource => {
                (404, "RESOURCE_NOT_EXISTS", GENERAL)
            }
            Problem::Overdue => (403, "TRADE_OVERDUE", GENERAL),
            Problem::NoStatement => (400, "NO_STATEMENT_EXIST", GENERAL),
            Problem::Waiting => (202, "USERPAYING", GENERAL),
            Problem::CodeExpired => (403, "AUTHCODEEXPIRE", GENERAL),
            Problem::CodeInvalid => (403, "AUTH_CODE_INVALID", GENERAL),
            Problem::CodeError => (400, "PARAM_ERROR", GENERAL),
            Problem::NotEnough => (403, "NOTENOUGH", GENERAL),
            Problem::CardRefused => (403, "NOTSUPORTCARD", GENERAL),
            Problem::System => (500, "SYSTEM_ERROR", 268_435_456),
            Problem::Bank => (500, "BANKERROR", 268_435_456),
        }
    }

    /// `err_code`.
    pub(super) fn v2(self) -> &'static str {
        match self {
            Problem::Parameter => "PARAM_ERROR",
            Problem::Missing => "LACK_PARAMS",
            Problem::Request => "INVALID_REQUEST",
            Problem::Inconsistent | Problem::NumberUsed => "OUT_TRADE_NO_USED",
            Problem::Mismatch => "APPID_MCHID_NOT_MATCH",
            Problem::Sign => "SIGNERROR",
            Problem::NoAuth => "NOAUTH",
            Problem::NoOrder => "ORDERNOTEXIST",
            Problem::Paid => "ORDERPAID",
            Problem::Closed => "ORDERCLOSED",
            Problem::Reversed => "ORDERREVERSED",
            Problem::NothingPaid => "INVALID_TRANSACTIONID",
            Problem::NoRefund | Problem::NoResource | Problem::NoStatement => "REFUNDNOTEXIST",
            Problem::Overdue => "TRADE_OVERDUE",
            Problem::Unrefundable => "ERROR",
            Problem::Waiting => "USERPAYING",
            Problem::CodeExpired => "AUTHCODEEXPIRE",
            Problem::CodeInvalid => "AUTH_CODE_INVALID",
            Problem::CodeError => "AUTH_CODE_ERROR",
            Problem::NotEnough => "NOTENOUGH",
            Problem::CardRefused => "NOTSUPORTCARD",
            Problem::System => "SYSTEMERROR",
            Problem::Bank => "BANKERROR",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Problem::Parameter => "参数错误",
            Problem::Missing => "缺少参数",
            Problem::Request => "无效请求",
            Problem::Inconsistent => "请求重入时，参数与首次请求时不一致",
            Problem::NumberUsed => "商户订单号重复",
            Problem::Mismatch => "appid和mch_id不匹配",
            Problem::Sign => "签名错误",
            Problem::NoAuth => "商户无权限",
            Problem::NoOrder => "订单不存在",
            Problem::Paid => "该订单已支付",
            Problem::Closed => "该订单已关闭",
            Problem::Reversed => "该订单已撤销",
            Problem::NothingPaid => "订单不存在或未支付",
            Problem::NoRefund => "退款单不存在",
            Problem::Overdue => "订单已超过可退款的最大期限",
            Problem::Unrefundable => "申请退款金额大于订单可退金额",
            Problem::NoResource => "资源不存在",
            Problem::NoStatement => "账单文件不存在",
            Problem::Waiting => "需要用户输入支付密码",
            Problem::CodeExpired => "二维码已过期，请用户在微信上刷新后再试",
            Problem::CodeInvalid => "请扫描微信支付被扫条码/二维码",
            Problem::CodeError => "付款码参数错误",
            Problem::NotEnough => "用户余额不足",
            Problem::CardRefused => "不支持的卡类型",
            Problem::System => "系统异常，请稍后重试",
            Problem::Bank => "银行系统异常",
        }
    }
}

/// Where in a v3 request a wrong field is.
#[derive(Clone, Debug, PartialEq)]
struct Detail {
    field: String,
    location: &'static str,
    issue: String,
}

/// A refusal, as it stands in an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) problem: Problem,
    pub(super) message: String,
    detail: Option<Detail>,
}

impl Failure {
    /// A refusal in other words than the usual.
    pub(super) fn new(problem: Problem, message: impl Into<String>) -> Failure {
        Failure {
            problem,
            message: message.into(),
            detail: None,
        }
    }

    /// A field of the body, by its JSON pointer or its v2 name, is wrong.
    pub(super) fn field(field: impl Into<String>, issue: impl Into<String>) -> Failure {
        Failure::at(Problem::Parameter, "body", field.into(), issue.into())
    }

    /// A field of the body is missing.
    pub(super) fn missing(field: impl Into<String>) -> Failure {
        Failure::at(Problem::Missing, "body", field.into(), "必填".to_owned())
    }

    /// A part of the path or the query is wrong or missing.
    pub(super) fn in_url(location: &'static str, field: &str, issue: &str) -> Failure {
        Failure::at(
            Problem::Parameter,
            location,
            field.to_owned(),
            issue.to_owned(),
        )
    }

    fn at(problem: Problem, location: &'static str, field: String, issue: String) -> Failure {
        Failure {
            problem,
            message: format!("{}：{field} {issue}", problem.words()),
            detail: Some(Detail {
                field,
                location,
                issue,
            }),
        }
    }

    /// The body of a v3 answer.
    pub(super) fn v3_body(&self) -> Value {
        let (_, code, _) = self.problem.v3();
        let mut body = json!({"code": code, "message": self.message});
        if let (Some(detail), Some(body)) = (&self.detail, body.as_object_mut()) {
            let detail = json!({
                "field": detail.field,
                "location": detail.location,
                "issue": detail.issue,
            });
            body.insert("detail".to_owned(), detail);
        }
        body
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::new(problem, problem.words())
    }
}
