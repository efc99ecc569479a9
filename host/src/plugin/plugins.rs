//! The way in: admits components and scripts, and gives out loaded ones by digest.

mod callbacks;

use std::path::PathBuf;
use std::sync::Arc;

use prometheus_client::registry::Registry as Metrics;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};

use super::admission::{self, Refusal};
use super::bindings::{
    callback as callback_world, provider as provider_world, script as script_world,
};
use super::call::{Call, Running, within};
use super::callback::{self, ForCallback};
use super::compiled::Cache;
use super::compiler::Compiler;
use super::engine::{self, EngineError};
use super::error::{Kind, PluginError, Stop, Who, with_causes};
use super::limits;
use super::outbound::Outbound;
use super::pool::Pool;
use super::provider::{self, ForProvider, Provider, ReadyProvider};
use super::registry::{Bounds, Linked, Registry};
use super::script::ReadyScript;
use super::world::World;
use crate::asker::while_wanted;
use crate::measured::gauges;
use crate::payment::model::Digest;
use crate::trust::Manifest;

/// How plugins are run.
pub struct PluginOptions {
    /// Calls that may run at once; callbacks get half of them.
    pub instances: u32,
    /// Where compiled code is kept; made where it is missing.
    pub cache_dir: PathBuf,
    /// Authenticates compiled code: a key for this purpose alone, derived from the host's master key.
    pub cache_key: [u8; 32],
    /// Whether test targets may name a simulated platform on this machine.
    pub allow_local_gateways: bool,
    /// The program that compiles components when it is called with [`super::COMPILE_COMMAND`]: the host's own. Without
    /// one this process compiles, unbounded; that is for tests and benchmarks of the rooms.
    pub compiler: Option<PathBuf>,
}

/// The bytes of a component that was admitted; none where they are gone.
pub type Loaded = Result<Option<Arc<Vec<u8>>>, NotLoaded>;

/// Why a component that was admitted is not to be had.
#[derive(Debug)]
pub enum NotLoaded {
    /// What keeps it does not answer: later it may.
    Down(String),
    /// It may not run here any more.
    Refused(String),
}

/// A component that was admitted as a provider.
pub struct Admitted {
    /// By which it is loaded from now on.
    pub digest: Digest,
    /// For the operator to approve, and for the rules to read.
    pub manifest: Arc<Manifest>,
}

/// The sandbox. Copies share it.
#[derive(Clone)]
pub struct Plugins(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    cache: Arc<Cache>,
    compiler: Compiler,
    /// For what comes with the host.
    compiler_here: Compiler,
    providers: Side<ReadyProvider, ForProvider>,
    callbacks: Side<callback::ReadyCallback, ForCallback>,
    /// The component that runs scripts.
    runners: Side<ReadyScript, ForCallback>,
    scripts: Registry<Arc<str>>,
}

/// What there is of each world.
struct Side<P, R: 'static> {
    world: World,
    linker: Linker<Call<R>>,
    loaded: Registry<P>,
    /// Turns of being compiled.
    turns: Arc<Semaphore>,
}

impl<P, R> Side<P, R> {
    fn new(description: &[u8], linker: wasmtime::Result<Linker<Call<R>>>) -> Result<Self, String> {
        let world = World::described(description)?;
        let linker = linker.map_err(|error| with_causes(&error))?;
        Ok(Side {
            world,
            linker,
            loaded: Registry::new(COMPONENTS),
            turns: Arc::new(Semaphore::new(limits::COMPILING)),
        })
    }
}

/// Its name in `wit/`.
const PROVIDER_WORLD: &str = "walnut:pay/provider-plugin@0.1.0";

/// For each world.
const COMPONENTS: Bounds = Bounds {
    count: limits::LOADED_COMPONENTS,
    bytes: limits::LOADED_BYTES,
};

const SCRIPTS: Bounds = Bounds {
    count: limits::LOADED_SCRIPTS,
    bytes: limits::LOADED_SCRIPTS_BYTES,
};

