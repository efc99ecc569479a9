//! The bare `/pay/re`, where what was signed names the key alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_s_serial_number_leads_to_the_payment() {
    let mut market = Market::open().await;
    let shop = market.stall("shop").await;
    // Sending brought the platform's certificate.
    let (first, second) = (
        market.paid_unheard(&shop).await,
        market.paid_unheard(&shop).await,
    );
    for notice in [
        Notice::forged(),
        Notice::probe(),
        Notice::stale(301),
        Notice::tampered("summary", "x"),
        Notice::stating("out_trade_no", "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b"),
        Notice::stating("mchid", "1900000001"),
    ] {
        let sent = market
            .notify(&first, notice.clone().to(market.bare()))
            .await;
        assert_eq!(said(&sent), again(), "{notice:?}");
        assert_eq!(shop.payment(&first).await["st"], "WAIT", "{notice:?}");
    }
    let sent = market.notify_bare(&first).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(shop.payment(&first).await["st"], "OK");
    assert_eq!(shop.payment(&second).await["st"], "WAIT");

    market.host = market.host.kill_and_restart().await;
    let sent = market.notify_bare(&second).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(shop.payment(&second).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_came_later_leads_to_it_as_well() {
    let mut market = Market::open().await;
    let shop = market.stall("shop").await;
    let first = market.paid_unheard(&shop).await;
    let mchid = market.merchant.mchid();
    let new = market.wechat.add_certificate(mchid).await.unwrap();
    market.wechat.sign_with(mchid, &new).unwrap();
    // One that has just asked for certificates would not ask again within the minute.
    market.host = market.host.kill_and_restart().await;
    // Nobody here knows it, and what nobody knows is nobody's.
    let sent = market.notify_bare(&first).await;
    assert_eq!(
        (sent.http_status, sent.reply.as_deref()),
        (Some(404), Some("fail"))
    );
    // The next answer is signed with it, and the host fetches it.
    market.paid_unheard(&shop).await;
    let sent = market.notify_bare(&first).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(shop.payment(&first).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_domains_with_the_same_key_each_gets_its_own() {
    let market = Market::open_with_public_key().await;
    let (shop, rival) = (market.stall("shop").await, market.stall("rival").await);
    let (ours, theirs) = (
        market.paid_unheard(&shop).await,
        market.paid_unheard(&rival).await,
    );
    let sent = market.notify_bare(&ours).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(shop.payment(&ours).await["st"], "OK");
    assert_eq!(rival.payment(&theirs).await["st"], "WAIT");
    let sent = market.notify_bare(&theirs).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(rival.payment(&theirs).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_with_earlier_settings_is_found_by_their_key_and_after_the_target_s_end() {
    let market = Market::open_with_public_key().await;
    let shop = market.stall("shop").await;
    let (first, second) = (
        market.paid_unheard(&shop).await,
        market.paid_unheard(&shop).await,
    );
    let other = market.wechat.open_public_key_merchant().await.unwrap();
    market.put_target(&shop, &other).await;
    let sent = market.notify_bare(&first).await;
    assert_eq!(said(&sent), taken());
    shop.delete("/pay/target/wx/main").await.data();
    let sent = market.notify_bare(&second).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(shop.payment(&second).await["st"], "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_accounts_with_the_same_key_four_are_tried() {
    let market = Market::open_with_public_key().await;
    let mut shops = Vec::new();
    for domain in ["one", "two", "three", "four", "five"] {
        shops.push(market.stall(domain).await);
    }
    let (first, last) = (&shops[0], &shops[4]);
    let id = market.paid_unheard(last).await;
    let sent = market.notify_bare(&id).await;
    assert_eq!(said(&sent), taken());
    let id = market.paid_unheard(first).await;
    let sent = market.notify_bare(&id).await;
    assert_eq!(said(&sent), again());
    assert_eq!(first.payment(&id).await["st"], "WAIT");
    assert!(
        market
            .host
            .log()
            .contains("many accounts have the same key")
    );
    // Its own address leads to it in any case; from then on it is known to be the merchant's.
    let sent = market.notify(&id, Notice::genuine()).await;
    assert_eq!(said(&sent), taken());
    let id = market.paid_unheard(first).await;
    let sent = market.notify_bare(&id).await;
    assert_eq!(said(&sent), taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forgeries_with_a_known_key_does_not_keep_the_genuine_one_out() {
    let market = Arc::new(Market::open_with_public_key().await);
    let shop = market.stall("shop").await;
    let id = market.paid_unheard(&shop).await;
    let (over, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let forgers: Vec<_> = (0..16)
        .map(|_| {
            let (market, id) = (market.clone(), id.clone());
            let (over, refused) = (over.clone(), refused.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let sent = market.notify(&id, Notice::forged().to(market.bare())).await;
                    assert_ne!(sent.http_status, Some(200));
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while refused.load(Ordering::Relaxed) < 16 {
        tokio::task::yield_now().await;
    }
    // As the platform does, until it is taken: a machine under load may say "again".
    loop {
        let sent = market.notify_bare(&id).await;
        if sent.http_status == Some(200) {
            break;
        }
    }
    over.store(true, Ordering::Relaxed);
    for forger in forgers {
        forger.await.unwrap();
    }
    assert_eq!(shop.payment(&id).await["st"], "OK");
}
