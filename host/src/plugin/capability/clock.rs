//! `clock`: the host's time.

use crate::plugin::bindings::provider::walnut::pay::clock;
use crate::plugin::call::Call;

impl<R> clock::Host for Call<R> {
    fn now_ms(&mut self) -> wasmtime::Result<f64> {
        self.count()?;
        // Exact: milliseconds since 1970 are far below 2^53.
        Ok(self.time_ms() as f64)
    }
}
