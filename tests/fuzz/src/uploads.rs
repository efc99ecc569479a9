//! What is uploaded, and what the host fetches: components, scripts, bills.

use std::sync::{Arc, LazyLock};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use walnut::outside;
use walnut::plugin::{PluginOptions, Plugins, Refusal, author};

/// A component, as far as it is read before it is compiled: what may be one asks for nothing but what `wit/` names.
pub fn component(wasm: &[u8]) {
    let _ = author(wasm);
    if let Ok(imports) = outside::component(wasm) {
        for import in imports {
            assert!(import.starts_with("walnut:pay/"), "{import}");
        }
    }
}

/// The sandbox, which reads scripts by the component that runs them.
struct Sandbox {
    runtime: Runtime,
    plugins: Plugins,
    _dir: TempDir,
}

impl Sandbox {
    fn start() -> Sandbox {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let dir = TempDir::new().unwrap();
        let options = PluginOptions {
            instances: 2,
            cache_dir: dir.path().join("compiled"),
            cache_key: [7; 32],
            allow_local_gateways: false,
            compiler: None,
        };
        let plugins = runtime.block_on(async { Plugins::start(options) });
        Sandbox {
            plugins: plugins.unwrap(),
            runtime,
            _dir: dir,
        }
    }
}

/// The text of a script, and whether it is JavaScript: a mistake stands at a place in the text.
pub fn script(content: &[u8]) {
    static SANDBOX: LazyLock<Sandbox> = LazyLock::new(Sandbox::start);
    let _ = outside::script(content);
    // What is no text comes no further than that: it is made one.
    let text = String::from_utf8_lossy(content).replace('\0', " ");
    if outside::script(text.as_bytes()).is_err() {
        return;
    }
    let admitted = SANDBOX
        .plugins
        .admit_callback(Arc::new(text.clone().into_bytes()));
    match SANDBOX.runtime.block_on(admitted) {
        Ok(_) => {}
        Err(Refusal::Syntax { line, column, .. }) => {
            assert!(line >= 1 && column >= 1, "{line}:{column}");
            let lines = text.split(['\n', '\r', '\u{2028}', '\u{2029}']).count();
            assert!(line as usize <= lines, "line {line} of {lines}");
        }
        Err(Refusal::Unreadable(_)) => {}
        Err(other) => panic!("{other}"),
    }
}

/// What a bill may have unpacked.
const MOST: u64 = 1 << 20;

/// A bill: never more than it may have, and in whole lines.
pub fn bill(packed: &[u8]) {
    let whole = outside::bill(packed, MOST, true);
    let Ok(files) = outside::bill(packed, MOST, false) else {
        return;
    };
    for chunks in &files {
        let before = chunks.split_last().map(|(_, before)| before);
        let cut = before.into_iter().flatten().any(|it| !it.ends_with('\n'));
        assert!(!cut, "a chunk ends within a line");
    }
    // A byte that is no character is shown as one of three.
    let bytes: usize = files.iter().flatten().map(String::len).sum();
    assert!(bytes as u64 <= 3 * MOST);
    if let Ok(whole) = whole {
        let joined: Vec<String> = files.iter().map(|chunks| chunks.concat()).collect();
        let whole: Vec<String> = whole.iter().map(|chunks| chunks.concat()).collect();
        assert_eq!(joined, whole);
    }
}
