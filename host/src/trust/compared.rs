//! A statement that was acted upon, read once more beside what the payment says: for whoever looks at the evidence.
//!
//! Nothing is decided here. What was verified then is read at the places that the manifest of then names, and each fact
//! stands beside what it has to be.

use std::collections::BTreeMap;

use serde::Serialize;

use super::claim::{self, ClaimError, Stated, clipped};
use super::form;
use super::json::Object;
use super::manifest::{AccountRule, AmountRule, CurrencyRule, Manifest, Unit};
use super::message::Reader;
use super::pointer::Pointer;
use super::refund::{self, RefundStated};
use super::target::Target;
use crate::payment::money::Money;

/// What came of comparing one fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The platform says what the payment says.
    Same,
    /// It does not.
    Differs,
    /// It stands nowhere in the statement: the request that was answered, or the manifest, fixes it.
    Implied,
    /// There is nothing to compare it with.
    Told,
}

/// One fact of a statement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct Fact {
    /// `trade`, `transaction`, `account`, `amount`, `currency`, `state`, `refund` or `refunded`.
    pub name: &'static str,
    /// Where in the statement it stands; `None` where it does not.
    pub at: Option<String>,
    /// What stands there.
    pub stated: Option<String>,
    /// What the manifest takes the word of the state for.
    pub means: Option<&'static str>,
    /// What the payment says.
    pub due: Option<String>,
    /// Whether both are the same.
    pub verdict: Verdict,
}

/// What the payment says of a trade or of a refund.
pub struct Due<'a> {
    /// The host's number of the attempt.
    pub trade: &'a str,
    /// The platform's own number, once it is known.
    pub transaction: Option<&'a str>,
    /// What had to be paid, or to be given back.
    pub amount: Option<Money>,
    /// How the attempt, or the refund, stands now: `OK`, `WAIT`, `FAIL`…
    pub state: &'a str,
    /// Of a refund: the host's number.
    pub refund: Option<&'a str>,
}

/// The host's number of the refund that a kept statement is about; `None` where it is about the trade, or cannot be read.
pub fn refund_number(manifest: &Manifest, claim: &str, text: &[u8]) -> Option<String> {
    let rule = manifest.refund_claim(claim)?;
    let kept = Kept::of(text).ok()?;
    kept.reader().ok()?.at(&rule.refund).ok()?.text()
}

/// Compares a kept statement with the payment, fact by fact.
///
/// # Errors
/// When the manifest has no such claim, or the statement cannot be read.
pub fn compare(
    manifest: &Manifest,
    target: &Target,
    claim: &str,
    text: &[u8],
    due: &Due<'_>,
) -> Result<Vec<Fact>, ClaimError> {
    let kept = Kept::of(text)?;
    let sheet = Sheet {
        reader: kept.reader()?,
        target,
    };
    if let Some(rule) = manifest.claim(claim) {
        let mut facts = vec![sheet.fact("trade", rule.trade.pointer(), Some(due.trade))?];
        facts.extend(sheet.transaction(rule.transaction.as_ref(), due)?);
        facts.extend(sheet.account(&rule.account)?);
        if let (Some(amount), Some(currency)) = (&rule.amount, &rule.currency) {
            facts.extend(sheet.money(amount, currency, due)?);
        }
        if let Some(refunded) = &rule.refunded {
            let told = sheet.fact("refunded", Some(&refunded.at), None)?;
            facts.extend(told.stated.is_some().then_some(told));
        }
        let means = means(&claim::state(rule, &sheet.reader)?);
        facts.push(sheet.state(&rule.state.at, means, due)?);
        return Ok(facts);
    }
    let rule = manifest
        .refund_claim(claim)
        .ok_or_else(|| ClaimError::UnknownClaim(clipped(claim.to_owned())))?;
    let mut facts = vec![
        sheet.fact("trade", Some(&rule.trade), Some(due.trade))?,
        sheet.fact("refund", Some(&rule.refund), due.refund)?,
    ];
    facts.extend(sheet.transaction(rule.transaction.as_ref(), due)?);
    facts.extend(sheet.account(&rule.account)?);
    facts.extend(sheet.money(&rule.amount, &rule.currency, due)?);
    let means = refund_means(&refund::state(&rule.state, &sheet.reader)?);
    facts.push(sheet.state(&rule.state.at, means, due)?);
    Ok(facts)
}

/// A statement as it was kept: JSON, or a form of the signed fields.
enum Kept<'a> {
    Json(&'a str),
    Form(BTreeMap<String, String>),
}

