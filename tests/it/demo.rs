//! `walnut demo`: what a newcomer sees, and what it says to try next.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::world::left_out;

/// Plenty for a machine under load; nothing depends on it when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The steps, in their order.
const STEPS: [&str; 6] = [
    "created",
    "sent",
    "the buyer pays",
    "notification",
    "OK",
    "callback applied",
];

/// A running demo, with its data below a directory of its own.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    place: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Demo {
        let place = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_walnut"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", place.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Demo {
            child,
            lines,
            place,
        }
    }

    /// What it prints up to this line, or to its end.
    async fn until(&mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut printed = Vec::new();
        let reading = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                let ends = last(&line);
                printed.push(line);
                if ends {
                    break;
                }
            }
        };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        assert!(read.is_ok(), "it stopped talking: {printed:#?}");
        printed
    }

    fn data_roots(&self) -> usize {
        std::fs::read_dir(self.place.path()).unwrap().count()
    }

    /// Sends it a signal, if any, and waits for its end.
    async fn end(&mut self, signal: Option<&str>) -> ExitStatus {
        if let Some(signal) = signal {
            let pid = self.child.id().unwrap().to_string();
            let sent = Command::new("kill").args([signal, &pid]).status().await;
            assert!(sent.unwrap().success());
        }
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").unwrap()
    }
}

/// The steps that are shown, each with what it says.
fn steps(printed: &[String]) -> Vec<(&str, &str)> {
    let steps = printed.iter().filter_map(|line| line.split_once(" | "));
    steps.map(|(step, how)| (step.trim(), how)).collect()
}

/// The payment that is printed behind the steps.
fn payment(printed: &[String]) -> Value {
    let title = printed
        .iter()
        .position(|line| line == "The finished payment:");
    let text = printed[title.unwrap() + 1..].join("\n");
    let mut values = serde_json::Deserializer::from_str(&text).into_iter();
    values.next().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_one_payment_step_by_step_and_ends() {
    let mut demo = Demo::start(&["--once"]);
    let printed = demo.until(|_| false).await;
    assert!(demo.end(None).await.success(), "{printed:#?}");
    let steps = steps(&printed);
    let names: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
    assert_eq!(names, STEPS);
    let payment = payment(&printed);
    let id = payment["id"].as_str().unwrap();
    assert!(steps[0].1.contains(id) && steps[0].1.contains("st NEW"));
    assert!(steps[1].1.contains("st WAIT") && steps[1].1.contains("http://127.0.0.1:"));
    assert!(steps[3].1.contains("\"success\""));
    assert!(steps[5].1.contains(&payment["apply_re"].to_string()));
    assert!(printed.iter().any(|line| line.contains('█')), "a QR code");
    assert_eq!(payment["st"], "OK");
    assert_eq!(payment["zfb"]["trade_no"], id);
    assert_eq!(payment["apply_re"]["recorded"], true);
    assert!(payment["apply_at"].as_u64() >= payment["close_at"].as_u64());
    assert_ne!(payment["close_at"], 0);
    assert_eq!(demo.data_roots(), 0, "nothing is left behind");
}

/// What one of the printed commands gives in the shell of a newcomer, who typed the exports first.
async fn type_in(demo: &Demo, exports: &[String], command: &str) -> String {
    let typed = [exports, &[command.to_owned()]].concat().join("\n");
    let shell = Command::new("sh")
        .args(["-e", "-c", &typed])
        .current_dir(demo.place.path())
        .env_remove("WALNUT_URL")
        .env_remove("WALNUT_KEY")
        // Whatever proxy the environment names: all of this is on this machine.
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, shell)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}\n{said}\n{errors}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_demo_says_to_try_next_works_as_it_is_printed() {
    let mut demo = Demo::start(&[]);
    let printed = demo.until(|line| line.contains("/pay/ajax/query")).await;
    let first = payment(&printed);
    let title = |line: &String| line.starts_with("The host stays up until Ctrl-C");
    let next = printed.iter().skip_while(|line| !title(line));
    let lines = next.filter_map(|line| line.strip_prefix("  ").map(str::to_owned));
    let (pages, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("the "));
    let (exports, commands): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .partition(|line| line.starts_with("export "));
    assert_eq!(exports.len(), 2, "{printed:#?}");
    assert_eq!(pages.len(), 3, "{printed:#?}");
    for page in pages {
        let address = page.split(' ').find(|word| word.starts_with("http"));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let opened = http.get(address.unwrap()).send().await.unwrap();
        assert_eq!(opened.status(), 200, "{page}");
    }
    let [create, pay, get, list, post, query] = commands.as_slice() else {
        panic!("not the commands that this story is about: {commands:#?}");
    };
    let run = |command: &str| {
        let command = command.to_owned();
        let (demo, exports) = (&demo, &exports);
        async move { type_in(demo, exports, &command).await }
    };
    let read = |said: &str| serde_json::from_str::<Value>(said).unwrap();

    let sent = read(&run(create).await);
    assert_eq!(sent["status"], "WAIT");
    let id = sent["payObjId"].as_str().unwrap();
    let get = get.replace("<id>", id);
    let looked_at = read(&run(&get).await);
    assert_eq!(
        (&looked_at["st"], &looked_at["fee"]),
        (&json!("WAIT"), &json!(4200))
    );
    let listed = run(list).await;
    for part in [
        "pay_target",
        "brief",
        id,
        first["id"].as_str().unwrap(),
        "WAIT",
        "OK",
    ] {
        assert!(listed.contains(part), "{part} is missing:\n{listed}");
    }

    if run("command -v curl || echo none").await.trim() == "none" {
        left_out(
            "what the demo says to do with curl",
            "this machine has none",
        );
    } else {
        let code = sent["data"].as_str().unwrap();
        let bought = read(&run(&pay.replace("<the data above>", code)).await);
        assert_eq!(bought["ok"], true, "{bought}");
        let applied = async {
            while read(&run(&get).await)["apply_at"] == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, applied)
            .await
            .expect("it is applied");
        let applied = read(&run(&get).await);
        assert_eq!(
            (&applied["st"], &applied["apply_re"]["number"]),
            (&json!("OK"), &json!(2))
        );
        let posted = read(&run(post).await);
        assert_eq!(posted["data"]["status"], "WAIT", "{posted}");
        let found = read(&run(query).await)["data"].take();
        assert_eq!(found.as_array().unwrap().len(), 3);
        assert_eq!(
            found[0]["id"], posted["data"]["payObjId"],
            "the newest first"
        );
    }

    assert_eq!(demo.data_roots(), 1);
    assert!(demo.end(Some("-TERM")).await.success());
    assert_eq!(demo.data_roots(), 0, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_demo_wherever_it_is() {
    // Just begun, in the middle of its payment, and when it has shown everything.
    for last in ["walnut demo: ", "created | ", "/pay/ajax/query"] {
        let mut demo = Demo::start(&[]);
        demo.until(|line| line.contains(last)).await;
        let ended = demo.end(Some("-INT")).await;
        assert!(ended.success(), "at {last:?}: {ended}");
        let rest = demo.until(|_| false).await;
        assert!(
            rest.iter().any(|line| line.starts_with("Stopping")),
            "{rest:?}"
        );
        assert_eq!(demo.data_roots(), 0, "nothing is left behind");
    }
}
