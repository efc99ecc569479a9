//! PayPal's clock: UTC, written as RFC 3339 with `Z`.

use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const SECONDS: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLISECONDS: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The time now.
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Absolute milliseconds of a time.
pub(super) fn ms(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// `2024-07-18T14:20:42Z`, as resources and transmissions have it.
pub(super) fn text(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC)
        .format(SECONDS)
        .unwrap_or_default()
}

/// `2024-07-18T14:20:42.530Z`, as events have it.
pub(super) fn text_ms(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC)
        .format(MILLISECONDS)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_whatever_they_came_from() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_721_312_442_530_000_000).unwrap();
        let in_china = at.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap());
        assert_eq!(text(in_china), "2024-07-18T14:20:42Z");
        assert_eq!(text_ms(in_china), "2024-07-18T14:20:42.530Z");
        assert_eq!(ms(in_china), 1_721_312_442_530);
    }
}
