//! `re`: notifications of all platforms. Route, verify, settle, commit, and only then answer in the
//! platform's own words. What does not verify changes nothing.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Address;
use super::error::PayError;
use super::meter::Notified;
use super::model::{Ams, Attempt, Case, TradeNo};
use super::settle::Settled;
use super::{Payments, now_ms};
use crate::plugin::{AttemptView, Outcome, ProviderCall};
use crate::trust::{Manifest, Message, Reply, is_probe};

/// Platforms wait for an answer no longer than some seconds; after this they are told "again".
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// What does not verify is kept in memory only, the newest ones.
const REFUSED_KEPT: usize = 256;
/// A notification that proves nothing brings the next question forward to no sooner than this after
/// the last one.
const BRING_FORWARD: Ams = 2_000;

/// A notification that did not verify, for the operator to look at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct RefusedNotification {
    /// When it came.
    pub at: Ams,
    /// The trade that its address or its text named.
    pub trade_no: Option<String>,
    /// Why it was refused.
    pub why: String,
    /// How long it was, in bytes.
    pub bytes: usize,
    /// Where it came from.
    pub source: Option<IpAddr>,
    /// Whether the platform only tried whether signatures are looked at.
    pub probe: bool,
    /// Its headers, the first ones.
    pub headers: Vec<(String, String)>,
    /// Its bytes in base64, the first ones.
    pub raw: String,
}

/// The answer to a notification that was not taken.
#[derive(Debug)]
pub struct NotTaken {
    /// For the platform.
    pub reply: Reply,
    /// Why it was not taken.
    pub why: Why,
}

/// Why a notification was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It does not hold, or proves nothing.
    Refused,
    /// It was not looked at.
    Unseen,
    /// The host could not do its part, or not in time.
    Ours,
}

impl Why {
    fn with(self, reply: Reply) -> NotTaken {
        NotTaken { reply, why: self }
    }
}

/// Bytes of a refused notification that are kept, and of its headers.
const RAW_KEPT: usize = 8 * 1024;
const HEADERS_KEPT: usize = 2 * 1024;

