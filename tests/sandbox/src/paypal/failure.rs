//! PayPal's ways to say no: `name`, `message`, `debug_id` and `details[].issue` from the REST
//! APIs, `error` and `error_description` from the authorization server.

use serde_json::{Value, json};

/// A refusal, before it has its `debug_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: u16,
    shape: Box<Shape>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    OAuth {
        error: &'static str,
        description: &'static str,
    },
    Api {
        name: &'static str,
        message: &'static str,
        detail: Option<Detail>,
        /// Where the payer is to be sent, as in `INSTRUMENT_DECLINED`.
        redirect: Option<String>,
    },
    /// A search found more than PayPal lists.
    TooMany { found: usize, most: usize },
}

/// One entry of `details`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Detail {
    issue: String,
    field: Option<String>,
    value: Option<String>,
    location: Option<&'static str>,
}

/// The name of a search's refusal that found too much.
const TOO_MANY: &str = "RESULTSET_TOO_LARGE";

/// What PayPal says of an issue, in short. Callers must not depend on these texts.
const DESCRIPTIONS: [(&str, &str); 34] = [
    (
        "AUTH_CAPTURE_NOT_ENABLED",
        "Authorization and Capture feature is not enabled for the merchant.",
    ),
    ("CANNOT_BE_ZERO_OR_NEGATIVE", "Must be greater than zero."),
    (
        "CAPTURE_FULLY_REFUNDED",
        "The capture has already been fully refunded.",
    ),
    (
        "CURRENCY_NOT_SUPPORTED",
        "The currency is not supported for this account.",
    ),
    (
        "DECIMALS_NOT_SUPPORTED",
        "Currency does not support decimals.",
    ),
    (
        "DECIMAL_PRECISION",
        "If the currency supports decimals, only two decimal place precision is supported.",
    ),
    ("DUPLICATE_INVOICE_ID", "Duplicate Invoice ID detected."),
    (
        "INCOMPATIBLE_PARAMETER_VALUE",
        "The value of the field is incompatible/redundant with other fields in the order.",
    ),
    (
        "INSTRUMENT_DECLINED",
        "The instrument presented was either declined by the processor or bank, or it can't be used for this payment.",
    ),
    (
        "INVALID_ARRAY_MAX_ITEMS",
        "The number of items in an array parameter is too large.",
    ),
    (
        "INVALID_ARRAY_MIN_ITEMS",
        "The number of items in an array parameter is too small.",
    ),
    (
        "INVALID_CURRENCY_CODE",
        "Currency code is invalid or is not currently supported.",
    ),
    (
        "INVALID_PARAMETER_SYNTAX",
        "The value of a field does not conform to the expected format.",
    ),
    (
        "INVALID_PARAMETER_VALUE",
        "The value of a field is invalid.",
    ),
    (
        "INVALID_RESOURCE_ID",
        "Specified resource ID does not exist. Please check the resource ID and try again.",
    ),
    (
        "INVALID_STRING_LENGTH",
        "The value of a field is either too short or too long.",
    ),
    (
        "MALFORMED_REQUEST_JSON",
        "The request JSON is not well formed.",
    ),
    (
        "MAX_VALUE_EXCEEDED",
        "Should be less than or equal to 999999999999999.99.",
    ),
    (
        "MISSING_REQUIRED_PARAMETER",
        "A required field / parameter is missing.",
    ),
    (
        "MSP_NOT_SUPPORTED",
        "Multiple purchase units are not supported for this operation.",
    ),
    ("NOT_SUPPORTED", "This field is not currently supported."),
    (
        "ORDER_ALREADY_CAPTURED",
        "Order already captured. If 'intent=CAPTURE' only one capture per order is allowed.",
    ),
    (
        "ORDER_NOT_APPROVED",
        "Payer has not yet approved the Order for payment.",
    ),
    (
        "PAYEE_ACCOUNT_INVALID",
        "Payee account specified is invalid.",
    ),
    (
        "PAYEE_NOT_CONSENTED",
        "Payee does not have appropriate consent to allow the API caller to process this type of transaction on their behalf.",
    ),
    (
        "PAYPAL_REQUEST_ID_PREVIOUSLY_USED",
        "The PayPal-Request-ID has already been used for another request.",
    ),
    (
        "PAYPAL_REQUEST_ID_REQUIRED",
        "A PayPal-Request-Id is required if you are trying to process payment for an Order.",
    ),
    (
        "PENDING_CAPTURE",
        "Cannot initiate a refund as the capture is pending.",
    ),
    (
        "PERMISSION_DENIED",
        "You do not have permission to access or perform operations on this resource.",
    ),
    (
        "PREVIOUS_REQUEST_IN_PROGRESS",
        "A previous request on this resource is currently in progress.",
    ),
    (
        "REFUND_AMOUNT_EXCEEDED",
        "The refund amount must be less than or equal to the capture amount that has not yet been refunded.",
    ),
    (
        "REFUND_CAPTURE_CURRENCY_MISMATCH",
        "Refund must be in the same currency as the capture.",
    ),
    ("REFUND_NOT_ALLOWED", "Capture cannot be refunded."),
    ("TRANSACTION_REFUSED", "The request was refused."),
];

