//! Examples of answers, out of what members of that name look like everywhere, or at that place. `requests` has those of
//! what is taken.

use serde_json::{Map, Value, json};

use super::requests;

/// A payment's id.
pub(super) const ID: &str = "019a5b1c2d377e4f8a9b0c1d2e3f4a5b";
/// A key, without its secret.
pub(super) const KEY: &str = "wk_live_0123456789abcdef_…";
/// The id of that key.
pub(super) const KEY_ID: &str = "0123456789abcdef";

/// Where a member stands that has another meaning elsewhere.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The endpoint's address.
    path: &'a str,
    /// The member that it is a part of; nothing for one of the data itself.
    within: &'a str,
}

/// What a member looks like there. `null` is for what is not so when all is well.
fn of_place(Place { path, within }: Place<'_>, name: &str) -> Option<Value> {
    let group = |begins: &str| path == begins || path.starts_with(&format!("{begins}/"));
    let text = match (within, name) {
        ("callback", "name") => "ship",
        (
            _,
            "fail_why" | "held" | "error" | "errMsg" | "errCode" | "incomparable" | "successor"
            | "why" | "asked",
        ) if !group("/pay/refused") && !group("/pay/audit") => return Some(Value::Null),
        // The version that was rolled back to.
        (_, "from") if group("/pay/callback") => return Some(Value::Null),
        ("facts", "name") => "fee",
        ("facts", "at") => "total_amount",
        ("facts", "stated") => "23.00",
        ("facts", "means" | "due") => "2300",
        ("kv", "key") => "sales/RMB/count",
        ("kv", "value") => "1",
        ("requests", "step") => "tell the warehouse",
        ("requests", "method") => "POST",
        ("requests", "url") => "https://hooks.example.com/sold",
        ("requests", "body") => "{\"fee\":2300}",
        (_, "headers") => {
            return Some(json!([["content-type", "application/json"]]));
        }
        ("here" | "there", "state") => "OK",
        ("findings", "code") => "d.root.key",
        ("findings", "what") => "the operator's key still lies in root.key of the data root",
        ("findings", "do") => "read it, keep it somewhere else, and delete the file",
        ("takes", "what") => "the number of the buyer's code",
        (_, "events") => return Some(json!([["sale", "{\"number\":1}"]])),
        (_, "verdict") => "passed",
        (_, "answer") => "{\"number\":1}",
        (_, "log") => "info: sale 1: 2300 RMB\n",
        (_, "tp") => "wn_payment",
        (_, "cause") => "notification",
        (_, "scheme") => "notification",
        (_, "claim") => "paid",
        (_, "text") => {
            "out_trade_no=019a5b1c2d377e4f8a9b0c1d2e3f4a5b&total_amount=23.00&trade_status=TRADE_SUCCESS"
        }
        (_, "raw") => "b3V0X3RyYWRlX25vPTE=",
        (_, "key") if group("/pay/ajax/deliveries") || group("/pay/ajax/replay") => ID,
        (_, "key") if group("/pay/audit") => KEY_ID,
        (_, "who") => "teashop",
        (_, "what") => "POST /pay/ajax/refund",
        (_, "about") => "/pay/ajax/refund",
        (_, "why") => "bad signature",
        (_, "errCode") => "e.pay.nopvg",
        (_, "state") => "done",
        (_, "secrets") => return Some(json!(["client_secret"])),
        (_, "said") => "the platform took it",
        (_, "role") => "owner",
        (_, "id" | "follows") if group("/pay/key") || path.ends_with("/key") => KEY_ID,
        (_, "name") if group("/pay/key") || path.ends_with("/key") => "front desk",
        (_, "name") if group("/pay/domain") => "teashop",
        (_, "name") if group("/pay/target") => "main",
        (_, "platform") if group("/pay/target") => "paypal",
        (_, "name") if group("/pay/callback") => "ship",
        (_, "name") if group("/pay/provider") => "zfb",
        (_, "version") if path == "/healthz" || group("/pay/doctor") || group("/pay/provider") => {
            env!("CARGO_PKG_VERSION")
        }
        (_, "store") => "SQLite",
        (_, "status") if group("/pay/audit") => return Some(json!(403)),
        (_, "times") => return Some(json!(1)),
        (_, "status") if path == "/healthz" => "alive",
        (_, "status") if path == "/readyz" => "ready",
        (_, "pay_types") if group("/pay/provider") => return Some(json!(["zfb.qrcode"])),
        (_, "words") => return Some(json!(["sends requests to openapi.alipay.com"])),
        (_, "author") => "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
        _ => return None,
    };
    Some(text.into())
}

