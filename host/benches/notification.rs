//! A notification's whole way through the host (HTTP on loopback, the check of the signature, what is encrypted, the
//! component, the durable commit): WeChat Pay's, whose content is encrypted, against Alipay's, which is a form. The
//! goal is at most 1.3 times as much processor time.
//!
//! Each platform has a host of its own with payments that were sent. The two take turns of a round each, and who
//! begins alternates.
//!
//! `cargo bench -p walnut --bench notification`
#![allow(clippy::expect_used, reason = "a benchmark that cannot go on stops")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod stage {
    pub(crate) mod alipay;
    pub(crate) mod crowd;
    pub(crate) mod merchant;
    pub(crate) mod order;
    pub(crate) mod process;
    pub(crate) mod rounds;
    pub(crate) mod shop;
    pub(crate) mod stock;
    pub(crate) mod wechat;
}

use stage::merchant::Merchant;
use stage::process::Server;
use stage::rounds::{Plan, Round, Side, each, quartiles, take_turns};
use stage::stock::{Stock, settled};
use stage::{alipay, wechat};

/// All is over within the five minutes for which WeChat Pay's signatures are good.
const PLAN: Plan = Plan {
    round: 1_000,
    rounds: 20,
    before: 2,
};

/// A host with payments that wait for their notification.
async fn set<M: Merchant>(merchant: &M, plan: &Plan) -> (Side, Stock) {
    let mut stock = Stock::lay_in(merchant, plan.requests())
        .await
        .expect("a stock");
    let server = Server::host(&stock.root(), &stock.log()).expect("a host");
    let requests = std::mem::take(&mut stock.requests);
    (Side::new(server, requests, M::taken), stock)
}

#[tokio::main]
async fn main() {
    let plan = PLAN.or_walk();
    let account = alipay::Account::open().expect("an account");
    let (mut zfb, zfb_stock) = set(&account, &plan).await;
    let account = wechat::Account::open().expect("an account");
    let (mut wx, wx_stock) = set(&account, &plan).await;
    take_turns(&plan, &mut wx, &mut zfb)
        .await
        .expect("every notification taken");
    let (wx, zfb) = (wx.end(&plan), zfb.end(&plan));
    for stock in [wx_stock, zfb_stock] {
        let paid = settled(&stock.root()).await.expect("the store");
        assert_eq!(paid, plan.requests() as u64, "a payment for each");
    }
    for (name, rounds) in [("WeChat Pay", &wx), ("Alipay", &zfb)] {
        println!(
            "{name}: {:.0} notifications a second; processor time for each: {:?}",
            each(&plan, rounds, |round| round.took)
                .as_secs_f64()
                .recip(),
            each(&plan, rounds, |round| round.server),
        );
    }
    compare("processor time", &wx, &zfb, |round| round.server);
    compare("time", &wx, &zfb, |round| round.took);
}

/// Prints WeChat Pay's share of Alipay's, pair by pair.
fn compare(name: &str, wx: &[Round], zfb: &[Round], part: fn(&Round) -> std::time::Duration) {
    let pairs = wx.iter().zip(zfb);
    let ratios = pairs.map(|(wx, zfb)| part(wx).div_duration_f64(part(zfb)));
    let [least, lower, median, upper, most] = quartiles(ratios.collect()).expect("rounds");
    println!(
        "{name}, WeChat Pay against Alipay: median {median:.3}, quartiles {lower:.3} and {upper:.3}, from {least:.3} to {most:.3}",
    );
}
