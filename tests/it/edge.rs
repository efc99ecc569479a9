//! The edge where requests come in: how much of them the host holds, and what it believes of them.

mod handover;
mod http2;
mod limits;
mod proxies;
mod request_ids;
mod sockets;
mod tls;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::Host;

/// A connection to a host, byte by byte.
#[derive(Debug)]
pub(crate) struct Line(TcpStream);

impl Line {
    /// From this address of the machine's loopback.
    pub(crate) async fn open(host: &Host, from: &str) -> Line {
        let address = host.url().split_once("://").unwrap().1.parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        Line(socket.connect(address).await.unwrap())
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads on until what came ends like this.
    pub(crate) async fn hears(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let read = self.0.read_buf(&mut heard).await.unwrap_or(0);
            let so_far = String::from_utf8_lossy(&heard);
            assert_ne!(read, 0, "{end:?} did not come: {so_far}");
        }
        String::from_utf8(heard).unwrap()
    }

    /// What comes until the connection is closed.
    pub(crate) async fn rest(&mut self) -> String {
        let mut heard = Vec::new();
        // One that is cut says nothing more.
        let _ = self.0.read_to_end(&mut heard).await;
        String::from_utf8(heard).unwrap()
    }

    /// The whole answer to a request without a body, on a connection of its own.
    pub(crate) async fn ask(host: &Host, from: &str, path: &str) -> String {
        let mut line = Line::open(host, from).await;
        line.say(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
        .await;
        line.rest().await
    }
}

/// Whether an answer tells to come again.
fn is_shed(answer: &str) -> bool {
    let shed = answer.starts_with("HTTP/1.1 503 ");
    if shed {
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
        assert!(answer.contains(r#""errCode":"e.http.busy""#), "{answer}");
    }
    shed
}
