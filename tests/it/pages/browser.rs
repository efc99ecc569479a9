//! The pages in a real browser, from the first click to the last screen, in a window of a phone's size and of a desk's.
//! Each story looks for what keeps people from using the page (axe-core), for requests to anywhere else, and reads the QR
//! code from a screenshot. Screenshots are left below the target directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use walnut_sandbox::alipay::{AnswerFault, Fen, Misbehaviour, Notice, NotificationFault};
use walnut_sandbox::paypal::{PayPal, PayPalOptions};

use crate::world::{Host, SCRIPTED, Shop, Till, World, account_settings, left_out};

/// A browser on a machine under load.
const PATIENCE: Duration = Duration::from_secs(900);

/// Where the browser may be.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What drives the browser.
struct Driver {
    browser: PathBuf,
    tools: PathBuf,
}

impl Driver {
    /// None where there is no browser, which is said.
    fn for_story(name: &str) -> Option<Driver> {
        let places = std::env::var_os("PATH")?;
        let browser = std::env::split_paths(&places)
            .flat_map(|place| BROWSERS.map(|name| place.join(name)))
            .find(|program| program.is_file());
        let tools = target().join("tools/pages");
        match browser {
            Some(browser) if tools.join("installed").exists() => Some(Driver { browser, tools }),
            _ => {
                let why = "there is no browser to drive: tests/install installs one";
                left_out(name, why);
                None
            }
        }
    }

