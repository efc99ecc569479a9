//! Reading a request's JSON field by field, so that a refusal names the place by JSON pointer.
//!
//! Stricter than PayPal in one thing: a field that the simulation does not know is refused with
//! `NOT_SUPPORTED`, where PayPal drops a misspelt one in silence.

use serde_json::{Map, Value};
use url::Url;

use super::amount::{Amount, AmountError, Currency};
use super::failure::Failure;

/// The longest address that a field may hold.
const URL_LENGTH: usize = 4000;

/// An object of a request, and where it stands.
pub(super) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    at: String,
}

/// A request's body as JSON; an empty one and `null` say nothing.
pub(super) fn parse(body: &[u8]) -> Result<Value, Failure> {
    let malformed = || Failure::invalid("MALFORMED_REQUEST_JSON");
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_slice(body).map_err(|_| malformed())? {
        Value::Null => Ok(Value::Object(Map::new())),
        value @ Value::Object(_) => Ok(value),
        _ => Err(malformed()),
    }
}

impl<'a> Fields<'a> {
    /// The whole body, which has these fields and no other.
    pub(super) fn root(body: &'a Value, known: &[&str]) -> Result<Fields<'a>, Failure> {
        Fields::of(body, String::new(), known)
    }

    fn of(value: &'a Value, at: String, known: &[&str]) -> Result<Fields<'a>, Failure> {
        let malformed = || Failure::invalid("MALFORMED_REQUEST_JSON").at(&at);
        let fields = value.as_object().ok_or_else(malformed)?;
        if let Some(other) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(Failure::invalid("NOT_SUPPORTED").at(&format!("{at}/{other}")));
        }
        Ok(Fields { fields, at })
    }

    fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// What a field must have.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Failure> {
        let missing = || Failure::invalid("MISSING_REQUIRED_PARAMETER").at(&self.pointer(name));
        value.ok_or_else(missing)
    }

    /// An object within, which has these fields and no other.
    pub(super) fn object(&self, name: &str, known: &[&str]) -> Result<Option<Fields<'a>>, Failure> {
        let value = self.get(name);
        value
            .map(|value| Fields::of(value, self.pointer(name), known))
            .transpose()
    }

    /// The only entry of a list of at most ten, which has these fields and no other.
    pub(super) fn only_entry(&self, name: &str, known: &[&str]) -> Result<Fields<'a>, Failure> {
        let at = self.pointer(name);
        let value = self.required(name, self.get(name))?;
        let malformed = || Failure::invalid("MALFORMED_REQUEST_JSON").at(&at);
        match value.as_array().ok_or_else(malformed)?.as_slice() {
            [] => Err(Failure::invalid("INVALID_ARRAY_MIN_ITEMS").at(&at)),
            [entry] => Fields::of(entry, format!("{at}/0"), known),
            more if more.len() > 10 => Err(Failure::invalid("INVALID_ARRAY_MAX_ITEMS").at(&at)),
            _ => Err(Failure::unprocessable("MSP_NOT_SUPPORTED").at(&at)),
        }
    }

    /// A text of 1 to so many characters.
    pub(super) fn text(&self, name: &str, longest: usize) -> Result<Option<&'a str>, Failure> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let at = self.pointer(name);
        let malformed = || Failure::invalid("MALFORMED_REQUEST_JSON").at(&at);
        let text = value.as_str().ok_or_else(malformed)?;
        if !(1..=longest).contains(&text.chars().count()) {
            return Err(Failure::invalid("INVALID_STRING_LENGTH").at(&at));
        }
        Ok(Some(text))
    }

    /// One of the words that the field may have.
    pub(super) fn choice(&self, name: &str, of: &[&str]) -> Result<Option<&'a str>, Failure> {
        let text = self.text(name, 255)?;
        if let Some(other) = text.filter(|text| !of.contains(text)) {
            let wrong = Failure::invalid("INVALID_PARAMETER_VALUE");
            return Err(wrong.at(&self.pointer(name)).saying(other));
        }
        Ok(text)
    }

    /// An address of http or https.
    pub(super) fn url(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        let text = self.text(name, URL_LENGTH)?;
        let fits = |text: &str| {
            Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        if let Some(other) = text.filter(|text| !fits(text)) {
            let wrong = Failure::invalid("INVALID_PARAMETER_SYNTAX");
            return Err(wrong.at(&self.pointer(name)).saying(other));
        }
        Ok(text)
    }

    /// An amount above zero, of a currency that merchants of this country may take.
    pub(super) fn amount(&self, name: &str, country: &str) -> Result<Option<Amount>, Failure> {
        let Some(amount) = self.object(name, &["currency_code", "value"])? else {
            return Ok(None);
        };
        let code = amount.text("currency_code", 3)?;
        let code = amount.required("currency_code", code)?;
        let refuse = |issue| {
            let failure = Failure::unprocessable(issue);
            Err(failure.at(&amount.pointer("currency_code")).saying(code))
        };
        let value = amount.get("value").map(|value| {
            let malformed =
                || Failure::invalid("MALFORMED_REQUEST_JSON").at(&amount.pointer("value"));
            value.as_str().ok_or_else(malformed)
        });
        let value = amount.required("value", value.transpose()?)?;
        let currency = match Currency::find(code) {
            Some(currency) if currency.taken_in(country) => currency,
            Some(_) => return refuse("CURRENCY_NOT_SUPPORTED"),
            None => return refuse("INVALID_CURRENCY_CODE"),
        };
        let failure = |error| {
            let failure = match error {
                AmountError::Length => Failure::invalid("INVALID_STRING_LENGTH"),
                AmountError::Syntax => Failure::invalid("INVALID_PARAMETER_SYNTAX"),
                AmountError::ZeroOrNegative => Failure::unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE"),
                AmountError::DecimalsNotSupported => {
                    Failure::unprocessable("DECIMALS_NOT_SUPPORTED")
                }
                AmountError::DecimalPrecision => Failure::unprocessable("DECIMAL_PRECISION"),
                AmountError::MaxValueExceeded => Failure::unprocessable("MAX_VALUE_EXCEEDED"),
            };
            failure.at(&amount.pointer("value")).saying(value)
        };
        Amount::read(value, currency).map(Some).map_err(failure)
    }
}
