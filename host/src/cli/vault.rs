//! `walnut vault rotate`: another master key, while the host goes on.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tokio::runtime::Handle;

use super::error::CliError;
use super::output::Output;
use super::place;
use crate::home::{MasterSource, Rotated, rotate};
use crate::store::Store;

/// `walnut vault`
#[derive(Subcommand)]
pub(super) enum Vault {
    /// Seal the key of all secrets under another master key: the present one opens nothing afterwards. Hosts go on meanwhile
    Rotate(Rotate),
}

#[derive(Args)]
pub(super) struct Rotate {
    /// The data root
    #[arg(
        long,
        value_name = "DIR",
        default_value = "./walnut-data",
        env = "WALNUT_DATA"
    )]
    data: PathBuf,
    #[command(flatten)]
    from: MasterKey,
    /// Where the next master key comes from, as that of --master-key; a file that is missing is made. Where it is not given, a
    /// new key takes the place of the present one's file
    #[arg(long, value_name = "SOURCE")]
    to: Option<String>,
    /// The database of hosts that share one: as that of walnut serve
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "WALNUT_STORE",
        hide_env_values = true
    )]
    store: Option<String>,
}

/// Where the present master key comes from.
#[derive(Args)]
pub(super) struct MasterKey {
    /// Where the master key comes from: as that of walnut serve
    #[arg(
        long,
        value_name = "SOURCE",
        env = "WALNUT_MASTER_KEY",
        hide_env_values = true
    )]
    master_key: Option<String>,
}

impl MasterKey {
    pub(super) fn source(&self) -> Result<MasterSource, CliError> {
        match &self.master_key {
            Some(text) => MasterSource::parse(text)
                .map_err(|why| CliError::usage(format!("--master-key {why}"))),
            None => Ok(MasterSource::default()),
        }
    }
}

impl Vault {
    pub(super) async fn run(self) -> Result<Output, CliError> {
        let Vault::Rotate(rotate) = self;
        // A program that gives a key may take its time.
        let done = tokio::task::spawn_blocking(move || Handle::current().block_on(rotate.run()));
        done.await
            .map_err(|error| CliError::usage(format!("interrupted: {error}")))?
    }
}

impl Rotate {
    async fn run(self) -> Result<Output, CliError> {
        let from = self.from.source()?;
        let to = match &self.to {
            Some(text) => Some(
                MasterSource::parse(text).map_err(|why| CliError::usage(format!("--to {why}")))?,
            ),
            None => None,
        };
        let usage = |error: &dyn std::fmt::Display| CliError::usage(error.to_string());
        let store = match &self.store {
            Some(text) => {
                let address =
                    place::read(text).map_err(|error| CliError::usage(format!("{error:#}")))?;
                Some(Store::connect(&address).map_err(|error| usage(&error))?)
            }
            None => None,
        };
        let done = rotate(&self.data, store.as_ref(), &from, to.as_ref()).await;
        if let Some(store) = &store {
            store.close().await;
        }
        let rotated = done.map_err(|error| usage(&error))?;
        Ok(told(&rotated, store.is_some()))
    }
}

fn told(rotated: &Rotated, shared: bool) -> Output {
    let Rotated {
        before, now, place, ..
    } = rotated;
    let mut notes = Vec::new();
    match &rotated.left {
        None => notes.push(format!("keep a copy of {place}, apart from the data")),
        Some(left) => notes.push(format!(
            "start hosts with the master key from {place} from now on; what lies at {left} is of no use any more"
        )),
    }
    if shared {
        notes.push("give it to the other hosts before they start again".to_owned());
    }
    notes.push("backups from before open with the earlier one alone".to_owned());
    if rotated.was_data_key {
        notes.push(
            "the earlier master key was the data key itself, since this data root is from before there was a vault: whoever \
             has a copy of it and of the data still reads them"
                .to_owned(),
        );
    }
    Output::text(format!(
        "sealed under the master key {now}, from {place}; {before} opens nothing any more"
    ))
    .with_note(notes.join("\n"))
}
