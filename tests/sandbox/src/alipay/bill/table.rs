//! The two tables of a bill, as Alipay writes them: comma-separated, in GBK, with lines that
//! begin with `#` around them. Cells that a spreadsheet would take for numbers end in a tab.

use encoding_rs::GBK;
use time::OffsetDateTime;

use super::super::clock::{self, Period};
use super::super::fen::Fen;
use super::Line;

const DETAILS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,\
操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,\
商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,\
服务费（元）,分润（元）,备注";

const SUMMARY: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,\
支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）";

/// The buyer as bills show one.
const BUYER: &str = "*家(138****0000)";

/// `…_业务明细.csv`: a line for each payment and each refund; refunds are negative.
pub(super) fn details(
    account: &str,
    period: Period,
    lines: &[Line],
    now: OffsetDateTime,
) -> Vec<u8> {
    let mut text = head("#支付宝业务明细查询", account, period);
    text.push("#-----------------------------------------业务明细列表----------------------------------------".to_owned());
    text.push(DETAILS.to_owned());
    text.extend(lines.iter().map(detail));
    text.push("#-----------------------------------------业务明细列表结束------------------------------------".to_owned());
    let sums = Sums::of(lines);
    text.push(format!(
        "#交易合计：{}笔，商家实收共{}元，商家优惠共0.00元",
        sums.payments, sums.paid
    ));
    text.push(format!(
        "#退款合计：{}笔，商家实收退款共{}元，商家优惠退款共0.00元",
        sums.refunds,
        negative(sums.refunded)
    ));
    text.push(format!("#导出时间：[{}]", clock::chinese_text(now)));
    gbk(&text)
}

/// `…_业务明细(汇总).csv`: the sums; without stores there is one line of them and their total.
pub(super) fn summary(
    account: &str,
    period: Period,
    lines: &[Line],
    now: OffsetDateTime,
) -> Vec<u8> {
    let mut text = head("#支付宝业务汇总查询", account, period);
    text.push("#-----------------------------------------业务汇总列表----------------------------------------".to_owned());
    text.push(SUMMARY.to_owned());
    let sums = Sums::of(lines);
    let received = difference(sums.paid, sums.refunded);
    let net = match sums.paid.minus(sums.fees) {
        Some(paid) => difference(paid, sums.refunded),
        None => negative(sums.fees),
    };
    let (payments, refunds, fees) = (sums.payments, sums.refunds, negative(sums.fees));
    for name in ["\t,\t", "合计,\t"] {
        text.push(format!(
            "{name},{payments}\t,{refunds}\t,{received},{received},0.00,0.00,0.00,{fees},0.00,{net}"
        ));
    }
    text.push("#----------------------------------------业务汇总列表结束-------------------------------------".to_owned());
    text.push(format!("#导出时间：[{}]", clock::chinese_text(now)));
    gbk(&text)
}

fn head(title: &str, account: &str, period: Period) -> Vec<String> {
    let (from, until) = (
        clock::chinese_text(period.from),
        clock::chinese_text(period.until),
    );
    vec![
        title.to_owned(),
        format!("#账号：[{account}]"),
        format!("#起始日期：[{from}]   终止日期：[{until}]"),
    ]
}

fn detail(line: &Line) -> String {
    let refund = line.request_no.as_deref();
    let amount = match refund {
        None => line.amount.to_string(),
        Some(_) => negative(line.amount),
    };
    let store = cell(line.store_id.as_deref().unwrap_or_default());
    let fee = negative(fee(line));
    let cells = [
        format!("{}\t", line.trade_no),
        format!("{}\t", line.out_trade_no),
        format!("{}\t", if refund.is_some() { "退款" } else { "交易" }),
        cell(&line.subject),
        clock::text(line.created),
        clock::text(line.finished),
        format!("{store}\t"),
        format!("{store}\t"),
        "\t".to_owned(),
        "\t".to_owned(),
        format!("{BUYER}\t"),
        amount.clone(),
        amount,
        "0.00".to_owned(),
        "0.00".to_owned(),
        "0.00".to_owned(),
        "0.00".to_owned(),
        "0.00".to_owned(),
        String::new(),
        "0.00\t".to_owned(),
        "0.00".to_owned(),
        format!("{}\t", cell(refund.unwrap_or_default())),
        fee,
        "0.00".to_owned(),
        cell(line.body.as_deref().unwrap_or_default()),
    ];
    cells.join(",")
}

