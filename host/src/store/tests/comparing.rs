use crate::payment::model::{Refund, RefundCause, RefundNo, RefundState};

use super::*;

/// What was paid and given back to an account of the domain, at this time.
async fn sold(shop: &Shop, domain: &str, target: &str, at: Ams) -> TradeNo {
    let payment = Payment {
        state: State::Ok,
        ..payment(domain)
    };
    let mut first = Attempt {
        state: AttemptState::Ok,
        paid_minor: Some(2300),
        created_ms: at,
        transaction_id: Some(format!("4200{at}")),
        ..attempt(payment.id, 1)
    };
    first.target.name = target.to_owned();
    let (id, trade_no) = (payment.id, first.trade_no.clone());
    let new = NewPayment {
        attempts: vec![first],
        ..new(payment)
    };
    shop.store.create(new).await.unwrap();
    let back = Refund {
        refund_no: RefundNo::generate(),
        payment: id,
        trade_no: trade_no.clone(),
        amount_minor: 500,
        reason: String::new(),
        cause: RefundCause::Asked,
        state: RefundState::Ok,
        created_ms: at,
        ended_ms: at + 1,
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms: 0,
        asks: 1,
        last_error: None,
    };
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Ok);
        changes.refunds = vec![back];
        Ok::<_, ()>((Some(changes), ()))
    };
    shop.store.change(id, rule).await.unwrap().unwrap().unwrap();
    trade_no
}

#[tokio::test]
async fn an_accounts_payments_and_refunds_of_a_time_come_page_by_page() {
    let Some(shop) = open() else { return };
    let mut inside = Vec::new();
    for at in [100, 150, 150, 199] {
        inside.push(sold(&shop, "shop", "main", at).await);
    }
    for at in [99, 200] {
        sold(&shop, "shop", "main", at).await;
    }
    sold(&shop, "shop", "second", 150).await;
    sold(&shop, "other", "main", 150).await;

    let account = Account {
        domain: "shop".into(),
        platform: attempt(PaymentId::generate(), 1).target.platform,
        target: "main".into(),
    };
    let (mut paid, mut given) = (Vec::new(), Vec::new());
    loop {
        let last = paid.last();
        let page = shop.store.paid_attempts(&account, 100..200, 0, last, 3);
        let page = page.await.unwrap();
        let ended = page.len() < 3;
        paid.extend(page);
        if ended {
            break;
        }
    }
    loop {
        let last = given.last();
        let page = shop.store.refunds_given(&account, 100..200, last, 3);
        let page = page.await.unwrap();
        let ended = page.len() < 3;
        given.extend(page);
        if ended {
            break;
        }
    }
    inside.sort();
    let mut trades: Vec<TradeNo> = paid.into_iter().map(|one| one.trade_no).collect();
    trades.sort();
    assert_eq!(trades, inside);
    let mut trades: Vec<TradeNo> = given.into_iter().map(|one| one.trade_no).collect();
    trades.sort();
    assert_eq!(trades, inside);

    let unknown = TradeNo::generate();
    let wanted = vec![inside[0].clone(), unknown];
    let cases = shop.store.cases_of_trades(wanted).await.unwrap();
    assert!(cases[0].is_some() && cases[1].is_none());
}

#[tokio::test]
async fn when_an_account_was_paid_last_is_known() {
    let Some(shop) = open() else { return };
    for (domain, target, at) in [
        ("shop", "main", 150),
        ("shop", "main", 90),
        ("rival", "main", 200),
    ] {
        sold(&shop, domain, target, at).await;
    }
    let accounts = [("shop", "main"), ("shop", "other"), ("rival", "main")];
    let accounts = accounts.map(|(domain, target)| Account {
        domain: domain.to_owned(),
        platform: "zfb".to_owned(),
        target: target.to_owned(),
    });
    let last = shop.store.last_paid(accounts.to_vec()).await.unwrap();
    assert_eq!(last, [150, 0, 200]);
}

#[tokio::test]
async fn a_trade_is_found_by_the_platforms_number_of_it_within_its_account() {
    let Some(shop) = open() else { return };
    let first = sold(&shop, "shop", "main", 1).await;
    let second = sold(&shop, "shop", "main", 2).await;
    sold(&shop, "shop", "second", 3).await;
    sold(&shop, "other", "main", 4).await;
    let account = Account {
        domain: "shop".into(),
        platform: attempt(PaymentId::generate(), 1).target.platform,
        target: "main".into(),
    };
    let wanted = ["42001", "42002", "42003", "42004", "x'"].map(str::to_owned);
    let found = shop
        .store
        .trades_of_transactions(&account, wanted.into())
        .await;
    let mut found = found.unwrap();
    found.sort();
    assert_eq!(
        found,
        [("42001".to_owned(), first), ("42002".to_owned(), second)]
    );
}
