//! The pages in a real browser, from the first click to the last screen, in a window of a phone's size and of a desk's.
//! Each story looks for what keeps people from using the page (axe-core), for requests to anywhere else, and reads the QR
//! code from a screenshot. Screenshots are left below the target directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use crate::world::{World, left_out};

/// A browser on a machine under load.
const PATIENCE: Duration = Duration::from_secs(900);

/// Where the browser may be.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn browser() -> Option<PathBuf> {
    let places = std::env::var_os("PATH")?;
    std::env::split_paths(&places)
        .flat_map(|place| BROWSERS.map(|name| place.join(name)))
        .find(|program| program.is_file())
}

async fn story(name: &str) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tools = target.join("tools/pages");
    let (Some(browser), true) = (browser(), tools.join("installed").exists()) else {
        left_out(
            name,
            "there is no browser to drive: tests/install installs one",
        );
        return;
    };
    let world = World::start().await;
    let shots = target.join("screenshots");
    std::fs::create_dir_all(&shots).unwrap();
    let told = json!({
        "story": name,
        "tools": tools,
        "browser": browser,
        "shots": shots,
        "host": world.host.url(),
        "alipay": world.alipay.url(),
        "key": world.shop.key(),
        "root": world.host.root_key(),
    });
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
        world.host.log(),
    );
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
async fn an_owner_looks_payments_up_and_changes_what_is_theirs() {
    story("console").await;
}

#[tokio::test]
async fn the_operator_sees_every_domain_and_gives_keys() {
    story("operator").await;
}

#[tokio::test]
async fn a_shop_assistant_takes_money_without_touching_the_mouse() {
    story("till").await;
}
