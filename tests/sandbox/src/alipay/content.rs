//! `biz_content`: the fields of each operation and their rules.
//!
//! Stricter than Alipay in one thing: a field that the operation does not have is refused, where
//! Alipay drops it in silence, because a misspelt `time_expire` costs a merchant real money.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::clock::{self, Span};
use super::failure::Failure;
use super::fen::Fen;

/// How long a QR code may be paid at most, and what it gets without a limit of its own.
const CODE_LIFE: Span = Span::For(std::time::Duration::from_secs(2 * 60 * 60));

/// The fields of `alipay.trade.precreate` as they come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrecreateFields {
    out_trade_no: Option<String>,
    total_amount: Option<Box<RawValue>>,
    subject: Option<String>,
    product_code: Option<String>,
    seller_id: Option<String>,
    body: Option<String>,
    goods_detail: Option<Vec<Map<String, Value>>>,
    extend_params: Option<Map<String, Value>>,
    discountable_amount: Option<Box<RawValue>>,
    undiscountable_amount: Option<Box<RawValue>>,
    time_expire: Option<String>,
    timeout_express: Option<String>,
    qr_code_timeout_express: Option<String>,
    passback_params: Option<String>,
    store_id: Option<String>,
    operator_id: Option<String>,
    terminal_id: Option<String>,
    merchant_order_no: Option<String>,
}

/// An order as the merchant described it. Two requests for one number must be equal in all of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OrderContent {
    pub(super) out_trade_no: String,
    pub(super) total: Fen,
    pub(super) subject: String,
    pub(super) body: Option<String>,
    pub(super) passback_params: Option<String>,
    time_expire: Option<OffsetDateTime>,
    timeout: Option<Span>,
    code_timeout: Option<Span>,
    /// Every other field, for the comparison alone.
    others: Vec<Option<Value>>,
}

impl OrderContent {
    /// Reads and checks the fields of `alipay.trade.precreate`.
    pub(super) fn read(
        text: &str,
        seller_id: &str,
        now: OffsetDateTime,
    ) -> Result<OrderContent, Failure> {
        let fields: PrecreateFields = json(text)?;
        let total = fields
            .total_amount
            .as_deref()
            .ok_or_else(|| Failure::field("total_amount"))?;
        let total = amount("total_amount", total)?;
        if total < Fen::SMALLEST {
            return Err(Failure::field("total_amount"));
        }
        if total > Fen::LARGEST {
            return Err(Failure::business(
                "ACQ.TOTAL_FEE_EXCEED",
                "订单总金额超过限额",
            ));
        }
        if fields
            .seller_id
            .as_deref()
            .is_some_and(|id| !id.is_empty() && id != seller_id)
        {
            return Err(Failure::field("seller_id"));
        }
        if !matches!(
            fields.product_code.as_deref(),
            None | Some("FACE_TO_FACE_PAYMENT" | "QR_CODE_OFFLINE")
        ) {
            return Err(Failure::field("product_code"));
        }
        let time_expire = match fields.time_expire.as_deref() {
            None => None,
            Some(text) => Some(
                clock::parse(text)
                    .filter(|at| *at > now)
                    .ok_or_else(|| Failure::field("time_expire"))?,
            ),
        };
        let discounts = [
            ("discountable_amount", fields.discountable_amount),
            ("undiscountable_amount", fields.undiscountable_amount),
        ];
        let mut others = Vec::new();
        for (name, value) in discounts {
            let part = value.map(|value| amount(name, &value)).transpose()?;
            if part.is_some_and(|part| part > total) {
                return Err(Failure::field(name));
            }
            others.push(part.map(|part| Value::String(part.to_string())));
        }
        others.push(
            fields
                .goods_detail
                .map(|goods| goods.into_iter().map(Value::Object).collect()),
        );
        others.push(fields.extend_params.map(Value::Object));
        let names = [
            fields.product_code,
            fields.seller_id,
            fields.store_id,
            fields.operator_id,
            fields.terminal_id,
            fields.merchant_order_no,
        ];
        others.extend(names.map(|name| name.map(Value::String)));
        Ok(OrderContent {
            out_trade_no: trade_number(fields.out_trade_no)?,
            total,
            subject: subject(fields.subject)?,
            body: fields.body,
            passback_params: fields.passback_params,
            time_expire,
            timeout: span("timeout_express", fields.timeout_express)?,
            code_timeout: span("qr_code_timeout_express", fields.qr_code_timeout_express)?,
            others,
        })
    }

