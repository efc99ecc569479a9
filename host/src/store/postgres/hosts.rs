//! The hosts that share the store, and what became of those that ended.
//!
//! Every host has a row in `host` and says every second that it lives. Each lease names the host that took it. The row of
//! one that was silent for too long is removed by any other, and what it had leased is free: attempts and refunds are due
//! at once, deliveries are told to whoever looks for interrupted ones. The fence keeps what a host that was taken for dead
//! writes later from counting. All times here are the server's, so that hosts' clocks need not agree.

use std::time::Duration;

/// Between two signs of life.
pub(super) const BEAT: Duration = Duration::from_secs(1);

/// A new host, whose number is its name in leases.
pub(super) const REGISTER: &str =
    "INSERT INTO host (beaten_at) VALUES (clock_timestamp()) RETURNING id";

/// A sign of life; also of one that was taken for dead meanwhile.
pub(super) const LIVE: &str = "INSERT INTO host (id, beaten_at) OVERRIDING SYSTEM VALUE \
    VALUES ($1, clock_timestamp()) ON CONFLICT (id) DO UPDATE SET beaten_at = excluded.beaten_at";

/// This one ends.
pub(super) const LEAVE: &str = "DELETE FROM host WHERE id = $1";

/// Removes those that were silent for longer than a host pauses while it lives. The statement goes by what is committed,
/// so that of two hosts that find a dead one, one removes it.
pub(super) const BURY: &str =
    "DELETE FROM host WHERE beaten_at < clock_timestamp() - interval '15 seconds'";

/// Ends the leases of hosts that are gone, and makes what was begun under them due. Rows that somebody works on at this
/// moment are left to him.
pub(super) const FREE: [&str; 2] = [
    "UPDATE attempt SET leased_until_ms = 0, ask_at_ms = least(ask_at_ms, created_ms) \
     WHERE trade_no IN (SELECT trade_no FROM attempt WHERE ask_at_ms > 0 AND leased_until_ms > 0 \
     AND NOT EXISTS (SELECT 1 FROM host WHERE host.id = attempt.host) \
     FOR NO KEY UPDATE OF attempt SKIP LOCKED)",
    "UPDATE refund SET leased_until_ms = 0, ask_at_ms = least(ask_at_ms, created_ms) \
     WHERE refund_no IN (SELECT refund_no FROM refund WHERE ask_at_ms > 0 AND leased_until_ms > 0 \
     AND NOT EXISTS (SELECT 1 FROM host WHERE host.id = refund.host) \
     FOR NO KEY UPDATE OF refund SKIP LOCKED)",
];
