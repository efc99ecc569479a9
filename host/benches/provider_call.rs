//! One provider call in a fresh instance (instantiate, handle a notification of real size, drop) against the
//! same Rust code called natively. The host's check of the signature, RSA and all, is inside both: the provider
//! asks for it in the middle of the call.
//!
//! | figure | is |
//! |---|---|
//! | `native` | the provider's crate, compiled for this machine |
//! | `component` | the shipped component, through the plugin room |
//! | `above native` | the difference; the goal is 25 µs at most |
//!
//! The two take turns of [`TURN`] calls, so that whatever else the machine does meets both, and the median turn
//! counts, since one in which the thread was not running says nothing of the call. Making the inputs is outside of
//! both, throwing them away inside.
//!
//! `cargo bench -p walnut --bench provider_call`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod alipay;
    pub(crate) mod merchant;
    pub(crate) mod native;
    pub(crate) mod order;
}

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use walnut::plugin::{AttemptView, Outcome, PluginOptions, Plugins, Provider, ProviderCall};
use walnut::trust::{Message, Origin, Target};

use stage::alipay::Account;
use stage::merchant::Merchant as _;
use stage::{native, order};

/// Calls of one kind before the other kind has its turn: half a millisecond.
const TURN: u64 = 16;

/// When the call begins; the scheme has no time window.
const NOW_MS: u64 = 1_768_442_540_000;

/// What every call is made with.
#[derive(Clone)]
struct Stage {
    provider: Provider,
    target: Arc<Target>,
    attempt: AttemptView,
    notification: Message,
}

impl Stage {
    async fn set(plugins: &Plugins) -> Stage {
        let zfb = walnut_bundle::providers()
            .iter()
            .find(|shipped| shipped.name == Account::PLATFORM)
            .expect("a shipped provider");
        let wasm = Arc::new(zfb.bytes.to_vec());
        let admitted = plugins
            .admit_provider(wasm.clone())
            .await
            .expect("an admitted provider");
        let provider = plugins
            .provider(admitted.digest, || async { Ok(Some(wasm)) })
            .await
            .expect("a loaded provider");
        let account = Account::open().expect("an account");
        let settings = account.settings().expect("its settings");
        let (public, secrets) = provider.manifest().split_settings(settings);
        let new = order::sent::<Account>(admitted.digest).expect("a payment");
        let attempt = new.attempts.first().expect("its attempt");
        let target = Target::assemble(
            provider.manifest(),
            order::DOMAIN.to_owned(),
            attempt.target.clone(),
            true,
            public,
            secrets,
        )
        .expect("a target");
        let paid = account
            .paid(attempt.trade_no.as_str())
            .expect("a notification");
        Stage {
            target: Arc::new(target),
            attempt: AttemptView::of(&new.payment, attempt),
            notification: Message {
                origin: Origin::Notification,
                status: 0,
                headers: paid.headers,
                body: paid.body.into_bytes(),
                came: std::time::Instant::now(),
            },
            provider,
        }
    }

    fn inputs(&self, calls: u64) -> Vec<(AttemptView, Message)> {
        (0..calls)
            .map(|_| (self.attempt.clone(), self.notification.clone()))
            .collect()
    }

    fn native(&self, calls: u64) -> Duration {
        let inputs = self.inputs(calls);
        let manifest = self.provider.manifest();
        let begun = Instant::now();
        for (attempt, notification) in inputs {
            let read = native::complete(manifest, &self.target, attempt, notification, NOW_MS);
            black_box(read.expect("an answer").expect("a statement"));
        }
        begun.elapsed()
    }

    async fn component(&self, calls: u64) -> Duration {
        let inputs = self.inputs(calls);
        let begun = Instant::now();
        for (attempt, notification) in inputs {
            let call = ProviderCall {
                target: Arc::clone(&self.target),
                now_ms: NOW_MS,
            };
            let read = self.provider.complete(call, attempt, notification).await;
            let read = read.expect("a call").expect("an answer");
            assert!(matches!(black_box(read).outcome, Outcome::Trade { .. }));
        }
        begun.elapsed()
    }

    /// The time of so many calls by the figure of the median turn, on a thread of the runtime as in the host.
    fn measure(&self, runtime: &Runtime, calls: u64, figure: Figure) -> Duration {
        let stage = self.clone();
        let turns = runtime.spawn(async move {
            let mut turns = Vec::new();
            for _ in 0..calls.div_ceil(TURN) {
                let native = stage.native(TURN);
                turns.push(figure(native, stage.component(TURN).await));
            }
            turns
        });
        let mut turns = runtime.block_on(turns).expect("the calls");
        turns.sort_unstable();
        let median = turns.get(turns.len() / 2).expect("a turn");
        Duration::from_nanos_u128(median.as_nanos() * u128::from(calls) / u128::from(TURN))
    }
}

/// What a turn of native calls and one of calls of the component say.
type Figure = fn(Duration, Duration) -> Duration;

fn calls(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let cache = tempfile::tempdir().expect("a directory");
    let plugins = Plugins::start(PluginOptions {
        instances: 64,
        cache_dir: cache.path().to_owned(),
        cache_key: [0; 32],
        allow_local_gateways: false,
        compiler: None,
    })
    .expect("the plugin room");
    let stage = runtime.block_on(Stage::set(&plugins));
    println!(
        "a notification of {} bytes with {} headers",
        stage.notification.body.len(),
        stage.notification.headers.len()
    );
    let mut group = criterion.benchmark_group("provider call");
    group.sampling_mode(SamplingMode::Flat);
    group.measurement_time(Duration::from_secs(10));
    let figures: [(&str, Figure); 3] = [
        ("native", |native, _| native),
        ("component", |_, component| component),
        ("above native", |native, component| {
            component.saturating_sub(native)
        }),
    ];
    for (name, figure) in figures {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|calls| stage.measure(&runtime, calls, figure));
        });
    }
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
