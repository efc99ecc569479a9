//! WeChat Pay's clock: GMT+8 whatever the machine says, written in three forms.

use time::format_description::StaticFormatDescription;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");
const SPACED: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const COMPACT: StaticFormatDescription =
    format_description!("[year][month][day][hour][minute][second]");
const CHINA: UtcOffset = offset!(+8);

/// The time now, in GMT+8.
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().to_offset(CHINA)
}

/// Absolute milliseconds of a time.
pub(super) fn ms(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// `yyyy-MM-ddTHH:mm:ss+08:00`, as v3 writes it.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    let whole = at
        .to_offset(CHINA)
        .replace_nanosecond(0)
        .unwrap_or(at.to_offset(CHINA));
    whole.format(&Rfc3339).unwrap_or_default()
}

/// Reads RFC 3339, with its offset.
pub(super) fn parse_rfc3339(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(|at| at.to_offset(CHINA))
}

/// `yyyyMMddHHmmss`, as v2 writes it.
pub(super) fn compact(at: OffsetDateTime) -> String {
    at.to_offset(CHINA).format(COMPACT).unwrap_or_default()
}

/// Reads `yyyyMMddHHmmss`.
pub(super) fn parse_compact(text: &str) -> Option<OffsetDateTime> {
    let local = PrimitiveDateTime::parse(text, COMPACT).ok()?;
    Some(local.assume_offset(CHINA))
}

/// `yyyy-MM-dd HH:mm:ss`, as bills and v2's notices of refunds write it.
pub(super) fn spaced(at: OffsetDateTime) -> String {
    at.to_offset(CHINA).format(SPACED).unwrap_or_default()
}

/// Reads `yyyy-MM-dd`, every digit given.
pub(super) fn parse_day(text: &str) -> Option<Date> {
    Date::parse(text, DAY)
        .ok()
        .filter(|_| text.len() == "yyyy-MM-dd".len())
}

/// The day that a time falls on in GMT+8.
pub(super) fn day_of(at: OffsetDateTime) -> Date {
    at.to_offset(CHINA).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_gmt_plus_8_in_all_forms() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_624_523_846_500_000_000).unwrap();
        assert_eq!(rfc3339(at), "2021-06-24T16:37:26+08:00");
        assert_eq!(compact(at), "20210624163726");
        assert_eq!(spaced(at), "2021-06-24 16:37:26");
        let whole = at.replace_nanosecond(0).unwrap();
        assert_eq!(parse_rfc3339("2021-06-24T16:37:26+08:00"), Some(whole));
        assert_eq!(parse_rfc3339("2021-06-24T08:37:26Z"), Some(whole));
        assert_eq!(parse_compact("20210624163726"), Some(whole));
        for wrong in [
            "2021-06-24T16:37:26",
            "2021-06-24",
            "",
            "2021-02-30T00:00:00+08:00",
        ] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
        assert_eq!(parse_day("2021-06-24"), Some(day_of(at)));
        for wrong in ["2021-6-24", "20210624", "2021-06-31", ""] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }
}
