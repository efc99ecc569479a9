//! `/pay/re/t/{token}`: the one address of an account.

use walnut_sandbox::paypal::{PayPal, PayPalOptions};
use walnut_test_guests::LIAR;

use super::*;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn paypal_s_webhooks_go_to_the_account_s_own_address() {
    let paypal = PayPal::start(PayPalOptions::default()).await.unwrap();
    let account = paypal.open_account();
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let body = json!({"test": true, "settings": {
        "client_id": account.client_id(),
        "client_secret": account.secret(),
        "webhook_id": account.webhook_id(),
        "webhook_authority": account.certificate_authority(),
        "gateway": paypal.url(),
    }});
    let put = shop.put("/pay/target/paypal/main", body).await.data();
    let url = notify_url(&shop, "/pay/target/paypal/main").await;
    assert_eq!(put["notify_url"], json!(url));
    assert!(
        url.starts_with(&format!("{}/pay/re/t/", host.url())),
        "{url}"
    );
    paypal.listen(&account, &url);

    let id = shop.create(json!({"cur": "USD"})).await;
    let sent = shop.send_by(&id, "paypal.page").await.data();
    let (_, order) = sent["data"].as_str().unwrap().split_once("token=").unwrap();
    paypal.approve(order).await.unwrap();
    let heard = paypal
        .until(|paypal| {
            let sent = paypal.notifications();
            sent.into_iter().find(|sent| sent.http_status == Some(200))
        })
        .await;
    assert_eq!(heard.url, url);
    shop.until_state(&id, "OK").await;
    let forged = walnut_sandbox::paypal::Notice::forged();
    let sent = paypal.notify(order, &forged).await.unwrap();
    assert_eq!(sent.http_status, Some(503));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_account_s_own_trades_are_taken_at_its_address() {
    let market = Market::open_with_public_key().await;
    let (shop, rival) = (market.stall("shop").await, market.stall("rival").await);
    let address = |shop: Shop| async move { notify_url(&shop, "/pay/target/wx/main").await };
    let (ours, theirs) = (address(shop.clone()).await, address(rival.clone()).await);
    assert_ne!(ours, theirs);
    let id = market.paid_unheard(&shop).await;
    // The same merchant, and so the same keys: but it is no trade of theirs.
    let sent = market.notify(&id, Notice::genuine().to(&theirs)).await;
    assert_eq!(said(&sent), again());
    for notice in [
        Notice::forged(),
        Notice::probe(),
        Notice::amount(1).signed(walnut_sandbox::wechat::NoticeSignature::Stranger),
    ] {
        let sent = market.notify(&id, notice.clone().to(&ours)).await;
        assert_eq!(said(&sent), again(), "{notice:?}");
    }
    let before = shop.payment(&id).await;
    assert_eq!(
        (&before["st"], &before["held"]),
        (&json!("WAIT"), &json!(null))
    );
    let sent = market.notify(&id, Notice::genuine().to(&ours)).await;
    assert_eq!(said(&sent), taken());
    assert_eq!(shop.payment(&id).await["st"], "OK");
    // What the platform tells of something else is taken, since it is verified.
    let other = Notice::enveloped("event_type", "PAYSCORE.USER_OPEN_SERVICE");
    let sent = market.notify(&id, other.to(&ours)).await;
    assert_eq!(said(&sent), taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_stays_through_new_versions_and_ends_with_the_target() {
    let mut market = Market::open_with_public_key().await;
    let shop = market.stall("shop").await;
    let url = notify_url(&shop, "/pay/target/wx/main").await;
    let (first, second) = (
        market.paid_unheard(&shop).await,
        market.paid_unheard(&shop).await,
    );
    let other = market.wechat.open_public_key_merchant().await.unwrap();
    market.put_target(&shop, &other).await;
    assert_eq!(notify_url(&shop, "/pay/target/wx/main").await, url);
    market.host = market.host.kill_and_restart().await;
    let listed = shop.get("/pay/target").await.data();
    assert_eq!(listed[0]["notify_url"], json!(url));
    // What was sent before is signed with the earlier settings' key.
    let sent = market.notify(&first, Notice::genuine().to(&url)).await;
    assert_eq!(said(&sent), taken());

    shop.delete("/pay/target/wx/main").await.data();
    for path in ["/pay/target", "/pay/target/wx/main"] {
        let shown = shop.get(path).await.data();
        let shown = shown.get(0).unwrap_or(&shown);
        assert_eq!(shown["notify_url"], json!(null), "{path}");
    }
    market.host = market.host.kill_and_restart().await;
    let sent = market.notify(&second, Notice::genuine().to(&url)).await;
    assert_eq!(
        (sent.http_status, sent.reply.as_deref()),
        (Some(404), Some("fail"))
    );
    // The trade's own address settles what is under way.
    let sent = market.notify(&second, Notice::genuine()).await;
    assert_eq!(said(&sent), taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_be_read_holds_up_nobody_else_s() {
    let mut market = Market::open_with_public_key().await;
    let (shop, rival) = (market.stall("shop").await, market.stall("rival").await);
    let url = notify_url(&rival, "/pay/target/wx/main").await;
    let id = market.paid_unheard(&rival).await;
    let killed = market.host.kill().await;
    let damaged = "home/shop/.payment/wx/main/current.json";
    std::fs::write(killed.data_root().join(damaged), "{").unwrap();
    market.host = killed.restart().await;
    assert_eq!(shop.get("/pay/target/wx/main").await.status, 500);
    assert!(market.host.log().contains("cannot be read"));
    let sent = market.notify(&id, Notice::genuine().to(&url)).await;
    assert_eq!(said(&sent), taken());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_answered_as_any_address_of_nobody() {
    let market = Market::open_with_public_key().await;
    let shop = market.stall("shop").await;
    let url = notify_url(&shop, "/pay/target/wx/main").await;
    let id = market.paid_unheard(&shop).await;
    let last = url.chars().last().unwrap();
    let wrong = [
        format!(
            "{}{}",
            &url[..url.len() - 1],
            if last == 'A' { 'B' } else { 'A' }
        ),
        format!("{url}A"),
        url[..url.len() - 1].to_owned(),
        format!("{}/pay/re/t/x", market.host.url()),
        format!("{}/pay/re/t/%00", market.host.url()),
        format!(
            "{}/pay/re/0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
            market.host.url()
        ),
    ];
    for address in wrong {
        let sent = market.notify(&id, Notice::genuine().to(&address)).await;
        let answer = (sent.http_status, sent.reply.as_deref());
        assert_eq!(answer, (Some(404), Some("fail")), "{address}");
    }
    assert_eq!(shop.payment(&id).await["st"], "WAIT");
    let (_, token) = url.rsplit_once('/').unwrap();
    let refused = market.host.root().get("/pay/refused").await.json();
    let shown = format!("{refused}{}", market.host.log());
    assert!(!shown.contains(token), "a token is nobody's business");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lying_provider_names_is_looked_for_among_its_own_account_s_trades() {
    let world = World::start().await;
    let root = world.host.root();
    let looked_at = root.post_bytes("/pay/provider/inspect", LIAR).await.data();
    let digest = looked_at["digest"].as_str().unwrap();
    let admit = format!("/pay/provider?digest={digest}");
    root.put_bytes(&admit, LIAR).await.data();
    let (shop, alipay) = (&world.shop, &world.alipay);
    shop.put_target("liar", "main", alipay, &world.account)
        .await;
    let id = world.paid_unheard(json!({})).await;
    let url = notify_url(shop, "/pay/target/liar/main").await;
    let genuine = walnut_sandbox::alipay::Notice::genuine();
    let sent = alipay.notify(&id, &genuine.clone().to(url)).await.unwrap();
    assert_eq!(sent.reply.as_deref(), Some("fail"));
    assert_eq!(shop.payment(&id).await["st"], "WAIT");
    // At its own account's address it is taken.
    let url = notify_url(shop, "/pay/target/zfb/main").await;
    let sent = alipay.notify(&id, &genuine.to(url)).await.unwrap();
    assert_eq!(sent.reply.as_deref(), Some("success"));
    assert_eq!(shop.payment(&id).await["st"], "OK");
}
