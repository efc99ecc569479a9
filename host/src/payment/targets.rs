//! The domains' accounts at the platforms: which ones are on offer, and the pinned version of one
//! with its keys.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use serde_json::Map;

use super::Payments;
use super::error::{PayError, Result};
use super::model::{Attempt, Digest, Offer, Payment, TargetRef};
use super::platform_certificates::Beside;
use super::providers::Current;
use crate::plugin::Provider;
use crate::store::Account;
use crate::trust::{FieldError, Target};

/// Targets with their keys read, kept while they are in use.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);

type Key = (String, TargetRef, Digest);

/// The targets in use, the least recently used forgotten first.
pub(super) struct Targets(Mutex<LruCache<Key, Arc<Target>>>);

impl Default for Targets {
    fn default() -> Targets {
        Targets(Mutex::new(LruCache::new(KEPT)))
    }
}

/// What `send` decided to use.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) provider: Current,
    pub(super) target: TargetRef,
    pub(super) pay_type: String,
}

impl Payments {
    /// Every way to pay that is open to a new payment of this domain.
    pub(super) async fn offers(&self, domain: &str, test: bool, free: bool) -> Result<Vec<Offer>> {
        if free {
            let offer = Offer {
                pay_tp: "free".into(),
                pay_target: String::new(),
                default: true,
            };
            return Ok(vec![offer]);
        }
        let mut offers = Vec::new();
        for target in self.0.home.home(domain)?.targets().await? {
            if target.retired || target.test != test {
                continue;
            }
            let Some(provider) = self.0.providers.of_platform(&target.platform) else {
                continue;
            };
            offers.extend(provider.manifest.pay_types().map(|(pay_tp, _)| Offer {
                pay_tp: pay_tp.to_owned(),
                pay_target: target.name.clone(),
                default: target.default,
            }));
        }
        Ok(offers)
    }

    /// The provider and target for a pay type, by what the payment offers.
    pub(super) async fn choose(
        &self,
        payment: &Payment,
        pay_type: &str,
        target: Option<&str>,
    ) -> Result<Chosen> {
        let (provider, offer) = self.offered(payment, pay_type, target)?;
        self.with_settings(payment, provider, offer).await
    }

