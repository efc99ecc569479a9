//! What a file holds, as a host takes it.

use crate::cli::error::CliError;
use crate::cli::input;
use crate::plugin::callback_component;

/// The content of a file; `-` is standard input. A core module, which is what some compilers make, becomes the
/// component that it describes.
pub(in crate::cli) fn read(file: &str) -> Result<Vec<u8>, CliError> {
    let bytes = input::file(file)?;
    let component =
        callback_component(&bytes).map_err(|error| CliError::usage(format!("{file}: {error}")))?;
    Ok(component.into_owned())
}
