//! The alert rules and the dashboard: they ask for what there is, and Prometheus can read them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use serde_json::Value;

use super::told;
use crate::world::left_out;

const ALERTS: &str = include_str!("../../../docs/operations/alerts.yml");
const DASHBOARD: &str = include_str!("../../../docs/operations/dashboard.json");

/// Prometheus's own reader of rules, if this machine has it.
fn promtool() -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let installed = installed.join("tools/prometheus/usr/bin/promtool");
    [installed, PathBuf::from("promtool")]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_ok())
}

fn run(program: &Path, args: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Command::new(program)
        .args(args)
        .current_dir(root)
        .output()
        .unwrap()
}

fn holds(output: &Output) {
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// The series that a text names, each of which the host has to tell.
fn asked(text: &str) -> BTreeSet<String> {
    let series = Regex::new(r"\b(?:walnut|process)_[a-z_]+").unwrap();
    series
        .find_iter(text)
        .map(|found| found.as_str().to_owned())
        .collect()
}

fn is_told(series: &str) -> bool {
    told().iter().any(|(family, _)| {
        let ends = ["", "_bucket", "_sum", "_count"];
        ends.iter().any(|end| series == format!("{family}{end}"))
    })
}

fn questions_of(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_alerts_ask_for_what_is_told() {
    let lines = ALERTS
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    // What is told to people names metrics too.
    let series: BTreeSet<String> = lines.flat_map(asked).collect();
    assert!(series.len() > 15, "{series:?}");
    for series in series {
        assert!(is_told(&series), "{series} is in no scrape");
    }
    // Every number of the store that should be 0 has its alert.
    for watched in [
        "walnut_payments_held",
        "walnut_deliveries_dead",
        "walnut_refunds_stuck",
        "walnut_store_up",
    ] {
        assert!(ALERTS.contains(watched), "{watched}");
    }
}

#[test]
fn the_alerts_are_rules_that_prometheus_takes() {
    let Some(promtool) = promtool() else {
        return left_out(
            "reading the alert rules as Prometheus does",
            "there is no promtool",
        );
    };
    holds(&run(
        &promtool,
        &["check", "rules", "docs/operations/alerts.yml"],
    ));
    holds(&run(&promtool, &["test", "rules", "tests/alerts.yml"]));
}

#[test]
fn the_dashboard_asks_what_prometheus_answers() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().unwrap())
        .collect();
    assert_eq!(
        ids.len(),
        panels.len(),
        "each panel has a number of its own"
    );
    let questions = questions_of(&dashboard);
    assert!(questions.len() > 30, "{}", questions.len());
    let series: BTreeSet<String> = questions
        .iter()
        .flat_map(|question| asked(question))
        .collect();
    for series in &series {
        assert!(is_told(series), "{series} is in no scrape");
    }
    // Whatever the host tells is somewhere to be seen.
    let unseen: Vec<&str> = told()
        .iter()
        .map(|(family, _)| *family)
        .filter(|family| !series.iter().any(|series| series.starts_with(family)))
        .collect();
    assert_eq!(unseen, ["walnut_start_time_seconds"]);

    let Some(promtool) = promtool() else {
        return left_out("reading the dashboard's questions", "there is no promtool");
    };
    // As rules that record: what Grafana puts in is put in.
    let rules: Vec<Value> = questions
        .iter()
        .enumerate()
        .map(|(number, question)| {
            let question = question
                .replace("$__rate_interval", "5m")
                .replace("$instance", ".*");
            serde_json::json!({ "record": format!("question:{number}"), "expr": question })
        })
        .collect();
    let rules = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rules.yml");
    // JSON is YAML.
    std::fs::write(&file, rules.to_string()).unwrap();
    holds(&run(&promtool, &["check", "rules", file.to_str().unwrap()]));
}
