//! Tickets: a token good for one payment, for the buyer's page. Derived from the payment's id, so
//! that a repeated `create` gives the same one and nothing has to be stored.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::model::PaymentId;

/// Makes and checks tickets.
pub struct Tickets(hmac::Key);

const PREFIX: &str = "wt_";

impl Tickets {
    /// With a key of 32 bytes that never leaves the host.
    pub fn new(key: &[u8; 32]) -> Tickets {
        Tickets(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The ticket of a payment: `wt_` with the id and its seal.
    pub fn issue(&self, id: PaymentId) -> String {
        let id = id.to_string();
        let seal = hmac::sign(&self.0, id.as_bytes());
        format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(seal))
    }

    /// The payment that a ticket is good for; `None` when it was not issued here.
    pub fn check(&self, ticket: &str) -> Option<PaymentId> {
        let (id, seal) = ticket.strip_prefix(PREFIX)?.split_once('_')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        hmac::verify(&self.0, id.as_bytes(), &seal).ok()?;
        PaymentId::parse(id)
    }

    /// Whether a token looks like a ticket at all.
    pub fn is_ticket(token: &str) -> bool {
        token.starts_with(PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_its_own_payment_only() {
        let tickets = Tickets::new(&[7; 32]);
        let (one, other) = (PaymentId::generate(), PaymentId::generate());
        let ticket = tickets.issue(one);
        assert_eq!(tickets.check(&ticket), Some(one));
        assert_eq!(
            ticket,
            tickets.issue(one),
            "a repeated create gives the same ticket"
        );
        let swapped = ticket.replace(&one.to_string(), &other.to_string());
        assert_eq!(tickets.check(&swapped), None);
        assert_eq!(
            Tickets::new(&[8; 32]).check(&ticket),
            None,
            "another host's"
        );
        for bad in [
            "",
            "wt_",
            "wt__",
            &ticket[..ticket.len() - 1],
            &format!("{ticket}A"),
        ] {
            assert_eq!(tickets.check(bad), None, "{bad}");
        }
    }
}