    /// Until when a code made at this time may be scanned.
    pub(super) fn code_ends(&self, made: OffsetDateTime) -> OffsetDateTime {
        let own = self.code_timeout.unwrap_or(CODE_LIFE).end(made);
        let ends = own.min(CODE_LIFE.end(made));
        self.time_expire.map_or(ends, |limit| limit.min(ends))
    }

    /// Until when a trade that began with this scan may be paid: `timeout_express` counts from
    /// the scan, `qr_code_timeout_express` from the code, `time_expire` is absolute.
    pub(super) fn trade_ends(
        &self,
        code_made: OffsetDateTime,
        scanned: OffsetDateTime,
    ) -> OffsetDateTime {
        let longest = Span::For(std::time::Duration::from_secs(15 * 24 * 60 * 60));
        let mut ends = self.timeout.unwrap_or(longest).end(scanned);
        if let Some(span) = self.code_timeout {
            ends = ends.min(span.end(code_made));
        }
        self.time_expire.map_or(ends, |limit| limit.min(ends))
    }
}

/// Which trade `query`, `close` and `cancel` are about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    pub(super) out_trade_no: Option<String>,
    pub(super) trade_no: Option<String>,
    #[serde(rename = "operator_id")]
    _operator_id: Option<String>,
    #[serde(rename = "org_pid")]
    _org_pid: Option<String>,
    #[serde(rename = "query_options")]
    _query_options: Option<Vec<String>>,
}

impl Reference {
    /// Reads the fields; at least one number must be there.
    pub(super) fn read(text: &str) -> Result<Reference, Failure> {
        let mut reference: Reference = json(text)?;
        reference.trade_no = reference.trade_no.filter(|number| !number.is_empty());
        reference.out_trade_no = reference.out_trade_no.filter(|number| !number.is_empty());
        if let Some(number) = reference.out_trade_no.take() {
            reference.out_trade_no = Some(trade_number(Some(number))?);
        }
        if reference
            .trade_no
            .as_deref()
            .is_some_and(|number| number.len() > 64)
        {
            return Err(Failure::field("trade_no"));
        }
        if reference.trade_no.is_none() && reference.out_trade_no.is_none() {
            return Err(Failure::field("out_trade_no 与 trade_no 不能同时为空"));
        }
        Ok(reference)
    }
}

