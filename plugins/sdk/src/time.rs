//! Times as Chinese platforms write them: GMT+8, without a zone.

/// China has had one time zone, without summer time, since 1992.
const CHINA_OFFSET_S: u64 = 8 * 3600;

const DAY_S: u64 = 24 * 3600;

/// Milliseconds since 1970 as `yyyy-MM-dd HH:mm:ss` in GMT+8. What is less than a second is cut
/// off. Right for the years 1970 to 9999.
pub fn china(ms: u64) -> String {
    let seconds = ms / 1000 + CHINA_OFFSET_S;
    let (year, month, day) = civil(seconds / DAY_S);
    let of_day = seconds % DAY_S;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The day of China's calendar: `yyyy-MM-dd`.
pub fn china_day(ms: u64) -> String {
    let mut text = china(ms);
    text.truncate("yyyy-MM-dd".len());
    text
}

/// Milliseconds since 1970 in the form of RFC 3339: `yyyy-MM-ddTHH:mm:ss+08:00`.
pub fn china_rfc3339(ms: u64) -> String {
    format!("{}+08:00", china(ms).replace(' ', "T"))
}

/// The Gregorian date of a day counted from 1970-01-01. Counts in years that begin in March, so
/// that the leap day is the last one (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // from 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn china_is_eight_hours_ahead() {
        for (ms, text) in [
            (0, "1970-01-01 08:00:00"),
            (951_782_399_999, "2000-02-29 07:59:59"),
            (951_753_600_000, "2000-02-29 00:00:00"),
            (1_709_135_999_000, "2024-02-28 23:59:59"),
            (1_709_136_000_000, "2024-02-29 00:00:00"),
            (1_709_222_400_000, "2024-03-01 00:00:00"),
            (1_735_660_800_000, "2025-01-01 00:00:00"),
            (4_102_444_799_999, "2100-01-01 07:59:59"),
        ] {
            assert_eq!(china(ms), text, "{ms}");
        }
        assert_eq!(china_day(951_782_399_999), "2000-02-29");
        assert_eq!(china_rfc3339(0), "1970-01-01T08:00:00+08:00");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = civil(0);
        for day in 1..80_000 {
            let (year, month, of_month) = civil(day);
            let next_month = if last.1 == 12 {
                (last.0 + 1, 1, 1)
            } else {
                (last.0, last.1 + 1, 1)
            };
            assert!(
                (year, month, of_month) == (last.0, last.1, last.2 + 1)
                    || ((year, month, of_month) == next_month && last.2 >= 28),
                "{last:?} then {year}-{month}-{of_month}"
            );
            last = (year, month, of_month);
        }
    }
}
