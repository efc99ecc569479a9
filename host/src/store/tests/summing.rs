use super::*;
use crate::store::{Span, Sum};

/// When the payments were created, on a step of 100.
fn sold(created_ms: u64, fee_minor: i64, state: State, pay_type: Option<&str>) -> Payment {
    Payment {
        created_ms,
        total: Money::new(fee_minor, Currency::CNY).unwrap(),
        state,
        pay_type: pay_type.map(str::to_owned),
        sent_ms: pay_type.map_or(0, |_| created_ms + 10),
        closed_ms: if state == State::Ok {
            created_ms + 40
        } else {
            0
        },
        ..payment("shop")
    }
}

fn span(created: std::ops::Range<u64>) -> Span {
    Span {
        domain: Some("shop".to_owned()),
        test: None,
        created,
        step_ms: 100,
    }
}

fn sum(at_ms: u64, pay_type: &str, state: State, count: u64, fee_minor: u64) -> Sum {
    let took = if state == State::Ok { count } else { 0 };
    Sum {
        at_ms,
        pay_type: pay_type.to_owned(),
        currency: "CNY".to_owned(),
        state,
        count,
        fee_minor,
        refunded_minor: 0,
        took_ms: took * 30,
        took,
    }
}

#[tokio::test]
async fn payments_are_summed_by_step_way_and_state() {
    let Some(shop) = open() else { return };
    for payment in [
        sold(99, 1, State::Ok, Some("zfb.qrcode")),
        sold(100, 1, State::Ok, Some("zfb.qrcode")),
        sold(150, 20, State::Ok, Some("zfb.qrcode")),
        sold(199, 300, State::Fail, Some("wx.qrcode")),
        sold(200, 4_000, State::New, None),
        sold(300, 50_000, State::Ok, Some("zfb.qrcode")),
    ] {
        shop.make(payment).await;
    }
    let rivals = Payment {
        created_ms: 150,
        ..payment("cafe")
    };
    shop.make(rivals).await;
    let tried = Payment {
        test: true,
        ..sold(250, 7, State::Ok, Some("zfb.qrcode"))
    };
    shop.make(tried).await;

    let live = Span {
        test: Some(false),
        ..span(100..300)
    };
    let sums = shop.store.summary(live).await.unwrap();
    assert_eq!(
        sums,
        [
            sum(100, "wx.qrcode", State::Fail, 1, 300),
            sum(100, "zfb.qrcode", State::Ok, 2, 21),
            sum(200, "", State::New, 1, 4_000),
        ]
    );
    let tests = Span {
        test: Some(true),
        ..span(0..1_000)
    };
    let sums = shop.store.summary(tests).await.unwrap();
    assert_eq!(sums, [sum(200, "zfb.qrcode", State::Ok, 1, 7)]);
    let all = Span {
        domain: None,
        ..span(100..200)
    };
    let sums = shop.store.summary(all).await.unwrap();
    assert_eq!(sums.iter().map(|sum| sum.count).sum::<u64>(), 4);
    assert_eq!(shop.store.summary(span(500..900)).await.unwrap(), []);
}
