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
//! Those who are suspect wait for each other, as [`suspects`] says: theirs are looked at one at a time, so that they take a
//! small part of the host together, however many they are. Anybody with an account at a platform can make its addresses
//! suspect, so a suspect source has its turn whatever the others send, and of one source what may well be genuine goes
//! first: what is about a trade or an account of this host of which the source has sent nothing lately that was refused.

mod suspects;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::timeout;

use super::address::Address;
use super::model::{Ams, Digest};
use crate::party::network;
use crate::trust::{Message, Reply};
use suspects::{Suspects, Turn};

/// More than any platform repeats a notification in that time.
const OF_A_TRADE: u32 = 32;
const OF_A_SOURCE: u32 = 64;
const SPAN: Ams = 10_000;
/// How often it is looked up in [`SPAN`] for one source whether what it sends is about anything of this host.
const LOOKED_UP: u32 = 500;
/// How long a suspect's is looked at before the next one's turn comes: far longer than it takes where nothing is waited for.
const LOOK: Duration = Duration::from_millis(100);

const TRADES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);
const SOURCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// Who sends, and about what.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Line {
    source: Option<IpAddr>,
    about: String,
}

/// So often since then.
#[derive(Clone, Default)]
struct Count {
    since: Ams,
    times: u32,
    /// What the last one that was refused was answered.
    reply: Option<Reply>,
}

impl Count {
    fn at(&self, now: Ams) -> u32 {
        if now.saturating_sub(self.since) < SPAN {
            self.times
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
        self.times = self.times.saturating_add(1);
    }

    /// The same of what is forgotten only after a while without any.
    fn add_to_row(&mut self, now: Ams) {
        self.add(now);
        self.since = now;
    }
}

/// What is counted of a source.
#[derive(Clone, Default)]
struct Sender {
    /// Refused, whatever it was about.
    refused: Count,
    looked_up: Count,
}

/// Counts what does not verify.
pub(super) struct Flood {
    counts: Mutex<Counts>,
    suspects: Arc<Suspects>,
}

struct Counts {
    lines: LruCache<Line, Count>,
    sources: LruCache<Option<IpAddr>, Sender>,
}

impl Default for Flood {
    fn default() -> Flood {
        Flood {
            counts: Mutex::new(Counts {
                lines: LruCache::new(TRADES),
                sources: LruCache::new(SOURCES),
            }),
            suspects: Arc::default(),
        }
    }
}

/// A notification that may be looked at.
pub(super) struct Admitted {
    line: Line,
    turn: Option<Turn>,
}

impl Admitted {
    /// Looks at it. What takes long, such as one that waits for a platform's answer, goes on beside the next one.
    pub(super) async fn look<T>(&mut self, work: impl Future<Output = T>) -> T {
        if self.turn.is_none() {
            return work.await;
        }
        let mut work = pin!(work);
        match timeout(LOOK, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                self.turn = None;
                work.await
            }
        }
    }
}

/// How one stands that is not refused at once.
struct Standing {
    /// Its source has to wait for its turn.
    suspect: bool,
    /// The source sent nothing lately about the same that was refused.
    spotless: bool,
}

impl Flood {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a notification is looked at. One that is refused unseen is answered as the last of its kind was. Whether it
    /// is about a trade or an account of this host is looked up only where it makes a difference to who goes first.
    ///
    /// # Errors
    /// With that answer; none where no platform's words are known.
    pub(super) async fn admit(
        &self,
        source: Option<IpAddr>,
        address: Address<'_>,
        message: &Message,
        is_ours: impl Future<Output = bool>,
        now: Ams,
    ) -> Result<Admitted, Option<Reply>> {
        let source = source.map(network);
        let line = Line {
            source,
            about: about(address, message),
        };
        let standing = self.standing(&line, now)?;
        if !standing.suspect {
            return Ok(Admitted { line, turn: None });
        }
        let goes_first =
            async { standing.spotless && self.may_look_up(source, now) && is_ours.await };
        match self.suspects.turn(source, goes_first).await {
            None => {
                self.counts().of_source(source, now);
                Err(None)
            }
            turn => Ok(Admitted { line, turn }),
        }
    }

    fn standing(&self, line: &Line, now: Ams) -> Result<Standing, Option<Reply>> {
        let mut counts = self.counts();
        let found = counts.lines.peek(line);
        let refused = found.map_or(0, |count| count.at(now));
        if refused >= OF_A_TRADE {
            let reply = found.and_then(|count| count.reply.clone());
            counts.of_source(line.source, now);
            return Err(reply);
        }
        let of_source = counts.sources.peek(&line.source);
        let of_source = of_source.map_or(0, |sender| sender.refused.at(now));
        Ok(Standing {
            suspect: of_source >= OF_A_SOURCE,
            spotless: refused == 0,
        })
    }

