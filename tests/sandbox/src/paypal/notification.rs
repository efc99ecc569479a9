//! Webhooks: the event, its signature, the sending and the schedule of repeats.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::account::App;
use super::book::Book;
use super::certificate::SigningCertificate;
use super::clock;
use super::event::{self, EventType};
use super::misbehaviour::{NotificationFault, put_all};
use super::notice::{Notice, NoticeBytes, NoticeCertificate, NoticeSignature};
use super::order::{Order, Refund};
use super::platform::Platform;
use super::signing;
use super::view::NotificationView;

/// How many repeats follow a send that was not taken.
const REPEATS: u32 = 25;

/// The wait before each repeat. PayPal says "up to 25 times over 3 days" and not how they are
/// spread: that they come evenly is an assumption, and so is that each has a transmission of its
/// own.
const BETWEEN: Duration = Duration::from_secs(3 * 24 * 60 * 60 / 25);

/// One event on its way: what it says stays the same in all its repeats.
#[derive(Clone)]
pub(super) struct Letter {
    app: Arc<App>,
    order_id: String,
    /// All that the order is called, to match misbehaviours by.
    names: Vec<String>,
    event_id: String,
    event: EventType,
    url: Option<String>,
    body: Value,
}

impl Letter {
    /// The notification of an event about an order, whatever state it is in, as somebody who
    /// forges one would have it.
    pub(super) fn of(
        platform: &Platform,
        order: &Order,
        event: EventType,
        refund: Option<&Refund>,
    ) -> Letter {
        let (event_id, body) =
            event::event(&platform.writer(), &platform.numbers, order, event, refund);
        Letter {
            app: Arc::clone(&order.app),
            order_id: order.id.clone(),
            names: order.names().map(str::to_owned).collect(),
            event_id,
            event,
            url: None,
            body,
        }
    }

    /// The same, addressed to the merchant's webhook; none without one.
    pub(super) fn addressed(mut self, book: &Book) -> Option<Letter> {
        self.url = Some(book.webhooks.get(&self.app.client_id)?.clone());
        Some(self)
    }
}

/// Sends a letter until it is taken or the schedule ends.
pub(super) async fn deliver(platform: Arc<Platform>, letter: Letter) {
    // Held to the end, so that stopping waits for this task.
    let _running = platform.stop.subscribe();
    for try_no in 1..=REPEATS + 1 {
        let fault = platform
            .book()
            .take_notification_fault(letter.event.as_str(), &letter.names);
        if send_with(&platform, &letter, fault, try_no).await || try_no > REPEATS {
            return;
        }
        if !platform.pause(BETWEEN / platform.time_scale).await {
            return;
        }
    }
}

/// One send with the fault that it shows; whether PayPal's own words were taken. What somebody
/// else sent in their place does not count, whatever the reply: PayPal repeats.
async fn send_with(
    platform: &Arc<Platform>,
    letter: &Letter,
    fault: Option<NotificationFault>,
    try_no: u32,
) -> bool {
    let genuine = Notice::genuine();
    match fault {
        None => send(platform, letter, &genuine, try_no).await.taken,
        Some(NotificationFault::Late { ms }) => {
            platform.pause(Duration::from_millis(ms)).await
                && send(platform, letter, &genuine, try_no).await.taken
        }
        Some(NotificationFault::Overtaken) => {
            overtaken(platform, letter).await
                && send(platform, letter, &genuine, try_no).await.taken
        }
        Some(NotificationFault::Lost) => false,
        Some(NotificationFault::Twice) => {
            let first = send(platform, letter, &genuine, try_no);
            let second = send(platform, letter, &genuine, try_no);
            let (first, second) = tokio::join!(first, second);
            first.taken || second.taken
        }
        Some(NotificationFault::Instead(notice)) => {
            send(platform, letter, &notice, try_no).await.taken && notice.is_from_paypal()
        }
    }
}

/// Waits until another event about the same order went out; false when the platform stops before.
async fn overtaken(platform: &Platform, letter: &Letter) -> bool {
    let mut changes = platform.changes.subscribe();
    let sent = |platform: &Platform| {
        let others = platform.book().notifications();
        let mut others = others
            .iter()
            .filter(|view| view.order_id == letter.order_id);
        others.any(|view| view.event_id != letter.event_id)
    };
    loop {
        changes.mark_unchanged();
        if sent(platform) {
            return true;
        }
        tokio::select! {
            // The sender lives in the platform, so this ends with a change only.
            _ = changes.changed() => {}
            () = platform.stopped() => return false,
        }
    }
}

/// Sends the letter once, changed as the notice says, and remembers it.
pub(super) async fn send(
    platform: &Arc<Platform>,
    letter: &Letter,
    notice: &Notice,
    try_no: u32,
) -> NotificationView {
    let (headers, body) = write(platform, letter, notice).await;
    let url = notice.url.clone().or_else(|| letter.url.clone());
    let mut view = NotificationView {
        at_ms: clock::ms(clock::now()),
        order_id: letter.order_id.clone(),
        event_id: letter.event_id.clone(),
        event_type: letter.event.as_str().to_owned(),
        try_no,
        url: url.unwrap_or_default(),
        headers,
        genuine: notice.is_genuine(),
        http_status: None,
        error: None,
        taken: false,
        body,
    };
    tokio::select! {
        outcome = post(platform, &view) => match outcome {
            Ok(status) => {
                view.taken = (200..=299).contains(&status);
                view.http_status = Some(status);
            }
            Err(error) => view.error = Some(error.to_string()),
        },
        () = platform.stopped() => view.error = Some("the platform stopped".to_owned()),
    }
    platform.book().record_notification(view.clone());
    platform.changed();
    view
}

