//! A domain with one target, set up through a running host as an operator and an owner do.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::merchant::Merchant;
use super::order::{DOMAIN, TARGET};

/// Makes the domain, its test target at the merchant's platform, and a key, which it gives.
pub(crate) async fn open<M: Merchant>(
    host: SocketAddr,
    root: &Path,
    merchant: &M,
) -> anyhow::Result<String> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = |path: &str| format!("http://{host}{path}");
    let root_key = std::fs::read_to_string(root.join("root.key"))?;
    let root_key = root_key.trim();
    let domain = http.post(url("/pay/domain")).bearer_auth(root_key);
    said(domain.json(&json!({ "name": DOMAIN }))).await?;
    let key = url(&format!("/pay/domain/{DOMAIN}/key"));
    let key = http.post(key).bearer_auth(root_key);
    let key = said(key.json(&json!({ "test": true }))).await?;
    let key = key.get("key").and_then(Value::as_str).context("no key")?;
    let target = url(&format!("/pay/target/{}/{TARGET}", M::PLATFORM));
    let target = http.put(target).bearer_auth(key);
    let settings = json!({ "test": true, "settings": merchant.settings()? });
    said(target.json(&settings)).await?;
    Ok(key.to_owned())
}

/// The data of the host's answer.
pub(crate) async fn said(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let mut answer: Value = request.send().await?.json().await?;
    let data = answer.get_mut("data").map(Value::take);
    data.with_context(|| format!("the host refused: {answer}"))
}
