//! What a command has to say when it went well.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::Value;

use super::show;

/// For standard output, for standard error, and the exit code.
#[derive(Default, Debug)]
pub(super) struct Output {
    /// The result, and nothing else: it may go into a pipe.
    pub(super) result: Vec<u8>,
    /// What a person should know besides.
    pub(super) note: Option<String>,
    /// 0; 1 where only a part was done; 2 where something is left to be done by the caller.
    pub(super) code: u8,
}

impl Output {
    /// This text as the result, ending in one newline.
    pub(super) fn text(text: impl Into<String>) -> Output {
        let mut text = text.into();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Output {
            result: text.into_bytes(),
            ..Output::default()
        }
    }

    /// This value as strict JSON, one field a line.
    pub(super) fn json(value: &Value) -> Output {
        Output::text(show::json(value, show::Style::STRICT))
    }

    /// The same with a note.
    pub(super) fn with_note(self, note: impl Into<String>) -> Output {
        Output {
            note: Some(note.into()),
            ..self
        }
    }

    /// Prints everything.
    pub(super) fn print(self) -> ExitCode {
        if let Some(note) = &self.note {
            let _ = writeln!(io::stderr(), "{note}");
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(&self.result).and_then(|()| stdout.flush()) {
            Ok(()) => ExitCode::from(self.code),
            // `walnut obj … | head` is no mistake.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(self.code),
            Err(error) => {
                let _ = writeln!(io::stderr(), "cannot write the result: {error}");
                ExitCode::FAILURE
            }
        }
    }
}
