//! What `create` takes, and how it is read.

use std::fmt::Display;
use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::payment::error::{PayError, Result};
use crate::payment::model::{Ams, Buyer, Payment};
use crate::payment::money::Money;
use crate::trust::refuse_repeated_names;

/// How long a payment may be paid when `create` names no deadline: as long as the platforms' QR
/// codes are valid.
const DEFAULT_LIFE: Ams = 2 * 60 * 60 * 1000;
/// The latest deadline: Alipay closes what is not paid after 15 days.
const LONGEST_LIFE: Ams = 15 * 24 * 60 * 60 * 1000;
const MAX_BRIEF: usize = 512;
const MAX_NAME: usize = 256;
pub(super) const MAX_META: usize = 64 * 1024;
/// How deep metadata may be nested: deeper values break clients that read the payment.
pub(super) const MAX_META_DEPTH: usize = 32;

/// A fee as callers write it: `2300`, `"2300"` or `"2300RMB"`, in minor units.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub(crate) enum Fee {
    /// As a number.
    Minor(i64),
    /// As a text, with its currency or without.
    Text(String),
    /// What is none.
    #[schemars(skip)]
    Other(Value),
}

impl Fee {
    /// As it was written.
    pub(crate) fn into_text(self) -> String {
        match self {
            Fee::Minor(minor) => minor.to_string(),
            Fee::Text(text) => text,
            Fee::Other(other) => other.to_string(),
        }
    }
}

/// What `create` takes. Everything else at the top level is metadata.
#[derive(Deserialize, Default, schemars::JsonSchema)]
#[serde(expecting = "an object")]
pub struct CreateRequest {
    /// What it is for, in words for the buyer: at most 512 bytes.
    pub(super) brief: Option<String>,
    /// What is to be paid: minor units, with the currency behind them where `cur` does not say it.
    pub(super) fee: Option<Fee>,
    /// `RMB` where nobody says otherwise.
    pub(super) cur: Option<String>,
    /// What it cost before a discount, in minor units.
    pub(super) price: Option<i64>,
    /// `TYPE:ID` or `TYPE:ID:NAME`.
    pub(super) buyer: Option<String>,
    /// 1 for a Walnut user, 2 for one of the domain: instead of `buyer`.
    pub(super) buyer_tp: Option<u8>,
    /// Instead of `buyer`.
    pub(super) buyer_id: Option<String>,
    /// Instead of `buyer`.
    pub(super) buyer_nm: Option<String>,
    /// A domain's name or id; another than the caller's own only for `root`.
    pub(super) seller: Option<String>,
    /// The name of the domain's callback that runs when it is paid.
    pub(super) callback: Option<String>,
    /// Until when it may be paid: in two hours where nobody says otherwise, in 15 days at most.
    pub(super) expi: Option<Ams>,
    /// Whether it is a test payment; those of a test key are.
    pub(super) test: Option<bool>,
    /// Sends at once when given.
    pub pay_tp: Option<String>,
    /// With `pay_tp`.
    pub pay_target: Option<String>,
    /// With `pay_tp`: what the pay type takes, such as the buyer's code at a till.
    #[serde(default, deserialize_with = "read_args")]
    pub args: Vec<String>,
    /// The buyer's address.
    pub client_ip: Option<String>,
    #[serde(flatten)]
    pub(super) meta: Map<String, Value>,
}

impl CreateRequest {
    /// Reads the body of a request.
    pub fn parse(body: &[u8]) -> Result<CreateRequest> {
        let wrong = |error: &dyn Display| {
            PayError::invalid(format!(
                "the body has to be a JSON object of the payment: {error}"
            ))
        };
        let text = str::from_utf8(body).map_err(|error| wrong(&error))?;
        let request = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        // Of metadata the last would win, without a word.
        refuse_repeated_names(text).map_err(|error| wrong(&error))?;
        Ok(request)
    }

    /// Reads everything that says by itself whether it is right.
    pub(crate) fn read_through(&self, now: Ams) -> Result<()> {
        read_fee(self)?;
        read_price(self)?;
        read_brief(self)?;
        read_deadline(self.expi, now)?;
        read_buyer(self)?;
        read_client_ip(self.client_ip.as_deref())?;
        Ok(())
    }
}

/// The buyer's code is among them: nothing of what stands there is told.
fn read_args<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Vec<String>, D::Error> {
    let read = Vec::deserialize(deserializer);
    read.map_err(|_| D::Error::custom("args has to be a list of texts"))
}

/// Whether a value has at most so many levels of lists and objects.
pub(super) fn is_shallow(value: &Value, levels: usize) -> bool {
    let inner = |below: &Value| levels > 0 && is_shallow(below, levels - 1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(inner),
        Value::Object(members) => levels > 0 && members.values().all(inner),
        _ => true,
    }
}

/// The buyer's address, in its usual form; platforms refuse anything else.
pub(in crate::payment) fn read_client_ip(written: Option<&str>) -> Result<Option<String>> {
    let Some(written) = written.map(str::trim).filter(|ip| !ip.is_empty()) else {
        return Ok(None);
    };
    match written.parse::<IpAddr>() {
        Ok(ip) => Ok(Some(ip.to_string())),
        Err(_) => Err(PayError::invalid(
            "client_ip is not an IP address, such as 203.0.113.7 or 2001:db8::1",
        )),
    }
}

