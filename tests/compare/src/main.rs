//! One delivery of the same callback, compiled beforehand, in an instance of its own: on walnut, which gives it the domain's
//! data and takes its effects out, and on Extism, which gives it variables of its own. Beside them one that Extism keeps
//! from delivery to delivery, so that what one left is there for the next: walnut does not do that.
//!
//! ```text
//! cd tests/compare && cargo run --release
//! ```
//!
//! All take turns of a round each. The program fails when walnut's fresh instance is not at least 5 times as fast as
//! Extism's fresh instance.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use walnut::plugin::{Callback, CallbackCall, DeliveryView, EmptyDomain, PluginOptions, Plugins};

const EXTISM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/extism.wasm"));

/// When the delivery begins.
const NOW_MS: u64 = 1_768_442_540_000;

/// Deliveries of one round, and rounds that count, after those in which everything becomes warm.
const ROUND: u32 = 500;
const ROUNDS: usize = 41;
const BEFORE: usize = 4;

/// How many times as fast walnut has to be.
const GOAL: f64 = 5.0;

fn main() -> Result<ExitCode> {
    let payment = payment();
    let input = json!({ "payment": payment, "late": false }).to_string();
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let plugins = Plugins::start(PluginOptions {
        instances: 4,
        cache_dir: folder.path().join("compiled"),
        cache_key: [7; 32],
        allow_local_gateways: false,
        compiler: None,
    })
    .context("walnut's engine")?;
    let callback = runtime
        .block_on(plugins.try_callback(Arc::new(walnut_bundle::RECORD_SALE.to_vec())))
        .context("walnut's callback")?;
    let compiled = compiled()?;
    let mut kept = Plugin::new_from_compiled(&compiled)?;

    // Both do the work.
    ensure!(runtime.block_on(deliver(&callback, &payment))? == 3);
    let answer: Value =
        serde_json::from_slice(on(&mut Plugin::new_from_compiled(&compiled)?, &input)?)?;
    ensure!(
        answer.get("recorded") == Some(&json!(true)),
        "Extism's answer: {answer}"
    );

    let mut rounds = Vec::new();
    for _ in 0..BEFORE + ROUNDS {
        let walnut = timed(|| {
            black_box(runtime.block_on(deliver(&callback, &payment))?);
            Ok(())
        })?;
        let fresh = timed(|| {
            let mut plugin = Plugin::new_from_compiled(&compiled)?;
            black_box(on(&mut plugin, &input)?);
            Ok(())
        })?;
        // The second delivery of a payment finds the sale in the books and does less: each is another payment.
        let mut number = 0_u32;
        let reused = timed(|| {
            number += 1;
            let another = input.replace("3f4a5b", &format!("{number:06}"));
            black_box(on(&mut kept, &another)?);
            Ok(())
        })?;
        kept = Plugin::new_from_compiled(&compiled)?;
        rounds.push([walnut, fresh, reused]);
    }
    rounds.drain(..BEFORE);

    println!(
        "walnut, a fresh instance: {:.1} µs",
        median(&rounds, |[walnut, ..]| micros(*walnut))
    );
    println!(
        "Extism, a fresh instance: {:.1} µs",
        median(&rounds, |[_, fresh, _]| micros(*fresh))
    );
    println!(
        "Extism, one that is kept: {:.1} µs",
        median(&rounds, |[.., reused]| micros(*reused))
    );
    let faster = median(&rounds, |[walnut, fresh, _]| {
        micros(*fresh) / micros(*walnut)
    });
    let holds = faster >= GOAL;
    println!(
        "fresh against fresh: walnut is {faster:.1} times as fast (median of {ROUNDS} rounds), at least {GOAL}: {}",
        if holds { "holds" } else { "BROKEN" }
    );
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Extism's, with the limits that walnut holds a callback to.
fn compiled() -> Result<CompiledPlugin> {
    let manifest = Manifest::new([Wasm::data(EXTISM)])
        .with_memory_max(40 * 16)
        .with_timeout(Duration::from_secs(3));
    CompiledPlugin::new(PluginBuilder::new(manifest).with_wasi(false))
}

fn on<'a>(plugin: &'a mut Plugin, input: &str) -> Result<&'a [u8]> {
    plugin.call("record_sale", input)
}

/// How many keys the delivery wrote.
async fn deliver(callback: &Callback, payment: &Value) -> Result<usize> {
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
    let run = callback
        .run(call, payment, delivery)
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(run.effects.writes.len())
}

/// One delivery's time, on the average of a round.
fn timed(mut deliver: impl FnMut() -> Result<()>) -> Result<Duration> {
    let began = Instant::now();
    for _ in 0..ROUND {
        deliver()?;
    }
    Ok(began.elapsed() / ROUND)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn median(rounds: &[[Duration; 3]], figure: impl Fn(&[Duration; 3]) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn payment() -> Value {
    json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "nm": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
        "tp": "wn_payment", "ct": NOW_MS, "lm": NOW_MS, "brief": "两杯茶", "fee": 2300, "cur": "RMB",
        "st": "OK", "test": false, "pay_tp": "zfb.qrcode", "pay_target": "main",
        "re_tp": null, "re_obj": null, "buyer_tp": 0, "buyer_id": "", "buyer_nm": "",
        "seller_id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5c", "seller_nm": "shop", "len": 747,
        "send_at": NOW_MS, "close_at": NOW_MS, "apply_at": 0, "apply_re": null, "expi": NOW_MS,
        "late": false, "overdue": false,
    })
}
