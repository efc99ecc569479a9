//! What can be wrong with a manifest.

use std::fmt;

/// Why a manifest is refused: everything that is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is longer than [`super::MAX_BYTES`].
    #[error("the manifest has more than {max} bytes", max = super::MAX_BYTES)]
    TooLarge,
    /// It is no JSON, or a name comes twice in it.
    #[error("the manifest: {0}")]
    NotJson(String),
    /// It says something that it must not say.
    #[error("the manifest: {}", listed(.0))]
    Invalid(Vec<Problem>),
}

/// One thing that is wrong with a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where, as a JSON Pointer such as `/claims/query/scheme`.
    pub path: String,
    /// What to do about it, in English.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

fn listed(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, path: &str, problem: impl Into<String>) {
        self.0.push(Problem {
            path: path.to_owned(),
            problem: problem.into(),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_result(self) -> Result<(), ManifestError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ManifestError::Invalid(self.0))
        }
    }
}
