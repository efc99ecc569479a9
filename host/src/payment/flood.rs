//! What does not verify is bounded, so that whoever sends it takes nothing from what does.
//!
//! Counted is what was refused of one source *about one trade*. A platform's addresses are shared by all its merchants: one
//! merchant with a wrong key must not shut out the others. And whoever else sends about a trade is another source: no buyer
//! shuts out the platform. What is beyond its count is refused before it is looked at, with the answer that makes a
//! platform come again.
//!
//! | counted | until it is refused unseen |
//! |---|---|
//! | refused of one source about one trade, at one account's address, or in the same bytes | [`OF_A_TRADE`] in [`SPAN`] |
//! | refused of one source that were about no trade of this host | never: after [`OF_A_SOURCE`] in [`SPAN`] they are looked at one at a time |

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::address::Address;
use super::model::{Ams, Digest};
use crate::trust::{Message, Reply};

/// More than any platform repeats a notification in that time.
const OF_A_TRADE: u32 = 32;
const OF_A_SOURCE: u32 = 64;
const SPAN: Ams = 10_000;

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
}

/// Counts what does not verify.
pub(super) struct Flood {
    counts: Mutex<Counts>,
    /// The place of those who sent much that was about nothing here.
    suspects: Arc<Semaphore>,
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
            suspects: Arc::new(Semaphore::new(1)),
        }
    }
}

/// A notification that may be looked at.
pub(super) struct Admitted {
    line: Line,
    _alone: Option<OwnedSemaphorePermit>,
}

impl Flood {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a notification is looked at. One that is refused unseen is answered as the last of its kind was.
    ///
    /// # Errors
    /// With that answer; none where no platform's words are known.
    pub(super) fn admit(
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
        let of_source = {
            let counts = self.counts();
            let found = counts.lines.peek(&line);
            let of_line = found.map_or(0, |count| count.at(now));
            if of_line >= OF_A_TRADE {
                return Err(found.and_then(|count| count.reply.clone()));
            }
            counts
                .sources
                .peek(&source)
                .map_or(0, |count| count.at(now))
        };
        let alone = match of_source >= OF_A_SOURCE {
            true => Some(
                Arc::clone(&self.suspects)
                    .try_acquire_owned()
                    .map_err(|_| None)?,
            ),
            false => None,
        };
        Ok(Admitted {
            line,
            _alone: alone,
        })
    }

    /// It was refused with this answer; `known` when it was about a trade or an account of this host.
    pub(super) fn refused(&self, admitted: &Admitted, known: bool, reply: &Reply, now: Ams) {
        let mut counts = self.counts();
        let line = &admitted.line;
        let count = counts.lines.get_or_insert_mut(line.clone(), Count::default);
        count.add(now);
        count.reply = Some(reply.clone());
        if !known {
            counts
                .sources
                .get_or_insert_mut(line.source, Count::default)
                .add(now);
        }
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
    fn send(flood: &Flood, from: &str, address: Address<'_>, known: bool, times: u32) -> u32 {
        let message = message("x");
        for sent in 0..times {
            match flood.admit(source(from), address, &message, 5) {
                Ok(admitted) => flood.refused(&admitted, known, &again(), 5),
                Err(reply) => {
                    assert_eq!(reply, Some(again()));
                    return sent;
                }
            }
        }
        times
    }

    #[test]
    fn one_source_and_one_trade_are_counted_together() {
        let flood = Flood::default();
        let (one, other) = (Address::Trade("one"), Address::Trade("other"));
        assert_eq!(send(&flood, "192.0.2.1", one, true, 100), OF_A_TRADE);
        assert_eq!(send(&flood, "192.0.2.1", one, true, 100), 0);
        // The same source about another trade, and another source about the same one.
        assert_eq!(send(&flood, "192.0.2.1", other, true, 1), 1);
        assert_eq!(send(&flood, "192.0.2.2", one, true, 1), 1);
        // When its time is over it is looked at again.
        let later = flood.admit(source("192.0.2.1"), one, &message("x"), 5 + SPAN);
        assert!(later.is_ok());
    }

    #[test]
    fn what_is_about_nothing_here_is_looked_at_one_at_a_time() {
        let flood = Flood::default();
        for number in 0..OF_A_SOURCE {
            let made_up = number.to_string();
            let sent = send(&flood, "2001:db8::1", Address::Trade(&made_up), false, 1);
            assert_eq!(sent, 1);
        }
        let genuine = Address::Trade("genuine");
        let first = flood.admit(source("2001:db8::2"), genuine, &message("x"), 5);
        assert!(first.is_ok(), "of the same network: alone");
        let meanwhile = flood.admit(source("2001:db8::3"), Address::Trade("a"), &message("x"), 5);
        assert!(meanwhile.is_err());
        let elsewhere = flood.admit(source("2001:db8:1::1"), genuine, &message("x"), 5);
        assert!(elsewhere.is_ok());
        drop(first);
        assert!(
            flood
                .admit(source("2001:db8::3"), genuine, &message("x"), 5)
                .is_ok()
        );
    }

    #[test]
    fn without_an_address_the_same_bytes_are_counted() {
        let flood = Flood::default();
        assert_eq!(
            send(&flood, "192.0.2.1", Address::Bare, true, 100),
            OF_A_TRADE
        );
        let other = flood.admit(source("192.0.2.1"), Address::Bare, &message("y"), 5);
        assert!(other.is_ok());
    }
}
