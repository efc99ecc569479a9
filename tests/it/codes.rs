//! What a caller hears of each code by which a platform refuses an order: a stable `errCode`, a sentence, and a payment
//! that fails only where that is certain.

use serde_json::{Value, json};
use walnut_sandbox::alipay::{self, AnswerFault};
use walnut_sandbox::wechat::{self, Operation};

use crate::world::{Answer, Shop, Till, World};

const INVALID: (u16, &str) = (400, "e.pay.send.invalid");
const MISCONFIGURED: (u16, &str) = (409, "e.pay.target.misconfigured");
const UNKNOWN: (u16, &str) = (502, "e.pay.send.unknown");
const DECLINED: (u16, &str) = (200, "e.pay.declined");

/// Sends a payment that the platform refuses with this code.
async fn is_refused(shop: &Shop, body: Value, code: &str, expected: (u16, &str)) {
    let id = shop.create(json!({})).await;
    let mut send = body;
    send["id"] = json!(id);
    let answer = shop.post("/pay/ajax/send", send).await;
    let (told, message) = heard(&answer);
    assert_eq!(
        (answer.status, told.as_str()),
        expected,
        "{code}: {message}"
    );
    assert!(message.contains(code), "{code}: {message}");
    assert!(message.contains(": "), "{code} says what to do: {message}");
    let payment = shop.payment(&id).await;
    let state = if expected == DECLINED { "FAIL" } else { "WAIT" };
    assert_eq!(payment["st"], state, "{code}: {message}");
}

fn heard(answer: &Answer) -> (String, String) {
    let json = answer.json();
    let (part, message) = match json["ok"] == true {
        true => (&json["data"], "errMsg"),
        false => (&json, "msg"),
    };
    let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
    (text("errCode"), text(message))
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_pay_s_codes_are_told_and_leave_the_payment_open() {
    let till = Till::open(json!({})).await;
    for (status, code, expected) in [
        (400, "PARAM_ERROR", INVALID),
        (400, "INVALID_REQUEST", UNKNOWN),
        (400, "APPID_MCHID_NOT_MATCH", MISCONFIGURED),
        (400, "MCH_NOT_EXISTS", MISCONFIGURED),
        (401, "SIGN_ERROR", MISCONFIGURED),
        (403, "NO_AUTH", MISCONFIGURED),
        (403, "OUT_TRADE_NO_USED", UNKNOWN),
        (403, "RULE_LIMIT", INVALID),
        (403, "TRADE_ERROR", UNKNOWN),
        (403, "NEVER_HEARD_OF", UNKNOWN),
        (429, "FREQUENCY_LIMITED", UNKNOWN),
        (500, "SYSTEM_ERROR", UNKNOWN),
        (500, "BANKERROR", UNKNOWN),
        (500, "OPENID_MISMATCH", UNKNOWN),
    ] {
        let refused = wechat::Misbehaviour::once(wechat::AnswerFault::Refused {
            status,
            code: code.to_owned(),
            processed: false,
        });
        till.wechat
            .misbehave(refused.for_operation(Operation::Native));
        is_refused(&till.shop, json!({"pay_tp": "wx.qrcode"}), code, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_till_tells_a_buyer_from_a_code_and_both_from_what_nobody_knows() {
    for (more, operation) in [
        (json!({}), Operation::V2Micropay),
        (json!({"scan_api": "v3"}), Operation::Codepay),
    ] {
        let till = Till::open(more).await;
        for (code, expected) in [
            ("NOTENOUGH", DECLINED),
            ("NOTSUPORTCARD", DECLINED),
            ("RULELIMIT", DECLINED),
            ("TRADE_ERROR", DECLINED),
            ("ACCOUNTERROR", DECLINED),
            ("AUTHCODEEXPIRE", INVALID),
            ("AUTH_CODE_ERROR", INVALID),
            ("AUTH_CODE_INVALID", INVALID),
            ("PARAM_ERROR", INVALID),
            ("NOAUTH", MISCONFIGURED),
            ("APPID_NOT_EXIST", MISCONFIGURED),
            ("BUYER_MISMATCH", UNKNOWN),
            ("OUT_TRADE_NO_USED", UNKNOWN),
            ("NEVER_HEARD_OF", UNKNOWN),
        ] {
            let refused = wechat::Misbehaviour::once(wechat::AnswerFault::Refused {
                status: 403,
                code: code.to_owned(),
                processed: false,
            });
            till.wechat.misbehave(refused.for_operation(operation));
            let body = json!({"pay_tp": "wx.scan", "args": ["134567890123456789"]});
            is_refused(&till.shop, body, code, expected).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alipay_s_codes_are_told_for_orders_and_at_the_till() {
    let world = World::start().await;
    for (sub_code, order, till) in [
        ("ACQ.SYSTEM_ERROR", UNKNOWN, UNKNOWN),
        ("ACQ.INVALID_PARAMETER", INVALID, INVALID),
        ("ACQ.ACCESS_FORBIDDEN", MISCONFIGURED, MISCONFIGURED),
        ("ACQ.EXIST_FORBIDDEN_WORD", INVALID, INVALID),
        ("ACQ.PARTNER_ERROR", MISCONFIGURED, MISCONFIGURED),
        ("ACQ.TOTAL_FEE_EXCEED", INVALID, INVALID),
        ("ACQ.CONTEXT_INCONSISTENT", UNKNOWN, UNKNOWN),
        ("ACQ.PAYMENT_AUTH_CODE_INVALID", INVALID, INVALID),
        ("ACQ.PULL_MOBILE_CASHIER_FAIL", INVALID, INVALID),
        ("ACQ.BUYER_BALANCE_NOT_ENOUGH", INVALID, DECLINED),
        ("ACQ.BUYER_SELLER_EQUAL", INVALID, DECLINED),
        ("ACQ.PAYMENT_FAIL", INVALID, DECLINED),
        ("ACQ.PAYMENT_REQUEST_HAS_RISK", UNKNOWN, DECLINED),
        ("ACQ.TRADE_BUYER_NOT_MATCH", UNKNOWN, UNKNOWN),
        ("ACQ.NEVER_HEARD_OF", UNKNOWN, UNKNOWN),
    ] {
        for (operation, body, expected) in [
            (
                "alipay.trade.precreate",
                json!({"pay_tp": "zfb.qrcode"}),
                order,
            ),
            (
                "alipay.trade.pay",
                json!({"pay_tp": "zfb.scan", "args": ["281234567890123456"]}),
                till,
            ),
        ] {
            let refused = alipay::Misbehaviour::once(AnswerFault::refused(sub_code));
            world.alipay.misbehave(refused.for_operation(operation));
            is_refused(&world.shop, body, sub_code, expected).await;
        }
    }
}
