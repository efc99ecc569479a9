//! The numbers that WeChat Pay gives out: unique in a run, without meaning but their form.

use std::sync::atomic::{AtomicU64, Ordering};

use time::OffsetDateTime;

use super::clock;

const SMALL: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const LARGE: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ALL: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// How many characters one number of 64 bits fills without a loss in the largest alphabet.
const CHARACTERS_PER_NUMBER: usize = 10;

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

    fn digits(&self, length: u32) -> String {
        let number = self.next() % 10_u64.pow(length);
        format!(
            "{number:0width$}",
            width = usize::try_from(length).unwrap_or(0)
        )
    }

    fn letters(&self, alphabet: &[u8], length: usize) -> String {
        let base = u64::try_from(alphabet.len()).unwrap_or(1);
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let mut number = self.next();
            for _ in 0..CHARACTERS_PER_NUMBER.min(length - text.len()) {
                let letter = usize::try_from(number % base)
                    .ok()
                    .and_then(|at| alphabet.get(at));
                text.push(char::from(*letter.unwrap_or(&b'0')));
                number /= base;
            }
        }
        text
    }

    /// A merchant: 10 digits.
    pub(super) fn mchid(&self) -> String {
        format!("1{}", self.digits(9))
    }

    /// An official account, mini program or app: `wx` and 16 hex digits.
    pub(super) fn appid(&self) -> String {
        format!("wx{:016x}", self.next())
    }

    /// A buyer, as one appid knows them: 28 characters from `o`.
    pub(super) fn openid(&self) -> String {
        format!("o{}", self.letters(ALL, 27))
    }

    /// A public key of the platform, by its merchant.
    pub(super) fn public_key_id(&self, mchid: &str) -> String {
        format!("PUB_KEY_ID_01{mchid}{}", self.digits(18))
    }

    /// A transaction: 28 digits from 4200.
    pub(super) fn transaction_id(&self, at: OffsetDateTime) -> String {
        format!("4200{}{}", day(at), self.digits(16))
    }

    /// A refund: 29 digits from 50.
    pub(super) fn refund_id(&self, at: OffsetDateTime) -> String {
        format!("5030{}{}", day(at), self.digits(17))
    }

    /// A prepaid transaction session: `wx`, the second, 20 hex digits.
    pub(super) fn prepay_id(&self, at: OffsetDateTime) -> String {
        let tail = self.letters(HEX, 20).to_ascii_lowercase();
        format!("wx{}{tail}", clock::compact(at))
    }

    /// `pr` of a code that a buyer scans.
    pub(super) fn code(&self) -> String {
        self.letters(ALL, 9)
    }

    /// A payment code on a buyer's screen: 18 digits from 13.
    pub(super) fn auth_code(&self) -> String {
        format!("13{}", self.digits(16))
    }

    /// A nonce of a signature.
    pub(super) fn nonce(&self) -> String {
        self.letters(LARGE, 32)
    }

    /// A nonce of a seal, 12 characters.
    pub(super) fn seal_nonce(&self) -> String {
        self.letters(SMALL, 12)
    }

    /// A notification: 36 characters.
    pub(super) fn event_id(&self) -> String {
        let text = self.letters(HEX, 32).to_ascii_lowercase();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ]
        .join("-")
    }

    /// A request, with the number of what became of it.
    pub(super) fn request_id(&self, outcome: u32) -> String {
        format!("08{}-{outcome}", self.letters(HEX, 40))
    }

    /// The token of a download.
    pub(super) fn token(&self) -> String {
        self.letters(ALL, 64)
    }

    /// What a probe has for a signature: the mark, and letters that are no base64 of anything.
    pub(super) fn probe_signature(&self) -> String {
        format!("WECHATPAY/SIGNTEST/{}", self.letters(ALL, 338))
    }

    /// The serial number of a certificate that does not exist.
    pub(super) fn serial(&self) -> String {
        self.letters(HEX, 40)
    }
}

fn day(at: OffsetDateTime) -> String {
    clock::compact(at).get(..8).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_have_wechat_pays_forms_and_do_not_repeat() {
        let numbers = Numbers::new().unwrap();
        let at = clock::parse_rfc3339("2026-01-02T03:04:05+08:00").unwrap();
        let transaction = numbers.transaction_id(at);
        assert!(transaction.len() == 28 && transaction.starts_with("420020260102"));
        assert_eq!(numbers.refund_id(at).len(), 29);
        let prepay = numbers.prepay_id(at);
        assert!(prepay.len() == 36 && prepay.starts_with("wx20260102030405"));
        assert_eq!(
            (
                numbers.mchid().len(),
                numbers.appid().len(),
                numbers.openid().len()
            ),
            (10, 18, 28)
        );
        assert_eq!(
            (numbers.auth_code().len(), numbers.seal_nonce().len()),
            (18, 12)
        );
        assert_eq!((numbers.event_id().len(), numbers.nonce().len()), (36, 32));
        assert!(!numbers.probe_signature().len().is_multiple_of(4));
        let codes: BTreeSet<String> = (0..1000).map(|_| numbers.code()).collect();
        assert_eq!(codes.len(), 1000);
    }
}
