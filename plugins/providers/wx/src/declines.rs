//! Why a buyer at the till cannot pay. Sources: the official pages of `micropay` ("支付确认失败") and of `codepay`.
//!
//! Each of these says that no money was taken and that this order will take none: the host reads it out of the signed
//! answer, by the claims of the manifest that name the same codes. What only says that the scanned code is no good is not
//! among them: another one may be scanned.

const OTHER_MONEY: &str = "let the buyer pick another way to pay, and make a new payment";

/// The codes, and what is wrong with the buyer's payment.
const DECLINES: &[(&str, &str)] = &[
    ("NOTENOUGH", "the buyer has not enough money"),
    ("NOT_ENOUGH", "the buyer has not enough money"),
    ("NOTSUPORTCARD", "the buyer's card cannot be used for this"),
    (
        "RULELIMIT",
        "the payment is above a limit of the buyer or the merchant",
    ),
    (
        "RULE_LIMIT",
        "the payment is above a limit of the buyer or the merchant",
    ),
    ("TRADE_ERROR", "WeChat Pay refuses the buyer's payment"),
    ("ACCOUNTERROR", "the buyer's account is not in order"),
    ("ACCOUNT_ERROR", "the buyer's account is not in order"),
];

/// What to tell the cashier where `code` declines the buyer; `said` is the platform's own answer.
pub(crate) fn in_words(code: &str, said: &str) -> Option<String> {
    let (_, what) = DECLINES.iter().find(|(known, _)| *known == code)?;
    Some(format!("{what}: {OTHER_MONEY} ({said})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use walnut_sdk::serde_json::{Value, from_str, json};

    #[test]
    fn the_manifest_names_the_same_codes() {
        let manifest: Value = from_str(include_str!("../manifest.json")).unwrap();
        let own: Vec<&str> = DECLINES.iter().map(|(code, _)| *code).collect();
        for claim in ["codepay-declined", "micropay-declined"] {
            let stated = &manifest["claims"][claim]["state"]["declined"];
            assert_eq!(*stated, json!(own), "{claim}");
        }
    }
}
