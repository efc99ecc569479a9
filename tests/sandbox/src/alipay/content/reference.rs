//! Which trade a request is about.

use serde::Deserialize;

use super::super::failure::Failure;
use super::{json, trade_number};

/// Which trade `query`, `close`, `cancel` and refunds are about.
#[derive(Clone, Debug)]
pub(in crate::alipay) struct Reference {
    pub(in crate::alipay) out_trade_no: Option<String>,
    pub(in crate::alipay) trade_no: Option<String>,
}

/// The fields of `query`, `close` and `cancel` as they come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    #[serde(rename = "operator_id")]
    _operator_id: Option<String>,
    #[serde(rename = "org_pid")]
    _org_pid: Option<String>,
    #[serde(rename = "query_options")]
    _query_options: Option<Vec<String>>,
}

impl Reference {
    /// Reads the fields of `query`, `close` and `cancel`.
    pub(in crate::alipay) fn read(text: &str) -> Result<Reference, Failure> {
        let fields: Fields = json(text)?;
        Reference::of(fields.out_trade_no, fields.trade_no)
    }

    /// Checks the two numbers; at least one must be there.
    pub(super) fn of(
        out_trade_no: Option<String>,
        trade_no: Option<String>,
    ) -> Result<Reference, Failure> {
        let given = |number: Option<String>| number.filter(|number| !number.is_empty());
        let (out_trade_no, trade_no) = (given(out_trade_no), given(trade_no));
        if trade_no.as_deref().is_some_and(|number| number.len() > 64) {
            return Err(Failure::field("trade_no"));
        }
        if trade_no.is_none() && out_trade_no.is_none() {
            return Err(Failure::field("out_trade_no 与 trade_no 不能同时为空"));
        }
        let out_trade_no = match out_trade_no {
            Some(number) => Some(trade_number(Some(number))?),
            None => None,
        };
        Ok(Reference {
            out_trade_no,
            trade_no,
        })
    }
}
