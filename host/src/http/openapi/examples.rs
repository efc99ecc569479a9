//! Examples: of each member as members of that name look everywhere, and of bodies and answers out of those.

use serde_json::{Map, Value, json};

/// What a member of this name looks like. A type may have an example of its own instead.
fn of_name(name: &str) -> Option<Value> {
    const ID: &str = "019a5b1c2d377e4f8a9b0c1d2e3f4a5b";
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
        "buyer" => "2:4711:Li Lei",
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
        "key" => "wk_live_0123456789abcdef_…",
        "notify_url" => "https://pay.example.com/pay/re",
        "errCode" => "e.pay.noexists",
        "content_base64" => "ZXhwb3J0IGRlZmF1bHQgKCkgPT4gKHt9KQ==",
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

/// Puts examples into an operation: each parameter's, its body's and its answer's.
pub(super) fn add(operation: &mut Value, schemas: &Map<String, Value>) {
    let parameters = operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let own = parameter["schema"]
            .get("examples")
            .and_then(|all| all.get(0))
            .cloned();
        let found = own
            .or_else(|| of_name(&name).filter(|found| fits(found, &parameter["schema"], schemas)));
        if let (Some(found), Some(parameter)) = (found, parameter.as_object_mut())
            && !parameter.contains_key("example")
        {
            parameter.insert("example".to_owned(), found);
        }
    }
    for json in [
        "/requestBody/content/application~1json",
        "/responses/200/content/application~1json",
    ] {
        if let Some(media) = operation.pointer_mut(json) {
            example_in(media, schemas);
        }
    }
}

fn example_in(media: &mut Value, schemas: &Map<String, Value>) {
    let made = media
        .get("schema")
        .and_then(|schema| of_schema(schema, schemas, 0));
    if let (Some(made), Some(media)) = (made, media.as_object_mut()) {
        media.insert("example".to_owned(), made);
    }
}

/// Deeper than any answer is.
const DEEPEST: usize = 12;

/// An example of a schema: its own, or one made of its members'.
fn of_schema(schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Option<Value> {
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
        return of_schema(named, schemas, depth + 1);
    }
    let either = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    let either = either.and_then(Value::as_array).and_then(|either| {
        let mut all = either.iter();
        all.find_map(|one| of_schema(one, schemas, depth + 1).filter(|made| !made.is_null()))
    });
    if schema.get("properties").is_some() {
        let mut made = of_members(schema, schemas, depth);
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
                let items = fixed.iter().map(|item| of_schema(item, schemas, depth + 1));
                return items.collect::<Option<Vec<_>>>().map(Value::Array);
            }
            let item = schema
                .get("items")
                .and_then(|items| of_schema(items, schemas, depth + 1));
            Some(Value::Array(item.into_iter().collect()))
        }
        "object" => Some(json!({})),
        "string" => Some("…".into()),
        "integer" | "number" => Some(schema.get("minimum").cloned().unwrap_or(json!(0))),
        "boolean" => Some(false.into()),
        _ => Some(Value::Null),
    }
}

fn of_members(schema: &Value, schemas: &Map<String, Value>, depth: usize) -> Map<String, Value> {
    let members = schema["properties"].as_object().into_iter().flatten();
    let required = schema.get("required").and_then(Value::as_array);
    let made = members.filter_map(|(name, member)| {
        let is_required = required.is_some_and(|names| names.iter().any(|one| *one == **name));
        let own = member.get("examples").and_then(|all| all.get(0)).cloned();
        let by_name = || of_name(name).filter(|found| fits(found, member, schemas));
        let made = own
            .or_else(by_name)
            .or_else(|| of_schema(member, schemas, depth + 1));
        let made = made.or(is_required.then_some(Value::Null));
        Some((name.clone(), made?))
    });
    made.collect()
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
    match kind(schema) {
        None => true,
        Some("string") => found.is_string(),
        Some("integer" | "number") => found.is_number(),
        Some("array") => found.is_array(),
        Some("boolean") => found.is_boolean(),
        Some(_) => false,
    }
}
