//! Secrets in every form in which they might turn up, and where they did.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD};
use regex::bytes::Regex;

/// What is looked for: each with its name and a file of the data root in which it may be.
#[derive(Default)]
pub(super) struct Marks(Vec<Mark>);

struct Mark {
    what: String,
    may_be_in: Option<&'static str>,
    forms: Regex,
}

impl Marks {
    /// A secret of at least 16 bytes.
    pub(super) fn plant(&mut self, what: &str, secret: &[u8]) {
        self.plant_in(what, secret, None);
    }

    /// One that lies in a file of the data root, where it belongs.
    pub(super) fn plant_in(&mut self, what: &str, secret: &[u8], may_be_in: Option<&'static str>) {
        assert!(secret.len() >= 16, "{what} is short enough to be anywhere");
        let mut forms = vec![
            secret.to_vec(),
            hex::encode(secret).into_bytes(),
            hex::encode_upper(secret).into_bytes(),
            form_urlencoded::byte_serialize(secret)
                .collect::<String>()
                .into_bytes(),
            // As a list of numbers, as Rust and JSON write bytes.
            numbers(secret).into_bytes(),
        ];
        // In base64 wherever in a longer text it begins: without what its neighbours have a part in.
        for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
            let engine = GeneralPurpose::new(alphabet, NO_PAD);
            for before in 0..3 {
                let mut text = vec![0; before];
                text.extend_from_slice(secret);
                text.truncate(text.len() / 3 * 3);
                let encoded = engine.encode(text);
                let from = if before == 0 { 0 } else { 4 };
                forms.push(encoded.as_bytes()[from..].to_vec());
            }
        }
        let escaped: Vec<String> = forms
            .iter()
            .map(|form| form.iter().map(|byte| format!("\\x{byte:02x}")).collect())
            .collect();
        let forms = Regex::new(&format!("(?-u){}", escaped.join("|"))).unwrap();
        self.0.push(Mark {
            what: what.to_owned(),
            may_be_in,
            forms,
        });
    }

    /// What lay where it belongs is there no more.
    pub(super) fn move_away(&mut self, what: &str) {
        let moved = self.0.iter_mut().find(|mark| mark.what == what);
        moved.unwrap().may_be_in = None;
    }

    /// A private key: as text, and what the text stands for.
    pub(super) fn plant_key(&mut self, what: &str, pem_or_base64: &str) {
        let lines = pem_or_base64
            .lines()
            .filter(|line| !line.starts_with("---"));
        let text: String = lines.map(str::trim).collect();
        let der = STANDARD.decode(&text).unwrap();
        let middle = der.len() / 2;
        self.plant(what, &der[middle..middle + 32]);
        // Text may be broken into lines: within one of them.
        self.plant(&format!("{what}, as text"), &text.as_bytes()[130..180]);
    }

    /// Nothing of it is here.
    pub(super) fn are_not_in(&self, place: &str, bytes: &[u8]) {
        for mark in &self.0 {
            if let Some(found) = mark.forms.find(bytes) {
                let from = found.start().saturating_sub(100);
                let around = String::from_utf8_lossy(&bytes[from..found.start()]).into_owned();
                panic!("{} is in {place}, behind: {around}", mark.what);
            }
        }
    }

    /// Nothing of it is in any file below, but where it belongs.
    pub(super) fn are_not_below(&self, root: &Path) {
        let all = files(root);
        assert!(all.len() > 8, "{all:?}");
        for file in all {
            let bytes = std::fs::read(&file).unwrap();
            let shown = file.strip_prefix(root).unwrap().display().to_string();
            for mark in &self.0 {
                let there = mark.forms.is_match(&bytes);
                let may = mark.may_be_in == Some(shown.as_str());
                assert_eq!(there, may, "{} in {shown}", mark.what);
            }
        }
    }
}

fn numbers(bytes: &[u8]) -> String {
    let all: Vec<String> = bytes.iter().map(u8::to_string).collect();
    all.join(", ")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn a_mark_is_found_however_it_is_written() {
    let mut marks = Marks::default();
    let secret = b"a+secret/of sixteen bytes";
    marks.plant("it", secret);
    let found = |bytes: &[u8]| marks.0[0].forms.is_match(bytes);
    for before in ["", "x", "xy", "xyz"] {
        for behind in ["", "1", "12"] {
            let text = [before.as_bytes(), secret, behind.as_bytes()].concat();
            let url = GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD);
            for form in [
                text.clone(),
                hex::encode(&text).into_bytes(),
                STANDARD.encode(&text).into_bytes(),
                url.encode(&text).into_bytes(),
                format!("{text:?}").into_bytes(),
            ] {
                assert!(found(&form), "{}", String::from_utf8_lossy(&form));
            }
        }
    }
    assert!(!found(b"a+secret/of sixteen byte"));
}
