//! The real binary, started, asked, killed and started again on the same data root.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::{Faults, Shop};

/// A running host. Dropping it kills the process and removes its data.
pub(crate) struct Host {
    data: Arc<TempDir>,
    child: Child,
    url: String,
    root_key: String,
    log: PathBuf,
    options: Vec<String>,
    faults: Option<Arc<Faults>>,
}

/// Where a host listens.
enum Listen<'a> {
    At(&'a str),
    /// On a socket that it is handed, as systemd does it.
    On(&'a std::net::TcpListener),
}

/// Plenty for a machine under load; nothing depends on it when all is well.
const PATIENCE: Duration = Duration::from_secs(600);

impl Host {
    pub(crate) async fn start() -> Host {
        Host::start_with(&[]).await
    }

    /// With more options of `walnut serve`.
    pub(crate) async fn start_with(options: &[&str]) -> Host {
        Host::make(options, None).await
    }

    /// On a disk and by a clock that fail as they are told to, also after a restart.
    pub(crate) async fn start_under(faults: &Arc<Faults>) -> Host {
        Host::make(&[], Some(Arc::clone(faults))).await
    }

    async fn make(options: &[&str], faults: Option<Arc<Faults>>) -> Host {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let mut host = Host::run(data, None, "127.0.0.1:0", options, faults).await;
        let file = host.data.path().join("root/root.key");
        host.root_key = std::fs::read_to_string(file).unwrap().trim().to_owned();
        host
    }

    /// On a data root that is there already, `root` in this directory, with the root key of the host that made it.
    pub(crate) async fn start_on(data: TempDir, root_key: &str) -> Host {
        Host::start_on_with(data, root_key, &[]).await
    }

    /// The same with more options of `walnut serve`.
    pub(crate) async fn start_on_with(data: TempDir, root_key: &str, options: &[&str]) -> Host {
        let root_key = Some(root_key.to_owned());
        Host::run(Arc::new(data), root_key, "127.0.0.1:0", options, None).await
    }

    /// Another host with the same options, on a copy of what this one has in its data root.
    pub(crate) async fn beside(&self) -> Host {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let copied = Command::new("cp")
            .arg("-a")
            .arg(self.data_root())
            .arg(data.path().join("root"))
            .status();
        assert!(copied.await.unwrap().success());
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let root_key = Some(self.root_key.clone());
        Host::run(data, root_key, "127.0.0.1:0", &options, None).await
    }

    /// On a socket that is handed over, in a new data root, or in the one of a host that ended.
    pub(crate) async fn start_on_socket(
        socket: &std::net::TcpListener,
        data: Option<Arc<TempDir>>,
    ) -> Host {
        let data = data.unwrap_or_else(|| Arc::new(tempfile::tempdir().unwrap()));
        Host::run_on(data, None, Listen::On(socket), &[], None).await
    }

    async fn run(
        data: Arc<TempDir>,
        root_key: Option<String>,
        listen: &str,
        options: &[&str],
        faults: Option<Arc<Faults>>,
    ) -> Host {
        Host::run_on(data, root_key, Listen::At(listen), options, faults).await
    }

    async fn run_on(
        data: Arc<TempDir>,
        root_key: Option<String>,
        listen: Listen<'_>,
        options: &[&str],
        faults: Option<Arc<Faults>>,
    ) -> Host {
        let log = data.path().join("log");
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let root = data.path().join("root");
        let walnut = env!("CARGO_BIN_EXE_walnut");
        let (mut command, listen) = match listen {
            Listen::At(address) => {
                let mut command = Command::new(walnut);
                command.stdin(Stdio::null());
                (command, address)
            }
            Listen::On(socket) => {
                // The shell becomes the host, so that its number is the host's.
                let hand = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
                let mut command = Command::new("sh");
                command.args(["-c", hand, "sh", walnut]);
                let socket = socket.try_clone().unwrap();
                command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
                // In use already: it is not listened there.
                (command, "127.0.0.1:1")
            }
        };
        if let Some(faults) = &faults {
            command.envs(faults.environment(&root));
        }
        let mut child = command
            .args([
                "serve",
                "--allow-local-gateways",
                "--instances",
                "16",
                "--listen",
                listen,
            ])
            .arg("--data")
            .arg(root)
            .args(options)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix("walnut listens on ") {
                    return rest.split(' ').next().unwrap().to_owned();
                }
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            panic!("the host did not start: {said}");
        };
        let url = tokio::time::timeout(PATIENCE, started)
            .await
            .expect("the host starts");
        // Whatever it prints later has to go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Host {
            data,
            child,
            url,
            root_key: root_key.unwrap_or_default(),
            log,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            faults,
        }
    }

    /// SIGKILL, and the same data root again at the same address.
    pub(crate) async fn kill_and_restart(self) -> Host {
        self.kill().await.restart().await
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(crate) async fn kill(mut self) -> Killed {
        self.child.kill().await.unwrap();
        self.left()
    }

    /// Waits until the process has ended by itself, and gives its exit code: none when a signal ended it.
    pub(crate) async fn ended(mut self) -> (Option<i32>, Killed) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let code = status.expect("the host ends").unwrap().code();
        (code, self.left())
    }

    fn left(self) -> Killed {
        Killed {
            data: self.data,
            url: self.url,
            root_key: self.root_key,
            options: self.options,
            faults: self.faults,
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// SIGABRT, as a fault of the host itself ends it; how it ended.
    pub(crate) async fn crash(mut self) -> std::process::ExitStatus {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-ABRT", &pid]).status().await;
        assert!(sent.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").unwrap()
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(mut self) -> (bool, Arc<TempDir>) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap();
        assert!(sent.success());
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap()
            .unwrap();
        (status.success(), self.data)
    }

    /// SIGHUP: the options are read anew.
    pub(crate) async fn reload(&self) {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-HUP", &pid]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Waits until the log has this, and gives the first line with it.
    pub(crate) async fn logged(&self, words: &str) -> String {
        let looking = async {
            loop {
                if let Some(line) = self.log().lines().find(|line| line.contains(words)) {
                    return line.to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("{words:?} is not in the log: {}", self.log()))
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn data_root(&self) -> PathBuf {
        self.data.path().join("root")
    }

    /// Everything that the host logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The operator.
    pub(crate) fn root(&self) -> Shop {
        Shop::new(&self.url, &self.root_key)
    }

    pub(crate) fn root_key(&self) -> &str {
        &self.root_key
    }

    /// A new domain, by its test key.
    pub(crate) async fn domain(&self, name: &str) -> Shop {
        let root = self.root();
        root.post("/pay/domain", json!({ "name": name }))
            .await
            .data();
        self.key_of(name, true).await
    }

    /// A new key of a domain.
    pub(crate) async fn key_of(&self, name: &str, test: bool) -> Shop {
        let path = format!("/pay/domain/{name}/key");
        let issued = self
            .root()
            .post(&path, json!({ "test": test }))
            .await
            .data();
        Shop::new(&self.url, issued["key"].as_str().unwrap())
    }

    /// Runs a command of the binary against this host with this key.
    pub(crate) async fn walnut(&self, key: &str, args: &[&str]) -> Ran {
        self.walnut_given(key, "", args).await
    }

    /// The same with something on its standard input.
    pub(crate) async fn walnut_given(&self, key: &str, stdin: &str, args: &[&str]) -> Ran {
        run_walnut(&self.url, key, stdin, args, self.data.path()).await
    }
}

/// A host that was killed.
pub(crate) struct Killed {
    data: Arc<TempDir>,
    url: String,
    root_key: String,
    options: Vec<String>,
    faults: Option<Arc<Faults>>,
}

impl Killed {
    pub(crate) fn data_root(&self) -> PathBuf {
        self.data.path().join("root")
    }

    /// What the buyer of this payment was shown is of use until then, absolute milliseconds.
    pub(crate) fn show_until(&self, id: &str, until_ms: i64) {
        let file = self.data_root().join("var/payment/payments.db");
        let store = rusqlite::Connection::open(file).unwrap();
        let change = "UPDATE payment SET presentation_until_ms = ?1 WHERE id = ?2";
        let changed = store.execute(change, rusqlite::params![until_ms, id]);
        assert_eq!(changed.unwrap(), 1);
    }

    pub(crate) async fn restart(self) -> Host {
        self.restart_with(&[]).await
    }

    /// With more options of `walnut serve`.
    pub(crate) async fn restart_with(self, more: &[&str]) -> Host {
        let listen = self.url.trim_start_matches("http://").to_owned();
        let options = self.options.iter().map(String::as_str);
        let options: Vec<&str> = options.chain(more.iter().copied()).collect();
        let root_key = Some(self.root_key);
        Host::run(self.data, root_key, &listen, &options, self.faults).await
    }

    /// It cannot be started like this: what it says.
    pub(crate) async fn refuses(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walnut"));
        command.args(["serve", "--instances", "16", "--listen", "127.0.0.1:0"]);
        command.arg("--data").arg(self.data_root());
        let ran = command.kill_on_drop(true).output();
        let ran = tokio::time::timeout(PATIENCE, ran).await;
        let ran = ran.expect("it ends").unwrap();
        assert_eq!(ran.status.code(), Some(1));
        String::from_utf8_lossy(&ran.stderr).into_owned()
    }

    /// The power fails too: of the payments there is what was synchronised. For hosts under [`Faults`].
    pub(crate) fn without_power(self) -> Killed {
        let faults = self.faults.as_ref().expect("a host under faults");
        faults.cut_power(&self.data_root().join("var/payment"));
        self
    }

    /// Everything that the host logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Times are printed as UTC has them.
pub(crate) async fn run_walnut(
    url: &str,
    key: &str,
    stdin: &str,
    args: &[&str],
    dir: &Path,
) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_walnut"))
        .args(args)
        .current_dir(dir)
        .env("WALNUT_URL", url)
        .env("WALNUT_KEY", key)
        .env("TZ", "UTC")
        .env(
            "XDG_CACHE_HOME",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // A command that does not read it ends before all of it is written.
    let _ = input.write_all(stdin.as_bytes()).await;
    drop(input);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .expect("the command ends")
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
