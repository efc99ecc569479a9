//! Amounts as Alipay writes them: yuan with at most two decimals, kept as an integer of fen.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An amount of fen, a hundredth of a yuan. Written and serialized as yuan with two decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fen(u64);

impl Fen {
    /// The smallest amount of an order, 0.01 yuan.
    pub const SMALLEST: Fen = Fen(1);
    /// The largest amount of an order, 100,000,000 yuan.
    pub const LARGEST: Fen = Fen(10_000_000_000);

    /// So many fen.
    pub const fn new(fen: u64) -> Fen {
        Fen(fen)
    }

    /// How many fen.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Both together; none past the end of the integer.
    pub(super) fn plus(self, other: Fen) -> Option<Fen> {
        self.0.checked_add(other.0).map(Fen)
    }

    /// What is left; none when there is less.
    pub(super) fn minus(self, other: Fen) -> Option<Fen> {
        self.0.checked_sub(other.0).map(Fen)
    }

    /// Reads yuan such as `88`, `88.8` or `88.80`; up to 12 digits before the point, no sign, no
    /// exponent, no leading zero but a lone one.
    pub fn parse(yuan: &str) -> Option<Fen> {
        let (whole, part) = match yuan.split_once('.') {
            Some((whole, part)) => (whole, part),
            None => (yuan, "00"),
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let whole_fits = (1..=12).contains(&whole.len()) && digits(whole);
        if !whole_fits || !(1..=2).contains(&part.len()) || !digits(part) {
            return None;
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let hundredths: u64 = part.parse().ok()?;
        let hundredths = if part.len() == 1 {
            hundredths * 10
        } else {
            hundredths
        };
        let whole: u64 = whole.parse().ok()?;
        Some(Fen(whole * 100 + hundredths))
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Fen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From yuan in a string, so that no float comes in between.
impl<'de> Deserialize<'de> for Fen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fen, D::Error> {
        let yuan = String::deserialize(deserializer)?;
        Fen::parse(&yuan).ok_or_else(|| de::Error::custom("not an amount of yuan"))
    }
}

impl std::iter::Sum for Fen {
    fn sum<I: Iterator<Item = Fen>>(amounts: I) -> Fen {
        Fen(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::Fen;

    #[test]
    fn yuan_are_read_exactly() {
        for (yuan, fen) in [
            ("88", 8800),
            ("88.8", 8880),
            ("88.80", 8880),
            ("0.1", 10),
            ("0.01", 1),
            ("0", 0),
        ] {
            assert_eq!(Fen::parse(yuan), Some(Fen::new(fen)), "{yuan}");
        }
        for yuan in [
            "",
            ".",
            "1.",
            ".5",
            "1.234",
            "-1",
            "+1",
            "1e2",
            "01",
            "1,00",
            " 1",
            "１",
            "9999999999999",
        ] {
            assert_eq!(Fen::parse(yuan), None, "{yuan}");
        }
        assert_eq!(Fen::LARGEST.to_string(), "100000000.00");
        assert_eq!(Fen::new(5).to_string(), "0.05");
    }
}
