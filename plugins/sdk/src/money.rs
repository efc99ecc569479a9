//! Exact money: whole minor units with their ISO 4217 currency. Never a float.

use std::fmt;

/// An ISO 4217 currency. Yuan are `CNY` towards platforms and `RMB` towards callers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

/// Currencies whose minor unit has not two decimals (ISO 4217, table A.1).
const NOT_TWO_DECIMALS: [(&[u8; 3], u8); 23] = [
    (b"BIF", 0),
    (b"CLP", 0),
    (b"DJF", 0),
    (b"GNF", 0),
    (b"ISK", 0),
    (b"JPY", 0),
    (b"KMF", 0),
    (b"KRW", 0),
    (b"PYG", 0),
    (b"RWF", 0),
    (b"UGX", 0),
    (b"VND", 0),
    (b"VUV", 0),
    (b"XAF", 0),
    (b"XOF", 0),
    (b"XPF", 0),
    (b"BHD", 3),
    (b"IQD", 3),
    (b"JOD", 3),
    (b"KWD", 3),
    (b"LYD", 3),
    (b"OMR", 3),
    (b"TND", 3),
];

impl Currency {
    /// Yuan.
    pub const CNY: Currency = Currency(*b"CNY");

    /// Reads a code of three letters in any case; `RMB` is `CNY`.
    pub fn parse(code: &str) -> Result<Currency, MoneyError> {
        let bytes: [u8; 3] = code
            .as_bytes()
            .try_into()
            .map_err(|_| MoneyError::Currency)?;
        if !bytes.iter().all(u8::is_ascii_alphabetic) {
            return Err(MoneyError::Currency);
        }
        let upper = bytes.map(|letter| letter.to_ascii_uppercase());
        Ok(if &upper == b"RMB" {
            Currency::CNY
        } else {
            Currency(upper)
        })
    }

    /// The ISO code.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimals of the minor unit: 2 for yuan, 0 for yen.
    pub fn decimals(&self) -> u8 {
        NOT_TWO_DECIMALS
            .iter()
            .find(|(code, _)| **code == self.0)
            .map_or(2, |(_, count)| *count)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units: 2300 of `CNY` is 23.00 yuan. Never negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why something is not an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoneyError {
    /// Not a decimal number with at most the currency's decimals.
    Amount,
    /// Negative, or above [`Money::MAX_MINOR`].
    Range,
    /// Not three letters, or not the other's.
    Currency,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MoneyError::Amount => "not a decimal amount with the currency's decimals",
            MoneyError::Range => "the amount is out of range",
            MoneyError::Currency => "not a currency code of three letters, or not the same one",
        })
    }
}

impl std::error::Error for MoneyError {}

impl Money {
    /// The host's largest amount.
    pub const MAX_MINOR: i64 = 1_000_000_000_000;

    /// An amount of `minor` units.
    pub fn new(minor: i64, currency: Currency) -> Result<Money, MoneyError> {
        if (0..=Self::MAX_MINOR).contains(&minor) {
            Ok(Money { minor, currency })
        } else {
            Err(MoneyError::Range)
        }
    }

    /// Minor units: fen of yuan.
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] where the currencies differ, [`MoneyError::Range`] where it is too much.
    pub fn plus(self, other: Money) -> Result<Money, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Currency);
        }
        let minor = self.minor.checked_add(other.minor);
        Money::new(minor.ok_or(MoneyError::Range)?, self.currency)
    }

    /// Reads major units as platforms write them: `0.1`, `88`, `88.80` of yuan. More decimals than
    /// the currency has are taken only when they are zeros.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(MoneyError::Amount),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || whole.len() > 15 || !digits(whole) || !digits(fraction) {
            return Err(MoneyError::Amount);
        }
        let decimals = usize::from(currency.decimals());
        let (kept, rest) = fraction.split_at(fraction.len().min(decimals));
        if rest.bytes().any(|b| b != b'0') {
            return Err(MoneyError::Amount);
        }
        let minor = format!("{whole}{kept:0<decimals$}");
        Money::new(minor.parse().map_err(|_| MoneyError::Range)?, currency)
    }

    /// Major units with all decimals of the currency: `23.00`.
    pub fn to_decimal(&self) -> String {
        let decimals = usize::from(self.currency.decimals());
        if decimals == 0 {
            return self.minor.to_string();
        }
        let padded = format!("{:0>width$}", self.minor, width = decimals + 1);
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        format!("{whole}.{fraction}")
    }
}

/// Major units and the ISO code: `23.00 CNY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fen_and_yuan_are_exact() {
        for (minor, decimal) in [
            (0, "0.00"),
            (1, "0.01"),
            (10, "0.10"),
            (2300, "23.00"),
            (13_107_201, "131072.01"),
        ] {
            let money = Money::new(minor, Currency::CNY).unwrap();
            assert_eq!(money.to_decimal(), decimal);
            assert_eq!(Money::from_decimal(decimal, Currency::CNY), Ok(money));
        }
        for minor in (0..10_000_000).step_by(997) {
            let money = Money::new(minor, Currency::CNY).unwrap();
            assert_eq!(
                Money::from_decimal(&money.to_decimal(), Currency::CNY),
                Ok(money)
            );
        }
    }

    #[test]
    fn platforms_write_the_same_amount_in_several_ways() {
        for text in ["88.8", "88.80", "88.800"] {
            assert_eq!(
                Money::from_decimal(text, Currency::CNY).unwrap().minor(),
                8880,
                "{text}"
            );
        }
        for bad in [
            "", ".5", "1.", "-1", "+1", "1.001", "1,00", "1e2", " 1", "NaN", "１",
        ] {
            assert_eq!(
                Money::from_decimal(bad, Currency::CNY),
                Err(MoneyError::Amount),
                "{bad}"
            );
        }
    }

    #[test]
    fn each_currency_has_its_decimals() {
        let yen = Money::new(500, Currency::parse("jpy").unwrap()).unwrap();
        assert_eq!(yen.to_decimal(), "500");
        let dinar = Money::new(1500, Currency::parse("KWD").unwrap()).unwrap();
        assert_eq!(dinar.to_decimal(), "1.500");
        assert_eq!(Currency::parse("RMB"), Ok(Currency::CNY));
        assert_eq!(Currency::parse("R1B"), Err(MoneyError::Currency));
        assert_eq!(Money::new(-1, Currency::CNY), Err(MoneyError::Range));
    }

    #[test]
    fn sums_stay_within_one_currency_and_the_range() {
        let yuan = |minor| Money::new(minor, Currency::CNY).unwrap();
        let yen = Money::new(1, Currency::parse("JPY").unwrap()).unwrap();
        assert_eq!(yuan(2300).plus(yuan(1)).unwrap().to_string(), "23.01 CNY");
        assert_eq!(yuan(1).plus(yen), Err(MoneyError::Currency));
        assert_eq!(yuan(Money::MAX_MINOR).plus(yuan(1)), Err(MoneyError::Range));
    }
}
