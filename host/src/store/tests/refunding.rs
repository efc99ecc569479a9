use super::*;

/// A refund that the platform is to be called about at this time, of a payment of its own.
pub(super) async fn ordered(shop: &Shop, domain: &str, platform: &str, ask_at_ms: Ams) -> RefundNo {
    let payment = Payment {
        state: State::Ok,
        ..payment(domain)
    };
    let mut first = Attempt {
        state: AttemptState::Ok,
        paid_minor: Some(2300),
        ..attempt(payment.id, 1)
    };
    first.target.platform = platform.to_owned();
    let refund = Refund {
        refund_no: RefundNo::generate(),
        payment: payment.id,
        trade_no: first.trade_no.clone(),
        amount_minor: 500,
        reason: String::new(),
        cause: RefundCause::Asked,
        state: RefundState::Stuck,
        created_ms: 1,
        ended_ms: 0,
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms,
        asks: 1,
        last_error: None,
    };
    let (id, number) = (payment.id, refund.refund_no.clone());
    let new = NewPayment {
        attempts: vec![first],
        ..new(payment)
    };
    shop.store.create(new).await.unwrap();
    let rule = move |case: &Case| {
        let mut changes = moved(case, State::Ok);
        changes.refunds = vec![refund];
        Ok::<_, ()>((Some(changes), ()))
    };
    shop.store.change(id, rule).await.unwrap().unwrap().unwrap();
    number
}

pub(super) fn lanes(due: &[DueRefund]) -> Vec<(&str, &str)> {
    due.iter()
        .map(|due| (due.domain.as_str(), due.platform.as_str()))
        .collect()
}

#[tokio::test]
async fn what_is_due_is_claimed_once_with_a_fence() {
    let Some(shop) = open() else { return };
    let number = ordered(&shop, "shop", "wx", 40).await;
    ordered(&shop, "shop", "wx", 500).await;
    assert_eq!(shop.store.next_refund().await.unwrap(), Some(40));
    let claim = async |now, until| {
        let room = CallRoom::of(9);
        shop.store.claim_refunds(now, until, room).await.unwrap()
    };
    let claimed = claim(100, 200).await;
    assert_eq!(lanes(&claimed), [("shop", "wx")]);
    let first = &claimed[0].refund;
    assert_eq!((&first.refund_no, first.fence), (&number, 1));
    assert!(claim(100, 200).await.is_empty());
    // The lease ends, and nobody came back with an answer.
    let again = claim(200, 300).await;
    assert_eq!(
        (&again[0].refund.refund_no, again[0].refund.fence),
        (&number, 2)
    );
}

#[tokio::test]
async fn a_thousand_stuck_refunds_of_one_domain_delay_nobody_elses() {
    let Some(shop) = open() else { return };
    for at in 1..=1_000 {
        ordered(&shop, "large", "wx", at).await;
    }
    ordered(&shop, "small", "wx", 2_000).await;
    let room = CallRoom {
        places: 4,
        of_a_domain: 2,
        of_a_platform: 3,
        under_way: Vec::new(),
    };
    let claimed = shop.store.claim_refunds(3_000, 9_000, room.clone()).await;
    let claimed = claimed.unwrap();
    assert_eq!(
        lanes(&claimed),
        [("large", "wx"), ("small", "wx"), ("large", "wx")]
    );
    // While the large one's share hangs, another's refund still finds a place.
    ordered(&shop, "small", "zfb", 2_000).await;
    let room = CallRoom {
        places: 1,
        under_way: vec![("large".to_owned(), "wx".to_owned()); 2],
        ..room
    };
    let claimed = shop.store.claim_refunds(3_000, 9_000, room).await.unwrap();
    assert_eq!(lanes(&claimed), [("small", "zfb")]);
}

#[tokio::test]
async fn what_was_begun_when_the_host_ended_is_due_at_once() {
    let Some(shop) = open() else { return };
    ordered(&shop, "shop", "wx", 50).await;
    let claim = async |shop: &Shop| {
        let room = CallRoom::of(9);
        shop.store.claim_refunds(100, 9_000, room).await.unwrap()
    };
    assert_eq!(claim(&shop).await.len(), 1);
    assert!(claim(&shop).await.is_empty());
    let shop = shop.reopen().await;
    assert_eq!(claim(&shop).await[0].refund.fence, 2);
}