/// What is kept of a message, should it be refused.
struct Raw {
    source: Option<IpAddr>,
    bytes: usize,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Raw {
    fn of(message: &Message, source: Option<IpAddr>) -> Raw {
        let mut room = HEADERS_KEPT;
        let headers = message.headers.iter().take_while(|(name, value)| {
            let needed = name.len() + value.len();
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        Raw {
            source,
            bytes: message.body.len(),
            headers: headers.cloned().collect(),
            body: message.body.iter().take(RAW_KEPT).copied().collect(),
        }
    }

    fn refused(self, trade_no: Option<String>, why: String, about: About) -> RefusedNotification {
        RefusedNotification {
            at: now_ms(),
            trade_no,
            why,
            bytes: self.bytes,
            source: self.source,
            probe: about == About::Probe,
            headers: self.headers,
            raw: STANDARD.encode(self.body),
        }
    }
}

/// The newest notifications that did not verify.
#[derive(Default)]
pub(super) struct Refused(Mutex<VecDeque<RefusedNotification>>);

impl Refused {
    fn push(&self, refused: RefusedNotification) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() >= REFUSED_KEPT {
            ring.pop_front();
        }
        ring.push_back(refused);
    }
}

/// The answer where no platform's words are known.
fn nobody() -> Reply {
    Reply {
        status: 404,
        content_type: "text/plain".into(),
        body: "fail".into(),
    }
}

impl Payments {
    /// Takes a notification and gives the answer for the platform. What does not verify is bounded by where it came from
    /// and what it is about.
    ///
    /// # Errors
    /// The answer where it was not taken: beyond that it is not even looked at.
    pub async fn receive(
        &self,
        address: Address<'_>,
        message: Message,
        source: Option<IpAddr>,
    ) -> Result<Reply, NotTaken> {
        let admitted = self
            .0
            .flood
            .admit(source, address, &message, self.is_ours(address), now_ms())
            .await;
        let mut admitted = admitted.map_err(|reply| {
            self.meter().notified(Notified::Unseen);
            tracing::debug!(target: "audit", trade_no = ?address.trade(), ?source, "notification refused unseen");
            Why::Unseen.with(reply.unwrap_or_else(|| Reply {
                status: 503,
                ..nobody()
            }))
        })?;
        let raw = Raw::of(&message, source);
        // In a place of its own: with providers and the store below it, it is large.
        let work = admitted.look(Box::pin(self.take(address, message)));
        match tokio::time::timeout(ANSWER_WITHIN, work).await {
            Ok(Ok(taken)) => {
                self.meter().notified(Notified::Taken);
                Ok(taken)
            }
            Ok(Err(refusal)) => {
                let Refusal {
                    trade_no,
                    why,
                    reply,
                    about,
                } = refusal;
                let bytes = raw.bytes;
                self.meter().notified(match about {
                    About::Nothing => Notified::Unknown,
                    About::Known => Notified::Refused,
                    About::Probe => Notified::Probe,
                    About::Ours => Notified::Ours,
                });
                if about == About::Probe {
                    tracing::info!(target: "audit", ?trade_no, "the platform tried whether signatures are verified");
                } else {
                    tracing::warn!(target: "audit", ?trade_no, %why, bytes, "notification refused");
                }
                if about != About::Ours {
                    self.0.flood.refused(&admitted, &reply, now_ms());
                }
                self.0.refused.push(raw.refused(trade_no, why, about));
                let why = if about == About::Ours {
                    Why::Ours
                } else {
                    Why::Refused
                };
                Err(why.with(reply))
            }
            Err(_) => {
                self.meter().notified(Notified::Late);
                tracing::warn!(target: "audit", trade_no = ?address.trade(), "notification not handled in time");
                Err(Why::Ours.with(Reply {
                    status: 503,
                    ..nobody()
                }))
            }
        }
    }

    /// The newest notifications that did not verify.
    pub fn refused_notifications(&self) -> Vec<RefusedNotification> {
        let ring = self
            .0
            .refused
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ring.iter().cloned().collect()
    }

    /// Has an attempt's provider read a notification, and records what it proves.
    pub(super) async fn complete(
        &self,
        case: &Case,
        trade_no: &TradeNo,
        message: Message,
    ) -> Result<Reply, Refusal> {
        let Some(attempt) = case.attempts.iter().find(|a| a.trade_no == *trade_no) else {
            return Err(Refusal::unknown(
                Some(trade_no.to_string()),
                "no such trade",
            ));
        };
        let provider = self
            .provider(attempt.provider)
            .await
            .map_err(Refusal::ours)?;
        let replies = provider.manifest().replies().clone();
        let about = About::by(provider.manifest(), &message);
        let again = |why: String| Refusal {
            trade_no: Some(trade_no.to_string()),
            why,
            reply: replies.again.clone(),
            about,
        };
        // Any of them: a platform that does not notify of a till payment may do so of its refund.
        let mut pay_types = provider.manifest().pay_types();
        if !pay_types.any(|(_, pay_type)| pay_type.notifies) {
            return Err(again("this platform does not notify".into()));
        }
        let target = self
            .target(&case.payment.domain, &attempt.target, &provider)
            .await
            .map_err(|error| again(error.to_string()))?;
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        let view = AttemptView::of(&case.payment, attempt);
        let completed = provider
            .complete(call, view, message)
            .await
            .map_err(|error| {
                tracing::error!(error = %error.full(), "plugin");
                again(format!("the provider failed: {}", error.kind))
            })?
            .map_err(|fault| again(fault.to_string()))?;
        match completed.outcome {
            Outcome::Trade { claim, statement } => {
                let settled = self
                    .settle_payment_by(&case.payment, attempt, &claim, &statement, "notification")
                    .await
                    .map_err(|error| again(error.to_string()))?;
                if settled == Settled::Parked {
                    return Err(again(settled.as_str().into()));
                }
                Ok(replies.taken)
            }
            Outcome::Refund { claim, statement } => {
                self.settle_refund_by(attempt, &claim, &statement, "notification")
                    .await
                    .map_err(|error| again(error.to_string()))?;
                Ok(replies.taken)
            }
            Outcome::Ignored if completed.verified => Ok(replies.taken),
            // "Taken" is an answer to the platform, and this may be anybody's.
            Outcome::Ignored => Err(again("nothing of it was verified".into())),
            Outcome::Pending | Outcome::NotFound | Outcome::Ask => {
                self.bring_forward(case, trade_no).await;
                Err(again("it proves nothing; the platform is asked".into()))
            }
        }
    }

    /// Lets the next question come sooner, within bounds: whoever sends such a thing may be nobody.
    async fn bring_forward(&self, case: &Case, trade_no: &TradeNo) {
        let trade_no = trade_no.clone();
        let soon = now_ms() + BRING_FORWARD;
        let brought = self.0.store.change(case.payment.id, move |case| {
            let found = case.attempts.iter().find(|a| a.trade_no == trade_no);
            let sooner = found
                .filter(|a: &&Attempt| a.is_open())
                .filter(|a| a.ask_at_ms > soon)
                .map(|attempt| {
                    let mut attempt = attempt.clone();
                    attempt.ask_at_ms = soon;
                    super::ask::only(case, attempt)
                });
            Ok::<_, PayError>((sooner, ()))
        });
        if let Err(error) = brought.await {
            tracing::error!(%error, "store");
        }
        self.ring();
    }
}

/// A notification that is not taken.
pub(super) struct Refusal {
    /// The trade that its address or its text named.
    pub(super) trade_no: Option<String>,
    pub(super) why: String,
    pub(super) reply: Reply,
    pub(super) about: About,
}

/// What a refused notification was about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// Nothing that this host has.
    Nothing,
    /// A trade or an account of this host.
    Known,
    /// The same, and its platform only tries whether signatures are looked at.
    Probe,
    /// It may be right: the fault is this host's.
    Ours,
}

impl About {
    /// What a notification to a trade or an account of this platform is.
    pub(super) fn by(manifest: &Manifest, message: &Message) -> About {
        match is_probe(manifest, message) {
            true => About::Probe,
            false => About::Known,
        }
    }
}

impl Refusal {
    /// It belongs to nobody here.
    pub(super) fn unknown(trade_no: Option<String>, why: &str) -> Refusal {
        Refusal {
            trade_no,
            why: why.to_owned(),
            reply: nobody(),
            about: About::Nothing,
        }
    }

    /// A fault of the host's own: the platform has to come again.
    pub(super) fn ours(error: impl std::fmt::Display) -> Refusal {
        Refusal {
            trade_no: None,
            why: error.to_string(),
            reply: Reply {
                status: 503,
                ..nobody()
            },
            about: About::Ours,
        }
    }
}
