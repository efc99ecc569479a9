//! How a response goes over the line, rightly or as it was told to misbehave.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio_util::io::ReaderStream;

use super::line::Line;
use super::misbehaviour::AnswerFault;
use super::platform::Platform;

/// How much of a body waits for a reader that is slow.
const BUFFER: usize = 16 * 1024;

/// How much of a slow answer comes at a time, in bytes.
const DROP: usize = 16;

/// What happens before the right response could go out; some where it never does.
pub(super) async fn instead(
    platform: &Platform,
    line: &Line,
    fault: Option<&AnswerFault>,
) -> Option<Response> {
    match fault? {
        AnswerFault::Late { ms } => {
            platform.pause(Duration::from_millis(*ms)).await;
            None
        }
        AnswerFault::Silent { .. } => {
            platform.stopped().await;
            line.cut();
            None
        }
        AnswerFault::HangUp { .. } => {
            line.cut();
            None
        }
        AnswerFault::HttpStatus { status, .. } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            let page = format!("<html><body><h1>{status}</h1></body></html>");
            Some((status, Html(page)).into_response())
        }
        AnswerFault::Redirect { status, to } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::FOUND);
            Some((status, [(header::LOCATION, to.as_str())]).into_response())
        }
        _ => None,
    }
}

/// Sends a body.
pub(super) fn send(
    platform: &Arc<Platform>,
    fault: Option<&AnswerFault>,
    content_type: &'static str,
    mut body: Vec<u8>,
) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(trace) = HeaderValue::from_str(&platform.numbers.trace_id()) {
        headers.insert(HeaderName::from_static("trace_id"), trace);
    }
    match fault {
        Some(AnswerFault::Truncated) => body.truncate(body.len() / 2),
        Some(AnswerFault::Slow { ms }) => {
            let wait = Duration::from_millis(*ms);
            return (headers, streamed(platform, Drip { body, wait })).into_response();
        }
        Some(AnswerFault::Endless) => {
            return (headers, streamed(platform, Flood { body })).into_response();
        }
        Some(AnswerFault::BrokenOff) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            body.truncate(body.len() / 2);
            // The server ends a connection whose promise it cannot keep.
            return (headers, streamed(platform, Break { body })).into_response();
        }
        _ => {}
    }
    (headers, body).into_response()
}

/// Something that writes a body piece by piece; an error means that the reader has gone.
trait Flow: Send + 'static {
    fn write(
        self,
        platform: &Platform,
        to: &mut DuplexStream,
    ) -> impl Future<Output = std::io::Result<()>> + Send;
}

/// A body that something writes in the background, until it is done, the reader has gone or the
/// platform stops.
fn streamed(platform: &Arc<Platform>, flow: impl Flow) -> Body {
    let (mut writer, reader) = tokio::io::duplex(BUFFER);
    let platform = Arc::clone(platform);
    tokio::spawn(async move {
        // Held to the end, so that stopping waits for this task.
        let _running = platform.stop.subscribe();
        tokio::select! {
            written = flow.write(&platform, &mut writer) => {
                if let Err(error) = written {
                    tracing::debug!(%error, "the reader of a strange answer has gone");
                }
            }
            () = platform.stopped() => {}
        }
    });
    Body::from_stream(ReaderStream::new(reader))
}

struct Drip {
    body: Vec<u8>,
    wait: Duration,
}

impl Flow for Drip {
    async fn write(self, platform: &Platform, to: &mut DuplexStream) -> std::io::Result<()> {
        for piece in self.body.chunks(DROP) {
            platform.pause(self.wait).await;
            to.write_all(piece).await?;
        }
        Ok(())
    }
}

struct Flood {
    body: Vec<u8>,
}

impl Flow for Flood {
    async fn write(self, _: &Platform, to: &mut DuplexStream) -> std::io::Result<()> {
        to.write_all(&self.body).await?;
        // Blanks after the object are still JSON, so only a limit on its size ends the reading.
        loop {
            to.write_all(&[b' '; BUFFER]).await?;
        }
    }
}

struct Break {
    body: Vec<u8>,
}

impl Flow for Break {
    async fn write(self, _: &Platform, to: &mut DuplexStream) -> std::io::Result<()> {
        to.write_all(&self.body).await
    }
}
