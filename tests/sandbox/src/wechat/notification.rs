//! Sending notifications: the schedule of repeats, and what counts as taken.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::letter::{Letter, Written};
use super::misbehaviour::NotificationFault;
use super::notice::Notice;
use super::platform::Platform;
use super::view::NotificationView;

/// The waits before the repeats, in seconds: 15s, 15s, 30s, 3m, 10m, 20m, 30m, 30m, 30m, 60m,
/// 3h, 3h, 3h, 6h, 6h; 24h4m in all.
const REPEATS_S: [u64; 15] = [
    15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600,
];

/// How much of a reply is read and remembered, in bytes.
const REPLY_LIMIT: usize = 1024;

/// How much of a body is remembered, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Sends a letter until it is taken or the schedule ends.
pub(super) async fn deliver(platform: Arc<Platform>, letter: Letter) {
    // Held to the end, so that stopping waits for this task.
    let _running = platform.stop.subscribe();
    let mut try_no = 0;
    let mut waits = REPEATS_S.iter();
    loop {
        try_no += 1;
        let fault = platform
            .book()
            .take_notification_fault(&letter.out_trade_no);
        if send_with(&platform, &letter, fault, try_no).await {
            return;
        }
        let Some(seconds) = waits.next() else { return };
        if !platform
            .pause(Duration::from_secs(*seconds) / platform.time_scale)
            .await
        {
            return;
        }
    }
}

/// One send with the fault that it shows; whether the platform's own words were taken. What
/// somebody else sent in their place does not count, whatever the reply: the platform repeats.
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
        Some(NotificationFault::Overtaken) => {
            overtaken(platform, &letter.out_trade_no).await
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
            send(platform, letter, &notice, try_no).await.taken && notice.is_from_platform()
        }
    }
}

/// Waits until another notification of the trade has gone out; false when the platform stops
/// before.
async fn overtaken(platform: &Platform, out_trade_no: &str) -> bool {
    let mut changes = platform.changes.subscribe();
    let sent = || platform.book().notifications_of(out_trade_no).count();
    let before = sent();
    loop {
        changes.mark_unchanged();
        if sent() > before {
            return true;
        }
        tokio::select! {
            _ = changes.changed() => {}
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
    let written = letter.written(platform, notice).await;
    let url = notice.url.clone().or_else(|| letter.url.clone());
    let kept = written.body.get(..BODY_LIMIT).unwrap_or(&written.body);
    let mut view = NotificationView {
        at_ms: clock::ms(clock::now()),
        out_trade_no: letter.out_trade_no.clone(),
        out_refund_no: letter.out_refund_no.clone(),
        id: letter.id.clone(),
        event_type: letter.event_type.clone(),
        try_no,
        url: url.unwrap_or_default(),
        headers: written.headers.clone(),
        body: String::from_utf8_lossy(kept).into_owned(),
        genuine: notice.is_genuine(),
        http_status: None,
        reply: None,
        error: None,
        taken: false,
    };
    tokio::select! {
        outcome = post(platform, &view.url, written) => match outcome {
            Ok((status, reply)) => {
                view.taken = letter.taken_by(status, &reply);
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

async fn post(
    platform: &Platform,
    url: &str,
    written: Written,
) -> Result<(u16, String), reqwest::Error> {
    let mut request = platform
        .client
        .post(url)
        .timeout(platform.rules.reply_within)
        .header("Accept", "*/*")
        .body(written.body);
    for (name, value) in &written.headers {
        request = request.header(name, value);
    }
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
