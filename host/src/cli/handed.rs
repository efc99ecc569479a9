//! A socket that another program listens on and hands over when it starts this one (`LISTEN_FDS`, as systemd has it). It
//! stays open while one host ends and the next one starts: who connects meanwhile waits, and is not refused.

use std::net::TcpListener;
use std::sync::Arc;

use listenfd::ListenFd;

/// The socket that was handed over, if one was.
pub(super) type Handed = Option<Arc<TcpListener>>;

/// Takes it. This changes the environment: nothing else may run yet.
///
/// # Errors
/// What was handed over is not one TCP socket, in words.
pub(super) fn take() -> Result<Handed, String> {
    let mut handed = ListenFd::from_env();
    let unfit =
        |why: &str| format!("the socket that was handed over (LISTEN_FDS) cannot be used: {why}");
    match handed.len() {
        0 => Ok(None),
        1 => {
            let socket = handed.take_tcp_listener(0);
            let socket = socket.map_err(|error| unfit(&error.to_string()))?;
            Ok(socket.map(Arc::new))
        }
        many => Err(unfit(&format!(
            "there are {many}, and a host listens on one"
        ))),
    }
}
