//! An order: `alipay.trade.precreate`, `pay`, `page.pay` and `wap.pay`.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::super::clock::{self, Span};
use super::super::failure::Failure;
use super::super::fen::Fen;
use super::fields::Fields;
use super::{amount, json, needed_amount, span, trade_number};

/// How long a QR code may be paid at most, and what it gets without a limit of its own.
const CODE_LIFE: Span = Span::For(std::time::Duration::from_secs(2 * 60 * 60));

/// How long a trade may be paid at most, and without a limit of its own.
const TRADE_LIFE: Span = Span::For(std::time::Duration::from_secs(15 * 24 * 60 * 60));

/// How long a trade at the till may be paid without a limit of its own.
const TILL_LIFE: Span = Span::For(std::time::Duration::from_secs(3 * 60 * 60));

/// How an order reaches its buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// `alipay.trade.precreate`: the buyer scans a QR code.
    QrCode,
    /// `alipay.trade.pay`: the till reads the buyer's code.
    Till,
    /// `alipay.trade.page.pay`: the buyer's browser comes to a page.
    Page,
    /// `alipay.trade.wap.pay`: the browser of the buyer's phone comes to a page.
    Wap,
}

/// Where the till read the buyer's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::alipay) enum Scene {
    /// From the phone's screen.
    Bar(String),
    /// By a camera, from the face.
    Face(String),
}

/// An order as the merchant described it. Two requests for one number must be equal in all of it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::alipay) struct OrderContent {
    pub(in crate::alipay) kind: OrderKind,
    pub(in crate::alipay) out_trade_no: String,
    pub(in crate::alipay) total: Fen,
    pub(in crate::alipay) subject: String,
    pub(in crate::alipay) body: Option<String>,
    pub(in crate::alipay) passback_params: Option<String>,
    pub(in crate::alipay) store_id: Option<String>,
    /// Where the buyer goes who leaves the page of `wap.pay`.
    pub(in crate::alipay) quit_url: Option<String>,
    time_expire: Option<OffsetDateTime>,
    timeout: Option<Span>,
    code_timeout: Option<Span>,
    /// Every other field, for the comparison alone.
    others: Vec<Option<Value>>,
}

impl OrderContent {
    /// Reads and checks the fields of one of the operations.
    pub(in crate::alipay) fn read(
        kind: OrderKind,
        text: &str,
        seller_id: &str,
        now: OffsetDateTime,
    ) -> Result<OrderContent, Failure> {
        let fields: Fields = json(text)?;
        fields.belong_to(kind)?;
        OrderContent::of(fields, kind, seller_id, now)
    }

