//! A new project in one of the languages, from the templates that the binary carries.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use walnut_templates::{File, Language};

use crate::cli::error::CliError;
use crate::cli::output::Output;

/// `walnut callback new`
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct New {
    /// What the callback is written in
    #[arg(long, value_enum)]
    lang: Lang,
    /// Its name: lower-case letters, digits and dashes. Without it, that of the folder
    #[arg(long)]
    name: Option<String>,
    /// The folder; made when it does not exist, and empty when it does
    dir: PathBuf,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Lang {
    /// Rust with the SDK, built by cargo
    Rust,
    /// JavaScript text, which is not built
    Js,
    /// JavaScript, built by componentize-qjs
    JsComponent,
    /// Python, built by componentize-py
    Python,
    /// C, built by clang
    C,
}

impl Lang {
    fn language(self) -> Language {
        match self {
            Lang::Rust => Language::Rust,
            Lang::Js => Language::Js,
            Lang::JsComponent => Language::JsComponent,
            Lang::Python => Language::Python,
            Lang::C => Language::C,
        }
    }
}

impl New {
    /// Makes the project.
    pub(in crate::cli) fn run(self) -> Result<Output, CliError> {
        let name = self.name()?;
        self.empty()?;
        for file in self.lang.language().files() {
            write(&self.dir, file, &name)?;
        }
        let readme = self.dir.join("README.md");
        Ok(Output::text(format!(
            "made {} in {}: {} says how to build and try it",
            name,
            self.dir.display(),
            readme.display()
        )))
    }

    fn name(&self) -> Result<String, CliError> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                // `.` has no name of its own.
                let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
                let last = dir.components().next_back();
                last.map(|last| last.as_os_str().to_string_lossy().into_owned())
                    .unwrap_or_default()
            }
        };
        if is_name(&name) {
            return Ok(name);
        }
        Err(CliError::usage(format!(
            "{name:?} cannot be a callback's name: give --name with 1 to 40 lower-case letters, digits and dashes, a letter first"
        )))
    }

    /// Nothing that is there is written over.
    fn empty(&self) -> Result<(), CliError> {
        match fs::read_dir(&self.dir) {
            Ok(mut entries) => match entries.next() {
                None => Ok(()),
                Some(_) => Err(CliError::usage(format!(
                    "{} is not empty: name a new folder",
                    self.dir.display()
                ))),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(CliError::usage(format!(
                "cannot use {}: {error}",
                self.dir.display()
            ))),
        }
    }
}

/// What cargo, npm and a host take alike.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(plain)
}

fn write(dir: &Path, file: &File, name: &str) -> Result<(), CliError> {
    let path = dir.join(file.path);
    let text = file
        .text
        .replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"));
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(&path, text))
        .map_err(|error| CliError::usage(format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(dir: &Path, name: Option<&str>, lang: Lang) -> Result<Output, CliError> {
        let new = New {
            lang,
            name: name.map(str::to_owned),
            dir: dir.to_owned(),
        };
        new.run()
    }

    #[test]
    fn a_project_has_its_name_everywhere() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("tea-shop");
        new(&dir, None, Lang::Rust).unwrap();
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
        assert!(read("Cargo.toml").contains("name = \"tea-shop\""));
        assert!(read("README.md").contains("release/tea_shop.wasm"));
        assert!(read("wit/callback.wit").contains("world callback-plugin"));
        for file in Lang::Rust.language().files() {
            let text = read(file.path);
            assert!(
                !text.contains("{{name}}") && !text.contains("{{crate}}"),
                "{}",
                file.path
            );
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let temp = tempfile::tempdir().unwrap();
        new(temp.path(), Some("first"), Lang::Python).unwrap();
        let error = new(temp.path(), Some("second"), Lang::Python).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_name_is_one_for_cargo_npm_and_the_host() {
        let temp = tempfile::tempdir().unwrap();
        for (at, bad) in ["", "Tea", "1st", "a b", "-a", "a_b", "茶", "../x"]
            .iter()
            .enumerate()
        {
            let dir = temp.path().join(at.to_string());
            let error = new(&dir, Some(bad), Lang::Js).unwrap_err().to_string();
            assert!(error.contains("--name"), "{error}");
            assert!(!dir.exists(), "{bad:?}");
        }
    }
}
