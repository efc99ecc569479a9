//! Providers: one platform's protocol each.
//!
//! What a provider may reach, how its messages are signed, and where in them a claim stands is
//! declared in its `manifest.json`, beside the `Cargo.toml`. A provider never says that something is
//! paid: it names a claim and hands over the statement, and the host reads the statement itself.
//!
//! ```
//! use walnut_sdk::{Attempt, Fault, Outcome, Presentation, Provider, Sent};
//!
//! struct Voucher;
//!
//! impl Provider for Voucher {
//!     fn send(attempt: Attempt, _args: Vec<String>) -> Result<Sent, Fault> {
//!         Ok(Sent {
//!             presentation: Some(Presentation::Text(format!("Show {}", attempt.trade_no))),
//!             valid_until_ms: None,
//!             outcome: Outcome::Pending,
//!             notes: None,
//!             words: None,
//!         })
//!     }
//! }
//!
//! walnut_sdk::export_provider!(Voucher);
//! ```

use serde_json::{Map, Value};

use crate::money::Money;
use crate::trust::{Failure, Message, Statement};

/// One attempt to get a payment paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The number by which the platform knows this attempt: 32 lower-case hex digits.
    pub trade_no: String,
    /// What the buyer pays for.
    pub brief: String,
    /// What is to be paid.
    pub total: Money,
    /// The pay type of the manifest, such as `zfb.qrcode`.
    pub pay_type: String,
    /// The name of the domain's account at the platform.
    pub target: String,
    /// The buyer's address, where the caller told it.
    pub client_ip: Option<String>,
    /// Where the platform has to send its notification.
    pub notify_url: String,
    /// When the attempt was made, in milliseconds since 1970: the same on every resend.
    pub created_ms: u64,
    /// Until when it may be paid, in milliseconds since 1970: the same on every resend.
    pub expires_ms: u64,
    /// What the caller of `create` added to the payment: the text of a JSON object.
    pub meta_json: String,
    /// What this provider noted on the attempt earlier: the text of a JSON object.
    pub notes_json: String,
    /// The platform's own number of the trade, once a statement said so.
    pub transaction_id: Option<String>,
}

impl Attempt {
    /// What the caller of `create` added to the payment. Parsed on every call.
    pub fn meta(&self) -> Map<String, Value> {
        serde_json::from_str(&self.meta_json).unwrap_or_default()
    }

    /// What this provider noted on the attempt earlier. Parsed on every call.
    pub fn notes(&self) -> Map<String, Value> {
        serde_json::from_str(&self.notes_json).unwrap_or_default()
    }
}

/// What the buyer is shown: `re_tp` with `re_obj`. At most 64 KiB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presentation {
    /// The address of the platform's page, opened in a window of its own.
    Link(String),
    /// The address of the platform's page, shown in a frame.
    Iframe(String),
    /// The text of a QR code.
    Qrcode(String),
    /// A JSON text: parameters for the platform's script in the buyer's client.
    Json(String),
    /// Plain words.
    Text(String),
}

/// A claim of the manifest, and the statement that proves it.
#[derive(Debug)]
pub struct Evidence {
    /// The claim's name.
    pub claim: String,
    /// What the platform stated.
    pub proof: Statement,
}

/// What the platform said.
#[derive(Debug)]
pub enum Outcome {
    /// About the trade.
    Trade(Evidence),
    /// About a refund of the trade.
    Refund(Evidence),
    /// The platform took the order or works on it, and says nothing of its end.
    Pending,
    /// The platform does not know the trade (yet). Never a failure.
    NotFound,
    /// It proves nothing, but it is worth asking the platform now.
    Ask,
    /// Nothing to do with a payment.
    Ignored,
}

impl Outcome {
    /// A statement about the trade, to be read by a claim of the manifest.
    pub fn trade(claim: &str, proof: Statement) -> Outcome {
        Outcome::Trade(Evidence {
            claim: claim.to_owned(),
            proof,
        })
    }

    /// A statement about a refund of the trade, to be read by a claim of the manifest.
    pub fn refund(claim: &str, proof: Statement) -> Outcome {
        Outcome::Refund(Evidence {
            claim: claim.to_owned(),
            proof,
        })
    }
}

/// Why a provider could not do what was asked. The text says what to do about it; what is longer
/// than 1 KiB is cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The caller's arguments are wrong; no trade was made.
    Invalid(String),
    /// It may or may not have happened: the payment stays WAIT and the host asks.
    Unknown(String),
    /// Signature, time or certificate does not hold: nothing changes.
    Unverified(String),
    /// The target's settings are incomplete, or the platform refuses them; no trade was made.
    Misconfigured(String),
    /// The platform or this provider has no such operation.
    Unsupported,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Unverified(failure.to_string())
    }
}

/// What came of sending.
#[derive(Debug)]
pub struct Sent {
    /// What the buyer is shown.
    pub presentation: Option<Presentation>,
    /// Until when the presentation is of use, in milliseconds since 1970.
    pub valid_until_ms: Option<u64>,
    /// What the platform said.
    pub outcome: Outcome,
    /// The attempt's notes from now on, at most 16 KiB as JSON; none leaves them as they are.
    pub notes: Option<Map<String, Value>>,
    /// Why the platform refuses the buyer, where the outcome says so, and what to do about it: one line of at most 1 KiB.
    /// It is only shown.
    pub words: Option<String>,
}

impl Sent {
    /// What the platform said, with nothing to show to the buyer.
    pub fn of(outcome: Outcome) -> Sent {
        Sent {
            presentation: None,
            valid_until_ms: None,
            outcome,
            notes: None,
            words: None,
        }
    }
}

