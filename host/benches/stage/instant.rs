//! An Alipay that takes every order at once, signs its answers, and remembers nothing.

use std::io::Write as _;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use walnut_sandbox::alipay::signing::SigningKey;

use super::process::READY;

/// Serves with this key, in base64, until SIGTERM.
#[tokio::main]
pub(crate) async fn serve(key: &str) -> anyhow::Result<()> {
    let key: &'static SigningKey = Box::leak(Box::new(SigningKey::from_pkcs8_base64(key)?));
    let router = Router::new()
        .route("/gateway.do", post(answer))
        .with_state(key);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{READY}{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    Ok(())
}

async fn answer(
    State(key): State<&'static SigningKey>,
    RawQuery(query): RawQuery,
    form: Bytes,
) -> String {
    let query = query.unwrap_or_default();
    ordered(key, query.as_bytes(), &form).unwrap_or_else(|error| error.to_string())
}

/// Parameters stand in the query or in the form.
fn ordered(key: &SigningKey, query: &[u8], form: &[u8]) -> anyhow::Result<String> {
    let field = |wanted: &str| {
        form_urlencoded::parse(query)
            .chain(form_urlencoded::parse(form))
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
            .with_context(|| format!("no {wanted}"))
    };
    anyhow::ensure!(field("method")? == "alipay.trade.precreate", "not taken");
    let order: Value = serde_json::from_str(&field("biz_content")?)?;
    let said = json!({
        "code": "10000",
        "msg": "Success",
        "out_trade_no": order.get("out_trade_no"),
        "qr_code": "https://qr.alipay.com/bavh4wjlxf12tper3a",
    })
    .to_string();
    let sign = key.sign(said.as_bytes());
    Ok(format!(
        r#"{{"alipay_trade_precreate_response":{said},"sign":"{sign}"}}"#
    ))
}
