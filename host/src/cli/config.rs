//! `walnut config`: every option with its words; `walnut config check FILE`: whether a file of them can be used.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::output::Output;
use crate::config::{Sources, example};

/// `walnut config`
#[derive(Args)]
pub(super) struct Config {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Look through a file of options, alone, without the environment
    Check {
        /// The file
        file: PathBuf,
    },
}

impl Config {
    pub(super) fn run(self) -> Result<Output, CliError> {
        let Some(Verb::Check { file }) = self.verb else {
            return Ok(Output::text(example().trim_end()));
        };
        match Sources::of_file(file.clone()).read() {
            Ok(_) => Ok(Output::text(format!("{}: all is well", file.display()))),
            Err(error) => Err(CliError::usage(error.to_string())),
        }
    }
}
