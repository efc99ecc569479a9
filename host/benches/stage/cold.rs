//! Callbacks that nobody has used for so long that they are in memory no more: how long it takes until one has run, from
//! its compiled form on the disk, and what a text takes in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use walnut::payment::model::{CallbackKind, Digest};
use walnut::plugin::{Callback, CallbackCall, DeliveryView, EmptyDomain, PluginOptions, Plugins};

use super::distinct::{Kind, Originals};
use super::held::Held;

/// When the runs begin.
const NOW_MS: u64 = 1_768_442_540_000;

fn plugins(dir: &Path) -> anyhow::Result<Plugins> {
    Ok(Plugins::start(PluginOptions {
        instances: 16,
        cache_dir: dir.join("compiled"),
        cache_key: [7; 32],
        allow_local_gateways: false,
        compiler: Some(PathBuf::from(env!("CARGO_BIN_EXE_walnut"))),
    })?)
}

async fn run(callback: &Callback) -> anyhow::Result<()> {
    let payment = json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "tp": "wn_payment", "ct": NOW_MS, "lm": NOW_MS, "brief": "两杯茶",
        "fee": 2300, "cur": "RMB", "st": "OK", "pay_tp": "zfb.qrcode", "buyer_nm": "", "seller_nm": "shop",
    });
    let call = CallbackCall {
        domain: "shop".to_owned(),
        view: Arc::new(EmptyDomain),
        now_ms: NOW_MS,
    };
    let delivery = DeliveryView {
        key: "0190a5b1c2d37e4f8a9b0c1d2e3f4a5d".to_owned(),
        try_no: 1,
        callback: "record-sale".to_owned(),
        late: false,
    };
    let ran = callback.run(call, &payment, delivery).await?;
    let answer: Value = serde_json::from_str(&ran.answer.map_err(anyhow::Error::msg)?)?;
    ensure!(
        answer.get("recorded") == Some(&Value::Bool(true)),
        "{answer}"
    );
    Ok(())
}

/// How long components of a kind took from the call for them until they had run, the shortest first: when the system
/// still had their files in memory, and when it had to read them from the disk; and how long the disk takes by itself.
pub(crate) struct Loads {
    pub(crate) bytes: u64,
    pub(crate) cached: Vec<Duration>,
    pub(crate) read: Vec<Duration>,
    pub(crate) disk_alone: Vec<Duration>,
}

/// Compiles so many components of a kind, forgets them, and runs each.
///
/// # Errors
/// When one is refused, or does not run.
pub(crate) async fn load(
    dir: &Path,
    originals: &Originals,
    kind: Kind,
    number: u32,
) -> anyhow::Result<Loads> {
    let dir = dir.join(format!("{kind:?}"));
    let mut digests = Vec::new();
    let first = plugins(&dir)?;
    for number in 0..number {
        let content = Arc::new(originals.callback(kind, number));
        digests.push(first.admit_callback(content).await?);
    }
    drop(first);
    let files: Vec<PathBuf> = fs::read_dir(dir.join("compiled"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    let bytes = fs::metadata(files.first().context("compiled code")?)?.len();
    let cached = runs(&plugins(&dir)?, &digests).await?;
    let_go(&files)?;
    let read = runs(&plugins(&dir)?, &digests).await?;
    let_go(&files)?;
    let mut disk_alone = Vec::with_capacity(files.len());
    for file in &files {
        let begun = Instant::now();
        std::hint::black_box(fs::read(file)?);
        disk_alone.push(begun.elapsed());
    }
    disk_alone.sort_unstable();
    Ok(Loads {
        bytes,
        cached,
        read,
        disk_alone,
    })
}

/// Has the system write these files and let go of them.
fn let_go(files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        fs::File::open(file)?.sync_all()?;
        let mut dd = Command::new("dd");
        dd.args(["iflag=nocache", "count=0", "status=none"]);
        let mut of = std::ffi::OsString::from("if=");
        of.push(file);
        ensure!(dd.arg(of).status()?.success(), "dd");
    }
    Ok(())
}

async fn runs(plugins: &Plugins, digests: &[Digest]) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(digests.len());
    for digest in digests {
        let begun = Instant::now();
        // Nobody can compile it again.
        let gone = || async { Ok(None) };
        let callback = plugins
            .callback(CallbackKind::Component, *digest, gone)
            .await?;
        run(&callback).await?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Ok(took)
}

/// The memory that so many texts take when all are loaded, each with this many bytes.
///
/// # Errors
/// When one does not run.
pub(crate) async fn texts(
    dir: &Path,
    originals: &Originals,
    number: u32,
    bytes: usize,
) -> anyhow::Result<u64> {
    let plugins = plugins(&dir.join("texts"))?;
    let mut before = 0;
    for number in 0..=number {
        let mut text = originals.callback(Kind::Text, number);
        text.resize(bytes, b' ');
        let digest = Digest::of(&text);
        let loaded = || async { Ok(Some(Arc::new(text))) };
        let callback = plugins
            .callback(CallbackKind::JavaScript, digest, loaded)
            .await?;
        if number % 64 == 0 {
            run(&callback).await?;
        }
        // The first brings what runs all of them.
        if number == 0 {
            before = Held::by(std::process::id())?.bytes;
        }
    }
    Ok(Held::by(std::process::id())?.bytes.saturating_sub(before))
}
