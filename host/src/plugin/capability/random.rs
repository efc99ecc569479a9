//! `random`: bytes that nobody can guess.

use crate::plugin::bindings::provider::walnut::pay::random;
use crate::plugin::call::Call;
use crate::plugin::error::Stop;
use crate::plugin::limits;

impl<R> random::Host for Call<R> {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        self.count()?;
        if count > limits::RANDOM_BYTES {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; usize::try_from(count)?];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Stop::Unavailable("the host has no random numbers".to_owned()))?;
        Ok(bytes)
    }
}
