//! The audit log. What is changed is written before it is answered; what is refused is written soon after, and bounded:
//! whoever is refused again and again has some lines, and then one that says how often.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::caller::Caller;
use super::error::{PayError, Result};
use super::model::Ams;
use super::{Payments, now_ms};
use crate::logging::Seldom;
use crate::party::network;
use crate::store::{AuditLine, AuditOf};

/// Lines of one source's refusals in [`SPAN`]; what is beyond goes into one line.
const LINES: u32 = 20;
const SPAN: Ams = 60_000;
/// Sources that are counted at a time.
const SOURCES: usize = 4_096;
/// Refusals that are on their way to the store.
const WRITING: u32 = 64;
/// Lines that are shown at most.
const MOST_SHOWN: u32 = 1_000;
const SHOWN: u32 = 100;

/// Writes the audit log.
pub(super) struct Audit {
    counted: Mutex<HashMap<(Option<IpAddr>, String), Counted>>,
    writing: Arc<Semaphore>,
    /// Refusals that are not kept.
    behind: Seldom,
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            counted: Mutex::default(),
            writing: Arc::new(Semaphore::new(WRITING as usize)),
            behind: Seldom::default(),
        }
    }
}

/// What one source was refused lately.
struct Counted {
    since: Ams,
    lines: u32,
    /// The last one of those that have no line yet.
    beyond: Option<AuditLine>,
}

impl Audit {
    /// The lines that are to be written for this refusal: itself, or the sum of those that were not written before it.
    fn lines(&self, line: AuditLine) -> Vec<AuditLine> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        let now = line.at_ms;
        if counted.len() >= SOURCES {
            // Nobody is forgotten without a line.
            let all = counted.drain().filter_map(|(_, counted)| counted.beyond);
            due.extend(all);
        }
        let of = counted
            .entry((party(&line), line.who.clone()))
            .or_insert_with(|| Counted {
                since: now,
                lines: 0,
                beyond: None,
            });
        if now.saturating_sub(of.since) >= SPAN {
            due.extend(of.beyond.take());
            of.since = now;
            of.lines = 0;
        }
        if of.lines < LINES {
            of.lines += 1;
            due.push(line);
        } else {
            let times = of.beyond.as_ref().map_or(0, |beyond| beyond.times);
            of.beyond = Some(AuditLine {
                times: times.saturating_add(1),
                ..line
            });
        }
        due
    }

    /// The sums whose time is over, or all.
    fn sums(&self, now: Option<Ams>) -> Vec<AuditLine> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        counted.retain(|_, of| {
            let is_over = now.is_none_or(|now| now.saturating_sub(of.since) >= SPAN);
            if is_over {
                due.extend(of.beyond.take());
            }
            !is_over
        });
        due
    }
}

/// From where it came, as far as sources are told apart.
fn party(line: &AuditLine) -> Option<IpAddr> {
    let source = line.source.as_ref()?.parse();
    source.ok().map(network)
}

/// The process's log has of refusals what the audit log has: no flood fills either.
fn tell(line: &AuditLine) {
    let AuditLine {
        who,
        what,
        about,
        status,
        code,
        times,
        ..
    } = line;
    tracing::info!(target: "audit", who, what, ?about, status, err_code = code, times, "refused");
}

impl Payments {
    /// Notes what was done; it is durable when this answers.
    pub async fn note_change(&self, line: AuditLine) -> Result<()> {
        Ok(self.0.store.note(line).await?)
    }

    /// Notes what was refused, soon.
    pub fn note_refusal(&self, line: AuditLine) {
        for line in self.0.audit.lines(line) {
            self.write_soon(line);
        }
    }

    fn write_soon(&self, line: AuditLine) {
        tell(&line);
        let place = Arc::clone(&self.0.audit.writing).try_acquire_owned();
        let Ok(place) = place else {
            self.not_kept(&line, "too many are on their way to the store");
            return;
        };
        let payments = self.clone();
        tokio::spawn(async move {
            if let Err(error) = payments.0.store.note(line.clone()).await {
                payments.not_kept(&line, error);
            }
            drop(place);
        });
    }

    /// It is in the log of the process all the same, and counted.
    fn not_kept(&self, line: &AuditLine, why: impl Display) {
        self.meter().refusals_not_kept(line.times);
        if let Some(times) = self.0.audit.behind.happened(line.times.into(), now_ms()) {
            tracing::warn!(times, %why, "refusals are not in the audit log: walnut_refusals_not_kept_total counts them");
        }
    }

    /// Writes the sums of refusals whose time is over.
    pub(crate) fn tidy_audit(&self) {
        for line in self.0.audit.sums(Some(now_ms())) {
            self.write_soon(line);
        }
    }

    /// Writes what is not written yet.
    pub(crate) async fn end_audit(&self) {
        for line in self.0.audit.sums(None) {
            tell(&line);
            if let Err(error) = self.0.store.note(line.clone()).await {
                self.not_kept(&line, error);
            }
        }
        // Nobody closes it.
        drop(self.0.audit.writing.acquire_many(WRITING).await);
    }

    /// What the caller may see of the audit log: the operator all, a domain's owner what is the domain's.
    pub async fn audit(&self, caller: &Caller, of: AuditOf) -> Result<Vec<AuditLine>> {
        let limit = match of.limit {
            0 => SHOWN,
            limit => limit.min(MOST_SHOWN),
        };
        let of = AuditOf { limit, ..of };
        let of = match caller {
            Caller::Root | Caller::Op => of,
            Caller::Domain { name, test, .. } => {
                if of.domain.as_ref().is_some_and(|domain| domain != name) {
                    return Err(PayError::no_privilege("this key sees its own domain only"));
                }
                AuditOf {
                    domain: Some(name.clone()),
                    test_only: *test,
                    ..of
                }
            }
            Caller::Ticket(_) => {
                return Err(PayError::no_privilege("a ticket is good for one payment"));
            }
        };
        Ok(self.0.store.audit(of).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_refused_again_and_again_has_some_lines_and_a_sum() {
        let audit = Audit::default();
        let refused = |source: &str, at_ms| AuditLine {
            at_ms,
            refused: true,
            who: "nobody".to_owned(),
            source: Some(source.to_owned()),
            times: 1,
            ..AuditLine::default()
        };
        let mut written = 0;
        for _ in 0..1_000 {
            written += audit.lines(refused("192.0.2.1", 5)).len();
        }
        assert_eq!(written, LINES as usize);
        assert_eq!(audit.lines(refused("192.0.2.2", 5)).len(), 1, "another");
        assert!(audit.sums(Some(5)).is_empty());
        // Its next line comes with the sum of those before.
        let later = audit.lines(refused("192.0.2.1", 5 + SPAN));
        assert_eq!(
            later.iter().map(|line| line.times).collect::<Vec<_>>(),
            [980, 1]
        );
        for _ in 0..LINES + 4 {
            audit.lines(refused("192.0.2.2", 6 + SPAN));
        }
        let sums = audit.sums(None);
        assert_eq!(sums.iter().map(|line| line.times).collect::<Vec<_>>(), [4]);

        // A party has a network of IPv6.
        let mut written = 0;
        for address in 0..1_000 {
            let source = format!("2001:db8::{address:x}");
            written += audit.lines(refused(&source, 5)).len();
        }
        assert_eq!(written, LINES as usize);

        // More sources than can be counted.
        for source in 0..SOURCES * 2 {
            let source = format!("2001:db8:0:{source:x}::1");
            audit.lines(refused(&source, 5));
        }
        assert!(audit.counted.lock().unwrap().len() <= SOURCES);
    }
}
