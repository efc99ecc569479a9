//! What other hosts put into the store that they share with this one: providers and homes that were read before.
//!
//! Whatever is asked for is read from the store anyhow. Kept in memory are the current providers and whose a notification
//! is where its address names no trade; these catch up here.

use std::collections::HashMap;

use tokio::sync::Mutex;

use super::Payments;
use super::error::Result;

/// The versions of the homes that this host has caught up with.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<String, u64>>);

impl Payments {
    /// Catches up with what other hosts changed. Costs two small questions where they did not.
    pub(crate) async fn catch_up(&self) -> Result<()> {
        // One at a time: whoever comes meanwhile finds it done.
        let mut seen = self.0.seen.0.lock().await;
        for platform in self.0.providers.catch_up(&self.0.store).await? {
            // Another manifest may call other settings keys.
            self.learn_accounts(Some(&platform)).await?;
        }
        let versions = self.0.store.home_versions().await?;
        let changed: Vec<String> = versions
            .iter()
            .filter(|(domain, version)| seen.get(domain) != Some(version))
            .map(|(domain, _)| domain.clone())
            .collect();
        if !changed.is_empty() {
            self.learn_accounts_of(&changed, None).await?;
        }
        seen.extend(versions);
        Ok(())
    }
}
