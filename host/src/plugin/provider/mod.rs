//! A provider: one operation on one attempt, in a fresh instance. What it says of money is a claim's name and a
//! statement that the host made itself; everything else it says is only words.

use std::sync::Arc;

use serde_json::{Map, Value};
use wasmtime::component::{Component, HasSelf, Linker, Resource};
use wasmtime::{Engine, Store};

use super::bindings::provider::exports::walnut::pay::provider as guest;
use super::bindings::provider::walnut::pay::types;
use super::bindings::provider::{ProviderPlugin, ProviderPluginPre};
use super::call::{Call, Running, within};
use super::capability::log::cut;
use super::error::{PluginError, Stop, Who};
use super::limits;
use super::outbound::Outbound;
use super::plugins::weigh;
use super::pool::Pool;
use super::registry::Linked;
use crate::payment::model::{Attempt, Digest, Payment, PresentationKind};
use crate::payment::money::Money;
use crate::trust::{Manifest, Message, Statement, Target};

/// For whom a provider is called.
#[derive(Clone)]
pub struct ProviderCall {
    /// The target whose settings and keys the host uses for it.
    pub target: Arc<Target>,
    /// The time at which the call starts.
    pub now_ms: u64,
}

/// An attempt as a provider may see it: no secret, and nothing of another domain.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// The platform's number for it.
    pub trade_no: String,
    /// What the buyer pays for.
    pub brief: String,
    /// How much.
    pub total: Money,
    /// Such as `zfb.qrcode`.
    pub pay_type: String,
    /// The target's name.
    pub target: String,
    /// The buyer's address, where the caller told it.
    pub client_ip: Option<String>,
    /// Where the platform sends its notification.
    pub notify_url: String,
    /// When the attempt was made.
    pub created_ms: u64,
    /// Until when it may be paid.
    pub expires_ms: u64,
    /// What the caller of `create` added.
    pub meta: Map<String, Value>,
    /// What this provider noted.
    pub notes: Map<String, Value>,
}

impl AttemptView {
    /// The view of an attempt and its payment.
    pub fn of(payment: &Payment, attempt: &Attempt) -> AttemptView {
        AttemptView {
            trade_no: attempt.trade_no.to_string(),
            brief: payment.brief.clone(),
            total: payment.total,
            pay_type: attempt.pay_type.clone(),
            target: attempt.target.name.clone(),
            client_ip: attempt.client_ip.clone(),
            notify_url: attempt.notify_url.clone(),
            created_ms: attempt.created_ms,
            expires_ms: attempt.expires_ms,
            meta: payment.meta.clone(),
            notes: attempt.notes.clone(),
        }
    }
}

/// Where a notification to the bare address may belong. Nothing of it is to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// To this trade.
    Trade(String),
    /// To a target with this key.
    Key(String),
    /// The provider cannot tell.
    None,
}

/// What a platform said.
#[derive(Debug)]
pub enum Outcome {
    /// About the trade: the host reads it out of the statement.
    Trade {
        /// A claim of the manifest.
        claim: String,
        /// What the claim is read from.
        statement: Statement,
    },
    /// About a refund of the trade.
    Refund {
        /// A claim of the manifest.
        claim: String,
        /// What the claim is read from.
        statement: Statement,
    },
    /// The platform took the order or works on it.
    Pending,
    /// The platform does not know the trade (yet).
    NotFound,
    /// It proves nothing, but asking is worth it now.
    Ask,
    /// Nothing to do with a payment.
    Ignored,
}

/// What came of sending.
#[derive(Debug)]
pub struct Sent {
    /// What the buyer is shown.
    pub presentation: Option<(PresentationKind, String)>,
    /// Until when that is of use.
    pub valid_until_ms: Option<u64>,
    /// What the platform said.
    pub outcome: Outcome,
    /// The attempt's notes from now on.
    pub notes: Option<Map<String, Value>>,
}

