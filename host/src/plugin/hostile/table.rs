//! The tables of `docs/security.md`: each limit that it names has the number that it states, and each test that it names
//! is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{limits, mutated};
use crate::config;
use crate::home::name;

const PAGE: &str = include_str!("../../../../docs/security.md");

const HEADING: &str = "## Limits that hold";

/// What lies between whom, what holds it, and the tests.
const BOUNDARIES: &str = "# What is a security boundary";

/// What a provider may try, what stops it, and the tests.
const PROVIDERS: &str = "## What a provider may try";

/// What anybody may try who reaches the host, with the options that bound it.
const INCOMING: &str = "## Limits of what comes in";

/// What stands for a number where what holds is a rule.
const NO_NUMBER: &str = "–";

/// Every limit of the table, in its words, with its number as it is written there.
fn numbers() -> Vec<(&'static str, String)> {
    let longest_name = (1..).find(|&length| !name::is_item(&"x".repeat(length + 1)));
    let (callback, provider) = (limits::CALLBACK_CALL, limits::PROVIDER_CALL);
    vec![
        ("CPU time of a run", time(callback.cpu())),
        ("CPU time of a provider's call", time(provider.cpu())),
        ("a run on the wall", time(callback.wall)),
        ("stack of a guest", size(limits::STACK_BYTES)),
        ("memories and tables of a call", size(limits::CALL_BYTES)),
        ("one memory", size(limits::MEMORY_BYTES)),
        ("memories of a component", count(limits::MEMORIES)),
        ("elements of a table", count(limits::TABLE_ELEMENTS as u32)),
        (
            "core instances of a component",
            count(limits::CORE_INSTANCES),
        ),
        ("a JSON text", size(limits::JSON_BYTES)),
        ("levels of JSON", count(limits::JSON_LEVELS as u32)),
        (
            "bytes to the host in one call of it",
            size(limits::HOST_CALL_BYTES),
        ),
        ("text of an error", size(limits::LOG_LINE_BYTES)),
        ("log of a call", size(limits::LOG_BYTES)),
        ("calls of the host", count(limits::HOST_CALLS)),
        ("handles of a call", count(limits::HANDLES as u32)),
        (
            "messages and statements of a call",
            count(limits::RESOURCES as u32),
        ),
        (
            "keys that a delivery writes",
            count(limits::KV_WRITES as u32),
        ),
        ("bytes that a delivery writes", size(limits::KV_WRITE_BYTES)),
        ("events of a delivery", count(limits::EVENTS as u32)),
        (
            "a request until its last byte",
            time(limits::REQUEST_TIMEOUT),
        ),
        ("body of an answer", size(limits::BODY_BYTES)),
        ("headers of an answer", count(limits::ANSWER_HEADERS as u32)),
        ("requests of a run", count(limits::WEB_REQUESTS)),
        (
            "requests of a domain under way",
            count(limits::DOMAIN_REQUESTS as u32),
        ),
        (
            "clients of domains that are kept",
            count(limits::CLIENTS.get() as u32),
        ),
        ("bytes of a component", size(limits::COMPONENT_BYTES)),
        ("compiled code of a component", size(limits::LOADED_BYTES)),
        ("bytes of a script", size(limits::SCRIPT_BYTES)),
        (
            "memory of the compiler",
            size(limits::compile_bytes(0) as usize),
        ),
        ("CPU time of the compiler", time(limits::COMPILE_CPU)),
        ("the compiler on the wall", time(limits::COMPILE_WALL)),
        (
            "characters of a name",
            count(longest_name.unwrap_or_default() as u32),
        ),
        ("changed components that are tried", count(mutated::MUTANTS)),
        (
            "a domain's part of the callbacks' places",
            part(limits::DOMAIN_SHARE),
        ),
        (
            "the callbacks' part of all places",
            part(limits::CALLBACK_SHARE),
        ),
    ]
}

fn time(time: Duration) -> String {
    assert_eq!(
        time.subsec_nanos(),
        0,
        "{time:?} is not a number of seconds"
    );
    format!("{} s", time.as_secs())
}

fn size(bytes: usize) -> String {
    match bytes {
        mib if mib.is_multiple_of(1 << 20) => format!("{} MiB", mib >> 20),
        kib if kib.is_multiple_of(1 << 10) => format!("{} KiB", kib >> 10),
        other => panic!("{other} bytes are no number of KiB"),
    }
}

