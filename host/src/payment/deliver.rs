//! Runs the callback of a payment that became OK, and commits its effects together with the mark
//! "applied".

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::error::Result;
use super::model::{Ams, PaymentId};
use super::{Payments, now_ms, view};
use crate::plugin::{
    CallbackCall, DeliveryView, DomainView, Kind, NotLoaded, Run, ViewError, Viewed, Web, WebHost,
};
use crate::store::{Clock, Delivery, Effects, Find, FindError, Finished, Space, Store, StoreError};

const SECOND: Ams = 1_000;
const MINUTE: Ams = 60 * SECOND;
const HOUR: Ams = 60 * MINUTE;

/// Between one failed try and the next; after the last one the delivery is dead until somebody
/// replays it.
const PAUSES: [Ams; 9] = [
    SECOND,
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    HOUR,
    6 * HOUR,
    24 * HOUR,
    48 * HOUR,
];
/// When all instances are in use, the delivery is postponed and the try not counted.
const WHEN_BUSY: Ams = 500;
/// Runs again at once when another delivery changed what it read; then it waits its turn.
const CONFLICTS_AT_ONCE: u32 = 5;

impl Payments {
    /// Ends the tries that an earlier host began and did not end: each counts as one that failed, with its pause, so
    /// that a callback by which a host ends is not the first thing that the next one runs. To be called before anything
    /// is delivered, and when another host was found dead.
    pub(crate) async fn end_interrupted_tries(&self) -> Result<()> {
        for delivery in self.0.store.interrupted_deliveries().await? {
            let error = "the host ended while this try ran".to_owned();
            self.fail(&delivery, error, String::new()).await?;
        }
        Ok(())
    }

    /// One try of one delivery that the caller has leased.
    pub async fn deliver(&self, delivery: &Delivery) -> Result<()> {
        for _ in 0..CONFLICTS_AT_ONCE {
            match self.try_once(delivery).await? {
                Finished::Conflict => self.meter().delivered("conflict"),
                Finished::Done => {
                    self.meter().delivered("applied");
                    self.rang(delivery.payment);
                    return Ok(());
                }
                Finished::Fenced => return Ok(()),
            }
        }
        self.0
            .store
            .postpone_delivery(delivery, now_ms() + WHEN_BUSY)
            .await?;
        Ok(())
    }

    async fn try_once(&self, delivery: &Delivery) -> Result<Finished> {
        let now = now_ms();
        let run = match self.run_bound(delivery, now).await {
            Ok(run) => run,
            Err(Stopped::Busy) => {
                self.meter().delivered("busy");
                self.0
                    .store
                    .postpone_delivery(delivery, now + WHEN_BUSY)
                    .await?;
                return Ok(Finished::Fenced);
            }
            Err(Stopped::Failed { error, log }) => {
                self.fail(delivery, error, log).await?;
                return Ok(Finished::Fenced);
            }
        };
        match run.answer {
            Err(error) => {
                self.fail(delivery, format!("guest error: {error}"), run.log)
                    .await?;
                Ok(Finished::Fenced)
            }
            Ok(answer) => {
                let runner = run.runner.map(tracing::field::display);
                let effects = Effects {
                    reads: run.effects.reads,
                    writes: run.effects.writes,
                    events: run.effects.events,
                };
                let log = run.log.clone();
                let finish = self
                    .0
                    .store
                    .finish_delivery(delivery, effects, answer, log, now_ms());
                let finished = match finish.await {
                    // It would not be kept the next time either; its owner is told why.
                    Err(StoreError::Unkeepable(why)) => {
                        self.fail(delivery, why, run.log).await?;
                        return Ok(Finished::Fenced);
                    }
                    finished => finished?,
                };
                if finished == Finished::Done {
                    tracing::info!(payment = %delivery.payment, try_no = delivery.tries, runner, "callback applied");
                }
                Ok(finished)
            }
        }
    }

    async fn run_bound(&self, delivery: &Delivery, now: Ams) -> std::result::Result<Run, Stopped> {
        let case = self.0.store.case(delivery.payment).await?;
        let payment = case
            .ok_or_else(|| Stopped::text("the payment is gone"))?
            .payment;
        let Some(bound) = payment.callback.clone() else {
            return Err(Stopped::text("the payment has no callback"));
        };
        let store = self.0.store.clone();
        let load = || async move {
            let content = store.content(bound.digest).await;
            content.map_err(|error| NotLoaded::Down(error.to_string()))
        };
        let callback = self
            .0
            .plugins
            .callback(bound.kind, bound.digest, load)
            .await?;
        let call = CallbackCall {
            domain: payment.domain.clone(),
            view: Arc::new(StoredDomain {
                store: self.0.store.clone(),
                space: Space::of(&payment),
            }),
            now_ms: now,
        };
        let view = DeliveryView {
            key: delivery.key.clone(),
            try_no: delivery.tries,
            callback: bound.name,
            late: payment.late,
        };
        let shown = Value::Object(view::to_json(&payment, now));
        Ok(callback.run(call, &shown, view).await?)
    }

