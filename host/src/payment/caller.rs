//! Who asks, and what that caller may do.

use super::error::{PayError, Result};
use super::model::{Payment, PaymentId};

/// Who asks. Made by the HTTP room from a key or a ticket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// The operator: may do everything.
    Root,
    /// Whoever looks after the host: reads everything, changes nothing.
    Op,
    /// A domain, by its API key: its own payments, callbacks and targets only.
    Domain {
        /// The domain's name.
        name: String,
        /// A test key sees and makes test payments only.
        test: bool,
        /// What its key is for.
        scope: Scope,
        /// Whether its key may give money back.
        refunds: bool,
    },
    /// The buyer's page: get, send, check and watch of one payment.
    Ticket(PaymentId),
}

/// What a domain's key is for. Which endpoints that are is said in one place, the table of `http::access`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything that is the domain's: its callbacks, merchant settings and keys too.
    Owner,
    /// Its payments: for the shop's own program.
    Server,
    /// Taking money at a counter.
    Till,
}

impl Scope {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Owner => "owner",
            Scope::Server => "server",
            Scope::Till => "till",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Scope> {
        [Scope::Owner, Scope::Server, Scope::Till]
            .into_iter()
            .find(|scope| scope.as_str() == text)
    }
}

/// What is to be done with a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Look at it and ask the platform about it.
    Read,
    /// Look at its history, evidence and callback.
    Inspect,
    /// Send it.
    Send,
    /// Decide on it by hand.
    Resolve,
    /// End it unpaid.
    Close,
    /// Give money back.
    Refund,
}

impl Caller {
    /// The name for the history.
    pub fn name(&self) -> String {
        match self {
            Caller::Root => "root".to_owned(),
            Caller::Op => "op".to_owned(),
            Caller::Domain { name, .. } => name.clone(),
            Caller::Ticket(_) => "buyer".to_owned(),
        }
    }

    /// Whether its key is for tests alone: what is live is not there for it.
    pub fn is_test_key(&self) -> bool {
        matches!(self, Caller::Domain { test: true, .. })
    }

    /// Whether this caller may do that with this payment. A payment that the caller may not even
    /// see is "no such payment".
    pub fn may(&self, act: Act, payment: &Payment) -> Result<()> {
        let sees = match self {
            Caller::Root | Caller::Op => true,
            Caller::Domain { name, test, .. } => *name == payment.domain && (!test || payment.test),
            Caller::Ticket(id) => *id == payment.id,
        };
        if !sees {
            return Err(no_such_payment());
        }
        let allowed = match self {
            Caller::Domain { refunds, .. } => *refunds || act != Act::Refund,
            Caller::Root => true,
            Caller::Op => matches!(act, Act::Read | Act::Inspect),
            Caller::Ticket(_) => matches!(act, Act::Read | Act::Send),
        };
        if allowed {
            Ok(())
        } else {
            Err(PayError::no_privilege(
                "this key may not do that with this payment",
            ))
        }
    }
}

/// The same words whether it does not exist or belongs to somebody else.
pub fn no_such_payment() -> PayError {
    PayError::no_payment("no such payment")
}
