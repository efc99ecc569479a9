//! The projects that owners of callbacks start from: real files of this repository, embedded in the host's binary, so
//! that `walnut callback new` needs neither network nor repository.

/// A file of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Within the project, with slashes.
    pub path: &'static str,
    /// With `{{name}}` where the project's name stands, and `{{crate}}` for the same with underscores.
    pub text: &'static str,
}

/// What a callback is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// With the SDK, built by cargo.
    Rust,
    /// JavaScript text, which is not built.
    Js,
    /// JavaScript, built by `componentize-qjs`.
    JsComponent,
    /// Built by `componentize-py`.
    Python,
    /// Built by clang.
    C,
}

impl Language {
    /// The files of a project.
    pub fn files(self) -> &'static [File] {
        match self {
            Language::Rust => RUST,
            Language::Js => JS,
            Language::JsComponent => JS_COMPONENT,
            Language::Python => PYTHON,
            Language::C => C,
        }
    }
}

/// A payment as it looks when its callback runs; every project has it as `payment.json`.
pub const PAYMENT: &str = include_str!("../payment.json");

include!(concat!(env!("OUT_DIR"), "/projects.rs"));

/// What the owner's guide shows in Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/callbacks.md")]
mod guide {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/callbacks.zh-CN.md")]
mod guide_in_chinese {}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Language; 5] = [
        Language::Rust,
        Language::Js,
        Language::JsComponent,
        Language::Python,
        Language::C,
    ];

    fn text(language: Language, path: &str) -> &'static str {
        let file = language.files().iter().find(|file| file.path == path);
        file.unwrap_or_else(|| panic!("{language:?} has no {path}"))
            .text
    }

    #[test]
    fn every_project_says_how_it_is_built_and_tried() {
        for language in ALL {
            let readme = text(language, "README.md");
            assert!(readme.contains("walnut callback test"), "{language:?}");
            assert!(readme.contains("walnut callback put"), "{language:?}");
        }
    }

    /// The copy of the SDK is the SDK: its manifest stands alone, and says the same.
    #[test]
    fn the_sdk_of_a_project_has_the_dependencies_of_the_sdk() {
        let own = include_str!("../../sdk/Cargo.toml");
        let workspace = include_str!("../../../Cargo.toml");
        let copy = text(Language::Rust, "vendor/walnut-sdk/Cargo.toml");
        let section = |text: &'static str, from: &str| {
            let (_, rest) = text.split_once(from).unwrap();
            let end = rest.find("\n[").unwrap_or(rest.len());
            rest[..end].trim().to_owned()
        };
        assert_eq!(section(own, "[features]"), section(copy, "[features]"));
        let wasm = "[target.'cfg(target_arch = \"wasm32\")'.dependencies]";
        for table in ["[dependencies]", wasm] {
            let wanted: Vec<String> = section(own, table)
                .lines()
                .map(|line| {
                    let (name, _) = line.split_once(".workspace = true").unwrap();
                    let start = format!("\n{name} = ");
                    let (_, rest) = workspace.split_once(&start).unwrap();
                    format!("{name} = {}", rest.lines().next().unwrap())
                })
                .collect();
            assert_eq!(section(copy, table), wanted.join("\n"));
        }
    }
}
