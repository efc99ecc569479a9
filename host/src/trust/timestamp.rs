//! Times as platforms want them written.

use serde::Deserialize;
use time::{OffsetDateTime, UtcOffset};

/// How a time is written: `yyyy MM dd HH mm ss` in any order with punctuation between, at a fixed
/// offset from UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeFormat {
    parts: Vec<Part>,
    offset: UtcOffset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(char),
}

/// The manifest's words for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimestampRule {
    pub(crate) field: String,
    pub(crate) format: String,
    pub(crate) offset: String,
}

impl TimestampRule {
    /// The format, or what is wrong with it.
    pub(crate) fn time_format(&self) -> Result<TimeFormat, String> {
        TimeFormat::parse(&self.format, &self.offset)
    }
}

impl TimeFormat {
    fn parse(format: &str, offset: &str) -> Result<TimeFormat, String> {
        const WORDS: [(&str, Part); 6] = [
            ("yyyy", Part::Year),
            ("MM", Part::Month),
            ("dd", Part::Day),
            ("HH", Part::Hour),
            ("mm", Part::Minute),
            ("ss", Part::Second),
        ];
        let wrong = || {
            format!(
                "{format:?} is not made of yyyy, MM, dd, HH, mm, ss and punctuation between them"
            )
        };
        let mut parts = Vec::new();
        let mut rest = format;
        while let Some(first) = rest.chars().next() {
            if let Some((word, part)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
                parts.push(*part);
                rest = rest.strip_prefix(word).unwrap_or_default();
            } else if first.is_ascii_punctuation() || first == ' ' || first == 'T' {
                parts.push(Part::Literal(first));
                rest = rest.strip_prefix(first).unwrap_or_default();
            } else {
                return Err(wrong());
            }
        }
        if parts.is_empty() {
            return Err(wrong());
        }
        let offset = read_offset(offset)
            .ok_or_else(|| format!("{offset:?} is not an offset from UTC such as \"+08:00\""))?;
        Ok(TimeFormat { parts, offset })
    }

    /// Writes a time given in milliseconds since 1970.
    pub(crate) fn write(&self, at_ms: u64) -> String {
        let seconds = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
        let at = OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .and_then(|at| at.checked_to_offset(self.offset))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        self.parts
            .iter()
            .map(|part| match part {
                Part::Year => format!("{:04}", at.year()),
                Part::Month => format!("{:02}", u8::from(at.month())),
                Part::Day => format!("{:02}", at.day()),
                Part::Hour => format!("{:02}", at.hour()),
                Part::Minute => format!("{:02}", at.minute()),
                Part::Second => format!("{:02}", at.second()),
                Part::Literal(c) => c.to_string(),
            })
            .collect()
    }
}

fn read_offset(text: &str) -> Option<UtcOffset> {
    let sign: i8 = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |digits: &str| {
        let exact = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        exact.then(|| digits.parse::<i8>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 14 && minutes < 60)
        .then(|| UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_the_platforms_zone() {
        let beijing = TimeFormat::parse("yyyy-MM-dd HH:mm:ss", "+08:00").unwrap();
        assert_eq!(beijing.write(1_565_884_582_999), "2019-08-15 23:56:22");
        assert_eq!(beijing.write(1_577_808_000_000), "2020-01-01 00:00:00");
        let compact = TimeFormat::parse("yyyyMMddHHmmss", "-03:30").unwrap();
        assert_eq!(compact.write(0), "19691231203000");
    }

    #[test]
    fn other_formats_are_refused() {
        for (format, offset) in [
            ("", "+08:00"),
            ("yyyy-MM-dd'T'hh", "+08:00"),
            ("yyyy-MM-dd", "08:00"),
            ("yyyy-MM-dd", "+8:00"),
            ("yyyy-MM-dd", "+15:00"),
            ("yyyy-MM-dd", "+08:60"),
            ("yyyy-MM-dd", "+08:0x"),
            ("yyyy-MM-dd", "Z"),
        ] {
            assert!(
                TimeFormat::parse(format, offset).is_err(),
                "{format} {offset}"
            );
        }
    }
}
