//! The master key in a variable of the environment, and who may look at a host's environment.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Client;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::world::left_out;

/// Plenty for a machine under load.
const PATIENCE: Duration = Duration::from_secs(600);
const NAME: &str = "WALNUT_TEST_MASTER";
/// `nobody`, where the test runs as root.
const NOBODY: u32 = 65_534;

fn serve(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_walnut"));
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.join("log"))
        .unwrap();
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--set",
            "log.level=trace",
        ])
        .arg("--data")
        .arg(dir.join("root"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true);
    command
}

/// A host whose master key is in a variable, and its address; none when it does not start.
async fn host(dir: &Path, key: Option<&str>) -> (Child, Option<String>) {
    let mut command = serve(dir);
    command.args(["--master-key", &format!("env:{NAME}")]);
    if let Some(key) = key {
        command.env(NAME, key);
    }
    listening(command.spawn().unwrap()).await
}

async fn listening(mut child: Child) -> (Child, Option<String>) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let started = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(rest) = line.strip_prefix("walnut listens on ") {
                return rest.split(' ').next().map(str::to_owned);
            }
        }
        None
    };
    let url = tokio::time::timeout(PATIENCE, started).await.unwrap();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url)
}

async fn terminate(mut child: Child) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(sent.unwrap().success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
}

/// Everything that a host has written below this directory.
fn written(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(written(&path)),
            false => all.extend(std::fs::read(path).unwrap()),
        }
    }
    all
}

fn has(all: &[u8], secret: &[u8]) -> bool {
    all.windows(secret.len()).any(|window| window == secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_key_in_the_environment_is_written_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let key = "5eed".repeat(16);
    let (child, url) = host(dir, Some(&key)).await;
    let url = url.expect("the host starts");
    let root = std::fs::read_to_string(dir.join("root/root.key")).unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let add = client
        .post(format!("{url}/pay/domain"))
        .bearer_auth(root.trim());
    let added = add.json(&json!({ "name": "shop" })).send().await.unwrap();
    assert_eq!(added.status(), 200);
    let mut told = Vec::new();
    for path in ["/metrics", "/pay/doctor", "/pay/audit", "/healthz"] {
        let ask = client.get(format!("{url}{path}")).bearer_auth(root.trim());
        told.extend(ask.send().await.unwrap().bytes().await.unwrap());
    }
    terminate(child).await;
    // The same one opens what it has sealed.
    let (child, url) = host(dir, Some(&key)).await;
    assert!(url.is_some());
    terminate(child).await;

    // Another one, none, and what is none: each is told by the variable's name alone.
    let other = "0dd5".repeat(16);
    let short = &other[1..];
    for (given, said) in [
        (
            None,
            format!("the master key (the environment's {NAME}) is missing"),
        ),
        (
            Some(short),
            format!("the environment's {NAME} does not hold the master key's 64 hex digits"),
        ),
        (Some(other.as_str()), format!("the environment's {NAME}")),
    ] {
        let before = std::fs::read_to_string(dir.join("log")).unwrap().len();
        let (mut child, url) = host(dir, given).await;
        assert_eq!(url, None, "{given:?}");
        assert_eq!(child.wait().await.unwrap().code(), Some(1), "{given:?}");
        let log = std::fs::read_to_string(dir.join("log")).unwrap();
        assert!(
            log[before..].contains(&said),
            "{given:?}: {}",
            &log[before..]
        );
    }

    let all = written(dir);
    assert!(has(&all, b"the environment's") && !dir.join("root/master.key").exists());
    for secret in [&key, &other] {
        let raw = hex::decode(secret).unwrap();
        for form in [secret.as_bytes(), &raw] {
            assert!(!has(&all, form) && !has(&told, form));
        }
    }
    assert!(!has(&all, short.as_bytes()));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_other_program_of_the_hosts_user_may_look_into_it() {
    let dir = tempfile::tempdir().unwrap();
    // What the system lets be dumped belongs to the process's user, and to root else: so that user is not root.
    let as_root = std::fs::metadata(dir.path()).unwrap().uid() == 0;
    let mut command = serve(dir.path());
    let mut other = Command::new("sleep");
    other.arg("600").kill_on_drop(true);
    if as_root {
        for path in [dir.path().to_owned(), dir.path().join("log")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
        other.uid(NOBODY).gid(NOBODY);
    }
    let (child, other) = match (command.spawn(), other.spawn()) {
        (Ok(child), Ok(other)) => (child, other),
        (Err(error), _) | (_, Err(error)) => {
            return left_out("a host of another user", &error.to_string());
        }
    };
    let (child, url) = listening(child).await;
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(url.is_some(), "{log}");
    let owner = |child: &Child, file: &str| {
        let path = format!("/proc/{}/{file}", child.id().unwrap());
        std::fs::metadata(path).unwrap().uid()
    };
    for file in ["environ", "mem", "maps", "fd"] {
        assert_ne!(owner(&other, file), 0, "{file} of a program like others");
        assert_eq!(owner(&child, file), 0, "{file}");
    }
    terminate(child).await;
}