/// What a member of this name looks like. A type may have an example of its own instead.
fn of_name(name: &str) -> Option<Value> {
    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let text = match name {
        "id" | "nm" | "payObjId" | "payment" | "trade_no" => ID,
        "refund_no" => "019a5b1c9d377e4f8a9b0c1d2e3f4a5b",
        "brief" => "Two cups of tea",
        "cur" => "RMB",
        "pay_tp" => "zfb.qrcode",
        "pay_target" | "target" => "main",
        "platform" => "zfb",
        "domain" | "seller" | "seller_nm" => "teashop",
        "seller_id" => "019a5b00112277338a9b0c1d2e3f4a5b",
        "buyer" => "members:4711:Li Lei",
        "buyer_id" => "4711",
        "buyer_nm" => "Li Lei",
        "callback" => "ship",
        "client_ip" | "source" => "203.0.113.7",
        "transaction_id" => "2026112722001411111111111111",
        "re_tp" | "dataType" | "type" => "QRCODE",
        "re_obj" => "https://qr.alipay.com/bax00000000000000000",
        "sha256" | "digest" | "statement" => DIGEST,
        "ticket" => "wt_019a5b1c2d377e4f8a9b0c1d2e3f4a5b_…",
        "reason" => "the buyer sent it back",
        "day" => "2026-11-26",
        "match" => "{st:\"OK\", fee:\"[100,5000]\"}",
        "sort" => "ct:-1",
        "tz" => "Asia/Shanghai",
        "st" => "WAIT",
        "note" => "ships on Sundays too",
        "key" => KEY,
        "notify_url" => "https://pay.example.com/pay/re",
        "errCode" => "e.pay.noexists",
        "web" => return Some(json!(["hooks.example.com"])),
        "ct" | "lm" | "at" | "now" | "send_at" | "since" | "from" => {
            return Some(json!(1_795_766_400_000_u64));
        }
        "expi" | "payable_until" | "until" | "re_until" => {
            return Some(json!(1_795_773_600_000_u64));
        }
        "fee" => return Some(json!(2300)),
        "step" => return Some(json!(86_400_000)),
        "limit" => return Some(json!(10)),
        "version" => return Some(json!(1)),
        _ => return None,
    };
    Some(text.into())
}

/// Puts examples into the operation of a method at an address: each parameter's, its body's and its answer's.
pub(super) fn add(operation: &mut Value, method: &str, path: &str, schemas: &Map<String, Value>) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let own = parameter["schema"]
            .get("examples")
            .and_then(|all| all.get(0))
            .cloned();
        let found = requests::parameter(path, &name)
            .or(own)
            .or_else(|| of_name(&name));
        let found = found.filter(|found| fits(found, &parameter["schema"], schemas));
        if let (Some(found), Some(parameter)) = (found, parameter.as_object_mut())
            && !parameter.contains_key("example")
        {
            parameter.insert("example".to_owned(), found);
        }
    }
    let taken = operation.pointer_mut("/requestBody/content");
    for (media_type, media) in taken.and_then(Value::as_object_mut).into_iter().flatten() {
        put(media, requests::body(method, path, media_type));
    }
    if let Some(media) = operation.pointer_mut("/responses/200/content/application~1json") {
        let place = Place { path, within: "" };
        let made = media.get("schema");
        let made = made.and_then(|schema| of_schema(schema, schemas, place, 0));
        put(media, made);
    }
}

fn put(media: &mut Value, example: Option<Value>) {
    if let (Some(example), Some(media)) = (example, media.as_object_mut()) {
        media.insert("example".to_owned(), example);
    }
}

/// Deeper than any answer is.
const DEEPEST: usize = 12;

