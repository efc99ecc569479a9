//! The platform's certificates of one target that the host fetched itself.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::certificate::Certificate;

/// How long after one question for certificates the next one waits. Whoever sends notifications with serial
/// numbers of his own makes the host ask no more often than this.
const RENEWAL_PAUSE_MS: u64 = 60_000;

/// The most certificates that are kept of a target; platforms have two or three at a time.
const KEPT: usize = 8;

/// Keeps certificates where they survive a restart.
pub trait KeepCertificates: Send + Sync {
    /// Keeps all of these, PEM, in the place of those before; or says why not.
    fn keep(&self, pem: String) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>>;
}

/// What the host learnt from the platform, beside what the settings say.
#[derive(Default)]
pub(super) struct PlatformKeys {
    inner: Mutex<Inner>,
    keeper: Option<Arc<dyn KeepCertificates>>,
    /// Whether the platform is being asked for certificates.
    asking: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    certificates: Vec<Arc<Certificate>>,
    asked_ms: Option<u64>,
    tokens: HashMap<String, Token>,
}

/// A token that the platform gave for the target's own secret.
pub(super) struct Token {
    pub(super) text: zeroize::Zeroizing<String>,
    pub(super) until_ms: u64,
}

impl PlatformKeys {
    /// What was kept before, and where to keep what comes.
    pub(super) fn new(
        certificates: Vec<Certificate>,
        keeper: Option<Arc<dyn KeepCertificates>>,
    ) -> PlatformKeys {
        let inner = Inner {
            certificates: certificates.into_iter().map(Arc::new).collect(),
            ..Inner::default()
        };
        PlatformKeys {
            inner: Mutex::new(inner),
            keeper,
            asking: watch::Sender::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that are kept.
    pub(super) fn certificates(&self) -> Vec<Arc<Certificate>> {
        self.inner().certificates.clone()
    }

    /// Whether the platform may be asked for certificates now; if so, not again for a while.
    pub(super) fn may_ask(&self, now_ms: u64) -> bool {
        let mut inner = self.inner();
        let rested = inner
            .asked_ms
            .is_none_or(|asked| now_ms >= asked.saturating_add(RENEWAL_PAUSE_MS));
        if rested {
            inner.asked_ms = Some(now_ms);
            self.asking.send_replace(true);
        }
        rested
    }

    /// The question is over, with certificates or without.
    pub(super) fn asked(&self) {
        self.asking.send_replace(false);
    }

    /// Waits while the platform is being asked.
    pub(super) async fn until_asked(&self) {
        // The sender lives in self: this ends with the question.
        let _ = self.asking.subscribe().wait_for(|asking| !asking).await;
    }

    /// Adds certificates to those that are still valid, and keeps all of them.
    pub(super) async fn add(&self, new: Vec<Certificate>, now_ms: u64) -> Result<(), String> {
        let (pem, all) = {
            let inner = self.inner();
            let mut all: Vec<Arc<Certificate>> = new.into_iter().map(Arc::new).collect();
            for old in &inner.certificates {
                let known = all.iter().any(|have| have.serial() == old.serial());
                if !known && old.is_valid_at(now_ms) && all.len() < KEPT {
                    all.push(old.clone());
                }
            }
            let pem: String = all.iter().map(|certificate| certificate.pem()).collect();
            (pem, all)
        };
        if let Some(keeper) = &self.keeper {
            keeper.keep(pem).await?;
        }
        self.inner().certificates = all;
        Ok(())
    }

    /// The token of a scheme, while it lasts.
    pub(super) fn token(&self, scheme: &str, now_ms: u64) -> Option<zeroize::Zeroizing<String>> {
        let inner = self.inner();
        let token = inner.tokens.get(scheme)?;
        (now_ms < token.until_ms).then(|| token.text.clone())
    }

    pub(super) fn set_token(&self, scheme: &str, token: Token) {
        self.inner().tokens.insert(scheme.to_owned(), token);
    }

    pub(super) fn drop_token(&self, scheme: &str) {
        self.inner().tokens.remove(scheme);
    }
}