async fn post(platform: &Platform, view: &NotificationView) -> Result<u16, reqwest::Error> {
    let mut request = platform
        .client
        .post(&view.url)
        .header("content-type", "application/json")
        .body(view.body.clone());
    for (name, value) in &view.headers {
        request = request.header(name, value);
    }
    Ok(request.send().await?.status().as_u16())
}

/// The headers and the body that go out.
async fn write(
    platform: &Arc<Platform>,
    letter: &Letter,
    notice: &Notice,
) -> (BTreeMap<String, String>, String) {
    if notice.bytes == NoticeBytes::FirstAgain {
        let book = platform.book();
        if let Some(first) = book.first_notification(&letter.order_id) {
            return (first.headers.clone(), first.body.clone());
        }
    }
    let mut body = letter.body.clone();
    put_all(&mut body, &notice.stated);
    let signed = text(&body, &letter.event_id);
    let headers = sign(platform, &letter.app, notice, &signed).await;
    if notice.tampered.is_empty() && notice.bytes != NoticeBytes::Truncated {
        return (headers, signed);
    }
    put_all(&mut body, &notice.tampered);
    let mut sent = text(&body, &letter.event_id);
    if notice.bytes == NoticeBytes::Truncated {
        let mut half = sent.len() / 2;
        while !sent.is_char_boundary(half) {
            half -= 1;
        }
        sent.truncate(half);
    }
    (headers, sent)
}

/// The body's text. PayPal does not promise how it writes JSON, so every other event has its
/// slashes escaped: whoever reads and writes an event again before checking it fails there.
fn text(body: &Value, event_id: &str) -> String {
    let text = body.to_string();
    if event_id.bytes().map(u32::from).sum::<u32>() % 2 == 0 {
        return text;
    }
    text.replace('/', "\\/")
}

async fn sign(
    platform: &Arc<Platform>,
    app: &App,
    notice: &Notice,
    body: &str,
) -> BTreeMap<String, String> {
    let id = platform.numbers.transmission_id();
    let age = time::Duration::seconds(i64::from(notice.age_seconds));
    let at = clock::text(clock::now() - age);
    let webhook_id = match notice.signature {
        NoticeSignature::OtherWebhook => platform.numbers.resource_id(),
        _ => app.webhook_id.clone(),
    };
    let mut text = signing::signed_text(&id, &at, &webhook_id, body.as_bytes());
    if notice.signature == NoticeSignature::Wrong {
        text.push('0');
    }
    let own = Arc::clone(&platform.book().signer);
    let (signer, named) = keys(platform, notice, own).await;
    let mut headers = BTreeMap::new();
    let mut put = |name: &str, value: String| headers.insert(name.to_owned(), value);
    put("paypal-transmission-id", id);
    put("paypal-transmission-time", at);
    put("paypal-auth-version", "v2".to_owned());
    let algorithm = notice.algorithm.as_deref().unwrap_or(signing::ALGORITHM);
    put("paypal-auth-algo", algorithm.to_owned());
    if let Some(url) = named {
        put("paypal-cert-url", url);
    }
    if notice.signature != NoticeSignature::Missing {
        let signature = signer.map(|signer| signer.sign(&text));
        put("paypal-transmission-sig", signature.unwrap_or_default());
    }
    headers
}

/// Who signs, if the key can be made, and which certificate is named.
async fn keys(
    platform: &Arc<Platform>,
    notice: &Notice,
    own: Arc<SigningCertificate>,
) -> (Option<Arc<SigningCertificate>>, Option<String>) {
    let stranger = match (notice.signature, notice.certificate) {
        (NoticeSignature::Stranger, _) | (_, NoticeCertificate::Elsewhere) => {
            platform.stranger().await.ok()
        }
        _ => None,
    };
    let expired = match notice.certificate {
        NoticeCertificate::Expired => platform.expired().await.ok(),
        _ => None,
    };
    let named = match notice.certificate {
        NoticeCertificate::PayPal => Some(platform.certificate_url(&own.id)),
        NoticeCertificate::Elsewhere => {
            let known = stranger.as_ref();
            known.map(|known| platform.elsewhere_certificate_url(&known.id))
        }
        NoticeCertificate::Expired => {
            let known = expired.as_ref();
            known.map(|known| platform.certificate_url(&known.id))
        }
        NoticeCertificate::Unknown => {
            Some(platform.certificate_url(&platform.numbers.certificate_id()))
        }
        NoticeCertificate::Missing => None,
    };
    let signer = match notice.signature {
        NoticeSignature::Stranger => stranger,
        _ => expired.or(Some(own)),
    };
    (signer, named)
}
