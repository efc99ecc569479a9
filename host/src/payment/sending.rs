//! The rules of sending, without any I/O: who may call the platform, and what is written of its answer.

use serde_json::{Map, Value, json};

use super::Options;
use super::ending;
use super::error::{PayError, Result};
use super::model::{
    Ams, Attempt, AttemptState, Case, Change, Changes, EndWhy, FailWhy, Offer, Payment,
    Presentation, State, TradeNo,
};
use super::schedule::next_ask;
use super::targets::Chosen;
use crate::trust::{PayType, Resend};

/// How long one caller of the platform keeps the attempt to itself: longer than a provider's call may last, so that
/// nobody else calls in between. Whoever calls more than once renews it.
pub(super) const LEASE: Ams = 45_000;

/// What a sender has to do.
pub(super) enum Claim {
    /// Call the platform for this new attempt of the payment.
    Call {
        payment: Box<Payment>,
        attempt: Box<Attempt>,
    },
    /// Take this attempt up, of which an earlier caller may have called the platform.
    Resume(Box<Attempt>),
    /// It was sent: the answer is in the store.
    Stored(Box<Payment>),
    /// End this attempt first, then look again. It is leased, and the intent is written.
    End(Box<Attempt>),
    /// Somebody else is sending it.
    Busy,
    /// It expired before it was sent.
    Expired,
}

/// What a sender wants.
pub(super) struct Wish<'a> {
    /// What the payment offers of it.
    pub(super) offer: &'a Offer,
    /// The provider and target for a new attempt, or why there is none.
    pub(super) chosen: Result<Chosen>,
    /// Whether the caller's arguments will do for a new attempt.
    pub(super) fitting: Result<()>,
    /// Kept with the attempt where the order may be sent again.
    pub(super) args: Vec<String>,
    pub(super) client_ip: Option<String>,
    /// The pay types of the attempts that were open when the sender looked.
    pub(super) ways: Vec<(TradeNo, PayType)>,
    pub(super) options: &'a Options,
    /// By this time deadlines are judged.
    pub(super) judged_at: Ams,
}