impl Plugins {
    /// Builds the engine and tries its pool, opens the cache and starts the ticker.
    pub fn start(options: PluginOptions) -> Result<Plugins, EngineError> {
        let failed = |what: &'static str| move |why: String| EngineError::Start { what, why };
        let engine = engine::start(options.instances)?;
        let cache = Cache::open(&options.cache_dir, &options.cache_key, &engine)
            .map_err(|error| failed("the directory of compiled code")(error.to_string()))?;
        let outbound = Outbound::new(options.allow_local_gateways);
        let links = failed("the interfaces of wit/");
        let providers = Side::new(provider_world::COMPONENT_TYPE, provider::linker(&engine));
        let callbacks = Side::new(callback_world::COMPONENT_TYPE, callback::linker(&engine));
        let runners = Side::new(script_world::COMPONENT_TYPE, callback::linker(&engine));
        let compiler_here = Compiler::Here(engine.clone());
        Ok(Plugins(Arc::new(Inner {
            cache: Arc::new(cache),
            compiler: match options.compiler {
                Some(program) => Compiler::Child(program),
                None => Compiler::Here(engine.clone()),
            },
            compiler_here,
            pool: Arc::new(Pool::new(engine, options.instances, outbound)),
            providers: providers.map_err(links)?,
            callbacks: callbacks.map_err(links)?,
            runners: runners.map_err(links)?,
            scripts: Registry::new(SCRIPTS),
        })))
    }

    /// Checks a component of the provider world and its manifest, compiles it, and starts it once without calling it.
    pub async fn admit_provider(&self, wasm: Arc<Vec<u8>>) -> Result<Admitted, Refusal> {
        self.admit_provider_by(&self.0.compiler, wasm).await
    }

    /// The same for one that comes with this host: it is compiled in this process, which is faster.
    pub async fn admit_shipped_provider(&self, wasm: Arc<Vec<u8>>) -> Result<Admitted, Refusal> {
        self.admit_provider_by(&self.0.compiler_here, wasm).await
    }

    async fn admit_provider_by(
        &self,
        compiler: &Compiler,
        wasm: Arc<Vec<u8>>,
    ) -> Result<Admitted, Refusal> {
        let side = &self.0.providers;
        self.inspect(&wasm, PROVIDER_WORLD, |inner| &inner.providers.world)
            .await?;
        let manifest = Arc::new(admission::manifest(&wasm)?);
        let digest = Digest::of(&wasm);
        let component = self.ready(side, compiler, digest, wasm, true).await?;
        let linked =
            provider::link(&side.linker, &component, manifest.clone()).map_err(contract)?;
        let world = provider::without_target(manifest.clone(), self.0.pool.outbound.clone());
        let who = Who::component(manifest.name(), digest);
        let place = self
            .0
            .pool
            .asking_place("", manifest.name())
            .await
            .map_err(|_| Refusal::Busy)?;
        let mut running = Running::start(&self.0.pool, place, limits::PROVIDER_CALL, who, world, 0)
            .in_admission();
        let started = within(running.wall(), async {
            linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await
                .map(drop)
        })
        .await;
        running.end(started).map_err(start)?;
        Ok(Admitted { digest, manifest })
    }

    /// The provider with this digest: loaded already, or from `load`, which gives the bytes that were admitted. Its code
    /// comes from the cache where it is there.
    pub async fn provider<F, L>(&self, digest: Digest, load: F) -> Result<Provider, PluginError>
    where
        F: FnOnce() -> L,
        L: Future<Output = Loaded>,
    {
        let who = Who::component("provider", digest);
        let side = &self.0.providers;
        let linked = side
            .loaded
            .get(digest, async || {
                // The manifest is in the component itself, so that its bytes are wanted in any case.
                let wasm = genuine(digest, load().await)?;
                let manifest = admission::manifest(&wasm)
                    .map_err(|refusal| Stop::Unavailable(refusal.to_string()))?;
                let component = self.ready(side, &self.0.compiler, digest, wasm, true).await;
                let component = component.map_err(unavailable)?;
                let who = Who::component(manifest.name(), digest);
                self.0.pool.counts.expects(&who);
                provider::link(&side.linker, &component, Arc::new(manifest))
                    .map_err(|error| Stop::Unavailable(with_causes(&error)))
            })
            .await
            .map_err(|stop| who.stopped(&stop))?;
        Ok(Provider::new(self.0.pool.clone(), linked, digest))
    }

    /// Each platform that was asked, and how far its clock was ahead of this machine's, in milliseconds.
    pub(crate) fn clocks(&self) -> Vec<(String, i64)> {
        self.0.pool.outbound.clocks.all()
    }

    /// Whether test targets may name a simulated platform on this machine.
    pub(crate) fn allows_local_gateways(&self) -> bool {
        self.0.pool.outbound.allows_local()
    }

    /// Has what is counted of calls told.
    pub(crate) fn measure(&self, registry: &mut Metrics) {
        self.0.pool.counts.register(registry);
    }

