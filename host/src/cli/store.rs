//! `walnut store check|backup|restore|migrate`: what an operator does with a data root on this machine. The host may go on.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tokio::runtime::Handle;

use super::error::CliError;
use super::output::Output;
use super::place;
use super::vault::MasterKey;
use crate::home::{DataRoot, MasterSource, copy_homes};
use crate::store::{Checked, Migrated, Store as Payments};

/// Where the payments lie in a data root.
const PAYMENTS: &str = "var/payment";

/// `walnut store`
#[derive(Subcommand)]
pub(super) enum Store {
    /// Look through all payments: the file itself, and what has to hold between its rows
    Check {
        #[command(flatten)]
        root: OfRoot,
        /// Payments in a PostgreSQL database in place of those of the data root: as that of walnut serve
        #[arg(
            long,
            value_name = "ADDRESS",
            env = "WALNUT_STORE",
            hide_env_values = true
        )]
        store: Option<String>,
    },
    /// Write payments and homes as they are at this moment into a new directory; the master key stays apart. Payments in
    /// PostgreSQL are backed up by its own tools, such as pg_dump
    Backup {
        /// The directory, which is made
        to: PathBuf,
        #[command(flatten)]
        root: OfRoot,
    },
    /// Copy payments and homes of a data root into a PostgreSQL database that nobody uses yet, for one host or several. No
    /// host may run on either meanwhile; all of it comes over and is compared, or nothing
    Migrate {
        #[command(flatten)]
        root: OfRoot,
        #[command(flatten)]
        master_key: MasterKey,
        /// The database: as that of walnut serve
        #[arg(
            long,
            value_name = "ADDRESS",
            env = "WALNUT_STORE",
            hide_env_values = true
        )]
        store: String,
    },
    /// Make a data root of a backup, after checking it
    Restore {
        /// The directory that `backup` wrote
        from: PathBuf,
        #[command(flatten)]
        root: OfRoot,
    },
}

/// Hears how many rows of a table are there.
fn tell(table: &str, rows: u64) {
    // Nobody reading is fine.
    let _ = writeln!(std::io::stderr(), "{table}: {rows}");
}

/// Which data root.
#[derive(Args)]
pub(super) struct OfRoot {
    /// The data root
    #[arg(
        long,
        value_name = "DIR",
        default_value = "./walnut-data",
        env = "WALNUT_DATA"
    )]
    data: PathBuf,
}

impl Store {
    pub(super) async fn run(self) -> Result<Output, CliError> {
        let done = tokio::task::spawn_blocking(move || match self {
            Store::Check { root, store: None } => check(&root.data),
            Store::Check {
                store: Some(text), ..
            } => check_at(&text),
            Store::Backup { to, root } => backup(&root.data, &to),
            Store::Restore { from, root } => restore(&from, &root.data),
            Store::Migrate {
                root,
                master_key,
                store,
            } => {
                let source = master_key.source()?;
                Handle::current().block_on(migrate(&root.data, &source, &store))
            }
        });
        done.await
            .map_err(|error| CliError::usage(format!("interrupted: {error}")))?
    }
}

fn check(root: &Path) -> Result<Output, CliError> {
    Ok(told(&look(root)?))
}

fn check_at(text: &str) -> Result<Output, CliError> {
    let address = place::read(text).map_err(|error| CliError::usage(format!("{error:#}")))?;
    let checked = Payments::check_at(&address);
    Ok(told(
        &checked.map_err(|error| CliError::usage(error.to_string()))?,
    ))
}

fn told(checked: &Checked) -> Output {
    let payments = format!("{} payments", checked.payments);
    if checked.problems.is_empty() {
        return Output::text(format!("{payments}: all is well"));
    }
    Output {
        code: 1,
        ..Output::text(checked.problems.join("\n"))
            .with_note(format!("{payments}, and these are not well"))
    }
}

fn look(root: &Path) -> Result<Checked, CliError> {
    Payments::check(&root.join(PAYMENTS)).map_err(|error| wrong(root, &error))
}

fn backup(root: &Path, to: &Path) -> Result<Output, CliError> {
    // Payments first: a version of a target that they need is in the homes for longer than they are.
    copy(root, to)?;
    let checked = look(to)?;
    if let Some(problem) = checked.problems.first() {
        return Err(CliError::usage(format!(
            "{}: the copy was made and is not well, as the store that it is of: {problem}",
            to.display()
        )));
    }
    Ok(
        Output::text(format!("{} payments in {}", checked.payments, to.display())).with_note(
            "secrets in it are sealed: keep the master key (master.key of the data root, where it comes from nowhere else) \
             too, and somewhere else",
        ),
    )
}

fn restore(from: &Path, root: &Path) -> Result<Output, CliError> {
    let checked = look(from)?;
    if let Some(problem) = checked.problems.first() {
        return Err(CliError::usage(format!(
            "{}: not restored: {problem}",
            from.display()
        )));
    }
    copy(from, root)?;
    let mut output = Output::text(format!(
        "{} payments in {}",
        checked.payments,
        root.display()
    ));
    if !root.join("master.key").exists() {
        output = output.with_note(format!(
            "put master.key of the data root that the backup is of into {} (mode 600), or give --master-key, before a host is \
             started there",
            root.display()
        ));
    }
    Ok(output)
}

async fn migrate(root: &Path, source: &MasterSource, text: &str) -> Result<Output, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::usage(error.to_string());
    let address = place::read(text).map_err(|error| CliError::usage(format!("{error:#}")))?;
    if !root.join(PAYMENTS).exists() {
        let shown = root.display();
        return Err(CliError::usage(format!("{shown} has no payments")));
    }
    let homes = DataRoot::open_with(root, source).map_err(|error| usage(&error))?;
    let store = Payments::connect(&address).map_err(|error| usage(&error))?;
    let migrated = homes.migrate_to(&store, tell).await;
    store.close().await;
    let Migrated {
        payments,
        rows,
        files,
    } = migrated.map_err(|error| usage(&error))?;
    let told = format!("{payments} payments, {rows} rows and {files} files are in {address}");
    Ok(Output::text(told).with_note(
        "start hosts with --store; each needs the master key of this data root (master.key in its own, mode 600, or from where \
         --master-key says). What is in this data root stays as it is and is not used any more",
    ))
}

/// Payments and homes into a directory that has neither.
fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    for taken in ["var", "home"] {
        if to.join(taken).exists() {
            let shown = to.display();
            return Err(CliError::usage(format!(
                "{shown} has a {taken} already: give a new directory"
            )));
        }
    }
    Payments::copy(&from.join(PAYMENTS), &to.join(PAYMENTS))
        .map_err(|error| wrong(from, &error))?;
    copy_homes(from, to).map_err(|error| wrong(from, &error))?;
    Ok(())
}

fn wrong(root: &Path, error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(format!("{}: {error}", root.display()))
}
