//! Bills of a day.

use super::*;

const HEAD: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,\
商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";

fn bill_line(state: &str, refund_no: &str, total: &str, refunded: &str) -> String {
    format!(
        "`2026-11-25 10:00:00,`wxd,`1900009191,`0,`,`42,`{TRADE},`o,`NATIVE,`{state},`OTHERS,`CNY,`23.00,`0.00,`0,\
         `{refund_no},`0.00,`0.00,`,`,`茶, 大杯,`,`0.14,`0.60%,`{total},`{refunded},`"
    )
}

#[test]
fn a_bill_is_found_and_read() {
    let said = json!({"hash_type": "SHA1", "hash_value": "79bb", "download_url": "https://api.mch.weixin.qq.com/v3/billdownload/file?token=x"});
    let (bill, requests) = run(host().answering(v3(200, said)), || {
        Wx::find_bill("2026-11-25".to_owned())
    });
    assert_eq!(bill.unwrap().unwrap().sha1.as_deref(), Some("79bb"));
    assert!(
        requests[0]
            .url
            .ends_with("/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL&tar_type=GZIP")
    );
    for bad in ["", "2026-11-2x", "yesterday", "2026-11-25&x=1"] {
        assert_eq!(
            word(&run(host(), || Wx::find_bill(bad.to_owned())).0),
            "invalid"
        );
    }
    // 2026-11-26 at 10:00 in China: by then there is a bill of the day before, or there never will be one.
    let ten = 1_795_658_400_000;
    let refused = |now_ms, code| {
        let double = host().at(now_ms).answering(refusal(400, code));
        run(double, || Wx::find_bill("2026-11-25".to_owned())).0
    };
    assert_eq!(refused(ten, "NO_STATEMENT_EXIST"), Ok(None));
    for (now_ms, code) in [(ten - 1, "NO_STATEMENT_EXIST"), (ten, "STATEMENT_CREATING")] {
        let bill = refused(now_ms, code);
        assert!(
            matches!(bill, Err(Fault::Unknown(why)) if why.contains("10:00")),
            "{code}"
        );
    }

    let text = format!(
        "\u{feff}{HEAD}\n{}\n{}\n总交易单数,应结订单总金额\n`2,`23.00\n",
        bill_line("SUCCESS", "0", "23.00", "0.00"),
        bill_line("REFUND", REFUND, "0.00", "5.00")
    );
    let rows = Wx::bill_rows(text.into_bytes(), true).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (
            rows[0].trade_no.as_str(),
            rows[0].amount,
            rows[0].refund_no.as_ref()
        ),
        (TRADE, yuan(2300), None)
    );
    assert_eq!(
        (rows[1].refunded, rows[1].refund_no.as_deref()),
        (yuan(500), Some(REFUND))
    );
    // A later chunk has no head.
    let rows = Wx::bill_rows(
        bill_line("SUCCESS", "0", "1.00", "0.00").into_bytes(),
        false,
    )
    .unwrap();
    assert_eq!(rows[0].amount, yuan(100));
    assert_eq!(word(&Wx::bill_rows(b"a,b\n".to_vec(), true)), "unknown");
    let odd = bill_line("SUCCESS", "0", "1.001", "0.00");
    assert_eq!(word(&Wx::bill_rows(odd.into_bytes(), false)), "unknown");
}
