//! What does not verify is bounded, so that whoever sends it takes nothing from what does.
//!
//! Counted is what was refused of one source *about one trade*. A platform's addresses are shared by all its merchants: one
//! merchant with a wrong key must not shut out the others. And whoever else sends about a trade is another source: no buyer
//! shuts out the platform. What is beyond its count is refused before it is looked at, with the answer that makes a
//! platform come again.
//!
//! | counted | until |
//! |---|---|
//! | refused of one source about one trade, at one account's address, or in the same bytes | [`OF_A_TRADE`] in [`SPAN`]: then it is refused unseen |
//! | refused of one source, about whatever | [`OF_A_SOURCE`] with less than [`SPAN`] in between: then the source is suspect |
//!
//! Those who are suspect wait for each other: theirs are looked at one at a time, one in [`PACE`] at most, so that they take a
//! small part of the host together, however many they are. What a platform sends beside one merchant's bad notifications
//! waits some milliseconds there. Where [`WAITING`] wait already, or one waited for [`PATIENCE`], it is refused unseen.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::{Mutex as Turns, OwnedMutexGuard, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use super::address::Address;
use super::model::{Ams, Digest};
use crate::trust::{Message, Reply};

/// More than any platform repeats a notification in that time.
const OF_A_TRADE: u32 = 32;
const OF_A_SOURCE: u32 = 64;
const SPAN: Ams = 10_000;
/// From one look at a suspect's to the next.
const PACE: Duration = Duration::from_millis(2);
const WAITING: usize = 32;
const PATIENCE: Duration = Duration::from_millis(500);

const TRADES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);
const SOURCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// Who sends, and about what.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Line {
    source: Option<IpAddr>,
    about: String,
}

/// Refused so often since then.
#[derive(Clone, Default)]
struct Count {
    since: Ams,
    refused: u32,
    /// What the last one was answered.
    reply: Option<Reply>,
}

impl Count {
    fn at(&self, now: Ams) -> u32 {
        if now.saturating_sub(self.since) < SPAN {
            self.refused
        } else {
            0
        }
    }

    fn add(&mut self, now: Ams) {
        if now.saturating_sub(self.since) >= SPAN {
            *self = Count {
                since: now,
                ..Count::default()
            };
        }
        self.refused = self.refused.saturating_add(1);
    }

    /// The same of what is forgotten only after a while without any.
    fn add_to_row(&mut self, now: Ams) {
        self.add(now);
        self.since = now;
    }
}

/// Counts what does not verify.
pub(super) struct Flood {
    counts: Mutex<Counts>,
    suspects: Suspects,
}

/// Those of suspect sources, one after the other.
struct Suspects {
    waiting: Semaphore,
    /// When the next one may be looked at.
    next: Arc<Turns<Instant>>,
}

/// A suspect's turn, until it is dropped.
type Turn = OwnedMutexGuard<Instant>;

impl Suspects {
    /// Waits for its turn, where there is room to wait.
    async fn turn(&self) -> Option<Turn> {
        let _waits = self.waiting.try_acquire().ok()?;
        let turn = async {
            let mut next = Arc::clone(&self.next).lock_owned().await;
            sleep_until(*next).await;
            *next = Instant::now() + PACE;
            next
        };
        timeout(PATIENCE, turn).await.ok()
    }
}

struct Counts {
    lines: LruCache<Line, Count>,
    sources: LruCache<Option<IpAddr>, Count>,
}

impl Default for Flood {
    fn default() -> Flood {
        Flood {
            counts: Mutex::new(Counts {
                lines: LruCache::new(TRADES),
                sources: LruCache::new(SOURCES),
            }),
            suspects: Suspects {
                waiting: Semaphore::new(WAITING),
                next: Arc::new(Turns::new(Instant::now())),
            },
        }
    }
}

/// A notification that may be looked at.
pub(super) struct Admitted {
    line: Line,
    _turn: Option<Turn>,
}

impl Flood {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a notification is looked at. One that is refused unseen is answered as the last of its kind was.
    ///
    /// # Errors
    /// With that answer; none where no platform's words are known.
    pub(super) async fn admit(
        &self,
        source: Option<IpAddr>,
        address: Address<'_>,
        message: &Message,
        now: Ams,
    ) -> Result<Admitted, Option<Reply>> {
        let source = source.map(network);
        let line = Line {
            source,
            about: about(address, message),
        };
        let is_suspect = self.is_suspect(&line, now)?;
        let turn = match is_suspect {
            false => None,
            true => match self.suspects.turn().await {
                None => {
                    self.of_source(source, now);
                    return Err(None);
                }
                turn => turn,
            },
        };
        Ok(Admitted { line, _turn: turn })
    }

    /// Whether a source has to wait for its turn.
    fn is_suspect(&self, line: &Line, now: Ams) -> Result<bool, Option<Reply>> {
        let mut counts = self.counts();
        let found = counts.lines.peek(line);
        if found.map_or(0, |count| count.at(now)) >= OF_A_TRADE {
            let reply = found.and_then(|count| count.reply.clone());
            counts.of_source(line.source, now);
            return Err(reply);
        }
        let of_source = counts.sources.peek(&line.source);
        Ok(of_source.map_or(0, |count| count.at(now)) >= OF_A_SOURCE)
    }

