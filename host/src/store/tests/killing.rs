//! The process is killed while it works; what it answered must be there afterwards.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

/// Tells the victim where the store is.
const PLACE: &str = "WALNUT_TEST_STORE";

/// Run by the test below in a process of its own: makes and delivers payments, and says what was answered.
#[test]
#[ignore = "the victim of the test beside it"]
fn victim() {
    let Ok(place) = std::env::var(PLACE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let shop = Arc::new(Shop::at(Place::Elsewhere(place)));
        let callers: Vec<_> = (0..16)
            .map(|_| tokio::spawn(make_and_deliver(Arc::clone(&shop))))
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

async fn make_and_deliver(shop: Arc<Shop>) {
    loop {
        let id = shop.make_paid("shop").await;
        say("made", id);
        for delivery in shop
            .store
            .lease_deliveries(5_000, 6_000, DeliveryRoom::of(1))
            .await
            .unwrap()
        {
            count_sale(&shop, &delivery).await;
            say("done", delivery.payment);
        }
    }
}

/// A callback that adds one to a sum, and runs again when somebody was faster.
async fn count_sale(shop: &Shop, delivery: &Delivery) {
    loop {
        let seen = shop.store.kv_get(&live("shop"), "sum").await.unwrap();
        let (sum, version) = seen.map_or((0, 0), |(sum, version)| (number(&sum), version));
        let effects = Effects {
            reads: vec![("sum".to_owned(), version)],
            writes: vec![("sum".to_owned(), Some((sum + 1).to_string().into_bytes()))],
            events: vec![("sold".to_owned(), "{}".to_owned())],
        };
        let (answer, log) = ("{}".to_owned(), String::new());
        match shop
            .store
            .finish_delivery(delivery, effects, answer, log, 7_000)
            .await
            .unwrap()
        {
            Finished::Done => return,
            Finished::Conflict => {}
            Finished::Fenced => panic!("nobody else has this lease"),
        }
    }
}

fn number(text: &[u8]) -> u64 {
    str::from_utf8(text).unwrap().parse().unwrap()
}

fn say(what: &str, id: PaymentId) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {id}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_answered() {
    let Some(shop) = open() else { return };
    shop.store.close().await;
    let place = shop.place;
    let victim = format!("{}::victim", module_path!());
    let (_, victim) = victim.split_once("::").unwrap();
    let mut made = HashSet::new();
    let mut done = HashSet::new();
    // Each round goes on with what the one before left, leases that nobody ends included.
    for answers in [1, 150, 400] {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", victim, "--ignored", "--nocapture"])
            .env(PLACE, place.name())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut heard = 0;
        for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let known = match line.split_once(' ') {
                Some(("made", id)) => made.insert(PaymentId::parse(id).unwrap()),
                Some(("done", id)) => done.insert(PaymentId::parse(id).unwrap()),
                _ => continue,
            };
            assert!(known, "said twice: {line}");
            heard += 1;
            if heard == answers {
                if let Place::Directory(dir) = &place {
                    let second = Store::open(dir.path());
                    assert!(matches!(second.err(), Some(StoreError::Locked(_))));
                }
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();
        assert!(heard >= answers, "the victim ended by itself");

        let store = place.open();
        for id in &made {
            assert!(
                store.case(*id).await.unwrap().is_some(),
                "{id} was answered and is lost"
            );
        }
        let mut applied = 0;
        for delivery in store
            .deliveries(DeliveriesOf::default(), 0, u32::MAX)
            .await
            .unwrap()
        {
            let payment = store.case(delivery.payment).await.unwrap().unwrap().payment;
            let is_done = delivery.state == DeliveryState::Done;
            assert_eq!(payment.applied_ms != 0, is_done);
            assert!(
                is_done || !done.contains(&payment.id),
                "{} was done",
                payment.id
            );
            let events = store.events("shop", payment.id).await.unwrap();
            assert_eq!(events.len(), usize::from(is_done));
            applied += u64::from(is_done);
        }
        let sum = store.kv_get(&live("shop"), "sum").await.unwrap();
        assert_eq!(sum.map_or(0, |(sum, _)| number(&sum)), applied);
        store.close().await;
    }
}
