//! Two hosts on one store: each with plugins, workers and callers of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use walnut_sandbox::alipay::{Account, Alipay, AlipayOptions, AnswerFault, Misbehaviour};

use super::*;
use crate::home::DataRoot;
use crate::payment::caller::{Caller, Scope};
use crate::payment::create::CreateRequest;
use crate::payment::model::PaymentId;
use crate::payment::retention::Retention;
use crate::payment::{Options, Switch};
use crate::plugin::{PluginOptions, Plugins};
use crate::store::Store;

/// How long the platform takes to answer a question. Whoever asks again before that asks at the same time.
const ANSWERS_IN_MS: u64 = 700;
/// How often each payment is asked about.
const QUESTIONS: usize = 4;

async fn host(root: &DataRoot, store: &Store) -> Payments {
    host_with(root, store, Retention::default()).await
}

async fn host_with(root: &DataRoot, store: &Store, retention: Retention) -> Payments {
    let plugins = Plugins::start(PluginOptions {
        instances: 16,
        cache_dir: root.cache_dir(),
        cache_key: [1; 32],
        allow_local_gateways: true,
        compiler: None,
    })
    .unwrap();
    let options = Options {
        public_url: "http://127.0.0.1:1".to_owned(),
        overlap: Switch::new(false),
        retention,
        provider_authors: Vec::new(),
    };
    Payments::open(store.clone(), plugins, root.clone(), options)
        .await
        .unwrap()
}

async fn put_target(host: &Payments, alipay: &Alipay, account: &Account) {
    let settings = json!({
        "app_id": account.app_id(),
        "seller_id": account.seller_id(),
        "app_private_key": account.merchant_private_key(),
        "alipay_public_key": account.alipay_public_key(),
        "gateway": alipay.gateway_url(),
    });
    let Value::Object(settings) = settings else {
        panic!("an object");
    };
    host.put_target("shop", "zfb", "main", true, false, settings)
        .await
        .unwrap();
}

async fn sent(host: &Payments, shop: &Caller) -> PaymentId {
    let request = CreateRequest::parse(br#"{"fee": 2300, "brief": "tea"}"#).unwrap();
    let id = host.create(shop, &request, None).await.unwrap().payment.id;
    host.send(shop, id, "zfb.qrcode", None, &[], None)
        .await
        .unwrap();
    id
}

/// When each trade was asked about.
fn questions(alipay: &Alipay) -> BTreeMap<String, Vec<u64>> {
    let mut questions = BTreeMap::<_, Vec<u64>>::new();
    for request in alipay.requests() {
        if request.operation.as_deref() == Some("alipay.trade.query") {
            let trade_no = request.out_trade_no.unwrap_or_default();
            questions.entry(trade_no).or_default().push(request.at_ms);
        }
    }
    questions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_never_ask_about_one_payment_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = DataRoot::open(dir.path()).unwrap();
    let store = Store::open(&root.payment_dir()).unwrap();
    store.add_domain("shop", now_ms()).await.unwrap();
    let hosts = [host(&root, &store).await, host(&root, &store).await];
    let alipay = Alipay::start(AlipayOptions::default()).await.unwrap();
    let account = alipay.open_account().await.unwrap();
    put_target(&hosts[0], &alipay, &account).await;
    let late = AnswerFault::Late { ms: ANSWERS_IN_MS };
    alipay.misbehave(Misbehaviour::always(late).for_operation("alipay.trade.query"));
    let shop = Caller::Domain {
        name: "shop".to_owned(),
        test: true,
        scope: Scope::Owner,
        refunds: true,
    };
    let ids = [sent(&hosts[0], &shop).await, sent(&hosts[1], &shop).await];

    let stop = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    for host in hosts {
        tasks.spawn(run(host.clone(), stop.clone()));
        for id in ids {
            let (host, shop, stop) = (host.clone(), shop.clone(), stop.clone());
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    host.check(&shop, id).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    let asked_enough = || {
        let questions = questions(&alipay);
        questions.len() == ids.len() && questions.values().all(|at| at.len() >= QUESTIONS)
    };
    while !asked_enough() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    for (trade_no, at) in questions(&alipay) {
        for pair in at.windows(2) {
            assert!(pair[1] - pair[0] >= ANSWERS_IN_MS, "{trade_no}: {at:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_payments_leave_by_the_policy_and_never_within_the_platform_s_refund_term() {
    const DAY: Ams = 24 * 3_600_000;
    let dir = tempfile::tempdir().unwrap();
    let root = DataRoot::open(dir.path()).unwrap();
    let store = Store::open(&root.payment_dir()).unwrap();
    store.add_domain("shop", now_ms()).await.unwrap();
    let policy = Retention {
        failed_days: Some(7),
        paid_days: Some(30),
    };
    let host = host_with(&root, &store, policy).await;
    let alipay = Alipay::start(AlipayOptions::default()).await.unwrap();
    put_target(&host, &alipay, &alipay.open_account().await.unwrap()).await;
    let shop = Caller::Domain {
        name: "shop".to_owned(),
        test: true,
        scope: Scope::Owner,
        refunds: true,
    };
    let closed = sent(&host, &shop).await;
    // What nobody scanned cannot be closed at Alipay: a buyer looks at it first.
    let shown = store
        .case(closed)
        .await
        .unwrap()
        .unwrap()
        .payment
        .presentation;
    alipay.scan(&shown.unwrap().content).await.unwrap();
    let ended = host.close(&shop, closed).await.unwrap();
    assert_eq!(ended.state.as_str(), "FAIL");
    let paid = sent(&host, &shop).await;
    let shown = store
        .case(paid)
        .await
        .unwrap()
        .unwrap()
        .payment
        .presentation;
    alipay.pay(&shown.unwrap().content).await.unwrap();
    host.check(&shop, paid).await.unwrap();
    let given = CreateRequest::parse(br#"{"fee": 0, "brief": "a sample"}"#).unwrap();
    let given = host.create(&shop, &given, None).await.unwrap().payment.id;
    host.send(&shop, given, "free", None, &[], None)
        .await
        .unwrap();
    let waiting = sent(&host, &shop).await;

    let left = async |days: Ams| {
        let swept = host.sweep(now_ms() + days * DAY).await.unwrap();
        let mut left = Vec::new();
        for id in [closed, given, paid, waiting] {
            left.push(store.case(id).await.unwrap().is_some());
        }
        (swept.removed, left)
    };
    assert_eq!(left(6).await, (0, vec![true; 4]));
    assert_eq!(left(8).await, (1, vec![false, true, true, true]));
    // What was free owes nobody anything; Alipay gives money back for a year.
    assert_eq!(left(31).await, (1, vec![false, false, true, true]));
    assert_eq!(left(364).await, (0, vec![false, false, true, true]));
    assert_eq!(left(366).await, (1, vec![false, false, false, true]));
    assert_eq!(left(9_999).await, (0, vec![false, false, false, true]));
}
