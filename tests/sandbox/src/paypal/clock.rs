//! PayPal's clock: UTC, written as RFC 3339 with `Z`.

use time::format_description::StaticFormatDescription;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const SECONDS: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLISECONDS: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const REPORTED: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+0000");

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

/// `2024-07-18T14:20:42+0000`, as the transaction search has it.
pub(super) fn reported(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC)
        .format(REPORTED)
        .unwrap_or_default()
}

/// Reads RFC 3339 with its seconds; the transaction search takes `-0700` for `-07:00` too.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let cut = text.len().checked_sub("0700".len())?;
    let (rest, last) = text.split_at_checked(cut)?;
    let written = match last.split_at_checked(2) {
        Some((hours, minutes))
            if rest.ends_with(['+', '-']) && last.bytes().all(|b| b.is_ascii_digit()) =>
        {
            format!("{rest}{hours}:{minutes}")
        }
        _ => text.to_owned(),
    };
    OffsetDateTime::parse(&written, &Rfc3339).ok()
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
        assert_eq!(reported(in_china), "2024-07-18T14:20:42+0000");
    }

    #[test]
    fn times_are_read_with_seconds_and_an_offset() {
        let at = OffsetDateTime::from_unix_timestamp(1_721_312_442).unwrap();
        for text in [
            "2024-07-18T14:20:42Z",
            "2024-07-18T14:20:42+0000",
            "2024-07-18T07:20:42-0700",
            "2024-07-18T22:20:42+08:00",
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
        for text in [
            "",
            "2024-07-18",
            "2024-07-18T14:20Z",
            "2024-07-18T14:20:42",
            "2024-07-18T14:20:42 0000",
            "1721312442",
            "2024-02-30T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
