//! The disk beneath the host is full, cannot be written, is slow, or fails: callers are told so, what was answered is
//! there afterwards, and the host goes on by itself or ends where it cannot know any more what the disk holds.

use std::sync::Arc;

use reqwest::Method;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{assert_ordered_once, counting, create};
use crate::world::{
    DiskError, Faults, Host, Killed, Moment, SCRIPTED, Shop, Synced, World, at_once,
};

/// Platforms notify again within a fraction of a second.
const HASTE: u32 = 1_000;

/// A payment that counts when it is paid, and its code.
async fn ordered(world: &World) -> (String, String) {
    world
        .sent_with(json!({ "callback": SCRIPTED, "script": counting() }))
        .await
}

async fn readiness(shop: &Shop) -> u16 {
    Shop::answer(shop.keyless(Method::GET, "/readyz"))
        .await
        .status
}

/// Who was answered is there, each once.
async fn assert_there(shop: &Shop, keys: &[(String, String)]) {
    for (key, id) in keys {
        let again = Shop::answer(create(shop, key, 100)).await.data();
        assert_eq!(again["id"], **id, "{key}");
    }
    let all = shop.get("/pay/ajax/query?pager=true&limit=1").await.data();
    assert_eq!(all["pager"]["total"], keys.len(), "and nothing else");
}