/// What Alipay keeps of a payment: 0.6 %, rounded; nothing of a refund, and nothing comes back.
fn fee(line: &Line) -> Fen {
    match line.request_no {
        None => Fen::new((line.amount.get() * 6 + 500) / 1000),
        Some(_) => Fen::default(),
    }
}

/// Bills have no quotes: what would break a line or a cell is a blank.
fn cell(text: &str) -> String {
    text.replace([',', '\r', '\n', '\t'], " ")
}

fn negative(amount: Fen) -> String {
    if amount == Fen::default() {
        return amount.to_string();
    }
    format!("-{amount}")
}

fn difference(plus: Fen, minus: Fen) -> String {
    match plus.minus(minus) {
        Some(left) => left.to_string(),
        None => negative(minus.minus(plus).unwrap_or_default()),
    }
}

struct Sums {
    payments: usize,
    paid: Fen,
    refunds: usize,
    refunded: Fen,
    fees: Fen,
}

impl Sums {
    fn of(lines: &[Line]) -> Sums {
        let payments = || lines.iter().filter(|line| line.request_no.is_none());
        let refunds = || lines.iter().filter(|line| line.request_no.is_some());
        Sums {
            payments: payments().count(),
            paid: payments().map(|line| line.amount).sum(),
            refunds: refunds().count(),
            refunded: refunds().map(|line| line.amount).sum(),
            fees: payments().map(fee).sum(),
        }
    }
}

/// Each line with its end, in GBK; what GBK has no character for becomes a question mark.
fn gbk(lines: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for character in lines
        .iter()
        .flat_map(|line| line.chars().chain("\r\n".chars()))
    {
        let mut buffer = [0; 4];
        let (encoded, _, unmappable) = GBK.encode(character.encode_utf8(&mut buffer));
        if unmappable {
            bytes.push(b'?');
        } else {
            bytes.extend_from_slice(&encoded);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(amount: u64, request_no: Option<&str>) -> Line {
        let at = clock::parse("2026-01-02 03:04:05").unwrap();
        Line {
            trade_no: "2026010222001400000000000001".to_owned(),
            out_trade_no: "a1".to_owned(),
            subject: "茶,🍵".to_owned(),
            body: None,
            store_id: None,
            created: at,
            finished: at,
            amount: Fen::new(amount),
            request_no: request_no.map(str::to_owned),
        }
    }

    #[test]
    fn a_bill_reads_as_alipays_do() {
        let period = Period::parse("2026-01-02").unwrap();
        let lines = [line(10_000, None), line(40, Some("r1"))];
        let now = clock::parse("2026-01-03 05:46:49").unwrap();
        let bytes = details("20880000000000010156", period, &lines, now);
        let (text, _, wrong) = GBK.decode(&bytes);
        assert!(!wrong);
        let text: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(text[0], "#支付宝业务明细查询");
        assert_eq!(
            text[2],
            "#起始日期：[2026年01月02日 00:00:00]   终止日期：[2026年01月03日 00:00:00]"
        );
        assert_eq!(text[4].split(',').count(), 25);
        assert_eq!(
            text[5],
            "2026010222001400000000000001\t,a1\t,交易\t,茶 ?,2026-01-02 03:04:05,\
             2026-01-02 03:04:05,\t,\t,\t,\t,*家(138****0000)\t,100.00,100.00,0.00,0.00,0.00,0.00,\
             0.00,,0.00\t,0.00,\t,-0.60,0.00,"
        );
        assert!(text[6].contains(",退款\t,") && text[6].contains(",-0.40,-0.40,"));
        assert!(text[6].contains(",r1\t,0.00,"));
        assert_eq!(
            text[8],
            "#交易合计：1笔，商家实收共100.00元，商家优惠共0.00元"
        );
        assert_eq!(
            text[9],
            "#退款合计：1笔，商家实收退款共-0.40元，商家优惠退款共0.00元"
        );
        assert_eq!(
            (text[10], text[11]),
            ("#导出时间：[2026年01月03日 05:46:49]", "")
        );

        let bytes = summary("20880000000000010156", period, &lines, now);
        let text = GBK.decode(&bytes).0;
        assert!(text.contains("合计,\t,1\t,1\t,99.60,99.60,0.00,0.00,0.00,-0.60,0.00,99.00\r\n"));
    }

    #[test]
    fn more_may_go_back_than_came_in() {
        let sums = Sums::of(&[line(40, Some("r1")), line(1, None)]);
        assert_eq!(difference(sums.paid, sums.refunded), "-0.39");
        assert_eq!(negative(Fen::default()), "0.00");
    }
}
