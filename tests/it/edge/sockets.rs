//! `/websocket` asks for no key: who is there without a reason is let go, and nobody takes more than their part.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{Line, is_shed};
use crate::following::Events;
use crate::world::{Host, World};

/// Plenty for a machine under load.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at what has to come about.
const LOOK: Duration = Duration::from_millis(20);

struct Page(WebSocketStream<TcpStream>);

impl Page {
    /// From this address of the machine's loopback.
    async fn open(host: &Host, from: &str) -> Result<Page, Error> {
        let address: SocketAddr = host.url().split_once("://").unwrap().1.parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let (socket, _) = client_async(format!("ws://{address}/websocket"), stream).await?;
        let mut page = Page(socket);
        assert_eq!(page.hear().await.unwrap()["event"], "hi");
        Ok(page)
    }

    async fn say(&mut self, text: String) {
        // The host may be gone.
        let _ = self.0.send(Message::Text(text.into())).await;
    }

    async fn watch(&mut self, number: u32) -> Value {
        self.ask(&format!("0190a5b1c2d37e4f8a9b0c1d{number:08x}"))
            .await;
        self.hear().await.unwrap()
    }

    async fn ask(&mut self, id: &str) {
        let wish = json!({ "method": "watch", "user": "shop", "match": { "id": id } });
        self.say(wish.to_string()).await;
    }

    /// What is said next; none when the host has let go.
    async fn hear(&mut self) -> Option<Value> {
        let hearing = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Some(serde_json::from_str(&text).unwrap());
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_the_places_of_their_source_and_let_go_of_them() {
    let host = Host::start_with(&["--set", "incoming.of_one_source=2"]).await;
    let from = "127.0.0.2";
    let pages = [
        Page::open(&host, from).await.unwrap(),
        Page::open(&host, from).await.unwrap(),
    ];
    let refused = Page::open(&host, from).await.err();
    let Some(Error::Http(answer)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(answer.status(), 503);
    let shed = Line::ask(&host, from, "/readyz").await;
    assert!(is_shed(&shed), "{shed}");
    assert!(Page::open(&host, "127.0.0.3").await.is_ok());
    drop(pages);
    while Page::open(&host, from).await.is_err() {
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_watches_so_many_payments_and_sends_small_messages() {
    let host = Host::start().await;
    let mut page = Page::open(&host, "127.0.0.1").await.unwrap();
    for number in 0..16 {
        assert_eq!(page.watch(number).await["event"], "watched");
    }
    let beyond = page.watch(16).await;
    let told = (&beyond["event"], &beyond["errCode"]);
    assert_eq!(told, (&json!("error"), &json!("e.pay.busy")));
    page.say("x".repeat(4096)).await;
    assert_eq!(page.hear().await.unwrap()["errCode"], "e.pay.invalid");
    page.say("x".repeat(4097)).await;
    assert_eq!(page.hear().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_watches_nothing_is_let_go() {
    let host = Host::start().await;
    let mut stays = Page::open(&host, "127.0.0.1").await.unwrap();
    assert_eq!(stays.watch(0).await["event"], "watched");
    let mut silent = Page::open(&host, "127.0.0.1").await.unwrap();
    let mut wrong = Page::open(&host, "127.0.0.1").await.unwrap();
    wrong.say("{}".to_owned()).await;
    assert_eq!(wrong.hear().await.unwrap()["event"], "error");
    for page in [&mut silent, &mut wrong] {
        assert_eq!(page.hear().await, None);
    }
    assert_eq!(stays.watch(1).await["event"], "watched");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_one_source_leave_places_to_follow_to_everybody_else() {
    /// Of one payment, and of one page.
    const FOLLOWERS: usize = 64;
    const WATCHES: usize = 16;
    /// Of one source without a key.
    const PLACES: usize = 2_500;
    const BEYOND: usize = 12;
    let world = World::start().await;
    let mut payments = Vec::new();
    for _ in 0..=PLACES / FOLLOWERS {
        payments.push(world.shop.create(json!({})).await);
    }
    let wishes: Vec<&String> = payments
        .iter()
        .flat_map(|id| std::iter::repeat_n(id, FOLLOWERS))
        .take(PLACES + BEYOND)
        .collect();
    let (told, mut refused) = tokio::sync::mpsc::unbounded_channel();
    for wishes in wishes.chunks(WATCHES) {
        let mut page = Page::open(&world.host, "127.0.0.2").await.unwrap();
        for id in wishes {
            page.ask(id).await;
        }
        let told = told.clone();
        tokio::spawn(async move {
            while let Some(heard) = page.hear().await {
                if heard["event"] == "error" {
                    // The story may be over.
                    let _ = told.send(heard);
                }
            }
        });
    }
    for _ in 0..BEYOND {
        let heard = tokio::time::timeout(PATIENCE, refused.recv()).await;
        let heard = heard.unwrap().unwrap();
        assert_eq!(heard["errCode"], "e.pay.busy");
        let says = heard["msg"].as_str().unwrap();
        assert!(says.contains("your address"), "{says}");
    }
    // The page of another source, and whoever has a key, of this domain and of another.
    let id = world.shop.create(json!({})).await;
    let mut other = Page::open(&world.host, "127.0.0.3").await.unwrap();
    other.ask(&id).await;
    assert_eq!(other.hear().await.unwrap()["event"], "watched");
    let mut owner = Events::open(&world.shop, &format!("id={id}"), None).await;
    assert_eq!(owner.next().await.unwrap().data["id"], id);
    let rival = world.host.domain("rival").await;
    let theirs = rival.create(json!({})).await;
    let mut owner = Events::open(&rival, &format!("id={theirs}"), None).await;
    assert_eq!(owner.next().await.unwrap().data["id"], theirs);
    let body = json!({ "id": id });
    world.shop.post("/pay/ajax/close", body).await.data();
    let ended = other.hear().await.unwrap();
    assert_eq!(ended, json!({ "event": "fail", "id": id, "st": "FAIL" }));
}
