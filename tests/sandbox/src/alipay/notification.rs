//! Notifications: the sending and the schedule of repeats.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::letter::Letter;
use super::misbehaviour::{Notice, NotificationFault};
use super::platform::Platform;
use super::view::NotificationView;

/// The waits before the repeats, in minutes: 4m, 10m, 10m, 1h, 2h, 6h, 15h.
const REPEATS_MINUTES: [u64; 7] = [4, 10, 10, 60, 120, 360, 900];

/// What counts as taken, to the letter.
const TAKEN: &str = "success";

/// Alipay's own, which is not a valid media type; receivers that parse it strictly see no form.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; text/html; charset=utf-8";

/// How much of a reply is read and remembered, in bytes.
const REPLY_LIMIT: usize = 1024;

/// Sends a letter until it is taken or the schedule ends; the first send shows the fault that was
/// next when the letter was written.
pub(super) async fn deliver(
    platform: Arc<Platform>,
    letter: Letter,
    first: Option<NotificationFault>,
) {
    // Held to the end, so that stopping waits for this task.
    let _running = platform.stop.subscribe();
    let (mut try_no, mut fault) = (1, first);
    let mut waits = REPEATS_MINUTES.iter();
    loop {
        if send_with(&platform, &letter, fault, try_no).await {
            return;
        }
        let Some(minutes) = waits.next() else { return };
        if !platform
            .pause(Duration::from_secs(minutes * 60) / platform.time_scale)
            .await
        {
            return;
        }
        try_no += 1;
        fault = platform
            .book()
            .take_notification_fault(&letter.out_trade_no);
    }
}

/// One send with the fault that it shows; whether Alipay's own words were taken. What somebody
/// else sent in their place does not count, whatever the reply: Alipay repeats.
async fn send_with(
    platform: &Platform,
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
        Some(NotificationFault::AfterTheNext) => {
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
            send(platform, letter, &notice, try_no).await.taken && notice.is_from_alipay()
        }
    }
}

/// Waits until a later notification of the same order went out; false when the platform stops
/// before.
async fn overtaken(platform: &Platform, letter: &Letter) -> bool {
    let mut changes = platform.changes.subscribe();
    loop {
        changes.mark_unchanged();
        let id = letter.notify_id();
        if platform.book().was_overtaken(&letter.out_trade_no, id) {
            return true;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() {
                return false;
            },
            () = platform.stopped() => return false,
        }
    }
}

/// Sends the letter once, changed as the notice says, and remembers it.
pub(super) async fn send(
    platform: &Platform,
    letter: &Letter,
    notice: &Notice,
    try_no: u32,
) -> NotificationView {
    let body = letter.form(platform, notice).await;
    let url = notice
        .url
        .clone()
        .or_else(|| letter.url.clone())
        .unwrap_or_default();
    let said = |name: &str| {
        let found = form_urlencoded::parse(body.as_bytes()).find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let mut view = NotificationView {
        at_ms: clock::ms(clock::now()),
        out_trade_no: letter.out_trade_no.clone(),
        notify_id: said("notify_id"),
        trade_status: said("trade_status"),
        try_no,
        url,
        genuine: notice.is_genuine(),
        http_status: None,
        reply: None,
        error: None,
        taken: false,
        body,
    };
    tokio::select! {
        outcome = post(platform, &view.url, &view.body) => match outcome {
            Ok((status, reply)) => {
                view.taken = status == 200 && reply == TAKEN;
                view.http_status = Some(status);
                view.reply = Some(reply);
            }
            Err(error) => view.error = Some(error.to_string()),
        },
        () = platform.stopped() => view.error = Some("the platform stopped".to_owned()),
    }
    platform.book().record_notification(view.clone());
    platform.changed();
    view
}

async fn post(platform: &Platform, url: &str, body: &str) -> Result<(u16, String), reqwest::Error> {
    let request = platform
        .client
        .post(url)
        .header("content-type", CONTENT_TYPE)
        .body(body.to_owned());
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let mut reply = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        reply.extend_from_slice(&chunk);
        if reply.len() > REPLY_LIMIT {
            reply.truncate(REPLY_LIMIT);
            break;
        }
    }
    Ok((status, String::from_utf8_lossy(&reply).into_owned()))
}
