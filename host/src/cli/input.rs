//! Reading the files and the standard input that commands name.

use std::fs::File;
use std::io::{self, Read};

use serde_json::{Map, Value};

use super::error::CliError;
use crate::relaxed;

/// More than the host takes of anything.
const LIMIT_BYTES: u64 = 64 << 20;

/// The bytes of a file; `-` is standard input.
pub(super) fn file(path: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = if path == "-" {
        io::stdin()
            .lock()
            .take(LIMIT_BYTES + 1)
            .read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes))
    };
    let shown = if path == "-" { "standard input" } else { path };
    read.map_err(|error| CliError::usage(format!("cannot read {shown}: {error}")))?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(CliError::usage(format!(
            "{shown} has more than {LIMIT_BYTES} bytes"
        )));
    }
    Ok(bytes)
}

/// The text of a file; `-` is standard input.
pub(super) fn text(path: &str) -> Result<String, CliError> {
    String::from_utf8(file(path)?).map_err(|_| CliError::usage(format!("{path} is not UTF-8 text")))
}

/// The object in a file, as relaxed JSON; `-` is standard input.
pub(super) fn object(path: &str) -> Result<Map<String, Value>, CliError> {
    relaxed_object(path, &text(path)?)
}

/// An object given as relaxed JSON on the command line; `what` names the argument.
pub(super) fn relaxed_object(what: &str, text: &str) -> Result<Map<String, Value>, CliError> {
    relaxed::object(text).map_err(|error| CliError::usage(format!("{what}: {error}")))
}
