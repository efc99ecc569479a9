//! Creating payments, looking at them, and changing them by rules.

use std::sync::Arc;

use crate::payment::model::{
    Ams, Attempt, Case, Change, Changes, Digest, Payment, PaymentId, StoredStatement, TradeNo,
};

use super::link::Link;
use super::table::idempotency::{self, Earlier};
use super::table::{case, content, history, payment};
use super::{Store, StoreError, invariants};

/// A payment with everything that is written together with it.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// Its domain is also that of the idempotency key.
    pub payment: Payment,
    /// Empty, unless it is sent or completed at creation.
    pub attempts: Vec<Attempt>,
    /// At least one line.
    pub history: Vec<Change>,
    /// The bytes behind `payment.callback`; `None` when they are known to be stored already.
    pub callback_content: Option<Arc<Vec<u8>>>,
    /// The payment is OK already and has a callback: put its delivery into the outbox.
    pub deliver: bool,
    /// Makes a repeated `create` find the first one's payment.
    pub idempotency: Option<IdempotencyKey>,
}

/// A caller's `Idempotency-Key`. It is kept per domain, verb and key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey {
    /// Such as `create`.
    pub verb: String,
    /// As the caller sent it.
    pub key: String,
    /// Of the request's body.
    pub body: Digest,
}

/// What became of a [`NewPayment`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    /// It is stored.
    Made,
    /// The same request made this payment before; nothing was written.
    Repeated(PaymentId),
    /// The key belongs to another request; nothing was written.
    KeyUsedForOtherBody,
}

/// What became of a change with an idempotency key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Once {
    /// The rule ran; this is its answer.
    Made(String),
    /// The same request ran it before; this was its answer then.
    Repeated(String),
    /// The key belongs to another request; nothing was written.
    KeyUsedForOtherBody,
}

impl Store {
    /// Stores a new payment.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the id is taken, [`StoreError::Invariant`] when the parts do not fit each
    /// other: a foreign attempt, content that is not what the callback names, a delivery without an OK.
    pub async fn create(&self, new: NewPayment) -> Result<Created, StoreError> {
        let id = new.payment.id;
        let create = move |link: &dyn Link| case::create(link, &new);
        self.database.write_payment(id, create).await
    }

    /// What came of an earlier [`Store::create`] with this key; `None` when there was none.
    pub async fn created(
        &self,
        domain: &str,
        key: IdempotencyKey,
    ) -> Result<Option<Created>, StoreError> {
        let domain = domain.to_owned();
        self.database
            .read(move |link| Ok(idempotency::find(link, &domain, &key)?.map(Created::from)))
            .await
    }

    /// A payment with its attempts.
    pub async fn case(&self, id: PaymentId) -> Result<Option<Case>, StoreError> {
        self.database.read(move |link| case::load(link, id)).await
    }

    /// The payment that has an attempt with this number, with all its attempts.
    pub async fn case_of_trade(&self, trade_no: &TradeNo) -> Result<Option<Case>, StoreError> {
        let trade_no = trade_no.clone();
        self.database
            .read(move |link| case::load_by_trade(link, &trade_no))
            .await
    }

    /// Whether an attempt has this number. Cheaper than to read it.
    pub async fn has_trade(&self, trade_no: &TradeNo) -> Result<bool, StoreError> {
        let trade_no = trade_no.clone();
        self.database
            .read(move |link| case::has_trade(link, &trade_no))
            .await
    }