    /// Once more for this source.
    fn may_look_up(&self, source: Option<IpAddr>, now: Ams) -> bool {
        let mut counts = self.counts();
        let sender = counts.sources.get_or_insert_mut(source, Sender::default);
        sender.looked_up.add(now);
        sender.looked_up.times <= LOOKED_UP
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
        let sender = self.sources.get_or_insert_mut(source, Sender::default);
        sender.refused.add_to_row(now);
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

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::suspects::OF_ONE;
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
            let unknown = ready(false);
            let admitted = flood.admit(source(from), address, &message, unknown, 5);
            match admitted.await {
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
        let unknown = ready(false);
        let later = flood.admit(source("192.0.2.1"), one, &message, unknown, 5 + SPAN);
        assert!(later.await.is_ok());
    }

    /// Has so many waiting, and how many were refused at once.
    async fn wait<F: Future<Output = Result<Admitted, Option<Reply>>>>(
        ones: impl Iterator<Item = F>,
    ) -> (Vec<std::pin::Pin<Box<F>>>, usize) {
        let (mut waiting, mut refused) = (Vec::new(), 0);
        for one in ones {
            let mut one = Box::pin(one);
            match futures_util::poll!(&mut one) {
                std::task::Poll::Pending => waiting.push(one),
                std::task::Poll::Ready(admitted) => refused += usize::from(admitted.is_err()),
            }
        }
        (waiting, refused)
    }

    async fn make_suspect(flood: &Flood, from: &str) {
        for number in 0..OF_A_SOURCE {
            let made_up = number.to_string();
            assert_eq!(send(flood, from, Address::Trade(&made_up), 1).await, 1);
        }
    }

    #[tokio::test]
    async fn those_who_sent_much_that_was_refused_wait_for_each_other() {
        let flood = Flood::default();
        make_suspect(&flood, "2001:db8::1").await;
        let genuine = Address::Trade("genuine");
        let admit = |from: &str, now| {
            let flood = &flood;
            let from = source(from);
            async move {
                let known = ready(true);
                flood.admit(from, genuine, &message("x"), known, now).await
            }
        };
        let first = admit("2001:db8::2", 5).await;
        assert!(first.is_ok(), "of the same network: alone");
        let meanwhile = admit("2001:db8::3", 5).await;
        assert!(meanwhile.is_err(), "it waited in vain");
        assert!(admit("2001:db8:1::1", 5).await.is_ok(), "nobody else waits");
        // More than may wait are refused at once.
        let (waits, refused) = wait((0..=OF_ONE).map(|_| admit("2001:db8::3", 5))).await;
        assert_eq!((waits.len(), refused), (OF_ONE, 1));
        drop((first, waits));
        // Quiet for a while, it is not suspect any more.
        let (one, other) = (
            admit("2001:db8::2", 5 + SPAN).await,
            admit("2001:db8::2", 5 + SPAN).await,
        );
        assert!(one.is_ok() && other.is_ok());
    }

    #[tokio::test]
    async fn what_may_be_genuine_finds_a_place_beside_what_is_not() {
        const PLATFORM: &str = "192.0.2.1";
        let flood = Flood::default();
        make_suspect(&flood, PLATFORM).await;
        let admit = |trade_no: &'static str, known: bool| {
            let (address, source) = (Address::Trade(trade_no), source(PLATFORM));
            let flood = &flood;
            async move {
                let known = ready(known);
                flood.admit(source, address, &message("x"), known, 5).await
            }
        };
        // About a trade that is here, and was refused before.
        assert_eq!(send(&flood, PLATFORM, Address::Trade("forged"), 1).await, 1);
        let held = admit("held", true).await;
        assert!(held.is_ok());
        let forged = (0..4).map(|_| admit("forged", true));
        let (forged, refused) = wait(forged).await;
        assert_eq!(refused, 0);
        let (unknown, refused) = wait((4..OF_ONE).map(|_| admit("unknown", false))).await;
        assert_eq!(refused, 0);
        let (none, refused) = wait(
            [("forged", true), ("unknown", false)]
                .map(|(trade_no, known)| admit(trade_no, known))
                .into_iter(),
        )
        .await;
        assert_eq!((none.len(), refused), (0, 2));
        let (genuine, refused) = wait((0..2).map(|_| admit("genuine", true))).await;
        assert_eq!((genuine.len(), refused), (2, 0));
        drop((held, forged, unknown));
        for one in genuine {
            assert!(one.await.is_ok());
        }
    }

    #[tokio::test]
    async fn one_that_takes_long_does_not_keep_the_others_waiting() {
        let flood = Flood::default();
        make_suspect(&flood, "192.0.2.1").await;
        let admit = || {
            let (one, source) = (Address::Trade("one"), source("192.0.2.1"));
            let flood = &flood;
            async move {
                flood
                    .admit(source, one, &message("x"), ready(true), 5)
                    .await
            }
        };
        let mut slow = admit().await.ok().unwrap();
        let looking = slow.look(std::future::pending::<()>());
        let other = async { while admit().await.is_err() {} };
        futures_util::future::select(pin!(looking), pin!(other)).await;
    }

    #[tokio::test]
    async fn a_source_has_so_many_looked_up() {
        let flood = Flood::default();
        let from = source("192.0.2.1");
        let looked_up = (0..2 * LOOKED_UP).filter(|_| flood.may_look_up(from, 5));
        assert_eq!(looked_up.count(), LOOKED_UP as usize);
        assert!(flood.may_look_up(source("192.0.2.2"), 5));
        assert!(flood.may_look_up(from, 5 + SPAN));
    }

    #[tokio::test]
    async fn without_an_address_the_same_bytes_are_counted() {
        let flood = Flood::default();
        assert_eq!(
            send(&flood, "192.0.2.1", Address::Bare, 100).await,
            OF_A_TRADE
        );
        let message = message("y");
        let unknown = ready(false);
        let other = flood.admit(source("192.0.2.1"), Address::Bare, &message, unknown, 5);
        assert!(other.await.is_ok());
    }
}
