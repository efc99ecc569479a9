//! The bodies of `orders.create`, `orders.capture` and `captures.refund`: fields and their rules.
//!
//! An order has one purchase unit: PayPal takes up to ten, from accounts that ask for it.

use serde_json::Value;

use super::account::App;
use super::amount::Amount;
use super::failure::Failure;
use super::fields::{Fields, parse};

/// The fields of `application_context` and of `payment_source.paypal.experience_context`.
const CONTEXT: [&str; 9] = [
    "brand_name",
    "cancel_url",
    "landing_page",
    "locale",
    "payment_method_preference",
    "payment_method_selected",
    "return_url",
    "shipping_preference",
    "user_action",
];

/// An order as the merchant described it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OrderContent {
    pub(super) reference_id: String,
    pub(super) amount: Amount,
    pub(super) description: Option<String>,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) soft_descriptor: Option<String>,
    pub(super) context: Context,
    /// Whether `payment_source.paypal` was given: such an order waits for the payer's action.
    pub(super) has_source: bool,
}

/// What the payer sees, and where they go after.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Context {
    pub(super) brand_name: Option<String>,
    pub(super) return_url: Option<String>,
    pub(super) cancel_url: Option<String>,
}

impl OrderContent {
    /// Reads and checks a body of `orders.create`. `exists` tells whether another account has
    /// this merchant number or address.
    pub(super) fn read(
        body: &Value,
        app: &App,
        exists: impl Fn(&str) -> bool,
    ) -> Result<OrderContent, Failure> {
        let known = [
            "application_context",
            "intent",
            "payment_source",
            "purchase_units",
        ];
        let order = Fields::root(body, &known)?;
        let intent = order.choice("intent", &["CAPTURE", "AUTHORIZE"])?;
        if order.required("intent", intent)? == "AUTHORIZE" {
            return Err(Failure::unprocessable("AUTH_CAPTURE_NOT_ENABLED").at("/intent"));
        }
        let known = [
            "amount",
            "custom_id",
            "description",
            "invoice_id",
            "payee",
            "reference_id",
            "soft_descriptor",
        ];
        let unit = order.only_entry("purchase_units", &known)?;
        check_payee(&unit, app, exists)?;
        let amount = unit.amount("amount", &app.country)?;
        let application = order.object("application_context", &CONTEXT)?;
        let source = order.object("payment_source", &["paypal"])?;
        let paypal = match &source {
            Some(source) => {
                let paypal = source.object("paypal", &["experience_context"])?;
                Some(source.required("paypal", paypal)?)
            }
            None => None,
        };
        let experience = match &paypal {
            Some(paypal) => paypal.object("experience_context", &CONTEXT)?,
            None => None,
        };
        if application.is_some() && source.is_some() {
            let both = Failure::unprocessable("INCOMPATIBLE_PARAMETER_VALUE");
            return Err(both.at("/application_context"));
        }
        let context = match application.or(experience) {
            Some(context) => Context::read(&context)?,
            None => Context::default(),
        };
        Ok(OrderContent {
            amount: unit.required("amount", amount)?,
            reference_id: owned(unit.text("reference_id", 256)?)
                .unwrap_or_else(|| "default".to_owned()),
            description: owned(unit.text("description", 127)?),
            custom_id: owned(unit.text("custom_id", 127)?),
            invoice_id: owned(unit.text("invoice_id", 127)?),
            soft_descriptor: owned(unit.text("soft_descriptor", 22)?),
            context,
            has_source: source.is_some(),
        })
    }

    /// What the merchant calls the order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let numbers = [
            Some(&self.reference_id),
            self.custom_id.as_ref(),
            self.invoice_id.as_ref(),
        ];
        numbers.into_iter().flatten().map(String::as_str)
    }
}

/// The payee may be left out; otherwise it is the caller.
fn check_payee(unit: &Fields<'_>, app: &App, exists: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let Some(payee) = unit.object("payee", &["email_address", "merchant_id"])? else {
        return Ok(());
    };
    let at = "/purchase_units/0/payee";
    let named = [
        (payee.text("merchant_id", 13)?, &app.merchant_id),
        (payee.text("email_address", 254)?, &app.email),
    ];
    if named.iter().all(|(given, _)| given.is_none()) {
        return Err(Failure::unprocessable("PAYEE_ACCOUNT_INVALID").at(at));
    }
    for (given, own) in named {
        match given {
            Some(given) if given == own => {}
            Some(given) if exists(given) => {
                return Err(Failure::forbidden("PAYEE_NOT_CONSENTED").at(at));
            }
            Some(_) => return Err(Failure::unprocessable("PAYEE_ACCOUNT_INVALID").at(at)),
            None => {}
        }
    }
    Ok(())
}

