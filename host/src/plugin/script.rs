//! Callbacks written as JavaScript text. A component that comes with the host runs them, each in a fresh instance of
//! it: a text is kept as it is, and never becomes code of the host's engine.

use std::sync::{Arc, LazyLock};

use wasmtime::Store;
use wasmtime::component::{Component, Linker};

use super::bindings::callback::{Delivery, Json};
use super::bindings::script::{ScriptPluginPre, SyntaxError};
use super::call::Call;
use super::callback::ForCallback;
use super::error::Who;
use super::plugins::weigh;
use super::registry::Linked;
use crate::payment::model::Digest;

/// The component that runs scripts, ready to instantiate.
pub(super) type ReadyScript = ScriptPluginPre<Call<ForCallback>>;

static SHIPPED: LazyLock<Digest> = LazyLock::new(|| Digest::of(walnut_bundle::SCRIPT));

/// Of the component that comes with the host.
pub(super) fn shipped_digest() -> Digest {
    *SHIPPED
}

/// Links that component.
pub(super) fn link(
    linker: &Linker<Call<ForCallback>>,
    component: &Component,
) -> wasmtime::Result<Linked<ReadyScript>> {
    let pre = ScriptPluginPre::new(linker.instantiate_pre(component)?)?;
    Ok(weigh(component, pre))
}

/// A script and what runs it. Copies share both.
#[derive(Clone)]
pub(super) struct Script {
    runner: Arc<Linked<ReadyScript>>,
    source: Arc<str>,
    digest: Digest,
}

impl Script {
    pub(super) fn new(
        runner: Arc<Linked<ReadyScript>>,
        source: Arc<str>,
        digest: Digest,
    ) -> Script {
        Script {
            runner,
            source,
            digest,
        }
    }

    /// As errors tell of it, by the name that its owner knows.
    pub(super) fn who(&self, name: &str) -> Who {
        Who::script(name, self.digest, shipped_digest())
    }

    /// Whether it is JavaScript, without running it.
    pub(super) async fn check(
        &self,
        store: &mut Store<Call<ForCallback>>,
    ) -> wasmtime::Result<Result<(), SyntaxError>> {
        let runner = self.runner.ready.instantiate_async(&mut *store).await?;
        runner.call_check(store, &self.source).await
    }

    /// Runs it as the callback world's `run`.
    pub(super) async fn run(
        &self,
        store: &mut Store<Call<ForCallback>>,
        payment: &Json,
        delivery: &Delivery,
    ) -> wasmtime::Result<Result<String, String>> {
        let runner = self.runner.ready.instantiate_async(&mut *store).await?;
        runner
            .call_run(store, &self.source, payment, delivery)
            .await
    }
}

#[cfg(test)]
mod tests;
