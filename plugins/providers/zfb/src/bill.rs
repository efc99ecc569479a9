//! The bill of a day (业务账单): a detail file with one line for each payment and each refund, and a summary file.
//! Amounts are yuan, those of refunds negative.

use serde::Serialize;
use walnut_sdk::{Bill, BillRow, Currency, Fault, Money, clock, time};

use crate::gateway::call;
use crate::meaning;

/// The address as Alipay writes it, and as it is fetched: the bill is nobody else's matter.
const IN_THE_OPEN: &str = "http://dwbillcenter.alipay.com/";
const OVER_TLS: &str = "https://dwbillcenter.alipay.com/";

/// How the first line of each file begins.
const DETAILS: &str = "#支付宝业务明细";
const SUMMARY: &str = "#支付宝业务汇总";

/// The columns of a detail file.
const HEAD: [&str; 25] = [
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "商品名称",
    "创建时间",
    "完成时间",
    "门店编号",
    "门店名称",
    "操作员",
    "终端号",
    "对方账户",
    "订单金额（元）",
    "商家实收（元）",
    "支付宝红包（元）",
    "集分宝（元）",
    "支付宝优惠（元）",
    "商家优惠（元）",
    "券核销金额（元）",
    "券名称",
    "商家红包消费金额（元）",
    "卡消费金额（元）",
    "退款批次号/请求号",
    "服务费（元）",
    "分润（元）",
    "备注",
];

/// Those that are read, counted from 0.
const TRANSACTION: usize = 0;
const TRADE: usize = 1;
const KIND: usize = 2;
const CREATED: usize = 4;
const FINISHED: usize = 5;
const TOTAL: usize = 11;
const REQUEST: usize = 21;

/// The kind of a line that gives money back.
const REFUND: &str = "退款";

#[derive(Serialize)]
struct Question<'a> {
    bill_type: &'static str,
    bill_date: &'a str,
}

/// From the beginning of a day until its bill is out, if there was any business: 10:00 of the next day, to be sure of 9:00.
const OUT_AFTER_MS: u64 = 34 * 3600 * 1000;

/// Finds the bill of a day; none where Alipay states that there was no business.
pub(crate) fn find(day: &str) -> Result<Option<Bill>, Fault> {
    let plain = day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if !plain {
        return Err(Fault::Invalid("a day is written 2026-11-25".to_owned()));
    }
    let question = Question {
        bill_type: "trade",
        bill_date: day,
    };
    let method = "alipay.data.dataservice.bill.downloadurl.query";
    let answer = call(method, &question, None)?;
    if answer.says("isp.bill_not_exist") && is_out(day) {
        return Ok(None);
    }
    if !answer.is_done() {
        return Err(meaning::of_refusal(&answer));
    }
    let url = answer
        .bill_download_url
        .ok_or_else(|| Fault::Unknown("Alipay does not say where the bill is".to_owned()))?;
    let url = match url.strip_prefix(IN_THE_OPEN) {
        Some(rest) => format!("{OVER_TLS}{rest}"),
        None => url,
    };
    Ok(Some(Bill { url, sha1: None }))
}

/// Whether a bill of the day would be there by now. The same words are said of one that is not made yet.
fn is_out(day: &str) -> bool {
    day <= time::china_day(clock::now_ms().saturating_sub(OUT_AFTER_MS)).as_str()
}

/// Reads whole lines of one of the files. Only lines of the detail file have its columns.
pub(crate) fn rows(chunk: &[u8], first: bool) -> Result<Vec<BillRow>, Fault> {
    let text = str::from_utf8(chunk)
        .map_err(|_| Fault::Unknown("the bill is not UTF-8".to_owned()))?
        .trim_start_matches('\u{feff}');
    if first && text.starts_with(SUMMARY) {
        return Ok(Vec::new());
    }
    if first && !text.starts_with(DETAILS) {
        return Err(unknown_columns());
    }
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    if first && let Some(head) = lines.next() {
        let names: Vec<&str> = head.split(',').map(str::trim).collect();
        if names != HEAD {
            return Err(unknown_columns());
        }
    }
    let rows = lines.filter_map(|line| values(line).map(|values| row(&values)));
    rows.collect()
}

fn unknown_columns() -> Fault {
    Fault::Unknown("the bill has other columns than are known here".to_owned())
}

/// The values of a line by their columns; none where it is no line of the detail file. Values are not quoted: commas
/// in the goods' name make more of them, and the two times behind it tell how many.
fn values(line: &str) -> Option<Vec<&str>> {
    let mut values: Vec<&str> = line.split(',').map(str::trim).collect();
    let more = values.len().checked_sub(HEAD.len())?;
    let times = values.get(CREATED..=FINISHED + more)?;
    let surplus = times
        .windows(2)
        .position(|pair| pair.iter().all(|value| is_time(value)))?;
    values.drain(CREATED..CREATED + surplus);
    Some(values)
}

/// `yyyy-MM-dd HH:mm:ss`.
fn is_time(value: &str) -> bool {
    let fits = |(pattern, b): (u8, u8)| match pattern {
        b'0' => b.is_ascii_digit(),
        mark => mark == b,
    };
    value.len() == 19
        && b"0000-00-00 00:00:00"
            .iter()
            .copied()
            .zip(value.bytes())
            .all(fits)
}

fn row(values: &[&str]) -> Result<BillRow, Fault> {
    let at = |column: usize| values.get(column).copied().unwrap_or_default();
    let nothing = Money::from_decimal("0", Currency::CNY).map_err(|error| odd(&error))?;
    let (given_back, yuan) = match at(TOTAL).strip_prefix('-') {
        Some(yuan) => (true, yuan),
        None => (false, at(TOTAL)),
    };
    let total = Money::from_decimal(yuan, Currency::CNY).map_err(|error| odd(&error))?;
    let refund = given_back || at(KIND) == REFUND;
    let (amount, refunded) = if refund {
        (nothing, total)
    } else {
        (total, nothing)
    };
    Ok(BillRow {
        trade_no: at(TRADE).to_owned(),
        transaction_id: at(TRANSACTION).to_owned(),
        state: at(KIND).to_owned(),
        amount,
        refunded,
        refund_no: Some(at(REQUEST))
            .filter(|number| refund && !number.is_empty())
            .map(str::to_owned),
    })
}

fn odd(error: &impl std::fmt::Display) -> Fault {
    Fault::Unknown(format!("the bill has an amount that is {error}"))
}
