//! Customers do everything that a shop's customers do, all at once and at three platforms, while the host is killed at
//! random moments and started again. When it is over, what was answered is there, nothing went backwards, callbacks left
//! their effects once, and the platforms' books agree with ours.
//!
//! `WALNUT_TEST_SEED` tells a story again as far as the machine's own timing allows, and `WALNUT_TEST_KILLS` makes it
//! longer:
//! `WALNUT_TEST_KILLS=500 cargo test --workspace --locked --test it -- storm`
//!
//! | file | is |
//! |---|---|
//! | `customer` | what customers do, and what they were answered |
//! | `outcome` | what has to be true of it afterwards, payment by payment |
//! | `several` | the same of several hosts that share a PostgreSQL |
//! | this | where it blows: how the host is started and struck, and what the store as a whole has to hold |

mod customer;
mod outcome;
mod several;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use walnut_sandbox::alipay::{Alipay, AlipayOptions};
use walnut_sandbox::paypal::{PayPal, PayPalOptions};
use walnut_sandbox::wechat::{WeChat, WeChatOptions};

use crate::world::{Faults, Host, Moment, SCRIPTED, Shop, account_settings, merchant_settings};
use customer::{Customer, Done};

const CUSTOMERS: u64 = 6;

/// Numbers that a seed gives (splitmix64).
struct Chance(u64);

impl Chance {
    /// From `WALNUT_TEST_SEED`, or from the clock.
    fn from_environment() -> Chance {
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            since.as_nanos() as u64
        };
        let seed = number("WALNUT_TEST_SEED").unwrap_or_else(now);
        println!("told again by WALNUT_TEST_SEED={seed}");
        Chance(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn number(variable: &str) -> Option<u64> {
    let given = std::env::var(variable).ok()?;
    Some(
        given
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={given} is no number")),
    )
}

/// The platforms whose books have to agree with ours.
struct Platforms {
    alipay: Alipay,
    wechat: WeChat,
    paypal: PayPal,
}

/// A host with a shop that takes all three, and its callback.
struct Stage {
    host: Host,
    platforms: Arc<Platforms>,
    shop: Shop,
    /// Where the payments are, if they are not in the host's data root.
    store: Option<String>,
}

impl Stage {
    async fn on(host: Host) -> Stage {
        let url = host.url().to_owned();
        Stage::behind(&url, host, None).await
    }

    /// Called at `url`, which leads to the host.
    async fn behind(url: &str, host: Host, store: Option<String>) -> Stage {
        let alipay = Alipay::start(AlipayOptions::default()).await.unwrap();
        // Refunds are made within half a second.
        let wechat = WeChat::start(WeChatOptions {
            time_scale: 10,
            ..WeChatOptions::default()
        });
        let wechat = wechat.await.unwrap();
        let paypal = PayPal::start(PayPalOptions::default()).await.unwrap();
        let shop = host.domain("shop").await.at(url);
        let account = alipay.open_account().await.unwrap();
        shop.put_target("zfb", "main", &alipay, &account).await;
        let merchant = wechat.open_merchant().await.unwrap();
        let account = paypal.open_account();
        paypal.listen(&account, format!("{url}/pay/re"));
        for (platform, settings) in [
            ("wx", merchant_settings(&wechat, &merchant)),
            ("paypal", account_settings(&paypal, &account)),
        ] {
            let body = serde_json::json!({ "test": true, "settings": settings });
            shop.put(&format!("/pay/target/{platform}/main"), body)
                .await
                .data();
        }
        shop.put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
            .await;
        Stage {
            host,
            platforms: Arc::new(Platforms {
                alipay,
                wechat,
                paypal,
            }),
            shop,
            store,
        }
    }

    async fn moment(&self) -> Moment {
        match &self.store {
            None => Moment::of(&self.host.data_root()),
            Some(url) => Moment::in_database(url).await,
        }
    }
}

/// What befalls the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Blow {
    /// The process is killed.
    Kill,
    /// The machine loses power: what was not synchronised is gone too.
    PowerCut,
}

impl Blow {
    async fn strikes(self, host: Host) -> Host {
        let killed = host.kill().await;
        match self {
            Blow::Kill => killed.restart().await,
            Blow::PowerCut => killed.without_power().restart().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_at_random_loses_and_repeats_nothing() {
    let kills = number("WALNUT_TEST_KILLS").unwrap_or(20);
    blows(Host::start().await, Blow::Kill, kills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_power_fails_at_random_loses_and_repeats_nothing() {
    let Some(faults) = Faults::possible("power cuts") else {
        return;
    };
    let cuts = number("WALNUT_TEST_CUTS").unwrap_or(10);
    let host = Host::start_under(&faults).await;
    blows(host, Blow::PowerCut, cuts).await;
}

async fn blows(host: Host, blow: Blow, times: u64) {
    let mut stage = Stage::on(host).await;
    let ends = Arc::new(AtomicBool::new(false));
    let mut chance = Chance::from_environment();
    let customers = customers(&stage, &mut chance, &ends);
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(chance.below(400))).await;
        stage.host = blow.strikes(stage.host).await;
    }
    ends.store(true, Ordering::Relaxed);
    let mut done = Vec::new();
    for customer in customers {
        done.extend(customer.await.unwrap());
    }
    let tale = agree(&stage, &done).await;
    println!("{times} times {blow:?}, {} payments: {tale:?}", done.len());
}

/// They begin at once.
fn customers(
    stage: &Stage,
    chance: &mut Chance,
    ends: &Arc<AtomicBool>,
) -> Vec<JoinHandle<Vec<Done>>> {
    (0..CUSTOMERS)
        .map(|number| {
            let chance = Chance(chance.below(u64::MAX));
            let customer = Customer::new(number, stage, chance, ends);
            tokio::spawn(customer.shops())
        })
        .collect()
}

/// Everything that was done came to its end, the books agree, and the store holds nothing else. What became of how many.
async fn agree(stage: &Stage, done: &[Done]) -> BTreeMap<String, u32> {
    let mut applied = 0;
    let mut tale = BTreeMap::new();
    for payment in done {
        let (name, ok) = outcome::settled(stage, payment).await;
        outcome::forward_only(&stage.shop, payment.id()).await;
        *tale.entry(name).or_insert(0) += 1;
        applied += u64::from(ok);
    }
    let all = stage.shop.get("/pay/ajax/query?pager=true&limit=1").await;
    assert_eq!(
        all.data()["pager"]["total"],
        done.len(),
        "each created once"
    );
    let moment = stage.moment().await;
    assert_eq!(moment.kept("sold").unwrap_or("0"), applied.to_string());
    assert_eq!(
        moment.left.len() as u64,
        applied,
        "what is unpaid has no delivery"
    );
    for left in moment.left.values() {
        assert_eq!(
            (left.done, left.told, left.events),
            (true, 1, 1),
            "{left:?}"
        );
    }
    tale
}
