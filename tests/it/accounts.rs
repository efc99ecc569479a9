//! An owner's accounts at the platforms: settings are put again and again, and secrets only where they change.

use serde_json::{Value, json};

use crate::world::{Shop, World};

const PATH: &str = "/pay/target/zfb/main";

/// What is put, with this set; null leaves it out.
fn body(world: &World, name: &str, value: Value) -> Value {
    let mut body = Shop::target_body(&world.alipay, &world.account);
    let settings = body["settings"].as_object_mut().unwrap();
    match value {
        Value::Null => settings.remove(name),
        value => settings.insert(name.to_owned(), value),
    };
    body
}

#[tokio::test]
async fn a_secret_that_is_left_out_stays_as_it_is() {
    let world = World::start().await;
    let shop = &world.shop;
    let mut without = body(&world, "app_private_key", Value::Null);
    let put = shop.put(PATH, without.clone()).await.data();
    assert_eq!(put["version"], 2);
    let (id, code) = world.sent().await;
    world.alipay.pay(&code).await.unwrap();
    shop.until_state(&id, "OK").await;

    // The same by the command line, from what `target show` prints.
    let shown = world
        .host
        .walnut(shop.key(), &["target", "show", "zfb", "main"])
        .await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["secrets"], json!(["app_private_key"]));
    let settings = shown["settings"].to_string();
    let args = ["target", "put", "zfb", "main", "--test"];
    let put = world.host.walnut_given(shop.key(), &settings, &args).await;
    assert_eq!(put.code, 0, "{put:?}");
    world.sent().await;

    // It can be taken out only where the platform does without it.
    without["settings"]["app_private_key"] = Value::Null;
    let refused = shop.put(PATH, without).await;
    let message = refused.json()["msg"].to_string();
    assert_eq!(refused.refusal().0, 422, "{message}");
    assert!(message.contains("app_private_key"), "{message}");
}

#[tokio::test]
async fn a_secret_does_not_follow_to_another_address() {
    let world = World::start().await;
    let elsewhere = json!("http://127.0.0.1:9/gateway.do");
    let mut moved = body(&world, "gateway", elsewhere);
    let whole = moved.clone();
    let settings = moved["settings"].as_object_mut().unwrap();
    settings.remove("app_private_key");
    let refused = world.shop.put(PATH, moved.clone()).await;
    let message = refused.json()["msg"].to_string();
    assert_eq!(refused.refusal().0, 422, "{message}");
    assert!(
        message.contains("app_private_key: give it anew, since gateway has changed"),
        "{message}"
    );
    world.sent().await;
    world.shop.put(PATH, whole).await.data();

    // What was taken out of use keeps nothing either.
    world.shop.delete(PATH).await.data();
    assert_eq!(world.shop.put(PATH, moved).await.refusal().0, 422);
}
