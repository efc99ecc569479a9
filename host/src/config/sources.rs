//! Where options come from: a file in TOML, the environment, flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::names::{self, unknown};
use super::value::Kind;
use super::{Config, SETTINGS, Setting};
use crate::home::MasterSource;

/// What is wrong, and where: one line for each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Problem(Vec<String>);

/// Where the options of a host come from. They are read anew whenever the host is told to.
#[derive(Clone, Default, Debug)]
pub struct Sources {
    file: Option<PathBuf>,
    pub(super) environment: BTreeMap<String, String>,
    /// Options' variables that are no text.
    no_text: Vec<String>,
    /// Variables that look like options' and are none.
    strange: Vec<String>,
    /// Key and value, and the flag as it is named to people.
    flags: Vec<(String, String, String)>,
}

/// A text with the words for where it stands.
struct Given {
    text: String,
    place: String,
}

impl Sources {
    /// A file and this process's environment, of which the options' variables alone are kept.
    pub fn of(file: Option<PathBuf>) -> Sources {
        let mut sources = Sources {
            file,
            ..Sources::default()
        };
        sources.take(std::env::vars_os());
        sources
    }

    /// Of these variables what is an option, and the names of what looks like one.
    pub(super) fn take(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            let Ok(name) = name.into_string() else {
                continue;
            };
            if SETTINGS.iter().any(|setting| setting.variable() == name) {
                match value.into_string() {
                    Ok(value) => drop(self.environment.insert(name, value)),
                    Err(_) => self.no_text.push(name),
                }
            } else if names::looks_like_an_option(&name, &value) {
                self.strange.push(name);
            }
        }
        self.strange.sort_unstable();
    }

    /// What to tell of variables that are named as options are, and are none: with a slip in its name one would be left out
    /// without a word.
    pub fn strange_variables(&self, config: &Config) -> Vec<String> {
        let key = match &config.master_key {
            Some(MasterSource::Environment(name)) => Some(name),
            _ => None,
        };
        let strange = self.strange.iter().filter(|name| Some(*name) != key);
        strange.map(|name| names::unknown_variable(name)).collect()
    }

    /// The file alone.
    pub fn of_file(file: PathBuf) -> Sources {
        Sources {
            file: Some(file),
            ..Sources::default()
        }
    }

    /// A flag, which wins over everything; `named` is what a mistake in it is told by.
    pub fn flag(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
        named: impl Into<String>,
    ) {
        self.flags.push((key.into(), value.into(), named.into()));
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// Everything that is wrong, one line for each, with file and line, variable or flag.
    pub fn read(&self) -> Result<Config, Problem> {
        let mut given: BTreeMap<&'static str, Given> = BTreeMap::new();
        let mut wrong = Vec::new();
        if let Some(file) = &self.file {
            match std::fs::read_to_string(file) {
                Ok(text) => read_file(&file.display().to_string(), &text, &mut given, &mut wrong),
                Err(error) => wrong.push(format!("{}: {error}", file.display())),
            }
        }
        for name in &self.no_text {
            wrong.push(format!("{name} is no text in UTF-8"));
        }
        for setting in SETTINGS {
            let variable = setting.variable();
            if let Some(text) = self.environment.get(&variable) {
                put(&mut given, setting.key, text, variable);
            }
        }
        for (key, text, named) in &self.flags {
            match SETTINGS.iter().find(|setting| setting.key == key) {
                Some(setting) => put(&mut given, setting.key, text, named.clone()),
                None => wrong.push(format!("{named}: {}", unknown(key))),
            }
        }
        for setting in SETTINGS {
            if let Some(Given { text, place }) = given.get(setting.key)
                && let Err(why) = (setting.check)(text)
            {
                wrong.push(told(place, setting, text, &why));
            }
        }
        if !wrong.is_empty() {
            return Err(Problem(wrong));
        }
        let config = Config::of(
            |key| given.get(key).map(|given| given.text.clone()),
            |key, why| Problem(vec![format!("{key} {why}")]),
        )?;
        config.together().map_err(|why| Problem(vec![why]))?;
        Ok(config)
    }
}

fn put(given: &mut BTreeMap<&'static str, Given>, key: &'static str, text: &str, place: String) {
    let text = text.to_owned();
    given.insert(key, Given { text, place });
}

/// A value may be an address with a password in it, or by mistake the master key: nothing of those is shown.
fn told(place: &str, setting: &Setting, text: &str, why: &str) -> String {
    let key = setting.key;
    let hidden = text.contains("://") || key == "master_key";
    if setting.kind == Kind::Text && hidden {
        return format!("{place}: {key} {why}");
    }
    format!("{place}: {key} = {text} {why}")
}

fn read_file(
    shown: &str,
    text: &str,
    given: &mut BTreeMap<&'static str, Given>,
    wrong: &mut Vec<String>,
) {
    let line = |at: usize| text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1;
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            wrong.push(format!("{shown}:{}: {}", line(at), error.message()));
            return;
        }
    };
    let mut found = Vec::new();
    flatten("", table.get_ref(), &mut found);
    for (key, at, value) in found {
        let place = format!("{shown}:{}", line(at));
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            wrong.push(format!("{place}: {}", unknown(&key)));
            continue;
        };
        match text_of(setting.kind, value) {
            Some(text) => put(given, setting.key, &text, place),
            None => wrong.push(format!(
                "{place}: {key} has to be {}, and is {}",
                setting.kind.in_words(),
                value.type_str()
            )),
        }
    }
}

/// Every value with its whole name and where that name stands.
fn flatten<'a>(
    before: &str,
    table: &'a DeTable<'_>,
    found: &mut Vec<(String, usize, &'a DeValue<'a>)>,
) {
    for (name, value) in table {
        let key = format!("{before}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if !SETTINGS.iter().any(|setting| setting.key == key) => {
                let is_section = SETTINGS
                    .iter()
                    .any(|setting| setting.key.starts_with(&format!("{key}.")));
                if is_section || !inner.is_empty() {
                    flatten(&format!("{key}."), inner, found);
                } else {
                    found.push((key, name.span().start, value.get_ref()));
                }
            }
            other => found.push((key, name.span().start, other)),
        }
    }
}

/// The value as the environment would give it; `None` where it is of another kind.
fn text_of(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Text, DeValue::String(text)) => Some(text.to_string()),
        (Kind::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
        (Kind::Number, DeValue::Integer(number)) => {
            // The radix is of `0x…`: nobody writes a limit so.
            (number.radix() == 10).then(|| number.as_str().to_owned())
        }
        _ => None,
    }
}
