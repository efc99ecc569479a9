use std::collections::BTreeSet;

use super::*;

#[test]
fn every_refusal_that_is_named_is_one() {
    let known: BTreeSet<&str> = operation::refusals().map(|(code, ..)| code).collect();
    assert_eq!(known.len(), operation::refusals().count(), "each code once");
    let mut named = BTreeSet::new();
    for (method, path, refusals) in words::all() {
        assert!(named.insert((method, path)), "{method} {path} twice");
        for code in refusals {
            assert!(known.contains(code), "{method} {path}: {code}");
        }
    }
}

#[test]
fn words_are_of_endpoints() {
    for (method, path, _) in words::all() {
        let mut rows = access::documented(Some(method), path);
        rows.extend(access::documented(None, path));
        let found = rows.iter().any(|row| row.method == method);
        assert!(found, "{method} {path} is no endpoint");
    }
}

#[test]
fn what_is_taken_and_given_is_the_same_either_way() {
    use crate::payment::caller::Scope;
    let of = |contract| generator(contract).into_root_schema_for::<Scope>();
    assert_eq!(of(Contract::Deserialize), of(Contract::Serialize));
}

#[test]
fn examples_are_made_of_what_schemas_have() {
    let schemas = json!({
        "Shop": {
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "st": { "enum": ["NEW", "OK"] },
                "fee": { "type": ["integer", "null"], "minimum": 1 },
                "open": { "type": "boolean" },
                "tags": { "type": "array", "items": { "type": "string", "examples": ["tea"] } },
            },
        },
    });
    let mut operation = json!({
        "parameters": [
            { "name": "limit", "schema": { "type": "integer" } },
            { "name": "id", "schema": { "type": "integer" } },
        ],
        "responses": { "200": { "content": { "application/json": {
            "schema": { "type": "object", "properties": {
                "ok": { "const": true }, "data": { "$ref": "#/components/schemas/Shop" },
            } },
        } } } },
    });
    examples::add(
        &mut operation,
        "GET",
        "/pay/shop",
        schemas.as_object().unwrap(),
    );
    assert_eq!(operation["parameters"][0]["example"], 10);
    assert_eq!(operation["parameters"][1].get("example"), None);
    let made = &operation["responses"]["200"]["content"]["application/json"]["example"];
    assert_eq!(
        *made,
        json!({
            "ok": true,
            "data": {
                "id": "019a5b1c2d377e4f8a9b0c1d2e3f4a5b",
                "st": "NEW", "fee": 2300, "open": false, "tags": ["tea"],
            },
        })
    );
}
