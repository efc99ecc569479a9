//! Changes that are made blindly: each corpus's seeds, and so many changed ones of each. A failure prints its seed and the
//! input; `WALNUT_SEED` starts from it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::SystemTime;
use std::{env, fs};

/// Changed inputs for each seed of a corpus.
const CHANGED: usize = 300;

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

/// What parsers stumble over.
const ODD: [&[u8]; 20] = [
    b"",
    b"\0",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]]>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&b;",
    b"<![CDATA[",
    b"%00",
    b"%",
    b"+",
    b"&",
    b"=",
    b"99999999999999999999",
    b"-1e999",
];

/// Nesting that a parser by descent has to bound.
const DEEP: usize = 2_000;

fn changed(seed: &[u8], others: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        let end = (at + dice.below(16)).min(input.len());
        match dice.below(9) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = dice.roll().to_le_bytes()[0],
            2 => drop(input.drain(at..end)),
            3 => input.truncate(at),
            4 => {
                let again = input[at..end].to_vec();
                drop(input.splice(at..at, again));
            }
            5 => {
                let other = &others[dice.below(others.len())];
                let from = dice.below(other.len() + 1);
                drop(input.splice(at..end, other[from..].iter().copied()));
            }
            6 if dice.below(20) == 0 => {
                let deep: &[u8] = [b"[".as_slice(), b"{\"a\":", b"<a>", b"("][dice.below(4)];
                drop(input.splice(at..at, deep.repeat(DEEP)));
            }
            _ => {
                let odd = ODD[dice.below(ODD.len())];
                drop(input.splice(at..end, odd.iter().copied()));
            }
        }
    }
    input
}

/// Gives a function every seed of its corpus and `count` changed ones of each.
fn tried(corpus: &str, read: fn(&[u8]), count: usize) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(corpus);
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!seeds.is_empty(), "{} is empty", dir.display());
    let start = env::var("WALNUT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let start: u64 = start.unwrap_or_else(|| {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap()
    });
    let mut dice = Dice(start);
    for seed in &seeds {
        let inputs = (0..count).map(|_| changed(seed, &seeds, &mut dice));
        for input in std::iter::once(seed.clone()).chain(inputs) {
            let ended = catch_unwind(AssertUnwindSafe(|| read(&input)));
            assert!(
                ended.is_ok(),
                "WALNUT_SEED={start}: {corpus}: {:?}",
                String::from_utf8_lossy(&input)
            );
        }
    }
}

macro_rules! tried {
    ($($corpus:ident: $count:expr),* $(,)?) => { $(
        #[test]
        fn $corpus() {
            tried(stringify!($corpus), crate::$corpus, $count);
        }
    )* };
}

tried! {
    bill: CHANGED,
    caller: CHANGED,
    certificate: CHANGED,
    component: CHANGED,
    create: CHANGED,
    form: CHANGED,
    json: CHANGED,
    manifest: CHANGED,
    paypal: CHANGED,
    question: CHANGED,
    relaxed: CHANGED,
    // Each runs a parser in the sandbox.
    script: CHANGED / 10,
    settings: CHANGED,
    wx: CHANGED,
    xml: CHANGED,
    zfb: CHANGED,
}

#[test]
fn every_corpus_is_tried_by_a_target_of_its_name() {
    let names = |dir: &str| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("../corpus"), names("fuzz_targets"));
}