    /// Tells what is in use now.
    pub(crate) fn measure_now(&self, registry: &mut Metrics) {
        let used = self.0.pool.used();
        let (places, taken) = ("walnut_plugin_places", "walnut_plugin_places_used");
        let help = "Calls that may run at once: all, those that may wait, and of these callbacks";
        gauges(
            registry,
            places,
            help,
            used.map(|(kind, places, _)| (kind, places)),
        );
        let help = "Calls that run now, as above";
        gauges(
            registry,
            taken,
            help,
            used.map(|(kind, _, taken)| (kind, taken)),
        );
        let loaded = [
            ("providers", self.0.providers.loaded.loaded()),
            ("callbacks", self.0.callbacks.loaded.loaded()),
            ("scripts", self.0.scripts.loaded()),
        ];
        let help = "Components and texts of scripts that are in memory, ready to be called";
        let counts = loaded.map(|(kind, (count, _))| (kind, count));
        gauges(registry, "walnut_plugin_loaded", help, counts);
        let help = "What these take, compiled";
        let bytes = loaded.map(|(kind, (_, bytes))| (kind, bytes));
        gauges(registry, "walnut_plugin_loaded_bytes", help, bytes);
    }

    /// Parses on a blocking thread: the largest components take a tenth of a second.
    async fn inspect(
        &self,
        wasm: &Arc<Vec<u8>>,
        name: &'static str,
        world: fn(&Inner) -> &World,
    ) -> Result<(), Refusal> {
        let (inner, wasm) = (self.0.clone(), wasm.clone());
        blocking(move || {
            let features = inner.pool.engine.get_wasm_features();
            admission::inspect(&wasm, features, name, world(&inner))
        })
        .await?
    }

    async fn cached(&self, digest: Digest) -> Option<Component> {
        let cache = self.0.cache.clone();
        blocking(move || cache.load(digest)).await.ok().flatten()
    }

    /// The component out of the cache, or compiled when its turn has come; with `keep` the cache has it from then on.
    async fn ready<P, R>(
        &self,
        side: &Side<P, R>,
        compiler: &Compiler,
        digest: Digest,
        wasm: Arc<Vec<u8>>,
        keep: bool,
    ) -> Result<Component, Refusal> {
        if let Some(component) = self.cached(digest).await {
            return Ok(component);
        }
        let turn = side.turns.clone().acquire_owned();
        let turn = wanted(tokio::time::timeout(limits::COMPILE_WAIT, turn)).await?;
        let Ok(Ok(turn)) = turn else {
            return Err(Refusal::Busy);
        };
        // Whoever had the turn before may have compiled the same.
        if let Some(component) = self.cached(digest).await {
            return Ok(component);
        }
        let code = wanted(compiler.compile(wasm, turn)).await??;
        let cache = self.0.cache.clone();
        blocking(move || cache.take(digest, &code, keep)).await?
    }
}

/// What takes long, and is for whoever asked alone.
async fn wanted<T>(work: impl Future<Output = T>) -> Result<T, Refusal> {
    let gone = || Refusal::Host("nobody waits for it any more".to_owned());
    while_wanted(work).await.ok_or_else(gone)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Refusal::Host("the work was given up".to_owned()))
}

/// Bytes that are not those of the digest are no better than none.
fn genuine(digest: Digest, wasm: Loaded) -> Result<Arc<Vec<u8>>, Stop> {
    match wasm {
        Ok(Some(wasm)) if Digest::of(&wasm) == digest => Ok(wasm),
        Ok(Some(_)) => Err(Stop::Unavailable(
            "the kept component has another digest".to_owned(),
        )),
        Ok(None) => Err(Stop::Unavailable("the component is gone".to_owned())),
        Err(NotLoaded::Down(why)) => Err(Stop::Down(why)),
        Err(NotLoaded::Refused(why)) => Err(Stop::Unavailable(why)),
    }
}

fn unavailable(refusal: Refusal) -> Stop {
    match refusal {
        Refusal::Busy => Stop::Busy,
        other => Stop::Unavailable(other.to_string()),
    }
}

fn start(error: PluginError) -> Refusal {
    match error.kind {
        Kind::Busy => Refusal::Busy,
        _ => Refusal::Start(Box::new(error)),
    }
}

fn contract(error: wasmtime::Error) -> Refusal {
    Refusal::Contract(with_causes(&error))
}

/// The size of a component's code, by which loaded ones are weighed.
pub(super) fn weigh<P>(component: &Component, ready: P) -> Linked<P> {
    let range = component.image_range();
    Linked {
        ready,
        bytes: (range.end as usize).saturating_sub(range.start as usize),
    }
}
