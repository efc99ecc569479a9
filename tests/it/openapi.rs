//! The endpoints as they are written down: `/openapi.json` is of all of them, its examples are what its schemas say, and
//! whoever asks at random gets no answer that is not in it. That every other answer of these stories is in it too is looked
//! at where they are heard (`world::contract`).

mod examples;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::world::{Shop, World, left_out};

const PAGE: &str = include_str!("../../docs/security.md");

/// Some thousand requests on a machine under load.
const PATIENCE: Duration = Duration::from_secs(900);

async fn document(shop: &Shop) -> Value {
    let answer = Shop::answer(shop.keyless(Method::GET, "/openapi.json")).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

#[tokio::test]
async fn every_endpoint_of_the_table_is_in_the_document() {
    let world = World::start().await;
    let document = document(&world.shop).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut rows = 0;
    for row in PAGE.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (endpoint, _) = row.split_once('`').unwrap();
        let Some((method, path)) = endpoint.split_once(' ') else {
            continue;
        };
        if !path.starts_with('/') {
            continue;
        }
        let method = method.to_lowercase().replace("any", "get");
        let operation = &document["paths"][path][method];
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty(), "{endpoint} is not described");
        rows += 1;
    }
    assert!(rows > 60, "{rows}");
    // Whoever reads it finds what it speaks of.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let (pointer, _) = reference.split_once('"').unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let mut names: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

/// All media of a document, with where they stand.
fn media<'a>(of: &'a Value, place: &str, found: &mut Vec<(String, &'a Value)>) {
    let Some(members) = of.as_object() else {
        return;
    };
    for (name, inner) in members {
        let inner_place = format!("{place}/{name}");
        if inner.get("schema").is_some() {
            found.push((inner_place.clone(), inner));
        }
        media(inner, &inner_place, found);
    }
}

#[tokio::test]
async fn its_examples_are_what_its_schemas_say() {
    let world = World::start().await;
    let document = document(&world.shop).await;
    let mut all = Vec::new();
    media(&document["paths"], "", &mut all);
    let parameters = document["paths"].as_object().unwrap().iter();
    let parameters = parameters.flat_map(|(path, methods)| {
        let operations = methods.as_object().unwrap().values();
        let of_all = operations.filter_map(|operation| operation["parameters"].as_array());
        of_all.flatten().map(move |one| (path.clone(), one))
    });
    all.extend(parameters);
    let mut looked_at = 0;
    for (place, one) in all {
        let whole = json!({ "components": document["components"], "allOf": [one["schema"]] });
        let validator =
            jsonschema::validator_for(&whole).unwrap_or_else(|why| panic!("{place}: {why}"));
        let examples = one["examples"].as_object().into_iter().flatten();
        let examples = examples.map(|(_, example)| {
            let (_, pointer) = example["$ref"].as_str().unwrap().split_once('#').unwrap();
            &document.pointer(pointer).unwrap()["value"]
        });
        for example in examples.chain(one.get("example")) {
            if let Err(wrong) = validator.validate(example) {
                panic!("{place}: {wrong} at {}: {example}", wrong.instance_path());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 300, "{looked_at}");
}

/// What asks at random: `tests/install` brings it.
fn schemathesis() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_walnut")).parent()?.parent()?;
    let program = target.join("tools/schemathesis/bin/schemathesis");
    program.is_file().then_some(program)
}

/// Asks everything at random, by everything that the document says, and by what it does not.
async fn asked_at_random(by: &Shop, url: &str) {
    let Some(program) = schemathesis() else {
        return left_out(
            "requests at random",
            "there is no schemathesis: tests/install installs it",
        );
    };
    let seed = std::env::var("WALNUT_TEST_SEED").unwrap_or_else(|_| "1".to_owned());
    let dir = tempfile::tempdir().unwrap();
    let asked = Command::new(program)
        .current_dir(dir.path())
        .args([
            "run",
            &format!("{url}/openapi.json"),
            "--no-color",
            "--seed",
            &seed,
        ])
        .args(["--header", &format!("Authorization: Bearer {}", by.key())])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "12",
            "--continue-on-failure",
        ])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,\
             response_headers_conformance,response_schema_conformance",
        ])
        // They go on until the caller leaves; `following` and `line` hold them to what they say.
        .args([
            "--exclude-path",
            "/pay/ajax/watch",
            "--exclude-path",
            "/websocket",
        ])
        .args(["--generation-database", "none", "--warnings", "off"])
        // The first script that a host runs has its engine compiled.
        .args(["--request-timeout", "300"])
        .kill_on_drop(true)
        .output();
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    let asked = asked.expect("schemathesis does not end").unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    let complained = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}{complained}");
}

#[tokio::test]
async fn the_operator_gets_no_answer_that_is_in_no_document() {
    let world = World::start().await;
    asked_at_random(&world.host.root(), world.host.url()).await;
}

#[tokio::test]
async fn a_domain_gets_no_answer_that_is_in_no_document() {
    let world = World::start().await;
    world.shop.create(json!({})).await;
    asked_at_random(&world.shop, world.host.url()).await;
}

#[tokio::test]
async fn a_part_of_an_address_that_is_no_text_is_refused_in_the_envelope() {
    let world = World::start().await;
    let root = world.host.root();
    let document = document(&world.shop).await;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let parts: Vec<&str> = path.split('/').collect();
        let is_hole = |part: &str| part.starts_with('{');
        for hole in (0..parts.len()).filter(|&at| is_hole(parts[at])) {
            // The other parts are read.
            let filled = parts.iter().enumerate().map(|(at, part)| match part {
                _ if at == hole => "%ff",
                part if is_hole(part) => "main",
                part => part,
            });
            let address = filled.collect::<Vec<_>>().join("/");
            for method in methods.as_object().unwrap().keys() {
                let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let answer = Shop::answer(root.request(verb, &address)).await;
                asked += 1;
                if path.starts_with("/pay/re/") {
                    // A platform is answered in words of its own.
                    assert_eq!(
                        (answer.status, answer.bytes.as_slice()),
                        (404, b"fail".as_slice())
                    );
                    continue;
                }
                assert_eq!(
                    answer.refusal(),
                    (400, "e.pay.invalid".to_owned()),
                    "{method} {address}"
                );
            }
        }
    }
    assert!(asked > 20, "{asked}");
}
