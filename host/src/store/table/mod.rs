//! The tables: each file is one (or two that belong together) with its SQL, for every engine alike.
//!
//! They see a connection as a [`Link`](super::link::Link), inside a transaction that somebody else begins and ends.
//! `row` is how our types stand in columns, `calls` and `turn` are how work is taken from a table, and `question` is
//! `find`'s SQL.

mod calls;
mod question;
mod turn;

pub(super) mod api_key;
pub(super) mod attempt;
pub(super) mod audit;
pub(super) mod care;
pub(super) mod case;
pub(super) mod clock;
pub(super) mod content;
pub(super) mod delivery;
pub(super) mod domain;
pub(super) mod ended_session;
pub(super) mod field_key;
pub(super) mod find;
pub(super) mod history;
pub(super) mod home;
pub(super) mod idempotency;
pub(super) mod kv;
pub(super) mod leaving;
pub(super) mod payment;
pub(super) mod provider;
pub(super) mod refund;
pub(super) mod row;
pub(super) mod standing;
pub(super) mod summary;
pub(super) mod transfer;

pub(super) use calls::Lane;
