//! The payment's history of a platform (`zfb`, `wx`, …): what its statements say, as owners read it.

use serde_json::{Map, Value, json};

use super::Step;
use crate::payment::model::Payment;

impl Step<'_> {
    /// Writes into the payment's history of this platform what the statement says.
    pub(super) fn note_platform(&self, payment: &mut Payment, what: &str) {
        let reading = self.evidence.reading;
        let mut entry = reading.notes.clone();
        entry.insert("trade_no".into(), json!(self.attempt.trade_no));
        entry.insert("transaction_id".into(), json!(reading.transaction));
        entry.insert("at".into(), json!(self.now));
        if what == "paid" {
            self.edit_notes(payment, |notes| notes.extend(entry));
        } else {
            self.push_note(payment, what, entry);
        }
    }

    /// One more entry in a list of the payment's history of this platform.
    fn push_note(&self, payment: &mut Payment, list: &str, entry: Map<String, Value>) {
        self.edit_notes(payment, |notes| {
            let list = notes.entry(list).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(Value::Object(entry));
            }
        });
    }

    pub(super) fn edit_notes<T>(
        &self,
        payment: &mut Payment,
        edit: impl FnOnce(&mut Map<String, Value>) -> T,
    ) -> T {
        edit_platform(payment, &self.attempt.target.platform, edit)
    }

    /// Writes why the platform declined the attempt: in its own words, and in those that its provider found for them.
    pub(super) fn note_decline(&self, payment: &mut Payment) {
        let mut entry = self.evidence.reading.notes.clone();
        entry.insert("trade_no".into(), json!(self.attempt.trade_no));
        entry.insert("at".into(), json!(self.now));
        // Of a later question's answer, what stands there is no word about this.
        let words = self.attempt.last_error.as_ref();
        if let Some(words) = words.filter(|_| self.evidence.cause == "send") {
            entry.insert("why".into(), json!(words));
        }
        self.push_note(payment, "declined", entry);
    }
}

/// Lets `edit` change the payment's history of one platform.
pub(in crate::payment) fn edit_platform<T>(
    payment: &mut Payment,
    platform: &str,
    edit: impl FnOnce(&mut Map<String, Value>) -> T,
) -> T {
    let mut notes = match payment.platforms.remove(platform) {
        Some(Value::Object(notes)) => notes,
        _ => Map::new(),
    };
    let result = edit(&mut notes);
    payment
        .platforms
        .insert(platform.to_owned(), Value::Object(notes));
    result
}