    fn of_source(&self, source: Option<IpAddr>, now: Ams) {
        self.counts().of_source(source, now);
    }

    /// It was refused with this answer.
    pub(super) fn refused(&self, admitted: &Admitted, reply: &Reply, now: Ams) {
        let mut counts = self.counts();
        let line = &admitted.line;
        let count = counts.lines.get_or_insert_mut(line.clone(), Count::default);
        count.add(now);
        count.reply = Some(reply.clone());
        counts.of_source(line.source, now);
    }
}

impl Counts {
    /// One more was refused of a source.
    fn of_source(&mut self, source: Option<IpAddr>, now: Ams) {
        let count = self.sources.get_or_insert_mut(source, Count::default);
        count.add_to_row(now);
    }
}

/// What an address or, where it says nothing, the bytes are about.
fn about(address: Address<'_>, message: &Message) -> String {
    match address {
        // What is longer is no number of a trade, and no token.
        Address::Trade(text) => format!("trade {}", text.chars().take(64).collect::<String>()),
        Address::Account(text) => format!("account {}", text.chars().take(64).collect::<String>()),
        Address::Bare => format!("bytes {}", Digest::of(&message.body)),
    }
}

/// What one party has of addresses: with IPv6 a network of 64 bits.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Origin;

    fn message(body: &str) -> Message {
        Message {
            origin: Origin::Notification,
            status: 0,
            headers: Vec::new(),
            body: body.into(),
            came: std::time::Instant::now(),
        }
    }

    fn again() -> Reply {
        Reply {
            status: 500,
            content_type: "text/plain".into(),
            body: "fail".into(),
        }
    }

    fn source(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Sends until it is refused unseen, at most so often.
    async fn send(flood: &Flood, from: &str, address: Address<'_>, times: u32) -> u32 {
        let message = message("x");
        for sent in 0..times {
            match flood.admit(source(from), address, &message, 5).await {
                Ok(admitted) => flood.refused(&admitted, &again(), 5),
                Err(reply) => {
                    assert_eq!(reply, Some(again()));
                    return sent;
                }
            }
        }
        times
    }

    #[tokio::test]
    async fn one_source_and_one_trade_are_counted_together() {
        let flood = Flood::default();
        let (one, other) = (Address::Trade("one"), Address::Trade("other"));
        assert_eq!(send(&flood, "192.0.2.1", one, 100).await, OF_A_TRADE);
        assert_eq!(send(&flood, "192.0.2.1", one, 100).await, 0);
        // The same source about another trade, and another source about the same one.
        assert_eq!(send(&flood, "192.0.2.1", other, 1).await, 1);
        assert_eq!(send(&flood, "192.0.2.2", one, 1).await, 1);
        // When its time is over it is looked at again.
        let message = message("x");
        let later = flood.admit(source("192.0.2.1"), one, &message, 5 + SPAN);
        assert!(later.await.is_ok());
    }

    #[tokio::test]
    async fn those_who_sent_much_that_was_refused_wait_for_each_other() {
        let flood = Flood::default();
        for number in 0..OF_A_SOURCE {
            let made_up = number.to_string();
            assert_eq!(
                send(&flood, "2001:db8::1", Address::Trade(&made_up), 1).await,
                1
            );
        }
        let genuine = Address::Trade("genuine");
        let admit = |from: &str, now| {
            let flood = &flood;
            let from = source(from);
            async move { flood.admit(from, genuine, &message("x"), now).await }
        };
        let first = admit("2001:db8::2", 5).await;
        assert!(first.is_ok(), "of the same network: alone");
        let meanwhile = admit("2001:db8::3", 5).await;
        assert!(meanwhile.is_err(), "it waited in vain");
        assert!(admit("2001:db8:1::1", 5).await.is_ok(), "nobody else waits");
        drop(first);
        let begun = Instant::now();
        for _ in 0..4 {
            assert!(admit("2001:db8::3", 5).await.is_ok());
        }
        assert!(begun.elapsed() >= 3 * PACE, "at their pace");
        // More than may wait are refused at once.
        let held = admit("2001:db8::3", 5).await;
        let (mut waits, mut refused) = (Vec::new(), 0);
        for _ in 0..=WAITING {
            let mut one = Box::pin(admit("2001:db8::3", 5));
            match futures_util::poll!(&mut one) {
                std::task::Poll::Pending => waits.push(one),
                std::task::Poll::Ready(admitted) => refused += u32::from(admitted.is_err()),
            }
        }
        assert_eq!((waits.len(), refused), (WAITING, 1));
        drop((held, waits));
        // Quiet for a while, it is not suspect any more.
        let (one, other) = (
            admit("2001:db8::2", 5 + SPAN).await,
            admit("2001:db8::2", 5 + SPAN).await,
        );
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test]
    async fn without_an_address_the_same_bytes_are_counted() {
        let flood = Flood::default();
        assert_eq!(
            send(&flood, "192.0.2.1", Address::Bare, 100).await,
            OF_A_TRADE
        );
        let message = message("y");
        let other = flood.admit(source("192.0.2.1"), Address::Bare, &message, 5);
        assert!(other.await.is_ok());
    }
}
