//! `reconcile`: the platforms' bills of a day against the store, account by account.

mod asking;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{PayError, Result};
use super::model::{Ams, Attempt, Case, Refund, TargetRef, TradeNo};
use super::reconciling::{
    self, Belongs, Day, Difference, Report, Status, TargetReport, compare, missed_payment,
    missed_refund,
};
use super::{Payments, now_ms};
use crate::home::TargetSummary;
use crate::plugin::{BillError, BillRow, Fault, ProviderCall};
use crate::store::{Account, Store};

/// How long before it was paid an attempt may have been made: payments have at most 15 days, and some hours are for
/// what came late.
const MADE_BEFORE_MS: Ams = 16 * 24 * 3_600_000;

/// Payments that are read at once.
const PAGE: u32 = 500;

/// Differences that are listed for one account.
const LISTED: usize = 1_000;

/// Domains that are reconciled at once: a large bill takes room and time.
const AT_ONCE: usize = 4;

/// The domains that are reconciled now. Each has one place, so that one whose platform does not answer holds up itself
/// alone.
#[derive(Default)]
pub(super) struct Running(Mutex<HashSet<String>>);

/// A domain's place, given back when it is dropped.
struct Run {
    running: Arc<Running>,
    domain: String,
}

impl Running {
    fn domains(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Running>, domain: &str) -> Result<Run> {
        let mut domains = self.domains();
        if domains.contains(domain) {
            return Err(PayError::too_busy(format!(
                "a reconciliation of {domain} runs already: try again when it is done"
            )));
        }
        if domains.len() >= AT_ONCE {
            return Err(PayError::too_busy(format!(
                "reconciliations of {AT_ONCE} other domains run: try again later"
            )));
        }
        domains.insert(domain.to_owned());
        Ok(Run {
            running: Arc::clone(self),
            domain: domain.to_owned(),
        })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.running.domains().remove(&self.domain);
    }
}

/// What is to be reconciled.
pub struct Reconciliation<'a> {
    /// `YYYY-MM-DD`
    pub day: &'a str,
    /// Only this platform's accounts.
    pub platform: Option<&'a str>,
    /// Only the account of this name.
    pub target: Option<&'a str>,
    /// Only accounts for tests.
    pub test_only: bool,
}

impl Payments {
    /// Compares the platforms' bills of a day with what the domain has of that day. Nothing is settled by a bill; but
    /// what a bill shows as paid or given back and the store does not, the platform is asked about at once.
    pub async fn reconcile(&self, domain: &str, wanted: Reconciliation<'_>) -> Result<Report> {
        reconciling::date(wanted.day)?;
        let accounts = self.accounts(domain, &wanted).await?;
        let _run = self.0.reconciling.begin(domain)?;
        let mut targets = Vec::new();
        for (summary, day) in accounts {
            targets.push(self.reconcile_account(domain, summary, &day).await?);
        }
        Ok(Report {
            day: wanted.day.to_owned(),
            domain: domain.to_owned(),
            targets,
        })
    }

    /// The accounts that are meant, each with the day as its platform counts days. Those that are no longer in use are
    /// among them: their money of that day is not gone.
    async fn accounts(
        &self,
        domain: &str,
        wanted: &Reconciliation<'_>,
    ) -> Result<Vec<(TargetSummary, Day)>> {
        let all = self.0.home.home(domain)?.targets().await?;
        let meant = all.into_iter().filter(|target| {
            wanted.platform.is_none_or(|name| name == target.platform)
                && wanted.target.is_none_or(|name| name == target.name)
                && (target.test || !wanted.test_only)
        });
        let now = now_ms();
        let with_day = meant.map(|target| {
            let day = reconciling::day(&target.platform, wanted.day, now)?;
            Ok((target, day))
        });
        let accounts: Vec<_> = with_day.collect::<Result<_>>()?;
        if accounts.is_empty() {
            return Err(PayError::not_found(
                "the domain has no such account to reconcile",
            ));
        }
        Ok(accounts)
    }

    async fn reconcile_account(
        &self,
        domain: &str,
        summary: TargetSummary,
        day: &Day,
    ) -> Result<TargetReport> {
        let mut found = Found::default();
        let (status, error) = match self.bill(domain, &summary, day).await? {
            Ok(mut rows) => {
                let account = Account {
                    domain: domain.to_owned(),
                    platform: summary.platform.clone(),
                    target: summary.name.clone(),
                };
                self.name_trades(&account, &mut rows).await?;
                self.against_bill(&account, day, &rows, &mut found).await?;
                (Status::Compared, None)
            }
            Err((status, why)) => (status, Some(why)),
        };
        tracing::info!(
            target: "audit", domain, platform = summary.platform, name = summary.name, day = day.name, ?status,
            differences = found.differences.len() + found.left_off, "reconciled"
        );
        Ok(TargetReport {
            platform: summary.platform,
            target: summary.name,
            test: summary.test,
            status,
            error,
            rows: found.rows,
            agreed: found.agreed,
            about_midnight: found.about_midnight,
            differences: found.differences,
            left_off: found.left_off,
        })
    }

