//! `biz_content`: the fields of each operation and their rules.
//!
//! Stricter than Alipay in one thing: a field that the operation does not have is refused, where
//! Alipay drops it in silence, because a misspelt `time_expire` costs a merchant real money.

mod fields;
mod order;
mod reference;
mod refund;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::clock::{Period, Span};
use super::failure::Failure;
use super::fen::Fen;

pub use order::OrderKind;
pub(super) use order::{OrderContent, Scene};
pub(super) use reference::Reference;
pub(super) use refund::{RefundContent, RefundQuestion};

/// The order's number in any operation, readable or not, to match misbehaviours by.
pub(super) fn named_trade(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("out_trade_no")?.as_str().map(str::to_owned)
}

/// Which bill `alipay.data.dataservice.bill.downloadurl.query` asks for.
pub(super) struct BillContent {
    pub(super) kind: String,
    /// As it was written, `yyyy-MM-dd` or `yyyy-MM`.
    pub(super) date: String,
    pub(super) period: Period,
}

impl BillContent {
    /// Reads and checks the fields.
    pub(super) fn read(text: &str) -> Result<BillContent, Failure> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            bill_type: Option<String>,
            bill_date: Option<String>,
        }
        let wrong = || Failure::business("isv.invalid_arguments");
        let fields: Fields = json(text)?;
        let kind = fields.bill_type.ok_or_else(wrong)?;
        let date = fields.bill_date.ok_or_else(wrong)?;
        if !matches!(kind.as_str(), "trade" | "signcustomer") {
            return Err(wrong());
        }
        Ok(BillContent {
            period: Period::parse(&date).ok_or_else(wrong)?,
            kind,
            date,
        })
    }
}

/// The number that `alipay.open.app.alipaycert.download` asks for.
pub(super) fn certificate_sn(text: &str) -> Result<String, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        alipay_cert_sn: Option<String>,
    }
    let fields: Fields = json(text)?;
    fields
        .alipay_cert_sn
        .filter(|sn| !sn.is_empty())
        .ok_or_else(|| Failure::parameter("alipay_cert_sn"))
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            Failure::parameter(error)
        } else {
            Failure::invalid("isv.illegal-json", "biz_content 不是合法的JSON")
        }
    })
}

/// At most 64 letters, digits and underscores; a dash is refused.
fn trade_number(number: Option<String>) -> Result<String, Failure> {
    let number = number.unwrap_or_default();
    let fits = (1..=64).contains(&number.len())
        && number
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then_some(number)
        .ok_or_else(|| Failure::field("out_trade_no"))
}

/// Yuan as a JSON string or number, read from the very digits: no float in between.
fn amount(name: &str, raw: &RawValue) -> Result<Fen, Failure> {
    let text = raw.get();
    let text = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').unwrap_or_default(),
        None => text,
    };
    Fen::parse(text).ok_or_else(|| Failure::field(name))
}

/// An amount that has to be there and is at least the smallest.
fn needed_amount(name: &str, raw: Option<&RawValue>) -> Result<Fen, Failure> {
    let amount = amount(name, raw.ok_or_else(|| Failure::field(name))?)?;
    if amount < Fen::SMALLEST {
        return Err(Failure::field(name));
    }
    Ok(amount)
}

fn span(name: &str, text: Option<String>) -> Result<Option<Span>, Failure> {
    text.map(|text| Span::parse(&text).ok_or_else(|| Failure::field(name)))
        .transpose()
}
