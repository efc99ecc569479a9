//! The public settings of the attempt's target. No secret is ever among them.

use crate::{Fault, host};

/// A setting as text: strings as they are, everything else as JSON; none when it is not set.
pub fn get(name: &str) -> Option<String> {
    host::setting(name)
}

/// A setting that the provider cannot do without.
pub fn required(name: &str) -> Result<String, Fault> {
    get(name).ok_or_else(|| Fault::Misconfigured(format!("the target has no setting {name:?}")))
}