    /// The bill's rows, of which a day without business has none; or why there is no bill, for whoever owns the account.
    async fn bill(
        &self,
        domain: &str,
        summary: &TargetSummary,
        day: &Day,
    ) -> Result<std::result::Result<Vec<BillRow>, (Status, String)>> {
        let failed = |why: String| Ok(Err((Status::Failed, why)));
        let Some(current) = self.0.providers.of_platform(&summary.platform) else {
            return failed(format!("no provider speaks with {}", summary.platform));
        };
        let provider = self.provider(current.digest).await?;
        let reference = TargetRef {
            platform: summary.platform.clone(),
            name: summary.name.clone(),
            version: summary.version,
        };
        let target = match self.target(domain, &reference, &provider).await {
            Ok(target) => target,
            Err(error) => return failed(error.message().to_owned()),
        };
        let call = ProviderCall {
            target,
            now_ms: now_ms(),
        };
        let bill = match provider.find_bill(call.clone(), &day.name).await? {
            Ok(Some(bill)) => bill,
            Ok(None) => return Ok(Ok(Vec::new())),
            Err(Fault::Unsupported) => {
                let why = format!("{} gives no bills", summary.platform);
                return Ok(Err((Status::NoBills, why)));
            }
            Err(fault) => return failed(fault.to_string()),
        };
        // A signed request is stamped with its own time.
        let call = ProviderCall {
            now_ms: now_ms(),
            ..call
        };
        match provider.rows_of_bill(&call, &bill).await {
            Ok(rows) => Ok(Ok(rows)),
            Err(BillError::Plugin(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(domain, platform = summary.platform, %error, "bill");
                failed(error.to_string())
            }
        }
    }

    /// Gives each row the number of its trade where it says the platform's alone: as another row of the bill has it, or
    /// the account's attempts. A row of neither is called by the platform's.
    async fn name_trades(&self, account: &Account, rows: &mut [BillRow]) -> Result<()> {
        let named = rows.iter().filter(|row| !row.trade_no.is_empty());
        let pairs = named.map(|row| (row.transaction_id.clone(), row.trade_no.clone()));
        let mut trades: BTreeMap<String, String> = pairs.collect();
        let nameless = rows.iter().filter(|row| row.trade_no.is_empty());
        let unknown = nameless.filter(|row| !trades.contains_key(&row.transaction_id));
        let unknown: BTreeSet<String> = unknown.map(|row| row.transaction_id.clone()).collect();
        if !unknown.is_empty() {
            let found = self
                .0
                .store
                .trades_of_transactions(account, unknown)
                .await?;
            let found = found.into_iter();
            trades.extend(found.map(|(transaction, trade)| (transaction, trade.to_string())));
        }
        for row in rows.iter_mut().filter(|row| row.trade_no.is_empty()) {
            let found = trades.get(&row.transaction_id);
            row.trade_no = found.unwrap_or(&row.transaction_id).clone();
        }
        Ok(())
    }

    async fn against_bill(
        &self,
        account: &Account,
        day: &Day,
        rows: &[BillRow],
        found: &mut Found,
    ) -> Result<()> {
        found.rows = rows.len();
        let mut trades: BTreeMap<&str, Vec<&BillRow>> = BTreeMap::new();
        for row in rows {
            trades.entry(row.trade_no.as_str()).or_default().push(row);
        }
        let trades: Vec<_> = trades.into_iter().collect();
        for page in trades.chunks(PAGE as usize) {
            self.compare_page(account, page, found).await?;
        }
        let books = Books {
            store: &self.0.store,
            account,
            day,
        };
        books.miss_payments(rows, found).await?;
        books.miss_refunds(rows, found).await
    }

    async fn compare_page(
        &self,
        account: &Account,
        page: &[(&str, Vec<&BillRow>)],
        found: &mut Found,
    ) -> Result<()> {
        let known = page.iter().filter_map(|(name, _)| TradeNo::parse(name));
        let cases = self.0.store.cases_of_trades(known.collect()).await?;
        // Another domain may use the same account: what it has is not told here.
        let own = cases.into_iter().flatten();
        let own = own.filter(|case| case.payment.domain == account.domain);
        let own: Vec<Case> = own.collect();
        let mut attempts: BTreeMap<&str, (&Case, &Attempt)> = BTreeMap::new();
        for case in &own {
            for attempt in &case.attempts {
                attempts.insert(attempt.trade_no.as_str(), (case, attempt));
            }
        }
        for (trade_no, rows) in page {
            let pair = attempts.get(trade_no).copied();
            let mut compared = compare(trade_no, rows, pair);
            if let Some((case, attempt)) = pair {
                self.ask_about(case, attempt, &mut compared).await;
            }
            if compared.differences.is_empty() {
                found.agreed += 1;
            }
            found.extend(compared.differences);
        }
        Ok(())
    }
}

/// What was found for one account.
#[derive(Default)]
struct Found {
    rows: usize,
    agreed: usize,
    about_midnight: usize,
    differences: Vec<Difference>,
    left_off: usize,
}

impl Found {
    fn extend(&mut self, differences: Vec<Difference>) {
        for difference in differences {
            if self.differences.len() < LISTED {
                self.differences.push(difference);
            } else {
                self.left_off += 1;
            }
        }
    }

