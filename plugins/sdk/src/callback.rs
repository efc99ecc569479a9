//! Callbacks: a domain's own code, run after a payment became OK.
//!
//! ```
//! use walnut_sdk::callback::{Delivery, Failure, Payment};
//! use walnut_sdk::serde_json::{Value, json};
//!
//! fn thank(payment: Payment, _delivery: Delivery) -> Result<Value, Failure> {
//!     Ok(json!({"thanks": payment.brief()}))
//! }
//!
//! walnut_sdk::callback!(thank);
//! ```

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::money::{Currency, Money, MoneyError};

/// Whatever went wrong in a callback: `?` takes every error, and `"words".into()` makes one.
pub type Failure = Box<dyn std::error::Error>;

/// One try of one delivery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The same on every try.
    pub key: String,
    /// 1 on the first try.
    pub try_no: u32,
    /// The name under which the owner uploaded the callback.
    pub callback: String,
    /// The payment was paid after it had expired or was closed.
    pub late: bool,
}

impl Delivery {
    /// The first try of a delivery, for tests: `key` is made of zeros.
    pub fn first(callback: &str) -> Delivery {
        Delivery {
            key: "0".repeat(32),
            try_no: 1,
            callback: callback.to_owned(),
            late: false,
        }
    }
}

/// A payment, as `pay get` prints it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payment(Map<String, Value>);

/// Why a text is not a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotAPayment(String);

impl fmt::Display for NotAPayment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a payment: {}", self.0)
    }
}

impl std::error::Error for NotAPayment {}

impl Payment {
    /// Reads a payment's JSON.
    pub fn from_json(json: &str) -> Result<Payment, NotAPayment> {
        serde_json::from_str(json)
            .map(Payment)
            .map_err(|error| NotAPayment(error.to_string()))
    }

    /// Any field by its JSON name, also those that the caller of `create` added.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A field of the caller of `create`, read as `T`; none where there is no such field.
    ///
    /// # Errors
    /// Where the field is something else.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, NotAPayment> {
        let value = self.get(name).filter(|value| !value.is_null());
        value
            .map(|value| T::deserialize(value))
            .transpose()
            .map_err(|error| NotAPayment(format!("{name}: {error}")))
    }

    /// A field that is a text; empty where it is missing or something else.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// `id`
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// `brief`: what the buyer paid for.
    pub fn brief(&self) -> &str {
        self.text("brief")
    }

    /// `st`: where the payment stands.
    pub fn state(&self) -> &str {
        self.text("st")
    }

    /// `pay_tp`: how it was paid.
    pub fn pay_type(&self) -> &str {
        self.text("pay_tp")
    }

    /// `buyer_nm`; empty when not known.
    pub fn buyer_name(&self) -> &str {
        self.text("buyer_nm")
    }

    /// `fee` and `cur`: what was paid.
    pub fn total(&self) -> Result<Money, MoneyError> {
        let minor = self
            .get("fee")
            .and_then(Value::as_i64)
            .ok_or(MoneyError::Amount)?;
        Money::new(minor, Currency::parse(self.text("cur"))?)
    }

    /// A time (`ct`, `lm`, `send_at`, `close_at`, `expi`) in milliseconds since 1970; 0 when it has
    /// not happened.
    pub fn time_ms(&self, name: &str) -> u64 {
        self.get(name).and_then(Value::as_u64).unwrap_or_default()
    }
}

/// Runs a callback on the host's own words. [`callback!`](crate::callback!) calls it.
///
/// # Errors
/// The words of whatever went wrong; the delivery is tried again later.
pub fn run<T: Serialize, E: fmt::Display>(
    function: impl FnOnce(Payment, Delivery) -> Result<T, E>,
    payment: &str,
    delivery: Delivery,
) -> Result<String, String> {
    let payment = Payment::from_json(payment).map_err(|error| error.to_string())?;
    let answer = function(payment, delivery).map_err(|error| error.to_string())?;
    serde_json::to_string(&answer).map_err(|error| format!("the answer is not JSON: {error}"))
}

/// Makes the component of the crate a callback: names a function from a [`Payment`] and a
/// [`Delivery`] to a result of anything that serialises. The answer is kept as the payment's
/// `apply_re`; an error is tried again later, and nothing of the failed try remains. Natively it
/// only checks the function.
#[macro_export]
macro_rules! callback {
    ($function:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            impl $crate::bindings::callback::Guest for Component {
                fn run(
                    payment: ::std::string::String,
                    delivery: $crate::bindings::callback::Delivery,
                ) -> ::std::result::Result<::std::string::String, ::std::string::String> {
                    $crate::export::run_callback($function, payment, delivery)
                }
            }
            $crate::bindings::callback::export_component!(
                Component with_types_in $crate::bindings::callback
            );
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(
            &str,
            $crate::Delivery,
        ) -> ::std::result::Result<::std::string::String, ::std::string::String> =
            |payment, delivery| $crate::callback::run($function, payment, delivery);
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn delivery() -> Delivery {
        Delivery::first("thanks")
    }

    #[test]
    fn a_payment_is_read_exactly() {
        let payment = Payment::from_json(
            r#"{"id":"0190","fee":13107201,"cur":"RMB","brief":"茶","ct":1735660800000,"table":7}"#,
        )
        .unwrap();
        assert_eq!(payment.total().unwrap().to_decimal(), "131072.01");
        assert_eq!(payment.total().unwrap().currency().code(), "CNY");
        assert_eq!(payment.get("table"), Some(&json!(7)));
        assert_eq!(payment.time_ms("ct"), 1_735_660_800_000);
        assert_eq!(
            (payment.text("table"), payment.time_ms("close_at")),
            ("", 0)
        );
        assert_eq!(payment.read::<u8>("table"), Ok(Some(7)));
        assert_eq!(payment.read::<u8>("window"), Ok(None));
        assert!(payment.read::<bool>("table").is_err());
        assert!(Payment::from_json("[]").is_err());
    }

    #[test]
    fn answers_and_errors_are_words() {
        let answer = run(
            |payment, _| Ok::<_, Failure>(payment.0),
            r#"{"id":"x"}"#,
            delivery(),
        );
        assert_eq!(answer.unwrap(), r#"{"id":"x"}"#);
        let error = run(|_, _| Err::<(), Failure>("no".into()), "{}", delivery());
        assert_eq!(error.unwrap_err(), "no");
    }
}