/// An example of a schema: its own, or one made of its members'.
fn of_schema(
    schema: &Value,
    schemas: &Map<String, Value>,
    place: Place<'_>,
    depth: usize,
) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    if let Some(own) = schema.get("examples").and_then(|all| all.get(0)) {
        return Some(own.clone());
    }
    if let Some(only) = schema.get("const") {
        return Some(only.clone());
    }
    if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
        return Some(first.clone());
    }
    if let Some(named) = resolved(schema, schemas) {
        return of_schema(named, schemas, place, depth + 1);
    }
    let either = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    let either = either.and_then(Value::as_array).and_then(|either| {
        let mut all = either.iter();
        all.find_map(|one| of_schema(one, schemas, place, depth + 1).filter(|made| !made.is_null()))
    });
    if schema.get("properties").is_some() {
        let mut made = of_members(schema, schemas, place, depth);
        if let Some(Value::Object(more)) = either {
            made.extend(more);
        }
        return Some(made.into());
    }
    if either.is_some() {
        return either;
    }
    match kind(schema)? {
        "array" => {
            let fixed = schema.get("prefixItems").and_then(Value::as_array);
            if let Some(fixed) = fixed {
                let items = fixed
                    .iter()
                    .map(|item| of_schema(item, schemas, place, depth + 1));
                return items.collect::<Option<Vec<_>>>().map(Value::Array);
            }
            let item = schema
                .get("items")
                .and_then(|items| of_schema(items, schemas, place, depth + 1));
            Some(Value::Array(item.into_iter().collect()))
        }
        "object" => Some(json!({})),
        "string" => Some("…".into()),
        "integer" | "number" => Some(schema.get("minimum").cloned().unwrap_or(json!(0))),
        "boolean" => Some(false.into()),
        _ => Some(Value::Null),
    }
}

fn of_members(
    schema: &Value,
    schemas: &Map<String, Value>,
    place: Place<'_>,
    depth: usize,
) -> Map<String, Value> {
    let members = schema["properties"].as_object().into_iter().flatten();
    let required = schema.get("required").and_then(Value::as_array);
    let made = members.filter_map(|(name, member)| {
        let is_required = required.is_some_and(|names| names.iter().any(|one| *one == **name));
        let own = member.get("examples").and_then(|all| all.get(0)).cloned();
        let fitting = |found: &Value| fits(found, member, schemas);
        let here = own.or_else(|| of_place(place, name));
        if here == Some(Value::Null) && !is_required {
            return takes_null(member).then(|| (name.clone(), Value::Null));
        }
        // What the envelope holds is the data itself.
        let within = if depth == 0 { "" } else { name.as_str() };
        let inner = Place { within, ..place };
        let made = here
            .filter(fitting)
            .or_else(|| of_name(name).filter(fitting))
            .or_else(|| of_schema(member, schemas, inner, depth + 1));
        let made = made.or(is_required.then_some(Value::Null));
        Some((name.clone(), made?))
    });
    made.collect()
}

fn takes_null(schema: &Value) -> bool {
    let is_null = |of: &Value| of.get("type").is_some_and(|kind| kind == "null");
    let kinds = schema.get("type").and_then(Value::as_array);
    let either = schema.get("anyOf").and_then(Value::as_array);
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
        || either.is_some_and(|either| either.iter().any(is_null))
}

/// The first type of a schema that is not `null`.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::Array(types) => types
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null"),
        one => one.as_str(),
    }
}

fn resolved<'s>(schema: &Value, schemas: &'s Map<String, Value>) -> Option<&'s Value> {
    let name = schema.get("$ref")?.as_str()?;
    schemas.get(name.strip_prefix("#/components/schemas/")?)
}

/// Whether a member of that name can look like that here too: the same name may be of another type.
fn fits(found: &Value, schema: &Value, schemas: &Map<String, Value>) -> bool {
    if let Some(named) = resolved(schema, schemas) {
        return fits(found, named, schemas);
    }
    if let Some(either) = schema
        .get("anyOf")
        .or_else(|| schema.get("oneOf"))
        .and_then(Value::as_array)
    {
        return either.iter().any(|one| fits(found, one, schemas));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.contains(found);
    }
    if let Some(only) = schema.get("const") {
        return only == found;
    }
    if found.is_null() {
        return takes_null(schema);
    }
    match kind(schema) {
        None => true,
        Some("string") => found.is_string(),
        Some("integer" | "number") => found.is_number(),
        Some("array") => found.is_array(),
        Some("boolean") => found.is_boolean(),
        Some(_) => false,
    }
}