/// Payments that were created and answered, by their keys.
async fn created(shop: &Shop, keys: std::ops::Range<usize>) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for key in keys {
        let key = format!("order-{key}");
        let answer = Shop::answer(create(shop, &key, 100)).await.data();
        made.push((key, answer["id"].as_str().unwrap().to_owned()));
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_told_and_the_host_goes_on_when_it_does() {
    for (error, status, code) in [
        (DiskError::Full, 507, "e.pay.store.full"),
        (DiskError::ReadOnly, 503, "e.pay.store.readOnly"),
        (DiskError::Failing, 503, "e.pay.store"),
    ] {
        let Some(faults) = Faults::possible("a disk that takes nothing") else {
            return;
        };
        let world = World::under(&faults, HASTE).await;
        let shop = &world.shop;
        let (paid, code_of_paid) = ordered(&world).await;
        let new = shop.create(json!({})).await;
        assert_eq!(readiness(shop).await, 200);

        faults.fail_writes(error);
        let told = |(told, code_told): (u16, String)| {
            assert_eq!((told, code_told.as_str()), (status, code), "{error:?}");
        };
        told(Shop::answer(create(shop, "first", 100)).await.refusal());
        told(shop.send(&new).await.refusal());
        assert!(world.alipay.trade(&new).is_none(), "nobody ordered");
        assert_eq!(readiness(shop).await, status);
        let alive = Shop::answer(shop.keyless(Method::GET, "/healthz")).await;
        assert_eq!(alive.status, 200);
        let callback = shop
            .put_bytes("/pay/callback/another", walnut_test_guests::SCRIPTED)
            .await;
        if !matches!(error, DiskError::Failing) {
            told(callback.refusal());
        }
        assert_eq!(shop.payment(&paid).await["st"], "WAIT", "reading goes on");
        // What the platform tells meanwhile it has to tell again.
        world.alipay.pay(&code_of_paid).await.unwrap();
        let told_in_vain = world
            .alipay
            .until(|alipay| alipay.notifications().into_iter().next())
            .await;
        assert!(!told_in_vain.taken);
        assert_eq!(shop.payment(&paid).await["st"], "WAIT");
        assert!(faults.failed_writes() > 0);

        // Without a restart.
        faults.mend();
        assert_eq!(readiness(shop).await, 200);
        let first = Shop::answer(create(shop, "first", 100)).await.data();
        shop.send(&new).await.data();
        assert_ordered_once(&world.alipay, &new);
        shop.put_bytes("/pay/callback/another", walnut_test_guests::SCRIPTED)
            .await
            .data();
        shop.until_applied(&paid).await;

        let host = world.host.kill().await.without_power().restart().await;
        assert_eq!(shop.payment(&paid).await["st"], "OK");
        let again = Shop::answer(create(shop, "first", 100)).await.data();
        assert_eq!(again["id"], first["id"]);
        let moment = Moment::of(&host.data_root());
        assert_eq!(moment.kept("sold"), Some("1"));
        let left = &moment.left[&paid];
        assert_eq!((left.done, left.told, left.events), (true, 1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_is_shared_by_all_who_wait_and_keeps_the_platform_coming() {
    let Some(faults) = Faults::possible("a slow disk") else {
        return;
    };
    let world = World::under(&faults, HASTE).await;
    let shop = &world.shop;
    let (paid, code) = ordered(&world).await;
    // Longer than a platform waits for its answer, and than readiness does.
    faults.slow_syncs(4_000);
    let before = faults.syncs();
    let made = at_once(64, |number| {
        let shop = shop.clone();
        async move {
            let answer = Shop::answer(create(&shop, &format!("order-{number}"), 100)).await;
            answer.data()["id"].as_str().unwrap().to_owned()
        }
    })
    .await;
    let shared = faults.syncs() - before;
    assert!(shared < 16, "{shared} for 64 payments");
    assert_eq!(made.len(), 64);
    assert_eq!(readiness(shop).await, 503);
    world.alipay.pay(&code).await.unwrap();
    world
        .alipay
        .until(|alipay| alipay.notifications().into_iter().find(|sent| !sent.taken))
        .await;
    faults.mend();
    shop.until_applied(&paid).await;
    let host = world.host.kill().await.without_power().restart().await;
    for id in made {
        assert_eq!(shop.payment(&id).await["st"], "NEW");
    }
    assert_eq!(Moment::of(&host.data_root()).kept("sold"), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_could_not_be_synchronised_is_not_trusted_any_more() {
    let Some(faults) = Faults::possible("a log that could not be synchronised") else {
        return;
    };
    let (host, shop) = shop_under(&faults).await;
    let mut there = created(&shop, 0..20).await;
    faults.fail_syncs(Synced::Log, 1);
    let refused = Shop::answer(create(&shop, "unknown", 100)).await.refusal();
    assert_eq!(refused, (503, "e.pay.store".to_owned()));
    let killed = ended(host).await;

    // The system's memory has what the disk has not: what is written behind it must not hang in the air.
    let host = killed.restart().await;
    let unknown = Shop::answer(create(&shop, "unknown", 100)).await.data();
    there.push(("unknown".to_owned(), text(&unknown["id"])));
    there.extend(created(&shop, 20..40).await);
    let host = host.kill().await.without_power().restart().await;
    assert_there(&shop, &there).await;
    let _host = host.kill().await.without_power().restart().await;
    assert_there(&shop, &there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_synchronised_is_written_again_from_the_log() {
    let Some(faults) = Faults::possible("a file that could not be synchronised") else {
        return;
    };
    let (host, shop) = shop_under(&faults).await;
    let mut there = created(&shop, 0..5).await;
    // Somebody reads an earlier moment (a backup does), so that the log is carried into the file up to there and no
    // further, and that part is not synchronised yet.
    let file = host.data_root().join("var/payment/payments.db");
    let reader = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    there.extend(created(&shop, 5..10).await);
    reader.execute_batch("BEGIN").unwrap();
    let count = "SELECT count(*) FROM payment";
    let seen: i64 = reader.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(seen, 10);
    let mut made = 10;
    while log_of(&host) < 4_300 * 4_120 {
        there.extend(created(&shop, made..made + 20).await);
        made += 20;
    }
    faults.fail_syncs(Synced::Database, 1);
    reader.execute_batch("COMMIT").unwrap();
    // The rest follows with one of the next payments, and the file is synchronised.
    while faults.failed_syncs() == 0 {
        if let Ok(answer) = create(&shop, &format!("order-{made}"), 100).send().await
            && let Ok(answer) = answer.json::<Value>().await
            && answer["ok"] == true
        {
            there.push((format!("order-{made}"), text(&answer["data"]["id"])));
            made += 1;
        }
    }
    let killed = ended(host).await;
    // Whoever has the file open still knows how far it was carried, which is not true any more.
    let refused = killed.refuses().await;
    assert!(refused.contains("another program has"), "{refused}");
    drop(reader);
    let host = killed.restart().await;
    there.extend(created(&shop, made..made + 20).await);
    let host = host.kill().await.without_power().restart().await;
    assert_there(&shop, &there).await;
    let store = host.data_root().join("var/payment/payments.db");
    let store = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sound: String = store
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_log_that_is_torn_takes_nothing_with_it() {
    for power in [true, false] {
        let Some(faults) = Faults::possible("a torn page") else {
            return;
        };
        let (host, shop) = shop_under(&faults).await;
        let mut there = created(&shop, 0..20).await;
        faults.tear_a_page();
        let torn = create(&shop, "torn", 100).send().await;
        assert!(torn.is_err(), "nobody was answered");
        let (code, mut killed) = host.ended().await;
        assert_eq!(code, None, "it was killed in the middle of a write");
        faults.do_not_tear();
        if !power {
            killed = killed.without_power();
        }
        let host = killed.restart().await;
        assert_there(&shop, &there).await;
        let again = Shop::answer(create(&shop, "torn", 100)).await.data();
        there.push(("torn".to_owned(), text(&again["id"])));
        let _host = host.kill().await.without_power().restart().await;
        assert_there(&shop, &there).await;
    }
}

async fn shop_under(faults: &Arc<Faults>) -> (Host, Shop) {
    let host = Host::start_under(faults).await;
    let shop = host.domain("shop").await;
    shop.put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
        .await;
    (host, shop)
}

/// The host ends by itself, since it cannot know what its disk holds, and says so.
async fn ended(host: Host) -> Killed {
    let (code, killed) = host.ended().await;
    assert_eq!(code, Some(1));
    let log = killed.log();
    for told in ["ALERT: the disk fails", "has to be started again"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    killed
}

fn log_of(host: &Host) -> u64 {
    let log = host.data_root().join("var/payment/payments.db-wal");
    std::fs::metadata(log).unwrap().len()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
