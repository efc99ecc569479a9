//! Notifications: the form, its signature, the sending and the schedule of repeats.

use std::sync::Arc;
use std::time::Duration;

use super::account::App;
use super::clock;
use super::misbehaviour::{Notice, NoticeBytes, NoticeSignature, NotificationFault};
use super::order::{Order, TradeStatus};
use super::platform::Platform;
use super::signing;
use super::view::NotificationView;

/// The waits before the repeats, in minutes: 4m, 10m, 10m, 1h, 2h, 6h, 15h.
const REPEATS_MINUTES: [u64; 7] = [4, 10, 10, 60, 120, 360, 900];

/// What counts as taken, to the letter.
const TAKEN: &str = "success";

/// Alipay's own, which is not a valid media type; receivers that parse it strictly see no form.
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; text/html; charset=utf-8";

/// How much of a reply is read and remembered, in bytes.
const REPLY_LIMIT: usize = 1024;

/// One notification: what it says stays the same in all its repeats.
#[derive(Clone)]
pub(super) struct Letter {
    app: Arc<App>,
    out_trade_no: String,
    url: Option<String>,
    fields: Vec<(&'static str, String)>,
}

impl Letter {
    /// The notification of an order's present state. None where Alipay sends none: before a scan,
    /// while it waits for the buyer, and without a `notify_url`.
    pub(super) fn of(platform: &Platform, order: &Order) -> Option<Letter> {
        let waits = order.trade.as_ref()?.status == TradeStatus::WaitBuyerPay;
        if waits || order.notify_url.is_none() {
            return None;
        }
        Some(Letter::any(platform, order))
    }