    /// Counts what the bill does not have.
    fn missed(&mut self, belongs: Belongs, difference: impl FnOnce() -> Option<Difference>) {
        match belongs {
            Belongs::Here => self.extend(difference().into_iter().collect()),
            Belongs::Perhaps => self.about_midnight += 1,
            Belongs::Elsewhere => {}
        }
    }
}

/// The store's side of a day.
struct Books<'a> {
    store: &'a Store,
    account: &'a Account,
    day: &'a Day,
}

impl Books<'_> {
    async fn miss_payments(&self, rows: &[BillRow], found: &mut Found) -> Result<()> {
        let paid = rows.iter().filter(|row| !row.amount.is_zero());
        let there: HashSet<&str> = paid.map(|row| row.trade_no.as_str()).collect();
        let within = &self.day.within;
        let made = within.start.saturating_sub(MADE_BEFORE_MS)..within.end;
        let mut last: Option<Attempt> = None;
        loop {
            let page = self.store.paid_attempts(
                self.account,
                made.clone(),
                within.start,
                last.as_ref(),
                PAGE,
            );
            let page = page.await?;
            let missed = page
                .iter()
                .filter(|attempt| !there.contains(attempt.trade_no.as_str()));
            let missed: Vec<TradeNo> = missed.map(|attempt| attempt.trade_no.clone()).collect();
            let cases = self.store.cases_of_trades(missed.clone()).await?;
            for (trade_no, case) in missed.iter().zip(cases) {
                let Some(case) = case else { continue };
                let Some(attempt) = case.attempt(trade_no) else {
                    continue;
                };
                let belongs = reconciling::paid_on(self.day, &case, attempt);
                found.missed(belongs, || Some(missed_payment(&case, attempt)));
            }
            last = match page.len() < PAGE as usize {
                true => return Ok(()),
                false => page.into_iter().last(),
            };
        }
    }

    async fn miss_refunds(&self, rows: &[BillRow], found: &mut Found) -> Result<()> {
        let numbers = rows.iter().filter_map(|row| row.refund_no.as_deref());
        let there: HashSet<&str> = numbers.collect();
        let is_there = |refund: &Refund| {
            let theirs = refund.transaction_id.as_deref();
            there.contains(refund.refund_no.as_str())
                || theirs.is_some_and(|number| there.contains(number))
        };
        let within = &self.day.within;
        // Ordered the day before and given back on this one is about midnight at most.
        let ordered = within.start.saturating_sub(MADE_BEFORE_MS)..within.end;
        let mut last: Option<Refund> = None;
        loop {
            let page = self
                .store
                .refunds_given(self.account, ordered.clone(), last.as_ref(), PAGE);
            let page = page.await?;
            let missed: Vec<&Refund> = page.iter().filter(|refund| !is_there(refund)).collect();
            let trades = missed.iter().map(|refund| refund.trade_no.clone());
            let cases = self.store.cases_of_trades(trades.collect()).await?;
            for (refund, case) in missed.into_iter().zip(cases) {
                let Some(case) = case else { continue };
                let belongs = reconciling::refunded_on(self.day, refund);
                found.missed(belongs, || {
                    let attempt = case.attempt(&refund.trade_no)?;
                    Some(missed_refund(&case, attempt, refund))
                });
            }
            last = match page.len() < PAGE as usize {
                true => return Ok(()),
                false => page.into_iter().last(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_domain_has_one_and_the_host_a_few() {
        let running = Arc::<Running>::default();
        let refused = |domain: &str| {
            let refused = running.begin(domain).err().unwrap();
            assert_eq!((refused.status(), refused.code()), (429, "e.pay.busy"));
            refused.message().to_owned()
        };
        let first = running.begin("shop").unwrap();
        assert!(refused("shop").contains("of shop runs"));
        let mut others: Vec<Run> = ["a", "b", "c"]
            .iter()
            .map(|domain| running.begin(domain).unwrap())
            .collect();
        assert!(refused("rival").contains("4 other domains"));
        assert!(refused("shop").contains("of shop runs"));
        drop(others.pop());
        assert!(running.begin("rival").is_ok());
        drop((first, others));
        assert!(running.domains().is_empty());
    }
}