    /// Tells the story, with more that it has to know.
    async fn tell(&self, name: &str, host: &Host, shop: &Shop, more: Value) {
        let shots = target().join("screenshots");
        std::fs::create_dir_all(&shots).unwrap();
        let mut told = json!({
            "story": name,
            "tools": self.tools,
            "browser": self.browser,
            "shots": shots,
            "host": host.url(),
            "key": shop.key(),
            "root": host.root_key(),
        });
        let known = told.as_object_mut().unwrap();
        known.extend(more.as_object().unwrap().clone());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/pages/drive.mjs");
        let driving = Command::new("node")
            .arg(script)
            .arg(told.to_string())
            .kill_on_drop(true)
            .output();
        let driven = tokio::time::timeout(PATIENCE, driving)
            .await
            .unwrap()
            .unwrap();
        assert!(
            driven.status.success(),
            "{name}: {}\n{}\nthe host's log:\n{}",
            String::from_utf8_lossy(&driven.stdout),
            String::from_utf8_lossy(&driven.stderr),
            host.log(),
        );
    }
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// A story of a shop with an account at Alipay.
async fn story(name: &str) {
    let Some(driver) = Driver::for_story(name) else {
        return;
    };
    let World {
        host, alipay, shop, ..
    } = World::start().await;
    driver
        .tell(name, &host, &shop, json!({ "alipay": alipay.url() }))
        .await;
}

#[tokio::test]
async fn a_buyer_scans_the_code_and_the_page_turns_green() {
    story("cashier").await;
}

#[tokio::test]
async fn a_page_without_events_looks_by_itself() {
    story("polling").await;
}

#[tokio::test]
async fn what_ends_unpaid_says_so_in_the_readers_language() {
    story("unpaid").await;
}

#[tokio::test]
async fn a_buyer_pays_by_the_keyboard_alone() {
    story("keyboard").await;
}

#[tokio::test]
async fn a_buyer_goes_to_the_platforms_page_and_back_to_the_shop() {
    story("link").await;
}

#[tokio::test]
async fn a_buyer_pays_in_a_frame_of_the_page() {
    story("frame").await;
}

#[tokio::test]
async fn a_buyer_who_chose_takes_another_way() {
    story("another").await;
}

#[tokio::test]
async fn time_runs_out_before_the_buyers_eyes() {
    story("expiry").await;
}

#[tokio::test]
async fn within_wechat_the_page_calls_the_app() {
    let Some(driver) = Driver::for_story("wechat") else {
        return;
    };
    let Till {
        host,
        wechat,
        merchant,
        shop,
    } = Till::open(json!({})).await;
    let more = json!({ "wechat": wechat.url(), "openid": merchant.buyer_openid() });
    driver.tell("wechat", &host, &shop, more).await;
}

#[tokio::test]
async fn what_a_buyer_approves_at_paypal_is_captured_before_their_eyes() {
    let Some(driver) = Driver::for_story("paypal") else {
        return;
    };
    let World { host, shop, .. } = World::start().await;
    let paypal = PayPal::start(PayPalOptions::default()).await.unwrap();
    let account = paypal.open_account();
    paypal.listen(&account, format!("{}/pay/re", host.url()));
    let mut settings = account_settings(&paypal, &account);
    settings["return_url"] = json!(format!("{}/healthz", host.url()));
    let body = json!({ "test": true, "settings": settings });
    shop.put("/pay/target/paypal/main", body).await.data();
    driver
        .tell("paypal", &host, &shop, json!({ "paypal": paypal.url() }))
        .await;
}

#[tokio::test]
async fn a_shop_assistant_takes_money_without_touching_the_mouse() {
    story("till").await;
}

#[tokio::test]
async fn a_till_takes_amounts_in_the_decimals_of_their_currency() {
    story("currencies").await;
}

#[tokio::test]
async fn a_till_reads_the_buyers_code_by_its_camera() {
    let Some(driver) = Driver::for_story("camera") else {
        return;
    };
    let World {
        host, alipay, shop, ..
    } = World::start().await;
    let film = tempfile::tempdir().unwrap();
    let more = json!({ "alipay": alipay.url(), "film": film.path().join("film.y4m") });
    driver.tell("camera", &host, &shop, more).await;
}

#[tokio::test]
async fn an_owner_looks_payments_up_and_changes_what_is_theirs() {
    story("owner").await;
}

#[tokio::test]
async fn the_owners_list_follows_by_itself() {
    story("following").await;
}

#[tokio::test]
async fn what_an_owner_saves_is_what_the_host_says() {
    story("csv").await;
}

#[tokio::test]
async fn a_programmer_reads_what_an_endpoint_takes_and_refuses() {
    story("endpoints").await;
}

#[tokio::test]
async fn an_owner_pages_through_payments() {
    story("paging").await;
}

#[tokio::test]
async fn an_owner_chooses_what_to_see_of_payments() {
    story("columns").await;
}

#[tokio::test]
async fn an_owner_closes_asks_about_and_takes_back_payments() {
    story("acting").await;
}

#[tokio::test]
async fn the_operator_sees_every_domain_and_gives_keys() {
    story("operator").await;
}

#[tokio::test]
async fn an_owner_decides_about_payments_on_hold_with_a_reason() {
    let Some(driver) = Driver::for_story("held") else {
        return;
    };
    let world = World::start().await;
    let lost = Misbehaviour::always(NotificationFault::Lost);
    world.alipay.misbehave(lost);
    let busy = AnswerFault::Busy { processed: false };
    let busy = Misbehaviour::always(busy).for_operation("alipay.trade.query");
    world.alipay.misbehave(busy);
    let mut held = Vec::new();
    for _ in 0..2 {
        let (id, code) = world.sent().await;
        world.alipay.pay(&code).await.unwrap();
        let notice = Notice::amount(Fen::new(2200));
        world.alipay.notify(&id, &notice).await.unwrap();
        held.push(id);
    }
    let more = json!({
        "alipay": world.alipay.url(),
        "accepted": held[0],
        "given_back": held[1],
    });
    driver.tell("held", &world.host, &world.shop, more).await;
}

#[tokio::test]
async fn an_owner_has_a_dead_delivery_run_once_more() {
    let Some(driver) = Driver::for_story("dead") else {
        return;
    };
    let World {
        host, alipay, shop, ..
    } = World::scripted().await;
    let script = json!({ "loop": true, "until_try": 2 });
    let mut dead = Vec::new();
    for _ in 0..2 {
        let body = json!({ "fee": 0, "callback": SCRIPTED, "script": script });
        let id = shop.create(body).await;
        shop.until_delivery(&id, "running", |delivery| delivery["state"] == "RUNNING")
            .await;
        dead.push(id);
    }
    let killed = host.kill().await;
    // It was their last try.
    let store = killed.data_root().join("var/payment/payments.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let sql = "UPDATE delivery SET tries = 10 WHERE state = 'LEASED'";
    assert_eq!(store.execute(sql, []).unwrap(), 2);
    drop(store);
    let host = killed.restart().await;
    let more = json!({ "alipay": alipay.url(), "dead": dead });
    driver.tell("dead", &host, &shop, more).await;
}
