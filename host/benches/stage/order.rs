//! A payment as it stands after `create` and `send`, without a callback, of a domain with one target.

use serde_json::{Map, json};
use walnut::payment::model::{
    Attempt, AttemptState, Buyer, Change, Digest, Payment, PaymentId, State, TargetRef, TradeNo,
};
use walnut::payment::money::{Currency, Money, MoneyError};
use walnut::payment::now_ms;
use walnut::store::NewPayment;

use super::merchant::Merchant;

pub(crate) const DOMAIN: &str = "shop";
pub(crate) const TARGET: &str = "main";

/// Fees of all payments: 88.00 yuan.
pub(crate) const FEE_FEN: i64 = 8_800;

const HOUR_MS: u64 = 3_600_000;

/// A payment whose QR code somebody is about to scan, on the first version of the domain's target.
pub(crate) fn sent<M: Merchant>(provider: Digest) -> Result<NewPayment, MoneyError> {
    let id = PaymentId::generate();
    let trade_no = TradeNo::first(id);
    let now = now_ms();
    let payment = Payment {
        id,
        domain: DOMAIN.to_owned(),
        domain_id: "0198f0c0000070008000000000000001".to_owned(),
        test: true,
        brief: "a pot of tea".to_owned(),
        total: Money::new(FEE_FEN, Currency::CNY)?,
        price_minor: None,
        state: State::Wait,
        fail_why: None,
        hold: None,
        late: false,
        refunded_minor: 0,
        created_ms: now,
        changed_ms: now,
        sent_ms: now,
        closed_ms: 0,
        expires_ms: now + 2 * HOUR_MS,
        pay_type: Some(M::PAY_TYPE.to_owned()),
        target: Some(TARGET.to_owned()),
        presentation: None,
        buyer: Buyer {
            tp: 2,
            id: id.to_string(),
            name: "xiaobai".to_owned(),
        },
        callback: None,
        applied_ms: 0,
        applied_result: None,
        offers: Vec::new(),
        platforms: Map::new(),
        meta: Map::from_iter([("table".to_owned(), json!(7))]),
        revision: 0,
    };
    let attempt = Attempt {
        trade_no: trade_no.clone(),
        payment: id,
        number: 1,
        pay_type: M::PAY_TYPE.to_owned(),
        target: TargetRef {
            platform: M::PLATFORM.to_owned(),
            name: TARGET.to_owned(),
            version: 1,
        },
        provider,
        state: AttemptState::Wait,
        fail_why: None,
        created_ms: now,
        expires_ms: payment.expires_ms,
        payable_until_ms: payment.expires_ms,
        client_ip: None,
        args: Vec::new(),
        notify_url: format!("http://127.0.0.1/pay/re/{trade_no}"),
        ending: None,
        paid_minor: None,
        notes: Map::new(),
        transaction_id: None,
        fence: 1,
        leased_until_ms: 0,
        // Nobody asks while notifications are measured.
        ask_at_ms: now + HOUR_MS,
        asks: 0,
        asked_ms: 0,
        last_error: None,
    };
    let line = |cause: &str, from: Option<State>, to: State| Change {
        at: now,
        cause: cause.to_owned(),
        from,
        to,
        trade_no: Some(trade_no.to_string()),
        statement: None,
        detail: Map::new(),
    };
    let history = vec![
        line("create", None, State::New),
        line("send", Some(State::New), State::Wait),
        line("sent", Some(State::Wait), State::Wait),
    ];
    Ok(NewPayment {
        payment,
        attempts: vec![attempt],
        history,
        callback_content: None,
        deliver: false,
        idempotency: None,
    })
}