/// Writes the intent, or says that there is nothing to do. What was sent stays sent, whatever became
/// of its target since: only a new attempt needs what was chosen.
pub(super) fn claim(case: &Case, wish: Wish<'_>, now: Ams) -> Result<(Option<Changes>, Claim)> {
    let payment = &case.payment;
    if payment.hold.is_some() {
        return Err(PayError::held(
            "the payment is held for a decision by hand (resolve)",
        ));
    }
    if super::state::is_final(payment.state) {
        return Ok((None, Claim::Stored(Box::new(payment.clone()))));
    }
    let open: Vec<&Attempt> = case
        .attempts
        .iter()
        .filter(|attempt| attempt.is_open())
        .collect();
    let superseded = |attempt: &Attempt| {
        attempt
            .ending
            .is_some_and(|ending| ending.why == EndWhy::Superseded)
    };
    if let Some(current) = open.iter().rev().find(|attempt| !superseded(attempt)) {
        return again(case, current, &wish, now);
    }
    if let Some(earlier) = open.first().filter(|_| !wish.options.overlap.is_on()) {
        return Err(cannot_switch(earlier));
    }
    if wish.judged_at >= payment.expires_ms {
        // With an earlier attempt that may still be paid, its own end decides.
        let expired = open
            .is_empty()
            .then(|| ending::fail(payment, FailWhy::Expired, "expire", now));
        return Ok((expired, Claim::Expired));
    }
    wish.fitting?;
    let chosen = wish.chosen?;
    let number = u32::try_from(case.attempts.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let attempt = new_attempt(
        payment,
        &chosen,
        number,
        wish.args,
        wish.client_ip,
        wish.options,
        now,
    );
    let mut changed = payment.clone();
    changed.state = State::Wait;
    changed.changed_ms = now;
    changed.sent_ms = now;
    changed.pay_type = Some(attempt.pay_type.clone());
    changed.target = Some(attempt.target.name.clone());
    changed.presentation = None;
    let mut line = line(payment, &changed, &attempt, "send", now);
    line.detail.insert("pay_tp".into(), json!(attempt.pay_type));
    line.detail
        .insert("pay_target".into(), json!(attempt.target.name));
    let claim = Claim::Call {
        payment: Box::new(changed.clone()),
        attempt: Box::new(attempt.clone()),
    };
    Ok((Some(changes(changed, attempt, line)), claim))
}

/// The payment has an open attempt: its answer is stored, it has to be taken up again, or ended for another one.
fn again(
    case: &Case,
    current: &Attempt,
    wish: &Wish<'_>,
    now: Ams,
) -> Result<(Option<Changes>, Claim)> {
    let payment = &case.payment;
    let stored = || Ok((None, Claim::Stored(Box::new(payment.clone()))));
    let busy = || Ok((None, Claim::Busy));
    let same =
        current.pay_type == wish.offer.pay_tp && current.target.name == wish.offer.pay_target;
    let way = wish
        .ways
        .iter()
        .find(|(trade_no, _)| *trade_no == current.trade_no);
    let Some((_, way)) = way else {
        // It was begun after the sender looked.
        return busy();
    };
    if current.ending.is_some() {
        return if same { stored() } else { busy() };
    }
    if !same && way.reversible {
        return Err(PayError::switch(format!(
            "the payment was sent by {} already and its end is not known yet: wait for it, or undo it (reverse)",
            current.pay_type
        )));
    }
    let over = wish.judged_at >= current.payable_until_ms;
    let outdated = over && wish.judged_at < payment.expires_ms && !way.reversible;
    if !same || outdated {
        if current.leased_until_ms > now {
            return busy();
        }
        let why = if same {
            EndWhy::Expired
        } else {
            EndWhy::Superseded
        };
        let leased = lease(current, now);
        let changes = ending::begin(case, &leased, why, now);
        let begun = changes.attempts.first().cloned().unwrap_or(leased);
        return Ok((Some(changes), Claim::End(Box::new(begun))));
    }
    // WeChat's address for a mobile browser is good for five minutes of the order's time: the same order gives another.
    let shown = payment.presentation.as_ref();
    let to_show =
        current.state == AttemptState::Wait && shown.is_some_and(|shown| shown.is_of_use(now));
    if to_show || way.resend == Resend::Never || over {
        return if current.leased_until_ms > now && !to_show {
            busy()
        } else {
            stored()
        };
    }
    if current.leased_until_ms > now {
        return busy();
    }
    let attempt = lease(current, now);
    let mut changed = payment.clone();
    changed.changed_ms = now;
    let line = line(payment, &changed, &attempt, "resend", now);
    Ok((
        Some(changes(changed, attempt.clone(), line)),
        Claim::Resume(Box::new(attempt)),
    ))
}

/// An earlier attempt that could not be closed, where the operator does not let attempts overlap.
pub(super) fn cannot_switch(earlier: &Attempt) -> PayError {
    PayError::switch(format!(
        "the payment was sent by {} to the target {:?} already, and the platform cannot close that before \
         somebody uses it: it may be paid until {} (milliseconds since 1970)",
        earlier.pay_type, earlier.target.name, earlier.payable_until_ms
    ))
}

/// The attempt, kept to one caller of the platform.
pub(super) fn lease(attempt: &Attempt, now: Ams) -> Attempt {
    let mut leased = attempt.clone();
    leased.fence += 1;
    leased.leased_until_ms = now + LEASE;
    leased
}

/// A new attempt at paying: with the payment's own id as its number when it is the first.
pub(super) fn new_attempt(
    payment: &Payment,
    chosen: &Chosen,
    number: u32,
    args: Vec<String>,
    client_ip: Option<String>,
    options: &Options,
    now: Ams,
) -> Attempt {
    let trade_no = if number == 1 {
        TradeNo::first(payment.id)
    } else {
        TradeNo::generate()
    };
    let valid_ms = chosen
        .provider
        .manifest
        .pay_type(&chosen.pay_type)
        .map_or(0, |pay_type| pay_type.valid_s.saturating_mul(1000));
    let expires_ms = payment.expires_ms.min(now + valid_ms).max(now);
    Attempt {
        notify_url: format!("{}/pay/re/{trade_no}", options.public_url),
        trade_no,
        payment: payment.id,
        number,
        pay_type: chosen.pay_type.clone(),
        target: chosen.target.clone(),
        provider: chosen.provider.digest,
        state: AttemptState::Intent,
        fail_why: None,
        created_ms: now,
        expires_ms,
        payable_until_ms: expires_ms,
        client_ip,
        args,
        ending: None,
        paid_minor: None,
        notes: Map::new(),
        transaction_id: None,
        fence: 1,
        leased_until_ms: now + LEASE,
        ask_at_ms: now + LEASE,
        asks: 0,
        asked_ms: 0,
        last_error: None,
    }
}

/// The platform answered; `words` say why it refuses the buyer, where it does.
pub(super) fn record(
    case: &Case,
    trade_no: &TradeNo,
    fence: u64,
    presentation: Option<Presentation>,
    notes: Option<Map<String, Value>>,
    words: Option<String>,
    now: Ams,
) -> (Option<Changes>, Payment) {
    let Some(mut attempt) = held_by(case, trade_no, fence) else {
        return (None, case.payment.clone());
    };
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    attempt.leased_until_ms = 0;
    attempt.last_error = words;
    if let Some(notes) = notes {
        attempt.notes = notes;
    }
    if attempt.state == AttemptState::Intent {
        attempt.state = AttemptState::Wait;
    }
    attempt.ask_at_ms = next_ask(&attempt, now);
    // The notification may have been faster than the answer: then there is nothing to show. Nor is there when
    // another attempt was begun meanwhile.
    let shown = payment.state == State::Wait && attempt.is_open() && attempt.ending.is_none();
    if shown && presentation.is_some() {
        payment.presentation = presentation;
    }
    let mut line = line(&case.payment, &payment, &attempt, "sent", now);
    line.detail.insert(
        "re_tp".into(),
        json!(payment.presentation.as_ref().map(|p| p.kind)),
    );
    (Some(changes(payment.clone(), attempt, line)), payment)
}

/// The provider refused before any trade was made: the attempt is over, the payment may be sent again.
pub(super) fn refuse(
    case: &Case,
    trade_no: &TradeNo,
    fence: u64,
    why: String,
    now: Ams,
) -> Option<Changes> {
    let mut attempt = held_by(case, trade_no, fence)?;
    if attempt.state == AttemptState::Intent {
        attempt.state = AttemptState::Refused;
    }
    attempt.leased_until_ms = 0;
    attempt.last_error = Some(why.clone());
    attempt.ask_at_ms = next_ask(&attempt, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(&case.payment, &payment, &attempt, "refused", now);
    line.detail.insert("error".into(), json!(why));
    Some(changes(payment, attempt, line))
}

pub(super) fn released(
    case: &Case,
    trade_no: &TradeNo,
    fence: u64,
    error: Option<String>,
    now: Ams,
) -> Option<Changes> {
    let mut attempt = held_by(case, trade_no, fence)?;
    attempt.leased_until_ms = 0;
    attempt.last_error = error.clone();
    attempt.ask_at_ms = next_ask(&attempt, now);
    let mut payment = case.payment.clone();
    payment.changed_ms = now;
    let mut line = line(&case.payment, &payment, &attempt, "unknown", now);
    if let Some(error) = error {
        line.detail.insert("error".into(), json!(error));
    }
    Some(changes(payment, attempt, line))
}

/// The attempt, if the caller still holds it; whoever holds an older fence may not write.
pub(super) fn held_by(case: &Case, trade_no: &TradeNo, fence: u64) -> Option<Attempt> {
    case.attempts
        .iter()
        .find(|attempt| attempt.trade_no == *trade_no && attempt.fence == fence)
        .cloned()
}

fn line(before: &Payment, after: &Payment, attempt: &Attempt, cause: &str, now: Ams) -> Change {
    Change {
        at: now,
        cause: cause.to_owned(),
        from: Some(before.state),
        to: after.state,
        trade_no: Some(attempt.trade_no.to_string()),
        statement: None,
        detail: Map::new(),
    }
}

fn changes(payment: Payment, attempt: Attempt, line: Change) -> Changes {
    Changes {
        attempts: vec![attempt],
        history: vec![line],
        ..Changes::of(payment)
    }
}
