//! Making a connection.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Notification};

use super::address::Address;
use super::{error, tls};
use crate::store::StoreError;

/// A connection, which the runtime that it was made on drives.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) driver: JoinHandle<()>,
    pub(super) heard: Arc<Heard>,
}

/// When the connection last moved: something was sent, or came.
pub(super) struct Heard(Mutex<Instant>);

impl Heard {
    fn new() -> Arc<Heard> {
        Arc::new(Heard(Mutex::new(Instant::now())))
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects, and lets the present runtime drive the connection. What others announce goes to `told`.
///
/// # Errors
/// [`StoreError::Unavailable`] also when a server takes the connection and then says nothing.
pub(super) async fn connect(
    address: &Address,
    told: Option<UnboundedSender<Notification>>,
) -> Result<Connected, StoreError> {
    let within = address.connect_within();
    timeout(within, try_connect(address, told))
        .await
        .unwrap_or_else(|_| {
            let seconds = within.as_secs();
            let why = format!("{address}: no connection within {seconds} s");
            Err(StoreError::Unavailable(why))
        })
}

async fn try_connect(
    address: &Address,
    told: Option<UnboundedSender<Notification>>,
) -> Result<Connected, StoreError> {
    let failed = |error: tokio_postgres::Error| match error::of(&error) {
        StoreError::Postgres(why) => StoreError::Address(format!("{address}: {why}")),
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{address}: {why}")),
        other => other,
    };
    let heard = Heard::new();
    let (client, driver) = match tls::connector(&address.proof)? {
        None => {
            let connected = address.config.connect(NoTls).await;
            let (client, connection) = connected.map_err(failed)?;
            (client, tokio::spawn(drive(connection, heard.clone(), told)))
        }
        Some(tls) => {
            let connected = address.config.connect(tls).await;
            let (client, connection) = connected.map_err(failed)?;
            (client, tokio::spawn(drive(connection, heard.clone(), told)))
        }
    };
    Ok(Connected {
        client,
        driver,
        heard,
    })
}

/// Carries messages until the connection ends. Why it ended is told to whoever waits for an answer.
async fn drive<S, T>(
    mut connection: Connection<S, T>,
    heard: Arc<Heard>,
    told: Option<UnboundedSender<Notification>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    // It is looked at when something is to be sent, and whenever something came or went.
    let mut next = async || {
        poll_fn(|context| {
            heard.now();
            connection.poll_message(context)
        })
        .await
    };
    while let Some(Ok(message)) = next().await {
        match (message, &told) {
            (AsyncMessage::Notification(said), Some(told)) => drop(told.send(said)),
            (AsyncMessage::Notice(notice), _) => {
                tracing::debug!(message = notice.message(), "PostgreSQL says");
            }
            _ => {}
        }
    }
}