/// Why a provider could not do what was asked; the texts are for the caller or the owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The caller's arguments are wrong; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// It may or may not have happened.
    #[error("{0}")]
    Unknown(String),
    /// Signature, time or certificate does not hold.
    #[error("{0}")]
    Unverified(String),
    /// The target's settings are incomplete, or the platform refuses them; no trade was made.
    #[error("{0}")]
    Misconfigured(String),
    /// There is no such operation.
    #[error("the platform has no such operation")]
    Unsupported,
}

/// A loaded provider. Copies share the code.
#[derive(Clone)]
pub struct Provider {
    pool: Arc<Pool>,
    linked: Arc<Linked<ReadyProvider>>,
    digest: Digest,
}

/// What a provider's call has besides what every call has.
pub(super) struct ForProvider {
    pub(super) manifest: Arc<Manifest>,
    pub(super) target: Option<Arc<Target>>,
    pub(super) outbound: Arc<Outbound>,
    pub(super) requests_left: u32,
}

/// A provider component, ready to instantiate, and what its manifest says.
pub(super) struct ReadyProvider {
    pub(super) pre: ProviderPluginPre<Call<ForProvider>>,
    pub(super) manifest: Arc<Manifest>,
}

/// Links a provider component.
pub(super) fn link(
    linker: &Linker<Call<ForProvider>>,
    component: &Component,
    manifest: Arc<Manifest>,
) -> wasmtime::Result<Linked<ReadyProvider>> {
    let pre = ProviderPluginPre::new(linker.instantiate_pre(component)?)?;
    Ok(weigh(component, ReadyProvider { pre, manifest }))
}

/// The world of a call that is for no target.
pub(super) fn without_target(manifest: Arc<Manifest>, outbound: Arc<Outbound>) -> ForProvider {
    ForProvider {
        manifest,
        target: None,
        outbound,
        requests_left: limits::REQUESTS,
    }
}

/// Links the interfaces of the provider world, and nothing else.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call<ForProvider>>> {
    let mut linker = Linker::new(engine);
    ProviderPlugin::add_to_linker::<_, HasSelf<Call<ForProvider>>>(&mut linker, |call| call)?;
    Ok(linker)
}

impl Provider {
    pub(super) fn new(
        pool: Arc<Pool>,
        linked: Arc<Linked<ReadyProvider>>,
        digest: Digest,
    ) -> Provider {
        Provider {
            pool,
            linked,
            digest,
        }
    }