    /// Reads and checks the fields of `alipay.trade.pay`.
    pub(in crate::alipay) fn read_till(
        text: &str,
        seller_id: &str,
        now: OffsetDateTime,
    ) -> Result<(OrderContent, Scene), Failure> {
        let mut fields: Fields = json(text)?;
        fields.belong_to(OrderKind::Till)?;
        // The code is of this try, not of the order: another buyer may pay the same order.
        let code = fields.auth_code.take().filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| Failure::field("auth_code"))?;
        let scene = match fields.scene.take().as_deref() {
            None | Some("bar_code") => Scene::Bar(code),
            Some("security_code") => Scene::Face(code),
            Some(_) => return Err(Failure::field("scene")),
        };
        Ok((
            OrderContent::of(fields, OrderKind::Till, seller_id, now)?,
            scene,
        ))
    }

    /// What the fields say together.
    fn of(
        fields: Fields,
        kind: OrderKind,
        seller_id: &str,
        now: OffsetDateTime,
    ) -> Result<OrderContent, Failure> {
        let total = needed_amount("total_amount", fields.total_amount.as_deref())?;
        if total > Fen::LARGEST {
            return Err(Failure::business("ACQ.TOTAL_FEE_EXCEED"));
        }
        fields.check(kind, seller_id)?;
        let time_expire = match fields.time_expire.as_deref() {
            None => None,
            Some(text) => Some(
                clock::parse(text)
                    .filter(|at| *at > now)
                    .ok_or_else(|| Failure::field("time_expire"))?,
            ),
        };
        let mut others = Vec::new();
        for (name, value) in [
            ("discountable_amount", fields.discountable_amount),
            ("undiscountable_amount", fields.undiscountable_amount),
        ] {
            let part = value.map(|value| amount(name, &value)).transpose()?;
            if part.is_some_and(|part| part > total) {
                return Err(Failure::field(name));
            }
            others.push(part.map(|part| Value::String(part.to_string())));
        }
        let goods = fields
            .goods_detail
            .map(|goods| goods.into_iter().map(Value::Object).collect());
        others.push(goods);
        others.push(fields.extend_params.map(Value::Object));
        others.push(fields.qrcode_width.map(Value::from));
        let names = [
            fields.product_code,
            fields.seller_id,
            fields.operator_id,
            fields.terminal_id,
            fields.merchant_order_no,
            fields.goods_type,
            fields.integration_type,
            fields.request_from_url,
            fields.qr_pay_mode,
        ];
        others.extend(names.map(|name| name.map(Value::String)));
        Ok(OrderContent {
            kind,
            out_trade_no: trade_number(fields.out_trade_no)?,
            total,
            subject: subject(fields.subject)?,
            body: fields.body,
            passback_params: fields.passback_params,
            store_id: fields.store_id,
            quit_url: fields.quit_url,
            time_expire,
            timeout: span("timeout_express", fields.timeout_express)?,
            code_timeout: span("qr_code_timeout_express", fields.qr_code_timeout_express)?,
            others,
        })
    }

    /// Until when a code or a page made at this time may begin the trade.
    pub(in crate::alipay) fn code_ends(&self, made: OffsetDateTime) -> OffsetDateTime {
        let longest = match self.kind {
            OrderKind::QrCode => CODE_LIFE,
            OrderKind::Till | OrderKind::Page | OrderKind::Wap => TRADE_LIFE,
        };
        let own = self.code_timeout.unwrap_or(longest).end(made);
        let ends = own.min(longest.end(made));
        self.time_expire.map_or(ends, |limit| limit.min(ends))
    }

    /// Until when a trade that began at this time may be paid: `timeout_express` counts from its
    /// beginning, `qr_code_timeout_express` from the code, `time_expire` is absolute.
    pub(in crate::alipay) fn trade_ends(
        &self,
        code_made: OffsetDateTime,
        began: OffsetDateTime,
    ) -> OffsetDateTime {
        let usual = match self.kind {
            OrderKind::Till => TILL_LIFE,
            OrderKind::QrCode | OrderKind::Page | OrderKind::Wap => TRADE_LIFE,
        };
        let mut ends = self.timeout.unwrap_or(usual).end(began);
        if let Some(span) = self.code_timeout {
            ends = ends.min(span.end(code_made));
        }
        self.time_expire.map_or(ends, |limit| limit.min(ends))
    }
}