/// Where to look when a notification came to the bare address. Nothing of it is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// The trade that it claims to speak of.
    Trade(String),
    /// The key that it was signed with: [`Provider::trade_of`] is asked for the targets that have it.
    Key(String),
    /// Nothing to go by.
    None,
}

/// What came of undoing a till payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reversal {
    /// It is undone.
    Undone,
    /// The platform wants to be asked for it again after so many milliseconds.
    AgainInMs(u32),
    /// It will not be undone; the text says why.
    Refused(String),
}

/// A refund to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefundOrder {
    /// The number by which the platform knows this refund: 32 lower-case hex digits, or in `check_refund` the number
    /// of a refund of the platform's own console.
    pub refund_no: String,
    /// What is given back.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// What was paid for the trade in all.
    pub paid: Money,
    /// The platform's own number of this refund, once a statement said so.
    pub transaction_id: Option<String>,
}

/// Where the platform's bill of a day is, and how to tell that all of it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bill {
    /// Its address.
    pub url: String,
    /// SHA-1 of the unpacked file in hex, where the platform states it.
    pub sha1: Option<String>,
}

/// One row of the platform's bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BillRow {
    /// The attempt's number; empty where the row says only the platform's.
    pub trade_no: String,
    /// The platform's number.
    pub transaction_id: String,
    /// The platform's own word.
    pub state: String,
    /// What was paid.
    pub amount: Money,
    /// What of it was given back.
    pub refunded: Money,
    /// The number of the refund that the row is about: the host's or the platform's.
    pub refund_no: Option<String>,
}

/// One payment platform. Every call runs in an instance of its own: nothing is remembered but the
/// attempt's notes. What a platform does not have keeps its default.
pub trait Provider {
    /// Orders the trade at the platform. Must ask for the same thing in the same words when called
    /// again for the same attempt. `args` are the caller's, such as the buyer's code.
    fn send(attempt: Attempt, args: Vec<String>) -> Result<Sent, Fault>;

    /// Asks the platform how the trade stands.
    fn check(_attempt: Attempt) -> Result<Outcome, Fault> {
        Err(Fault::Unsupported)
    }

    /// Reads a notification that was sent to this attempt's address.
    fn complete(_attempt: Attempt, _notification: &Message) -> Result<Outcome, Fault> {
        Ok(Outcome::Ignored)
    }

    /// Says which trade a notification to the bare address speaks of, or by which key it was signed. No target is
    /// known yet: nothing can be verified.
    fn identify(_notification: &Message) -> Hint {
        Hint::None
    }

    /// Says which trade a notification speaks of, with a target's keys: one that has the key that
    /// [`identify`](Provider::identify) told, or to whose own address it was sent. By default what `identify` says.
    fn trade_of(notification: &Message) -> Result<Option<String>, Fault> {
        match Self::identify(notification) {
            Hint::Trade(number) => Ok(Some(number)),
            Hint::Key(_) | Hint::None => Ok(None),
        }
    }

    /// Takes money that the buyer approved.
    fn capture(_attempt: Attempt) -> Result<Outcome, Fault> {
        Err(Fault::Unsupported)
    }

    /// Ends an unpaid attempt. It settles nothing: the host asks afterwards.
    fn close(_attempt: Attempt) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    /// Undoes a till payment of unknown end.
    fn reverse(_attempt: Attempt) -> Result<Reversal, Fault> {
        Err(Fault::Unsupported)
    }

    /// Gives money back. Called again with the same order it must not give it twice.
    fn refund(_attempt: Attempt, _order: RefundOrder) -> Result<Outcome, Fault> {
        Err(Fault::Unsupported)
    }

    /// Asks the platform how a refund stands.
    fn check_refund(_attempt: Attempt, _order: RefundOrder) -> Result<Outcome, Fault> {
        Err(Fault::Unsupported)
    }

    /// A harmless signed request that shows whether the target's settings work; the text says what
    /// was asked and answered.
    fn probe() -> Result<String, Fault> {
        Err(Fault::Unsupported)
    }

    /// Finds the platform's bill of a day (`YYYY-MM-DD` in the platform's time zone). None where the platform states
    /// that nothing happened on that day; a bill that is not made yet is [`Fault::Unknown`].
    fn find_bill(_day: String) -> Result<Option<Bill>, Fault> {
        Err(Fault::Unsupported)
    }

    /// The next rows of that bill, from a chunk of whole lines in UTF-8; `first` at the beginning of each file.
    fn bill_rows(_chunk: Vec<u8>, _first: bool) -> Result<Vec<BillRow>, Fault> {
        Err(Fault::Unsupported)
    }

    /// Where a bill goes on whose platform gives it in pages; `page` is the one that was just read, `end` its last chunk.
    fn next_page(_page: Bill, _end: Vec<u8>) -> Result<Option<Bill>, Fault> {
        Ok(None)
    }
}

/// Makes the component of the crate a provider. Natively it only checks that the type is one.
#[macro_export]
macro_rules! export_provider {
    ($provider:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Component = $crate::export::ProviderComponent<$provider>;
            $crate::bindings::provider::export_component!(
                Component with_types_in $crate::bindings::provider
            );
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(
            $crate::Attempt,
            ::std::vec::Vec<::std::string::String>,
        ) -> ::std::result::Result<$crate::Sent, $crate::Fault> =
            <$provider as $crate::Provider>::send;
    };
}
