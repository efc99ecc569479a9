//! Amounts as PayPal writes them: a decimal text and a currency, kept as an integer of the
//! currency's minor units as PayPal counts them.
//!
//! PayPal takes 25 currencies, and HUF, JPY and TWD without decimals, whatever ISO 4217 says.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// The most characters of a value.
const LONGEST: usize = 32;

/// The most digits before the point: the largest amount is 999999999999999.99.
const WHOLE_DIGITS: usize = 15;

/// A currency that PayPal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    decimals: usize,
    only_in: Option<&'static str>,
}

const fn currency(code: &'static str) -> Currency {
    Currency {
        code,
        decimals: 2,
        only_in: None,
    }
}

const fn whole(code: &'static str) -> Currency {
    Currency {
        decimals: 0,
        ..currency(code)
    }
}

const fn only_in(code: &'static str, country: &'static str) -> Currency {
    Currency {
        only_in: Some(country),
        ..currency(code)
    }
}

/// PayPal's table of currencies.
const CURRENCIES: [Currency; 25] = [
    currency("AUD"),
    only_in("BRL", "BR"),
    currency("CAD"),
    currency("CHF"),
    only_in("CNY", "CN"),
    currency("CZK"),
    currency("DKK"),
    Currency::EUR,
    currency("GBP"),
    currency("HKD"),
    whole("HUF"),
    currency("ILS"),
    only_in("INR", "IN"),
    Currency::JPY,
    currency("MXN"),
    only_in("MYR", "MY"),
    currency("NOK"),
    currency("NZD"),
    currency("PHP"),
    currency("PLN"),
    currency("SEK"),
    currency("SGD"),
    currency("THB"),
    whole("TWD"),
    Currency::USD,
];

impl Currency {
    /// Dollars, with two decimals.
    pub const USD: Currency = currency("USD");
    /// Euros, with two decimals.
    pub const EUR: Currency = currency("EUR");
    /// Yen, without decimals.
    pub const JPY: Currency = whole("JPY");

    /// The currency of a code such as `USD`.
    pub fn find(code: &str) -> Option<Currency> {
        CURRENCIES.into_iter().find(|known| known.code == code)
    }

    /// Its code, three capitals.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Whether merchants of a country may take it: some are for accounts at home only.
    pub(super) fn taken_in(self, country: &str) -> bool {
        self.only_in.is_none_or(|home| home == country)
    }
}

/// Why a text is no amount, by PayPal's issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AmountError {
    Length,
    Syntax,
    ZeroOrNegative,
    DecimalsNotSupported,
    DecimalPrecision,
    MaxValueExceeded,
}

/// An amount of a currency's minor units. Serialized as PayPal's `money`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    minor: u64,
    currency: Currency,
}

impl Amount {
    /// So many minor units: cents of a dollar, whole yen.
    pub const fn new(minor: u64, currency: Currency) -> Amount {
        Amount { minor, currency }
    }

    /// How many minor units.
    pub const fn minor(self) -> u64 {
        self.minor
    }

    /// Of which currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// So many minor units of the same currency.
    pub(super) const fn of(self, minor: u64) -> Amount {
        Amount { minor, ..self }
    }

    /// Reads a value such as `10`, `10.5`, `.5` or `10.50`, which must be above zero.
    pub(super) fn read(value: &str, currency: Currency) -> Result<Amount, AmountError> {
        if value.is_empty() || value.len() > LONGEST {
            return Err(AmountError::Length);
        }
        let (negative, unsigned) = match value.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, value),
        };
        let (whole, part) = match unsigned.split_once('.') {
            Some((whole, part)) => (whole, Some(part)),
            None => (unsigned, None),
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let complete = part.map_or(!whole.is_empty(), |part| !part.is_empty() && digits(part));
        if !complete || !digits(whole) {
            return Err(AmountError::Syntax);
        }
        if negative {
            return Err(AmountError::ZeroOrNegative);
        }
        let part = match part {
            Some(_) if currency.decimals == 0 => return Err(AmountError::DecimalsNotSupported),
            Some(part) if part.len() > currency.decimals => {
                return Err(AmountError::DecimalPrecision);
            }
            part => part.unwrap_or_default(),
        };
        let whole = whole.trim_start_matches('0');
        if whole.len() > WHOLE_DIGITS {
            return Err(AmountError::MaxValueExceeded);
        }
        let places = currency.decimals;
        // At most 17 digits, so it fits.
        let minor = format!("0{whole}{part:0<places$}");
        match minor.parse() {
            Ok(0) => Err(AmountError::ZeroOrNegative),
            Ok(minor) => Ok(Amount { minor, currency }),
            Err(_) => Err(AmountError::Syntax),
        }
    }

    /// The value as PayPal writes it, `10.50` or, without decimals, `10`.
    pub fn value(self) -> String {
        if self.currency.decimals == 0 {
            return self.minor.to_string();
        }
        format!("{}.{:02}", self.minor / 100, self.minor % 100)
    }

    /// `{"currency_code": "USD", "value": "10.50"}`.
    pub fn json(self) -> Value {
        json!({"currency_code": self.currency.code, "value": self.value()})
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value(), self.currency.code)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_exactly() {
        let read = |value: &str, currency| Amount::read(value, currency).map(Amount::minor);
        for (value, minor) in [
            ("10", 1000),
            ("10.5", 1050),
            ("10.50", 1050),
            (".5", 50),
            ("0.01", 1),
            ("007", 700),
            ("999999999999999.99", 99_999_999_999_999_999),
        ] {
            assert_eq!(read(value, Currency::USD), Ok(minor), "{value}");
        }
        assert_eq!(read("1000", Currency::JPY), Ok(1000));
        for (value, error) in [
            ("", AmountError::Length),
            (
                "10000000000000000000000000000.00",
                AmountError::MaxValueExceeded,
            ),
            ("100000000000000000000000000000.00", AmountError::Length),
            ("1.", AmountError::Syntax),
            (".", AmountError::Syntax),
            ("+1", AmountError::Syntax),
            ("1e2", AmountError::Syntax),
            ("1,00", AmountError::Syntax),
            (" 1", AmountError::Syntax),
            ("１", AmountError::Syntax),
            ("--1", AmountError::Syntax),
            ("-1.00", AmountError::ZeroOrNegative),
            ("0.00", AmountError::ZeroOrNegative),
            ("1.001", AmountError::DecimalPrecision),
            ("1.000", AmountError::DecimalPrecision),
            ("1000000000000000.00", AmountError::MaxValueExceeded),
        ] {
            assert_eq!(read(value, Currency::USD), Err(error), "{value}");
        }
        for code in ["HUF", "JPY", "TWD"] {
            let currency = Currency::find(code).unwrap();
            assert_eq!(
                read("100.00", currency),
                Err(AmountError::DecimalsNotSupported)
            );
            assert_eq!(Amount::new(100, currency).value(), "100");
        }
    }

    #[test]
    fn currencies_are_paypals_and_some_stay_at_home() {
        let codes: std::collections::BTreeSet<_> = CURRENCIES.map(Currency::code).into();
        assert_eq!(codes.len(), CURRENCIES.len());
        assert_eq!(Currency::find("usd"), None);
        assert_eq!(Currency::find("KWD"), None);
        let yuan = Currency::find("CNY").unwrap();
        assert!(yuan.taken_in("CN") && !yuan.taken_in("US"));
        assert!(Currency::EUR.taken_in("US"));
        assert_eq!(Amount::new(5, Currency::USD).to_string(), "0.05 USD");
    }
}
