//! The audit log: what was refused, and what was changed beside payments, which have a history of their own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::payment::model::Ams;

use super::table::audit;
use super::{Store, StoreError};

/// The newest lines that are kept of those that are counted together, where they are no domain's.
const KEPT: u32 = 100_000;
/// The same of a domain's.
const KEPT_OF_DOMAIN: u32 = 20_000;
/// So many of them are written between two times that old ones are let go.
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

/// What a line is about, as far as old lines are let go for the sake of new ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    /// Done to keys, callbacks, targets, domains, providers.
    Settings,
    /// Done to payments.
    Payments,
    /// Refused to somebody.
    Refused,
    /// Refused to whoever did not say who it is.
    Nobody,
}

/// Lines that are counted together: nobody makes the host forget another domain's, a flood of refusals what was done, the
/// day's payments who changed a key, or a test key what was done to live ones.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Together {
    pub(super) kind: Kind,
    pub(super) domain: Option<String>,
    pub(super) test: bool,
}

impl Together {
    pub(super) fn of(line: &AuditLine) -> Together {
        let kind = match line.refused {
            true if line.who == "nobody" => Kind::Nobody,
            true => Kind::Refused,
            false if line.what.contains(" /pay/ajax/") => Kind::Payments,
            false => Kind::Settings,
        };
        Together {
            kind,
            domain: line.domain.clone(),
            test: line.test,
        }
    }

    fn kept(&self) -> u32 {
        match self.domain {
            Some(_) => KEPT_OF_DOMAIN,
            None => KEPT,
        }
    }
}

/// Counts lines since old ones were let go.
#[derive(Default)]
pub(super) struct Tidied(Mutex<HashMap<Together, u32>>);

impl Tidied {
    fn is_due(&self, together: &Together) -> bool {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = written.get_mut(together) else {
            written.insert(together.clone(), 1);
            return false;
        };
        *count = (*count + 1) % TIDIED_EVERY;
        *count == 0
    }
}

impl Store {
    /// Writes a line, and now and then lets go of old ones.
    pub async fn note(&self, line: AuditLine) -> Result<(), StoreError> {
        let together = Together::of(&line);
        let tidy = self.database.tidied().is_due(&together);
        self.database
            .write(move |link| {
                audit::add(link, &line)?;
                match tidy {
                    true => audit::keep(link, &together, together.kept()),
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