/// The order's number in any operation, readable or not, to match misbehaviours by.
pub(super) fn named_trade(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("out_trade_no")?.as_str().map(str::to_owned)
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

/// At most 256 characters, none of them `/`, `=` or `&`.
fn subject(subject: Option<String>) -> Result<String, Failure> {
    let subject = subject.unwrap_or_default();
    let fits = (1..=256).contains(&subject.chars().count()) && !subject.contains(['/', '=', '&']);
    fits.then_some(subject)
        .ok_or_else(|| Failure::field("subject"))
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

fn span(name: &str, text: Option<String>) -> Result<Option<Span>, Failure> {
    text.map(|text| Span::parse(&text).ok_or_else(|| Failure::field(name)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OrderContent, &'static str> {
        let now = clock::parse("2026-01-01 12:00:00").unwrap();
        OrderContent::read(text, "2088000000000001", now).map_err(|failure| failure.sub_code)
    }

    #[test]
    fn an_order_is_read_with_its_limits() {
        let order = read(
            r#"{"out_trade_no":"a_1","total_amount":88.8,"subject":"茶","timeout_express":"30m",
                "qr_code_timeout_express":"10m","time_expire":"2026-01-01 12:05:00"}"#,
        )
        .unwrap();
        assert_eq!(order.total, Fen::new(8880));
        let at = |text| clock::parse(text).unwrap();
        assert_eq!(
            order.code_ends(at("2026-01-01 12:00:00")),
            at("2026-01-01 12:05:00")
        );
        let plain =
            read(r#"{"out_trade_no":"a_1","total_amount":"88.80","subject":"茶"}"#).unwrap();
        assert_eq!(plain.total, order.total);
        assert_eq!(
            plain.code_ends(at("2026-01-01 12:00:00")),
            at("2026-01-01 14:00:00")
        );
        let (made, scanned) = (at("2026-01-01 12:00:00"), at("2026-01-01 13:00:00"));
        assert_eq!(plain.trade_ends(made, scanned), at("2026-01-16 13:00:00"));
    }

    #[test]
    fn each_wrong_field_has_its_code() {
        let with = |change: &str| {
            let mut order: Map<String, Value> = serde_json::from_str(
                r#"{"out_trade_no":"a1","total_amount":"1.00","subject":"tea"}"#,
            )
            .unwrap();
            let change: Map<String, Value> = serde_json::from_str(change).unwrap();
            order.extend(change);
            read(&Value::Object(order).to_string()).err()
        };
        let long = "9".repeat(65);
        let wide = "茶".repeat(257);
        assert_eq!(with("{}"), None);
        assert_eq!(
            with(&format!(r#"{{"subject":"{}"}}"#, "茶".repeat(256))),
            None
        );
        let acq = Some("ACQ.INVALID_PARAMETER");
        for change in [
            r#"{"out_trade_no":"a-1"}"#.to_owned(),
            r#"{"out_trade_no":null}"#.to_owned(),
            format!(r#"{{"out_trade_no":"{long}"}}"#),
            r#"{"total_amount":"1.001"}"#.to_owned(),
            r#"{"total_amount":"0.00"}"#.to_owned(),
            r#"{"total_amount":"-1.00"}"#.to_owned(),
            r#"{"total_amount":{}}"#.to_owned(),
            r#"{"subject":"a/b"}"#.to_owned(),
            r#"{"subject":"a=b"}"#.to_owned(),
            r#"{"subject":""}"#.to_owned(),
            format!(r#"{{"subject":"{wide}"}}"#),
            r#"{"timeout_express":"16d"}"#.to_owned(),
            r#"{"time_expire":"2026-01-01 11:59:59"}"#.to_owned(),
            r#"{"time_expire":"2026-01-01T12:59:59"}"#.to_owned(),
            r#"{"seller_id":"2088000000000002"}"#.to_owned(),
            r#"{"product_code":"QUICK_WAP_WAY"}"#.to_owned(),
            r#"{"discountable_amount":"1.01"}"#.to_owned(),
        ] {
            assert_eq!(with(&change), acq, "{change}");
        }
        assert_eq!(
            with(r#"{"total_amount":"100000000.01"}"#),
            Some("ACQ.TOTAL_FEE_EXCEED")
        );
        for change in [
            r#"{"out_trade_no":1}"#,
            r#"{"subject":["tea"]}"#,
            r#"{"goods_detail":{}}"#,
            r#"{"timeexpire":"1m"}"#,
        ] {
            assert_eq!(with(change), Some("isv.invalid-parameter"), "{change}");
        }
        assert_eq!(
            read(r#"{"out_trade_no":"a1","out_trade_no":"a2"}"#).err(),
            Some("isv.invalid-parameter")
        );
        assert_eq!(read(r#"{"out_trade_no":"#).err(), Some("isv.illegal-json"));
    }
}
