//! One run of a callback from a file, with a payment and a domain made of files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::domain::TrialDomain;
use super::room::Room;
use crate::cli::error::CliError;
use crate::cli::input;
use crate::payment::model::Digest;
use crate::payment::now_ms;
use crate::plugin::{CallbackCall, DeliveryView, Observed, PluginError, Refusal};

/// What a run without a host is given besides.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct LocalOptions {
    /// Of a file: the domain's data, as a JSON object of keys and values
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) kv: Option<String>,
    /// Of a file: write what the callback changed back into the file of --kv
    #[arg(long, requires = "kv")]
    pub(in crate::cli) save: bool,
    /// Of a file: the domain's other payments, as a JSON list
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) payments: Option<String>,
    /// Of a file: answers to its HTTP requests, as a JSON list of {url or step, status, headers, body}. Nothing is ever
    /// sent; without an answer a request is denied
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) web: Option<String>,
    /// Of a file: the answer that is wanted, as JSON; another one ends with code 1
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) expect: Option<String>,
    /// Of a file: the number of the try that it is told
    #[arg(long = "try", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(in crate::cli) try_no: u32,
    /// Of a file: print JSON, for programs
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Of a file: run again whenever a file changed, until Ctrl-C
    #[arg(long)]
    pub(in crate::cli) watch: bool,
}

/// The files that a run is made of.
pub(super) struct Files {
    callback: String,
    payment: Option<String>,
    options: LocalOptions,
}

/// A run, or why there was none.
pub(super) struct Trial {
    /// Bytes of what was tried.
    pub(super) len: usize,
    /// Of the same.
    pub(super) digest: Digest,
    /// What the run saw, and asked of the network.
    pub(super) domain: Arc<TrialDomain>,
    /// What came of it.
    pub(super) outcome: Outcome,
    /// The answer that was wanted, where one was.
    pub(super) expected: Option<Value>,
}

pub(super) enum Outcome {
    /// A host would not take it.
    Refused(Refusal),
    /// It was not begun.
    NotBegun(PluginError),
    /// It ran.
    Ran(Box<Observed>),
}

impl Files {
    pub(super) fn new(callback: String, payment: Option<String>, options: LocalOptions) -> Files {
        Files {
            callback,
            payment,
            options,
        }
    }

    pub(super) fn json(&self) -> bool {
        self.options.json
    }

    /// Those that can change.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let options = &self.options;
        let given = [
            Some(&self.callback),
            self.payment.as_ref(),
            // What a run itself writes is no reason to run again.
            options.kv.as_ref().filter(|_| !options.save),
            options.payments.as_ref(),
            options.web.as_ref(),
            options.expect.as_ref(),
        ];
        given
            .into_iter()
            .flatten()
            .filter(|name| *name != "-")
            .map(PathBuf::from)
            .collect()
    }

    /// The name that the callback is told: the file's without its ending.
    fn name(&self) -> String {
        let stem = Path::new(&self.callback).file_stem();
        stem.map_or_else(
            || "callback".into(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    }

    fn expected(&self) -> Result<Option<Value>, CliError> {
        let read = |file: &String| {
            serde_json::from_str(&input::text(file)?)
                .map_err(|error| CliError::usage(format!("{file}: {error}")))
        };
        self.options.expect.as_ref().map(read).transpose()
    }

    fn payment(&self) -> Result<Value, CliError> {
        match &self.payment {
            Some(file) => Ok(Value::Object(input::object(file)?)),
            None => serde_json::from_str(walnut_templates::PAYMENT)
                .map_err(|error| CliError::usage(format!("the sample payment: {error}"))),
        }
    }
}

/// Runs the callback once. An error means that a file cannot be used.
pub(super) async fn run(room: &Room, files: &Files) -> Result<Trial, CliError> {
    let content = super::content(&files.callback)?;
    let payment = files.payment()?;
    let options = &files.options;
    let domain = Arc::new(TrialDomain::read(&payment, options)?);
    let expected = files.expected()?;
    let (len, digest) = (content.len(), Digest::of(&content));
    let outcome = match room.admit(content).await {
        Err(refusal) => Outcome::Refused(refusal),
        Ok(callback) => {
            let call = CallbackCall {
                domain: "local".to_owned(),
                view: domain.clone(),
                now_ms: now_ms(),
            };
            let delivery = DeliveryView {
                key: "00000000000000000000000000000000".to_owned(),
                try_no: options.try_no,
                callback: files.name(),
                late: payment
                    .get("late")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
            };
            match callback.observe(call, &payment, delivery).await {
                Ok(observed) => Outcome::Ran(Box::new(observed)),
                Err(error) => Outcome::NotBegun(error),
            }
        }
    };
    Ok(Trial {
        len,
        digest,
        domain,
        outcome,
        expected,
    })
}

impl Trial {
    /// The answer, where a delivery would be done with it.
    pub(super) fn answer(&self) -> Option<Value> {
        match &self.outcome {
            Outcome::Ran(seen) => match &seen.end {
                Ok(Ok(json)) => serde_json::from_str(json).ok(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether it answered, and what was wanted.
    pub(super) fn succeeded(&self) -> bool {
        match (self.answer(), &self.expected) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(answer), Some(expected)) => answer == *expected,
        }
    }

    /// Writes the changes of a run that succeeded back, where that is wanted.
    pub(super) fn save(&self, files: &Files) -> Result<(), CliError> {
        match (&self.outcome, &files.options.kv) {
            (Outcome::Ran(seen), Some(file)) if files.options.save && self.answer().is_some() => {
                self.domain.save(&seen.effects, file)
            }
            _ => Ok(()),
        }
    }
}
