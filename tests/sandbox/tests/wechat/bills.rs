//! Bills: asked for, downloaded, and held against their hash.

use std::io::Read as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use flate2::read::GzDecoder;
use time::OffsetDateTime;
use time::macros::{format_description, offset};
use walnut_sandbox::wechat::AtTheTill;

use crate::merchant::{Answered, Shop};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The day of a time in absolute milliseconds, as the platform counts days.
fn day(ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(ms / 1000).unwrap()).unwrap();
    let form = format_description!("[year]-[month]-[day]");
    at.to_offset(offset!(+8)).format(form).unwrap()
}

impl Shop {
    async fn bill(&self, day: &str, more: &str) -> Answered {
        let url = format!("/v3/bill/tradebill?bill_date={day}{more}");
        self.get(&url).await
    }

    /// Downloads a bill; its bytes, and whether they were signed.
    async fn download(&self, url: &str) -> (u16, Vec<u8>, bool) {
        let path = url.strip_prefix(&self.wechat.url()).unwrap();
        let answer = self.request("GET", path, "").send().await.unwrap();
        let signed = answer.headers().contains_key("wechatpay-signature");
        let status = answer.status().as_u16();
        (status, answer.bytes().await.unwrap().to_vec(), signed)
    }
}

/// The lines of a bill, each cut at its commas, without the mark in front.
fn lines(text: &str) -> Vec<Vec<&str>> {
    let text = text.strip_prefix('\u{FEFF}').unwrap();
    text.split_terminator("\r\n")
        .map(|line| {
            let fields = line.split(',');
            fields.map(|field| field.trim_start_matches('`')).collect()
        })
        .collect()
}

#[tokio::test]
async fn yesterdays_bill_has_every_payment_and_refund() {
    let shop = Shop::open_hasty().await;
    let mut order = shop.order("order-1");
    order["amount"]["total"] = 129_902.into();
    order["description"] = "茶,两杯".into();
    let answer = shop.post("/v3/pay/transactions/native", &order).await;
    shop.wechat.pay(answer.get("code_url")).await.unwrap();
    let number = shop.wechat.refund("order-1", 50_000).unwrap();
    let auth_code = shop.wechat.show_code(AtTheTill::Pays);
    shop.micropay("till-01", &auth_code).await;
    let reversed = [("out_trade_no", "till-01")];
    shop.v2("/secapi/pay/reverse", &reversed).await;
    shop.native("unpaid").await;
    for order in ["order-1", "till-01", "unpaid"] {
        shop.wechat.age(order, DAY).unwrap();
    }
    let trade = shop.wechat.trade("order-1").unwrap();
    let day = day(trade.paid_ms.unwrap());

    let told = shop.bill(&day, "&bill_type=ALL&tar_type=GZIP").await;
    assert_eq!(
        (told.status, told.verified, told.get("hash_type")),
        (200, true, "SHA1")
    );
    let (status, bytes, signed) = shop.download(told.get("download_url")).await;
    assert_eq!((status, signed), (200, false));
    let mut text = String::new();
    GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    let hash = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    assert_eq!(told.get("hash_value"), hash);

    let lines = lines(&text);
    let (columns, rows) = (&lines[0], &lines[1..lines.len() - 2]);
    let of = |row: &[&str], column: &str| {
        let at = columns.iter().position(|name| *name == column).unwrap();
        row[at].to_owned()
    };
    assert!(rows.iter().all(|row| row.len() == columns.len()));
    let row = |number: &str, state: &str| {
        let mut found = rows.iter().filter(|row| of(row, "商户订单号") == number);
        found.find(|row| of(row, "交易状态") == state).unwrap()
    };
    let paid = row("order-1", "SUCCESS");
    assert_eq!(of(paid, "微信订单号"), trade.transaction_id.unwrap());
    assert_eq!(
        (of(paid, "应结订单金额"), of(paid, "手续费")),
        ("1299.02".into(), "7.79000".into())
    );
    assert!(of(paid, "交易时间").starts_with(&day) && of(paid, "商品名称") == "茶 两杯");
    let refund = row("order-1", "REFUND");
    assert_eq!(
        (of(refund, "退款金额"), of(refund, "订单金额")),
        ("500.00".into(), "0.00".into())
    );
    assert_eq!(
        (of(refund, "商户退款单号"), of(refund, "手续费")),
        (number, "-3.00000".into())
    );
    assert_eq!(of(row("till-01", "REVOKED"), "退款金额"), "0.10");
    assert_eq!(rows.len(), 4);
    assert_eq!(lines[lines.len() - 2][0], "总交易单数");
    let sums = &lines[lines.len() - 1];
    assert_eq!((sums[0], sums[1], sums[2]), ("4", "1299.12", "500.10"));

    // A part, without compression.
    let told = shop.bill(&day, "&bill_type=REFUND").await;
    let (_, bytes, _) = shop.download(told.get("download_url")).await;
    assert_eq!(self::lines(&String::from_utf8(bytes).unwrap()).len(), 5);

    // Asked by TLS it is there by TLS.
    let url = format!("/v3/bill/tradebill?bill_date={day}");
    let authorization = shop.authorize("GET", &url, "").to_string();
    let asked = shop
        .tls_client
        .get(format!("{}{url}", shop.wechat.tls_url()))
        .header("authorization", authorization);
    let secure = shop.read(asked.send().await.unwrap()).await;
    assert!(
        secure
            .get("download_url")
            .starts_with(&shop.wechat.tls_url())
    );

    // Another merchant's bill is nobody else's.
    let other = shop.wechat.open_merchant().await.unwrap();
    let shop = shop.with(other);
    assert_eq!(shop.download(told.get("download_url")).await.0, 403);
    assert_eq!(
        shop.bill(&day, "").await.codes(),
        (400, "NO_STATEMENT_EXIST")
    );
}

#[tokio::test]
async fn a_bill_is_of_a_day_that_is_over_and_not_too_long_ago() {
    let shop = Shop::open().await;
    shop.paid("order-1").await;
    let today = day(shop.wechat.trade("order-1").unwrap().paid_ms.unwrap());
    for (day, more, code) in [
        (today.as_str(), "", "INVALID_REQUEST"),
        ("2020-01-01", "", "INVALID_REQUEST"),
        ("2020-1-1", "", "PARAM_ERROR"),
        ("", "", "PARAM_ERROR"),
        ("2099-01-01", "", "INVALID_REQUEST"),
    ] {
        assert_eq!(shop.bill(day, more).await.codes(), (400, code), "{day}");
    }
    shop.wechat.age("order-1", DAY).unwrap();
    let yesterday = day(shop.wechat.trade("order-1").unwrap().paid_ms.unwrap());
    for more in ["&bill_type=NONE", "&tar_type=ZIP"] {
        assert_eq!(
            shop.bill(&yesterday, more).await.codes(),
            (400, "PARAM_ERROR"),
            "{more}"
        );
    }
    let bogus = format!("{}/v3/billdownload/file?token=x", shop.wechat.url());
    assert_eq!(shop.download(&bogus).await.0, 400);
}
