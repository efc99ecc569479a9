//! Making a connection.

use std::future::poll_fn;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Notification};

use super::address::Address;
use super::{error, tls};
use crate::store::StoreError;

/// Connects, and lets the present runtime drive the connection. What others announce goes to `heard`.
pub(super) async fn connect(
    address: &Address,
    heard: Option<UnboundedSender<Notification>>,
) -> Result<(Client, JoinHandle<()>), StoreError> {
    let failed = |error: tokio_postgres::Error| match error::of(&error) {
        StoreError::Postgres(why) => StoreError::Address(format!("{address}: {why}")),
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{address}: {why}")),
        other => other,
    };
    match tls::connector(&address.proof)? {
        None => {
            let connected = address.config.connect(NoTls).await;
            let (client, connection) = connected.map_err(failed)?;
            Ok((client, tokio::spawn(drive(connection, heard))))
        }
        Some(tls) => {
            let connected = address.config.connect(tls).await;
            let (client, connection) = connected.map_err(failed)?;
            Ok((client, tokio::spawn(drive(connection, heard))))
        }
    }
}

/// Carries messages until the connection ends. Why it ended is told to whoever waits for an answer.
async fn drive<S, T>(mut connection: Connection<S, T>, heard: Option<UnboundedSender<Notification>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        match (message, &heard) {
            (AsyncMessage::Notification(said), Some(heard)) => drop(heard.send(said)),
            (AsyncMessage::Notice(notice), _) => {
                tracing::debug!(message = notice.message(), "PostgreSQL says");
            }
            _ => {}
        }
    }
}
