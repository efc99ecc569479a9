//! The numbers that PayPal gives out: unique in a run, without meaning but their form.

use std::sync::atomic::{AtomicU64, Ordering};

/// The alphabet of orders, captures, refunds and webhooks.
const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The alphabet of accounts, which leaves out what reads alike (PayPal's `account_id`).
const ACCOUNT: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// The alphabet of clients, secrets and tokens.
const TOKEN: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";

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

    /// So many characters of an alphabet, from as many numbers as they take.
    fn word(&self, alphabet: &[u8], length: usize) -> String {
        let base = u64::try_from(alphabet.len()).unwrap_or(1).max(1);
        let (mut word, mut left) = (String::with_capacity(length), self.next());
        while word.len() < length {
            if left == 0 {
                left = self.next();
            }
            let at = usize::try_from(left % base).unwrap_or(0);
            word.push(char::from(alphabet.get(at).copied().unwrap_or(b'0')));
            left /= base;
        }
        word
    }

    /// An order, a capture, a refund or a webhook: 17 capitals and digits.
    pub(super) fn resource_id(&self) -> String {
        self.word(LETTERS, 17)
    }

    /// A merchant or a payer: 13 characters.
    pub(super) fn account_id(&self) -> String {
        self.word(ACCOUNT, 13)
    }

    /// A client: 80 characters from `A`.
    pub(super) fn client_id(&self) -> String {
        format!("A{}", self.word(TOKEN, 79))
    }

    /// A client's secret: 80 characters from `E`.
    pub(super) fn secret(&self) -> String {
        format!("E{}", self.word(TOKEN, 79))
    }

    /// An access token: 97 characters from `A21AA`.
    pub(super) fn access_token(&self) -> String {
        format!("A21AA{}", self.word(TOKEN, 92))
    }

    /// What a token's answer is salted with.
    pub(super) fn nonce(&self) -> String {
        self.word(TOKEN, 43)
    }

    /// An event: `WH-` and two numbers.
    pub(super) fn event_id(&self) -> String {
        format!("WH-{}-{}", self.word(LETTERS, 17), self.word(LETTERS, 17))
    }

    /// One transmission of an event: a UUID.
    pub(super) fn transmission_id(&self) -> String {
        let (left, right) = (self.next(), self.next());
        let node = right & 0xFFFF_FFFF_FFFF;
        format!(
            "{:08x}-{:04x}-1{:03x}-{:04x}-{node:012x}",
            left >> 32,
            (left >> 16) & 0xFFFF,
            left & 0xFFF,
            0x8000 | ((right >> 48) & 0x3FFF)
        )
    }

    /// A certificate, as in `…/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77`.
    pub(super) fn certificate_id(&self) -> String {
        let (left, right) = (self.next(), self.next());
        format!(
            "CERT-{:08x}-{:08x}-{:08x}",
            left >> 32,
            left & 0xFFFF_FFFF,
            right >> 32
        )
    }

    /// What an answer is found by in PayPal's logs: 13 hexadecimal digits.
    pub(super) fn debug_id(&self) -> String {
        format!("{:013x}", self.next() >> 12)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_have_paypals_forms_and_do_not_repeat() {
        let numbers = Numbers::new().unwrap();
        let ids: BTreeSet<String> = (0..1000).map(|_| numbers.resource_id()).collect();
        assert_eq!(ids.len(), 1000);
        let capitals = |id: &String| id.bytes().all(|b| LETTERS.contains(&b)) && id.len() == 17;
        assert!(ids.iter().all(capitals));
        assert_eq!(numbers.account_id().len(), 13);
        assert_eq!(numbers.client_id().len(), 80);
        assert_eq!(numbers.access_token().len(), 97);
        assert_eq!(numbers.debug_id().len(), 13);
        assert_eq!(numbers.event_id().len(), 38);
        let lengths: Vec<usize> = numbers.transmission_id().split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(numbers.certificate_id().starts_with("CERT-"));
    }
}
