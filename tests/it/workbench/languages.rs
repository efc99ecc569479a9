//! One project of each language: as its owner makes it, builds it, tries it, uploads it and sells with it.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::{tools, tried, walnut};
use crate::world::{World, left_out};

/// A project that the binary made.
struct Project(TempDir);

impl Project {
    async fn new(lang: &str) -> Project {
        let temp = tempfile::tempdir().unwrap();
        let ran = walnut(
            temp.path(),
            &["callback", "new", "--lang", lang, "tea-shop"],
        )
        .await;
        assert_eq!(ran.code, 0, "{ran:?}");
        Project(temp)
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("tea-shop")
    }

    /// Builds with the one command that the README gives; what was built of the very same files before is taken again.
    async fn build_once(&self, program: &Path, args: &[&str], file: &str) {
        let mut digest = Context::new(&SHA256);
        let mut files = Vec::new();
        collect(&self.dir(), &mut files);
        files.sort();
        for file in files {
            digest.update(&std::fs::read(file).unwrap());
        }
        let name = hex::encode(digest.finish());
        let (kept, built) = (tools().join("built").join(name), self.dir().join(file));
        if std::fs::copy(&kept, &built).is_ok() {
            return;
        }
        self.run(program, args).await;
        std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
        let part = kept.with_extension(std::process::id().to_string());
        std::fs::copy(&built, &part).unwrap();
        std::fs::rename(part, kept).unwrap();
    }

    /// Runs one of the commands that the project's README gives.
    async fn run(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.dir())
            .kill_on_drop(true);
        // The flags with which the suite itself is built are none of the project's.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(name);
        }
        command.env("CARGO_TARGET_DIR", tools().join("rust"));
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    }

    /// Tries what was built, then uploads it and takes two payments with it.
    async fn sells(&self, file: &str) {
        let dir = self.dir();
        let report = tried(&dir, file, &["--payment", "payment.json"]).await;
        let first = json!({ "recorded": true, "number": 1, "sold_minor": 2300 });
        assert_eq!(report["answer"], first, "{report}");
        assert_eq!(report["kv"].as_array().unwrap().len(), 3, "{report}");
        assert_eq!(report["events"][0]["name"], "sale", "{report}");
        assert!(
            report["log"][0].as_str().unwrap().contains("sale 1"),
            "{report}"
        );

        let world = World::start().await;
        let file = dir.join(file);
        let line = ["callback", "put", "tea-shop", file.to_str().unwrap()];
        let put = world.host.walnut(world.shop.key(), &line).await;
        assert_eq!(put.code, 0, "{put:?}");
        for number in 1..=2 {
            let (id, code) = world.sent_with(json!({ "callback": "tea-shop" })).await;
            world.alipay.pay(&code).await.unwrap();
            let applied = world.shop.until_applied(&id).await;
            let answer = json!({ "recorded": true, "number": number, "sold_minor": 2300 * number });
            assert_eq!(applied["apply_re"], answer, "{applied}");
        }
    }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_rust_takes_part_in_a_payment() {
    let print = [
        "--print",
        "target-libdir",
        "--target",
        "wasm32-unknown-unknown",
    ];
    let libraries = Command::new("rustc").args(print).output().await.unwrap();
    if !Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir() {
        left_out(
            "a project in Rust",
            "its target wasm32-unknown-unknown is not installed",
        );
        return;
    }
    let project = Project::new("rust").await;
    project.run("cargo", &["component", "--locked"]).await;
    let built = tools().join("rust/wasm32-unknown-unknown/release/tea_shop.wasm");
    // Where cargo leaves it without the cached target directory.
    let file = "target/wasm32-unknown-unknown/release/tea_shop.wasm";
    let there = project.dir().join(file);
    std::fs::create_dir_all(there.parent().unwrap()).unwrap();
    std::fs::copy(built, there).unwrap();
    project.sells(file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_javascript_text_takes_part_in_a_payment() {
    Project::new("js").await.sells("callback.js").await;
}

/// A project in componentized JavaScript, where its tools are installed.
async fn javascript() -> Option<Project> {
    let installed = tools().join("npm");
    if !installed.join("installed").exists() {
        left_out(
            "a project in componentized JavaScript",
            "run tests/install first",
        );
        return None;
    }
    let project = Project::new("js-component").await;
    let modules = project.dir().join("node_modules");
    std::os::unix::fs::symlink(installed.join("node_modules"), modules).unwrap();
    Some(project)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_componentized_javascript_takes_part_in_a_payment() {
    let Some(project) = javascript().await else {
        return;
    };
    project.run("npm", &["run", "build"]).await;
    project.sells("callback.wasm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_componentized_javascript_lacks_is_told_in_words() {
    let Some(project) = javascript().await else {
        return;
    };
    let dir = project.dir();
    let careless = "
        import * as kv from 'walnut:pay/kv@0.1.0';
        export function run(payment) {
            switch (JSON.parse(payment).how) {
                case 'clock': return String(Date.now());
                case 'argument': return kv.increment('sold', 1n);
                case 'object': return { sold: 1 };
                default: console.log('sold');
            }
        }";
    std::fs::write(dir.join("callback.js"), careless).unwrap();
    project.run("npm", &["run", "build"]).await;
    for (how, words) in [
        ("clock", "there is no clock but `nowMs`"),
        ("argument", "an argument of `increment`"),
        ("object", "what it returned or threw is neither a text"),
        ("other", "console is not defined"),
    ] {
        let payment = json!({ "how": how }).to_string();
        std::fs::write(dir.join("how.json"), payment).unwrap();
        let report = tried(&dir, "callback.wasm", &["--payment", "how.json"]).await;
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(words), "{how}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_python_takes_part_in_a_payment() {
    let installed = tools().join("python");
    if !installed.join("installed").exists() {
        left_out("a project in Python", "run tests/install first");
        return;
    }
    let project = Project::new("python").await;
    let build = [
        "-d",
        "wit",
        "-w",
        "callback-plugin",
        "componentize",
        "--stub-wasi",
        "app",
        "-o",
        "app.wasm",
    ];
    let readme = std::fs::read_to_string(project.dir().join("README.md")).unwrap();
    let told = format!("venv/bin/componentize-py {}", build.join(" "));
    assert!(readme.contains(&told), "{readme}");
    let tool = installed.join("bin/componentize-py");
    project.build_once(&tool, &build, "app.wasm").await;
    project.sells("app.wasm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_in_c_takes_part_in_a_payment() {
    for tool in ["clang", "wasm-ld", "make"] {
        if Command::new(tool).arg("--version").output().await.is_err() {
            left_out("a project in C", &format!("{tool} is not installed"));
            return;
        }
    }
    let project = Project::new("c").await;
    project.run("make", &[]).await;
    project.sells("callback.wasm").await;
}