    /// The notification of an order in whatever state, as somebody who forges one would have it:
    /// without a trade it tells of one that was paid just now.
    pub(super) fn any(platform: &Platform, order: &Order) -> Letter {
        let now = clock::now();
        let (app, content, trade) = (&order.app, &order.content, order.trade.as_ref());
        let total = content.total.to_string();
        let paid = trade.map_or(Some(now), |trade| trade.paid);
        let status = trade.map_or(TradeStatus::TradeSuccess, |trade| trade.status);
        let mut fields = vec![
            (
                "gmt_create",
                clock::text(trade.map_or(now, |trade| trade.created)),
            ),
            ("charset", "utf-8".to_owned()),
            ("seller_email", app.seller_email.clone()),
            ("subject", content.subject.clone()),
            ("body", content.body.clone().unwrap_or_default()),
            ("buyer_id", platform.buyer_id.clone()),
            ("notify_id", platform.numbers.notify_id(now)),
            ("notify_type", "trade_status_sync".to_owned()),
            ("trade_status", status.as_str().to_owned()),
            ("sign_type", "RSA2".to_owned()),
            ("app_id", app.app_id.clone()),
            ("seller_id", app.seller_id.clone()),
            ("notify_time", String::new()),
            ("version", "1.0".to_owned()),
            ("out_trade_no", content.out_trade_no.clone()),
            ("total_amount", total.clone()),
            (
                "trade_no",
                trade.map_or_else(
                    || platform.numbers.trade_no(now),
                    |trade| trade.trade_no.clone(),
                ),
            ),
            ("auth_app_id", app.app_id.clone()),
            ("buyer_logon_id", BUYER_LOGON_ID.to_owned()),
            (
                "passback_params",
                content.passback_params.clone().unwrap_or_default(),
            ),
            // Empty on purpose where there is nothing to say: the signature leaves it out.
            ("out_biz_no", String::new()),
        ];
        if let Some(paid) = paid {
            fields.push(("gmt_payment", clock::text(paid)));
            let bill = format!(r#"[{{"amount":"{total}","fundChannel":"ALIPAYACCOUNT"}}]"#);
            fields.push(("fund_bill_list", bill));
            for name in ["receipt_amount", "invoice_amount", "buyer_pay_amount"] {
                fields.push((name, total.clone()));
            }
            fields.push(("point_amount", "0.00".to_owned()));
        }
        if let Some(closed) = trade.and_then(|trade| trade.closed) {
            fields.push(("gmt_close", clock::text(closed)));
        }
        if let Some((at, fee)) = trade.and_then(|trade| trade.refunded) {
            fields.push(("refund_fee", fee.to_string()));
            fields.push(("gmt_refund", clock::text(at)));
        }
        let (app, url) = (Arc::clone(app), order.notify_url.clone());
        Letter {
            app,
            out_trade_no: content.out_trade_no.clone(),
            url,
            fields,
        }
    }

    /// Whether it has somewhere to go.
    pub(super) fn has_address(&self) -> bool {
        self.url.is_some()
    }
}

/// The buyer's sign-in name as messages show it.
pub(super) const BUYER_LOGON_ID: &str = "138****0000";

/// Sends a letter until it is taken or the schedule ends.
pub(super) async fn deliver(platform: Arc<Platform>, letter: Letter) {
    // Held to the end, so that stopping waits for this task.
    let _running = platform.stop.subscribe();
    let mut try_no = 0;
    let mut waits = REPEATS_MINUTES.iter();
    loop {
        try_no += 1;
        let fault = platform
            .book()
            .take_notification_fault(&letter.out_trade_no);
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

/// Sends the letter once, changed as the notice says, and remembers it.
pub(super) async fn send(
    platform: &Platform,
    letter: &Letter,
    notice: &Notice,
    try_no: u32,
) -> NotificationView {
    let body = form(platform, letter, notice).await;
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

/// The form that goes out.
async fn form(platform: &Platform, letter: &Letter, notice: &Notice) -> String {
    if notice.bytes == NoticeBytes::FirstAgain {
        let first = platform
            .book()
            .first_notification(&letter.out_trade_no)
            .map(|view| view.body.clone());
        if let Some(body) = first {
            return body;
        }
    }
    let mut fields: Vec<(&str, String)> = letter.fields.clone();
    put(&mut fields, "notify_time", &clock::text(clock::now()));
    for (name, value) in &notice.stated {
        put(&mut fields, name, value);
    }
    let sign = sign(platform, &letter.app, &fields, notice.signature).await;
    // In the middle, where Alipay has it: nothing may rely on its place.
    fields.insert(fields.len().min(4), ("sign", sign));
    if notice.signature == NoticeSignature::Missing {
        fields.retain(|(name, _)| *name != "sign");
    }
    for (name, value) in &notice.tampered {
        put(&mut fields, name, value);
    }
    let mut body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&fields)
        .finish();
    if notice.bytes == NoticeBytes::Truncated {
        body.truncate(body.len() / 2);
    }
    body
}

async fn sign(
    platform: &Platform,
    app: &App,
    fields: &[(&str, String)],
    how: NoticeSignature,
) -> String {
    let pairs = || fields.iter().map(|(name, value)| (*name, value.as_str()));
    let text = signing::notification_text(pairs());
    match how {
        NoticeSignature::Alipay => app.alipay.sign(text.as_bytes()),
        NoticeSignature::Stranger => match platform.stranger().await {
            Ok(stranger) => stranger.sign(text.as_bytes()),
            Err(_) => String::new(),
        },
        NoticeSignature::OverSignType => app.alipay.sign(signing::request_text(pairs()).as_bytes()),
        NoticeSignature::Wrong => app.alipay.sign(format!("{text}&").as_bytes()),
        NoticeSignature::Missing => String::new(),
    }
}

/// Puts a value in its place; an empty one drops the field.
fn put<'a>(fields: &mut Vec<(&'a str, String)>, name: &'a str, value: &str) {
    match fields.iter_mut().find(|(known, _)| *known == name) {
        Some(_) if value.is_empty() => fields.retain(|(known, _)| *known != name),
        Some((_, known)) => *known = value.to_owned(),
        None if value.is_empty() => {}
        None => fields.push((name, value.to_owned())),
    }
}
