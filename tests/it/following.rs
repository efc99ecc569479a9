//! Who follows a payment hears of each change: by server-sent events, and by the original's WebSocket.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::world::{Shop, World, left_out};

/// Plenty for a machine under load; nothing depends on it when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stream of server-sent events.
pub(crate) struct Events {
    response: reqwest::Response,
    text: String,
}

/// One event: its name, its number, its data.
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) id: Option<u64>,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) async fn open(shop: &Shop, query: &str, last: Option<u64>) -> Events {
        let path = format!("/pay/ajax/watch?{query}");
        let mut request = match query.contains("ticket=") {
            true => shop.keyless(Method::GET, &path),
            false => shop.request(Method::GET, &path),
        };
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        Events::of(request).await
    }

    /// Opened by this request.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Events {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Events {
            response,
            text: String::new(),
        }
    }

    /// The next event; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        let reading = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let told = Events::read(event);
                    self.text = rest.to_owned();
                    if told.is_some() {
                        return told;
                    }
                    continue;
                }
                let chunk = self.response.chunk().await.ok().flatten()?;
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap()
    }

    /// A comment is no event.
    fn read(text: &str) -> Option<Told> {
        let field = |name: &str| {
            let prefix = format!("{name}: ");
            let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
            found.map(str::to_owned)
        };
        Some(Told {
            name: field("event")?,
            id: field("id").map(|id| id.parse().unwrap()),
            data: serde_json::from_str(&field("data")?).unwrap(),
        })
    }

    pub(crate) async fn until(&mut self, state: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            assert_eq!(told.name, "payment");
            if told.data["st"] == state {
                return told;
            }
        }
    }
}

async fn ticket_of(shop: &Shop) -> (String, String) {
    let body = json!({ "brief": "tea", "fee": 2300, "callback": crate::world::RECORD_SALE });
    let made = shop.post("/pay/ajax/create", body).await.data();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("ticket"))
}

#[tokio::test]
async fn the_buyers_page_hears_of_every_change() {
    let world = World::start().await;
    let (id, ticket) = ticket_of(&world.shop).await;
    let query = format!("id={id}&ticket={ticket}");
    let mut page = Events::open(&world.shop, &query, None).await;
    let mut owner = Events::open(&world.shop, &format!("id={id}"), None).await;
    let first = page.next().await.unwrap();
    assert_eq!(
        (first.name.as_str(), &first.data["st"]),
        ("payment", &json!("NEW"))
    );
    assert_eq!(first.data["id"], id);

    let code = world.shop.send(&id).await.data()["data"].clone();
    let waiting = page.until("WAIT").await;
    assert!(waiting.data["re_obj"].is_string());
    world.alipay.pay(code.as_str().unwrap()).await.unwrap();
    let paid = page.until("OK").await;
    assert!(paid.id > waiting.id);
    // What the callback did is a change too.
    let mut applied = owner.until("OK").await;
    while applied.data["apply_at"] == 0 {
        applied = owner.until("OK").await;
    }

    // Whoever comes back is told what is new, and nothing twice.
    let now = world.shop.payment(&id).await;
    let mut back = Events::open(&world.shop, &query, paid.id).await;
    let missed = back.next().await.unwrap();
    assert_eq!(missed.data["apply_at"], now["apply_at"]);
    let mut up_to_date = Events::open(&world.shop, &query, missed.id).await;
    let refund = json!({ "id": id, "fee": 300 });
    world.shop.post("/pay/ajax/refund", refund).await.data();
    let mut refunded = up_to_date.next().await.unwrap();
    while refunded.data["refunded"] != 300 {
        refunded = up_to_date.next().await.unwrap();
    }
}