fn description(issue: &str) -> &'static str {
    let known = DESCRIPTIONS.iter().find(|(known, _)| *known == issue);
    known.map_or("The request was refused.", |(_, text)| text)
}

fn api(status: u16, name: &'static str, message: &'static str, issue: Option<&str>) -> Failure {
    let detail = issue.map(|issue| Detail {
        issue: issue.to_owned(),
        field: None,
        value: None,
        location: None,
    });
    let shape = Box::new(Shape::Api {
        name,
        message,
        detail,
        redirect: None,
    });
    Failure { status, shape }
}

impl Failure {
    /// 400: a field is missing, or its form is wrong.
    pub(super) fn invalid(issue: &str) -> Failure {
        let message = "Request is not well-formed, syntactically incorrect, or violates schema.";
        api(400, "INVALID_REQUEST", message, Some(issue))
    }

    /// 422: the request is understood and says something that cannot be done.
    pub(super) fn unprocessable(issue: &str) -> Failure {
        let message = "The requested action could not be performed, semantically incorrect, or failed business validation.";
        api(422, "UNPROCESSABLE_ENTITY", message, Some(issue))
    }

    /// 403: the account may not do this.
    pub(super) fn forbidden(issue: &str) -> Failure {
        let message = "Authorization failed due to insufficient permissions.";
        api(403, "NOT_AUTHORIZED", message, Some(issue))
    }

    /// 400: a search found more than PayPal lists; a shorter time has to be asked for.
    pub(super) fn too_many(found: usize, most: usize) -> Failure {
        Failure {
            status: 400,
            shape: Box::new(Shape::TooMany { found, most }),
        }
    }

    /// 404: the caller has no such resource.
    pub(super) fn not_found() -> Failure {
        let message = "The specified resource does not exist.";
        let issue = Some("INVALID_RESOURCE_ID");
        api(404, "RESOURCE_NOT_FOUND", message, issue)
    }

    /// 401: no token at all.
    pub(super) fn unauthenticated() -> Failure {
        let message = "Authentication failed due to missing authorization header, or invalid authentication credentials.";
        api(401, "AUTHENTICATION_FAILURE", message, None)
    }

    /// 415: the body calls itself something else than JSON.
    pub(super) fn media_type() -> Failure {
        let message = "The server does not support the request payload's media type.";
        api(415, "UNSUPPORTED_MEDIA_TYPE", message, None)
    }

    /// 409: another request with the same `PayPal-Request-Id` is being processed.
    pub(super) fn in_progress() -> Failure {
        let message = "The server has detected a conflict while processing this request.";
        let issue = Some("PREVIOUS_REQUEST_IN_PROGRESS");
        api(409, "RESOURCE_CONFLICT", message, issue)
    }

    /// 429: too many requests.
    pub(super) fn rate_limit() -> Failure {
        let message = "Too many requests. Blocked due to rate limiting.";
        api(429, "RATE_LIMIT_REACHED", message, None)
    }

    /// 500: unknown whether anything happened.
    pub(super) fn server_error() -> Failure {
        let message = "An internal server error occurred.";
        api(500, "INTERNAL_SERVER_ERROR", message, None)
    }

    /// 503: PayPal is down, and says so.
    pub(super) fn unavailable() -> Failure {
        api(503, "SERVICE_UNAVAILABLE", "Service Unavailable.", None)
    }

    /// 401: the token is none of PayPal's, or was and is no more.
    pub(super) fn token(description: &'static str) -> Failure {
        Failure::oauth(401, "invalid_token", description)
    }

    /// The authorization server's refusal.
    pub(super) fn oauth(status: u16, error: &'static str, description: &'static str) -> Failure {
        let shape = Box::new(Shape::OAuth { error, description });
        Failure { status, shape }
    }

