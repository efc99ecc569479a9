//! The text format of Prometheus (0.0.4), read strictly: whatever its rules do not allow is a failure.

use std::collections::{BTreeMap, BTreeSet};

/// One series with its value.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

/// What was scraped.
#[derive(Debug, Default)]
pub(super) struct Scrape {
    /// Types by family.
    pub(super) families: BTreeMap<String, String>,
    pub(super) samples: Vec<Sample>,
}

impl Scrape {
    /// Reads all lines.
    pub(super) fn read(text: &str) -> Scrape {
        assert!(text.ends_with('\n'), "the last line has to end");
        let mut scrape = Scrape::default();
        let mut helped = BTreeSet::new();
        let mut family = String::new();
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                assert!(is_name(name) && help.len() > 10, "{line}");
                assert!(helped.insert(name.to_owned()), "{line}: told twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(helped.contains(name), "{line}: without help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                let before = scrape.families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{line}: the family stands there twice");
                family = name.to_owned();
            } else {
                let sample = sample(line);
                let kind = &scrape.families[&family];
                let of_family = match kind.as_str() {
                    "histogram" => ["_bucket", "_sum", "_count"]
                        .iter()
                        .any(|end| sample.name == format!("{family}{end}")),
                    _ => sample.name == family,
                };
                assert!(of_family, "{line} stands below {family}");
                let place = (sample.name.clone(), sample.labels.clone());
                assert!(seen.insert(place), "{line}: the series stands there twice");
                assert!(kind != "counter" || sample.value >= 0.0, "{line}");
                scrape.samples.push(sample);
            }
        }
        scrape.check_histograms();
        scrape
    }

    /// Buckets grow, and the last one has everything.
    fn check_histograms(&self) {
        for (family, _) in self
            .families
            .iter()
            .filter(|(_, kind)| *kind == "histogram")
        {
            let mut last: BTreeMap<BTreeMap<String, String>, (f64, f64)> = BTreeMap::new();
            for sample in self.of(&format!("{family}_bucket")) {
                let mut labels = sample.labels.clone();
                let bound = labels.remove("le").expect("a bucket has its bound");
                let bound = if bound == "+Inf" {
                    f64::INFINITY
                } else {
                    bound.parse().unwrap()
                };
                let before = last.insert(labels, (bound, sample.value));
                let (before, count) = before.unwrap_or((f64::NEG_INFINITY, 0.0));
                assert!(bound > before && sample.value >= count, "{sample:?}");
            }
            assert!(!last.is_empty(), "{family} has no series");
            for count in self.of(&format!("{family}_count")) {
                assert_eq!(
                    last[&count.labels],
                    (f64::INFINITY, count.value),
                    "{family}"
                );
            }
        }
    }

    /// The series of this name.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }

    /// The sum of the series of this name that have these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            labels
                .iter()
                .all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
        };
        self.of(name).filter(has).map(|sample| sample.value).sum()
    }
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect(line);
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().expect(line),
    };
    let (name, labels) = match series.split_once('{') {
        None => (series, BTreeMap::new()),
        Some((name, rest)) => (name, labels(rest.strip_suffix('}').expect(line), line)),
    };
    assert!(is_name(name), "{line}");
    Sample {
        name: name.to_owned(),
        labels,
        value,
    }
}

fn labels(mut text: &str, line: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect(line);
        assert!(is_name(name), "{line}");
        let mut value = String::new();
        let mut letters = rest.char_indices();
        let end = loop {
            match letters.next().expect(line) {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next().expect(line).1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    _ => panic!("{line}: no such escape"),
                }),
                (_, letter) => value.push(letter),
            }
        };
        assert_eq!(labels.insert(name.to_owned(), value), None, "{line}");
        text = &rest[end + 1..];
        if let Some(next) = text.strip_prefix(',') {
            assert!(!next.is_empty(), "{line}");
            text = next;
        } else {
            assert!(text.is_empty(), "{line}");
        }
    }
    labels
}
