//! Reconciliation with Alipay: the bill of a day, a zip of tables in GBK, against the host's payments.

use serde_json::json;
use walnut_sandbox::alipay::{BillFault, Command, Fen, Misbehaviour};

use crate::world::{AlipayWay, PastDay, World, kinds};

fn day() -> PastDay {
    PastDay::yesterday()
}

impl World {
    /// At Alipay it was yesterday.
    fn age(&self, id: &str) {
        let yesterday = Command::Backdate { days: 1 };
        self.alipay.command(id, &yesterday).unwrap();
    }

    /// Here it was.
    async fn age_here(mut self, ids: &[&str]) -> World {
        let killed = self.host.kill().await;
        day().age_store(&killed, ids);
        self.host = killed.restart().await;
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_all_agrees_has_no_difference() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for way in AlipayWay::ALL {
        // Commas and a name that is no ASCII: the table has neither quotes nor UTF-8.
        let id = world.paid(way, json!({ "brief": "茶, 两杯, 热" })).await;
        world.shop.give_back(&id, 500).await;
        world.age(&id);
        ids.push(id);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let world = world.age_here(&ids).await;
    let report = world.shop.reconcile(day()).await;
    assert_eq!(report["status"], "compared", "{report:#}");
    assert_eq!((&report["rows"], &report["agreed"]), (&json!(8), &json!(4)));
    assert_eq!(kinds(&report), []);
    let key = world.shop.key();
    let name = day().name();
    let args = ["reconcile", "--day", &name, "--platform", "zfb"];
    let ran = world.host.walnut(key, &args).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("compared"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_side_lacks_is_told() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for way in AlipayWay::ALL {
        ids.push(world.paid(way, json!({})).await);
    }
    let [left_out, twice, other, by_hand] = ids.as_slice() else {
        panic!("{ids:?}");
    };
    for (id, fault) in [
        (left_out, BillFault::LeftOut),
        (twice, BillFault::Twice),
        (other, BillFault::Amount(Fen::new(2299))),
    ] {
        world
            .alipay
            .misbehave(Misbehaviour::always(fault).for_trade(id));
    }
    // The merchant gave something back by hand, and nobody was told.
    world.lose_notifications(by_hand);
    world.alipay.refund(by_hand, Fen::new(300)).unwrap();
    // Paid there, and not known here.
    let unheard = world.paid_unheard(json!({})).await;
    for id in ids.iter().chain([&unheard]) {
        world.age(id);
    }

    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let world = world.age_here(&all).await;
    let report = world.shop.reconcile(day()).await;
    let expected = [
        ("amount", twice.as_str()),
        ("amount", other.as_str()),
        ("missing_there", left_out.as_str()),
        ("refund", by_hand.as_str()),
        ("state", unheard.as_str()),
    ];
    let found = kinds(&report);
    assert_eq!(found, expected, "{report:#}");
    assert_eq!(
        world.shop.payment(&unheard).await["st"],
        "WAIT",
        "a bill settles nothing"
    );
    world.alipay.behave();
    world.shop.until_state(&unheard, "OK").await;
}
