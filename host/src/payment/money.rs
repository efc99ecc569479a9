//! Exact money: an integer of minor units and its ISO 4217 currency. Never a float.

use std::fmt;

/// An ISO 4217 currency. Yuan are `CNY` towards platforms and `RMB` towards callers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Currencies that payments may have, with the decimals of their minor unit (ISO 4217, table A.1).
const CURRENCIES: &[(&[u8; 3], u8)] = &[
    (b"AED", 2),
    (b"AUD", 2),
    (b"BRL", 2),
    (b"CAD", 2),
    (b"CHF", 2),
    (b"CNY", 2),
    (b"CZK", 2),
    (b"DKK", 2),
    (b"EUR", 2),
    (b"GBP", 2),
    (b"HKD", 2),
    (b"HUF", 2),
    (b"IDR", 2),
    (b"ILS", 2),
    (b"INR", 2),
    (b"JPY", 0),
    (b"KRW", 0),
    (b"KWD", 3),
    (b"MOP", 2),
    (b"MXN", 2),
    (b"MYR", 2),
    (b"NOK", 2),
    (b"NZD", 2),
    (b"PHP", 2),
    (b"PLN", 2),
    (b"RUB", 2),
    (b"SEK", 2),
    (b"SGD", 2),
    (b"THB", 2),
    (b"TWD", 2),
    (b"USD", 2),
    (b"VND", 0),
];

impl Currency {
    /// Yuan.
    pub const CNY: Currency = Currency(*b"CNY");

    /// Those that payments may have.
    pub fn all() -> impl Iterator<Item = Currency> {
        CURRENCIES.iter().map(|(code, _)| Currency(**code))
    }

    /// Reads a code as callers and platforms write it: three letters in any case; `RMB` is `CNY`.
    pub fn parse(text: &str) -> Result<Currency, MoneyError> {
        let upper = text.trim().to_ascii_uppercase();
        let code = if upper == "RMB" {
            "CNY"
        } else {
            upper.as_str()
        };
        CURRENCIES
            .iter()
            .find(|(known, _)| known.as_slice() == code.as_bytes())
            .map(|(known, _)| Currency(**known))
            .ok_or_else(|| MoneyError::UnknownCurrency(text.chars().take(8).collect()))
    }

    /// The ISO code, as platforms are told it.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// The code that callers write and read: `RMB` for yuan, otherwise the ISO code.
    pub fn caller_code(&self) -> &str {
        if *self == Currency::CNY {
            "RMB"
        } else {
            self.code()
        }
    }

    /// Decimals of the minor unit: 2 for yuan, 0 for yen.
    pub fn decimals(&self) -> u8 {
        CURRENCIES
            .iter()
            .find(|(known, _)| **known == self.0)
            .map_or(2, |(_, decimals)| *decimals)
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

/// Why a text is not an amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text has no amount that walnut takes.
    #[error(
        "{0:?} is not an amount: give whole minor units, optionally with the currency, such as 2300 or 2300RMB"
    )]
    NotAnAmount(String),
    /// The amount is outside 0 to [`Money::MAX_MINOR`].
    #[error("the amount {0:?} is out of range: 0 to {max} minor units", max = Money::MAX_MINOR)]
    OutOfRange(String),
    /// The currency is not one of ISO 4217 that walnut knows.
    #[error("{0:?} is not a currency that walnut knows: give an ISO 4217 code such as RMB or USD")]
    UnknownCurrency(String),
    /// The text after the number and the currency given beside it differ.
    #[error("the amount says {in_amount} and the currency says {beside}: give one of them")]
    TwoCurrencies {
        /// The code behind the number.
        in_amount: String,
        /// The code given on its own.
        beside: String,
    },
}

impl Money {
    /// The largest amount: ten billion in a currency of two decimals, exact in every JSON reader.
    pub const MAX_MINOR: i64 = 1_000_000_000_000;

    /// An amount of `minor` units.
    pub fn new(minor: i64, currency: Currency) -> Result<Money, MoneyError> {
        if (0..=Self::MAX_MINOR).contains(&minor) {
            Ok(Money { minor, currency })
        } else {
            Err(MoneyError::OutOfRange(minor.to_string()))
        }
    }

    /// Minor units.
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Nothing to pay.
    pub fn is_zero(&self) -> bool {
        self.minor == 0
    }

