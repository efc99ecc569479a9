//! What owners do with their accounts at the platforms: keep settings, try them, look at them, take them out of use.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{PayError, Result};
use super::kept_secrets::with_kept_secrets;
use super::model::TargetRef;
use super::targets::{in_words, quoted};
use super::{Payments, now_ms};
use crate::home::{Home, NewTarget, TargetSummary};
use crate::plugin::{Fault, ProviderCall};
use crate::store::Account;
use crate::trust::{Target, verifying_key_names};

/// Versions of a target whose keys find it, the newest ones: keys change once a year or so.
const VERSIONS: usize = 64;

/// What is shown of a target.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Target")]
pub struct ShownTarget {
    /// The platform.
    pub platform: String,
    /// Its name in the domain.
    pub name: String,
    /// Counted from 1.
    pub version: u32,
    /// Whether it pays test payments only.
    pub test: bool,
    /// Whether `send` takes it where none is named.
    pub default: bool,
    /// Out of use: no new payment goes there.
    pub retired: bool,
    /// Its own address for notifications, while it is in use.
    pub notify_url: Option<String>,
    /// What may be shown, by the provider's schema.
    pub settings: Map<String, Value>,
    /// The names of the secrets that are set.
    pub secrets: Vec<String>,
}

/// A target in the list of a domain's.
#[derive(Serialize, JsonSchema)]
pub struct ListedTarget {
    /// Without its settings.
    #[serde(flatten)]
    pub target: TargetSummary,
    /// Its own address for notifications, while it is in use.
    pub notify_url: Option<String>,
}

impl Payments {
    /// Keeps settings as a target's new version, once they fit the provider's schema. Gives the
    /// version. Attempts that were made stay with the version they were made with. Secrets that are left out stay as the
    /// version in use has them.
    pub async fn put_target(
        &self,
        domain: &str,
        platform: &str,
        name: &str,
        test: bool,
        default: bool,
        settings: Map<String, Value>,
    ) -> Result<u32> {
        let provider = self.0.providers.of_platform(platform).ok_or_else(|| {
            PayError::no_provider(format!("no provider for the platform {}", quoted(platform)))
        })?;
        if !provider.manifest.has_settings() {
            return Err(PayError::bad_target(format!("{platform} needs no target")));
        }
        let home = self.0.home.home(domain)?;
        let _turn = self.0.routes.changing().await;
        let now = home.target(platform, name).await?;
        let now = now.filter(|now| !now.retired && now.test == test);
        let settings = with_kept_secrets(&provider.manifest, settings, now.as_ref())
            .map_err(|errors| PayError::bad_target(in_words(&errors)))?;
        provider
            .manifest
            .check_settings(&settings)
            .map_err(|errors| PayError::bad_target(in_words(&errors)))?;
        let (public, secrets) = provider.manifest.split_settings(settings);
        let reference = TargetRef {
            platform: platform.to_owned(),
            name: name.to_owned(),
            version: 0,
        };
        // Assembled once before it is kept, so that what cannot be used is refused here.
        Target::assemble(
            &provider.manifest,
            domain.to_owned(),
            reference,
            test,
            public.clone(),
            secrets.clone(),
        )
        .map_err(|errors| PayError::bad_target(in_words(&errors)))?;
        let keys = verifying_key_names(&provider.manifest, &public, "");
        let new = NewTarget {
            test,
            default,
            settings: public,
            secrets: secrets.into_iter().collect(),
        };
        let account = account(domain, platform, name);
        let version = home.put_target(platform, name, new).await?;
        self.0.routes.learn(&account, version, keys, now_ms());
        self.0.routes.open(&account);
        Ok(version)
    }

    /// Takes a target out of use: nothing new is sent by it, and its own address is no longer good. False where there is
    /// none in use.
    pub async fn retire_target(&self, domain: &str, platform: &str, name: &str) -> Result<bool> {
        let home = self.0.home.home(domain)?;
        let _turn = self.0.routes.changing().await;
        let retired = home.retire_target(platform, name).await?;
        self.0.routes.close(&account(domain, platform, name));
        Ok(retired)
    }