/// At most 256 characters, none of them `/`, `=` or `&`.
fn subject(subject: Option<String>) -> Result<String, Failure> {
    let subject = subject.unwrap_or_default();
    let fits = (1..=256).contains(&subject.chars().count()) && !subject.contains(['/', '=', '&']);
    fits.then_some(subject)
        .ok_or_else(|| Failure::field("subject"))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    const SELLER: &str = "2088000000000001";

    fn now() -> OffsetDateTime {
        clock::parse("2026-01-01 12:00:00").unwrap()
    }

    fn read(kind: OrderKind, text: &str) -> Result<OrderContent, String> {
        let read = match kind {
            OrderKind::Till => OrderContent::read_till(text, SELLER, now()).map(|(order, _)| order),
            kind => OrderContent::read(kind, text, SELLER, now()),
        };
        read.map_err(|failure| failure.sub_code.into_owned())
    }

    #[test]
    fn an_order_is_read_with_its_limits() {
        let order = read(
            OrderKind::QrCode,
            r#"{"out_trade_no":"a_1","total_amount":88.8,"subject":"茶","timeout_express":"30m",
                "qr_code_timeout_express":"10m","time_expire":"2026-01-01 12:05:00"}"#,
        )
        .unwrap();
        assert_eq!(order.total, Fen::new(8880));
        let at = |text| clock::parse(text).unwrap();
        assert_eq!(order.code_ends(now()), at("2026-01-01 12:05:00"));
        let text = r#"{"out_trade_no":"a_1","total_amount":"88.80","subject":"茶"}"#;
        let plain = read(OrderKind::QrCode, text).unwrap();
        assert_eq!(plain.total, order.total);
        assert_eq!(plain.code_ends(now()), at("2026-01-01 14:00:00"));
        let scanned = at("2026-01-01 13:00:00");
        assert_eq!(plain.trade_ends(now(), scanned), at("2026-01-16 13:00:00"));
        let till = text.replace('}', r#","auth_code":"280000000000000000"}"#);
        let till = read(OrderKind::Till, &till).unwrap();
        assert_eq!(till.trade_ends(now(), now()), at("2026-01-01 15:00:00"));
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
            read(OrderKind::QrCode, &Value::Object(order).to_string()).err()
        };
        let long = "9".repeat(65);
        let wide = "茶".repeat(257);
        assert_eq!(with("{}"), None);
        assert_eq!(
            with(&format!(r#"{{"subject":"{}"}}"#, "茶".repeat(256))),
            None
        );
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
            let code = with(&change);
            assert_eq!(code.as_deref(), Some("ACQ.INVALID_PARAMETER"), "{change}");
        }
        assert_eq!(
            with(r#"{"total_amount":"100000000.01"}"#).as_deref(),
            Some("ACQ.TOTAL_FEE_EXCEED")
        );
        for change in [
            r#"{"out_trade_no":1}"#,
            r#"{"subject":["tea"]}"#,
            r#"{"goods_detail":{}}"#,
            r#"{"timeexpire":"1m"}"#,
            r#"{"auth_code":"280000000000000000"}"#,
            r#"{"quit_url":"http://127.0.0.1/"}"#,
        ] {
            let code = with(change);
            assert_eq!(code.as_deref(), Some("isv.invalid-parameter"), "{change}");
        }
        let twice = r#"{"out_trade_no":"a1","out_trade_no":"a2"}"#;
        let code = |text| read(OrderKind::QrCode, text).err();
        assert_eq!(code(twice).as_deref(), Some("isv.invalid-parameter"));
        assert_eq!(
            code(r#"{"out_trade_no":"#).as_deref(),
            Some("isv.illegal-json")
        );
    }

    #[test]
    fn each_way_to_the_buyer_has_its_own_fields() {
        let base = r#"{"out_trade_no":"a1","total_amount":"1.00","subject":"tea"}"#;
        let with = |kind, more: &str| read(kind, &base.replace('}', &format!(",{more}}}")));
        let page = r#""product_code":"FAST_INSTANT_TRADE_PAY""#;
        let wap = r#""product_code":"QUICK_WAP_WAY""#;
        for (kind, more, code) in [
            (OrderKind::Page, page.to_owned(), None),
            (
                OrderKind::Page,
                format!(r#"{page},"qr_pay_mode":"4","qrcode_width":200"#),
                None,
            ),
            (
                OrderKind::Page,
                format!(r#"{page},"qr_pay_mode":"5""#),
                Some("ACQ.INVALID_PARAMETER"),
            ),
            (
                OrderKind::Page,
                format!(r#"{page},"quit_url":"http://a/""#),
                Some("isv.invalid-parameter"),
            ),
            (
                OrderKind::Page,
                wap.to_owned(),
                Some("ACQ.INVALID_PARAMETER"),
            ),
            (
                OrderKind::Wap,
                format!(r#"{wap},"quit_url":"http://127.0.0.1/""#),
                None,
            ),
            (
                OrderKind::Wap,
                format!(r#"{wap},"quit_url":"javascript:1""#),
                Some("ACQ.INVALID_PARAMETER"),
            ),
            (OrderKind::Till, r#""auth_code":"1""#.to_owned(), None),
            (
                OrderKind::Till,
                r#""auth_code":"1","scene":"nfc""#.to_owned(),
                Some("ACQ.INVALID_PARAMETER"),
            ),
            (
                OrderKind::Till,
                r#""scene":"bar_code""#.to_owned(),
                Some("ACQ.INVALID_PARAMETER"),
            ),
        ] {
            assert_eq!(with(kind, &more).err().as_deref(), code, "{kind:?} {more}");
        }
        let page_without_product = read(OrderKind::Page, base).err();
        assert_eq!(
            page_without_product.as_deref(),
            Some("ACQ.INVALID_PARAMETER")
        );
        // Who pays at the till is no part of the order.
        let (first, second) = (
            with(OrderKind::Till, r#""auth_code":"1""#),
            with(OrderKind::Till, r#""auth_code":"2""#),
        );
        assert_eq!(first.unwrap(), second.unwrap());
    }
}
