//! What every engine behind [`Store`] must do, on real files and on a real server. The same stories are told of both:
//! [`Shop`] is the only place that knows how a store is opened. Where there is no server, they are left out.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use walnut_test_postgres::Server;

use super::*;
use crate::payment::model::*;
use crate::payment::money::{Currency, Money};

/// The stories that every engine tells.
macro_rules! stories {
    () => {
        mod asking;
        mod auditing;
        mod changing;
        mod comparing;
        mod creating;
        mod delivering;
        mod finding;
        mod killing;
        mod matching;
        mod paging;
        mod refunding;
        mod registering;
        mod removing;
        mod retrying;
        mod summing;
        mod watching;
    };
}

#[path = "."]
#[allow(clippy::duplicate_mod)]
mod on_sqlite {
    use super::*;

    fn open() -> Option<Shop> {
        Some(Shop::in_directory())
    }

    stories!();
    mod committing;
    mod opening;
}

#[path = "."]
#[allow(clippy::duplicate_mod)]
mod on_postgres {
    use super::*;

    fn open() -> Option<Shop> {
        let database = Server::shared()?.database().unwrap();
        Some(Shop::at(Place::Database(database)))
    }

    stories!();
    mod hanging;
    mod migrating;
    mod sharing;
}

/// Where a store is; what is there goes with this.
enum Place {
    Directory(TempDir),
    Database(walnut_test_postgres::Database),
    /// Another's, by its name.
    Elsewhere(String),
}

impl Place {
    fn open(&self) -> Store {
        open_at(&self.name()).unwrap()
    }

    /// By which another process finds it.
    fn name(&self) -> String {
        match self {
            Place::Directory(dir) => dir.path().to_str().unwrap().to_owned(),
            Place::Database(database) => database.url().to_owned(),
            Place::Elsewhere(name) => name.clone(),
        }
    }
}

fn open_at(name: &str) -> Result<Store, StoreError> {
    match Address::is_one(name) {
        true => Store::connect(&Address::parse(name)?),
        false => Store::open(Path::new(name)),
    }
}

/// A store in a place that goes with it.
struct Shop {
    store: Store,
    place: Place,
}

impl Shop {
    fn in_directory() -> Shop {
        Shop::at(Place::Directory(tempfile::tempdir().unwrap()))
    }

    fn at(place: Place) -> Shop {
        Shop {
            store: place.open(),
            place,
        }
    }

    /// Where the embedded engine keeps it.
    fn dir(&self) -> &Path {
        match &self.place {
            Place::Directory(dir) => dir.path(),
            Place::Database(_) | Place::Elsewhere(_) => panic!("not in a directory of its own"),
        }
    }

    /// Closes the store and opens it again.
    async fn reopen(self) -> Shop {
        self.store.close().await;
        Shop::at(self.place)
    }

    /// Stores a payment and its only line of history.
    async fn make(&self, payment: Payment) -> PaymentId {
        let id = payment.id;
        assert_eq!(
            self.store.create(new(payment)).await.unwrap(),
            Created::Made
        );
        id
    }

    /// Stores a payment of the domain that is OK and waits for its callback.
    async fn make_paid(&self, domain: &str) -> PaymentId {
        self.make_paid_in(&live(domain)).await
    }

    async fn make_paid_in(&self, space: &Space) -> PaymentId {
        let mut payment = payment(&space.domain);
        payment.test = space.test;
        payment.state = State::Ok;
        payment.callback = Some(callback(b"a component"));
        let id = payment.id;
        let content = Some(Arc::new(b"a component".to_vec()));
        let new = NewPayment {
            callback_content: content,
            deliver: true,
            ..new(payment)
        };
        assert_eq!(self.store.create(new).await.unwrap(), Created::Made);
        id
    }

    async fn payment(&self, id: PaymentId) -> Payment {
        self.store.case(id).await.unwrap().unwrap().payment
    }
}

/// A plain new payment of one yuan.
fn payment(domain: &str) -> Payment {
    Payment {
        id: PaymentId::generate(),
        domain: domain.to_owned(),
        domain_id: format!("id of {domain}"),
        test: false,
        brief: "tea".to_owned(),
        total: Money::new(100, Currency::CNY).unwrap(),
        price_minor: None,
        state: State::New,
        fail_why: None,
        hold: None,
        late: false,
        refunded_minor: 0,
        created_ms: 1_000,
        changed_ms: 1_000,
        sent_ms: 0,
        closed_ms: 0,
        expires_ms: 0,
        pay_type: None,
        target: None,
        presentation: None,
        buyer: Buyer::default(),
        callback: None,
        applied_ms: 0,
        applied_result: None,
        offers: Vec::new(),
        platforms: Map::new(),
        meta: Map::new(),
        revision: 0,
    }
}

