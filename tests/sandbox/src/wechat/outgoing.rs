//! An answer on its way out, and what can go wrong with it that its dialect does not matter for.

use std::io::Cursor;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::line::Line;
use super::misbehaviour::AnswerFault;
use super::platform::Platform;

/// An answer as it would go out.
#[derive(Default)]
pub(super) struct Outgoing {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// Sends an answer, or does with it what the fault says.
pub(super) async fn send_off(
    platform: &Platform,
    line: &Line,
    mut outgoing: Outgoing,
    fault: Option<&AnswerFault>,
) -> Response {
    match fault {
        Some(AnswerFault::Late { ms }) => {
            platform.pause(Duration::from_millis(*ms)).await;
        }
        Some(AnswerFault::Silent { .. }) => {
            platform.stopped().await;
            line.cut();
        }
        Some(AnswerFault::HangUp { .. }) => line.cut(),
        Some(AnswerFault::Reset { .. }) => line.reset(),
        Some(AnswerFault::HttpStatus { status, .. }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            let page = format!("<html><body><h1>{status}</h1></body></html>");
            return (status, Html(page)).into_response();
        }
        Some(AnswerFault::Redirect { to, .. }) => {
            return (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response();
        }
        Some(AnswerFault::ContentType { value }) => {
            let types = outgoing.headers.iter_mut();
            for (_, known) in types.filter(|(name, _)| *name == "content-type") {
                known.clone_from(value);
            }
        }
        Some(AnswerFault::Truncated) => outgoing.body.truncate(outgoing.body.len() / 2),
        Some(AnswerFault::Endless) => {
            let endless =
                Cursor::new(std::mem::take(&mut outgoing.body)).chain(tokio::io::repeat(b' '));
            return response(outgoing, Body::from_stream(ReaderStream::new(endless)));
        }
        _ => {}
    }
    let body = std::mem::take(&mut outgoing.body);
    response(outgoing, Body::from(body))
}

fn response(outgoing: Outgoing, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(outgoing.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in outgoing.headers {
        let value = HeaderValue::try_from(value);
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The page of the server in front, as nginx writes it.
pub(super) fn nginx(status: u16, title: &str) -> Outgoing {
    let page = format!(
        "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} \
         Bad Request</h1></center>\r\n<center>{title}</center>\r\n<hr><center>nginx</center>\r\n\
         </body>\r\n</html>\r\n"
    );
    Outgoing {
        status,
        headers: vec![("content-type", "text/html".to_owned())],
        body: page.into_bytes(),
    }
}
