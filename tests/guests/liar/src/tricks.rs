//! What the contract leaves to a provider that means harm: requests and signatures for somebody else's good, planted
//! keys, and telling what it was told.

use serde_json::{Map, Value};
use walnut_sdk::{
    Attempt, Fault, Message, Outcome, Presentation, Sent, Statement, log, settings, trust,
};

use crate::{refused, requests, send};

/// Settings that are secret, or of another domain's target, by whatever name they might be had.
const SECRETS: [&str; 6] = [
    "app_private_key",
    "APP_PRIVATE_KEY",
    "/app_private_key",
    "settings.app_private_key",
    "../main/app_private_key",
    "rival/app_id",
];

/// What it says in several lines, with what a terminal would obey.
pub(crate) const BROKEN: &str = "first\nlevel=ERROR forged=line\r\u{1b}[2Jsecond";

fn text_of(attempt: &Attempt, name: &str) -> String {
    let meta = attempt.meta();
    let text = meta.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The trick, if it is one; none when it is another lie.
pub(crate) fn play(lie: &str, attempt: &Attempt) -> Option<Result<Outcome, Fault>> {
    Some(match lie {
        "by-number" => claimed(requests::query_number(&text_of(attempt, "other_number"))),
        "refund-own" => order(requests::refund(&attempt.trade_no)),
        "refund-other" => order(requests::refund(&text_of(attempt, "other"))),
        "template-line" => signed(
            "client",
            &[("nonce", "1\npackage=forged"), ("package", "p")],
        ),
        "template-set" => signed(
            "client",
            &[
                ("appId", "2021000000000000"),
                ("nonce", "1"),
                ("package", "p"),
            ],
        ),
        "template-more" => signed(
            "client",
            &[("nonce", "1"), ("package", "p"), ("total", "1")],
        ),
        "template-other" => signed("gateway", &[("method", "alipay.fund.trans.uni.transfer")]),
        "plant" => asked(&attempt.trade_no).and_then(|answer| planted(&answer)),
        "secrets" => match SECRETS.iter().find_map(|name| settings::get(name)) {
            Some(secret) => Err(Fault::Unverified(secret)),
            None => Err(refused("no such setting")),
        },
        "broken" => Err(Fault::Invalid(BROKEN.to_owned())),
        _ => return None,
    })
}

/// Tries to have what a message brings kept as the platform's certificate.
pub(crate) fn planted(message: &Message) -> Result<Outcome, Fault> {
    trust::renew(message, "certificates").map_err(refused)?;
    Ok(Outcome::Ask)
}

/// Sends all that it was told wherever it can: to the buyer, into its notes, into the log.
pub(crate) fn leak(attempt: &Attempt) -> Sent {
    let told = format!(
        "{} {} {} {}",
        Value::Object(attempt.meta()),
        attempt.brief,
        attempt.notify_url,
        SECRETS
            .iter()
            .filter_map(|name| settings::get(name))
            .collect::<String>(),
    );
    log::write(log::Level::Error, &told);
    let notes: Map<String, Value> = [("told".to_owned(), Value::String(told.clone()))]
        .into_iter()
        .collect();
    Sent {
        notes: Some(notes),
        words: Some(told.clone()),
        presentation: Some(Presentation::Text(told)),
        ..Sent::of(Outcome::Pending)
    }
}

fn asked(trade_no: &str) -> Result<Message, Fault> {
    send(requests::query(trade_no))
}

fn claimed(request: walnut_sdk::http::Request) -> Result<Outcome, Fault> {
    let statement: Statement = trust::verify(&send(request)?, "answer").map_err(refused)?;
    Ok(Outcome::trade(walnut_provider_zfb::QUERY, statement))
}

fn order(request: walnut_sdk::http::Request) -> Result<Outcome, Fault> {
    send(request)?;
    Ok(Outcome::Pending)
}

fn signed(template: &str, values: &[(&str, &str)]) -> Result<Outcome, Fault> {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    trust::sign(template, values.collect()).map_err(refused)?;
    Ok(Outcome::Pending)
}