impl Kept<'_> {
    fn of(text: &[u8]) -> Result<Kept<'_>, ClaimError> {
        let unreadable = |error: &dyn std::fmt::Display| ClaimError::Malformed(error.to_string());
        let text = std::str::from_utf8(text).map_err(|error| unreadable(&error))?;
        if text.trim_start().starts_with('{') {
            return Ok(Kept::Json(text));
        }
        let fields = form::read(text.as_bytes()).map_err(|error| unreadable(&error))?;
        Ok(Kept::Form(fields.into_iter().collect()))
    }

    fn reader(&self) -> Result<Reader<'_>, ClaimError> {
        Ok(match self {
            Kept::Json(text) => Reader::Json(Object::parse(text)?),
            Kept::Form(fields) => Reader::Form(fields),
        })
    }
}

struct Sheet<'a> {
    reader: Reader<'a>,
    target: &'a Target,
}

impl Sheet<'_> {
    fn fact(
        &self,
        name: &'static str,
        at: Option<&Pointer>,
        due: Option<&str>,
    ) -> Result<Fact, ClaimError> {
        let stated = match at {
            Some(at) => self.reader.at(at)?.text().map(clipped),
            None => None,
        };
        let verdict = match (&stated, due) {
            (None, _) if at.is_none() => Verdict::Implied,
            (Some(stated), Some(due)) if stated == due => Verdict::Same,
            (Some(_), Some(_)) => Verdict::Differs,
            _ => Verdict::Told,
        };
        Ok(Fact {
            name,
            at: at.map(|at| at.as_str().to_owned()),
            stated,
            means: None,
            due: due.map(str::to_owned),
            verdict,
        })
    }

    fn transaction(&self, at: Option<&Pointer>, due: &Due<'_>) -> Result<Option<Fact>, ClaimError> {
        let Some(at) = at else { return Ok(None) };
        let told = self.fact("transaction", Some(at), due.transaction)?;
        Ok(told.stated.is_some().then_some(told))
    }

    fn account(&self, rule: &AccountRule) -> Result<Vec<Fact>, ClaimError> {
        let AccountRule::Stated(checks) = rule else {
            return Ok(vec![self.fact("account", None, None)?]);
        };
        let due = |setting: &str| self.target.setting(setting).filter(|own| !own.is_empty());
        checks
            .iter()
            .map(|check| self.fact("account", Some(&check.at), due(&check.setting).as_deref()))
            .collect()
    }

    /// The amount is compared as money, so that `23` and `23.00` are the same.
    fn money(
        &self,
        amount: &AmountRule,
        currency: &CurrencyRule,
        due: &Due<'_>,
    ) -> Result<[Fact; 2], ClaimError> {
        let code = due.amount.map(|due| due.currency().code().to_owned());
        let mut of_currency = match currency {
            CurrencyRule::Fixed(_) => self.fact("currency", None, code.as_deref())?,
            CurrencyRule::At(at) => self.fact("currency", Some(at), code.as_deref())?,
        };
        let (text, known) = claim::stated_currency(currency, &self.reader)?;
        if let CurrencyRule::Fixed(_) = currency {
            of_currency.verdict = match code.as_deref() == Some(text.as_str()) {
                true => Verdict::Implied,
                false => Verdict::Differs,
            };
            of_currency.stated = Some(text);
        }
        let in_its_unit = due.amount.map(|due| match amount.unit {
            Unit::Decimal => due.to_decimal(),
            Unit::Minor => due.minor().to_string(),
        });
        let mut of_amount = self.fact("amount", Some(&amount.at), in_its_unit.as_deref())?;
        let (money, _) = claim::amount(amount, known, &self.reader)?;
        if let (Some(stated), Some(due)) = (money, due.amount)
            && stated.minor() == due.minor()
        {
            of_amount.verdict = Verdict::Same;
        }
        Ok([of_amount, of_currency])
    }

    /// What is not final says how it stood then, which is no contradiction of what became of it.
    fn state(
        &self,
        at: &Pointer,
        means: Option<&'static str>,
        due: &Due<'_>,
    ) -> Result<Fact, ClaimError> {
        let mut told = self.fact("state", Some(at), Some(due.state))?;
        told.means = means;
        told.verdict = match (means, due.state) {
            (Some("paid" | "done"), "OK") => Verdict::Same,
            (Some("paid" | "done"), _) => Verdict::Differs,
            (Some("closed" | "declined" | "failed"), "FAIL") => Verdict::Same,
            (Some("closed" | "declined" | "failed"), _) => Verdict::Differs,
            _ => Verdict::Told,
        };
        Ok(told)
    }
}

fn means(state: &Stated) -> Option<&'static str> {
    Some(match state {
        Stated::Paid => "paid",
        Stated::Approved => "approved",
        Stated::Waiting => "waiting",
        Stated::Closed => "closed",
        Stated::Declined => "declined",
        Stated::Refunded | Stated::SomeRefunded => "refunded",
        Stated::Other(_) => return None,
    })
}

fn refund_means(state: &RefundStated) -> Option<&'static str> {
    Some(match state {
        RefundStated::Done => "done",
        RefundStated::Waiting => "waiting",
        RefundStated::Stuck => "stuck",
        RefundStated::Failed => "failed",
        RefundStated::Other(_) => return None,
    })
}
