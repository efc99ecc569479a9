//! A domain's callback: one run of it for one delivery. What it wants to change is given back, and nothing of it has
//! happened yet.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tracing::Instrument as _;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::callback::{CallbackPlugin, CallbackPluginPre, Delivery};
use super::call::{Call, Running, measured, within};
use super::capability::kv::Kv;
use super::capability::log::cut;
use super::capability::web::Requests;
use super::error::{PluginError, Stop, Who};
use super::plugins::weigh;
use super::pool::Pool;
use super::registry::Linked;
use super::script::{Script, shipped_digest};
use super::spent::Spent;
use super::web::{Web, WebHost};
use super::{json, limits};
use crate::payment::model::{Digest, PaymentId};

/// What a view answers, sooner or later.
pub type Viewed<'a, T> = Pin<Box<dyn Future<Output = Result<T, ViewError>> + Send + 'a>>;

/// Why a view does not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ViewError {
    /// The question makes no sense; the guest is told the text.
    #[error("{0}")]
    Refused(String),
    /// The store does not answer: the run ends, and the delivery is tried again later.
    #[error("{0}")]
    Failed(String),
}

/// What a callback sees of its domain, and nothing else.
pub trait DomainView: Send + Sync {
    /// A value and its version, which is at least 1.
    fn kv_get<'a>(&'a self, key: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>>;
    /// Bytes of all keys and values.
    fn kv_size(&self) -> Viewed<'_, u64>;
    /// A payment of the domain as `pay get` prints it.
    fn payment(&self, id: PaymentId) -> Viewed<'_, Option<Value>>;
    /// At most `limit` (1 to 100) payments of the domain whose columns equal `matching`, the newest first.
    fn payments<'a>(
        &'a self,
        matching: &'a Map<String, Value>,
        limit: u32,
    ) -> Viewed<'a, Vec<Value>>;
    /// What becomes of the domain's requests to this host.
    fn web<'a>(&'a self, _host: &'a WebHost) -> Viewed<'a, Web> {
        Box::pin(async { Ok(Web::NotGranted) })
    }
}

/// A domain without data, for dry runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyDomain;

impl DomainView for EmptyDomain {
    fn kv_get<'a>(&'a self, _key: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
        Box::pin(async { Ok(None) })
    }
    fn kv_size(&self) -> Viewed<'_, u64> {
        Box::pin(async { Ok(0) })
    }
    fn payment(&self, _id: PaymentId) -> Viewed<'_, Option<Value>> {
        Box::pin(async { Ok(None) })
    }
    fn payments<'a>(&'a self, _: &'a Map<String, Value>, _: u32) -> Viewed<'a, Vec<Value>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// For whom a callback runs.
pub struct CallbackCall {
    /// The domain that owns the callback and the payment.
    pub domain: String,
    /// What it sees of the domain.
    pub view: Arc<dyn DomainView>,
    /// The time at which the run starts.
    pub now_ms: u64,
}

/// The delivery as the callback is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// The same on every try.
    pub key: String,
    /// 1 on the first try.
    pub try_no: u32,
    /// The name under which the owner uploaded the callback.
    pub callback: String,
    /// The payment was paid after it had expired or was closed.
    pub late: bool,
}

/// What a run wants to change, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Keys that were read and the versions found, 0 for a missing one. The writes hold only while these do.
    pub reads: Vec<(String, u64)>,
    /// Keys to set, or to delete with `None`.
    pub writes: Vec<(String, Option<Vec<u8>>)>,
    /// Names and JSON texts, in the order in which they were emitted.
    pub events: Vec<(String, String)>,
}

/// A run, however it ended, for whoever writes the callback.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the callback returned, as in [`Run`], or what ended it before.
    pub end: Result<Result<String, String>, PluginError>,
    /// What it wanted to change until then.
    pub effects: Effects,
    /// What it logged.
    pub log: String,
    /// What it cost.
    pub spent: Spent,
}

/// A run that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the callback returned: a JSON text, or its own error.
    pub answer: Result<String, String>,
    /// To be committed with an answer that is no error.
    pub effects: Effects,
    /// What it logged.
    pub log: String,
    /// What it cost.
    pub spent: Spent,
    /// Of the component that ran a script; none where the callback is a component itself.
    pub runner: Option<Digest>,
}

/// A loaded callback. Copies share the code.
#[derive(Clone)]
pub struct Callback {
    pool: Arc<Pool>,
    code: Code,
    digest: Digest,
}

/// What runs.
#[derive(Clone)]
pub(super) enum Code {
    /// A component of the owner's.
    Component(Arc<Linked<ReadyCallback>>),
    /// The owner's text.
    Script(Script),
}

/// What a callback's call has besides what every call has.
pub(super) struct ForCallback {
    pub(super) domain: String,
    pub(super) view: Arc<dyn DomainView>,
    pub(super) kv: Kv,
    pub(super) events: Vec<(String, String)>,
    pub(super) requests: Requests,
}

