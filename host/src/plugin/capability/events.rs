//! `events`: messages to whoever watches the payment, kept until the delivery commits.

use super::is_name;
use crate::plugin::bindings::callback::walnut::pay::events;
use crate::plugin::call::Call;
use crate::plugin::callback::ForCallback;
use crate::plugin::{json, limits};

impl events::Host for Call<ForCallback> {
    fn emit(&mut self, name: String, data: String) -> wasmtime::Result<Result<(), String>> {
        self.count()?;
        Ok(self.world.emit(name, data))
    }
}

impl ForCallback {
    fn emit(&mut self, name: String, data: String) -> Result<(), String> {
        if !is_name(&name) {
            return Err(format!(
                "an event's name has 1 to {} letters, digits, dots, dashes and underscores",
                limits::NAME_BYTES
            ));
        }
        if data.len() > limits::EVENT_BYTES {
            return Err(format!(
                "an event has at most {} bytes",
                limits::EVENT_BYTES
            ));
        }
        json::check(&data).map_err(|why| format!("the event's data is {why}"))?;
        if self.events.len() >= limits::EVENTS {
            return Err(format!("a delivery has at most {} events", limits::EVENTS));
        }
        self.events.push((name, data));
        Ok(())
    }
}
