//! A day that is over: what happened today is put there, at the platform and in the host's store.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, params};

use super::host::Killed;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// China's time before UTC's.
const CHINA_MS: u64 = 8 * HOUR_MS;

/// A day of China's calendar.
#[derive(Clone, Copy)]
pub(crate) struct PastDay {
    /// Its noon: far from every midnight, whenever the test runs.
    noon_ms: u64,
    /// How long ago that is.
    ago_ms: u64,
}

impl PastDay {
    pub(crate) fn yesterday() -> PastDay {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now_ms = u64::try_from(now.as_millis()).unwrap();
        let today_ms = (now_ms + CHINA_MS) / DAY_MS * DAY_MS - CHINA_MS;
        let noon_ms = today_ms - DAY_MS / 2;
        PastDay {
            noon_ms,
            ago_ms: now_ms - noon_ms,
        }
    }

    pub(crate) fn days_earlier(self, days: u64) -> PastDay {
        PastDay {
            noon_ms: self.noon_ms - days * DAY_MS,
            ago_ms: self.ago_ms + days * DAY_MS,
        }
    }

    /// How long ago its noon is.
    pub(crate) fn ago(self) -> Duration {
        Duration::from_millis(self.ago_ms)
    }

    /// `YYYY-MM-DD` (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
    pub(crate) fn name(self) -> String {
        let days = (self.noon_ms + CHINA_MS) / DAY_MS + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year + era * 400 + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The host did everything with these payments on that day, as its store says after a restart.
    pub(crate) fn age_store(self, killed: &Killed, ids: &[&str]) {
        let file = killed.data_root().join("var/payment/payments.db");
        let store = Connection::open(file).unwrap();
        let ago = i64::try_from(self.ago_ms).unwrap();
        for id in ids {
            let payment = "(SELECT seq FROM payment WHERE id = ?2)";
            for change in [
                format!("UPDATE attempt SET created_ms = created_ms - ?1 WHERE payment = {payment}"),
                format!(
                    "UPDATE refund SET created_ms = created_ms - ?1, ended_ms = ended_ms - ?1 WHERE payment = {payment}"
                ),
                "UPDATE payment SET created_ms = created_ms - ?1, closed_ms = closed_ms - ?1 WHERE id = ?2".to_owned(),
            ] {
                store.execute(&change, params![ago, id]).unwrap();
            }
        }
    }
}
