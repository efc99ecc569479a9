//! `/openapi.json`: every endpoint as OpenAPI 3.1 has it, made from what the handlers take and answer; and the page that
//! shows it.
//!
//! | file | has |
//! |---|---|
//! | [`routes`] | the router, which keeps what its handlers say of themselves |
//! | [`takes`] | what an extractor reads of a request, and what a handler answers |
//! | [`operation`] | one endpoint while it is written down |
//! | [`words`] | what no type says: a sentence for each endpoint, and its own refusals |
//! | [`examples`] | examples of answers, out of those of the fields |
//! | [`requests`] | examples of what is taken, which a host takes |
//!
//! Who may call what comes from the table of [`access`](super::access), so that there is one; an endpoint of that table
//! without words fails a story, and words without an endpoint fail a test.

mod examples;
mod operation;
mod requests;
mod routes;
mod takes;
mod words;

use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use super::access;
use super::pages::{self, Made};
use operation::Operation;
pub(super) use routes::{Described, Routes};
pub(super) use takes::{BytesOr, IdempotencyKey, LastEventId, Raw, RawIfAny};
pub(super) use words::methods;

/// The document of a host. Copies are the same.
#[derive(Clone, Default)]
pub(super) struct Document(Arc<Inner>);

#[derive(Default)]
struct Inner {
    described: OnceLock<Vec<Described>>,
    /// Written when somebody asks for the first time.
    text: OnceLock<Made>,
}

impl Document {
    /// All that is routed, the document itself among it. Said once.
    pub(super) fn is_of(&self, described: Vec<Described>) {
        let _ = self.0.described.set(described);
    }

    fn text(&self) -> &Made {
        let described = self.0.described.get().map_or(&[][..], Vec::as_slice);
        let written = || Made::of(&written(described).to_string());
        self.0.text.get_or_init(written)
    }
}

/// `GET /openapi.json`
pub(super) async fn openapi(
    Extension(document): Extension<Document>,
    asked: HeaderMap,
) -> Response {
    pages::as_asked(document.text(), "application/json", &asked)
}

/// Where the schemas of types stand.
const SCHEMAS: &str = "/components/schemas";

/// Writes schemas as they are read, or as they are written.
fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.contract = contract;
        settings.meta_schema = None;
    });
    settings.into_generator()
}

fn written(described: &[Described]) -> Value {
    let mut taken = generator(Contract::Deserialize);
    let mut given = generator(Contract::Serialize);
    let mut operations = Vec::new();
    for one in described {
        for row in access::documented(one.method(), one.path()) {
            let mut operation = Operation::new(&mut taken, &mut given, row.path);
            one.describe(&mut operation);
            let written = operation.finish(&row);
            operations.push((row, written));
        }
    }
    let mut schemas = Map::new();
    schemas.insert("Refusal".to_owned(), operation::refusal());
    // What is both taken and given is the same either way: scopes and roles.
    schemas.extend(taken.take_definitions(true));
    schemas.extend(given.take_definitions(true));
    let mut paths = Map::new();
    for (row, mut operation) in operations {
        examples::add(&mut operation, row.method, row.path, &schemas);
        let path = paths
            .entry(row.path)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(path) = path {
            path.insert(row.method.to_ascii_lowercase(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "walnut",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A payment service for many domains",
            "description": words::ALL,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The host that serves this document" }],
        "tags": words::tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": operation::headers(),
            "examples": operation::examples(),
            "securitySchemes": {
                "key": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key (`wk_…`), or a payment's ticket, which is good for that payment alone",
                },
                "ticket": {
                    "type": "apiKey", "in": "query", "name": "ticket",
                    "description": "A payment's ticket, where no header can be sent",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "walnut_session",
                    "description": "Of whoever signed in to a page; where the host is reached by TLS the name is `__Host-walnut_session`. \
                        What changes anything has the header `X-Walnut-Page` besides",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests;