    /// What the operator approved.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.linked.ready.manifest
    }

    /// Of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Asks which trade a notification to the bare address speaks of. No target is known yet: nothing can be
    /// verified, no setting read and nobody asked.
    pub async fn identify(&self, notification: Message) -> Result<Hint, PluginError> {
        let mut running = self.begin(None, 0).await?;
        let answer = within(running.wall(), async {
            let plugin = self
                .linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await?;
            let message = lend(&mut running.store, notification)?;
            let provider = plugin.walnut_pay_provider();
            provider.call_identify(&mut running.store, message).await
        })
        .await;
        let (hint, _) = running.end(answer)?;
        Ok(match hint {
            guest::Hint::Trade(trade) => Hint::Trade(short(trade)),
            guest::Hint::Key(key) => Hint::Key(short(key)),
            guest::Hint::None => Hint::None,
        })
    }

    /// Orders the trade at the platform.
    pub async fn send(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
        args: &[String],
    ) -> Result<Result<Sent, Fault>, PluginError> {
        let mut running = self.begin(Some(call.target), call.now_ms).await?;
        let attempt = given(attempt);
        let answer = within(running.wall(), async {
            let plugin = self
                .linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await?;
            let provider = plugin.walnut_pay_provider();
            let answer = provider
                .call_send(&mut running.store, &attempt, args)
                .await?;
            fallible(answer, |sent| taken(&mut running.store, sent))
        })
        .await;
        Ok(running.end(answer)?.0)
    }

    /// Asks the platform how the trade stands.
    pub async fn check(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
    ) -> Result<Result<Outcome, Fault>, PluginError> {
        let mut running = self.begin(Some(call.target), call.now_ms).await?;
        let attempt = given(attempt);
        let answer = within(running.wall(), async {
            let plugin = self
                .linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await?;
            let provider = plugin.walnut_pay_provider();
            let answer = provider.call_check(&mut running.store, &attempt).await?;
            fallible(answer, |outcome| proven(&mut running.store, outcome))
        })
        .await;
        Ok(running.end(answer)?.0)
    }

    /// Reads a notification that was sent to this attempt's address.
    pub async fn complete(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
        notification: Message,
    ) -> Result<Result<Outcome, Fault>, PluginError> {
        let mut running = self.begin(Some(call.target), call.now_ms).await?;
        let attempt = given(attempt);
        let answer = within(running.wall(), async {
            let plugin = self
                .linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await?;
            let message = lend(&mut running.store, notification)?;
            let provider = plugin.walnut_pay_provider();
            let answer = provider
                .call_complete(&mut running.store, &attempt, message)
                .await?;
            fallible(answer, |outcome| proven(&mut running.store, outcome))
        })
        .await;
        Ok(running.end(answer)?.0)
    }

    /// Ends an unpaid attempt; it settles nothing.
    pub async fn close(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
    ) -> Result<Result<(), Fault>, PluginError> {
        let mut running = self.begin(Some(call.target), call.now_ms).await?;
        let attempt = given(attempt);
        let answer = within(running.wall(), async {
            let plugin = self
                .linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await?;
            let provider = plugin.walnut_pay_provider();
            Ok(provider
                .call_close(&mut running.store, &attempt)
                .await?
                .map_err(fault))
        })
        .await;
        Ok(running.end(answer)?.0)
    }

    /// A harmless signed request that shows whether the target's settings work; the text says what was asked
    /// and answered.
    pub async fn probe(&self, call: ProviderCall) -> Result<Result<String, Fault>, PluginError> {
        let mut running = self.begin(Some(call.target), call.now_ms).await?;
        let answer = within(running.wall(), async {
            let plugin = self
                .linked
                .ready
                .pre
                .instantiate_async(&mut running.store)
                .await?;
            let provider = plugin.walnut_pay_provider();
            Ok(provider
                .call_probe(&mut running.store)
                .await?
                .map(short)
                .map_err(fault))
        })
        .await;
        Ok(running.end(answer)?.0)
    }

    async fn begin(
        &self,
        target: Option<Arc<Target>>,
        now_ms: u64,
    ) -> Result<Running<ForProvider>, PluginError> {
        let who = Who {
            plugin: self.manifest().name().to_owned(),
            digest: self.digest,
        };
        let permits = self
            .pool
            .provider_place()
            .await
            .map_err(|stop| who.stopped(&stop))?;
        let world = ForProvider {
            target,
            ..without_target(self.manifest().clone(), self.pool.outbound.clone())
        };
        let limits = limits::PROVIDER_CALL;
        Ok(Running::start(
            &self.pool.engine,
            permits,
            limits,
            who,
            world,
            now_ms,
        ))
    }
}

/// Puts a message into the call's table, for the guest to look at while the call lasts.
fn lend(
    store: &mut Store<Call<ForProvider>>,
    message: Message,
) -> wasmtime::Result<Resource<Message>> {
    let kept = store.data_mut().table.push(message)?;
    Ok(Resource::new_borrow(kept.rep()))
}

fn given(attempt: AttemptView) -> types::Attempt {
    types::Attempt {
        trade_no: attempt.trade_no,
        brief: attempt.brief,
        total: types::Money {
            minor: attempt.total.minor(),
            currency: attempt.total.currency().code().to_owned(),
        },
        pay_type: attempt.pay_type,
        target: attempt.target,
        client_ip: attempt.client_ip,
        notify_url: attempt.notify_url,
        created_ms: attempt.created_ms,
        expires_ms: attempt.expires_ms,
        meta: Value::Object(attempt.meta).to_string(),
        notes: Value::Object(attempt.notes).to_string(),
    }
}

