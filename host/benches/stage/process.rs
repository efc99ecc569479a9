//! A server in a process of its own, so that the processor time and the memory that it takes are its own.
//! Linux tells both under `/proc`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A running server. Dropping it tells it to end, and waits for that.
pub(crate) struct Server {
    child: Child,
    // Kept open: whoever prints to a closed pipe fails.
    _stdout: BufReader<ChildStdout>,
}

/// What Linux counts processor time in, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

/// The line by which a server says that it is ready, and where.
pub(crate) const READY: &str = "walnut listens on http://";

impl Server {
    /// The host's real binary on this data root, as `walnut serve` runs it, and where it listens.
    pub(crate) fn host(data: &Path, log: &Path) -> io::Result<(Server, SocketAddr)> {
        Server::host_at(data, log, None)
    }

    /// The same, with its payments at this address of PostgreSQL.
    pub(crate) fn host_at(
        data: &Path,
        log: &Path,
        address: Option<&str>,
    ) -> io::Result<(Server, SocketAddr)> {
        let mut walnut = Command::new(env!("CARGO_BIN_EXE_walnut"));
        // All that is measured comes from one machine.
        let one = "incoming.of_one_source=1000000";
        walnut.args(["serve", "--allow-local-gateways", "--set", one]);
        if let Some(address) = address {
            walnut.args(["--store", address]);
        }
        walnut.args(["--listen", "127.0.0.1:0", "--data"]);
        Server::start(walnut.arg(data), log)
    }

    /// Starts a command and waits until it is ready. What it logs goes to a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<(Server, SocketAddr)> {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                return Err(io::Error::other(fs::read_to_string(log)?));
            }
            if let Some(rest) = line.strip_prefix(READY) {
                let address = rest.split_whitespace().next().unwrap_or_default();
                break address.parse().map_err(io::Error::other)?;
            }
        };
        let server = Server {
            child,
            _stdout: stdout,
        };
        Ok((server, address))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let told = Command::new("kill").arg(self.id().to_string()).status();
        if !told.is_ok_and(|status| status.success()) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// The processor time of a process and all its threads so far.
pub(crate) fn cpu(process: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Behind the name, which may have spaces in it: the state, ten other numbers, then user and system time.
    let numbers = stat.rsplit(')').next().unwrap_or_default();
    numbers
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| Ok(TICK * ticks.parse::<u32>().map_err(io::Error::other)?))
        .sum()
}
