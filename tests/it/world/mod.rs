//! What the stories need: a host of the real binary, a shop that calls it, the simulated platform.

mod alipay;
mod balancer;
mod books;
mod contract;
mod faults;
mod host;
mod moment;
mod past;
mod paypal;
mod receiver;
mod shop;
mod wechat;

pub(crate) use alipay::{AlipayOrder, AlipayWay};
pub(crate) use balancer::Balancer;
pub(crate) use books::kinds;
pub(crate) use faults::{DiskError, Faults, Synced};
pub(crate) use host::{Host, Killed, Ran, run_walnut};
pub(crate) use moment::Moment;
pub(crate) use past::PastDay;
pub(crate) use paypal::{Page, account_settings, order_at};
pub(crate) use receiver::Receiver;
pub(crate) use shop::{Answer, Shop};
pub(crate) use wechat::{ON_A_DEVICE, Till, dialects, link, merchant_settings};

use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;
use walnut_sandbox::alipay::{
    Account, Alipay, AlipayOptions, AnswerFault, Misbehaviour, NotificationFault,
};

/// A host with the domain `shop`, whose only target `main` is an account at the simulated Alipay.
pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) alipay: Alipay,
    pub(crate) account: Account,
    pub(crate) shop: Shop,
}

/// The example that comes with the host.
pub(crate) const RECORD_SALE: &str = "record-sale";
/// The callback of the tests that follows the payment's `script`.
pub(crate) const SCRIPTED: &str = "scripted";

impl World {
    pub(crate) async fn start() -> World {
        World::repeating(1).await
    }

    /// Notifications are repeated that many times faster than the real ones.
    pub(crate) async fn repeating(time_scale: u32) -> World {
        World::with(time_scale, &[]).await
    }

    /// The same, with more options of `walnut serve`.
    pub(crate) async fn with(time_scale: u32, options: &[&str]) -> World {
        let alipay = Alipay::start(AlipayOptions {
            time_scale,
            ..AlipayOptions::default()
        })
        .await
        .unwrap();
        World::of(alipay, Host::start_with(options).await).await
    }

    /// The same on a disk and by a clock that fail as they are told to.
    pub(crate) async fn under(faults: &Arc<Faults>, time_scale: u32) -> World {
        let alipay = Alipay::start(AlipayOptions {
            time_scale,
            ..AlipayOptions::default()
        })
        .await
        .unwrap();
        let world = World::of(alipay, Host::start_under(faults).await).await;
        world
            .shop
            .put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
            .await;
        world
    }

    async fn of(alipay: Alipay, host: Host) -> World {
        let account = alipay.open_account().await.unwrap();
        let shop = host.domain("shop").await;
        shop.put_target("zfb", "main", &alipay, &account).await;
        shop.put_callback(RECORD_SALE, walnut_bundle::RECORD_SALE)
            .await;
        World {
            host,
            alipay,
            account,
            shop,
        }
    }

    /// The same, and the shop has the callback of the tests.
    pub(crate) async fn scripted() -> World {
        let world = World::start().await;
        world
            .shop
            .put_callback(SCRIPTED, walnut_test_guests::SCRIPTED)
            .await;
        world
    }

    /// A sent payment of 23.00 yuan: its id and its QR code.
    pub(crate) async fn sent(&self) -> (String, String) {
        self.sent_with(json!({})).await
    }

    /// The same with more fields.
    pub(crate) async fn sent_with(&self, more: serde_json::Value) -> (String, String) {
        let id = self.shop.create(more).await;
        let sent = self.shop.send(&id).await.data();
        let code = sent["data"]
            .as_str()
            .unwrap_or_else(|| panic!("no QR code: {sent}"));
        (id, code.to_owned())
    }

    /// A payment that the buyer paid and that nobody heard of: its notification was lost, and what is
    /// asked is answered with "system busy" until the platform behaves again.
    pub(crate) async fn paid_unheard(&self, more: serde_json::Value) -> String {
        let (id, code) = self.sent_with(more).await;
        self.go_silent(&id);
        self.alipay.pay(&code).await.unwrap();
        id
    }

    /// From now on the platform tells nothing of this trade.
    pub(crate) fn go_silent(&self, id: &str) {
        let lost = Misbehaviour::always(NotificationFault::Lost);
        let busy = Misbehaviour::always(AnswerFault::Busy { processed: false });
        self.alipay.misbehave(lost.for_trade(id));
        self.alipay
            .misbehave(busy.for_trade(id).for_operation("alipay.trade.query"));
    }
}

/// Absolute milliseconds: so long from now.
pub(crate) fn milliseconds_from_now(ms: u64) -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(since.as_millis()).unwrap() + ms
}

/// Says which part of a story this machine cannot tell. Unlike what `eprintln!` writes, the runner does not keep it back
/// when the test passes.
pub(crate) fn left_out(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "left out: {what}: {why}");
}

/// Runs so many of them at the same time, and gives what each came to.
pub(crate) async fn at_once<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (0..count)
        .map(|number| tokio::spawn(task(number)))
        .collect();
    let mut ends = Vec::new();
    for task in tasks {
        ends.push(task.await.unwrap());
    }
    ends
}
