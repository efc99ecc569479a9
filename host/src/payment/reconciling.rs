//! Reconciliation (对账): what a platform's bill of a day says against what the store says, without any I/O.
//!
//! Trades are compared one by one: everything that the bill has of a trade with the attempt of that number, whatever the
//! day on which the host heard of it. The other way round an attempt or a refund is missed in the bill only where it
//! surely belongs to that day: its money moved between the time at which it was made and the time at which the host
//! heard of its end, so that both have to lie within the day. A bill settles nothing.

mod report;
mod trade;

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::error::{PayError, Result};
use super::model::{Ams, Attempt, AttemptState, Case, Refund, RefundState};
pub use report::{Difference, Kind, Report, Side, Status, TargetReport};
pub(super) use trade::{Compared, compare, missed_payment, missed_refund};

/// How far the clocks of platform and host may be apart.
const CLOCKS_APART_MS: Ams = 5 * 60_000;

/// A day of a platform's bills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Day {
    /// `YYYY-MM-DD`
    pub(super) name: String,
    /// Its milliseconds since 1970.
    pub(super) within: Range<Ams>,
}

/// Reads a day as it is written in the platform's time zone. It has to be over there: a bill is made of whole days.
pub(super) fn day(platform: &str, text: &str, now: Ams) -> Result<Day> {
    let date = date(text)?;
    let zone = TimeZone::fixed(offset(platform));
    let begins = |date: Date| {
        let zoned = date.to_zoned(zone.clone()).ok()?;
        Ams::try_from(zoned.timestamp().as_millisecond()).ok()
    };
    let within = begins(date)
        .zip(date.tomorrow().ok().and_then(begins))
        .ok_or_else(|| PayError::invalid(format!("there are no bills of {text}")))?;
    if now < within.1 {
        return Err(PayError::invalid(format!(
            "{text} is not over at {platform}: its bill is made when it is"
        )));
    }
    Ok(Day {
        name: text.to_owned(),
        within: within.0..within.1,
    })
}

/// Reads `YYYY-MM-DD`, and nothing else.
pub(super) fn date(text: &str) -> Result<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = plain.then(|| text.parse().ok()).flatten();
    date.ok_or_else(|| PayError::invalid("the day has to be one of the calendar: YYYY-MM-DD"))
}

/// PayPal reports by UTC; WeChat Pay and Alipay count China's days, which have no summer time.
fn offset(platform: &str) -> Offset {
    match platform {
        "paypal" => Offset::UTC,
        _ => Offset::constant(8),
    }
}

impl Day {
    /// Whether what happened somewhere in this time surely happened on this day, by the platform's clock too.
    fn has_all_of(&self, from: Ams, until: Ams) -> bool {
        from >= self.within.start + CLOCKS_APART_MS && until + CLOCKS_APART_MS < self.within.end
    }

    /// Whether any of this time may lie on this day.
    fn touches(&self, from: Ams, until: Ams) -> bool {
        from < self.within.end + CLOCKS_APART_MS && until + CLOCKS_APART_MS >= self.within.start
    }
}

/// Whether an attempt's payment belongs to a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Belongs {
    /// Surely.
    Here,
    /// To this day or to one beside it.
    Perhaps,
    /// Surely not.
    Elsewhere,
}

/// Whether the money of a paid attempt moved on this day, as far as the host can tell.
pub(super) fn paid_on(day: &Day, case: &Case, attempt: &Attempt) -> Belongs {
    if attempt.state != AttemptState::Ok || attempt.paid_minor.is_none() {
        return Belongs::Elsewhere;
    }
    let paid = case
        .attempts
        .iter()
        .filter(|attempt| attempt.state == AttemptState::Ok);
    // Where two attempts were paid, the payment's end is that of one of them.
    let heard = match (paid.count(), case.payment.closed_ms) {
        (1, closed) if closed > 0 => closed,
        _ => case.payment.changed_ms,
    };
    belongs(day, attempt.created_ms, heard)
}