    /// Reads what callers write: `99`, `99RMB`, `99 rmb`, with the currency optionally given beside it.
    /// The default currency is yuan.
    ///
    /// ```
    /// use walnut::payment::money::Money;
    /// let money = Money::parse("99RMB", None).expect("an amount");
    /// assert_eq!(money.to_decimal(), "0.99");
    /// assert_eq!(money.currency().code(), "CNY");
    /// ```
    pub fn parse(text: &str, beside: Option<&str>) -> Result<Money, MoneyError> {
        let trimmed = text.trim();
        let digits_end = trimmed
            .find(|c: char| !c.is_ascii_digit() && c != '-')
            .unwrap_or(trimmed.len());
        let (digits, code) = trimmed.split_at(digits_end);
        let shown = || text.chars().take(40).collect::<String>();
        let code = code.trim();
        if digits.is_empty() || !code.chars().all(|c| c.is_ascii_alphabetic()) {
            return Err(MoneyError::NotAnAmount(shown()));
        }
        if digits.trim_start_matches('-').len() > 18 {
            return Err(MoneyError::OutOfRange(shown()));
        }
        let minor: i64 = digits
            .parse()
            .map_err(|_| MoneyError::NotAnAmount(shown()))?;
        let in_amount = if code.is_empty() {
            None
        } else {
            Some(Currency::parse(code)?)
        };
        let beside = match beside.map(str::trim) {
            None | Some("") => None,
            Some(code) => Some(Currency::parse(code)?),
        };
        let currency = match (in_amount, beside) {
            (Some(a), Some(b)) if a != b => {
                return Err(MoneyError::TwoCurrencies {
                    in_amount: a.caller_code().to_owned(),
                    beside: b.caller_code().to_owned(),
                });
            }
            (a, b) => a.or(b).unwrap_or(Currency::CNY),
        };
        Money::new(minor, currency).map_err(|_| MoneyError::OutOfRange(shown()))
    }

    /// Reads a decimal amount of major units as platforms write it: `0.1`, `88`, `88.80` of yuan.
    /// More decimals than the currency has are taken only when they are zeros.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let shown = || MoneyError::NotAnAmount(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let decimals = usize::from(currency.decimals());
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 15
            || !digits(whole)
            || !digits(fraction)
            || (text.contains('.') && fraction.is_empty())
        {
            return Err(shown());
        }
        let (kept, rest) = fraction.split_at(fraction.len().min(decimals));
        if rest.bytes().any(|b| b != b'0') {
            return Err(shown());
        }
        let padded = format!("{whole}{kept:0<decimals$}");
        let minor: i64 = padded.parse().map_err(|_| shown())?;
        Money::new(minor, currency)
    }

    /// The amount in major units with all decimals of its currency: `23.00`.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn yuan(minor: i64) -> Money {
        Money::new(minor, Currency::CNY).unwrap()
    }

    #[test]
    fn fen_become_yuan_exactly_where_floats_do_not() {
        // The original prints 13107201 fen as 131072.02 yuan.
        assert_eq!(yuan(13_107_201).to_decimal(), "131072.01");
        for minor in (0..30_000_000).step_by(997) {
            let decimal = yuan(minor).to_decimal();
            assert_eq!(
                Money::from_decimal(&decimal, Currency::CNY),
                Ok(yuan(minor))
            );
        }
    }

    #[test]
    fn a_fee_names_its_currency_once() {
        assert_eq!(Money::parse("99RMB", None), Ok(yuan(99)));
        assert_eq!(Money::parse("99", Some("RMB")), Ok(yuan(99)));
        // The original stores this as RMB.
        assert_eq!(
            Money::parse("199USD", None).unwrap().currency().code(),
            "USD"
        );
        assert!(matches!(
            Money::parse("199USD", Some("RMB")),
            Err(MoneyError::TwoCurrencies { .. })
        ));
    }

    #[test]
    fn what_is_not_whole_minor_units_is_refused() {
        for bad in [
            "0.01", "", "RMB", "1e3", "１２", "9 9", "99RMB!", "--1", "1-",
        ] {
            assert!(
                matches!(Money::parse(bad, None), Err(MoneyError::NotAnAmount(_))),
                "{bad}"
            );
        }
        for bad in ["-1", "1000000000001", "99999999999999999999"] {
            assert!(
                matches!(Money::parse(bad, None), Err(MoneyError::OutOfRange(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            Money::parse("1XYZ", None),
            Err(MoneyError::UnknownCurrency(_))
        ));
    }

    #[test]
    fn platforms_write_the_same_amount_in_several_ways() {
        for text in ["88.8", "88.80", "88.800"] {
            assert_eq!(
                Money::from_decimal(text, Currency::CNY),
                Ok(yuan(8880)),
                "{text}"
            );
        }
        assert_eq!(Money::from_decimal("88", Currency::CNY), Ok(yuan(8800)));
        for bad in [
            "", ".5", "1.", "-1", "+1", "1.001", "1,00", "1e2", " 1", "NaN",
        ] {
            assert!(Money::from_decimal(bad, Currency::CNY).is_err(), "{bad}");
        }
        let yen = Currency::parse("JPY").unwrap();
        assert_eq!(Money::from_decimal("500", yen).unwrap().to_decimal(), "500");
    }
}
