//! A real PostgreSQL server for tests and benchmarks: one for each process that asks, started when it is first asked for,
//! stopped and removed when the process ends, however it ends. Each test gets a database of its own.
//!
//! Where the server's programs are not installed, [`Server::shared`] says so once and gives nothing: stories that need one
//! are left out.

mod database;
mod programs;
mod server;
mod way;

pub use database::Database;
pub use programs::Programs;
pub use server::{Durability, Server};
pub use way::Way;
