//! One delivery of a callback, without its commit: a fresh instance, the run, its effects taken out, the drop. Once of
//! the ten lines of JavaScript that come with walnut (`plugins/examples/record-sale.js`), once of the same callback in
//! Rust (`plugins/examples/record-sale`). Both read and write the domain's data, emit an event and log a line.
//!
//! | figure | is | goal |
//! |---|---|---|
//! | `script` | the text, run by the component that comes with the host | 500 µs |
//! | `component` | the callback in Rust | 40 µs |
//!
//! `cargo bench -p walnut --bench script`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use walnut::plugin::{
    Callback, CallbackCall, DeliveryView, EmptyDomain, PluginOptions, Plugins, Run,
};

const SCRIPT: &str = include_str!("../../plugins/examples/record-sale.js");

/// When the run begins.
const NOW_MS: u64 = 1_768_442_540_000;

fn payment() -> Value {
    json!({
        "id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b", "nm": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
        "tp": "wn_payment", "ct": NOW_MS, "lm": NOW_MS, "brief": "两杯茶", "fee": 2300, "cur": "RMB",
        "st": "OK", "test": false, "pay_tp": "zfb.qrcode", "pay_target": "main",
        "re_tp": null, "re_obj": null, "buyer_tp": 0, "buyer_id": "", "buyer_nm": "",
        "seller_id": "0190a5b1c2d37e4f8a9b0c1d2e3f4a5c", "seller_nm": "shop", "len": SCRIPT.len(),
        "send_at": NOW_MS, "close_at": NOW_MS, "apply_at": 0, "apply_re": null, "expi": NOW_MS,
        "late": false, "overdue": false,
    })
}

async fn deliver(callback: &Callback, payment: &Value) -> Run {
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
    let run = callback.run(call, payment, delivery).await;
    run.expect("a run that comes to its end")
}

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let cache = tempfile::tempdir().expect("a directory");
    let plugins = Plugins::start(PluginOptions {
        instances: 4,
        cache_dir: cache.path().join("compiled"),
        cache_key: [7; 32],
        allow_local_gateways: false,
        compiler: None,
    })
    .expect("an engine");
    let payment = payment();
    let mut group = criterion.benchmark_group("delivery");
    for (name, content) in [
        ("script", SCRIPT.as_bytes()),
        ("component", walnut_bundle::RECORD_SALE),
    ] {
        let callback = runtime
            .block_on(plugins.try_callback(Arc::new(content.to_vec())))
            .expect("a callback");
        let run = runtime.block_on(deliver(&callback, &payment));
        assert_eq!(run.effects.writes.len(), 3, "{name}: {run:?}");
        group.bench_function(name, |bencher| {
            bencher
                .to_async(&runtime)
                .iter(async || black_box(deliver(&callback, &payment).await));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