impl Context {
    fn read(fields: &Fields<'_>) -> Result<Context, Failure> {
        let pages = ["LOGIN", "GUEST_CHECKOUT", "BILLING", "NO_PREFERENCE"];
        fields.choice("landing_page", &pages)?;
        let shipping = ["GET_FROM_FILE", "NO_SHIPPING", "SET_PROVIDED_ADDRESS"];
        fields.choice("shipping_preference", &shipping)?;
        fields.choice("user_action", &["CONTINUE", "PAY_NOW"])?;
        let preference = ["UNRESTRICTED", "IMMEDIATE_PAYMENT_REQUIRED"];
        fields.choice("payment_method_preference", &preference)?;
        fields.text("payment_method_selected", 255)?;
        fields.text("locale", 10)?;
        Ok(Context {
            brand_name: owned(fields.text("brand_name", 127)?),
            return_url: owned(fields.url("return_url")?),
            cancel_url: owned(fields.url("cancel_url")?),
        })
    }
}

/// Checks a body of `orders.capture`: the approved order has it all, so nothing is left to say.
pub(super) fn read_capture(body: &[u8]) -> Result<(), Failure> {
    Fields::root(&parse(body)?, &[]).map(drop)
}

/// A body of `captures.refund`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RefundContent {
    /// None for all that is left.
    pub(super) amount: Option<Amount>,
    pub(super) custom_id: Option<String>,
    pub(super) invoice_id: Option<String>,
    pub(super) note_to_payer: Option<String>,
}

impl RefundContent {
    /// Reads and checks the fields.
    pub(super) fn read(body: &Value, country: &str) -> Result<RefundContent, Failure> {
        let known = ["amount", "custom_id", "invoice_id", "note_to_payer"];
        let refund = Fields::root(body, &known)?;
        Ok(RefundContent {
            amount: refund.amount("amount", country)?,
            custom_id: owned(refund.text("custom_id", 127)?),
            invoice_id: owned(refund.text("invoice_id", 127)?),
            note_to_payer: owned(refund.text("note_to_payer", 255)?),
        })
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::numbers::Numbers;
    use super::*;

    fn app() -> App {
        App::open(&Numbers::new().unwrap(), "US", "root").0
    }

    fn read(body: &Value) -> Result<OrderContent, (u16, String, String)> {
        let read = OrderContent::read(body, &app(), |name| name == "TAKENTAKEN234");
        read.map_err(|failure| {
            let detail = &failure.body("1")["details"][0];
            let field = detail["field"].as_str().unwrap_or_default().to_owned();
            (failure.status, failure.code().to_owned(), field)
        })
    }

    fn order(changes: &[(&str, Value)]) -> Value {
        let mut order = json!({
            "intent": "CAPTURE",
            "purchase_units": [{
                "amount": {"currency_code": "USD", "value": "10.00"},
                "payee": {},
                "custom_id": "a1",
            }],
            "application_context": {"return_url": "https://shop.example/back"},
        });
        order["purchase_units"][0]["payee"].take();
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let parent = order.pointer_mut(parent).unwrap();
            parent
                .as_object_mut()
                .unwrap()
                .insert(name.to_owned(), value.clone());
        }
        order
    }

    #[test]
    fn an_order_is_read_with_what_it_may_have() {
        let read = read(&order(&[])).unwrap();
        assert_eq!(read.reference_id, "default");
        assert_eq!(read.amount.minor(), 1000);
        assert_eq!(
            read.context.return_url.as_deref(),
            Some("https://shop.example/back")
        );
        assert!(!read.has_source && read.names().eq(["default", "a1"]));
        let app = app();
        let payee = json!({"merchant_id": app.merchant_id, "email_address": app.email});
        let own = order(&[("/purchase_units/0/payee", payee)]);
        assert!(OrderContent::read(&own, &app, |_| true).is_ok());
    }