#[tokio::test]
async fn nobody_follows_what_is_not_theirs() {
    let world = World::start().await;
    let (id, ticket) = ticket_of(&world.shop).await;
    let (other, _) = ticket_of(&world.shop).await;
    let rival = world.host.domain("rival").await;
    let missing = rival.get(&format!("/pay/ajax/watch?id={id}")).await;
    assert_eq!(missing.refusal(), (404, "e.pay.noexists".to_owned()));
    let path = format!("/pay/ajax/watch?id={other}&ticket={ticket}");
    let foreign = Shop::answer(world.shop.keyless(Method::GET, &path)).await;
    assert_eq!(foreign.refusal(), (404, "e.pay.noexists".to_owned()));
    let path = format!("/pay/ajax/watch?id={id}");
    let nobody = Shop::answer(world.shop.keyless(Method::GET, &path)).await;
    assert_eq!(nobody.refusal(), (401, "e.auth.required".to_owned()));
    let malformed = world.shop.get("/pay/ajax/watch?id=7").await;
    assert_eq!(malformed.refusal(), (400, "e.pay.invalid".to_owned()));
}

#[tokio::test]
async fn a_payment_is_followed_by_so_many() {
    let world = World::start().await;
    let (id, ticket) = ticket_of(&world.shop).await;
    let query = format!("id={id}&ticket={ticket}");
    let mut pages = Vec::new();
    for _ in 0..64 {
        pages.push(Events::open(&world.shop, &query, None).await);
    }
    let path = format!("/pay/ajax/watch?{query}");
    let one_more = Shop::answer(world.shop.keyless(Method::GET, &path)).await;
    assert_eq!(one_more.refusal(), (429, "e.pay.busy".to_owned()));
    // The rival's payments have room of their own.
    let (other, _) = ticket_of(&world.shop).await;
    let mut owner = Events::open(&world.shop, &format!("id={other}"), None).await;
    assert_eq!(owner.next().await.unwrap().data["id"], other);
}

#[tokio::test]
async fn a_host_that_stops_ends_what_is_followed() {
    let world = World::start().await;
    let (id, ticket) = ticket_of(&world.shop).await;
    let query = format!("id={id}&ticket={ticket}");
    let mut page = Events::open(&world.shop, &query, None).await;
    let mut socket = Socket::open(world.host.url()).await;
    socket.watch("shop", &id).await;
    page.next().await.unwrap();
    let (clean, _data) = world.host.terminate().await;
    assert!(clean, "it ended in time");
    assert!(page.next().await.is_none());
}

/// As many pages as a busy shop has open.
const PAGES: usize = 10_000;
const PAGES_OF_ONE: usize = 50;

/// A page as the network sees it: one connection on which events come.
async fn hold(address: &str, request: &str) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt as _;
    let mut line = tokio::net::TcpStream::connect(address).await.unwrap();
    line.write_all(request.as_bytes()).await.unwrap();
    line
}

/// Reads on until it says this.
async fn hears(line: &mut tokio::net::TcpStream, what: &str) {
    use tokio::io::AsyncReadExt as _;
    let mut heard = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&heard).contains(what) {
            assert_ne!(line.read_buf(&mut heard).await.unwrap(), 0, "it goes on");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
}

