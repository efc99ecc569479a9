//! What reaches beyond one call: money of others that is to go back, statements from other domains, and all that a
//! provider is told, told on.

use serde_json::{Value, json};
use walnut_sandbox::alipay::Notice;

use super::{Court, LONG};
use crate::world::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_money_goes_back() {
    let court = Court::open().await;
    let (shop, alipay) = (&court.world.shop, &court.world.alipay);
    let (id, code) = court.sent("refund-other", "refund").await;
    alipay.pay(&code).await.unwrap();
    assert!(alipay.notify(&id, &Notice::genuine()).await.unwrap().taken);

    let order = json!({ "id": id, "fee": 2300 });
    let answer = shop.post("/pay/ajax/refund", order).await;
    assert!(answer.bytes.len() < LONG);
    let other = &court.others[0].0;
    for id in [other, &id] {
        let trade = alipay.trade(id).unwrap();
        assert!(trade.refunds.is_empty(), "{id}: {:?}", trade.refunds);
    }
    assert_eq!(shop.payment(&id).await["refunded"], 0);
    court.goes_on("refund-other").await;
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_domain_was_told_settles_nothing_here() {
    let court = Court::open().await;
    let (alipay, shop) = (&court.world.alipay, &court.world.shop);
    // Another domain with an account of its own, by the same provider.
    let rival = court.world.host.domain("rival").await;
    let account = alipay.open_account().await.unwrap();
    rival.put_target("liar", "main", alipay, &account).await;
    let id = rival.create(json!({})).await;
    let sent = rival.send_by(&id, "liar.qrcode").await.data();
    alipay.pay(sent["data"].as_str().unwrap()).await.unwrap();
    let theirs = alipay.notify(&id, &Notice::genuine()).await.unwrap();
    assert!(theirs.taken);

    let (own, code) = court.sent("", "").await;
    alipay.scan(&code).await.unwrap();
    let nobody = shop.with_key("");
    let path = format!("/pay/re/{own}");
    let named_anew = theirs.body.replace(&id, &own);
    for body in [&theirs.body, &named_anew] {
        let reply = nobody.post_bytes(&path, body.as_bytes()).await;
        assert_eq!(reply.bytes, b"fail", "{body}");
        court.is_open_still("foreign", &own).await;
    }
    // A lie that names the other domain's trade asks nobody about it.
    let body = json!({ "lie": "other-trade", "lie_at": "check", "other": id });
    let own = shop.create(body).await;
    shop.send_by(&own, "liar.qrcode").await.data();
    let refused = shop.check(&own).await.json()["msg"].to_string();
    assert!(
        refused.contains("another trade than this call"),
        "{refused}"
    );
    court.goes_on("foreign").await;
    court.adjourn();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_can_tell_on_no_more_than_one_payment() {
    let mut court = Court::open().await;
    let shop = court.world.shop.clone();
    // What is marked belongs to others: another payment of the domain, and another domain.
    let rival = court.world.host.domain("rival").await;
    let account = court.world.alipay.open_account().await.unwrap();
    rival
        .put_target("liar", "main", &court.world.alipay, &account)
        .await;
    for (other, mark) in [(&shop, "marked-neighbour"), (&rival, "marked-rival")] {
        let id = other.create(json!({ "order": mark })).await;
        other.send_by(&id, "liar.qrcode").await.data();
    }

    let meta = json!({ "lie": "leak", "lie_at": "send", "order": "marked-own" });
    let id = shop.create(meta).await;
    let sent = shop.send_by(&id, "liar.qrcode").await;
    court.said += &String::from_utf8_lossy(&sent.bytes);
    let shown = sent.data()["data"].to_string();
    assert!(
        shown.contains("marked-own"),
        "it was told of its own: {shown}"
    );
    court.said += &Value::Array(shop.history(&id).await).to_string();
    court.said += &shop.payment(&id).await.to_string();
    for mark in ["marked-neighbour", "marked-rival", account.app_id()] {
        assert!(!court.said.contains(mark), "{mark}: {}", court.said);
    }
    // Nor does another domain see anything of it.
    let theirs: &Shop = &rival;
    let list = theirs.get("/pay/ajax/query").await;
    let list = String::from_utf8_lossy(&list.bytes).into_owned();
    assert!(list.contains("marked-rival"), "{list}");
    assert!(!list.contains("marked-own"), "{list}");
    court.adjourn();
}
