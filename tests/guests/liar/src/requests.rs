//! Requests that the host has to refuse, and the one that it grants.

use walnut_sdk::http::Request;
use walnut_sdk::{form, settings};

const GATEWAY: &str = "https://openapi.alipay.com/gateway.do";

fn gateway() -> String {
    settings::get("gateway").unwrap_or_else(|| GATEWAY.to_owned())
}

fn request(url: String, trade_no: &str) -> Request {
    let biz_content = format!(r#"{{"out_trade_no":"{trade_no}"}}"#);
    Request::post_form(url, &[("biz_content", &biz_content)]).signed_by("gateway")
}

fn with_fields(address: &str, fields: &[(&str, &str)], trade_no: &str) -> Request {
    request(format!("{address}?{}", form::encode(fields)), trade_no)
}

const OPERATION: (&str, &str) = ("method", "alipay.trade.query");

/// Asks about a trade, as the provider for Alipay does.
pub(crate) fn query(trade_no: &str) -> Request {
    with_fields(&gateway(), &[OPERATION], trade_no)
}

/// Asks about a trade by the platform's own number.
pub(crate) fn query_number(number: &str) -> Request {
    let biz_content = format!(r#"{{"trade_no":"{number}"}}"#);
    let url = format!("{}?{}", gateway(), form::encode(&[OPERATION]));
    Request::post_form(url, &[("biz_content", &biz_content)]).signed_by("gateway")
}

/// Gives back what was paid for a trade.
pub(crate) fn refund(trade_no: &str) -> Request {
    let biz_content = format!(
        r#"{{"out_trade_no":"{trade_no}","refund_amount":"23.00","out_request_no":"{trade_no}"}}"#
    );
    let fields = [("method", "alipay.trade.refund")];
    let url = format!("{}?{}", gateway(), form::encode(&fields));
    Request::post_form(url, &[("biz_content", &biz_content)]).signed_by("gateway")
}

/// Takes the money of the buyer whose code it is, for a trade.
pub(crate) fn pay(trade_no: &str, code: &str) -> Request {
    let biz_content = format!(
        r#"{{"out_trade_no":"{trade_no}","total_amount":"23.00","subject":"tea","auth_code":"{code}","scene":"bar_code"}}"#
    );
    let fields = [("method", "alipay.trade.pay")];
    let url = format!("{}?{}", gateway(), form::encode(&fields));
    Request::post_form(url, &[("biz_content", &biz_content)]).signed_by("gateway")
}

/// The request of a lie; none when it is not a lie about requests.
pub(crate) fn forbidden(lie: &str, trade_no: &str) -> Option<Request> {
    let gateway = gateway();
    let at = |address: &str| with_fields(address, &[OPERATION], trade_no);
    let and = |field| with_fields(&gateway, &[OPERATION, field], trade_no);
    Some(match lie {
        "unsigned" => Request {
            auth: None,
            ..query(trade_no)
        },
        "set-app-id" => and(("app_id", "2021000000000000")),
        "set-sign" => and(("sign", "c2lnbmVk")),
        "two-operations" => and(OPERATION),
        "reach-host" => at("https://gateway.example.com/gateway.do"),
        "reach-path" => at(&gateway.replace("gateway.do", "other.do")),
        "reach-port" => at("https://openapi.alipay.com:8443/gateway.do"),
        "reach-plain" => at("http://openapi.alipay.com/gateway.do"),
        "reach-user" => at("https://openapi.alipay.com@gateway.example.com/gateway.do"),
        "reach-method" => Request {
            method: "GET".to_owned(),
            ..query(trade_no)
        },
        "reach-operation" => with_fields(
            &gateway,
            &[("method", "alipay.fund.trans.uni.transfer")],
            trade_no,
        ),
        _ => return None,
    })
}
