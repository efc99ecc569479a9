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
            Err(ViewError::Failed(why)) => Err(Stop::Unavailable(why).into()),
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
            Ok(found) => Ok(Ok(found
                .iter()
                .map(text)
                .collect::<wasmtime::Result<_>>()?)),
            Err(ViewError::Refused(why)) => Ok(Err(why)),
            Err(ViewError::Failed(why)) => Err(Stop::Unavailable(why).into()),
        }
    }
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