#[tokio::test]
async fn ten_thousand_pages_are_told_each_of_its_own_payment() {
    // Two ends of each connection, in a process each, and what they have open besides.
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if open.maximum.is_some_and(|most| most < PAGES as u64 + 1_000) {
        left_out(
            "ten thousand pages",
            "a process may not open so many connections here",
        );
        return;
    }
    let all = rustix::process::Rlimit {
        current: open.maximum,
        maximum: open.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();
    // All of them come from one machine.
    let of_one = format!("incoming.of_one_source={}", 2 * PAGES);
    let world = World::with(1, &["--set", &of_one]).await;
    let address = world.host.url().strip_prefix("http://").unwrap().to_owned();
    let mut payments = Vec::new();
    let mut pages = Vec::new();
    for _ in 0..PAGES / PAGES_OF_ONE {
        let (id, ticket) = ticket_of(&world.shop).await;
        let request = format!(
            "GET /pay/ajax/watch?id={id}&ticket={ticket} HTTP/1.1\r\nHost: pay.example.com\r\n\r\n"
        );
        for _ in 0..PAGES_OF_ONE {
            let mut page = hold(&address, &request).await;
            hears(&mut page, r#""st":"NEW""#).await;
            pages.push(page);
        }
        payments.push(id);
    }
    // Each hears of its own payment, and the host serves everybody else meanwhile.
    for (number, id) in payments.iter().enumerate().step_by(40) {
        let body = json!({ "id": id });
        world.shop.post("/pay/ajax/close", body).await.data();
        for page in &mut pages[number * PAGES_OF_ONE..(number + 1) * PAGES_OF_ONE] {
            hears(page, r#""st":"FAIL""#).await;
        }
    }
    let (other, _) = world.sent().await;
    assert_eq!(world.shop.payment(&other).await["st"], "WAIT");
}

/// A page of the original.
struct Socket(
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
);

impl Socket {
    async fn open(url: &str) -> Socket {
        let url = format!("{}/websocket", url.replacen("http", "ws", 1));
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut socket = Socket(socket);
        let hi = socket.hear().await;
        assert_eq!(hi["event"], "hi");
        assert!(hi["wsid"].as_str().is_some_and(|wsid| wsid.len() == 32));
        socket
    }

    async fn say(&mut self, text: String) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    async fn watch(&mut self, user: &str, id: &str) -> Value {
        let wish = json!({ "method": "watch", "user": user, "match": { "id": id } });
        self.say(wish.to_string()).await;
        self.hear().await
    }

    async fn hear(&mut self) -> Value {
        let hearing = async {
            loop {
                match self.0.next().await.unwrap().unwrap() {
                    Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                    Message::Close(_) => return Value::Null,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.unwrap()
    }
}

#[tokio::test]
async fn a_page_of_the_original_hears_when_it_is_done() {
    let world = World::start().await;
    let (id, code) = world.sent().await;
    let mut page = Socket::open(world.host.url()).await;
    let mut stranger = Socket::open(world.host.url()).await;
    assert_eq!(
        page.watch("shop", &id).await,
        json!({ "event": "watched", "obj": id })
    );
    // Nobody learns what there is: another domain's payment is watched in vain, as is one that does not exist.
    let unknown = "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b";
    for (user, of) in [("rival", id.as_str()), ("shop", unknown)] {
        assert_eq!(
            stranger.watch(user, of).await,
            json!({ "event": "watched", "obj": of })
        );
    }
    world.alipay.pay(&code).await.unwrap();
    assert_eq!(
        page.hear().await,
        json!({ "event": "done", "id": id, "st": "OK" })
    );
    // What is done already is told at once; an end that is none of the kind has a name of its own.
    page.watch("shop", &id).await;
    assert_eq!(page.hear().await["event"], "done");
    let closed = world.shop.create(json!({})).await;
    page.watch("shop", &closed).await;
    let body = json!({ "id": closed });
    world.shop.post("/pay/ajax/close", body).await.data();
    assert_eq!(
        page.hear().await,
        json!({ "event": "fail", "id": closed, "st": "FAIL" })
    );
    // The stranger is told that a message is no good, and has heard of nothing else until then.
    for bad in [
        "x",
        "{}",
        r#"{"method":"watch","match":{"id":"7"}}"#,
        r#"{"method":"unwatch","match":{"id":"0190a5b1c2d37e4f8a9b0c1d2e3f4a5b"}}"#,
    ] {
        stranger.say(bad.to_owned()).await;
        let told = stranger.hear().await;
        assert_eq!(
            (&told["event"], &told["errCode"]),
            (&json!("error"), &json!("e.pay.invalid")),
            "{bad}"
        );
    }
    let plain = world.shop.get("/websocket").await;
    assert_eq!(plain.refusal(), (426, "e.http.upgrade".to_owned()));
}
