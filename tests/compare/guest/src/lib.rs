//! What `plugins/examples/record-sale` does, with the means that Extism gives a plug-in: its variables instead of the
//! domain's data, its log, and an event that goes out with the answer.

use extism_pdk::{FnResult, Json, info, plugin_fn, var};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a delivery is given.
#[derive(Deserialize)]
pub struct Input {
    payment: Value,
    late: bool,
}

/// Records the sale.
#[plugin_fn]
pub fn record_sale(Json(input): Json<Input>) -> FnResult<Json<Value>> {
    let payment = &input.payment;
    let text = |name: &str| payment[name].as_str().unwrap_or_default();
    let sale_key = format!("sale/{}", text("id"));
    if let Some(sale) = var::get::<Vec<u8>>(&sale_key)? {
        let sale: Value = serde_json::from_slice(&sale)?;
        return Ok(Json(json!({"recorded": false, "sale": sale})));
    }
    let currency = match text("cur") {
        "RMB" => "CNY",
        other => other,
    };
    let fee = payment["fee"].as_u64().unwrap_or_default();
    let amount = format!("{}.{:02}", fee / 100, fee % 100);
    let sold = increment(&format!("sales/{currency}/minor"), fee)?;
    let number = increment(&format!("sales/{currency}/count"), 1)?;
    let sale = json!({
        "number": number,
        "brief": text("brief"),
        "amount": amount,
        "currency": currency,
        "buyer": text("buyer_nm"),
        "paid_by": text("pay_tp"),
        "paid_ms": payment["close_at"],
        "late": input.late,
    });
    var::set(&sale_key, serde_json::to_vec(&sale)?)?;
    info!("sale {number}: {amount} {currency}");
    Ok(Json(json!({
        "recorded": true, "number": number, "sold_minor": sold,
        "events": [{"name": "sale", "data": sale}],
    })))
}

fn increment(key: &str, by: u64) -> FnResult<u64> {
    let before = var::get::<String>(key)?;
    let sum = before.map_or(Ok(0), |before| before.parse::<u64>())? + by;
    var::set(key, sum.to_string())?;
    Ok(sum)
}