/// Takes the statement out of the call's table: from here on it is the host's own.
fn statement(
    store: &mut Store<Call<ForProvider>>,
    evidence: guest::Evidence,
) -> wasmtime::Result<(String, Statement)> {
    Ok((
        short(evidence.claim),
        store.data_mut().table.delete(evidence.proof)?,
    ))
}

fn proven(
    store: &mut Store<Call<ForProvider>>,
    outcome: guest::Outcome,
) -> wasmtime::Result<Outcome> {
    Ok(match outcome {
        guest::Outcome::Trade(evidence) => {
            let (claim, statement) = statement(store, evidence)?;
            Outcome::Trade { claim, statement }
        }
        guest::Outcome::Refund(evidence) => {
            let (claim, statement) = statement(store, evidence)?;
            Outcome::Refund { claim, statement }
        }
        guest::Outcome::Pending => Outcome::Pending,
        guest::Outcome::NotFound => Outcome::NotFound,
        guest::Outcome::Ask => Outcome::Ask,
        guest::Outcome::Ignored => Outcome::Ignored,
    })
}

fn taken(store: &mut Store<Call<ForProvider>>, sent: guest::Sent) -> wasmtime::Result<Sent> {
    Ok(Sent {
        presentation: sent.presentation.map(shown).transpose()?,
        valid_until_ms: sent.valid_until_ms,
        notes: sent.notes.map(noted).transpose()?,
        outcome: proven(store, sent.outcome)?,
    })
}

fn shown(presentation: types::Presentation) -> Result<(PresentationKind, String), Stop> {
    let (kind, content) = match presentation {
        types::Presentation::Link(url) => (PresentationKind::Link, url),
        types::Presentation::Iframe(url) => (PresentationKind::Iframe, url),
        types::Presentation::Qrcode(text) => (PresentationKind::Qrcode, text),
        types::Presentation::Json(json) => (PresentationKind::Json, json),
        types::Presentation::Text(text) => (PresentationKind::Text, text),
    };
    if content.len() > limits::PRESENTATION_BYTES {
        return Err(too_large(
            "a presentation",
            content.len(),
            limits::PRESENTATION_BYTES,
        ));
    }
    if kind == PresentationKind::Json
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&content)
    {
        return Err(Stop::Contract(format!(
            "a presentation that is not JSON: {error}"
        )));
    }
    Ok((kind, content))
}

fn noted(notes: String) -> Result<Map<String, Value>, Stop> {
    if notes.len() > limits::NOTES_BYTES {
        return Err(too_large("notes", notes.len(), limits::NOTES_BYTES));
    }
    serde_json::from_str(&notes)
        .map_err(|error| Stop::Contract(format!("notes that are not a JSON object: {error}")))
}

/// Takes what a guest answered, or its fault; only the taking can fail the call.
fn fallible<T, U>(
    answer: Result<T, types::Fault>,
    take: impl FnOnce(T) -> wasmtime::Result<U>,
) -> wasmtime::Result<Result<U, Fault>> {
    match answer {
        Ok(answer) => take(answer).map(Ok),
        Err(text) => Ok(Err(fault(text))),
    }
}

fn too_large(what: &str, is: usize, most: usize) -> Stop {
    Stop::Contract(format!("{what} of {is} bytes; at most {most} are allowed"))
}

fn short(text: String) -> String {
    cut(&text, limits::TEXT_BYTES).to_owned()
}

fn fault(fault: types::Fault) -> Fault {
    match fault {
        types::Fault::Invalid(text) => Fault::Invalid(short(text)),
        types::Fault::Unknown(text) => Fault::Unknown(short(text)),
        types::Fault::Unverified(text) => Fault::Unverified(short(text)),
        types::Fault::Misconfigured(text) => Fault::Misconfigured(short(text)),
        types::Fault::Unsupported => Fault::Unsupported,
    }
}
