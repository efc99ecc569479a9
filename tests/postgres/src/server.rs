//! The server.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::database::{Database, run};
use crate::programs::Programs;

/// What a server is killed and removed by: it waits until the process that started it is gone, however that ends, since its
/// standard input is a pipe of that process.
const WATCHER: &str = r#"read -r _; pg="$1"; dir="$2"
"$pg" stop -D "$dir/data" -m immediate -s >/dev/null 2>&1
rm -rf "$dir""#;

/// Whether what is committed outlives the machine. Processes that are killed lose nothing either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The disk is not waited for.
    None,
    /// As an operator's server.
    Full,
}

/// A running server, which listens on a socket.
#[derive(Debug)]
pub struct Server {
    dir: PathBuf,
    programs: Programs,
    durability: Durability,
    /// Where it listens besides its socket, with TLS.
    port: Option<u16>,
    databases: AtomicU64,
    watcher: Option<Child>,
}

impl Server {
    /// This process's server; `None` where there is none to be had, which is said once.
    pub fn shared() -> Option<&'static Server> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        let start = || match Programs::find() {
            Some(programs) => match Server::start(programs, Durability::None) {
                Ok(server) => Some(server),
                Err(error) => left_out(&error),
            },
            None => left_out("its server is not installed (Debian's package postgresql)"),
        };
        SHARED.get_or_init(start).as_ref()
    }

    /// Starts one more.
    ///
    /// # Errors
    /// What the server's programs said.
    pub fn start(programs: Programs, durability: Durability) -> Result<Server, String> {
        let server = Server::prepared(programs, durability)?;
        server.launch()?;
        Ok(server)
    }

    /// Starts one that listens on this machine's loopback too, under this certificate alone (PEM, with its key).
    ///
    /// # Errors
    /// What the server's programs said.
    pub fn encrypted(programs: Programs, certificate: &str, key: &str) -> Result<Server, String> {
        let mut server = Server::prepared(programs, Durability::None)?;
        let io = |error: std::io::Error| error.to_string();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = server.dir.join("data").join(name);
            std::fs::write(&path, text).map_err(io)?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).map_err(io)?;
            Programs::give(&path).map_err(io)?;
        }
        // The server picks none by itself.
        let free = std::net::TcpListener::bind("127.0.0.1:0").map_err(io)?;
        server.port = Some(free.local_addr().map_err(io)?.port());
        drop(free);
        server.launch()?;
        Ok(server)
    }

    fn prepared(programs: Programs, durability: Durability) -> Result<Server, String> {
        let dir = tempfile::Builder::new()
            .prefix("walnut-pg-")
            .tempdir()
            .map_err(|error| error.to_string())?
            .keep();
        let mut server = Server {
            dir,
            programs,
            durability,
            port: None,
            databases: AtomicU64::new(0),
            watcher: None,
        };
        Programs::give(&server.dir).map_err(|error| error.to_string())?;
        // Before anything that has to be removed is there.
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "watcher"])
            .arg(server.programs.path("pg_ctl"))
            .arg(&server.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        server.watcher = Some(watcher.map_err(|error| format!("sh: {error}"))?);
        server.begin()?;
        Ok(server)
    }

    fn begin(&self) -> Result<(), String> {
        let data = self.dir.join("data");
        let initdb = self.programs.command("initdb");
        let sync = ["--no-sync"];
        done(
            initdb,
            &[
                &[
                    "-D",
                    text(&data),
                    "-U",
                    "walnut",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--locale=C",
                ][..],
                &sync,
            ]
            .concat(),
        )?;
        Ok(())
    }

    fn launch(&self) -> Result<(), String> {
        let data = self.dir.join("data");
        let mut options = format!(
            "-c unix_socket_directories='{}' -c max_connections=400",
            self.dir.display()
        );
        match self.port {
            Some(port) => options.push_str(&format!(
                " -c listen_addresses=localhost -c port={port} -c ssl=on"
            )),
            None => options.push_str(" -c listen_addresses=''"),
        }
        if self.durability == Durability::None {
            options.push_str(" -c fsync=off -c full_page_writes=off");
        }
        let log = self.dir.join("log");
        let pg_ctl = self.programs.command("pg_ctl");
        let arguments = [
            "start",
            "-w",
            "-s",
            "-D",
            text(&data),
            "-l",
            text(&log),
            "-o",
            &options,
        ];
        done(pg_ctl, &arguments).map_err(|error| {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            format!("{error}{said}")
        })
    }

    /// Stops it as `pg_ctl stop -m MODE` does.
    ///
    /// # Errors
    /// What `pg_ctl` said.
    pub fn stop(&self, mode: &str) -> Result<(), String> {
        let data = self.dir.join("data");
        let arguments = ["stop", "-w", "-s", "-D", text(&data), "-m", mode];
        done(self.programs.command("pg_ctl"), &arguments)
    }

    /// Starts it again after [`Server::stop`].
    ///
    /// # Errors
    /// What `pg_ctl` said.
    pub fn start_again(&self) -> Result<(), String> {
        self.launch()
    }

    /// Where it listens with TLS.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Where its socket is.
    pub fn socket_dir(&self) -> &Path {
        &self.dir
    }

    /// Its programs.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// A new, empty database.
    ///
    /// # Errors
    /// What the server said.
    pub fn database(&self) -> Result<Database, String> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        run(&self.url("postgres"), &format!("CREATE DATABASE {name}"))?;
        Ok(Database::new(self.url("postgres"), self.url(&name), name))
    }

    fn url(&self, database: &str) -> String {
        let host = self.dir.display();
        let port = self
            .port
            .map_or(String::new(), |port| format!("&port={port}"));
        format!("postgres://walnut@/{database}?host={host}{port}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            // Its input ends, and it does the rest.
            drop(watcher.stdin.take());
            drop(watcher.wait());
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn done(mut command: Command, arguments: &[&str]) -> Result<(), String> {
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // A server that is started keeps what it inherits: its messages go to its log.
    let output = output.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn left_out(why: &str) -> Option<Server> {
    // Unlike what `eprintln!` writes, the runner does not keep it back when the test passes.
    let mut out = std::io::stderr();
    drop(writeln!(out, "left out: what is told of PostgreSQL: {why}"));
    None
}
