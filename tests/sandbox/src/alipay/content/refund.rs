//! `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::failure::Failure;
use super::super::fen::Fen;
use super::{Reference, json, needed_amount};

/// The fields of `alipay.trade.refund` as they come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundFields {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    refund_amount: Option<Box<RawValue>>,
    refund_reason: Option<String>,
    out_request_no: Option<String>,
    query_options: Option<Vec<String>>,
    #[serde(rename = "operator_id")]
    _operator_id: Option<String>,
    #[serde(rename = "store_id")]
    _store_id: Option<String>,
    #[serde(rename = "terminal_id")]
    _terminal_id: Option<String>,
    #[serde(rename = "org_pid")]
    _org_pid: Option<String>,
    #[serde(rename = "goods_detail")]
    _goods_detail: Option<Vec<Map<String, Value>>>,
}

/// A refund as the merchant asks for it.
pub(in crate::alipay) struct RefundContent {
    pub(in crate::alipay) trade: Reference,
    pub(in crate::alipay) amount: Fen,
    /// The merchant's number of the refund; none where it relies on the order's own.
    pub(in crate::alipay) request_no: Option<String>,
    pub(in crate::alipay) reason: Option<String>,
    /// Whether the answer shall list where the money went.
    pub(in crate::alipay) wants_details: bool,
}

impl RefundContent {
    /// A refund by Alipay's console, under a number of Alipay's own.
    pub(in crate::alipay) fn by_hand(amount: Fen, request_no: String) -> RefundContent {
        RefundContent {
            trade: Reference {
                out_trade_no: None,
                trade_no: None,
            },
            amount,
            request_no: Some(request_no),
            reason: None,
            wants_details: false,
        }
    }

    /// Reads and checks the fields.
    pub(in crate::alipay) fn read(text: &str) -> Result<RefundContent, Failure> {
        let fields: RefundFields = json(text)?;
        let long = |text: &str| text.chars().count() > 256;
        if fields.refund_reason.as_deref().is_some_and(long) {
            return Err(Failure::field("refund_reason"));
        }
        let options = fields.query_options.unwrap_or_default();
        Ok(RefundContent {
            trade: Reference::of(fields.out_trade_no, fields.trade_no)?,
            amount: needed_amount("refund_amount", fields.refund_amount.as_deref())?,
            request_no: request_number(fields.out_request_no)?,
            reason: fields.refund_reason,
            wants_details: options.iter().any(|name| name == "refund_detail_item_list"),
        })
    }
}

/// Which refund `alipay.trade.fastpay.refund.query` asks about.
pub(in crate::alipay) struct RefundQuestion {
    pub(in crate::alipay) trade: Reference,
    pub(in crate::alipay) request_no: String,
    /// Whether the answer shall say when the money went.
    pub(in crate::alipay) wants_time: bool,
}

impl RefundQuestion {
    /// Reads and checks the fields.
    pub(in crate::alipay) fn read(text: &str) -> Result<RefundQuestion, Failure> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            out_trade_no: Option<String>,
            trade_no: Option<String>,
            out_request_no: Option<String>,
            query_options: Option<Vec<String>>,
            #[serde(rename = "org_pid")]
            _org_pid: Option<String>,
        }
        let fields: Fields = json(text)?;
        let options = fields.query_options.unwrap_or_default();
        Ok(RefundQuestion {
            trade: Reference::of(fields.out_trade_no, fields.trade_no)?,
            request_no: request_number(fields.out_request_no)?
                .ok_or_else(|| Failure::field("out_request_no"))?,
            wants_time: options.iter().any(|name| name == "gmt_refund_pay"),
        })
    }
}

/// At most 64 characters; an empty one counts as none.
fn request_number(number: Option<String>) -> Result<Option<String>, Failure> {
    let number = number.filter(|number| !number.is_empty());
    if number.as_deref().is_some_and(|number| number.len() > 64) {
        return Err(Failure::field("out_request_no"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<String> {
        let read = RefundContent::read(text);
        read.err().map(|failure| failure.sub_code.into_owned())
    }

    #[test]
    fn a_refund_names_its_trade_and_its_amount() {
        let read = RefundContent::read(
            r#"{"out_trade_no":"a1","refund_amount":0.1,"out_request_no":"r1",
                "query_options":["refund_detail_item_list"]}"#,
        )
        .unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!((read.amount, read.wants_details), (Fen::new(10), true));
        assert_eq!(read.request_no.as_deref(), Some("r1"));
        let long = "退".repeat(257);
        for wrong in [
            r#"{"refund_amount":"0.10"}"#.to_owned(),
            r#"{"out_trade_no":"a1"}"#.to_owned(),
            r#"{"out_trade_no":"a1","refund_amount":"0.00"}"#.to_owned(),
            r#"{"out_trade_no":"a1","refund_amount":"0.001"}"#.to_owned(),
            r#"{"out_trade_no":"a-1","refund_amount":"0.10"}"#.to_owned(),
            format!(r#"{{"out_trade_no":"a1","refund_amount":"1","refund_reason":"{long}"}}"#),
            format!(
                r#"{{"trade_no":"1","refund_amount":"1","out_request_no":"{}"}}"#,
                "r".repeat(65)
            ),
        ] {
            assert_eq!(
                code(&wrong).as_deref(),
                Some("ACQ.INVALID_PARAMETER"),
                "{wrong}"
            );
        }
        let unknown = r#"{"trade_no":"1","refund_amount":"1","refund_fee":"1"}"#;
        assert_eq!(code(unknown).as_deref(), Some("isv.invalid-parameter"));
        assert!(RefundQuestion::read(r#"{"out_trade_no":"a1"}"#).is_err());
    }
}
