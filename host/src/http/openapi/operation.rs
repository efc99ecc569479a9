//! One endpoint while it is written down.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::words::{self, Gives};
use crate::http::access::Documented;
use crate::http::envelope;
use crate::payment::error::PayError;

/// What the handler of an endpoint says of itself, bit by bit.
pub(in crate::http) struct Operation<'a> {
    taken: &'a mut SchemaGenerator,
    given: &'a mut SchemaGenerator,
    name: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    /// The schema of `data`.
    data: Option<Value>,
    refusals: BTreeSet<&'static str>,
}

/// The `errCode`s with their HTTP status and what they say: the rules' own, and those of HTTP.
pub(super) fn refusals() -> impl Iterator<Item = (&'static str, u16, &'static str)> {
    PayError::ALL
        .iter()
        .chain(envelope::OF_HTTP)
        .map(|(code, status, says)| (*code, *status, says.trim()))
}

/// What every refusal looks like.
pub(super) fn refusal() -> Value {
    json!({
        "type": "object",
        "description": "Why nothing came of a request",
        "required": ["ok", "errCode", "msg"],
        "additionalProperties": false,
        "properties": {
            "ok": { "const": false },
            "errCode": { "type": "string", "description": "Stable: for programs" },
            "msg": { "type": "string", "description": "What is wrong and what to do, in English: for people" },
        },
    })
}

impl<'a> Operation<'a> {
    /// One at an address, which names what varies in it.
    pub(super) fn new(
        taken: &'a mut SchemaGenerator,
        given: &'a mut SchemaGenerator,
        path: &str,
    ) -> Operation<'a> {
        let named = path.split('{').skip(1);
        let parameters = named.filter_map(|rest| {
            let (name, _) = rest.split_once('}')?;
            Some(words::part_of_address(path, name))
        });
        Operation {
            parameters: parameters.collect(),
            taken,
            given,
            name: "",
            body: None,
            data: None,
            refusals: BTreeSet::new(),
        }
    }

    /// As the handler is called in this program.
    pub(super) fn name(&mut self, name: &'static str) {
        self.name = name;
    }

    pub(super) fn refuses(&mut self, code: &'static str) {
        self.refusals.insert(code);
    }

    /// Every member of a type is a parameter of the query.
    pub(super) fn query<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.taken).to_value();
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.cloned().unwrap_or_default();
        let members = schema.get("properties").and_then(Value::as_object);
        for (name, mut schema) in members.cloned().unwrap_or_default() {
            let is_required = required.iter().any(|required| *required == *name);
            let says = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"));
            without_null(&mut schema);
            self.parameters.push(json!({
                "name": name, "in": "query", "required": is_required, "description": says, "schema": schema,
            }));
        }
    }

    pub(super) fn header(&mut self, name: &str, says: &str, example: &str) {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": says,
            "schema": { "type": "string" }, "example": example,
        }));
    }

    fn takes_body(&mut self, content: Value) {
        self.body = Some(json!({ "required": true, "content": content }));
        self.refuses("e.http.tooLarge");
        self.refuses("e.http.tooSlow");
    }

    pub(super) fn json_body<T: JsonSchema>(&mut self) {
        let schema = self.taken.subschema_for::<T>();
        self.takes_body(json!({ "application/json": { "schema": schema } }));
        self.refuses("e.pay.invalid");
    }

    pub(super) fn json_body_if_any<T: JsonSchema>(&mut self) {
        self.json_body::<T>();
        if let Some(body) = self.body.as_mut().and_then(Value::as_object_mut) {
            body.insert("required".to_owned(), false.into());
        }
    }

    pub(super) fn bytes_or_json_body<T: JsonSchema>(&mut self) {
        let schema = self.taken.subschema_for::<T>();
        self.takes_body(json!({
            "application/json": { "schema": schema },
            "application/octet-stream": {},
            "text/javascript": { "schema": { "type": "string" } },
        }));
        self.refuses("e.pay.invalid");
    }

    pub(super) fn bytes_body(&mut self) {
        self.takes_body(json!({ "application/octet-stream": {} }));
    }

    /// The platforms' own forms.
    pub(super) fn notification_body(&mut self) {
        self.takes_body(json!({
            "application/x-www-form-urlencoded": { "schema": { "type": "object", "additionalProperties": { "type": "string" } } },
            "application/json": { "schema": { "type": "object" } },
            "text/xml": { "schema": { "type": "string" } },
        }));
    }

    pub(super) fn upgrades(&mut self) {
        self.refuses("e.http.upgrade");
    }

    pub(super) fn answers<T: JsonSchema>(&mut self) {
        self.data = Some(self.given.subschema_for::<T>().to_value());
    }

    /// All of it, with what no type says.
    pub(super) fn finish(mut self, row: &Documented) -> Value {
        let words = words::of(row.method, row.path);
        self.refusals.extend(words.refusals);
        self.refuses("e.pay.internal");
        if row.path != "/healthz" {
            self.refuses("e.http.busy");
        }
        let changes = !matches!(row.method, "GET");
        if !row.is_open {
            for code in ["e.auth.required", "e.pay.nopvg", "e.pay.store"] {
                self.refuses(code);
            }
            if changes {
                self.refuses("e.pay.store.full");
                self.refuses("e.pay.store.readOnly");
            }
        }
        if row.method == "GET" {
            self.body = None;
        }
        let mut responses = Map::new();
        for (status, good) in self.good(&words.gives) {
            responses.insert(status.to_string(), good);
        }
        for (status, codes) in self.bad() {
            // What a platform may be told in its own words is not of one form.
            let told = responses.entry(status.to_string());
            told.or_insert_with(|| refused(status, &codes));
        }
        let mut all = Map::new();
        let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
        put("operationId", operation_id(self.name, row.method).into());
        put("tags", json!([words::tag(row.path)]));
        put("summary", words.summary.into());
        put("description", row.callers.as_str().into());
        if !self.parameters.is_empty() {
            put("parameters", self.parameters.into());
        }
        if let Some(body) = self.body {
            put("requestBody", body);
        }
        put("responses", responses.into());
        let security = match row.is_open {
            true => json!([]),
            false if row.takes_tickets => {
                json!([{ "key": [] }, { "ticket": [] }, { "session": [] }])
            }
            false => json!([{ "key": [] }, { "session": [] }]),
        };
        put("security", security);
        all.into()
    }

    fn good(&self, gives: &Gives) -> Vec<(u16, Value)> {
        let response = |says: &str, content: Option<Value>| {
            let mut response = Map::new();
            response.insert("description".to_owned(), says.into());
            response.insert(
                "headers".to_owned(),
                json!({ "X-Request-Id": request_id() }),
            );
            if let Some(content) = content {
                response.insert("content".to_owned(), content);
            }
            Value::Object(response)
        };
        match gives {
            Gives::Data => {
                let data = self.data.clone().unwrap_or_else(|| json!({}));
                let envelope = json!({
                    "type": "object",
                    "required": ["ok", "data"],
                    "additionalProperties": false,
                    "properties": { "ok": { "const": true }, "data": data },
                });
                let content = json!({ "application/json": { "schema": envelope } });
                vec![(200, response("It is done", Some(content)))]
            }
            Gives::Content(says, kinds) => {
                let content: Map<String, Value> = kinds
                    .iter()
                    .map(|kind| ((*kind).to_owned(), json!({})))
                    .collect();
                vec![(200, response(says, Some(content.into())))]
            }
            Gives::Unchanged(says, kinds) => {
                let mut all = self.good(&Gives::Content(says, kinds));
                all.push((304, response("What the caller has is good still", None)));
                all
            }
            Gives::Replies => {
                let words = json!({ "text/plain": { "schema": { "type": "string" } }, "application/json": {}, "text/xml": {} });
                let taken = "The platform's own word for “taken”; it does not come again";
                let refused = "Not taken, in the platform's own words: it does not verify, or is about nothing here";
                vec![
                    (200, response(taken, Some(words.clone()))),
                    (401, response(refused, Some(words.clone()))),
                    (404, response(refused, Some(words.clone()))),
                    (
                        500,
                        response(
                            "Not taken, in the platform's own words",
                            Some(words.clone()),
                        ),
                    ),
                    (503, response("The platform is to come again", Some(words))),
                ]
            }
            Gives::Upgrade => vec![(
                101,
                response("The connection is a WebSocket from here on", None),
            )],
        }
    }

    /// The refusals by their status.
    fn bad(&self) -> BTreeMap<u16, Vec<&'static str>> {
        let mut bad: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (code, status, _) in refusals() {
            if self.refusals.contains(code) {
                bad.entry(status).or_default().push(code);
            }
        }
        bad
    }
}

