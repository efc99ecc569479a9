//! Bills: a day's payments and refunds as a file, its hash told before.
//!
//! The columns are those of the platform's own files. A bill of a day is there when the day is
//! over, where the platform takes until ten in the morning; none of a day without business, as at
//! the platform.

use std::io::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use time::{Date, Duration, OffsetDateTime};

use super::super::book::BillFile;
use super::super::clock;
use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::order::{Order, TradeState};
use super::super::platform::Platform;
use super::super::refund::Refund;
use super::Asked;
use super::answer::Answer;

/// How far back bills go.
const OLDEST: Duration = Duration::days(90);

const COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,\
交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,\
退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";

const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// What the platform keeps of a payment: 0.60%.
const RATE: &str = "0.60%";

/// One line, before it is written.
struct Line {
    at: OffsetDateTime,
    text: String,
    paid_fen: u64,
    refunded_fen: u64,
    /// Below zero for what comes back with a refund.
    commission_fen: i64,
}

/// Makes the bill of a day and tells where it is, below the address that was asked.
pub(super) fn trade_bill(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
    base: &str,
) -> Result<Answer, Failure> {
    let wrong = |field: &str, issue: &str| Err(Failure::in_url("query", field, issue));
    let Some(day) = asked.parameter("bill_date").and_then(clock::parse_day) else {
        return wrong("bill_date", "应为YYYY-MM-DD");
    };
    let today = clock::day_of(clock::now());
    if day >= today || day < today - OLDEST {
        let why = "账单日期只能是三个月内已结束的日期";
        return Err(Failure::new(Problem::Request, why));
    }
    let (payments, refunds) = match asked.parameter("bill_type").unwrap_or("ALL") {
        "ALL" => (true, true),
        "SUCCESS" => (true, false),
        "REFUND" => (false, true),
        _ => return wrong("bill_type", "只能是ALL、SUCCESS、REFUND"),
    };
    let gzip = match asked.parameter("tar_type") {
        None => false,
        Some("GZIP") => true,
        Some(_) => return wrong("tar_type", "只能是GZIP"),
    };
    let mut book = platform.book();
    let own = book.orders.values();
    let own = own.filter(|order| order.shop.mchid == shop.mchid);
    let mut lines: Vec<Line> = own
        .flat_map(|order| lines_of(order, day, payments, refunds))
        .collect();
    if lines.is_empty() {
        return Err(Problem::NoStatement.into());
    }
    lines.sort_by_key(|line| line.at);
    let text = written(&lines);
    let hash = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    let token = platform.numbers.token();
    let download_url = format!("{base}/v3/billdownload/file?token={token}");
    let bytes = match gzip {
        true => compressed(text.as_bytes()).ok_or(Problem::System)?,
        false => text.into_bytes(),
    };
    let mchid = shop.mchid.clone();
    book.bills.insert(token, BillFile { mchid, bytes, gzip });
    Ok(Answer::json(json!({
        "hash_type": "SHA1",
        "hash_value": hash,
        "download_url": download_url,
    })))
}

/// Gives the file to the merchant whose bill it is.
pub(super) fn download(
    platform: &Platform,
    shop: &Arc<Shop>,
    asked: &Asked,
) -> Result<Answer, Failure> {
    let token = asked.parameter("token");
    let token = token.ok_or_else(|| Failure::in_url("query", "token", "必填"))?;
    let file = platform.book().bills.get(token).cloned();
    let file = file.ok_or_else(|| Failure::new(Problem::Request, "下载地址无效"))?;
    if file.mchid != shop.mchid {
        return Err(Problem::NoAuth.into());
    }
    Ok(Answer::file(file.bytes, file.gzip))
}

/// An order's lines on a day: its payment on the day that it was paid, each refund on the day
/// that it was accepted, a reversal like a refund.
fn lines_of(order: &Order, day: Date, payments: bool, refunds: bool) -> Vec<Line> {
    let on_day = |at: OffsetDateTime| clock::day_of(at) == day;
    let Some(payment) = &order.payment else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if payments && on_day(payment.at) {
        lines.push(payment_line(order, payment.at));
    }
    if refunds {
        let of_day = order.refunds.iter().filter(|refund| on_day(refund.created));
        lines.extend(of_day.map(|refund| refund_line(order, refund)));
        let reversed = order.ended.filter(|_| order.state == TradeState::Revoked);
        lines.extend(reversed.filter(|at| on_day(*at)).map(|at| {
            let total = order.content.total_fen;
            back_line(order, at, "REVOKED", total, ["", "", "ORIGINAL", "SUCCESS"])
        }));
    }
    lines
}

