//! Many connections that send as fast as they are answered. Requests are written as they lie there and answers
//! only looked at for their end, so that this side takes little of the processors that it shares with the
//! server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections at once.
const CONNECTIONS: usize = 64;

/// More than any answer has.
const ANSWER_BYTES: usize = 16 * 1024;

/// Between the headers and the body.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// Whether the body of an answer is what was wanted.
pub(crate) type Taken = fn(&[u8]) -> bool;

type Requests = Arc<Mutex<std::vec::IntoIter<Vec<u8>>>>;

/// Sends every request once, and gives the time from the first until the last was taken.
pub(crate) async fn send(
    server: SocketAddr,
    requests: Vec<Vec<u8>>,
    taken: Taken,
) -> anyhow::Result<Duration> {
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
        .map(|connection| tokio::spawn(send_all(connection, requests.clone(), taken)))
        .collect();
    for ended in running {
        ended.await??;
    }
    Ok(begun.elapsed())
}

async fn send_all(
    mut connection: TcpStream,
    requests: Requests,
    taken: Taken,
) -> anyhow::Result<()> {
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
        let body = loop {
            let read = connection.read_buf(&mut answer).await?;
            if read == 0 || answer.len() >= ANSWER_BYTES {
                bail!("no whole answer: {}", String::from_utf8_lossy(&answer));
            }
            if let Some(body) = body(&answer)? {
                break body;
            }
        };
        if !taken(body) {
            bail!("not taken: {}", String::from_utf8_lossy(&answer));
        }
    }
    Ok(())
}

/// The body of an answer, once all of it is there.
pub(crate) fn body(answer: &[u8]) -> anyhow::Result<Option<&[u8]>> {
    let Some(head) = answer
        .windows(BLANK_LINE.len())
        .position(|at| at == BLANK_LINE)
    else {
        return Ok(None);
    };
    let (head, rest) = answer.split_at(head);
    let body = rest.get(BLANK_LINE.len()..).unwrap_or_default();
    let length: usize = std::str::from_utf8(head)?
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then_some(value.trim())
        })
        .context("an answer without a length")?
        .parse()?;
    Ok((body.len() >= length).then_some(body))
}
