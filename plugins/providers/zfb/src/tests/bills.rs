//! The bill of a day.

use walnut_sdk::BillRow;

use super::*;

const REFUND_NO: &str = "0190f1c0a7a47000a000000000000002";

const HEAD: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,\
商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

fn line(kind: &str, name: &str, amount: &str, request: &str) -> String {
    format!(
        "2026112522001400000000000001\t,{TRADE}\t,{kind}\t,{name},2026-11-25 10:00:00,2026-11-25 10:00:07,\t,\t,\t,\t,\
         *家(138****0000)\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,{request}\t,-0.14,0.00,备注"
    )
}

fn details(lines: &[String]) -> Vec<u8> {
    let lines = lines.join("\r\n");
    format!(
        "#支付宝业务明细查询\r\n#账号：[20880000000000010156]\r\n#起始日期：[2026年11月25日 00:00:00]   \
         终止日期：[2026年11月26日 00:00:00]\r\n#-----业务明细列表----\r\n{HEAD}\r\n{lines}\r\n#-----业务明细列表结束----\r\n\
         #交易合计：1笔，商家实收共23.00元，商家优惠共0.00元\r\n#导出时间：[2026年11月26日 05:46:49]\r\n"
    )
    .into_bytes()
}

fn yuan(minor: i64) -> Money {
    Money::new(minor, Currency::CNY).unwrap()
}

/// 2026-11-26 at 10:00 in China.
const TEN_MS: u64 = 1_795_658_400_000;

fn found(body: &str, day: &str) -> (Result<Option<walnut_sdk::Bill>, Fault>, Vec<Request>) {
    found_at(TEN_MS, body, day)
}

fn found_at(
    now_ms: u64,
    body: &str,
    day: &str,
) -> (Result<Option<walnut_sdk::Bill>, Fault>, Vec<Request>) {
    let double = Rc::new(
        Double::new()
            .at(now_ms)
            .verifying(|message, _| {
                let whole: serde_json::Value = serde_json::from_slice(message.bytes()).unwrap();
                Ok(Statement::new(whole["content"].to_string()))
            })
            .answering(Ok(Message::new(200, Vec::new(), body))),
    );
    let found = with(double.clone(), || Zfb::find_bill(day.to_owned()));
    (found, double.requests())
}

#[test]
fn the_bill_of_a_day_is_found() {
    let at = "dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&fileType=csv.zip";
    let said = json!({"content": {"code": "10000", "bill_download_url": format!("http://{at}")}});
    let (bill, requests) = found(&said.to_string(), "2026-11-25");
    let bill = bill.unwrap().unwrap();
    assert_eq!((bill.url, bill.sha1), (format!("https://{at}"), None));
    assert!(
        requests[0]
            .url
            .ends_with("?method=alipay.data.dataservice.bill.downloadurl.query")
    );
    assert_eq!(
        form::field(&requests[0].body, "biz_content").unwrap(),
        r#"{"bill_type":"trade","bill_date":"2026-11-25"}"#
    );
    for bad in ["", "2026-11", "2026-11-2x", "yesterday", "2026-11-25\""] {
        let (bill, requests) = found("{}", bad);
        assert!(matches!(bill, Err(Fault::Invalid(_))), "{bad}");
        assert!(requests.is_empty());
    }
    let refused = |now_ms, sub_code: &str| {
        let said = json!({"content": {"code": "40004", "sub_code": sub_code}});
        found_at(now_ms, &said.to_string(), "2026-11-25").0
    };
    assert_eq!(refused(TEN_MS, "isp.bill_not_exist"), Ok(None));
    let early = refused(TEN_MS - 1, "isp.bill_not_exist");
    assert!(matches!(early, Err(Fault::Unknown(why)) if why.contains("9:00")));
    assert!(matches!(
        refused(TEN_MS, "isv.invalid_arguments"),
        Err(Fault::Invalid(_))
    ));
    let silent = json!({"content": {"code": "10000"}}).to_string();
    assert!(matches!(
        found(&silent, "2026-11-25").0,
        Err(Fault::Unknown(_))
    ));
}

#[test]
fn each_payment_and_each_refund_is_a_row() {
    let text = details(&[
        line("交易", "茶", "23.00", ""),
        line("退款", "茶", "-5.00", REFUND_NO),
    ]);
    let rows = Zfb::bill_rows(text, true).unwrap();
    let row = |state: &str, amount, refunded, refund_no: Option<&str>| BillRow {
        trade_no: TRADE.to_owned(),
        transaction_id: "2026112522001400000000000001".to_owned(),
        state: state.to_owned(),
        amount: yuan(amount),
        refunded: yuan(refunded),
        refund_no: refund_no.map(str::to_owned),
    };
    assert_eq!(
        rows,
        [
            row("交易", 2300, 0, None),
            row("退款", 0, 500, Some(REFUND_NO))
        ]
    );
    // A later chunk has no head; a refund that was made by hand may have no number.
    let later = format!("{}\n#结束\n", line("退款", "茶", "-0.10", ""));
    let rows = Zfb::bill_rows(later.into_bytes(), false).unwrap();
    assert_eq!(rows, [row("退款", 0, 10, None)]);
}

#[test]
fn commas_in_the_goods_name_move_no_column() {
    for name in [
        "茶, 大杯",
        "a,b,c,d",
        ",",
        "2026-11-25 10:00:00,",
        "0.01,0.02",
    ] {
        let refund = line("退款", name, "-5.00", REFUND_NO);
        let rows = Zfb::bill_rows(refund.into_bytes(), false).unwrap();
        assert_eq!(rows[0].refunded, yuan(500), "{name}");
        assert_eq!(rows[0].refund_no.as_deref(), Some(REFUND_NO), "{name}");
    }
    let remark = line("交易", "茶", "23.00", "") + ",more,2026-11-25 10:00:00,2026-11-25 10:00:00";
    let rows = Zfb::bill_rows(remark.into_bytes(), false).unwrap();
    assert_eq!(rows[0].amount, yuan(2300));
}

#[test]
fn the_summary_has_no_rows() {
    let columns = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,\
                   商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）";
    let sums = "\t,\t,1\t,0\t,23.00,23.00,0.00,0.00,0.00,-0.14,0.00,22.86";
    let first = format!("#支付宝业务汇总查询\r\n#账号：[1]\r\n{columns}\r\n{sums}\r\n");
    assert_eq!(Zfb::bill_rows(first.into_bytes(), true), Ok(Vec::new()));
    assert_eq!(Zfb::bill_rows(sums.into(), false), Ok(Vec::new()));
}

#[test]
fn a_bill_that_is_not_understood_is_not_guessed_at() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let whole = text(details(&[line("交易", "茶", "23.00", "")]));
    let other_columns = whole.replacen(
        "订单金额（元）,商家实收（元）",
        "商家实收（元）,订单金额（元）",
        1,
    );
    for bad in [
        String::new(),
        "<html>".to_owned(),
        other_columns,
        whole.replace("23.00,23.00", "23.001,23.00"),
        whole.replace("23.00,23.00", ",23.00"),
        whole.replace("#支付宝业务明细查询", "#支付宝账务明细查询"),
    ] {
        let rows = Zfb::bill_rows(bad.clone().into_bytes(), true);
        assert!(matches!(rows, Err(Fault::Unknown(_))), "{bad}");
    }
    let gbk = Zfb::bill_rows(vec![0xb6, 0xa9], false);
    assert!(matches!(gbk, Err(Fault::Unknown(_))));
    // Empty days have a head and no lines.
    assert_eq!(Zfb::bill_rows(details(&[]), true), Ok(Vec::new()));
}
