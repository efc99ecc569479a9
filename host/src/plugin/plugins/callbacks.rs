//! What domain owners upload: components of the callback world, and JavaScript text. Which of the two it is, is told
//! from the content.

use std::sync::Arc;

use super::{ForCallback, Kind, Loaded, Refusal, Running, Stop, Who, unavailable};
use super::{Linked, Plugins, admission, callback, contract, genuine, limits, start};
use super::{with_causes, within};
use crate::payment::model::{CallbackKind, Digest};
use crate::plugin::callback::{Callback, Code, EmptyDomain, ReadyCallback};
use crate::plugin::capability::web::Requests;
use crate::plugin::error::PluginError;
use crate::plugin::script::{self, ReadyScript, Script};

/// Its name in `wit/`.
const CALLBACK_WORLD: &str = "walnut:pay/callback-plugin@0.1.0";

/// How errors name what has no name yet.
const UPLOAD: &str = "callback";

impl Plugins {
    /// Checks a component of the callback world, compiles it, and starts it once without calling it; or checks that a
    /// text is JavaScript.
    pub async fn admit_callback(&self, content: Arc<Vec<u8>>) -> Result<Digest, Refusal> {
        self.admit(content, true).await.map(|(digest, _)| digest)
    }

    /// The same for what is only tried: nothing of it is kept.
    pub async fn try_callback(&self, content: Arc<Vec<u8>>) -> Result<Callback, Refusal> {
        let (digest, code) = self.admit(content, false).await?;
        Ok(Callback::new(self.0.pool.clone(), code, digest))
    }

    async fn admit(&self, content: Arc<Vec<u8>>, keep: bool) -> Result<(Digest, Code), Refusal> {
        let digest = Digest::of(&content);
        let code = match CallbackKind::of(&content) {
            CallbackKind::Component => {
                Code::Component(Arc::new(self.start_component(digest, content, keep).await?))
            }
            CallbackKind::JavaScript => Code::Script(self.check_script(digest, &content).await?),
        };
        Ok((digest, code))
    }

    /// The callback with this digest: loaded already, from the cache, or from `load`, which gives the bytes that were
    /// admitted.
    pub async fn callback<F, L>(
        &self,
        kind: CallbackKind,
        digest: Digest,
        load: F,
    ) -> Result<Callback, PluginError>
    where
        F: FnOnce() -> L,
        L: Future<Output = Loaded>,
    {
        let code = match kind {
            CallbackKind::Component => self.component(digest, load).await.map(Code::Component),
            CallbackKind::JavaScript => self.script(digest, load).await.map(Code::Script),
        };
        let code = code.map_err(|stop| match kind {
            CallbackKind::Component => Who::component(UPLOAD, digest).stopped(&stop),
            CallbackKind::JavaScript => {
                Who::script(UPLOAD, digest, script::shipped_digest()).stopped(&stop)
            }
        })?;
        Ok(Callback::new(self.0.pool.clone(), code, digest))
    }

    async fn component<F, L>(
        &self,
        digest: Digest,
        load: F,
    ) -> Result<Arc<Linked<ReadyCallback>>, Stop>
    where
        F: FnOnce() -> L,
        L: Future<Output = Loaded>,
    {
        let side = &self.0.callbacks;
        side.loaded
            .get(digest, async || {
                let component = match self.cached(digest).await {
                    Some(component) => component,
                    None => {
                        let wasm = genuine(digest, load().await)?;
                        self.ready(side, &self.0.compiler, digest, wasm, true)
                            .await
                            .map_err(unavailable)?
                    }
                };
                callback::link(&side.linker, &component)
                    .map_err(|error| Stop::Unavailable(with_causes(&error)))
            })
            .await
    }

    async fn script<F, L>(&self, digest: Digest, load: F) -> Result<Script, Stop>
    where
        F: FnOnce() -> L,
        L: Future<Output = Loaded>,
    {
        let source = self
            .0
            .scripts
            .get(digest, async || {
                let content = genuine(digest, load().await)?;
                let source = admission::script(&content)
                    .map_err(|refusal| Stop::Unavailable(refusal.to_string()))?;
                Ok(Linked {
                    ready: Arc::from(source),
                    bytes: source.len(),
                })
            })
            .await?;
        let runner = self.runner().await.map_err(unavailable)?;
        Ok(Script::new(runner, source.ready.clone(), digest))
    }

    /// The component that runs scripts, compiled for the first of them.
    async fn runner(&self) -> Result<Arc<Linked<ReadyScript>>, Refusal> {
        let side = &self.0.runners;
        let digest = script::shipped_digest();
        side.loaded
            .get(digest, async || {
                let wasm = Arc::new(walnut_bundle::SCRIPT.to_vec());
                let component = self
                    .ready(side, &self.0.compiler, digest, wasm, true)
                    .await?;
                script::link(&side.linker, &component).map_err(contract)
            })
            .await
    }

    async fn check_script(&self, digest: Digest, content: &[u8]) -> Result<Script, Refusal> {
        let source = Arc::from(admission::script(content)?);
        let script = Script::new(self.runner().await?, source, digest);
        let mut running = self.trying(script.who(UPLOAD)).await?;
        let checked = within(running.wall(), script.check(&mut running.store)).await;
        match running.end(checked) {
            Ok((Ok(()), _)) => Ok(script),
            Ok((Err(error), _)) => Err(Refusal::Syntax {
                line: error.line,
                column: error.column,
                message: error.message,
            }),
            Err(error) if error.kind == Kind::Busy => Err(Refusal::Busy),
            Err(error) => Err(Refusal::Unreadable(Box::new(error))),
        }
    }

    async fn start_component(
        &self,
        digest: Digest,
        wasm: Arc<Vec<u8>>,
        keep: bool,
    ) -> Result<Linked<ReadyCallback>, Refusal> {
        let side = &self.0.callbacks;
        self.inspect(&wasm, CALLBACK_WORLD, |inner| &inner.callbacks.world)
            .await?;
        let component = self
            .ready(side, &self.0.compiler, digest, wasm, keep)
            .await?;
        let linked = callback::link(&side.linker, &component).map_err(contract)?;
        let mut running = self.trying(Who::component(UPLOAD, digest)).await?;
        let started = within(running.wall(), async {
            let ready = &linked.ready;
            ready.instantiate_async(&mut running.store).await.map(drop)
        })
        .await;
        running.end(started).map_err(start)?;
        Ok(linked)
    }

    /// A call for an upload: nobody's, in a domain without data.
    async fn trying(&self, who: Who) -> Result<Running<ForCallback>, Refusal> {
        let place = self.0.pool.callback_place("").await;
        let place = place.map_err(|_| Refusal::Busy)?;
        let world = ForCallback::new(String::new(), Arc::new(EmptyDomain), Requests::default());
        let limits = limits::CALLBACK_CALL;
        Ok(Running::start(&self.0.pool, place, limits, who, world, 0).in_admission())
    }
}
