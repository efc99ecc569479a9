//! `/websocket`: the original's way to hear that a payment is done, for pages that were written for it.
//!
//! | who | says |
//! |---|---|
//! | host | `{"event":"hi","wsid":…}` |
//! | page | `{"method":"watch","user":DOMAIN,"match":{"id":ID}}` |
//! | host | `{"event":"watched","obj":ID}` |
//! | host | `{"event":"done","id":ID,"st":"OK"}` once it is paid, `{"event":"fail","id":ID,"st":"FAIL"}` when it never will be |
//! | host | `{"event":"error","errCode":…,"msg":…}` for what it does not take |
//!
//! A page of the original has no key. Whoever knows a payment's id (74 random bits) and its domain hears here how it
//! ended, and nothing else; what does not exist is watched in vain, so that nobody learns what does.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::envelope::{Failure, UPGRADE};
use super::source::Source;
use crate::payment::Payments;
use crate::payment::error::PayError;
use crate::payment::model::{PaymentId, State as PaymentState};

/// The longest message that a page may send.
const MESSAGE_BYTES: usize = 4096;
/// Payments that one page may watch.
const WATCHES: usize = 16;
/// A page that watches nothing by then has no business here.
const WATCHES_WITHIN: Duration = Duration::from_secs(30);
/// How often a quiet connection is tried; one that does not answer before the next time is given up.
const TRY_EVERY: Duration = Duration::from_secs(30);

/// Connections of one host: as many pages as may follow payments at all, each of some 20 kB.
const MOST: usize = 20_000;

/// The places for connections.
#[derive(Clone)]
pub(super) struct Sockets(Arc<Semaphore>);

impl Default for Sockets {
    fn default() -> Sockets {
        Sockets(Arc::new(Semaphore::new(MOST)))
    }
}

impl Sockets {
    /// A place for one connection, until it is dropped.
    fn place(&self) -> Result<OwnedSemaphorePermit, PayError> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            PayError::too_busy("too many pages are connected to this host: ask with get instead")
        })
    }
}

pub(super) async fn websocket(
    State(payments): State<Payments>,
    Extension(sockets): Extension<Sockets>,
    source: Option<Extension<Source>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let upgrade =
        upgrade.map_err(|_| Failure::of_http(UPGRADE, "this address speaks WebSocket only"))?;
    let place = sockets.place()?;
    let source = source.map(|Extension(Source(address))| address);
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .on_upgrade(move |socket| async move {
            // Whoever it was has hung up; there is nobody to tell.
            let _ = serve(payments, source, socket).await;
            drop(place);
        }))
}

async fn serve(
    payments: Payments,
    source: Option<IpAddr>,
    mut socket: WebSocket,
) -> Result<(), axum::Error> {
    say(
        &mut socket,
        &json!({ "event": "hi", "wsid": Uuid::new_v4().simple().to_string() }),
    )
    .await?;
    let mut watches: JoinSet<Value> = JoinSet::new();
    let mut begun = 0;
    let mut answers = true;
    let mut look = Instant::now() + WATCHES_WITHIN;
    loop {
        tokio::select! {
            heard = socket.recv() => {
                answers = true;
                let text = match heard {
                    None | Some(Ok(Message::Close(_))) => return Ok(()),
                    Some(Err(error)) => return Err(error),
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(_)) => continue,
                };
                let reply = match Wish::read(&text) {
                    Ok(_) if begun >= WATCHES => refused(&PayError::too_busy(
                        "a connection watches at most 16 payments",
                    )),
                    Ok(wish) => {
                        begun += 1;
                        let reply = json!({ "event": "watched", "obj": wish.matching.id });
                        watches.spawn(ended(payments.clone(), source, wish));
                        reply
                    }
                    Err(error) => refused(&error),
                };
                say(&mut socket, &reply).await?;
            }
            Some(Ok(told)) = watches.join_next() => say(&mut socket, &told).await?,
            () = sleep_until(look) => {
                if begun == 0 || !answers {
                    return Ok(());
                }
                answers = false;
                look = Instant::now() + TRY_EVERY;
                socket.send(Message::Ping(Default::default())).await?;
            }
        }
    }
}

async fn say(socket: &mut WebSocket, what: &Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(what.to_string().into())).await
}

fn refused(error: &PayError) -> Value {
    json!({ "event": "error", "errCode": error.code(), "msg": error.message() })
}

/// What a page asks for.
#[derive(Deserialize)]
struct Wish {
    method: String,
    #[serde(default)]
    user: Option<String>,
    #[serde(rename = "match")]
    matching: Match,
}

#[derive(Deserialize)]
struct Match {
    id: String,
}

impl Wish {
    fn read(text: &str) -> Result<Wish, PayError> {
        let wish: Wish = serde_json::from_str(text).map_err(|_| Wish::needed())?;
        match wish.method == "watch" && PaymentId::parse(&wish.matching.id).is_some() {
            true => Ok(wish),
            false => Err(Wish::needed()),
        }
    }

    fn needed() -> PayError {
        PayError::invalid(
            r#"send {"method":"watch","user":"the seller's domain","match":{"id":"the payment's id"}}"#,
        )
    }
}

/// Waits until the payment has ended.
async fn ended(payments: Payments, source: Option<IpAddr>, wish: Wish) -> Value {
    match end_of(&payments, source, &wish).await {
        Ok(Some(event)) => event,
        // It is not there, or another domain's, or the host stops: nothing is ever said.
        Ok(None) => std::future::pending().await,
        Err(error) => refused(&error),
    }
}

async fn end_of(
    payments: &Payments,
    source: Option<IpAddr>,
    wish: &Wish,
) -> Result<Option<Value>, PayError> {
    let Some(id) = PaymentId::parse(&wish.matching.id) else {
        return Ok(None);
    };
    let mut following = match payments.follow_without_key(id, source).await {
        Ok(following) => following,
        Err(error) if error.code() == PayError::no_payment("").code() => return Ok(None),
        Err(error) => return Err(error),
    };
    while let Some(payment) = following.next().await? {
        if wish.user.as_ref() != Some(&payment.domain) {
            return Ok(None);
        }
        let event = match payment.state {
            PaymentState::Ok => "done",
            PaymentState::Fail => "fail",
            PaymentState::New | PaymentState::Wait => continue,
        };
        return Ok(Some(
            json!({ "event": event, "id": wish.matching.id, "st": payment.state.as_str() }),
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_when_all_places_are_taken_is_told_so() {
        let sockets = Sockets(Arc::new(Semaphore::new(2)));
        let taken = [sockets.place().unwrap(), sockets.place().unwrap()];
        let refused = sockets.place().unwrap_err();
        assert_eq!((refused.status(), refused.code()), (429, "e.pay.busy"));
        assert!(refused.message().contains("ask with get"));
        drop(taken);
        assert!(sockets.place().is_ok());
    }
}
