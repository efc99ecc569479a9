//! `payments`: read-only sight of the domain's own payments.

use serde_json::Value;

use crate::payment::model::PaymentId;
use crate::plugin::bindings::callback::walnut::pay::payments;
use crate::plugin::call::Call;
use crate::plugin::callback::{ForCallback, ViewError};
use crate::plugin::error::Stop;
use crate::plugin::limits;

impl payments::Host for Call<ForCallback> {
    async fn get(&mut self, id: String) -> wasmtime::Result<Option<String>> {
        self.count()?;
        // What is no id is no payment of the domain.
        let Some(id) = PaymentId::parse(&id) else {
            return Ok(None);
        };
        match self.world.view.payment(id).await {
            Ok(payment) => payment.as_ref().map(text).transpose(),
            Err(ViewError::Refused(_)) => Ok(None),
            Err(ViewError::Failed(why)) => Err(Stop::Down(why).into()),
        }
    }

    async fn query(
        &mut self,
        matching: String,
        limit: u32,
    ) -> wasmtime::Result<Result<Vec<String>, String>> {
        self.count()?;
        if !(1..=limits::QUERY_PAYMENTS).contains(&limit) {
            return Ok(Err(format!(
                "limit is from 1 to {}",
                limits::QUERY_PAYMENTS
            )));
        }
        if matching.len() > limits::JSON_BYTES {
            return Ok(Err(format!(
                "matching has at most {} bytes",
                limits::JSON_BYTES
            )));
        }
        let matching = match serde_json::from_str(&matching) {
            Ok(Value::Object(matching)) => matching,
            Ok(_) => return Ok(Err("matching is not a JSON object".to_owned())),
            Err(error) => return Ok(Err(format!("matching is not JSON: {error}"))),
        };
        match self.world.view.payments(&matching, limit).await {
            Ok(found) => together(&found),
            Err(ViewError::Refused(why)) => Ok(Err(why)),
            Err(ViewError::Failed(why)) => Err(Stop::Down(why).into()),
        }
    }
}

/// The payments as texts, if they are not too much together.
fn together(found: &[Value]) -> wasmtime::Result<Result<Vec<String>, String>> {
    let mut texts = Vec::with_capacity(found.len());
    let mut bytes = 0;
    for payment in found {
        let text = text(payment)?;
        bytes += text.len();
        if bytes > limits::QUERY_BYTES {
            return Ok(Err(format!(
                "the payments have more than {} bytes together: lower the limit",
                limits::QUERY_BYTES
            )));
        }
        texts.push(text);
    }
    Ok(Ok(texts))
}

fn text(payment: &Value) -> wasmtime::Result<String> {
    let text = payment.to_string();
    if text.len() > limits::JSON_BYTES {
        return Err(Stop::Unavailable(format!(
            "a payment of {} bytes is more than a callback may be given",
            text.len()
        ))
        .into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_payments_of_a_query_are_bounded_together() {
        let of = |bytes: usize| json!({ "note": "x".repeat(bytes) });
        let ordinary = vec![of(2_000); limits::QUERY_PAYMENTS as usize];
        assert_eq!(together(&ordinary).unwrap().unwrap().len(), ordinary.len());
        let large = vec![of(limits::JSON_BYTES / 2); limits::QUERY_PAYMENTS as usize];
        let refused = together(&large).unwrap().unwrap_err();
        assert!(refused.ends_with("lower the limit"), "{refused}");
        // One alone that is too large ends the call: no limit would help.
        assert!(together(&[of(limits::JSON_BYTES)]).is_err());
    }
}