fn payment_line(order: &Order, at: OffsetDateTime) -> Line {
    let total = order.content.total_fen;
    let fee = commission(total);
    let middle = [&yuan(total), "0.00", "0", "0", "0.00", "0.00", "", ""];
    Line {
        at,
        text: line(order, at, "SUCCESS", middle, fee, [&yuan(total), "0.00"]),
        paid_fen: total,
        refunded_fen: 0,
        commission_fen: fee,
    }
}

fn refund_line(order: &Order, refund: &Refund) -> Line {
    let numbers = [
        refund.refund_id.as_str(),
        refund.content.out_refund_no.as_str(),
        "ORIGINAL",
        refund.status.as_str(),
    ];
    let fee = refund.content.fee_fen;
    back_line(order, refund.created, "REFUND", fee, numbers)
}

fn back_line(
    order: &Order,
    at: OffsetDateTime,
    state: &str,
    back_fen: u64,
    [refund_id, out_refund_no, kind, status]: [&str; 4],
) -> Line {
    let fee = -commission(back_fen);
    let back = yuan(back_fen);
    let middle = [
        "0.00",
        "0.00",
        refund_id,
        out_refund_no,
        &back,
        "0.00",
        kind,
        status,
    ];
    Line {
        at,
        text: line(order, at, state, middle, fee, ["0.00", &back]),
        paid_fen: 0,
        refunded_fen: back_fen,
        commission_fen: fee,
    }
}

/// A line: who and what, `middle` from 应结订单金额 to 退款状态, what it costs, and `last`, which
/// is 订单金额 and 申请退款金额.
fn line(
    order: &Order,
    at: OffsetDateTime,
    state: &str,
    middle: [&str; 8],
    commission_fen: i64,
    last: [&str; 2],
) -> String {
    let (content, shop) = (&order.content, &order.shop);
    let payment = order.payment.as_ref();
    let head = [
        clock::spaced(at),
        shop.appid.clone(),
        shop.mchid.clone(),
        "0".to_owned(),
        content.device_id.clone().unwrap_or_default(),
        payment.map_or_else(String::new, |payment| payment.transaction_id.clone()),
        content.out_trade_no.clone(),
        content
            .openid
            .clone()
            .unwrap_or_else(|| shop.buyer_openid.clone()),
        content.trade_type.as_str().to_owned(),
        state.to_owned(),
        "OTHERS".to_owned(),
        "CNY".to_owned(),
    ];
    let tail = [
        // The file knows no quoting, and the platform's has no comma inside a field.
        content.description.replace([',', '\r', '\n'], " "),
        content
            .attach
            .clone()
            .unwrap_or_default()
            .replace([',', '\r', '\n'], " "),
        long_yuan(commission_fen),
        RATE.to_owned(),
    ];
    let middle = middle.map(str::to_owned);
    let last = last.map(str::to_owned);
    let fields = head.iter().chain(&middle).chain(&tail).chain(&last);
    let fields: Vec<String> = fields.map(|field| format!("`{field}")).collect();
    format!("{},`", fields.join(","))
}

fn written(lines: &[Line]) -> String {
    let paid = lines.iter().map(|line| line.paid_fen).sum();
    let back = lines.iter().map(|line| line.refunded_fen).sum();
    let commission = lines.iter().map(|line| line.commission_fen).sum();
    // The mark of UTF-8 and the line ends are the platform's.
    let mut text = format!("\u{FEFF}{COLUMNS}\r\n");
    for line in lines {
        text.push_str(&line.text);
        text.push_str("\r\n");
    }
    let sums = [
        lines.len().to_string(),
        yuan(paid),
        yuan(back),
        "0.00".to_owned(),
        long_yuan(commission),
        yuan(paid),
        yuan(back),
    ];
    let sums: Vec<String> = sums.iter().map(|sum| format!("`{sum}")).collect();
    text.push_str(&format!("{SUMMARY}\r\n{}\r\n", sums.join(",")));
    text
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Yuan with five decimals, as commissions are written.
fn long_yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}000", yuan(fen.unsigned_abs()))
}

/// 0.6%, rounded to a fen.
fn commission(fen: u64) -> i64 {
    i64::try_from(fen.saturating_mul(6).saturating_add(500) / 1000).unwrap_or(i64::MAX)
}

fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_in_a_bill_is_yuan() {
        assert_eq!(
            (yuan(1), yuan(129_902)),
            ("0.01".to_owned(), "1299.02".to_owned())
        );
        assert_eq!((commission(1), commission(129_902)), (0, 779));
        assert_eq!(
            (long_yuan(779), long_yuan(-7)),
            ("7.79000".to_owned(), "-0.07000".to_owned())
        );
    }

    #[test]
    fn each_line_has_a_field_for_each_column() {
        assert_eq!(COLUMNS.split(',').count(), 27);
        assert_eq!(SUMMARY.split(',').count(), 7);
    }
}