fn new(payment: Payment) -> NewPayment {
    let history = vec![line("create", None, payment.state)];
    NewPayment {
        payment,
        attempts: Vec::new(),
        history,
        callback_content: None,
        deliver: false,
        idempotency: None,
    }
}

fn line(cause: &str, from: Option<State>, to: State) -> Change {
    Change {
        at: 1_000,
        cause: cause.to_owned(),
        from,
        to,
        trade_no: None,
        statement: None,
        detail: Map::new(),
    }
}

fn attempt(payment: PaymentId, number: u32) -> Attempt {
    Attempt {
        trade_no: if number == 1 {
            TradeNo::first(payment)
        } else {
            TradeNo::generate()
        },
        payment,
        number,
        pay_type: "zfb.qrcode".to_owned(),
        target: TargetRef {
            platform: "zfb".to_owned(),
            name: "shop".to_owned(),
            version: 3,
        },
        provider: Digest::of(b"a provider"),
        state: AttemptState::Intent,
        fail_why: None,
        created_ms: 2_000,
        expires_ms: 9_000,
        payable_until_ms: 10_000,
        client_ip: None,
        args: Vec::new(),
        notify_url: "https://pay.example/pay/re/1".to_owned(),
        ending: None,
        paid_minor: None,
        notes: Map::new(),
        transaction_id: None,
        fence: 0,
        leased_until_ms: 0,
        ask_at_ms: 0,
        asks: 0,
        asked_ms: 0,
        last_error: None,
    }
}

/// What a domain's live payments keep.
fn live(domain: &str) -> Space {
    Space {
        domain: domain.to_owned(),
        test: false,
    }
}

fn callback(content: &[u8]) -> BoundCallback {
    BoundCallback {
        name: "record-sale".to_owned(),
        kind: CallbackKind::Component,
        digest: Digest::of(content),
        len: content.len().try_into().unwrap(),
    }
}

/// What a rule returns to move the payment to `to`, with the line that tells it.
fn moved(case: &Case, to: State) -> Changes {
    let mut payment = case.payment.clone();
    payment.state = to;
    Changes {
        history: vec![line("test", Some(case.payment.state), to)],
        payment,
        attempts: Vec::new(),
        refunds: Vec::new(),
        statement: None,
        deliver: false,
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A payment in which every field has a value of its own.
fn full_payment() -> Payment {
    let created = payment("shop");
    Payment {
        test: true,
        brief: "乌龙茶 'quoted' \u{1F375}".to_owned(),
        total: Money::new(Money::MAX_MINOR, Currency::parse("JPY").unwrap()).unwrap(),
        price_minor: Some(i64::MAX),
        state: State::Fail,
        fail_why: Some(FailWhy::Expired),
        hold: Some(Hold {
            why: "another amount".to_owned(),
            trade_no: "0".repeat(32),
            paid_minor: Some(1),
            paid_text: "0.01".to_owned(),
            paid_currency: "CNY".to_owned(),
            statement: Digest::of(b"said").to_string(),
            at: 5,
            state: State::Wait,
        }),
        late: true,
        refunded_minor: 77,
        created_ms: 1,
        changed_ms: 2,
        sent_ms: 3,
        closed_ms: 4,
        expires_ms: i64::MAX.unsigned_abs(),
        pay_type: Some("zfb.qrcode".to_owned()),
        target: Some("main".to_owned()),
        presentation: Some(Presentation {
            kind: PresentationKind::Qrcode,
            content: "https://qr.example/1".to_owned(),
            until_ms: 7,
        }),
        buyer: Buyer {
            tp: 2,
            id: "b-1".to_owned(),
            name: "小白".to_owned(),
        },
        callback: Some(callback(b"content")),
        offers: vec![Offer {
            pay_tp: "zfb.qrcode".to_owned(),
            pay_target: "main".to_owned(),
            default: true,
        }],
        platforms: object(json!({"zfb": {"transaction_id": "2026", "at": 5}})),
        meta: object(json!({"st": "OK", "table": 7, "deep": {"list": [1.5, null, "x"]}})),
        revision: 4,
        ..created
    }
}

/// An attempt in which every field has a value of its own.
fn full_attempt(payment: PaymentId) -> Attempt {
    Attempt {
        state: AttemptState::Fail,
        fail_why: Some(FailWhy::Declined),
        client_ip: Some("2001:db8::1".to_owned()),
        args: vec!["a".to_owned(), "\"b\"".to_owned()],
        ending: Some(Ending {
            why: EndWhy::Superseded,
            since_ms: 10,
        }),
        paid_minor: Some(99),
        asked_ms: 14,
        notes: object(json!({"prepay": "x"})),
        transaction_id: Some("2026073022".to_owned()),
        fence: 6,
        leased_until_ms: 11,
        ask_at_ms: 12,
        asks: 13,
        last_error: Some("timeout".to_owned()),
        ..attempt(payment, 1)
    }
}