    /// What the payment offers for a pay type. Without a target's name: the only one, or the default
    /// one. Whether the target is still in use is not looked at.
    pub(super) fn offered<'a>(
        &self,
        payment: &'a Payment,
        pay_type: &str,
        target: Option<&str>,
    ) -> Result<(Current, &'a Offer)> {
        let provider = self.0.providers.of_pay_type(pay_type).ok_or_else(|| {
            PayError::no_provider(format!(
                "no provider speaks the pay type {}",
                quoted(pay_type)
            ))
        })?;
        let fitting: Vec<&Offer> = payment
            .offers
            .iter()
            .filter(|offer| offer.pay_tp == pay_type)
            .filter(|offer| target.is_none_or(|name| name == offer.pay_target))
            .collect();
        let offer = match fitting.as_slice() {
            [] => return Err(not_offered(payment, pay_type, target)),
            [only] => *only,
            several => several
                .iter()
                .find(|offer| offer.default)
                .copied()
                .ok_or_else(|| {
                    PayError::no_target(format!(
                        "{pay_type} has several targets and none is the default: name one of {}",
                        several
                            .iter()
                            .map(|o| o.pay_target.as_str())
                            .collect::<Vec<_>>()
                            .join(", ")
                    ))
                })?,
        };
        Ok((provider, offer))
    }

    /// With the settings that the target has now.
    pub(super) async fn with_settings(
        &self,
        payment: &Payment,
        provider: Current,
        offer: &Offer,
    ) -> Result<Chosen> {
        let platform = provider.manifest.name().to_owned();
        let version = if provider.manifest.has_settings() {
            self.current_version(payment, &platform, &offer.pay_target)
                .await?
        } else {
            0
        };
        let target = TargetRef {
            platform,
            name: offer.pay_target.clone(),
            version,
        };
        // Settings that the current provider cannot use are told before anything is written.
        let loaded = self.provider(provider.digest).await?;
        self.target(&payment.domain, &target, &loaded).await?;
        Ok(Chosen {
            provider,
            target,
            pay_type: offer.pay_tp.clone(),
        })
    }

    async fn current_version(&self, payment: &Payment, platform: &str, name: &str) -> Result<u32> {
        let current = self
            .0
            .home
            .home(&payment.domain)?
            .target_summary(platform, name)
            .await?;
        match current {
            Some(target) if target.retired => Err(PayError::no_target(format!(
                "the target {platform}/{name} is no longer in use"
            ))),
            Some(target) if target.test != payment.test => Err(PayError::no_target(format!(
                "the target {platform}/{name} is {}, the payment is not",
                if target.test { "for tests" } else { "live" }
            ))),
            Some(target) => Ok(target.version),
            None => Err(PayError::no_target(format!(
                "there is no target {platform}/{name}"
            ))),
        }
    }

    /// The version of a target that an attempt is pinned to, with its keys.
    pub(super) async fn target(
        &self,
        domain: &str,
        reference: &TargetRef,
        provider: &Provider,
    ) -> Result<Arc<Target>> {
        let key = (domain.to_owned(), reference.clone(), provider.digest());
        if let Some(target) = self.kept().get(&key) {
            return Ok(target.clone());
        }
        let target = self.read_target(domain, reference, provider).await?;
        // Who was first shares its own: a target has one memory of what the platform was asked.
        let mut kept = self.kept();
        Ok(kept.get_or_insert(key, || Arc::new(target)).clone())
    }

    /// The same, read anew and not kept.
    pub(super) async fn read_target(
        &self,
        domain: &str,
        reference: &TargetRef,
        provider: &Provider,
    ) -> Result<Target> {
        let manifest = provider.manifest();
        let home = self.0.home.home(domain)?;
        let (test, settings, secrets) = if manifest.has_settings() {
            let stored = home
                .target_version(&reference.platform, &reference.name, reference.version)
                .await?
                .ok_or_else(|| PayError::internal("the settings of the target are gone"))?;
            (stored.test, stored.settings, stored.secrets)
        } else {
            (false, Map::new(), Default::default())
        };
        let target = Target::assemble(
            manifest,
            domain.to_owned(),
            reference.clone(),
            test,
            settings,
            secrets.into_iter().collect(),
        )
        .map_err(|errors| PayError::misconfigured(in_words(&errors)))?;
        if manifest.has_settings() {
            let kept = home
                .platform_certificates(&reference.platform, &reference.name, reference.version)
                .await?;
            let beside = Beside::new(home, reference.clone(), self.0.routes.clone());
            Ok(target.with_certificates(&kept, Arc::new(beside)))
        } else {
            Ok(target)
        }
    }

    /// A statement about this attempt was verified with its account's keys.
    pub(super) fn proved(&self, payment: &Payment, attempt: &Attempt) {
        let account = Account {
            domain: payment.domain.clone(),
            platform: attempt.target.platform.clone(),
            target: attempt.target.name.clone(),
        };
        self.0.routes.proved(&account, attempt.created_ms);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, LruCache<Key, Arc<Target>>> {
        self.0
            .targets
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the caller's arguments suit the pay type: looked at before anything is made or sent.
pub(super) fn check_args(provider: &Current, pay_type: &str, args: &[String]) -> Result<()> {
    let known = provider.manifest.pay_type(pay_type);
    known
        .map_or(Ok(()), |known| known.check_args(args))
        .map_err(|needed| PayError::send_invalid(format!("{pay_type} {needed}")))
}

fn not_offered(payment: &Payment, pay_type: &str, target: Option<&str>) -> PayError {
    let open: Vec<String> = payment
        .offers
        .iter()
        .map(|offer| {
            format!("{} {}", offer.pay_tp, offer.pay_target)
                .trim_end()
                .to_owned()
        })
        .collect();
    let asked = match target {
        Some(target) => format!("{} with the target {}", quoted(pay_type), quoted(target)),
        None => quoted(pay_type),
    };
    PayError::not_offered(if open.is_empty() {
        format!("{asked} is not open to this payment: the domain had no target when it was created")
    } else {
        format!(
            "{asked} is not open to this payment; open are: {}",
            open.join("; ")
        )
    })
}

pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(64).collect::<String>())
}

pub(super) fn in_words(errors: &[FieldError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