/// The same for a refund that was given back.
pub(super) fn refunded_on(day: &Day, refund: &Refund) -> Belongs {
    match refund.state {
        RefundState::Ok => belongs(day, refund.created_ms, refund.ended_ms),
        _ => Belongs::Elsewhere,
    }
}

fn belongs(day: &Day, from: Ams, until: Ams) -> Belongs {
    if day.has_all_of(from, until) {
        Belongs::Here
    } else if day.touches(from, until) {
        Belongs::Perhaps
    } else {
        Belongs::Elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::model::{State, test_attempt, test_payment};

    const HOUR: Ams = 3_600_000;
    /// 2026-11-25 00:00 in UTC.
    const MIDNIGHT: Ams = 1_795_564_800_000;

    #[test]
    fn days_are_chinas_and_paypals_are_utc() {
        let now = MIDNIGHT + 24 * HOUR;
        let china = day("wx", "2026-11-25", now).unwrap();
        assert_eq!(china.within, MIDNIGHT - 8 * HOUR..MIDNIGHT + 16 * HOUR);
        assert_eq!(day("zfb", "2026-11-25", now).unwrap(), china);
        let utc = day("paypal", "2026-11-25", now).unwrap();
        assert_eq!(utc.within, MIDNIGHT..MIDNIGHT + 24 * HOUR);
    }

    #[test]
    fn a_day_that_is_not_over_has_no_bill() {
        let end = MIDNIGHT + 16 * HOUR;
        assert!(day("wx", "2026-11-25", end).is_ok());
        let running = day("wx", "2026-11-25", end - 1).unwrap_err();
        assert!(running.message().contains("not over"), "{running}");
        assert!(day("paypal", "2026-11-25", end).is_err());
        for wrong in [
            "",
            "2026-11-31",
            "2026-1-1",
            "26-11-25",
            "2026/11/25",
            "20261125",
            "2026-11-25T00",
        ] {
            assert_eq!(day("wx", wrong, end).unwrap_err().code(), "e.pay.invalid");
        }
    }

    #[test]
    fn only_what_surely_moved_on_a_day_is_missed_in_its_bill() {
        let day = day("wx", "2026-11-25", MIDNIGHT + 24 * HOUR).unwrap();
        let (start, end) = (day.within.start, day.within.end);
        for (made, heard, expected) in [
            (start + HOUR, end - HOUR, Belongs::Here),
            (start - HOUR, start + HOUR, Belongs::Perhaps),
            (end - HOUR, end + HOUR, Belongs::Perhaps),
            // The platform's clock may say the day before.
            (start + 1, start + 2, Belongs::Perhaps),
            (end - 2, end - 1, Belongs::Perhaps),
            (start - 2 * HOUR, start - HOUR, Belongs::Elsewhere),
            (end + HOUR, end + 2 * HOUR, Belongs::Elsewhere),
        ] {
            let mut attempt = test_attempt();
            attempt.state = AttemptState::Ok;
            attempt.paid_minor = Some(2300);
            attempt.created_ms = made;
            let mut payment = test_payment();
            payment.state = State::Ok;
            (payment.closed_ms, payment.changed_ms) = (heard, heard + 99 * HOUR);
            let case = Case {
                payment,
                attempts: vec![attempt.clone()],
                refunds: Vec::new(),
            };
            assert_eq!(paid_on(&day, &case, &attempt), expected, "{made} {heard}");
        }
    }

    #[test]
    fn what_was_not_paid_is_missed_nowhere() {
        let day = day("wx", "2026-11-25", MIDNIGHT + 24 * HOUR).unwrap();
        let mut attempt = test_attempt();
        attempt.created_ms = MIDNIGHT;
        let case = Case {
            payment: test_payment(),
            attempts: vec![attempt.clone()],
            refunds: Vec::new(),
        };
        assert_eq!(paid_on(&day, &case, &attempt), Belongs::Elsewhere);
    }
}