    #[test]
    fn each_wrong_field_has_its_issue_and_its_place() {
        let long = "x".repeat(128);
        let unit = json!({"amount": {"currency_code": "USD", "value": "1"}});
        let amount = "/purchase_units/0/amount";
        let value = "/purchase_units/0/amount/value";
        let code = "/purchase_units/0/amount/currency_code";
        let table = [
            ("/intent", Value::Null, 400, "MISSING_REQUIRED_PARAMETER"),
            ("/intent", json!("capture"), 400, "INVALID_PARAMETER_VALUE"),
            (
                "/intent",
                json!("AUTHORIZE"),
                422,
                "AUTH_CAPTURE_NOT_ENABLED",
            ),
            ("/intent", json!(1), 400, "MALFORMED_REQUEST_JSON"),
            ("/intents", json!("CAPTURE"), 400, "NOT_SUPPORTED"),
            (
                "/purchase_units",
                Value::Null,
                400,
                "MISSING_REQUIRED_PARAMETER",
            ),
            ("/purchase_units", json!({}), 400, "MALFORMED_REQUEST_JSON"),
            ("/purchase_units", json!([]), 400, "INVALID_ARRAY_MIN_ITEMS"),
            (
                "/purchase_units",
                json!([unit, unit]),
                422,
                "MSP_NOT_SUPPORTED",
            ),
            (
                "/purchase_units",
                json!(vec![unit; 11]),
                400,
                "INVALID_ARRAY_MAX_ITEMS",
            ),
            (amount, Value::Null, 400, "MISSING_REQUIRED_PARAMETER"),
            (value, Value::Null, 400, "MISSING_REQUIRED_PARAMETER"),
            (value, json!(10), 400, "MALFORMED_REQUEST_JSON"),
            (value, json!(""), 400, "INVALID_STRING_LENGTH"),
            (value, json!("10,00"), 400, "INVALID_PARAMETER_SYNTAX"),
            (value, json!("10.001"), 422, "DECIMAL_PRECISION"),
            (value, json!("0.00"), 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
            (value, json!("-1"), 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
            (value, json!("1000000000000000"), 422, "MAX_VALUE_EXCEEDED"),
            (code, json!("KWD"), 422, "INVALID_CURRENCY_CODE"),
            (code, json!("usd"), 422, "INVALID_CURRENCY_CODE"),
            (code, json!("CNY"), 422, "CURRENCY_NOT_SUPPORTED"),
            (code, json!("USDT"), 400, "INVALID_STRING_LENGTH"),
            (
                "/purchase_units/0/custom_id",
                json!(long),
                400,
                "INVALID_STRING_LENGTH",
            ),
            (
                "/purchase_units/0/invoice_id",
                json!(""),
                400,
                "INVALID_STRING_LENGTH",
            ),
            ("/purchase_units/0/items", json!([]), 400, "NOT_SUPPORTED"),
            (
                "/purchase_units/0/payee",
                json!({}),
                422,
                "PAYEE_ACCOUNT_INVALID",
            ),
            (
                "/application_context/return_url",
                json!("/back"),
                400,
                "INVALID_PARAMETER_SYNTAX",
            ),
            (
                "/application_context/user_action",
                json!("PAY"),
                400,
                "INVALID_PARAMETER_VALUE",
            ),
            (
                "/application_context/brand_name",
                json!(long),
                400,
                "INVALID_STRING_LENGTH",
            ),
            ("/payment_source", json!({"card": {}}), 400, "NOT_SUPPORTED"),
            (
                "/payment_source",
                json!({}),
                400,
                "MISSING_REQUIRED_PARAMETER",
            ),
        ];
        for (pointer, given, status, issue) in table {
            let (got_status, got_issue, at) =
                read(&order(&[(pointer, given.clone())])).unwrap_err();
            assert_eq!(
                (got_status, got_issue.as_str()),
                (status, issue),
                "{pointer} {given}"
            );
            assert!(
                at.starts_with(pointer) || pointer.starts_with(&at),
                "{pointer}: {at}"
            );
        }
        let payee = "/purchase_units/0/payee";
        let stranger = order(&[(payee, json!({"merchant_id": "NOBODYNOBODY2"}))]);
        assert_eq!(read(&stranger).unwrap_err().1, "PAYEE_ACCOUNT_INVALID");
        let other = order(&[(payee, json!({"merchant_id": "TAKENTAKEN234"}))]);
        assert_eq!(read(&other).unwrap_err().1, "PAYEE_NOT_CONSENTED");
        let both = order(&[("/payment_source", json!({"paypal": {}}))]);
        assert_eq!(read(&both).unwrap_err().1, "INCOMPATIBLE_PARAMETER_VALUE");
        let yen = json!({"currency_code": "JPY", "value": "10.0"});
        let yen = read(&order(&[(amount, yen)])).unwrap_err();
        assert_eq!(yen.1, "DECIMALS_NOT_SUPPORTED");
    }

    #[test]
    fn a_refund_needs_nothing_and_a_capture_has_nothing() {
        let read = |body: &[u8]| RefundContent::read(&parse(body).unwrap(), "US");
        for body in [&b""[..], b"{}", b" \n", b"null"] {
            assert_eq!(read(body).unwrap(), RefundContent::default());
            assert_eq!(read_capture(body), Ok(()));
        }
        let part = br#"{"amount":{"value":"1.50","currency_code":"EUR"},"note_to_payer":"broken"}"#;
        assert_eq!(read(part).unwrap().amount.unwrap().to_string(), "1.50 EUR");
        assert_eq!(read_capture(part).unwrap_err().code(), "NOT_SUPPORTED");
        for body in [&b"["[..], b"[]", b"1", b"\xFF"] {
            assert_eq!(parse(body).unwrap_err().code(), "MALFORMED_REQUEST_JSON");
        }
    }
}
