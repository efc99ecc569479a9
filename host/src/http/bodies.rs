//! Bodies of requests, as they come: each has its size and its time, and all of them together have their memory.
//!
//! What is parsed takes many times the memory of its text: a list of zeros has two bytes for each of them, and becomes some
//! hundred. So the values of a text of JSON are counted here, on its way in ([`Scan`]) and before anything of it is parsed,
//! and what they will take is taken of the memory too. No handler has a body that did not come through here.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::load::Shed;
use super::places::{Parties, Place, Places};

/// Memory is shared out in pieces of so many bytes.
const PIECE: usize = 1024;

/// Names and values of one text of JSON: more is refused.
pub(super) const MAX_VALUES: usize = 10_000;
/// What a name or a value takes when it is parsed, roughly: its place in a list or an object that grew, and for a while the
/// place where it was read to.
const OF_VALUE: usize = 160;
/// What an object takes besides: room for some members, and a table of their names.
const OF_OBJECT: usize = 480;

/// The most that a body of so many bytes takes of the memory: as it came, and parsed.
pub(super) const fn most(bytes: usize) -> usize {
    2 * bytes + MAX_VALUES * (OF_VALUE + OF_OBJECT) + PIECE
}

/// The memory that bodies have together, of which one party has a part.
#[derive(Clone)]
pub(super) struct Memory {
    pieces: Arc<Places>,
    shed: Arc<Shed>,
}

impl Memory {
    /// So many bytes in all, of one party, and of the holder of a ticket.
    pub(super) fn new(all: usize, of_one: usize, of_ticket: usize, shed: &Arc<Shed>) -> Memory {
        Memory {
            pieces: Places::with_tickets(all / PIECE, of_one / PIECE, of_ticket / PIECE),
            shed: Arc::clone(shed),
        }
    }

    /// Room for one request's body, as much as will come. It is given back when nobody has the room any more.
    pub(super) fn room(&self, by: Parties) -> Room {
        Room(Arc::new(Taken {
            pieces: Mutex::new((0, self.pieces.none(by))),
            shed: Arc::clone(&self.shed),
        }))
    }
}

/// What one request's body takes of the memory.
#[derive(Clone)]
pub(super) struct Room(Arc<Taken>);

struct Taken {
    /// Bytes that are needed, and what is taken for them.
    pieces: Mutex<(usize, Place)>,
    shed: Arc<Shed>,
}

impl Room {
    /// Makes room for so many bytes more, where there is any.
    fn grow(&self, bytes: usize) -> Result<(), NoRoom> {
        let mut pieces = self.0.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let (needed, taken) = &mut *pieces;
        *needed = needed.saturating_add(bytes);
        let wanted = needed.div_ceil(PIECE).saturating_sub(taken.count());
        taken.grow(wanted).map_err(|_| {
            self.0.shed.tell("bytes of bodies");
            NoRoom
        })
    }
}

/// What the bodies of an address are read as.
#[derive(Clone, Copy)]
pub(super) enum Reads {
    /// JSON, whatever they are said to be; a notification may be JSON.
    Json,
    /// JSON where they are said to be ([`is_json`]), and bytes otherwise.
    JsonWhereSaid,
    /// Bytes, whatever they are said to be.
    Bytes,
}

/// Whether a body is said to be JSON, and nothing more special.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
}

/// Bounds the body of a request: its size, the values in it, the time until it is whole, and what it takes of the memory
/// that it was given.
pub(super) fn whole_within(
    reads: Reads,
    bytes: usize,
    time: Duration,
) -> impl Fn(Request) -> Request + Clone {
    move |request| {
        let room = request.extensions().get::<Room>().cloned();
        let scanned = match reads {
            Reads::Json => true,
            Reads::JsonWhereSaid => is_json(request.headers()),
            Reads::Bytes => false,
        };
        request.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            Body::new(Coming {
                body,
                bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
                scan: scanned.then(Scan::default),
                room,
                until: Box::pin(tokio::time::sleep(time)),
            })
        })
    }
}

/// A body that has to end in time, in its size, and in its room.
struct Coming {
    body: Body,
    /// What it may have.
    bytes: u64,
    scan: Option<Scan>,
    room: Option<Room>,
    until: Pin<Box<Sleep>>,
}

/// The body did not end in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
pub(super) struct TooSlow;

/// The body says of itself that it is larger than it may be.
#[derive(Debug, thiserror::Error)]
#[error("the body is too large")]
pub(super) struct TooLarge;

/// The body has more values than are parsed.
#[derive(Debug, thiserror::Error)]
#[error("the body has too many values")]
pub(super) struct TooMany;

/// There is no memory left for the body.
#[derive(Debug, thiserror::Error)]
#[error("there is no room for the body now")]
pub(super) struct NoRoom;

