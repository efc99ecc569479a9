//! An order as the merchant described it, in either dialect, and the rules that both share.

use std::net::IpAddr;

use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::order::TradeType;

/// An order as the merchant described it.
#[derive(Clone, Debug)]
pub(super) struct OrderContent {
    pub(super) trade_type: TradeType,
    pub(super) out_trade_no: String,
    pub(super) description: String,
    pub(super) total_fen: u64,
    pub(super) attach: Option<String>,
    pub(super) notify_url: Option<String>,
    /// The one buyer who may pay; none lets any.
    pub(super) openid: Option<String>,
    pub(super) device_id: Option<String>,
    /// The last moment to pay. Only the first request's counts.
    pub(super) time_expire: Option<OffsetDateTime>,
    /// Everything that was sent and may not change when the order is asked for again.
    pub(super) sent: Value,
}

/// 6 to 32 letters, digits and `_-*`; where orders are made by a link, `|` as well.
pub(super) fn is_trade_number(text: &str, bar: bool) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-*".contains(&b) || (bar && b == b'|');
    (6..=32).contains(&text.len()) && text.bytes().all(fits)
}

/// At most 64 letters, digits and `_-|*@`.
pub(super) fn is_refund_number(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_-|*@".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// 18 digits, the first two from 10 to 15.
pub(super) fn is_payment_code(text: &str) -> bool {
    let kind = text.get(..2).unwrap_or_default();
    text.len() == 18 && text.bytes().all(|b| b.is_ascii_digit()) && ("10"..="15").contains(&kind)
}

/// An address that WeChat Pay would notify: absolute, http or https, at most 255 characters,
/// without a query. That it be public cannot hold on one machine.
pub(super) fn is_notify_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    text.len() <= 255
        && matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// An IPv4 or IPv6 address.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_lengths_and_letters() {
        let uuid = "0198c3c9-5b5e-7d3b-9a60-3a4f6d8b1c2d";
        assert!(is_trade_number(&uuid.replace('-', ""), false));
        assert!(!is_trade_number(uuid, true));
        assert!(is_trade_number("a|b*-_", true) && !is_trade_number("a|b*-_", false));
        for wrong in ["", "12345", "a b cd", "a.b.cd", "订单号一二三四五"] {
            assert!(!is_trade_number(wrong, true), "{wrong}");
        }
        assert!(is_refund_number("r") && is_refund_number(&"9".repeat(64)));
        assert!(!is_refund_number("") && !is_refund_number(&"9".repeat(65)));
        assert!(is_payment_code("134567890123456789") && is_payment_code("151234567890123456"));
        for wrong in [
            "164567890123456789",
            "094567890123456789",
            "13456789012345678",
            "1345678901234567890",
            "13456789012345678a",
            "",
        ] {
            assert!(!is_payment_code(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_address_for_notifications_has_no_query() {
        assert!(is_notify_url("http://127.0.0.1:8080/pay/re/0198"));
        let long = format!("https://example.com/{}", "a".repeat(236));
        for wrong in [
            "https://example.com/re?x=1",
            "https://example.com/re#x",
            "ftp://example.com/re",
            "https://user@example.com/re",
            "/re",
            "",
            &long,
        ] {
            assert!(!is_notify_url(wrong), "{wrong}");
        }
    }
}
