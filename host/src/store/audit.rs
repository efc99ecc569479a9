//! The audit log: what was refused, and what was changed beside payments, which have a history of their own.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;

use crate::payment::model::Ams;

use super::table::audit;
use super::{Store, StoreError};

/// The newest lines of each kind are kept, so that no flood of refusals makes anybody forget a change.
const KEPT: u32 = 100_000;
/// So many lines are written between two times that old ones are let go.
const TIDIED_EVERY: u32 = 1_000;

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, schemars::JsonSchema)]
pub struct AuditLine {
    /// Its place; 0 before it has one.
    pub seq: u64,
    /// When it happened.
    #[serde(rename = "at")]
    pub at_ms: Ams,
    /// Whether it was refused, or done.
    pub refused: bool,
    /// `root`, `op`, a domain's name, `buyer` for a ticket, `nobody`.
    pub who: String,
    /// The id of the caller's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whose affair it is, besides the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Whether it was done with a test key.
    pub test: bool,
    /// The address that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The endpoint.
    pub what: String,
    /// Its address as it was asked for, or what was changed.
    pub about: String,
    /// HTTP status of the answer.
    pub status: u32,
    /// `errCode` of a refusal, otherwise empty.
    #[serde(rename = "errCode")]
    pub code: String,
    /// How many such requests it stands for.
    pub times: u32,
}

/// Which lines are wanted; what is empty or 0 does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditOf {
    /// Of this domain.
    pub domain: Option<String>,
    /// Done with a test key.
    pub test_only: bool,
    /// Refused, or done.
    pub refused: Option<bool>,
    /// By this caller.
    pub who: Option<String>,
    /// With this `errCode`.
    pub code: Option<String>,
    /// At this time or later.
    pub since_ms: Ams,
    /// Before this time.
    pub until_ms: Ams,
    /// Older than this line.
    pub before: u64,
    /// So many at most.
    pub limit: u32,
}

/// Counts lines since old ones were let go.
#[derive(Default)]
pub(super) struct Tidied(AtomicU32);

impl Tidied {
    fn is_due(&self) -> bool {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        before % TIDIED_EVERY == TIDIED_EVERY - 1
    }
}

impl Store {
    /// Writes a line, and now and then lets go of old ones.
    pub async fn note(&self, line: AuditLine) -> Result<(), StoreError> {
        let tidy = self.database.tidied().is_due();
        self.database
            .write(move |link| {
                audit::add(link, &line)?;
                match tidy {
                    true => [true, false]
                        .into_iter()
                        .try_for_each(|refused| audit::keep(link, refused, KEPT)),
                    false => Ok(()),
                }
            })
            .await
    }

    /// The lines that are wanted, the newest first.
    pub async fn audit(&self, of: AuditOf) -> Result<Vec<AuditLine>, StoreError> {
        self.database.read(move |link| audit::list(link, &of)).await
    }
}