impl Coming {
    /// Takes account of what came.
    fn came(&mut self, data: &[u8]) -> Result<(), axum::BoxError> {
        let parsed = match &mut self.scan {
            Some(scan) => scan.read(data)?,
            None => 0,
        };
        if let Some(room) = &self.room {
            room.grow(data.len().saturating_add(parsed))?;
        }
        Ok(())
    }
}

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        // Said by the head, or of what is still to come: nobody waits for what is refused anyway.
        if self.body.size_hint().lower() > self.bytes {
            return Poll::Ready(Some(Err(TooLarge.into())));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let taken = match frame.data_ref() {
                    Some(data) => self.came(data),
                    None => Ok(()),
                };
                Poll::Ready(Some(taken.map(|()| frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => self
                .until
                .as_mut()
                .poll(context)
                .map(|()| Some(Err(TooSlow.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Counts the names and values of a text of JSON while it comes. A text that is no JSON is counted as well: whoever parses it
/// stops where it is wrong, and up to there both see the same.
#[derive(Default)]
struct Scan {
    in_text: bool,
    is_escaped: bool,
    values: usize,
}

impl Scan {
    /// What the values of this piece will take when they are parsed, beside the bytes themselves.
    fn read(&mut self, piece: &[u8]) -> Result<usize, TooMany> {
        let mut takes = 0;
        for byte in piece {
            if self.in_text {
                takes += 1;
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            takes += match byte {
                b'{' => OF_VALUE + OF_OBJECT,
                b'[' | b',' | b':' => OF_VALUE,
                b'"' => {
                    self.in_text = true;
                    continue;
                }
                _ => continue,
            };
            self.values += 1;
        }
        match self.values > MAX_VALUES {
            true => Err(TooMany),
            false => Ok(takes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::places::Party;
    use super::*;

    const NOBODY: Parties = [None, None];

    #[test]
    fn bodies_have_their_memory_together_and_give_it_back() {
        let all = 4 * PIECE;
        let memory = Memory::new(all, all, all, &Arc::default());
        let (one, other) = (memory.room(NOBODY), memory.room(NOBODY));
        // Many small pieces take no more than they are together.
        for _ in 0..PIECE {
            one.grow(2).unwrap();
        }
        assert_eq!(memory.pieces.free(), 2);
        other.grow(PIECE + 1).unwrap();
        assert!(one.grow(1).is_err());
        assert!(memory.room(NOBODY).grow(1).is_err());
        let held = other.clone();
        drop(other);
        assert!(
            memory.room(NOBODY).grow(1).is_err(),
            "somebody has it still"
        );
        drop(held);
        memory.room(NOBODY).grow(1).unwrap();
        drop(one);
        assert_eq!(memory.pieces.free(), 4);
    }

    #[test]
    fn the_bodies_of_one_party_have_a_part_of_the_memory() {
        let memory = Memory::new(8 * PIECE, 2 * PIECE, PIECE, &Arc::default());
        let source = |from: &str| Party::source(from.parse().unwrap());
        let room = |from| memory.room([Some(source(from)), None]);
        let held = [1, 2].map(|_| room("192.0.2.1"));
        for one in &held {
            one.grow(PIECE).unwrap();
        }
        assert!(room("192.0.2.1").grow(1).is_err());
        room("192.0.2.2").grow(2 * PIECE).unwrap();
        drop(held);
        room("192.0.2.1").grow(2 * PIECE).unwrap();
    }

    #[test]
    fn values_are_counted_before_they_are_parsed() {
        let takes = |text: &str| Scan::default().read(text.as_bytes()).unwrap();
        assert_eq!(takes(""), 0);
        assert_eq!(takes("[0, 1, 2]"), 3 * OF_VALUE);
        assert_eq!(takes(r#"{"a":[]}"#), 3 * OF_VALUE + OF_OBJECT + 2);
        // What stands in a text is no value, however it is written.
        assert_eq!(takes(r#"["[,{\"\\", ",:"]"#), 2 * OF_VALUE + 8 + 3);
        let list = |values: usize| format!("[{}0]", "0,".repeat(values - 1));
        let read = |text: &str, piece: usize| {
            let mut scan = Scan::default();
            let pieces = text.as_bytes().chunks(piece);
            pieces
                .map(|piece| scan.read(piece))
                .sum::<Result<usize, _>>()
        };
        for piece in [1, 7, usize::MAX] {
            assert_eq!(
                read(&list(MAX_VALUES), piece).unwrap(),
                MAX_VALUES * OF_VALUE
            );
            assert!(read(&list(MAX_VALUES + 1), piece).is_err());
            assert_eq!(read(r#"["\"","\\",1]"#, piece).unwrap(), 3 * OF_VALUE + 6);
        }
        // The most that is taken is no less than what any text takes.
        let objects = format!("[{}{{}}]", "{},".repeat(MAX_VALUES / 2 - 1));
        assert!(objects.len() + takes(&objects) <= most(objects.len()));
    }

    #[tokio::test]
    async fn a_body_of_another_kind_is_not_read_as_json() {
        let body = ",".repeat(MAX_VALUES + 1);
        let read = async |reads, kind: &str| {
            let request = Request::post("/").header(header::CONTENT_TYPE, kind);
            let request = request.body(Body::from(body.clone())).unwrap();
            let bounded = whole_within(reads, 1 << 20, Duration::from_secs(600))(request);
            axum::body::to_bytes(bounded.into_body(), usize::MAX).await
        };
        for kind in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(read(Reads::JsonWhereSaid, kind).await.is_err());
            assert!(read(Reads::Json, kind).await.is_err());
            read(Reads::Bytes, kind).await.unwrap();
        }
        for kind in ["application/wasm", "text/javascript", ""] {
            read(Reads::JsonWhereSaid, kind).await.unwrap();
            assert!(read(Reads::Json, kind).await.is_err());
        }
    }
}
