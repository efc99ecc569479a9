//! The provider of payments that cost nothing.
//!
//! That a payment of fee 0 is OK is a rule of the host, and no provider can say so. What is left is
//! what the buyer is shown.

use walnut_sdk::{Attempt, Fault, Outcome, Presentation, Provider, Sent, export_provider};

/// The provider `free`.
pub struct Free;

export_provider!(Free);

impl Provider for Free {
    fn send(attempt: Attempt, _args: Vec<String>) -> Result<Sent, Fault> {
        if attempt.total.minor() != 0 {
            return Err(Fault::Invalid(
                "this costs something: pay_tp \"free\" is for a fee of 0".to_owned(),
            ));
        }
        Ok(Sent {
            presentation: Some(Presentation::Text("Nothing to pay.".to_owned())),
            ..Sent::of(Outcome::Pending)
        })
    }

    fn probe() -> Result<String, Fault> {
        Ok("nothing to ask: no platform is behind this".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walnut_sdk::{Currency, Money};

    fn attempt(minor: i64) -> Attempt {
        Attempt {
            trade_no: "0190f1c0a7a47000a000000000000001".to_owned(),
            brief: "A leaflet".to_owned(),
            total: Money::new(minor, Currency::CNY).unwrap(),
            pay_type: "free".to_owned(),
            target: String::new(),
            client_ip: None,
            notify_url: String::new(),
            created_ms: 0,
            expires_ms: 0,
            meta_json: "{}".to_owned(),
            notes_json: "{}".to_owned(),
            transaction_id: None,
        }
    }

    #[test]
    fn only_nothing_is_free() {
        let sent = Free::send(attempt(0), Vec::new()).unwrap();
        assert!(matches!(sent.presentation, Some(Presentation::Text(_))));
        assert!(matches!(sent.outcome, Outcome::Pending));
        assert!(matches!(
            Free::send(attempt(1), Vec::new()),
            Err(Fault::Invalid(_))
        ));
    }
}
