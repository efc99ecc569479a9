//! What is due: attempts and refunds that a platform is to be asked about, and payments that nobody can pay any more.

use crate::payment::model::{Ams, Attempt, PaymentId, Refund};

use super::table::{attempt, clock, payment, refund};
use super::{Store, StoreError};

/// How much more platforms may be called at once, to ask about attempts or to work on refunds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallRoom {
    /// Calls that may begin now.
    pub places: u32,
    /// The most of one domain that may be under way.
    pub of_a_domain: u32,
    /// The most at one platform that may be under way.
    pub of_a_platform: u32,
    /// What is under way: domain and platform of each call.
    pub under_way: Vec<(String, String)>,
}

impl CallRoom {
    /// Room for so many, of whatever domain and platform.
    pub fn of(places: u32) -> CallRoom {
        CallRoom {
            places,
            of_a_domain: places,
            of_a_platform: places,
            under_way: Vec::new(),
        }
    }
}

/// An attempt to ask about, leased.
#[derive(Clone, PartialEq, Debug)]
pub struct DueAsk {
    /// The payment's domain.
    pub domain: String,
    /// With its new fence.
    pub attempt: Attempt,
}

/// A refund to work on, leased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueRefund {
    /// The payment's domain.
    pub domain: String,
    /// The attempt's platform.
    pub platform: String,
    /// With its new fence.
    pub refund: Refund,
}

impl Store {
    /// Takes attempts whose `ask_at_ms` has come and that nobody is working on, as far as there is room, and leases
    /// them until `until`, each with a fence one higher. The most overdue come first; where more are due than there is
    /// room, domains and platforms take turns.
    ///
    /// A lease that runs out makes the attempt due again. The rule that records the answer compares the
    /// fence, sets the next `ask_at_ms` and ends the lease.
    pub async fn claim_asks(
        &self,
        now: Ams,
        until: Ams,
        room: CallRoom,
    ) -> Result<Vec<DueAsk>, StoreError> {
        let turn = self.database.asking_turn();
        self.database
            .write(move |link| attempt::claim_asks(link, &turn, now, until, &room))
            .await
    }

    /// When the next attempt is due or its lease runs out; `None` when nothing is to be asked.
    pub async fn next_ask(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(attempt::next_ask).await
    }

    /// The same for refunds, with turns of their own.
    pub async fn claim_refunds(
        &self,
        now: Ams,
        until: Ams,
        room: CallRoom,
    ) -> Result<Vec<DueRefund>, StoreError> {
        let turn = self.database.refund_turn();
        self.database
            .write(move |link| refund::claim(link, &turn, now, until, &room))
            .await
    }

    /// When the next refund is due or its lease runs out.
    pub async fn next_refund(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(refund::next_due).await
    }

    /// At most `limit` payments past their deadline that were never sent or have no open attempt, the most overdue
    /// first. What is held is not among them.
    pub async fn expired(&self, now: Ams, limit: u32) -> Result<Vec<PaymentId>, StoreError> {
        self.database
            .read(move |link| payment::expired(link, now, limit))
            .await
    }

    /// When a payment was last changed, by the clock of the host that did.
    pub async fn newest_change(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(clock::newest_change).await
    }

    /// Lets questions, refunds and deliveries that are due after `now` be due earlier by so much: the clock was set back.
    pub async fn bring_forward(&self, now: Ams, by: Ams) -> Result<(), StoreError> {
        self.database
            .write(move |link| clock::bring_forward(link, now, by))
            .await
    }

    /// The earliest deadline of such a payment.
    pub async fn next_expiry(&self) -> Result<Option<Ams>, StoreError> {
        self.database.read(payment::next_expiry).await
    }
}