    async fn fail(&self, delivery: &Delivery, error: String, log: String) -> Result<()> {
        let now = now_ms();
        let pause = usize::try_from(delivery.tries)
            .ok()
            .and_then(|tries| PAUSES.get(tries.saturating_sub(1)))
            .copied();
        let again_at = pause.map(|pause| now + pause);
        let key = &delivery.key;
        self.meter()
            .delivered(again_at.map_or("dead", |_| "failed"));
        match again_at {
            Some(_) => {
                tracing::warn!(payment = %delivery.payment, %key, try_no = delivery.tries, %error, "callback failed")
            }
            None => {
                tracing::error!(target: "audit", payment = %delivery.payment, %key, try_no = delivery.tries, %error, "ALERT: callback is dead")
            }
        }
        self.0
            .store
            .fail_delivery(delivery, error, log, again_at, now)
            .await?;
        self.rang(delivery.payment);
        Ok(())
    }
}

/// Why a try came to no answer.
enum Stopped {
    Busy,
    Failed { error: String, log: String },
}

impl Stopped {
    fn text(error: &str) -> Stopped {
        Stopped::Failed {
            error: error.to_owned(),
            log: String::new(),
        }
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Stopped {
        tracing::error!(%error, "store");
        Stopped::Busy
    }
}

impl From<crate::plugin::PluginError> for Stopped {
    fn from(error: crate::plugin::PluginError) -> Stopped {
        match error.kind {
            Kind::Busy => return Stopped::Busy,
            // Nothing was run, or nothing that counts.
            Kind::Down => {
                tracing::error!(%error, "store");
                return Stopped::Busy;
            }
            _ => {}
        }
        Stopped::Failed {
            error: error.full(),
            log: error.log_tail.into(),
        }
    }
}

/// What a callback sees of its domain: the store, narrowed to live or to test payments of one domain.
struct StoredDomain {
    store: Store,
    space: Space,
}

fn down(error: StoreError) -> ViewError {
    ViewError::Failed(error.to_string())
}

impl DomainView for StoredDomain {
    fn kv_get<'a>(&'a self, key: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
        Box::pin(async move { self.store.kv_get(&self.space, key).await.map_err(down) })
    }

    fn kv_size(&self) -> Viewed<'_, u64> {
        Box::pin(async move { self.store.kv_size(&self.space).await.map_err(down) })
    }

    fn payment(&self, id: PaymentId) -> Viewed<'_, Option<Value>> {
        Box::pin(async move {
            let case = self.store.case(id).await.map_err(down)?;
            let own = case.filter(|case| Space::of(&case.payment) == self.space);
            Ok(own.map(|case| Value::Object(view::to_json(&case.payment, now_ms()))))
        })
    }

    fn payments<'a>(
        &'a self,
        matching: &'a Map<String, Value>,
        limit: u32,
    ) -> Viewed<'a, Vec<Value>> {
        Box::pin(async move {
            let refused = |error: FindError| ViewError::Refused(error.to_string());
            let mut find = Find::new(Some(self.space.domain.clone()));
            find.limit = limit;
            find.test(self.space.test);
            let now = now_ms();
            let clock = Clock::at(i64::try_from(now).unwrap_or(0), TimeZone::system());
            find.matching(matching, &clock).map_err(refused)?;
            find.check().map_err(refused)?;
            let found = self.store.find(find).await.map_err(|error| match error {
                StoreError::Find(error) => refused(error),
                other => down(other),
            })?;
            Ok(found
                .iter()
                .map(|payment| Value::Object(view::to_json(payment, now)))
                .collect())
        })
    }

    fn web<'a>(&'a self, host: &'a WebHost) -> Viewed<'a, Web> {
        Box::pin(async move {
            Ok(
                match is_granted(&self.store, &self.space.domain, host).await? {
                    true => Web::Granted,
                    false => Web::NotGranted,
                },
            )
        })
    }
}

/// Whether the operator lets the domain's callbacks send requests there.
pub(super) async fn is_granted(
    store: &Store,
    domain: &str,
    host: &WebHost,
) -> std::result::Result<bool, ViewError> {
    let domain = store.domain(domain).await.map_err(down)?;
    let host = host.to_string();
    Ok(domain.is_some_and(|domain| domain.web.contains(&host)))
}
