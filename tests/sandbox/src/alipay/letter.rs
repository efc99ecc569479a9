//! What a notification says: its fields, its signature, the form that goes out.

use std::sync::Arc;

use super::account::App;
use super::clock;
use super::misbehaviour::{Notice, NoticeBytes, NoticeSignature};
use super::order::Order;
use super::platform::Platform;
use super::signing;
use super::trade::{Trade, TradeStatus};

/// The buyer's sign-in name as messages show it.
pub(super) const BUYER_LOGON_ID: &str = "138****0000";

/// One notification: what it says stays the same in all its repeats.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) app: Arc<App>,
    pub(super) out_trade_no: String,
    pub(super) url: Option<String>,
    fields: Vec<(&'static str, String)>,
}

impl Letter {
    /// The notification of an order's present state. None where Alipay sends none: before the
    /// trade began, while it waits for the buyer, and without a `notify_url`.
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
        fields.extend(refund_fields(trade));
        Letter {
            app: Arc::clone(app),
            out_trade_no: content.out_trade_no.clone(),
            url: order.notify_url.clone(),
            fields,
        }
    }

    /// `notify_id`.
    pub(super) fn notify_id(&self) -> &str {
        let found = self.fields.iter().find(|(name, _)| *name == "notify_id");
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The form that goes out, changed as the notice says.
    pub(super) async fn form(&self, platform: &Platform, notice: &Notice) -> String {
        if notice.bytes == NoticeBytes::FirstAgain {
            let first = platform
                .book()
                .first_notification(&self.out_trade_no)
                .map(|view| view.body.clone());
            if let Some(body) = first {
                return body;
            }
        }
        let mut fields: Vec<(&str, String)> = self.fields.clone();
        put(&mut fields, "notify_time", &clock::text(clock::now()));
        for (name, value) in &notice.stated {
            put(&mut fields, name, value);
        }
        let sign = sign(platform, &self.app, &fields, notice.signature).await;
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
}

/// What has gone back so far, and the refund that did so last.
fn refund_fields(trade: Option<&Trade>) -> Vec<(&'static str, String)> {
    let Some((trade, last)) = trade.and_then(|trade| trade.last_refund().map(|last| (trade, last)))
    else {
        // Empty on purpose where there is nothing to say: the signature leaves it out.
        return vec![("out_biz_no", String::new())];
    };
    vec![
        ("out_biz_no", last.request_no.clone()),
        ("refund_fee", trade.refunded().to_string()),
        ("gmt_refund", clock::exact_text(last.at)),
    ]
}

/// What the buyer's browser brings to the merchant's `return_url` after a page: signed as a
/// notification is, and without a state, since it proves nothing.
pub(super) fn return_fields(order: &Order, trade: &Trade, method: &str) -> Vec<(String, String)> {
    let app = &order.app;
    let fields = [
        ("charset", "utf-8".to_owned()),
        ("out_trade_no", order.content.out_trade_no.clone()),
        ("method", format!("{method}.return")),
        ("total_amount", order.content.total.to_string()),
        ("trade_no", trade.trade_no.clone()),
        ("auth_app_id", app.app_id.clone()),
        ("version", "1.0".to_owned()),
        ("app_id", app.app_id.clone()),
        ("sign_type", "RSA2".to_owned()),
        ("seller_id", app.seller_id.clone()),
        ("timestamp", clock::text(clock::now())),
    ];
    let pairs = fields.iter().map(|(name, value)| (*name, value.as_str()));
    let text = signing::notification_text(pairs);
    let sign = ("sign", app.signer().key.sign(text.as_bytes()));
    let all = fields.into_iter().chain([sign]);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn sign(
    platform: &Platform,
    app: &App,
    fields: &[(&str, String)],
    how: NoticeSignature,
) -> String {
    let pairs = || fields.iter().map(|(name, value)| (*name, value.as_str()));
    let text = signing::notification_text(pairs());
    let signer = app.signer();
    match how {
        NoticeSignature::Alipay => signer.key.sign(text.as_bytes()),
        NoticeSignature::Stranger => match platform.stranger().await {
            Ok(stranger) => stranger.sign(text.as_bytes()),
            Err(_) => String::new(),
        },
        NoticeSignature::OverSignType => signer.key.sign(signing::request_text(pairs()).as_bytes()),
        NoticeSignature::Wrong => signer.key.sign(format!("{text}&").as_bytes()),
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
