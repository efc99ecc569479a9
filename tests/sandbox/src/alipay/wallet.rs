//! The codes that a buyer's phone shows to a till, or that a camera makes of a face.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::content::Scene;
use super::failure::Failure;
use super::numbers::Numbers;

/// How long a code is good: the phone shows a new one every minute.
const CODE_LIFE: Duration = Duration::MINUTE;

/// What the buyer does whose code the till reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buyer {
    /// Pays at once, without a password.
    #[default]
    Pays,
    /// Is asked for the password: 10003, until [`confirm`](super::Alipay::confirm) or
    /// [`refuse`](super::Alipay::refuse).
    IsAsked,
    /// Has not enough: `ACQ.BUYER_BALANCE_NOT_ENOUGH`.
    HasTooLittle,
    /// Has not enough on the card: `ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH`.
    HasTooLittleOnTheCard,
    /// Is the seller: `ACQ.BUYER_SELLER_EQUAL`.
    IsTheSeller,
    /// Is another one than began the trade: `ACQ.TRADE_BUYER_NOT_MATCH`.
    IsAnother,
    /// Cannot pay for a reason of Alipay's: `ACQ.PAYMENT_FAIL`.
    CannotPay,
    /// Cannot be asked for the password: `ACQ.PULL_MOBILE_CASHIER_FAIL`.
    CannotBeAsked,
}

impl Buyer {
    /// Why this buyer cannot pay; none for one who can.
    pub(super) fn refusal(self) -> Option<Failure> {
        let sub_code = match self {
            Buyer::Pays | Buyer::IsAsked => return None,
            Buyer::HasTooLittle => "ACQ.BUYER_BALANCE_NOT_ENOUGH",
            Buyer::HasTooLittleOnTheCard => "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
            Buyer::IsTheSeller => "ACQ.BUYER_SELLER_EQUAL",
            Buyer::IsAnother => "ACQ.TRADE_BUYER_NOT_MATCH",
            Buyer::CannotPay => "ACQ.PAYMENT_FAIL",
            Buyer::CannotBeAsked => "ACQ.PULL_MOBILE_CASHIER_FAIL",
        };
        Some(Failure::business(sub_code))
    }
}

/// The codes that are good.
#[derive(Default)]
pub(super) struct Wallet(HashMap<Scene, (Buyer, OffsetDateTime)>);

impl Wallet {
    /// A new code on the phone of a buyer who does this.
    pub(super) fn show(&mut self, buyer: Buyer, numbers: &Numbers, now: OffsetDateTime) -> String {
        let code = numbers.payment_code();
        self.keep(Scene::Bar(code.clone()), buyer, now);
        code
    }

    /// What a camera makes of the face of a buyer who does this.
    pub(super) fn show_face(
        &mut self,
        buyer: Buyer,
        numbers: &Numbers,
        now: OffsetDateTime,
    ) -> String {
        let code = numbers.face_code();
        self.keep(Scene::Face(code.clone()), buyer, now);
        code
    }

    fn keep(&mut self, scene: Scene, buyer: Buyer, now: OffsetDateTime) {
        self.0.retain(|_, (_, ends)| now < *ends);
        self.0.insert(scene, (buyer, now + CODE_LIFE));
    }

    /// Ends a code before its minute is over.
    pub(super) fn expire(&mut self, code: &str) {
        self.0.remove(&Scene::Bar(code.to_owned()));
        self.0.remove(&Scene::Face(code.to_owned()));
    }

    /// Uses a code, once; whose it is. A malformed, unknown, used or old one is refused alike.
    pub(super) fn take(&mut self, scene: &Scene, now: OffsetDateTime) -> Result<Buyer, Failure> {
        let invalid = || Failure::business("ACQ.PAYMENT_AUTH_CODE_INVALID");
        if !is_well_formed(scene) {
            return Err(invalid());
        }
        let (buyer, ends) = self.0.remove(scene).ok_or_else(invalid)?;
        if now < ends {
            Ok(buyer)
        } else {
            Err(invalid())
        }
    }
}

/// 16 to 24 digits, the first two from 25 to 30; from a face `fp` and 33 more.
fn is_well_formed(scene: &Scene) -> bool {
    match scene {
        Scene::Bar(code) => {
            let kinds = ["25", "26", "27", "28", "29", "30"];
            (16..=24).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_digit())
                && kinds.iter().any(|kind| code.starts_with(kind))
        }
        Scene::Face(code) => {
            code.len() == 35
                && code.starts_with("fp")
                && code.bytes().all(|b| b.is_ascii_alphanumeric())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock;
    use super::*;

    fn bar(code: &str) -> Scene {
        Scene::Bar(code.to_owned())
    }

    #[test]
    fn a_code_is_good_once_and_for_a_minute() {
        let (numbers, now) = (Numbers::new().unwrap(), clock::now());
        let mut wallet = Wallet::default();
        let code = wallet.show(Buyer::IsAsked, &numbers, now);
        assert_eq!(wallet.take(&bar(&code), now), Ok(Buyer::IsAsked));
        assert!(wallet.take(&bar(&code), now).is_err());
        let old = wallet.show(Buyer::Pays, &numbers, now);
        assert!(wallet.take(&bar(&old), now + CODE_LIFE).is_err());
        let face = wallet.show_face(Buyer::Pays, &numbers, now);
        assert!(wallet.take(&bar(&face), now).is_err());
        assert_eq!(wallet.take(&Scene::Face(face), now), Ok(Buyer::Pays));
        let over = wallet.show(Buyer::Pays, &numbers, now);
        wallet.expire(&over);
        assert!(wallet.take(&bar(&over), now).is_err());
    }

    #[test]
    fn codes_have_alipays_forms() {
        for (code, good) in [
            ("2500000000000000", true),
            ("301234567890123456789012", true),
            ("250000000000000", false),
            ("3012345678901234567890123", false),
            ("240000000000000000", false),
            ("310000000000000000", false),
            ("28000000000000000a", false),
            ("２８0000000000000000", false),
            ("", false),
        ] {
            assert_eq!(is_well_formed(&bar(code)), good, "{code}");
        }
        let numbers = Numbers::new().unwrap();
        assert!((0..100).all(|_| is_well_formed(&Scene::Bar(numbers.payment_code()))));
        assert!(is_well_formed(&Scene::Face(numbers.face_code())));
        assert!(!is_well_formed(&Scene::Face("fp0".to_owned())));
    }
}
