//! Payments at the till (付款码支付): the buyer's code is scanned, and the answer says what came of it. No notification
//! follows. What is not answered is asked about, and undone at its deadline.

use serde::Serialize;
use walnut_sdk::{Attempt, Fault, Outcome, Reversal, Sent, Statement, clock, settings};

use crate::order::{Amount, amount, description};
use crate::v3::{appid, mchid};
use crate::{CODEPAY_DECLINED, QUERY, declines, meaning, order, v2, v3};

/// WeChat Pay wants to be asked to undo a payment no sooner than 15 s after it was made, and the order took a while to
/// get there.
const NOT_BEFORE_MS: u64 = 17_000;

/// How long a buyer's code is good for.
const CODE_LIFE_MS: u64 = 60_000;

/// How long to wait until it is asked again to undo one.
const AGAIN_MS: u32 = 5_000;

/// Whether the target's payments at the till go by v2.
pub(crate) fn is_v2() -> bool {
    settings::get("scan_api").as_deref() != Some("v3")
}

/// What is ordered by v3.
#[derive(Serialize)]
struct CodePay {
    appid: String,
    mchid: String,
    description: String,
    out_trade_no: String,
    payer: Payer,
    amount: Amount,
    scene_info: Scene,
}

#[derive(Serialize)]
struct Payer {
    auth_code: String,
}

#[derive(Serialize)]
struct Scene {
    device_ip: String,
    store_info: Store,
}

#[derive(Serialize)]
struct Store {
    id: String,
}

/// Charges the buyer whose code is the first argument.
pub(crate) fn send(attempt: &Attempt, args: &[String]) -> Result<Sent, Fault> {
    let code = payment_code(args)?;
    if is_v2() {
        by_v2(attempt, code)
    } else {
        by_v3(attempt, code)
    }
}

/// The platform states that this buyer cannot pay. Its answer names no trade: the host knows for which it asked.
fn declined(claim: &str, statement: Statement, words: String) -> Sent {
    Sent {
        words: Some(words),
        ..Sent::of(Outcome::trade(claim, statement))
    }
}

/// 18 digits, of which the first two are 10 to 15.
fn payment_code(args: &[String]) -> Result<&str, Fault> {
    let code = args.first().map(|code| code.trim()).unwrap_or_default();
    let kind = code.get(..2).unwrap_or_default();
    let fits = code.len() == 18
        && code.bytes().all(|b| b.is_ascii_digit())
        && ("10"..="15").contains(&kind);
    if fits {
        Ok(code)
    } else {
        Err(Fault::Invalid(
            "wx.scan needs the buyer's payment code as the first argument: 18 digits that begin with 10 to 15"
                .to_owned(),
        ))
    }
}

fn by_v2(attempt: &Attempt, code: &str) -> Result<Sent, Fault> {
    // Without it a payment of unknown end could not be undone.
    if settings::get("mch_certificate").is_none_or(|pem| pem.is_empty()) {
        return Err(Fault::Misconfigured(
            "payments at the till need mch_certificate in the target's settings, to undo them"
                .to_owned(),
        ));
    }
    amount(attempt)?;
    let (body, fee) = (description(attempt), attempt.total.minor().to_string());
    let address = device_address(attempt);
    let answer = v2::call(
        "/pay/micropay",
        &[
            ("body", &body),
            ("out_trade_no", &attempt.trade_no),
            ("total_fee", &fee),
            ("spbill_create_ip", &address),
            ("auth_code", code),
        ],
    )?;
    if let Some(words) = declines::in_words(&answer.code, &answer.words) {
        return Ok(declined(v2::MICROPAY_DECLINED, answer.statement, words));
    }
    let outcome = match answer.code.as_str() {
        "" => Outcome::trade(v2::MICROPAY, answer.statement),
        "USERPAYING" => Outcome::Pending,
        code if meaning::ends_the_trade(code) => Outcome::Ask,
        code => return Err(meaning::of_refused_charge(code, &answer.words)),
    };
    Ok(Sent::of(outcome))
}