    /// Lets the provider make a harmless signed request with a target's settings. What it found is for the owner, whether
    /// the settings work or not.
    pub async fn test_target(
        &self,
        domain: &str,
        platform: &str,
        name: &str,
    ) -> Result<std::result::Result<String, String>> {
        let current = self.0.providers.of_platform(platform).ok_or_else(|| {
            PayError::no_provider(format!("no provider for the platform {}", quoted(platform)))
        })?;
        let stored = self.0.home.home(domain)?.target(platform, name).await?;
        let stored = stored.ok_or_else(|| PayError::not_found("no such target"))?;
        let provider = self.provider(current.digest).await?;
        let reference = TargetRef {
            platform: platform.to_owned(),
            name: name.to_owned(),
            version: stored.version,
        };
        let target = self.target(domain, &reference, &provider).await?;
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        Ok(match provider.probe(call).await? {
            Ok(said) => Ok(said),
            Err(Fault::Unsupported) => {
                Err("this provider has no harmless request to test with".to_owned())
            }
            Err(fault) => Err(fault.to_string()),
        })
    }

    /// What is shown of a target: its public settings, and which secrets are set.
    pub async fn show_target(
        &self,
        domain: &str,
        platform: &str,
        name: &str,
    ) -> Result<ShownTarget> {
        let stored = self.0.home.home(domain)?.target(platform, name).await?;
        let stored = stored.ok_or_else(|| PayError::not_found("no such target"))?;
        let notify_url = self.notify_url(domain, platform, name, stored.retired);
        Ok(ShownTarget {
            platform: stored.platform,
            name: stored.name,
            version: stored.version,
            test: stored.test,
            default: stored.default,
            retired: stored.retired,
            notify_url,
            settings: stored.settings,
            secrets: stored.secrets.into_keys().collect(),
        })
    }

    /// All targets of a domain without their settings, the retired ones too.
    pub async fn list_targets(&self, domain: &str) -> Result<Vec<ListedTarget>> {
        let targets = self.0.home.home(domain)?.targets().await?;
        let shown = targets.into_iter().map(|target| {
            let url = self.notify_url(domain, &target.platform, &target.name, target.retired);
            ListedTarget {
                target,
                notify_url: url,
            }
        });
        Ok(shown.collect())
    }

    /// The target's own address for notifications, while it is in use.
    pub fn notify_url(
        &self,
        domain: &str,
        platform: &str,
        name: &str,
        retired: bool,
    ) -> Option<String> {
        (!retired).then(|| self.account_url(&account(domain, platform, name)))
    }

    /// Learns from the homes which accounts there are; of one platform or of all. What cannot be read is told, and
    /// holds up nobody else's.
    pub(super) async fn learn_accounts(&self, platform: Option<&str>) -> Result<()> {
        let domains = self.0.store.domains().await?;
        let domains: Vec<String> = domains.into_iter().map(|domain| domain.name).collect();
        self.learn_accounts_of(&domains, platform).await
    }

    /// The same from the homes of these domains.
    pub(super) async fn learn_accounts_of(
        &self,
        domains: &[String],
        platform: Option<&str>,
    ) -> Result<()> {
        let mut found = Vec::new();
        for domain in domains {
            let home = self.0.home.home(domain)?;
            let targets = home.targets().await.unwrap_or_else(|error| {
                tracing::error!(domain, %error, "a domain's targets cannot be read");
                Vec::new()
            });
            for target in targets {
                if platform.is_none_or(|platform| platform == target.platform) {
                    found.push((home.clone(), target));
                }
            }
        }
        let accounts: Vec<Account> = found
            .iter()
            .map(|(home, target)| account(home.domain(), &target.platform, &target.name))
            .collect();
        let proved = self.0.store.last_paid(accounts.clone()).await?;
        for (((home, target), account), proved) in found.iter().zip(&accounts).zip(proved) {
            if let Err(error) = self.learn_account(home, target, account).await {
                tracing::error!(?account, %error, "a target cannot be read");
            }
            self.0.routes.proved(account, proved);
        }
        Ok(())
    }

    async fn learn_account(
        &self,
        home: &Home,
        target: &TargetSummary,
        account: &Account,
    ) -> Result<()> {
        let _turn = self.0.routes.changing().await;
        let Some(provider) = self.0.providers.of_platform(&target.platform) else {
            return Ok(());
        };
        let versions = home
            .public_versions(&target.platform, &target.name, VERSIONS)
            .await?;
        for version in versions {
            let keys =
                verifying_key_names(&provider.manifest, &version.settings, &version.certificates);
            let (number, changed) = (version.version, version.changed_ms);
            self.0.routes.learn(account, number, keys, changed);
        }
        match target.retired {
            true => self.0.routes.close(account),
            false => self.0.routes.open(account),
        }
        Ok(())
    }
}

fn account(domain: &str, platform: &str, name: &str) -> Account {
    Account {
        domain: domain.to_owned(),
        platform: platform.to_owned(),
        target: name.to_owned(),
    }
}