    /// Changes a payment by a rule: loads the case as it is now, lets the rule look at it, and writes
    /// everything that the rule returns in one transaction, the payment with the next revision. No other
    /// change can come between.
    ///
    /// The rule runs on a writer's thread: it computes, and does nothing that could wait. It is run again, as the copy that
    /// it was, when what it returned could not be written. When it fails, or returns no changes, nothing is written. `None`
    /// means that there is no such payment.
    ///
    /// # Errors
    /// [`StoreError::Invariant`] when the changes would break a rule that holds for all: an illegal state, a
    /// changed fee, a state change without its line in the history.
    pub async fn change<T, E, F>(
        &self,
        id: PaymentId,
        rule: F,
    ) -> Result<Option<Result<T, E>>, StoreError>
    where
        F: FnOnce(&Case) -> Result<(Option<Changes>, T), E> + Clone + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.database
            .write_payment(id, move |link| {
                let Some(before) = case::load(link, id)? else {
                    return Ok(None);
                };
                match rule.clone()(&before) {
                    Err(refused) => Ok(Some(Err(refused))),
                    Ok((None, answer)) => Ok(Some(Ok(answer))),
                    Ok((Some(changes), answer)) => {
                        invariants::check_change(&before, &changes)?;
                        case::apply(link, &before, &changes)?;
                        Ok(Some(Ok(answer)))
                    }
                }
            })
            .await
    }

    /// The same for a request with an `Idempotency-Key`, in the same transaction: the rule runs for the first one, and a
    /// repetition gets what that one made. The rule's answer is what was made, such as a refund's number.
    pub async fn change_once<E, F>(
        &self,
        id: PaymentId,
        key: IdempotencyKey,
        now: Ams,
        rule: F,
    ) -> Result<Option<Result<Once, E>>, StoreError>
    where
        F: FnOnce(&Case) -> Result<(Option<Changes>, String), E> + Clone + Send + 'static,
        E: Send + 'static,
    {
        self.database
            .write_payment_and_more(id, move |link| {
                let Some(before) = case::load(link, id)? else {
                    return Ok(None);
                };
                let domain = &before.payment.domain;
                match idempotency::find(link, domain, &key)? {
                    Some(Earlier::Same {
                        payment,
                        made: Some(made),
                    }) if payment == id => {
                        return Ok(Some(Ok(Once::Repeated(made))));
                    }
                    Some(_) => return Ok(Some(Ok(Once::KeyUsedForOtherBody))),
                    None => {}
                }
                match rule.clone()(&before) {
                    Err(refused) => Ok(Some(Err(refused))),
                    Ok((changes, made)) => {
                        if let Some(changes) = changes {
                            invariants::check_change(&before, &changes)?;
                            case::apply(link, &before, &changes)?;
                        }
                        if let Some(seq) = payment::seq(link, id)? {
                            idempotency::keep(link, seq, domain, &key, Some(&made), now)?;
                        }
                        Ok(Some(Ok(Once::Made(made))))
                    }
                }
            })
            .await
    }

    /// A payment's history, the earliest line first; empty when there is no such payment.
    pub async fn history(&self, id: PaymentId) -> Result<Vec<Change>, StoreError> {
        self.database
            .read(move |link| match payment::seq(link, id)? {
                Some(seq) => history::of(link, seq),
                None => Ok(Vec::new()),
            })
            .await
    }

    /// A statement that was acted upon.
    pub async fn statement(&self, digest: Digest) -> Result<Option<StoredStatement>, StoreError> {
        self.database
            .read(move |link| history::statement(link, digest))
            .await
    }

    /// The callback content of this digest.
    pub async fn content(&self, digest: Digest) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        self.database
            .read(move |link| content::bytes(link, digest))
            .await
    }

    /// How many payments are bound to the content of this digest; `None` when it is not stored.
    pub async fn content_uses(&self, digest: Digest) -> Result<Option<u64>, StoreError> {
        self.database
            .read(move |link| content::uses(link, digest))
            .await
    }

    /// Stores content before a payment is bound to it; nothing happens when it is stored already.
    pub async fn put_content(&self, bytes: Arc<Vec<u8>>) -> Result<Digest, StoreError> {
        self.database
            .write(move |link| {
                let digest = Digest::of(&bytes);
                content::keep(link, digest, &bytes)?;
                Ok(digest)
            })
            .await
    }
}
