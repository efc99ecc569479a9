//! An operator's eyes: what the host tells in numbers of what it does, by the real binary.

mod rules;
mod text;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use walnut_sandbox::alipay::{Fen, Notice};

use crate::edge::Line;
use crate::world::{AlipayWay, Host, RECORD_SALE, SCRIPTED, Shop, World};
use text::Scrape;

const PAGE: &str = include_str!("../../docs/operations/metrics.md");

/// The families of the page, with their labels.
fn told() -> Vec<(&'static str, BTreeSet<&'static str>)> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let name = cells.next().unwrap().trim_end_matches('`');
        let labels = cells.nth(1).expect("kind, labels, words");
        let labels = labels
            .split(", ")
            .filter_map(|label| label.strip_prefix('`')?.strip_suffix('`'));
        (name, labels.collect())
    })
    .collect()
}

async fn scrape(by: &Shop) -> (String, Scrape) {
    let answer = by.get("/metrics").await;
    let text = String::from_utf8(answer.bytes).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    let kind = &answer.headers["content-type"];
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let read = Scrape::read(&text);
    (text, read)
}

/// Scrapes until the store's numbers, which are told for some seconds, are these.
async fn until(by: &Shop, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    for _ in 0..300 {
        let (_, scraped) = scrape(by).await;
        if is_so(&scraped) {
            return scraped;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("{}", scrape(by).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_the_page_names_is_told_and_nothing_else() {
    let world = World::start().await;
    let (host, shop, root) = (&world.host, &world.shop, world.host.root());
    // Secrets in each place that a label could be made of.
    let secret = "PLANTEDINEVERYPLACE";
    Shop::answer(shop.keyless(Method::GET, &format!("/{secret}?{secret}={secret}"))).await;
    let method = Method::from_bytes(secret.as_bytes()).unwrap();
    Shop::answer(shop.keyless(method, "/pay/ajax/get")).await;
    shop.with_key(secret)
        .get(&format!("/pay/ajax/get?id={secret}"))
        .await
        .refusal();
    shop.post("/pay/ajax/create", json!({ "fee": secret }))
        .await
        .refusal();
    shop.get(&format!("/pay/callback/{secret}")).await.refusal();
    shop.post_bytes("/pay/re", format!("out_trade_no={secret}").as_bytes())
        .await;
    shop.post_bytes(&format!("/pay/re/{secret}"), secret.as_bytes())
        .await;
    host.domain("plantedname").await;

    // One that is paid, with what is forged before it and its callback behind it; one that is held; one that waits.
    let body = json!({ "callback": RECORD_SALE, "brief": secret });
    let paid = world.order(AlipayWay::Code, body).await;
    world
        .alipay
        .notify(&paid.id, &Notice::forged())
        .await
        .unwrap();
    let foreign = Notice::stating("app_id", "2021000000000000");
    world.alipay.notify(&paid.id, &foreign).await.unwrap();
    world.pay(&paid).await;
    shop.until_applied(&paid.id).await;
    let held = world.paid_unheard(json!({})).await;
    world
        .alipay
        .notify(&held, &Notice::amount(Fen::new(1)))
        .await
        .unwrap();
    let (waiting, _) = world.sent().await;

    let scraped = until(&root, |scraped| {
        scraped.sum("walnut_payments_held", &[]) == 1.0
            && scraped.sum("walnut_payments_waiting", &[]) == 2.0
            && scraped.sum("walnut_deliveries_waiting", &[]) == 0.0
    })
    .await;
    let (page, families) = (told(), scraped.families.keys());
    // Told where the host speaks TLS itself.
    let own = "walnut_tls_certificate_expiry_timestamp_seconds";
    let names = page.iter().map(|(name, _)| *name);
    let names: BTreeSet<&str> = names.filter(|name| *name != own).collect();
    assert_eq!(names, families.map(String::as_str).collect());
    for (family, labels) in &page {
        for sample in scraped.samples.iter().filter(|sample| {
            let name = &sample.name;
            ["", "_bucket", "_sum", "_count"]
                .iter()
                .any(|end| *name == format!("{family}{end}"))
        }) {
            let has = sample
                .labels
                .keys()
                .map(String::as_str)
                .filter(|label| *label != "le");
            assert_eq!(&has.collect::<BTreeSet<_>>(), labels, "{sample:?}");
        }
    }

    // What was done is what is counted.
    for (name, labels, least) in [
        (
            "walnut_http_requests_total",
            &[
                ("route", "/pay/ajax/create"),
                ("method", "POST"),
                ("status", "2xx"),
            ][..],
            3.0,
        ),
        (
            "walnut_http_requests_total",
            &[("route", "/pay/ajax/create"), ("status", "4xx")],
            1.0,
        ),
        (
            "walnut_http_requests_total",
            &[("route", "none"), ("status", "4xx")],
            1.0,
        ),
        ("walnut_http_requests_total", &[("method", "other")], 1.0),
        (
            "walnut_http_request_seconds_count",
            &[("route", "/pay/re/{trade_no}")],
            4.0,
        ),
        (
            "walnut_refusals_total",
            &[("err_code", "e.pay.invalid.fee")],
            1.0,
        ),
        (
            "walnut_refusals_total",
            &[("err_code", "e.auth.required")],
            1.0,
        ),
        ("walnut_notifications_total", &[("kind", "taken")], 2.0),
        ("walnut_notifications_total", &[("kind", "refused")], 2.0),
        ("walnut_notifications_total", &[("kind", "unknown")], 2.0),
        (
            "walnut_verify_failures_total",
            &[
                ("platform", "zfb"),
                ("message", "notification"),
                ("reason", "bad_signature"),
            ],
            1.0,
        ),
        (
            "walnut_statements_refused_total",
            &[("platform", "zfb"), ("cause", "notification")],
            1.0,
        ),
        (
            "walnut_statements_total",
            &[("cause", "notification"), ("came_to", "paid")],
            1.0,
        ),
        (
            "walnut_statements_total",
            &[("cause", "notification"), ("came_to", "held")],
            1.0,
        ),
        (
            "walnut_settle_seconds_count",
            &[("cause", "notification")],
            2.0,
        ),
        ("walnut_delivery_tries_total", &[("kind", "applied")], 1.0),
        (
            "walnut_plugin_calls_total",
            &[("plugin", "zfb"), ("end", "ok")],
            3.0,
        ),
        (
            "walnut_plugin_calls_total",
            &[("plugin", "callback"), ("digest", ""), ("end", "ok")],
            1.0,
        ),
        (
            "walnut_plugin_call_seconds_count",
            &[("plugin", "zfb")],
            3.0,
        ),
        (
            "walnut_plugin_call_memory_bytes_sum",
            &[("plugin", "callback")],
            65_536.0,
        ),
        ("walnut_plugin_places", &[("kind", "all")], 16.0),
        ("walnut_plugin_loaded", &[("kind", "providers")], 1.0),
        ("walnut_store_commit_seconds_count", &[], 10.0),
        ("walnut_store_commit_batch_sum", &[], 10.0),
        ("walnut_store_write_seconds_count", &[], 10.0),
        ("walnut_store_up", &[], 1.0),
        ("walnut_payments_waiting_oldest_seconds", &[], 0.01),
        ("process_resident_memory_bytes", &[], 1_000_000.0),
        ("process_open_fds", &[], 5.0),
    ] {
        let sum = scraped.sum(name, labels);
        assert!(sum >= least, "{name}{labels:?} is {sum}");
    }
    // A settlement takes milliseconds: it is not measured from the epoch, nor in other units.
    let slow = scraped.sum("walnut_settle_seconds_sum", &[]);
    assert!(slow > 0.0 && slow < 60.0, "{slow}");
    assert_eq!(scraped.sum("walnut_deliveries_dead", &[]), 0.0);

    // Nobody's id, name, key or words.
    let (text, _) = scrape(&root).await;
    let keys = [shop.key(), host.root_key()].map(|key| key.splitn(4, '_').last().unwrap());
    for told in [
        secret,
        "plantedname",
        "shop",
        &paid.id,
        &held,
        &waiting,
        keys[0],
        keys[1],
    ] {
        assert!(!text.contains(told), "{told}");
    }

    // By the keys of the operator alone.
    let op = root.post("/pay/key", json!({ "role": "op" })).await.data();
    scrape(&root.with_key(op["key"].as_str().unwrap())).await;
    assert_eq!(shop.get("/metrics").await.refusal().1, "e.pay.nopvg");
    let nobody = Shop::answer(shop.keyless(Method::GET, "/metrics")).await;
    assert_eq!(nobody.refusal().1, "e.auth.required");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_away_is_counted_by_the_reason() {
    let slow = ["incoming.head_seconds=1", "incoming.head_kib=8"];
    let options: Vec<&str> = ["incoming.of_one_source=2"]
        .into_iter()
        .chain(slow)
        .flat_map(|option| ["--set", option])
        .collect();
    let host = Host::start_with(&options).await;
    let root = host.root();
    let turned = "walnut_connections_turned_away_total";
    // Every reason is there before it happens.
    let (_, first) = scrape(&root).await;
    for reason in REASONS {
        let sum = first.sum(turned, &[("reason", reason)]);
        assert_eq!(sum, 0.0, "{reason}");
    }
    assert!(first.sum("walnut_connections_open", &[]) >= 1.0);

    let large = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n",
        "x".repeat(9 << 10)
    );
    for (said, reason) in [
        ("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "slow_head"),
        (large.as_str(), "large_head"),
        ("\u{1}\u{2}\u{3} nothing of the kind\r\n\r\n", "malformed"),
    ] {
        let mut line = Line::open(&host, "127.0.0.3").await;
        line.say(said).await;
        line.rest().await;
        until(&root, |scraped| {
            scraped.sum(turned, &[("reason", reason)]) == 1.0
        })
        .await;
    }
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut line = Line::open(&host, "127.0.0.4").await;
        line.say("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        line.hears("}}").await;
        held.push(line);
    }
    Line::ask(&host, "127.0.0.4", "/readyz").await;
    let (_, last) = scrape(&root).await;
    assert_eq!(last.sum(turned, &[("reason", "source")]), 1.0);
    assert!(last.sum("walnut_connections_open", &[]) >= 3.0);
    drop(held);
    until(&root, |scraped| {
        scraped.sum("walnut_connections_open", &[]) == 1.0
    })
    .await;
    // Nobody else was.
    let (_, last) = scrape(&root).await;
    assert_eq!(last.sum(turned, &[]), 4.0);
}

/// Why somebody may be turned away.
const REASONS: [&str; 9] = [
    "connections",
    "source",
    "system",
    "handshake",
    "slow_handshake",
    "slow_head",
    "large_head",
    "malformed",
    "slow_reader",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_counted_by_what_trapped() {
    let host = Host::start().await;
    let (root, shop) = (host.root(), host.domain("shop").await);
    shop.put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
        .await;
    let script = json!({ "trap": true });
    shop.create(json!({ "fee": 0, "callback": SCRIPTED, "script": script }))
        .await;
    let scraped = until(&root, |scraped| {
        scraped.sum("walnut_delivery_tries_total", &[("kind", "failed")]) >= 1.0
    })
    .await;
    let trapped = [("plugin", "callback"), ("digest", ""), ("end", "trap")];
    assert!(scraped.sum("walnut_plugin_calls_total", &trapped) >= 1.0);
}
