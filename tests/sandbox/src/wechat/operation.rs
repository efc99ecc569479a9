//! The operations of both dialects, by their addresses.

use serde::{Deserialize, Serialize};

/// What a request asks for. In JSON by its name here in snake case, such as `v2_micropay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v3/pay/transactions/native`
    Native,
    /// `POST /v3/pay/transactions/jsapi`
    Jsapi,
    /// `POST /v3/pay/transactions/h5`
    H5,
    /// `POST /v3/pay/transactions/app`
    App,
    /// `POST /v3/pay/transactions/codepay`
    Codepay,
    /// `GET /v3/pay/transactions/out-trade-no/{out_trade_no}`
    Query,
    /// `GET /v3/pay/transactions/id/{transaction_id}`
    QueryById,
    /// `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close`
    Close,
    /// `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/reverse`
    Reverse,
    /// `POST /v3/refund/domestic/refunds`
    Refund,
    /// `GET /v3/refund/domestic/refunds/{out_refund_no}`
    RefundQuery,
    /// `POST /v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund`
    AbnormalRefund,
    /// `GET /v3/certificates`
    Certificates,
    /// `GET /v3/bill/tradebill`
    TradeBill,
    /// `GET /v3/billdownload/file`
    BillDownload,
    /// `POST /pay/unifiedorder`
    V2UnifiedOrder,
    /// `POST /pay/micropay`
    V2Micropay,
    /// `POST /pay/orderquery`
    V2OrderQuery,
    /// `POST /pay/closeorder`
    V2CloseOrder,
    /// `POST /secapi/pay/reverse`
    V2Reverse,
    /// `POST /secapi/pay/refund`
    V2Refund,
    /// `POST /pay/refundquery`
    V2RefundQuery,
}

impl Operation {
    /// Whether it is only for a client with its certificate.
    pub(super) fn needs_certificate(self) -> bool {
        matches!(self, Operation::V2Reverse | Operation::V2Refund)
    }

    /// The operation of v2 at a path.
    pub(super) fn v2(path: &str) -> Option<Operation> {
        Some(match path {
            "/pay/unifiedorder" => Operation::V2UnifiedOrder,
            "/pay/micropay" => Operation::V2Micropay,
            "/pay/orderquery" => Operation::V2OrderQuery,
            "/pay/closeorder" => Operation::V2CloseOrder,
            "/secapi/pay/reverse" => Operation::V2Reverse,
            "/secapi/pay/refund" => Operation::V2Refund,
            "/pay/refundquery" => Operation::V2RefundQuery,
            _ => return None,
        })
    }

    /// The operation of v3 at a path cut at its slashes, after `/v3`, with the number that the
    /// path names, as sent; and the method that it wants.
    pub(super) fn v3<'a>(path: &[&'a str]) -> Option<(Operation, Option<&'a str>, &'static str)> {
        const GET: &str = "GET";
        const POST: &str = "POST";
        let plain = |operation, method| Some((operation, None, method));
        match path {
            ["pay", "transactions", "native"] => plain(Operation::Native, POST),
            ["pay", "transactions", "jsapi"] => plain(Operation::Jsapi, POST),
            ["pay", "transactions", "h5"] => plain(Operation::H5, POST),
            ["pay", "transactions", "app"] => plain(Operation::App, POST),
            ["pay", "transactions", "codepay"] => plain(Operation::Codepay, POST),
            ["pay", "transactions", "id", id] => Some((Operation::QueryById, Some(id), GET)),
            ["pay", "transactions", "out-trade-no", rest @ ..] => match rest {
                [number] => Some((Operation::Query, Some(number), GET)),
                [number, "close"] => Some((Operation::Close, Some(number), POST)),
                [number, "reverse"] => Some((Operation::Reverse, Some(number), POST)),
                _ => None,
            },
            ["refund", "domestic", "refunds", rest @ ..] => match rest {
                [] => plain(Operation::Refund, POST),
                [number] => Some((Operation::RefundQuery, Some(number), GET)),
                [id, "apply-abnormal-refund"] => Some((Operation::AbnormalRefund, Some(id), POST)),
                _ => None,
            },
            ["certificates"] => plain(Operation::Certificates, GET),
            ["bill", "tradebill"] => plain(Operation::TradeBill, GET),
            ["billdownload", "file"] => plain(Operation::BillDownload, GET),
            _ => None,
        }
    }
}
