//! Many connections that notify as fast as they are answered. Requests are written as they lie there and answers
//! only looked at for their last word, so that this side takes little of the processors that it shares with the
//! server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections at once.
const CONNECTIONS: usize = 64;

/// More than any answer has.
const ANSWER_BYTES: usize = 1024;

/// What Alipay wants to hear, and all that it is told.
const TAKEN: &[u8] = b"success";

type Requests = Arc<Mutex<std::vec::IntoIter<Vec<u8>>>>;

/// Sends every request once, and gives the time from the first until the last was taken.
pub(crate) async fn notify(server: SocketAddr, requests: Vec<Vec<u8>>) -> anyhow::Result<Duration> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let connection = TcpStream::connect(server).await?;
        connection.set_nodelay(true)?;
        connections.push(connection);
    }
    let requests: Requests = Arc::new(Mutex::new(requests.into_iter()));
    let begun = Instant::now();
    let running: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(send_all(connection, requests.clone())))
        .collect();
    for ended in running {
        ended.await??;
    }
    Ok(begun.elapsed())
}

async fn send_all(mut connection: TcpStream, requests: Requests) -> anyhow::Result<()> {
    let next = || {
        requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    while let Some(request) = next() {
        connection.write_all(&request).await?;
        answer.clear();
        while !answer.ends_with(TAKEN) {
            let read = connection.read_buf(&mut answer).await?;
            if read == 0 || answer.len() >= ANSWER_BYTES || answer.ends_with(b"fail") {
                bail!("not taken: {}", String::from_utf8_lossy(&answer));
            }
        }
    }
    Ok(())
}
