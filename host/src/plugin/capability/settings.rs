//! `settings`: the public settings of the attempt's target.

use crate::plugin::bindings::provider::walnut::pay::settings;
use crate::plugin::call::Call;
use crate::plugin::provider::ForProvider;

impl settings::Host for Call<ForProvider> {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.count()?;
        Ok(self
            .world
            .target
            .as_ref()
            .and_then(|target| target.setting(&name)))
    }
}
