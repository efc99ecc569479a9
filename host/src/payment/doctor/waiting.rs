//! What waits for a person, or for longer than it should.

use super::{Findings, span};
use crate::payment::error::Result;
use crate::payment::model::Ams;
use crate::payment::{Payments, now_ms};

/// A payment that is still WAIT after so long: platforms know the end of one within hours.
const OLD: Ams = 7 * 24 * 3_600_000;
/// Questions to platforms that are overdue for so long are not asked any more.
const QUESTION_LATE: Ams = 120_000;
/// The same of callbacks: they wait their turn beside slow ones of their own domain.
const DELIVERY_LATE: Ams = 300_000;
/// The same of refunds, for which nobody stands and waits.
const REFUND_LATE: Ams = 600_000;
/// Notifications that did not verify are told while they are new.
const LATELY: Ams = 3_600_000;

impl Payments {
    pub(super) async fn look_at_waiting(&self, found: &mut Findings) -> Result<()> {
        let now = now_ms();
        let standing = self.0.store.standing().await?;
        let late = |due: Option<Ams>, bound: Ams| {
            let by = due.map_or(0, |due| now.saturating_sub(due));
            (by > bound).then(|| span(by))
        };
        if standing.held > 0 {
            let age = span(
                standing
                    .held_since
                    .map_or(0, |since| now.saturating_sub(since)),
            );
            found.wrong(
                "d.payments.held",
                format!(
                    "{} payments are held for a person, one of them for {age}",
                    standing.held
                ),
                "walnut obj /var/payment -match \"{held:true}\" names them; read walnut pay history, then walnut pay resolve",
            );
        }
        if let Some(age) = late(standing.waiting_since, OLD) {
            found.note(
                "d.payments.old",
                format!("a payment has waited for {age}: its platform does not say how it ended"),
                "walnut pay query -st WAIT -sort ct:1 names it; look it up at the platform, or walnut pay close",
            );
        }
        if let Some(by) = late(standing.question_due, QUESTION_LATE) {
            found.wrong(
                "d.questions.late",
                format!("questions to platforms are overdue by {by}"),
                "look in the log for errors of the store and of plugins; a platform that hangs holds its own places only",
            );
        }
        if standing.dead > 0 {
            found.wrong(
                "d.deliveries.dead",
                format!("{} callbacks were given up", standing.dead),
                "their owners read walnut callback deliveries --state dead, mend what is wrong, then walnut callback retry",
            );
        }
        if let Some(by) = late(standing.delivery_due, DELIVERY_LATE) {
            found.wrong(
                "d.deliveries.late",
                format!("callbacks are overdue by {by}; {} wait", standing.deliveries),
                "see whose are slow by walnut callback deliveries; where all are, give the host more --instances",
            );
        }
        if standing.stuck > 0 {
            found.wrong(
                "d.refunds.stuck",
                format!("{} refunds cannot be given back by the platform itself", standing.stuck),
                "\"refund stuck\" in the log names their payments: finish them at the platform's console",
            );
        }
        if let Some(by) = late(standing.refund_due, REFUND_LATE) {
            found.wrong(
                "d.refunds.late",
                format!("work on refunds is overdue by {by}"),
                "look in the log for errors of the store and of plugins",
            );
        }
        let refused = self.refused_notifications();
        let lately = refused
            .iter()
            .filter(|refused| !refused.probe && now.saturating_sub(refused.at) < LATELY);
        let count = lately.count();
        if count > 0 {
            found.note(
                "d.notifications",
                format!("{count} notifications of the last hour were not taken"),
                "walnut pay refused says why and from where: many of one trade mean that its target has a wrong key",
            );
        }
        Ok(())
    }
}
