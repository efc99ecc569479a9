//! What bounds those who come in: the options of the section `incoming` as the HTTP room uses them.

use std::time::Duration;

use super::Config;

/// How much is held of those who come in, and for how long. See [`Config`] for the words of each.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Connections at once.
    pub connections: usize,
    /// Connections of one source at once.
    pub of_one_source: usize,
    /// Requests of one connection of HTTP/2 at once.
    pub streams: usize,
    /// Requests at once that need a key, as many notifications, and as many others.
    pub requests: usize,
    /// Bytes of bodies at once, for each of these kinds, and for uploads of components.
    pub bodies_bytes: usize,
    /// Bytes of a request's line and headers.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// From the first byte of a request until its head is whole.
    pub head: Duration,
    /// Until the next request of a connection.
    pub idle: Duration,
    /// Until a body is whole.
    pub body: Duration,
    /// Until a notification is whole.
    pub notification: Duration,
    /// Until a component is whole.
    pub upload: Duration,
    /// While nobody reads on of an answer.
    pub answer: Duration,
    /// Until a connection's handshake is done.
    pub handshake: Duration,
    /// For what runs when the host is to stop: longer than a provider's call, whose end is worth knowing.
    pub end: Duration,
}

/// Told to whoever starts and stops a host; its service manager waits for longer than that.
const END: Duration = Duration::from_secs(45);

impl Config {
    /// What bounds those who come in.
    pub fn incoming(&self) -> Incoming {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Incoming {
            connections: self.incoming_connections.get() as usize,
            of_one_source: self.incoming_of_one_source.get() as usize,
            streams: self.incoming_streams.get() as usize,
            requests: self.incoming_requests.get() as usize,
            bodies_bytes: (self.incoming_bodies_mib.get() as usize) << 20,
            head_bytes: (self.incoming_head_kib.get() as usize) << 10,
            headers: self.incoming_headers.get() as usize,
            head: seconds(self.incoming_head_seconds.get()),
            idle: seconds(self.incoming_idle_seconds.get()),
            body: seconds(self.incoming_body_seconds.get()),
            notification: seconds(self.incoming_notification_seconds.get()),
            upload: seconds(self.incoming_upload_seconds.get()),
            answer: seconds(self.incoming_answer_seconds.get()),
            handshake: seconds(self.incoming_handshake_seconds.get()),
            end: END,
        }
    }
}
