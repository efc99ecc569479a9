//! Why a command did not do what it was asked, and the exit code that says so.

/// What ends a command. Each variant has its exit code, so that scripts can tell them apart.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The host said no: exit code 1.
    #[error("{code}: {message}")]
    Refused {
        /// `errCode` of the answer.
        code: String,
        /// `msg` of the answer.
        message: String,
    },
    /// The command line, or a file that it names, cannot be used: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers: exit code 3.
    #[error(
        "no host answers at {url} ({why}): start one with `walnut serve`, or say where it is by \
         --url or WALNUT_URL"
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the system said.
        why: String,
    },
    /// Somebody answers who is no walnut host: exit code 3.
    #[error("{url} does not answer as a walnut host ({why}): check --url or WALNUT_URL")]
    NotWalnut {
        /// Who was asked.
        url: String,
        /// What is odd about the answer.
        why: String,
    },
}

impl CliError {
    /// The exit code that stands for it.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            CliError::Refused { .. } => 1,
            CliError::Usage(_) => 2,
            CliError::Unreachable { .. } | CliError::NotWalnut { .. } => 3,
        }
    }

    pub(super) fn usage(text: impl Into<String>) -> CliError {
        CliError::Usage(text.into())
    }
}
