//! The numbers that Alipay gives out: unique in a run, without meaning but their form.

use std::sync::atomic::{AtomicU64, Ordering};

use time::OffsetDateTime;

use super::clock;

/// A source of numbers that nobody can guess from outside and that never repeats in a run.
pub(super) struct Numbers {
    seed: u64,
    given: AtomicU64,
}

impl Numbers {
    /// Starts from a random seed; `None` when the machine's random source fails.
    pub(super) fn new() -> Option<Numbers> {
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed).ok()?;
        Some(Numbers {
            seed: u64::from_le_bytes(seed),
            given: AtomicU64::new(0),
        })
    }

    /// The next number, by SplitMix64: a bijection of its counter, so no two are equal.
    fn next(&self) -> u64 {
        let count = self.given.fetch_add(1, Ordering::Relaxed);
        let mut z = self
            .seed
            .wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// An app: 16 digits.
    pub(super) fn app_id(&self) -> String {
        format!("2021{:012}", self.next() % 1_000_000_000_000)
    }

    /// A seller or a buyer: 16 digits from 2088.
    pub(super) fn user_id(&self) -> String {
        format!("2088{:012}", self.next() % 1_000_000_000_000)
    }

    /// A trade at Alipay: 28 digits, the day first.
    pub(super) fn trade_no(&self, at: OffsetDateTime) -> String {
        format!("{}{:020}", clock::day(at), self.next())
    }

    /// A notification: 34 digits, the day first.
    pub(super) fn notify_id(&self, at: OffsetDateTime) -> String {
        format!("{}002221{:020}", clock::day(at), self.next())
    }

    /// A refund that has no number of the merchant's: made by hand, or by cancelling.
    pub(super) fn refund_no(&self, at: OffsetDateTime) -> String {
        format!("{}{:020}", clock::day(at), self.next())
    }

    /// What stands in a QR code: `bax` and 24 opaque characters.
    pub(super) fn code(&self) -> String {
        let (mut left, mut right) = (self.next(), self.next());
        let mut code = String::from("bax");
        for half in [&mut left, &mut right] {
            for _ in 0..12 {
                code.extend(char::from_digit(u32::try_from(*half % 36).unwrap_or(0), 36));
                *half /= 36;
            }
        }
        code
    }

    /// The serial number of a certificate: 16 bytes, the first of them Alipay's `20`.
    pub(super) fn certificate_serial(&self) -> [u8; 16] {
        let number = (u128::from(self.next()) << 64) | u128::from(self.next());
        let mut bytes = number.to_be_bytes();
        if let Some(first) = bytes.first_mut() {
            *first = 0x20;
        }
        bytes
    }

    /// A payment code that a buyer's phone shows: 18 digits, the first two from 25 to 30.
    pub(super) fn payment_code(&self) -> String {
        let (kind, rest) = (25 + self.next() % 6, self.next() % 10_000_000_000_000_000);
        format!("{kind}{rest:016}")
    }

    /// What a camera that knows the buyer's face gives: `fp` and 33 hex digits.
    pub(super) fn face_code(&self) -> String {
        let (left, right) = (self.next(), self.next());
        format!("fp{left:016x}{right:016x}{:x}", self.next() % 16)
    }

    /// What makes a link hard to guess: 32 hex digits.
    pub(super) fn token(&self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// The trace of one answer, as its `trace_id` header gives it.
    pub(super) fn trace_id(&self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_alipays_forms_and_do_not_repeat() {
        let numbers = Numbers::new().unwrap();
        let at = clock::parse("2026-01-02 03:04:05").unwrap();
        let trade = numbers.trade_no(at);
        assert!(trade.len() == 28 && trade.starts_with("20260102"));
        assert_eq!(numbers.notify_id(at).len(), 34);
        let codes: std::collections::BTreeSet<String> = (0..1000).map(|_| numbers.code()).collect();
        assert_eq!(codes.len(), 1000);
        assert!(
            codes
                .iter()
                .all(|code| code.starts_with("bax") && code.len() == 27)
        );
    }
}
