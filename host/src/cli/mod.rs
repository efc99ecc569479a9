//! The command line: `walnut serve` and `walnut demo` run a host, `walnut sandbox` runs the simulated platforms,
//! everything else is a client of a running host, over the same HTTP endpoints that shops use.
//!
//! The flags are those of the original, single dash and all (`args.rs`), and GNU's long options.
//! Exit codes: 0 done, 1 refused by the host, 2 wrong usage, 3 no host.

mod args;
mod audit;
mod callback;
mod cat;
mod client;
mod config;
mod demo;
mod doctor;
mod domain;
mod error;
mod handed;
mod input;
mod key;
mod obj;
mod options;
mod output;
mod pay;
mod place;
mod provider;
pub mod qr;
mod reconcile;
mod sandbox;
mod serve;
mod show;
mod store;
mod table;
mod target;
mod times;
mod vault;
mod workbench;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use options::{DemoOptions, SandboxOptions, ServeOptions};

use crate::plugin::{COMPILE_COMMAND, compile_for_parent};
use client::Client;
use error::CliError;
use handed::Handed;
use options::HostOptions;
use output::Output;

/// A payment service for many domains.
#[derive(Parser)]
#[command(
    name = "walnut",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 refused by the host, 2 wrong usage, 3 no host."
)]
struct Cli {
    #[command(flatten)]
    host: HostOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the host
    Serve(ServeOptions),
    /// Print every option of a host with its words, or look through a file of them
    Config(config::Config),
    /// See one payment go through on a host of its own, with a simulated platform
    Demo(DemoOptions),
    /// Run the simulated platforms, for a shop that is developed against this host
    Sandbox(SandboxOptions),
    /// Create, send and look at payments
    #[command(subcommand)]
    Pay(pay::Pay),
    /// Look payments up: obj /var/payment, obj /var/payment/<id>
    #[command(disable_help_flag = true)]
    Obj(obj::Obj),
    /// Print the content of a payment, which is the callback bound to it: cat /var/payment/<id>
    Cat(cat::Cat),
    /// Domains and their keys (for root)
    #[command(subcommand)]
    Domain(domain::Domain),
    /// The operator's keys, and the end of anybody's (for root)
    #[command(subcommand)]
    Key(key::Key),
    /// What was refused, and what was changed beside payments
    Audit(audit::Audit),
    /// Look over a running host: what is wrong, and what to do. Ends with 1 when anything is (for root and op)
    Doctor(doctor::Doctor),
    /// A domain's merchant settings
    #[command(subcommand)]
    Target(target::Target),
    /// Compare the platforms' bills of a day with the host's payments
    Reconcile(reconcile::Reconcile),
    /// A domain's callbacks
    #[command(subcommand)]
    Callback(callback::Callback),
    /// The components that speak with the platforms
    #[command(subcommand)]
    Provider(provider::Provider),
    /// Look after a data root on this machine: check it, back it up, restore it
    #[command(subcommand)]
    Store(store::Store),
    /// The master key, under which the key of all secrets is sealed
    #[command(subcommand)]
    Vault(vault::Vault),
}

/// The binary: runs the command line `args` (the program's name first). One word more than `--help` tells is taken:
/// by it the host calls itself as its compiler.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if matches!(args.as_slice(), [_, word] if word == COMPILE_COMMAND) {
        return compile_for_parent();
    }
    crate::undumped::no_cores();
    let handed = match handed::take() {
        Ok(handed) => handed,
        Err(why) => return fail(&CliError::usage(why)),
    };
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run_with(args, handed)),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "walnut: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// This program, to be started again. Where the system has a name for the running program, it is that one that
/// starts, though another was installed in its place meanwhile.
fn this_program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        Ok(running)
    } else {
        std::env::current_exe()
    }
}

/// Runs the command line `args` (the program's name first), within a tokio runtime.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_with(args, None).await
}

async fn run_with(args: impl IntoIterator<Item = OsString>, handed: Handed) -> ExitCode {
    let cli = match args::translate(args.into_iter().collect()).map(Cli::try_parse_from) {
        Ok(Ok(cli)) => cli,
        Ok(Err(error)) => {
            // Help and version go to standard output with code 0, mistakes to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
        Err(error) => return fail(&error),
    };
    let done = match cli.command {
        Command::Serve(options) => return serve::run(options, handed).await,
        Command::Demo(options) => return demo::run(options).await,
        Command::Sandbox(options) => return sandbox::run(options, &cli.host.url).await,
        Command::Callback(verb) if verb.is_local() => verb.run_local().await,
        Command::Store(verb) => verb.run().await,
        Command::Vault(verb) => verb.run().await,
        Command::Config(verb) => verb.run(),
        command => match Client::new(&cli.host) {
            Ok(client) => client_command(&client, command).await,
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(output) => output.print(),
        Err(error) => fail(&error),
    }
}

async fn client_command(client: &Client, command: Command) -> Result<Output, CliError> {
    match command {
        Command::Serve(_)
        | Command::Config(_)
        | Command::Demo(_)
        | Command::Sandbox(_)
        | Command::Store(_)
        | Command::Vault(_) => Ok(Output::default()),
        Command::Pay(verb) => verb.run(client).await,
        Command::Obj(obj) => obj.run(client).await,
        Command::Cat(cat) => cat.run(client).await,
        Command::Domain(verb) => verb.run(client).await,
        Command::Key(verb) => verb.run(client).await,
        Command::Audit(audit) => audit.run(client).await,
        Command::Doctor(doctor) => doctor.run(client).await,
        Command::Target(verb) => verb.run(client).await,
        Command::Reconcile(reconcile) => reconcile.run(client).await,
        Command::Callback(verb) => verb.run(client).await,
        Command::Provider(verb) => verb.run(client).await,
    }
}

fn fail(error: &CliError) -> ExitCode {
    // Nothing is left to be told when standard error is gone too.
    let _ = writeln!(std::io::stderr(), "{error}");
    ExitCode::from(error.exit_code())
}

#[cfg(test)]
mod tests;
