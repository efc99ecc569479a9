//! The bill of a day (交易账单): one line for each payment and each refund, amounts in yuan.

use walnut_sdk::{Bill, BillRow, Currency, Fault, Money, clock, time};

use crate::{meaning, v3};

/// Columns of a bill of type ALL, counted from 0.
const TRANSACTION: usize = 5;
const TRADE: usize = 6;
const STATE: usize = 9;
const REFUND: usize = 15;
const TOTAL: usize = 24;
const REFUNDED: usize = 25;
const COLUMNS: usize = 27;

/// How the first line of a bill begins, and the first of its sums.
const HEAD: &str = "交易时间";
const SUMS: &str = "总交易单数";

/// From the beginning of a day until its bill is out, if there was any business: 10:00 of the next day.
const OUT_AFTER_MS: u64 = 34 * 3600 * 1000;

/// Finds the bill of a day; none where WeChat Pay states that there was no business.
pub(crate) fn find(day: &str) -> Result<Option<Bill>, Fault> {
    let plain = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !plain {
        return Err(Fault::Invalid("a day is written 2026-11-25".to_owned()));
    }
    let path = format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP");
    let answer = v3::get(&path)?;
    match answer.code.as_str() {
        "" if answer.is_done() => {}
        "NO_STATEMENT_EXIST" if is_out(day) => return Ok(None),
        _ => return Err(meaning::of_refusal(&answer)),
    }
    let url = answer
        .text("download_url")
        .ok_or_else(|| Fault::Unknown("WeChat Pay does not say where the bill is".to_owned()))?;
    let sha1 = match answer.text("hash_type").as_deref() {
        Some("SHA1") => answer.text("hash_value"),
        _ => None,
    };
    Ok(Some(Bill { url, sha1 }))
}

/// Whether a bill of the day would be there by now. The same words are said of one that is not made yet.
fn is_out(day: &str) -> bool {
    day <= time::china_day(clock::now_ms().saturating_sub(OUT_AFTER_MS)).as_str()
}

/// Reads whole lines of a bill.
pub(crate) fn rows(chunk: &[u8], first: bool) -> Result<Vec<BillRow>, Fault> {
    let text = str::from_utf8(chunk)
        .map_err(|_| Fault::Unknown("the bill is not UTF-8".to_owned()))?
        .trim_start_matches('\u{feff}');
    let mut lines = text.lines();
    if first {
        let head = lines.next().unwrap_or_default();
        if !head.starts_with(HEAD) || head.split(',').count() != COLUMNS {
            return Err(Fault::Unknown(
                "the bill has other columns than are known here".to_owned(),
            ));
        }
    }
    let mut rows = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        // Each value has a mark before it, which no value begins with; the sums at the end have fewer.
        if line.starts_with(SUMS) {
            break;
        }
        let values: Vec<&str> = line
            .trim_start_matches('`')
            .split(",`")
            .map(str::trim)
            .collect();
        if values.len() != COLUMNS {
            continue;
        }
        rows.push(row(&values)?);
    }
    Ok(rows)
}

fn row(values: &[&str]) -> Result<BillRow, Fault> {
    let at = |column: usize| values.get(column).copied().unwrap_or_default();
    let yuan = |column: usize| {
        let text = match at(column) {
            "" => "0",
            text => text,
        };
        Money::from_decimal(text, Currency::CNY)
            .map_err(|error| Fault::Unknown(format!("the bill has an amount that is {error}")))
    };
    Ok(BillRow {
        trade_no: at(TRADE).to_owned(),
        transaction_id: at(TRANSACTION).to_owned(),
        state: at(STATE).to_owned(),
        amount: yuan(TOTAL)?,
        refunded: yuan(REFUNDED)?,
        refund_no: Some(at(REFUND))
            .filter(|number| !matches!(*number, "" | "0"))
            .map(str::to_owned),
    })
}