impl ForCallback {
    pub(super) fn new(
        domain: String,
        view: Arc<dyn DomainView>,
        requests: Requests,
    ) -> ForCallback {
        ForCallback {
            domain,
            view,
            kv: Kv::default(),
            events: Vec::new(),
            requests,
        }
    }
}

/// A callback component, ready to instantiate.
pub(super) type ReadyCallback = CallbackPluginPre<Call<ForCallback>>;

/// Links a callback component.
pub(super) fn link(
    linker: &Linker<Call<ForCallback>>,
    component: &Component,
) -> wasmtime::Result<Linked<ReadyCallback>> {
    let pre = CallbackPluginPre::new(linker.instantiate_pre(component)?)?;
    Ok(weigh(component, pre))
}

/// Links the interfaces of the callback world, and nothing else.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call<ForCallback>>> {
    type Own = HasSelf<Call<ForCallback>>;
    let mut linker = Linker::new(engine);
    CallbackPlugin::add_to_linker::<_, Own>(&mut linker, |call| call)?;
    Ok(linker)
}

impl Callback {
    pub(super) fn new(pool: Arc<Pool>, code: Code, digest: Digest) -> Callback {
        Callback { pool, code, digest }
    }

    /// Of the component or of the text.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Runs the callback once, in a fresh instance. An error of the callback itself is in the answer; what comes
    /// back as [`PluginError`] did not come to its end. Dropping the future ends the run.
    pub async fn run(
        &self,
        call: CallbackCall,
        payment: &Value,
        delivery: DeliveryView,
    ) -> Result<Run, PluginError> {
        let seen = self.observe(call, payment, delivery).await?;
        let (effects, log, spent) = (seen.effects, seen.log, seen.spent);
        let runner = match self.code {
            Code::Component(_) => None,
            Code::Script(_) => Some(shipped_digest()),
        };
        seen.end.map(|answer| Run {
            answer,
            effects,
            log,
            spent,
            runner,
        })
    }

    /// The same, and what it did and cost is told whatever ended it. An error means that it was not begun.
    pub async fn observe(
        &self,
        call: CallbackCall,
        payment: &Value,
        delivery: DeliveryView,
    ) -> Result<Observed, PluginError> {
        let who = match &self.code {
            Code::Component(_) => Who::component(&delivery.callback, self.digest),
            Code::Script(script) => script.who(&delivery.callback),
        };
        let payment = payment.to_string();
        if payment.len() > limits::JSON_BYTES {
            let why = format!(
                "the payment has {} bytes, too many for a callback",
                payment.len()
            );
            return Err(who.stopped(&Stop::Unavailable(why)));
        }
        let permits = self
            .pool
            .callback_place(&call.domain)
            .await
            .map_err(|stop| who.stopped(&stop))?;
        let requests = Requests::of(
            self.pool.outbound.clone(),
            call.domain.clone(),
            delivery.key.clone(),
        );
        let world = ForCallback::new(call.domain, call.view, requests);
        let mut running = Running::start(
            &self.pool,
            permits,
            limits::CALLBACK_CALL,
            who,
            world,
            call.now_ms,
        );
        let delivery = Delivery {
            key: delivery.key,
            try_no: delivery.try_no,
            callback: delivery.callback,
            late: delivery.late,
        };
        let mut ran = Duration::ZERO;
        let (wall, span) = (running.wall(), running.span());
        let work = async {
            let store = &mut running.store;
            checked(match &self.code {
                Code::Component(linked) => {
                    let plugin = linked.ready.instantiate_async(&mut *store).await?;
                    plugin.call_run(store, &payment, &delivery).await?
                }
                Code::Script(script) => script.run(store, &payment, &delivery).await?,
            })
        };
        let answer = within(wall, measured(&mut ran, work))
            .instrument(span)
            .await;
        let (end, call) = running.close(answer);
        let spent = Spent::of(&call, ran, &end);
        let log = call.log.text();
        let (reads, writes) = call.world.kv.into_effects();
        Ok(Observed {
            end,
            effects: Effects {
                reads,
                writes,
                events: call.world.events,
            },
            log,
            spent,
        })
    }
}

fn checked(answer: Result<String, String>) -> wasmtime::Result<Result<String, String>> {
    match answer {
        Ok(answer) if answer.len() > limits::JSON_BYTES => Err(Stop::Contract(format!(
            "answered {} bytes; an answer has at most {}",
            answer.len(),
            limits::JSON_BYTES
        ))
        .into()),
        Ok(answer) => match json::check(&answer) {
            Ok(()) => Ok(Ok(answer)),
            Err(why) => Err(Stop::Contract(format!("answered what is {why}")).into()),
        },
        Err(text) => Ok(Err(cut(&text, limits::LOG_LINE_BYTES).to_owned())),
    }
}
