//! `walnut obj /var/payment` and `walnut pay query`: the tables and the JSON of the original.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Terminal;
use crate::world::{RECORD_SALE, World};

/// A shop whose payments are the same every time but for ids and times.
struct Shelf {
    world: World,
    tea: Value,
    coffee: Value,
    gift: Value,
    wine: Value,
}

impl Shelf {
    async fn stocked() -> Shelf {
        let world = World::start().await;
        let shop = &world.shop;
        let tea = json!({ "brief": "两杯茶", "fee": 2300, "buyer": "walnut:45:小白" });
        let coffee =
            json!({ "brief": "咖啡 & cake", "fee": 99, "cur": "USD", "buyer": "lib:7:xiaobai" });
        let gift = json!({ "brief": "赠品", "fee": 0, "callback": RECORD_SALE });
        let wine = json!({ "brief": "酒\n\u{1b}[31m", "fee": 100 });
        let tea = shop.create(tea).await;
        let coffee = shop.create(coffee).await;
        let gift = shop.create(gift).await;
        let wine = shop.create(wine).await;
        shop.send(&tea).await.data();
        shop.until_applied(&gift).await;
        let (tea, coffee) = (shop.payment(&tea).await, shop.payment(&coffee).await);
        let (gift, wine) = (shop.payment(&gift).await, shop.payment(&wine).await);
        Shelf {
            world,
            tea,
            coffee,
            gift,
            wine,
        }
    }

    fn shop(&self) -> Terminal<'_> {
        Terminal {
            host: &self.world.host,
            key: self.world.shop.key(),
        }
    }
}

