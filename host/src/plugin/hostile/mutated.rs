//! Components that are cut short, and such that are changed at random: whatever they have become, the host reads them
//! to the end, and what it admits is held to the limits like everything else.

use std::ops::Range;
use std::time::Duration;

use wasmparser::{Parser, Payload};

use super::*;
use crate::plugin::bindings::callback::COMPONENT_TYPE;
use crate::plugin::world::World;

/// How many changed components are read.
pub(super) const MUTANTS: u32 = 10_000;

/// How many of those that pass are compiled and run, since each costs as much as a hundred that do not.
const RUN: usize = 150;

/// Numbers from a seed (SplitMix64), so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.roll() % most.max(1) as u64) as usize
    }
}

/// A byte.
fn byte(dice: &mut Dice) -> u8 {
    dice.roll().to_le_bytes()[0]
}

/// A part of so many bytes, at most `most` long.
fn part(dice: &mut Dice, of: usize, most: usize) -> Range<usize> {
    let start = dice.below(of + 1);
    start..(start + dice.below(most)).min(of)
}

/// The sections of a component and of everything inside it, whole.
fn sections(wasm: &[u8]) -> Vec<Range<usize>> {
    Parser::new(0)
        .parse_all(wasm)
        .filter_map(|payload| match payload.ok()? {
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => Some(unchecked_range),
            other => other.as_section().map(|(_, range)| range),
        })
        .collect()
}

fn mutant(good: &[u8], sections: &[Range<usize>], dice: &mut Dice) -> Vec<u8> {
    let mut wasm = good.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.below(wasm.len());
        match dice.below(8) {
            0 => wasm[at] ^= 1 << dice.below(8),
            1 => wasm[at] = byte(dice),
            2 => wasm.insert(at, byte(dice)),
            3 => drop(wasm.drain(part(dice, good.len().min(wasm.len()), 64))),
            // Numbers whose form is at its limit: large, negative, and longer than they need be.
            4 => {
                let odd: [&[u8]; 4] = [
                    &[0xff, 0xff, 0xff, 0xff, 0x0f],
                    &[0x80, 0x80, 0x80, 0x80, 0x00],
                    &[0x7f],
                    &[0xff; 12],
                ];
                let odd = odd[dice.below(4)];
                let end = (at + odd.len()).min(wasm.len());
                drop(wasm.splice(at..end, odd.iter().copied()));
            }
            // A section again somewhere, gone, or in the place of another.
            kind @ (5 | 6) => {
                let from = sections[dice.below(sections.len())].clone();
                let to = sections[dice.below(sections.len())].clone();
                let to = if kind == 5 { to.end..to.end } else { to };
                if to.end <= wasm.len() {
                    drop(wasm.splice(to, good[from].iter().copied()));
                }
            }
            _ => wasm.truncate(at.max(1)),
        }
        if wasm.is_empty() {
            wasm.push(byte(dice));
        }
    }
    wasm
}

fn good() -> Vec<u8> {
    let body = "(call $log (i32.const 1) (i32.const 1100) (i32.const 4))
        (call $emit (i32.const 1100) (i32.const 4) (i32.const 1024) (i32.const 13) (i32.const 64))";
    callback("(table $t 4 funcref)", &format!("{body} {FINE}")).to_vec()
}

/// What becomes of a component that is admitted: it ends within its limits, and says something or why not.
async fn run_to_an_end(plugins: &Plugins, wasm: Vec<u8>) -> Option<Result<Run, PluginError>> {
    let ready = plugins.try_callback(wasm.into()).await.ok()?;
    let payment = json!({"id": "0190"});
    let ran = ready.run(call(EmptyDomain), &payment, delivery());
    let end = tokio::time::timeout(Duration::from_secs(120), ran).await;
    let end = end.expect("whatever a guest does, its run ends");
    if let Ok(run) = &end {
        assert!(run.log.len() <= limits::LOG_BYTES);
        assert!(run.spent.memory_bytes <= limits::CALL_BYTES as u64);
        assert!(run.effects.events.len() <= limits::EVENTS);
    }
    Some(end)
}

#[tokio::test]
async fn a_component_that_was_cut_anywhere_is_refused() {
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let good = good();
    assert!(plugins.admit_callback(good.clone().into()).await.is_ok());
    // Behind its exports there is nothing but names for backtraces.
    let whole = Parser::new(0)
        .parse_all(&good)
        .filter_map(|payload| match payload.unwrap() {
            Payload::ComponentExportSection(section) => Some(section.range().end),
            _ => None,
        });
    for length in 0..whole.max().unwrap() {
        let cut = good[..length].to_vec();
        let refusal = plugins.admit_callback(cut.into()).await.map(drop);
        let refusal = refusal.expect_err(&format!("{length} of {} bytes", good.len()));
        // Its first bytes may be taken for text.
        let told = matches!(
            refusal,
            Refusal::Empty
                | Refusal::NoCallback
                | Refusal::NotWasm
                | Refusal::Invalid(_)
                | Refusal::World(_)
        );
        assert!(told, "{length}: {refusal}");
    }
}

#[tokio::test]
async fn ten_thousand_changed_components_hurt_nobody() {
    let seed = match std::env::var("WALNUT_SEED") {
        Ok(given) => given.parse().expect("WALNUT_SEED is a number"),
        Err(_) => Digest::of(format!("{:?}", std::time::SystemTime::now()).as_bytes()).0[..8]
            .iter()
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte)),
    };
    // Shown where the test fails.
    println!("WALNUT_SEED={seed}");
    let mut dice = Dice(seed);
    let good = good();
    let sections = sections(&good);
    assert!(sections.len() > 20, "{sections:?}");
    let world = World::described(COMPONENT_TYPE).unwrap();
    let dir = TempDir::new().unwrap();
    let plugins = sandbox(&dir, 2);
    let features = wasmtime::Engine::default().get_wasm_features();
    let mut passed = Vec::new();
    for number in 0..MUTANTS {
        let wasm = loop {
            let wasm = mutant(&good, &sections, &mut dice);
            if wasm != good {
                break wasm;
            }
        };
        let inspected = admission::inspect(&wasm, features, "callback", &world);
        if inspected.is_ok() {
            let named = World::of_component(&wasm, features).unwrap();
            let more: Vec<_> = named
                .imports
                .keys()
                .filter(|name| !world.imports.contains_key(*name))
                .collect();
            assert!(more.is_empty(), "{number}: {more:?}");
            passed.push((number, wasm));
        }
    }
    assert!(
        !passed.is_empty(),
        "every change was found out: too few survive to try"
    );
    let every = passed.len().div_ceil(RUN);
    let (mut ran, mut failed) = (0, 0);
    for (number, wasm) in passed.into_iter().step_by(every) {
        println!("mutant {number}");
        match run_to_an_end(&plugins, wasm).await {
            Some(Ok(_)) => ran += 1,
            Some(Err(_)) => failed += 1,
            None => {}
        }
    }
    println!("{ran} ran to their end, {failed} were ended");
    // And the host goes on.
    let end = run_to_an_end(&plugins, good).await.unwrap();
    assert_eq!(end.unwrap().answer.as_deref(), Ok(r#"{"sold":true}"#));
}
