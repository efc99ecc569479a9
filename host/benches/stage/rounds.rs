//! Rounds of requests to a server in a process of its own, with the time that each took and the processor time.

use std::net::SocketAddr;
use std::time::Duration;

use super::crowd::{self, Taken};
use super::process::{Server, cpu};

/// How much is measured.
pub(crate) struct Plan {
    /// Requests of one round.
    pub(crate) round: u32,
    /// Rounds of each side that count.
    pub(crate) rounds: usize,
    /// Rounds before them, in which caches fill.
    pub(crate) before: usize,
}

impl Plan {
    /// This much; where nothing is to be measured, the way is only walked.
    pub(crate) fn or_walk(self) -> Plan {
        if std::env::args().any(|argument| argument == "--bench") {
            self
        } else {
            Plan {
                round: 16,
                rounds: 1,
                before: 0,
            }
        }
    }

    /// Requests of all rounds of one side.
    pub(crate) fn requests(&self) -> usize {
        self.round as usize * (self.before + self.rounds)
    }
}

/// One round of one side.
#[derive(Clone, Copy, Default)]
pub(crate) struct Round {
    /// From the first request until the last answer.
    pub(crate) took: Duration,
    /// The server's processor time.
    pub(crate) server: Duration,
    /// The processor time of whoever sent the requests.
    pub(crate) crowd: Duration,
}

/// A server with what it will be sent.
pub(crate) struct Side {
    server: Server,
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    taken: Taken,
    rounds: Vec<Round>,
}

impl Side {
    pub(crate) fn new(
        (server, address): (Server, SocketAddr),
        requests: Vec<Vec<u8>>,
        taken: Taken,
    ) -> Side {
        Side {
            server,
            address,
            requests,
            taken,
            rounds: Vec::new(),
        }
    }

    /// Sends the next requests.
    ///
    /// # Errors
    /// When one of them is not taken.
    pub(crate) async fn round(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let next = (plan.round as usize).min(self.requests.len());
        let requests = self.requests.drain(..next).collect();
        let processor = || anyhow::Ok((cpu(self.server.id())?, cpu(std::process::id())?));
        let before = processor()?;
        let took = crowd::send(self.address, requests, self.taken).await?;
        let after = processor()?;
        self.rounds.push(Round {
            took,
            server: after.0 - before.0,
            crowd: after.1 - before.1,
        });
        Ok(())
    }

    /// Ends the server, and gives the rounds that count.
    pub(crate) fn end(self, plan: &Plan) -> Vec<Round> {
        drop(self.server);
        self.rounds.into_iter().skip(plan.before).collect()
    }
}

/// Two sides take turns of a round each; who begins alternates.
///
/// # Errors
/// When a request is not taken.
pub(crate) async fn take_turns(
    plan: &Plan,
    one: &mut Side,
    other: &mut Side,
) -> anyhow::Result<()> {
    for number in 0..plan.before + plan.rounds {
        if number % 2 == 0 {
            one.round(plan).await?;
            other.round(plan).await?;
        } else {
            other.round(plan).await?;
            one.round(plan).await?;
        }
    }
    Ok(())
}

/// What one request took of something, on the average of all rounds.
pub(crate) fn each(plan: &Plan, rounds: &[Round], part: fn(&Round) -> Duration) -> Duration {
    let requests = plan.round * u32::try_from(rounds.len()).unwrap_or(u32::MAX);
    rounds.iter().map(part).sum::<Duration>() / requests.max(1)
}

/// Median, quartiles and extremes of a ratio, least first.
pub(crate) fn quartiles(mut ratios: Vec<f64>) -> Option<[f64; 5]> {
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios.get((ratios.len() - 1) * part / 4).copied();
    if ratios.is_empty() {
        return None;
    }
    Some([at(0)?, at(1)?, at(2)?, at(3)?, at(4)?])
}