fn by_v3(attempt: &Attempt, code: &str) -> Result<Sent, Fault> {
    let order = CodePay {
        appid: appid()?,
        mchid: mchid()?,
        description: description(attempt),
        out_trade_no: attempt.trade_no.clone(),
        payer: Payer {
            auth_code: code.to_owned(),
        },
        amount: amount(attempt)?,
        scene_info: Scene {
            device_ip: device_address(attempt),
            store_info: Store {
                id: settings::get("store_id").unwrap_or_else(|| "1".to_owned()),
            },
        },
    };
    let answer = v3::post("/v3/pay/transactions/codepay", &order)?;
    if answer.is_done() {
        return Ok(Sent::of(Outcome::trade(QUERY, answer.statement)));
    }
    let words = declines::in_words(&answer.code, &answer.in_words());
    // A server that failed may have acted, whatever code it gives.
    if let Some(words) = words.filter(|_| answer.status < 500) {
        return Ok(declined(CODEPAY_DECLINED, answer.statement, words));
    }
    meaning::of_refused_order(&answer).map(Sent::of)
}

/// Undoes a payment: one that was paid gives the money back.
pub(crate) fn reverse(attempt: &Attempt) -> Result<Reversal, Fault> {
    let since_ms = clock::now_ms().saturating_sub(attempt.created_ms);
    if since_ms < NOT_BEFORE_MS {
        let left_ms = NOT_BEFORE_MS - since_ms;
        return Ok(Reversal::AgainInMs(
            u32::try_from(left_ms).unwrap_or(AGAIN_MS),
        ));
    }
    if is_v2() {
        return reverse_by_v2(attempt, since_ms);
    }
    let path = format!("{}/{}/reverse", order::BY_NUMBER, attempt.trade_no);
    let body = walnut_sdk::serde_json::json!({"appid": appid()?, "mchid": mchid()?});
    let answer = v3::post(&path, &body)?;
    match answer.code.as_str() {
        "" if answer.is_done() => Ok(Reversal::Undone),
        "ORDER_CLOSED" | "ORDERCLOSED" | "ORDERREVERSED" => Ok(Reversal::Undone),
        "ORDER_NOT_EXIST" | "ORDERNOTEXIST" if since_ms >= CODE_LIFE_MS => Ok(Reversal::Undone),
        "ORDER_NOT_EXIST" | "ORDERNOTEXIST" => Ok(Reversal::AgainInMs(AGAIN_MS)),
        // It may be too early, or busy.
        "INVALID_REQUEST" | "FREQUENCY_LIMITED" | "SYSTEM_ERROR" => {
            Ok(Reversal::AgainInMs(AGAIN_MS))
        }
        _ => Err(meaning::of_refusal(&answer)),
    }
}

fn reverse_by_v2(attempt: &Attempt, since_ms: u64) -> Result<Reversal, Fault> {
    let answer = v2::call(
        "/secapi/pay/reverse",
        &[("out_trade_no", &attempt.trade_no)],
    )?;
    let again = answer.field("recall").as_deref() == Some("Y");
    match answer.code.as_str() {
        _ if again => Ok(Reversal::AgainInMs(AGAIN_MS)),
        "" | "ORDERCLOSED" | "ORDERREVERSED" => Ok(Reversal::Undone),
        // Nothing was ordered. It may still come while the buyer's code is good.
        "ORDERNOTEXIST" | "ORDER_NOT_EXIST" if since_ms < CODE_LIFE_MS => {
            Ok(Reversal::AgainInMs(AGAIN_MS))
        }
        "ORDERNOTEXIST" | "ORDER_NOT_EXIST" => Ok(Reversal::Undone),
        "REVERSE_EXPIRE" | "TRADE_STATE_ERROR" => Ok(Reversal::Refused(answer.words)),
        code => Err(meaning::of_code(code, &answer.words)),
    }
}

/// The till's address, where the caller told it; WeChat Pay only wants one to be there.
fn device_address(attempt: &Attempt) -> String {
    attempt
        .client_ip
        .clone()
        .unwrap_or_else(|| "127.0.0.1".to_owned())
}