    /// Names the field of the body, by JSON pointer.
    #[must_use]
    pub(super) fn at(mut self, pointer: &str) -> Failure {
        if let Shape::Api {
            detail: Some(detail),
            ..
        } = &mut *self.shape
        {
            detail.field = Some(pointer.to_owned());
            detail.location = Some("body");
        }
        self
    }

    /// Names the parameter of the query.
    #[must_use]
    pub(super) fn in_query(mut self, name: &str) -> Failure {
        if let Shape::Api {
            detail: Some(detail),
            ..
        } = &mut *self.shape
        {
            detail.field = Some(name.to_owned());
            detail.location = Some("query");
        }
        self
    }

    /// Names what stands in the field.
    #[must_use]
    pub(super) fn saying(mut self, found: &str) -> Failure {
        if let Shape::Api {
            detail: Some(detail),
            ..
        } = &mut *self.shape
        {
            detail.value = Some(found.to_owned());
        }
        self
    }

    /// Names where the payer is to be sent.
    #[must_use]
    pub(super) fn sending_to(mut self, url: String) -> Failure {
        if let Shape::Api { redirect, .. } = &mut *self.shape {
            *redirect = Some(url);
        }
        self
    }

    /// The finest code that it has: the issue, else the name or the error.
    pub(super) fn code(&self) -> &str {
        match &*self.shape {
            Shape::OAuth { error, .. } => error,
            Shape::Api {
                detail: Some(detail),
                ..
            } => &detail.issue,
            Shape::Api { name, .. } => name,
            Shape::TooMany { .. } => TOO_MANY,
        }
    }

    /// The body.
    pub(super) fn body(&self, debug_id: &str) -> Value {
        match &*self.shape {
            Shape::OAuth { error, description } => {
                json!({"error": error, "error_description": description})
            }
            Shape::TooMany { found, most } => json!({
                "name": TOO_MANY,
                "message": "Result set size is greater than the maximum limit. Change the filter criteria and try again.",
                "debug_id": debug_id,
                "total_items": found,
                "maximum_items": most,
            }),
            Shape::Api {
                name,
                message,
                detail,
                redirect,
            } => {
                let about = format!(
                    "https://developer.paypal.com/api/rest/reference/orders/v2/errors/#{}",
                    self.code()
                );
                let mut links =
                    vec![json!({"href": about, "rel": "information_link", "method": "GET"})];
                links.extend(
                    redirect
                        .as_ref()
                        .map(|url| json!({"href": url, "rel": "redirect", "method": "GET"})),
                );
                let mut body = json!({
                    "name": name, "message": message, "debug_id": debug_id, "links": links
                });
                if let (Some(detail), Some(body)) = (detail, body.as_object_mut()) {
                    body.insert("details".to_owned(), json!([detail.json()]));
                }
                body
            }
        }
    }
}

impl Detail {
    fn json(&self) -> Value {
        let mut entry = json!({"issue": self.issue, "description": description(&self.issue)});
        let more = [
            ("field", self.field.as_deref()),
            ("value", self.value.as_deref()),
            ("location", self.location),
        ];
        if let Some(entry) = entry.as_object_mut() {
            for (name, value) in more {
                entry.extend(value.map(|value| (name.to_owned(), Value::from(value))));
            }
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_paypals_two_shapes() {
        let failure = Failure::unprocessable("DECIMAL_PRECISION")
            .at("/purchase_units/0/amount/value")
            .saying("1.001");
        assert_eq!((failure.status, failure.code()), (422, "DECIMAL_PRECISION"));
        let body = failure.body("90957fca61718");
        assert_eq!(body["name"], "UNPROCESSABLE_ENTITY");
        assert_eq!(body["debug_id"], "90957fca61718");
        assert_eq!(body["details"][0]["issue"], "DECIMAL_PRECISION");
        assert_eq!(
            body["details"][0]["field"],
            "/purchase_units/0/amount/value"
        );
        assert_eq!(body["details"][0]["value"], "1.001");
        assert_eq!(body["links"][0]["rel"], "information_link");

        let failure = Failure::token("Access Token not found in cache");
        let body = failure.body("90957fca61718");
        assert_eq!(body["error"], "invalid_token");
        assert_eq!(body.as_object().unwrap().len(), 2);

        let none = Failure::rate_limit().body("90957fca61718");
        assert_eq!(
            (&none["name"], none.get("details")),
            (&json!("RATE_LIMIT_REACHED"), None)
        );
        let sent = Failure::unprocessable("INSTRUMENT_DECLINED").sending_to("http://x/".to_owned());
        assert_eq!(sent.body("1")["links"][1]["rel"], "redirect");
    }
}
