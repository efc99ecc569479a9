//! The bill of a day: its address and its file.

use std::io::{Cursor, Read as _};

use encoding_rs::GBK;
use time::Duration;
use walnut_sandbox::alipay::{BillFault, Buyer, Command, Fen, Misbehaviour};

use crate::merchant::{Answered, Merchant, timestamp};

async fn ask(shop: &Merchant, kind: &str, date: &str) -> Answered {
    let content = format!(r#"{{"bill_type":"{kind}","bill_date":"{date}"}}"#);
    shop.call("alipay.data.dataservice.bill.downloadurl.query", &content)
        .await
}

/// The files of a bill by their names, each as lines of cells.
async fn fetch(shop: &Merchant, date: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let answer = ask(shop, "trade", date).await;
    assert_eq!(
        (answer.codes(), answer.verified),
        (("10000", ""), true),
        "{}",
        answer.body
    );
    let file = shop
        .client
        .get(answer.get("bill_download_url"))
        .send()
        .await
        .unwrap();
    assert_eq!(file.status(), 200);
    let mut archive = zip::ZipArchive::new(Cursor::new(file.bytes().await.unwrap())).unwrap();
    let mut files = Vec::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let name = GBK.decode(file.name_raw()).0.into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let (text, _, wrong) = GBK.decode(&bytes);
        assert!(!wrong && text.ends_with("\r\n"));
        let cells = |line: &str| line.split(',').map(|cell| cell.trim().to_owned()).collect();
        files.push((name, text.split_terminator("\r\n").map(cells).collect()));
    }
    files
}

/// Order number, kind, amount and refund number of each line.
fn lines(table: &[Vec<String>]) -> Vec<(String, String, String, String)> {
    let rows = table.iter().filter(|row| row.len() == 25).skip(1);
    rows.map(|row| {
        (
            row[1].clone(),
            row[2].clone(),
            row[11].clone(),
            row[21].clone(),
        )
    })
    .collect()
}

fn line(number: &str, kind: &str, amount: &str, request: &str) -> (String, String, String, String) {
    (number.into(), kind.into(), amount.into(), request.into())
}

#[tokio::test]
async fn yesterdays_bill_has_what_was_paid_and_given_back_and_nothing_else() {
    let shop = Merchant::open().await;
    let long_ago = ask(&shop, "trade", "2020-01-01").await;
    assert_eq!(long_ago.codes(), ("40004", "isp.bill_not_exist"));
    shop.sell("a1").await;
    let refund = r#"{"out_trade_no":"a1","refund_amount":"0.04","out_request_no":"r1"}"#;
    shop.call("alipay.trade.refund", refund).await;
    let sale = format!(
        r#"{{"out_trade_no":"a2","total_amount":"100.00","subject":"茶叶","body":"半斤",
            "auth_code":"{}"}}"#,
        shop.alipay.show_code(Buyer::Pays)
    );
    shop.call("alipay.trade.pay", &sale).await;
    let qr_code = shop.order("waits").await;
    shop.alipay.scan(&qr_code).await.unwrap();
    for number in ["a1", "a2", "waits"] {
        shop.alipay
            .command(number, &Command::Backdate { days: 1 })
            .unwrap();
    }
    shop.sell("today").await;

    let yesterday = shop.day_of("a1");
    let files = fetch(&shop, &yesterday).await;
    let account = format!("{}0156", shop.account.seller_id());
    let day = yesterday.replace('-', "");
    assert_eq!(files[0].0, format!("{account}_{day}_业务明细.csv"));
    assert_eq!(files[1].0, format!("{account}_{day}_业务明细(汇总).csv"));
    let details = &files[0].1;
    assert_eq!(details[1], [format!("#账号：[{account}]")]);
    let mut found = lines(details);
    found.sort();
    assert_eq!(
        found,
        [
            line("a1", "交易", "0.10", ""),
            line("a1", "退款", "-0.04", "r1"),
            line("a2", "交易", "100.00", ""),
        ]
    );
    let tea = details
        .iter()
        .find(|row| row.len() == 25 && row[1] == "a2")
        .unwrap();
    assert_eq!(
        (tea[3].as_str(), tea[22].as_str(), tea[24].as_str()),
        ("茶叶", "-0.60", "半斤")
    );
    assert_eq!(
        Some(&tea[0]),
        shop.alipay.trade("a2").unwrap().trade_no.as_ref()
    );
    let total = files[1].1.iter().find(|row| row[0] == "合计").unwrap();
    assert_eq!(total[2..6], ["2", "1", "100.06", "100.06"]);

    // Somebody else's bill is empty.
    let other = shop.with_new_account().await;
    assert_eq!(
        ask(&other, "trade", &yesterday).await.codes().1,
        "isp.bill_not_exist"
    );
}

#[tokio::test]
async fn a_bill_of_today_is_given_out_on_command_and_its_address_ends() {
    let shop = Merchant::open().await;
    shop.sell("a1").await;
    let tomorrow = timestamp(Duration::DAY)[..10].to_owned();
    for (kind, wanted) in [
        ("trade", tomorrow.as_str()),
        ("trade", &tomorrow[..7]),
        ("trade", "20260101"),
        ("trade", "2026-02-30"),
        ("everything", "2026-01-01"),
    ] {
        let answer = ask(&shop, kind, wanted).await;
        assert_eq!(
            answer.codes(),
            ("40004", "isv.invalid_arguments"),
            "{kind} {wanted}"
        );
    }
    shop.alipay.publish_bills();
    let today = shop.day_of("a1");
    for wanted in [today.as_str(), &today[..7]] {
        let found = lines(&fetch(&shop, wanted).await[0].1);
        assert_eq!(found, [line("a1", "交易", "0.10", "")]);
    }
    assert_eq!(
        ask(&shop, "signcustomer", &today).await.codes().1,
        "isp.bill_not_exist"
    );

    let answer = ask(&shop, "trade", &today).await;
    let url = answer.get("bill_download_url");
    assert!(url.contains("/downloadBillFile.resource?bizType=trade&userId="));
    let guessed = url.rsplit_once('=').unwrap().0;
    shop.alipay.expire_bills();
    for gone in [url, guessed] {
        let answer = shop.client.get(gone).send().await.unwrap();
        assert_eq!(answer.status(), 403);
    }
}

#[tokio::test]
async fn a_bill_differs_from_what_happened_on_command() {
    let shop = Merchant::open().await;
    shop.alipay.publish_bills();
    for number in ["a1", "a2", "a3", "a4"] {
        shop.sell(number).await;
    }
    for (number, fault) in [
        ("a1", BillFault::LeftOut),
        ("a2", BillFault::Twice),
        ("a3", BillFault::Amount(Fen::new(11))),
    ] {
        shop.alipay
            .misbehave(Misbehaviour::once(fault).for_trade(number));
    }
    let today = shop.day_of("a4");
    let mut found = lines(&fetch(&shop, &today).await[0].1);
    found.sort();
    assert_eq!(
        found,
        [
            line("a2", "交易", "0.10", ""),
            line("a2", "交易", "0.10", ""),
            line("a3", "交易", "0.11", ""),
            line("a4", "交易", "0.10", ""),
        ]
    );
    assert_eq!(lines(&fetch(&shop, &today).await[0].1).len(), 4);
}
