//! Examples of what an endpoint takes: whoever sends one as it stands to a host that has what it names is not told that it is
//! wrong. A story sends all of them (`it::openapi::examples`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::examples::{ID, KEY, KEY_ID};

/// A callback, as short as one can be that does something.
const CALLBACK: &str =
    "const number = kv.increment(`sales/${payment.cur}/count`);\nreturn { number };\n";

/// The first day of 2100: what ends, ends later than whoever reads this.
const FAR: u64 = 4_102_444_800_000;

/// The body of a request.
pub(super) fn body(method: &str, path: &str, media_type: &str) -> Option<Value> {
    let content = STANDARD.encode(CALLBACK);
    let payment =
        json!({ "id": ID, "brief": "Two cups of tea", "fee": 2300, "cur": "RMB", "st": "OK" });
    let body = match (method, path, media_type) {
        ("PUT", "/pay/callback/{name}", "text/javascript") => return Some(CALLBACK.into()),
        (_, _, "application/json") => match (method, path) {
            ("POST", "/pay/ajax/create") => json!({
                "brief": "Two cups of tea", "fee": 2300, "cur": "RMB", "price": 2500,
                "buyer": "members:4711:Li Lei", "seller": "teashop", "callback": "ship", "expi": 0, "test": true,
                "pay_tp": "zfb.qrcode", "pay_target": "main", "args": [], "client_ip": "203.0.113.7",
            }),
            ("POST", "/pay/ajax/send") => json!({
                "id": ID, "pay_tp": "zfb.qrcode", "pay_target": "main", "args": [], "client_ip": "203.0.113.7",
            }),
            ("POST", "/pay/ajax/check" | "/pay/ajax/close" | "/pay/ajax/reverse") => {
                json!({ "id": ID })
            }
            ("POST", "/pay/ajax/refund") => {
                json!({ "id": ID, "fee": 2300, "reason": "the buyer sent it back" })
            }
            ("POST", "/pay/ajax/resolve") => {
                json!({ "id": ID, "decision": "accept", "reason": "the discount was agreed upon" })
            }
            ("POST", "/pay/ajax/replay") => json!({ "key": ID }),
            ("POST", "/pay/ajax/reconcile") => {
                json!({ "day": "2026-11-26", "domain": "teashop", "platform": "zfb", "target": "main" })
            }
            ("PUT", "/pay/target/{platform}/{name}") => json!({
                "test": true,
                "default": false,
                "settings": {
                    "client_id": "AY1zTdJ0Pq3vXoK5s8Wc",
                    "client_secret": "EN7pXb2mQk4RtV9yLz0H",
                    "webhook_id": "8PT597110X687430L",
                },
            }),
            ("POST", "/pay/domain") => json!({ "name": "teashop" }),
            ("PUT", "/pay/domain/{name}") => json!({ "web": ["hooks.example.com"] }),
            ("POST", "/pay/domain/{name}/key") => json!({
                "test": true, "name": "front desk", "scope": "till", "refund": false, "expi": FAR,
            }),
            ("POST", "/pay/key") => json!({ "role": "op", "name": "prometheus", "expi": FAR }),
            ("POST", "/pay/key/{id}/rotate") => json!({ "overlap_ms": 86_400_000 }),
            ("POST", "/pay/session") => json!({ "key": KEY }),
            ("PUT" | "POST", "/pay/callback/{name}") => {
                json!({ "content_base64": content, "payment": payment })
            }
            ("POST", "/pay/callback/{name}/test") => payment,
            ("POST", "/pay/callback/{name}/roll-back") => {
                json!({ "version": 1, "note": "the earlier one was right" })
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(body)
}

/// A parameter that has no example by its name alone, or another one at this address.
pub(super) fn parameter(path: &str, name: &str) -> Option<Value> {
    let found = match (path, name) {
        ("/pay/ajax/deliveries", "state") => json!("dead"),
        ("/pay/ajax/query", "after") => json!(""),
        ("/pay/ajax/watch", "last") => json!(4),
        ("/pay/audit", "who") => json!("teashop"),
        ("/pay/audit", "before") => json!(1_000),
        ("/pay/audit", "refused") => json!(true),
        ("/pay/audit", "errCode") => json!("e.pay.nopvg"),
        ("/pay/key/{id}" | "/pay/key/{id}/rotate", "id") => json!(KEY_ID),
        (_, "skip") => json!(0),
        (_, "test" | "pager") => json!(true),
        (_, "insist") => json!(false),
        _ => return None,
    };
    Some(found)
}
