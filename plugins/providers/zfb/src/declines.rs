//! Why a buyer at the till cannot pay. Source: the official page of `alipay.trade.pay`, "业务错误码" ("支付确认失败").
//!
//! Each of these says that no money was taken and that this trade will take none: the host reads it out of the signed
//! answer, by the claim of the manifest that names the same codes. What only says that the scanned code is no good is not
//! among them: another one may be scanned.

const OTHER_MONEY: &str = "let the buyer pick another way to pay, and make a new payment";

/// The codes, and what is wrong with the buyer's payment.
const DECLINES: &[(&str, &str)] = &[
    (
        "ACQ.BUYER_BALANCE_NOT_ENOUGH",
        "the buyer has not enough money",
    ),
    (
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
        "the buyer's card has not enough money",
    ),
    (
        "ACQ.ERROR_BALANCE_PAYMENT_DISABLE",
        "the buyer has switched off payments from the balance",
    ),
    (
        "ACQ.MOBILE_PAYMENT_SWITCH_OFF",
        "the buyer has switched off payments by phone",
    ),
    (
        "ACQ.USER_FACE_PAYMENT_SWITCH_OFF",
        "the buyer has switched off payments at tills",
    ),
    (
        "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE",
        "the buyer has nothing that can pay this",
    ),
    (
        "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR",
        "the payment is above what the buyer may pay in a day",
    ),
    (
        "ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR",
        "the payment is above what the buyer may pay in a month",
    ),
    (
        "ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT",
        "the buyer has not proved who it is, as this amount asks for",
    ),
    (
        "ACQ.BUYER_ENABLE_STATUS_FORBID",
        "the buyer's account is closed or blocked",
    ),
    (
        "ACQ.BUYER_SELLER_EQUAL",
        "buyer and seller are the same account",
    ),
    (
        "ACQ.PAYMENT_REQUEST_HAS_RISK",
        "Alipay takes the payment for a risk",
    ),
    ("ACQ.PAYMENT_FAIL", "Alipay could not take the money"),
];

/// What to tell the cashier where `sub_code` declines the buyer; `said` is Alipay's own answer.
pub(crate) fn in_words(sub_code: &str, said: &str) -> Option<String> {
    let (_, what) = DECLINES.iter().find(|(known, _)| *known == sub_code)?;
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
        let stated = &manifest["claims"]["pay-declined"]["state"]["declined"];
        assert_eq!(*stated, json!(own));
    }
}
