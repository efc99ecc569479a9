//! A provider: one operation on one attempt, in a fresh instance. What it says of money is a claim's name and a
//! statement that the host made itself; everything else it says is only words.
//!
//! | file | is |
//! |---|---|
//! | [`exchange`] | what host and provider tell each other |
//! | [`crossing`] | the same across the border, within bounds |

mod crossing;
mod exchange;

use std::sync::Arc;

use tracing::Instrument as _;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::provider::{ProviderPlugin, ProviderPluginPre};
use super::call::{Call, Running, within};
use super::error::{PluginError, Stop, Who};
use super::limits;
use super::outbound::Outbound;
use super::plugins::weigh;
use super::pool::{Permits, Pool};
use super::registry::Linked;
use crate::payment::model::Digest;
use crate::plugin::bindings::provider::walnut::pay::types;
use crate::trust::{Errand, Manifest, Message, Target};
use crossing::{
    bill_rows, fallible, found_bill, given, hinted, lend, proven, refund_order, reversed, short,
    taken, told_bill,
};
pub use exchange::{
    AttemptView, Bill, BillRow, Completed, Fault, Hint, Named, Outcome, ProviderCall, RefundView,
    Reversal, Sent,
};

/// What a provider answered, or its own fault; or why the call did not come to its end.
pub type Said<T> = Result<Result<T, Fault>, PluginError>;

/// Calls one operation in a fresh instance, within all limits.
macro_rules! call {
    ($provider:ident, $begun:expr, |$guest:ident, $store:ident| $work:expr) => {{
        let mut running = $begun.await?;
        let span = running.span();
        let answer = within(running.wall(), async {
            let pre = &$provider.linked.ready.pre;
            let plugin = pre.instantiate_async(&mut running.store).await?;
            let ($guest, $store) = (plugin.walnut_pay_provider(), &mut running.store);
            $work
        })
        .instrument(span)
        .await;
        $provider.ended(running, answer)
    }};
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
    /// Statements that the host made in this call.
    pub(super) verified: u32,
    /// What requests of this call have to be about; none where it is about no attempt.
    pub(super) about: Option<About>,
}

/// The attempt that a provider was called for, and what for.
pub(super) struct About {
    pub(super) trade: String,
    pub(super) errand: Errand,
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
        verified: 0,
        about: None,
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
    pub async fn identify(&self, notification: Message, now_ms: u64) -> Result<Hint, PluginError> {
        let said: Said<Hint> = call!(self, self.begin_reading(None, now_ms), |guest, store| {
            let message = lend(store, notification)?;
            let hint = guest.call_identify(store, message).await?;
            Ok(Ok(hinted(hint)))
        });
        Ok(said?.unwrap_or(Hint::None))
    }

    /// Asks which trade a notification speaks of, with the target's keys. Nothing of it is to be believed.
    pub async fn trade_of(&self, call: ProviderCall, notification: Message) -> Said<Named> {
        call!(
            self,
            self.begin_reading(Some(call.target), call.now_ms),
            |guest, store| {
                let message = lend(store, notification)?;
                let answer = guest.call_trade_of(&mut *store, message).await?;
                let verified = store.data().world.verified > 0;
                let named = |trade: Option<String>| Named {
                    trade: trade.map(short),
                    verified,
                };
                fallible(answer, |trade| Ok(named(trade)))
            }
        )
    }

    /// Orders the trade at the platform.
    pub async fn send(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
        args: &[String],
    ) -> Said<Sent> {
        let attempt = given(attempt);
        call!(
            self,
            self.begin_about(call, &attempt, Errand::Send),
            |guest, store| {
                let answer = guest.call_send(&mut *store, &attempt, args).await?;
                fallible(answer, |sent| taken(store, sent))
            }
        )
    }

    /// Asks the platform how the trade stands.
    pub async fn check(&self, call: ProviderCall, attempt: AttemptView) -> Said<Outcome> {
        let attempt = given(attempt);
        call!(
            self,
            self.begin_about(call, &attempt, Errand::Check),
            |guest, store| {
                let answer = guest.call_check(&mut *store, &attempt).await?;
                fallible(answer, |outcome| proven(store, outcome))
            }
        )
    }

    /// Reads a notification that was sent to this attempt's address.
    pub async fn complete(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
        notification: Message,
    ) -> Said<Completed> {
        let attempt = given(attempt);
        call!(
            self,
            self.begin_reading(Some(call.target), call.now_ms),
            |guest, store| {
                let message = lend(store, notification)?;
                let answer = guest.call_complete(&mut *store, &attempt, message).await?;
                fallible(answer, |outcome| {
                    let verified = store.data().world.verified > 0;
                    let outcome = proven(store, outcome)?;
                    Ok(Completed { outcome, verified })
                })
            }
        )
    }

    /// Takes money that the buyer approved.
    pub async fn capture(&self, call: ProviderCall, attempt: AttemptView) -> Said<Outcome> {
        let attempt = given(attempt);
        call!(
            self,
            self.begin_about(call, &attempt, Errand::Capture),
            |guest, store| {
                let answer = guest.call_capture(&mut *store, &attempt).await?;
                fallible(answer, |outcome| proven(store, outcome))
            }
        )
    }

    /// Ends an unpaid attempt; it settles nothing.
    pub async fn close(&self, call: ProviderCall, attempt: AttemptView) -> Said<()> {
        let attempt = given(attempt);
        call!(
            self,
            self.begin_about(call, &attempt, Errand::Close),
            |guest, store| fallible(guest.call_close(store, &attempt).await?, Ok)
        )
    }

