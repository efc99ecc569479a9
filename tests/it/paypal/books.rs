//! Reconciliation with PayPal: its transactions of a day, page by page, against the host's payments.

use std::time::Duration;

use serde_json::{Value, json};
use walnut_sandbox::paypal::{Amount, AnswerFault, Currency, Misbehaviour};

use crate::world::{Page, PastDay, kinds};

/// A day that is over wherever the machine stands: PayPal's days are UTC.
fn day() -> PastDay {
    PastDay::yesterday().days_earlier(1)
}

impl Page {
    /// At PayPal it was that day.
    fn age(&self, id: &str) {
        self.paypal.backdate(id, day().ago()).unwrap();
    }

    /// Here it was.
    async fn age_here(mut self, ids: &[&str]) -> Page {
        let killed = self.host.kill().await;
        day().age_store(&killed, ids);
        self.host = killed.restart().await;
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_all_agrees_has_no_difference() {
    let page = Page::open().await;
    let none = page.shop.reconcile(day()).await;
    assert_eq!(none["status"], "compared", "{none:#}");
    assert_eq!((&none["rows"], kinds(&none)), (&json!(0), vec![]));

    let paid = page.paid().await;
    let refunded = page.paid().await;
    page.shop.give_back(&refunded, 500).await;
    for id in [&paid, &refunded] {
        page.age(id);
    }
    let page = page.age_here(&[&paid, &refunded]).await;
    let report = page.shop.reconcile(day()).await;
    assert_eq!(report["status"], "compared", "{report:#}");
    assert_eq!((&report["rows"], &report["agreed"]), (&json!(3), &json!(2)));
    assert_eq!(kinds(&report), []);

    let key = page.shop.key();
    let name = day().name();
    let args = ["reconcile", "--day", &name];
    let ran = page.host.walnut(key, &args).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("compared"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_side_lacks_is_told() {
    let page = Page::open().await;
    // Paid on both sides; at PayPal on another day; here on another day, which is no difference.
    let both = page.paid().await;
    let only_here = page.paid().await;
    let heard_later = page.paid().await;
    // Given back at PayPal's own pages: on the day of the payment, and two days later.
    let (by_hand, later) = (page.paid().await, page.paid().await);
    let days = Duration::from_secs(2 * 24 * 3600);
    page.paypal.backdate(&later, days).unwrap();
    for id in [&by_hand, &later] {
        let part = Amount::new(300, Currency::USD);
        page.paypal.refund(id, part).unwrap();
    }
    // Paid at PayPal, and nobody knows of it here.
    let (unheard, order) = page.sent().await;
    page.lose_notifications(&unheard);
    let down = Misbehaviour::always(AnswerFault::Unavailable);
    page.paypal
        .misbehave(down.clone().for_operation("captures.get"));
    page.paypal.approve(&order).await.unwrap();
    let captured = |paypal: &walnut_sandbox::paypal::PayPal| paypal.order(&unheard)?.capture;
    page.paypal.until(captured).await;

    for id in [&both, &heard_later, &by_hand, &later, &unheard] {
        page.age(id);
    }
    let page = page.age_here(&[&both, &only_here, &by_hand]).await;
    let report = page.shop.reconcile(day()).await;
    let expected = [
        ("missing_there", only_here.as_str()),
        ("refund", by_hand.as_str()),
        ("refund", later.as_str()),
        ("state", unheard.as_str()),
    ];
    assert_eq!(kinds(&report), expected, "{report:#}");
    let differences = report["differences"].as_array().unwrap();
    let about = |kind: &str| {
        let found = differences.iter().find(|one| one["kind"] == kind);
        found.unwrap().clone()
    };
    let there = json!({"state": "T1107 S", "fee": 300, "cur": "USD"});
    assert_eq!(about("refund")["there"], there);
    let there = json!({"state": "T0006 S", "fee": 2300, "cur": "USD"});
    assert_eq!(about("state")["there"], there);
    assert_eq!(
        page.shop.payment(&unheard).await["st"],
        "WAIT",
        "a bill settles nothing"
    );
    // It was asked about at once, and PayPal answers again.
    page.paypal.behave();
    page.shop.until_state(&unheard, "OK").await;
    let report = page.shop.reconcile(day()).await;
    assert_eq!(kinds(&report), expected[..3], "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_transactions_come_in_several_searches() {
    let page = Page::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(page.paid().await);
    }
    // Hours apart, all of them on the same day: 04:00, 05:00, …
    for (hours, id) in ids.iter().enumerate() {
        let later = Duration::from_secs(3600) * u32::try_from(hours).unwrap();
        page.paypal.backdate(id, day().ago() - later).unwrap();
    }
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let page = page.age_here(&all).await;
    page.paypal.limit_reports(2);
    let report = page.shop.reconcile(day()).await;
    assert_eq!(report["status"], "compared", "{report:#}");
    assert_eq!((&report["rows"], &report["agreed"]), (&json!(5), &json!(5)));
    let searches = page.paypal.requests().into_iter();
    let searches = searches.filter(|one| one.operation.as_deref() == Some("search.get"));
    let refused = searches.filter(|one| one.issue.as_deref() == Some("RESULTSET_TOO_LARGE"));
    assert!(refused.count() >= 3, "the day is halved until it fits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_paypal_has_not_completed_or_may_not_tell_is_not_compared() {
    let page = Page::open().await;
    let failed = |report: &Value, words: &str| {
        assert_eq!(report["status"], "failed", "{report:#}");
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(words), "{error}");
    };
    page.paypal.delay_reports(day().ago());
    failed(&page.shop.reconcile(day()).await, "three hours");
    page.paypal.delay_reports(Duration::ZERO);
    page.paypal.give_reports(&page.account, false);
    page.paypal.end_tokens();
    failed(
        &page.shop.reconcile(day()).await,
        "add the permission at PayPal",
    );
    page.paypal.give_reports(&page.account, true);
    page.paypal.end_tokens();
    page.paid().await;
    let id = page.paid().await;
    page.age(&id);
    for fault in [
        AnswerFault::Truncated,
        AnswerFault::Unavailable,
        AnswerFault::HttpStatus {
            status: 200,
            processed: false,
        },
        AnswerFault::Redirect,
    ] {
        let broken = Misbehaviour::always(fault.clone()).for_operation("search.get");
        page.paypal.misbehave(broken);
        let report = page.shop.reconcile(day()).await;
        assert_eq!(report["status"], "failed", "{fault:?}: {report:#}");
        page.paypal.behave();
    }
    // A token that is given up between the search and its pages is fetched again.
    page.paypal.end_tokens();
    let report = page.shop.reconcile(day()).await;
    assert_eq!(report["status"], "compared", "{report:#}");
}