fn id(payment: &Value) -> &str {
    payment["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_the_document_is_printed_to_the_letter() {
    let shelf = Shelf::stocked().await;
    let row = |payment: &Value, before: &str, after: &str, brief: &str| {
        let times = format!("{} | {}", payment["ct"], payment["lm"]);
        format!("{} | {before} | {after} | {times} | {brief}", id(payment))
    };
    let mut rows = [
        (
            &shelf.tea,
            row(
                &shelf.tea,
                "小白     | shop      | 2300 | RMB | WAIT",
                "zfb.qrcode | main       | QRCODE",
                "两杯茶",
            ),
        ),
        (
            &shelf.coffee,
            row(
                &shelf.coffee,
                "xiaobai  | shop      | 99   | USD | NEW ",
                "           |            |       ",
                "咖啡 & cake",
            ),
        ),
        (
            &shelf.gift,
            row(
                &shelf.gift,
                "         | shop      | 0    | RMB | OK  ",
                "free       |            |       ",
                "赠品",
            ),
        ),
        (
            &shelf.wine,
            row(
                &shelf.wine,
                "         | shop      | 100  | RMB | NEW ",
                "           |            |       ",
                "酒\\n\\u{1b}[31m",
            ),
        ),
    ];
    // The newest change first; of one moment the later created.
    rows.sort_by_key(|(payment, _)| {
        let at = payment["lm"].as_u64().unwrap();
        std::cmp::Reverse((at, payment["id"].as_str().unwrap().to_owned()))
    });
    let rows: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(number, (_, row))| format!("{number} | {row}\n"))
        .collect();
    let dashes = |widths: &[usize]| {
        let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        dashes.join("-+-")
    };
    let rule = dashes(&[1, 32, 8, 9, 4, 3, 4, 10, 10, 6, 13, 13, 14]);
    let expected = format!(
        "# | id                               | buyer_nm | seller_nm | fee  | cur | st   | pay_tp     \
         | pay_target | re_tp  | ct            | lm            | brief\n\
         {rule}\n{}{rule}\ntotal 4 items\n",
        rows.concat()
    );
    let line = "obj /var/payment -match \"{tp:'wn_payment'}\" -bish -t \
                'id,buyer_nm,seller_nm,fee,cur,st,pay_tp,pay_target,re_tp,ct,lm,brief' -sort lm:-1 -limit 10";
    assert_eq!(shelf.shop().prints(line).await, expected);
    let line = "pay query -bish -t \
                'id,buyer_nm,seller_nm,fee,cur,st,pay_tp,pay_target,re_tp,ct,lm,brief' -sort lm:-1";
    assert_eq!(shelf.shop().prints(line).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flag_of_a_table_does_its_part() {
    let shelf = Shelf::stocked().await;
    let shop = shelf.shop();
    let table = "-t fee,cur,st,brief -sort fee:1";
    for (flags, expected) in [
        (
            "",
            "\
0     RMB  OK    赠品
99    USD  NEW   咖啡 & cake
100   RMB  NEW   酒\\n\\u{1b}[31m
2300  RMB  WAIT  两杯茶
",
        ),
        (
            "-bish",
            "\
# | fee  | cur | st   | brief
--+------+-----+------+---------------
0 | 0    | RMB | OK   | 赠品
1 | 99   | USD | NEW  | 咖啡 & cake
2 | 100  | RMB | NEW  | 酒\\n\\u{1b}[31m
3 | 2300 | RMB | WAIT | 两杯茶
--+------+-----+------+---------------
total 4 items
",
        ),
        (
            "-bi -ibase 1 -limit 2",
            "\
1 | 0  | RMB | OK  | 赠品
2 | 99 | USD | NEW | 咖啡 & cake
",
        ),
        (
            "-bish -pager -limit 1 -skip 1",
            "\
# | fee | cur | st  | brief
--+-----+-----+-----+------------
0 | 99  | USD | NEW | 咖啡 & cake
--+-----+-----+-----+------------
total 1/4 items, skip 1 page 2/4, 1 per page
",
        ),
        (
            "-hs -match st:OK",
            "\
fee  cur  st  brief
-------------------
0    RMB  OK  赠品
-------------------
total 1 items
",
        ),
        (
            "-bish -match \"{brief:'没有'}\"",
            "\
# | fee | cur | st | brief
--+-----+-----+----+------
--+-----+-----+----+------
total 0 items
",
        ),
    ] {
        let line = format!("obj /var/payment {table} {flags}");
        assert_eq!(shop.prints(&line).await, expected, "{line}");
    }
    // Times as a person reads them; 0 is "has not happened".
    let ct = shelf.gift["ct"].as_i64().unwrap();
    let ct = OffsetDateTime::from_unix_timestamp(ct / 1000).unwrap();
    let day = ct
        .format(format_description!("[year]-[month]-[day]"))
        .unwrap();
    let clock = ct
        .format(format_description!("[hour]:[minute]:[second]"))
        .unwrap();
    let columns =
        "ct:time,ct:time:yyyy-MM-dd,ct:time:'HH:mm',apply_at,send_at:time,callback.name,none";
    let line = format!("obj /var/payment -bt {columns} -match fee:0");
    let applied = &shelf.gift["apply_at"];
    let printed = shop.prints(&line).await;
    assert!(
        printed.starts_with(&format!(
            "{day} {clock} | {day} | {} | {applied} | {day} ",
            &clock[..5]
        )),
        "{printed}"
    );
    assert!(
        printed.ends_with(&format!(" | {RECORD_SALE} | \n")),
        "{printed}"
    );
    let unsent = "obj /var/payment -bt send_at:time,send_at,brief -match fee:99";
    assert_eq!(shop.prints(unsent).await, "- | 0 | 咖啡 & cake\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn relaxed_json_matches_and_the_originals_filters_do() {
    let shelf = Shelf::stocked().await;
    let shop = shelf.shop();
    let tea_id = format!("id:'{}'", id(&shelf.tea));
    let coffee_id = format!("-bu :{}:", shelf.coffee["buyer_id"].as_str().unwrap());
    for (line, fees) in [
        ("obj /var/payment", "0 99 100 2300"),
        ("obj /var/payment -match {}", "0 99 100 2300"),
        ("obj /var/payment -match st:NEW", "99 100"),
        ("obj /var/payment -match \"{st:'NEW',cur:USD}\"", "99"),
        ("obj /var/payment -match 'st:[OK,WAIT]'", "0 2300"),
        ("obj /var/payment -match '{\"fee\":[0,99]}'", "0 99"),
        ("obj /var/payment -match \"brief:'两杯茶'\"", "2300"),
        ("obj /var/payment -match pay_tp:null", "99 100"),
        (&format!("obj /var/payment -match \"{tea_id}\""), "2300"),
        ("pay query", "0 99 100 2300"),
        ("pay query 两杯茶", "2300"),
        ("pay query -bu walnut:45", "2300"),
        ("pay query -bu ::xiaobai", "99"),
        (&format!("pay query {coffee_id}"), "99"),
        ("pay query -se shop", "0 99 100 2300"),
        ("pay query -se :shop -st NEW", "99 100"),
        ("pay query -fee 99USD", "99"),
        ("pay query -fee 0,100", "0 100"),
        ("pay query -cur rmb", "0 100 2300"),
        ("pay query -s_at 0", "99 100"),
        ("pay query -c_at 0 -st 'NEW|WAIT'", "99 100 2300"),
        ("pay query -st '^(OK|FAIL)$'", "0"),
        ("pay query 'nothing like it'", ""),
    ] {
        let printed = shop.prints(&format!("{line} -t fee -sort fee:1")).await;
        let found: Vec<&str> = printed.lines().collect();
        assert_eq!(found.join(" "), fees, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_table_it_is_json_by_the_originals_flags() {
    let shelf = Shelf::stocked().await;
    let shop = shelf.shop();
    let keys = "-e '^(fee|brief|pay_tp)$'";
    for (line, expected) in [
        ("-match fee:99 -c", "{brief:\"咖啡 & cake\",fee:99}\n"),
        (
            "-match fee:99 -cqn",
            "{\"brief\":\"咖啡 & cake\",\"fee\":99,\"pay_tp\":null}\n",
        ),
        ("-match fee:99 -cl", "[{brief:\"咖啡 & cake\",fee:99}]\n"),
        (
            "-match fee:[0,99] -sort fee:1 -c",
            "[{brief:\"赠品\",fee:0,pay_tp:\"free\"},{brief:\"咖啡 & cake\",fee:99}]\n",
        ),
        (
            "-match fee:99",
            "{\n  brief: \"咖啡 & cake\",\n  fee: 99\n}\n",
        ),
        (
            "-match fee:99 -cq -pager",
            "{\"list\":[{\"brief\":\"咖啡 & cake\",\"fee\":99}],\
             \"pager\":{\"total\":1,\"skip\":0,\"limit\":10}}\n",
        ),
        ("-match fee:7 -c", "[]\n"),
    ] {
        let line = format!("obj /var/payment {keys} {line}");
        assert_eq!(shop.prints(&line).await, expected, "{line}");
    }
    let negated = shop
        .prints("obj /var/payment -match fee:99 -c -e '!^(.*_.*|id|nm|ct|lm|expi|test)$'")
        .await;
    assert_eq!(
        negated,
        "{tp:\"wn_payment\",brief:\"咖啡 & cake\",fee:99,cur:\"USD\",st:\"NEW\",len:0,late:false,\
         refunded:0,overdue:false}\n"
    );
    let strict = shop.json("obj /var/payment -match fee:2300 -qn").await;
    let mut tea = shelf.tea.clone();
    for only_of_one in ["attempts", "refunds"] {
        tea.as_object_mut().unwrap().remove(only_of_one);
    }
    assert_eq!(strict, tea);
    // Whatever a buyer wrote, the terminal does not obey it.
    let wine = shop.prints("obj /var/payment -match fee:100 -q").await;
    assert!(!wine.contains('\u{1b}'), "{wine}");
    let wine: Value = serde_json::from_str(&wine).unwrap();
    assert_eq!(wine["brief"], shelf.wine["brief"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_payments_becomes_csv() {
    let shelf = Shelf::stocked().await;
    let shop = &shelf.world.shop;
    shop.create(json!({ "brief": "=1+1, \"quoted\"", "fee": 5, "or": { "id": "A1" } }))
        .await;
    let all = shelf
        .shop()
        .prints("pay query -csv -t brief,fee,or.id -sort ct:1")
        .await;
    assert_eq!(
        all,
        "brief,fee,or.id\n两杯茶,2300,\n咖啡 & cake,99,\n赠品,0,\n\"酒\n\u{1b}[31m\",100,\n\"'=1+1, \"\"quoted\"\"\",5,A1\n"
    );
    let two = shelf
        .shop()
        .prints("obj /var/payment -csv -limit 2 -sort ct:1 -t fee -match \"fee:'[1,]'\"")
        .await;
    assert_eq!(two, "fee\n2300\n99\n");
    // More than a page.
    for number in 0..520 {
        shop.create(json!({ "brief": format!("{number}"), "fee": 7 }))
            .await;
    }
    let many = shelf.shop().prints("pay query -fee 7 -csv -t id").await;
    let ids: std::collections::BTreeSet<&str> = many.lines().skip(1).collect();
    assert_eq!((ids.len(), many.lines().count()), (520, 521));
}