/// A part of the document that many places have.
fn of_components(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn request_id() -> Value {
    of_components("headers", "X-Request-Id")
}

/// The headers that answers have.
pub(super) fn headers() -> Value {
    json!({
        "X-Request-Id": { "description": "By which the host's log knows the request", "schema": { "type": "string" } },
        "WWW-Authenticate": { "description": "`Bearer`", "schema": { "type": "string" } },
        "Retry-After": { "description": "Seconds", "schema": { "type": "integer" } },
    })
}

/// An example of each refusal.
pub(super) fn examples() -> Value {
    let all = refusals().map(|(code, _, says)| {
        let value = json!({ "ok": false, "errCode": code, "msg": says });
        (code.to_owned(), json!({ "summary": says, "value": value }))
    });
    all.collect::<Map<_, _>>().into()
}

fn refused(status: u16, codes: &[&str]) -> Value {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Refused");
    let examples = codes
        .iter()
        .map(|code| ((*code).to_owned(), of_components("examples", code)));
    let examples: Map<String, Value> = examples.collect();
    let mut headers = Map::new();
    headers.insert("X-Request-Id".to_owned(), request_id());
    let more = match status {
        401 => Some("WWW-Authenticate"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    };
    if let Some(name) = more {
        headers.insert(name.to_owned(), of_components("headers", name));
    }
    json!({
        "description": reason,
        "headers": headers,
        "content": { "application/json": {
            "schema": { "allOf": [
                { "$ref": "#/components/schemas/Refusal" },
                { "properties": { "errCode": { "enum": codes } } },
            ] },
            "examples": examples,
        } },
    })
}

/// `walnut::http::payments::create` is `payments_create`.
fn operation_id(name: &str, method: &str) -> String {
    let own = name.rsplit("http::").next().unwrap_or(name);
    let id = own.replace("::", "_");
    match name.contains("notifications") {
        // Served by one handler for all methods.
        true => format!("{id}_{}", method.to_ascii_lowercase()),
        false => id,
    }
}

/// A parameter that is not there is not `null`.
fn without_null(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    schema.retain(|name, value| name != "default" || !value.is_null());
}
