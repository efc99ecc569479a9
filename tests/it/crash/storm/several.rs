//! Several hosts share a PostgreSQL behind a load balancer, and are killed one by one.

use walnut_test_postgres::Server;

use super::*;
use crate::world::Balancer;

const HOSTS: u64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_share_a_database_and_are_killed_at_random_lose_and_repeat_nothing() {
    let Some(server) = Server::shared() else {
        return;
    };
    let database = server.database().unwrap();
    let kills = number("WALNUT_TEST_KILLS").unwrap_or(10);
    let balancer = Balancer::start().await;
    let url = balancer.url();
    let options = ["--store", database.url(), "--public-url", &url];
    let host = Host::start_with(&options).await;
    balancer.add(host.url());
    let mut stage = Stage::behind(&url, host, Some(database.url().to_owned())).await;
    let mut others = Vec::new();
    for _ in 1..HOSTS {
        let other = stage.host.beside().await;
        balancer.add(other.url());
        others.push(other);
    }
    let ends = Arc::new(AtomicBool::new(false));
    let mut chance = Chance::from_environment();
    let customers = customers(&stage, &mut chance, &ends);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(chance.below(400))).await;
        let struck = usize::try_from(chance.below(HOSTS)).unwrap();
        match struck.checked_sub(1) {
            None => stage.host = Blow::Kill.strikes(stage.host).await,
            Some(other) => {
                let host = others.remove(other);
                others.push(Blow::Kill.strikes(host).await);
            }
        }
    }
    ends.store(true, Ordering::Relaxed);
    let mut done = Vec::new();
    for customer in customers {
        done.extend(customer.await.unwrap());
    }
    let tale = agree(&stage, &done).await;
    println!(
        "{kills} kills of {HOSTS} hosts, {} payments: {tale:?}",
        done.len()
    );
    let checked =
        walnut::store::Store::check_at(&walnut::store::Address::parse(database.url()).unwrap());
    assert_eq!(checked.unwrap().problems, Vec::<String>::new());
}