pub(super) fn read_fee(request: &CreateRequest) -> Result<Money> {
    let text = match &request.fee {
        None => {
            return Err(PayError::invalid_fee(
                "give the fee in minor units, such as 2300 or \"2300RMB\"",
            ));
        }
        Some(Fee::Minor(minor)) => minor.to_string(),
        Some(Fee::Text(text)) => text.clone(),
        Some(Fee::Other(other)) => other.to_string(),
    };
    Money::parse(&text, request.cur.as_deref())
        .map_err(|error| PayError::invalid_fee(error.to_string()))
}

pub(super) fn read_price(request: &CreateRequest) -> Result<Option<i64>> {
    match request.price {
        Some(price) if !(0..=Money::MAX_MINOR).contains(&price) => {
            Err(PayError::invalid_fee("the price is out of range"))
        }
        price => Ok(price),
    }
}

pub(super) fn read_brief(request: &CreateRequest) -> Result<String> {
    let brief = request.brief.as_deref().unwrap_or("").trim();
    if brief.len() > MAX_BRIEF {
        return Err(PayError::invalid(format!(
            "the brief has more than {MAX_BRIEF} bytes"
        )));
    }
    Ok(brief.to_owned())
}

pub(super) fn read_deadline(expi: Option<Ams>, now: Ams) -> Result<Ams> {
    match expi {
        None | Some(0) => Ok(now + DEFAULT_LIFE),
        Some(at) if at <= now => Err(PayError::invalid(
            "expi lies in the past: give milliseconds since 1970",
        )),
        Some(at) if at > now + LONGEST_LIFE => Err(PayError::invalid(
            "expi is more than 15 days away: platforms close payments then",
        )),
        Some(at) => Ok(at),
    }
}

pub(super) fn read_buyer(request: &CreateRequest) -> Result<Buyer> {
    let text = |value: &Option<String>| value.as_deref().unwrap_or("").trim().to_owned();
    let mut buyer = Buyer {
        tp: request.buyer_tp.unwrap_or(0),
        id: text(&request.buyer_id),
        name: text(&request.buyer_nm),
    };
    if buyer.tp > 2 {
        return Err(PayError::invalid_buyer("buyer_tp is 0, 1 or 2"));
    }
    if let Some(written) = request
        .buyer
        .as_deref()
        .map(str::trim)
        .filter(|b| !b.is_empty())
    {
        let mut parts = written.splitn(3, ':');
        let (kind, id) = (
            parts.next().unwrap_or("").trim(),
            parts.next().unwrap_or("").trim(),
        );
        if !written.contains(':') {
            return Err(PayError::invalid_buyer(
                "write the buyer as TYPE:ID, such as walnut:45 or members:a1",
            ));
        }
        if kind.is_empty() || id.is_empty() {
            return Err(PayError::buyer_imperfect(
                "the buyer needs a type and an id: TYPE:ID",
            ));
        }
        buyer.tp = if kind == "walnut" { 1 } else { 2 };
        buyer.id = id.to_owned();
        if let Some(name) = parts.next() {
            buyer.name = name.trim().to_owned();
        }
    }
    if buyer.tp != 0 && buyer.id.is_empty() && buyer.name.is_empty() {
        return Err(PayError::buyer_imperfect(
            "the buyer has a type but neither id nor name",
        ));
    }
    if buyer.id.len() > MAX_NAME || buyer.name.len() > MAX_NAME {
        return Err(PayError::invalid_buyer(
            "the buyer's id or name has more than 256 bytes",
        ));
    }
    Ok(buyer)
}

/// The account library of a buyer written as `LIBRARY:ID`, kept beside the id.
pub(super) fn note_library(payment: &mut Payment, written: Option<&str>) {
    let library = written
        .and_then(|written| written.split_once(':'))
        .map(|(kind, _)| kind.trim());
    if let Some(library) = library.filter(|_| payment.buyer.tp == 2) {
        payment.meta.insert("buyer_lib".into(), json!(library));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_nested_so_deep_and_no_deeper() {
        let nested = |levels: usize| {
            (0..levels).fold(json!(1), |inner, level| match level % 2 {
                0 => json!([inner]),
                _ => json!({ "a": inner }),
            })
        };
        assert!(is_shallow(&nested(MAX_META_DEPTH), MAX_META_DEPTH));
        assert!(!is_shallow(&nested(MAX_META_DEPTH + 1), MAX_META_DEPTH));
        assert!(is_shallow(&json!("text"), 0) && !is_shallow(&json!({}), 0));
    }

    #[test]
    fn a_code_in_a_wrong_form_is_not_told() {
        let one = br#"{"fee":1,"pay_tp":"zfb.scan","args":["280000000000000001"]}"#;
        assert_eq!(CreateRequest::parse(one).unwrap().args.len(), 1);
        for args in ["\"280000000000000001\"", "280000000000000001", "{}", "[1]"] {
            let body = format!(r#"{{"fee":1,"args":{args}}}"#);
            let refused = CreateRequest::parse(body.as_bytes()).map(drop).unwrap_err();
            let said = refused.message();
            assert!(said.contains("args has to be a list of texts"), "{said}");
            assert!(!said.contains("28000"), "{said}");
        }
    }

    #[test]
    fn the_buyers_address_is_one() {
        for (written, read) in [
            (None, None),
            (Some(" "), None),
            (Some(" 203.0.113.7 "), Some("203.0.113.7")),
            (Some("2001:DB8:0::1"), Some("2001:db8::1")),
        ] {
            assert_eq!(read_client_ip(written).unwrap().as_deref(), read);
        }
        for wrong in ["localhost", "203.0.113.7:80", "203.0.113.07", "<script>"] {
            assert!(read_client_ip(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