    /// Undoes a till payment of unknown end.
    pub async fn reverse(&self, call: ProviderCall, attempt: AttemptView) -> Said<Reversal> {
        let attempt = given(attempt);
        call!(
            self,
            self.begin_about(call, &attempt, Errand::Reverse),
            |guest, store| {
                let answer = guest.call_reverse(store, &attempt).await?;
                fallible(answer, |reversal| Ok(reversed(reversal)))
            }
        )
    }

    /// Gives money back.
    pub async fn refund(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
        refund: RefundView,
    ) -> Said<Outcome> {
        let (attempt, refund) = (given(attempt), refund_order(refund));
        call!(
            self,
            self.begin_about(call, &attempt, Errand::Refund),
            |guest, store| {
                let answer = guest.call_refund(&mut *store, &attempt, &refund).await?;
                fallible(answer, |outcome| proven(store, outcome))
            }
        )
    }

    /// Asks the platform how a refund stands.
    pub async fn check_refund(
        &self,
        call: ProviderCall,
        attempt: AttemptView,
        refund: RefundView,
    ) -> Said<Outcome> {
        let (attempt, refund) = (given(attempt), refund_order(refund));
        call!(
            self,
            self.begin_about(call, &attempt, Errand::CheckRefund),
            |guest, store| {
                let answer = guest
                    .call_check_refund(&mut *store, &attempt, &refund)
                    .await?;
                fallible(answer, |outcome| proven(store, outcome))
            }
        )
    }

    /// A harmless signed request that shows whether the target's settings work; the text says what was asked
    /// and answered.
    pub async fn probe(&self, call: ProviderCall) -> Said<String> {
        call!(
            self,
            self.begin(Some(call.target), call.now_ms),
            |guest, store| fallible(guest.call_probe(store).await?, |text| Ok(short(text)))
        )
    }

    /// Finds the platform's bill of a day (`YYYY-MM-DD`); none where the platform states that nothing happened.
    pub async fn find_bill(&self, call: ProviderCall, day: &str) -> Said<Option<Bill>> {
        call!(
            self,
            self.begin(Some(call.target), call.now_ms),
            |guest, store| fallible(guest.call_find_bill(store, day).await?, found_bill)
        )
    }

    /// Reads rows of a bill out of whole lines; `first` at the beginning of each file.
    pub async fn bill_rows(
        &self,
        call: ProviderCall,
        lines: &[u8],
        first: bool,
    ) -> Said<Vec<BillRow>> {
        call!(
            self,
            self.begin_reading(Some(call.target), call.now_ms),
            |guest, store| {
                fallible(guest.call_bill_rows(store, lines, first).await?, bill_rows)
            }
        )
    }

    /// Where a bill goes on after this page, whose last chunk is `end`.
    pub async fn next_page(
        &self,
        call: ProviderCall,
        page: &Bill,
        end: &[u8],
    ) -> Said<Option<Bill>> {
        let page = told_bill(page);
        call!(
            self,
            self.begin(Some(call.target), call.now_ms),
            |guest, store| fallible(guest.call_next_page(store, &page, end).await?, found_bill)
        )
    }

    /// What the host itself sends for this provider goes this way too.
    pub(super) fn outbound(&self) -> &Outbound {
        &self.pool.outbound
    }

    /// Ends a call, and tells the operator what the provider logged in it.
    fn ended<T>(
        &self,
        running: Running<ForProvider>,
        answer: wasmtime::Result<Result<T, Fault>>,
    ) -> Said<T> {
        let (answer, call) = running.end(answer)?;
        let log = call.log.tail();
        if !log.is_empty() {
            let (provider, log) = (self.manifest().name(), log.trim_end().replace('\n', " | "));
            match &answer {
                Ok(_) => tracing::debug!(provider, log, "plugin"),
                Err(fault) => tracing::warn!(provider, %fault, log, "plugin"),
            }
        }
        Ok(answer)
    }

    /// For a call about an attempt, that may wait for the platform.
    async fn begin_about(
        &self,
        call: ProviderCall,
        attempt: &types::Attempt,
        errand: Errand,
    ) -> Result<Running<ForProvider>, PluginError> {
        let mut running = self.begin(Some(call.target), call.now_ms).await?;
        running.store.data_mut().world.about = Some(About {
            trade: attempt.trade_no.clone(),
            errand,
        });
        Ok(running)
    }

    /// For a call that may wait for the platform.
    async fn begin(
        &self,
        target: Option<Arc<Target>>,
        now_ms: u64,
    ) -> Result<Running<ForProvider>, PluginError> {
        let domain = target.as_ref().map_or("", |target| target.domain.as_str());
        let permits = self.pool.asking_place(domain, self.manifest().name()).await;
        self.begin_in(permits, target, now_ms)
    }

    /// For a call that reads what was received; it has a place when all that wait have none.
    async fn begin_reading(
        &self,
        target: Option<Arc<Target>>,
        now_ms: u64,
    ) -> Result<Running<ForProvider>, PluginError> {
        let permits = self.pool.reading_place().await;
        self.begin_in(permits, target, now_ms)
    }

    fn begin_in(
        &self,
        permits: Result<Permits, Stop>,
        target: Option<Arc<Target>>,
        now_ms: u64,
    ) -> Result<Running<ForProvider>, PluginError> {
        let who = Who::component(self.manifest().name(), self.digest);
        let permits = permits.map_err(|stop| who.stopped(&stop))?;
        let world = ForProvider {
            target,
            ..without_target(self.manifest().clone(), self.pool.outbound.clone())
        };
        let limits = limits::PROVIDER_CALL;
        Ok(Running::start(
            &self.pool, permits, limits, who, world, now_ms,
        ))
    }
}
