//! What platforms' clocks say beside this machine's, by the header `Date` of their answers. It proves nothing, and nothing
//! is decided by it: an operator is told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The newest answer of each platform: how far its clock is ahead, in milliseconds.
#[derive(Default)]
pub(super) struct Clocks(Mutex<BTreeMap<String, i64>>);

impl Clocks {
    /// An answer with these headers came now.
    pub(super) fn heard(&self, platform: &str, headers: &[(String, String)]) {
        let date = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("date"));
        let Some((_, date)) = date else { return };
        let Ok(there) = OffsetDateTime::parse(date, &Rfc2822) else {
            return;
        };
        let ahead = there - OffsetDateTime::from(SystemTime::now());
        let ahead_ms = i64::try_from(ahead.whole_milliseconds()).unwrap_or(i64::MAX);
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match clocks.get_mut(platform) {
            Some(known) => *known = ahead_ms,
            None => drop(clocks.insert(platform.to_owned(), ahead_ms)),
        }
    }

    /// Each platform that was asked, and how far its clock is ahead, in milliseconds.
    pub(super) fn all(&self) -> Vec<(String, i64)> {
        let clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clocks
            .iter()
            .map(|(name, ahead)| (name.clone(), *ahead))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_compared() {
        let clocks = Clocks::default();
        let dated = |date: &str| [("Date".to_owned(), date.to_owned())];
        clocks.heard("wx", &dated("Sat, 01 Jan 2000 00:00:00 GMT"));
        clocks.heard("zfb", &dated("Fri, 01 Jan 2100 00:00:00 GMT"));
        clocks.heard("paypal", &dated("soon"));
        clocks.heard("free", &[]);
        let all = clocks.all();
        let years = |ms: i64| ms / 1_000 / 86_400 / 365;
        assert_eq!(all.len(), 2);
        assert!(years(all[0].1) < -20 && years(all[1].1) > 50, "{all:?}");
        let now = OffsetDateTime::now_utc().format(&Rfc2822).unwrap();
        clocks.heard("wx", &dated(&now));
        assert!(clocks.all()[0].1.abs() < 60_000);
    }
}