/// Thousands are set apart.
fn count(number: u32) -> String {
    assert!(number < 1_000_000, "{number} is larger than any limit");
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1_000),
    }
}

fn part(share: u32) -> String {
    format!("1/{share}")
}

/// The cells of the table: attack, limit, number, what happens, tests.
fn rows() -> Vec<[&'static str; 5]> {
    table(HEADING)
}

/// The cells of the table below a heading.
fn table<const CELLS: usize>(heading: &str) -> Vec<[&'static str; CELLS]> {
    let (_, section) = PAGE.split_once(heading).expect("the page has the section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("{CELLS} cells: {row}"))
    })
    .collect()
}

/// The file of a test, `module::of::the::library::test` or `it::module::test`, and its function.
fn place(test: &str) -> (PathBuf, &str) {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (root, below) = match test.strip_prefix("it::") {
        Some(below) => (host.join("../tests/it"), below),
        None => (host.join("src"), test),
    };
    let (module, function) = below.rsplit_once("::").expect(test);
    let module = module.replace("::", "/");
    // The tests of a file stand in its own module `tests`.
    let own = module.strip_suffix("/tests").unwrap_or(&module);
    let files = [
        format!("{module}.rs"),
        format!("{module}/mod.rs"),
        format!("{own}.rs"),
        format!("{own}/mod.rs"),
    ];
    let file = files
        .iter()
        .map(|file| root.join(file))
        .find(|file| file.is_file());
    let file = file.unwrap_or_else(|| panic!("no file has the test {test}"));
    (file, function)
}

#[test]
fn every_limit_has_the_number_that_the_page_states() {
    let numbers = numbers();
    let mut named = BTreeSet::new();
    for [attack, limit, number, ..] in rows() {
        match numbers.iter().find(|(known, _)| *known == limit) {
            Some((known, held)) => {
                assert_eq!(number, held, "{attack}: {limit}");
                named.insert(*known);
            }
            None => assert_eq!(
                number, NO_NUMBER,
                "{attack}: nobody knows the limit {limit:?}"
            ),
        }
    }
    for (known, _) in numbers {
        assert!(named.contains(known), "the page does not name {known:?}");
    }
}

#[test]
fn every_option_has_the_number_that_the_page_states() {
    let mut named = BTreeSet::new();
    for [attack, option, preset, _, _] in table(INCOMING) {
        let key = option.trim_matches('`');
        assert_eq!(Some(preset), config::preset_of(key), "{attack}: {option}");
        named.insert(key);
    }
    // Those that are no number bound nothing.
    let all = config::keys_below("incoming.");
    let bounds =
        |key: &&str| config::preset_of(key).is_some_and(|text| text.parse::<u32>().is_ok());
    let all: BTreeSet<&str> = all.filter(bounds).collect();
    assert_eq!(named, all);
}

#[test]
fn every_row_has_a_test_that_is_there() {
    let limits = rows().into_iter();
    let limits = limits.map(|[attack, _, _, happens, tests]| [attack, happens, tests]);
    let tricks = table(PROVIDERS);
    assert!(!tricks.is_empty(), "the page lists what a provider may try");
    let incoming = table(INCOMING).into_iter();
    let incoming = incoming.map(|[attack, _, _, happens, tests]| [attack, happens, tests]);
    // What is no boundary has nothing to be shown.
    let boundaries: Vec<[&str; 4]> = table(BOUNDARIES);
    assert!(!boundaries.is_empty(), "the page lists what is a boundary");
    let boundaries = boundaries.into_iter();
    let boundaries = boundaries.filter(|[_, boundary, _, _]| *boundary != "**no**");
    let boundaries = boundaries.map(|[between, _, held, tests]| [between, held, tests]);
    for [attack, happens, tests] in limits.chain(tricks).chain(incoming).chain(boundaries) {
        assert!(!happens.is_empty(), "{attack}");
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{attack} has no test");
        for test in tests {
            let (file, function) = place(test);
            let text = fs::read_to_string(&file).unwrap();
            let there = text
                .split("#[test]")
                .chain(text.split("#[tokio::test"))
                .skip(1)
                .any(|after| {
                    after
                        .lines()
                        .take(3)
                        .any(|line| line.contains(&format!("fn {function}(")))
                });
            assert!(there, "{attack}: {} has no test {function}", file.display());
        }
    }
}
