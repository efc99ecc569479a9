//! The shipped components are what the host admits: they import the contract and nothing else,
//! export their world, and providers carry their manifest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expected by failing"
)]

use std::collections::BTreeSet;

use serde_json::Value;
use wasmparser::{Parser, Payload, Validator};

/// What a component asks for, offers and carries.
struct Outside {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    manifest: Option<Value>,
}

fn outside(component: &[u8]) -> Outside {
    Validator::new()
        .validate_all(component)
        .expect("a valid component");
    let mut found = Outside {
        imports: BTreeSet::new(),
        exports: BTreeSet::new(),
        manifest: None,
    };
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                found
                    .imports
                    .extend(section.into_iter().map(|i| i.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                found
                    .exports
                    .extend(section.into_iter().map(|e| e.unwrap().name.name.to_owned()));
            }
            Payload::CustomSection(section)
                if depth == 0 && section.name() == "walnut:manifest" =>
            {
                assert!(found.manifest.is_none(), "one manifest");
                found.manifest = Some(serde_json::from_slice(section.data()).expect("JSON"));
            }
            _ => {}
        }
    }
    found
}

fn interfaces(names: &[&str]) -> BTreeSet<String> {
    names
        .iter()
        .map(|name| format!("walnut:pay/{name}@0.1.0"))
        .collect()
}

const PROVIDERS_MAY_USE: [&str; 7] = [
    "types", "trust", "http", "settings", "clock", "random", "log",
];
const CALLBACKS_MAY_USE: [&str; 9] = [
    "types",
    "delivery-types",
    "payments",
    "kv",
    "web",
    "events",
    "clock",
    "random",
    "log",
];

#[test]
fn providers_import_the_contract_alone_and_carry_their_manifest() {
    for provider in walnut_bundle::providers() {
        let found = outside(provider.bytes);
        let allowed = interfaces(&PROVIDERS_MAY_USE);
        assert!(
            found.imports.is_subset(&allowed),
            "{}: {:?}",
            provider.name,
            found.imports
        );
        assert_eq!(
            found.exports,
            interfaces(&["provider"]),
            "{}",
            provider.name
        );
        let manifest = found.manifest.expect("a manifest");
        assert_eq!(manifest["name"], provider.name);
        assert_eq!(manifest["manifest"], 1);
    }
}

#[test]
fn the_example_imports_what_it_uses() {
    let found = outside(walnut_bundle::RECORD_SALE);
    // A world's function shows the types that it takes as imports of their own.
    let mut allowed = interfaces(&CALLBACKS_MAY_USE);
    allowed.extend(["json", "delivery"].map(str::to_owned));
    assert!(found.imports.is_subset(&allowed), "{:?}", found.imports);
    assert!(
        found
            .imports
            .is_superset(&interfaces(&["kv", "events", "log"]))
    );
    assert_eq!(found.exports, BTreeSet::from(["run".to_owned()]));
    assert!(found.manifest.is_none());
}

#[test]
fn what_runs_scripts_imports_what_callbacks_may() {
    let found = outside(walnut_bundle::SCRIPT);
    let mut allowed = interfaces(&CALLBACKS_MAY_USE);
    allowed.extend(["json", "delivery", "syntax-error"].map(str::to_owned));
    assert!(found.imports.is_subset(&allowed), "{:?}", found.imports);
    let functions = ["check", "run"].map(str::to_owned);
    assert!(found.exports.is_superset(&BTreeSet::from(functions)));
    assert!(found.manifest.is_none());
}

#[test]
fn components_name_no_directory_of_the_machine_that_built_them() {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let workspace = std::fs::canonicalize(workspace).unwrap();
    let home = std::env::var("HOME").unwrap_or_default();
    for bytes in walnut_bundle::providers()
        .iter()
        .map(|provider| provider.bytes)
        .chain([walnut_bundle::RECORD_SALE, walnut_bundle::SCRIPT])
    {
        for dir in [workspace.to_str().unwrap(), &format!("{home}/.cargo")] {
            let found = bytes
                .windows(dir.len())
                .any(|window| window == dir.as_bytes());
            assert!(!found, "{dir}");
        }
    }
}
