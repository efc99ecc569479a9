//! `walnut sandbox`: what a merchant's developer starts beside a host.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::world::Host;

/// Plenty for a machine under load; nothing depends on it when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

struct Sandbox {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sandbox {
    fn start(host: &str, arguments: &[&str]) -> Sandbox {
        let mut child = Command::new(env!("CARGO_BIN_EXE_walnut"))
            .arg("sandbox")
            .args(arguments)
            .env("WALNUT_URL", host)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Sandbox { child, lines }
    }

    async fn line(&mut self) -> Option<String> {
        let read = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        read.expect("it says something").unwrap()
    }

    async fn end(&mut self) -> bool {
        let pid = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").unwrap().success()
    }
}

const FREE: [&str; 8] = [
    "--wx-port",
    "0",
    "--wx-tls-port",
    "0",
    "--zfb-port",
    "0",
    "--paypal-port",
    "0",
];

#[tokio::test(flavor = "multi_thread")]
async fn its_accounts_are_targets_as_they_are_printed() {
    let host = Host::start().await;
    let shop = host.domain("shop").await;
    let mut sandbox = Sandbox::start(host.url(), &[&FREE[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&sandbox.line().await.unwrap()).unwrap();
    let platforms: BTreeSet<&str> = told
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(platforms, BTreeSet::from(["paypal", "wx", "zfb"]));
    for platform in platforms {
        let settings = told[platform]["settings"].to_string();
        let args = ["target", "put", platform, "sandbox", "--test"];
        let put = host.walnut_given(shop.key(), &settings, &args).await;
        assert_eq!(put.code, 0, "{platform}: {put:?}");
        let controls = told[platform]["controls"].as_array().unwrap();
        assert!(controls.len() > 3, "{controls:?}");
    }

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let act = |platform: &str, path: &str, body: Value| {
        let url = format!("{}{path}", told[platform]["url"].as_str().unwrap());
        let request = client.post(url).json(&body);
        async move {
            assert!(
                request.send().await.unwrap().status().is_success(),
                "{body}"
            )
        }
    };
    for (pay_tp, path, field) in [
        ("wx.qrcode", "/buyer/pay", "link"),
        ("zfb.qrcode", "/buyer/pay", "qr_code"),
        ("paypal.page", "/buyer/approve", "token"),
    ] {
        let platform = pay_tp.split('.').next().unwrap();
        let order = match platform {
            "paypal" => json!({"fee": "2300USD"}),
            _ => json!({}),
        };
        let id = shop.create(order).await;
        let sent = shop.send_by(&id, pay_tp).await.data();
        act(platform, path, json!({field: sent["data"]})).await;
        shop.until_state(&id, "OK").await;
    }
    assert!(sandbox.end().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_prints_commands_for_a_person_and_stays_until_it_is_ended() {
    let mut sandbox = Sandbox::start("http://127.0.0.1:9", &FREE);
    let mut printed = Vec::new();
    while !printed
        .last()
        .is_some_and(|line: &String| line.contains("paypal sandbox"))
    {
        printed.push(sandbox.line().await.unwrap());
    }
    for command in [
        "walnut target put wx sandbox --test <<'END'",
        "curl -s -X POST http://127.0.0.1:",
    ] {
        assert!(
            printed.iter().any(|line| line.starts_with(command)),
            "{printed:#?}"
        );
    }
    let settings: Vec<Value> = printed
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(settings.len(), 2, "each on a line of its own");
    assert!(sandbox.end().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut arguments = FREE;
    arguments[5] = &port;
    let ended = Command::new(env!("CARGO_BIN_EXE_walnut"))
        .arg("sandbox")
        .args(arguments)
        .output();
    let ended = tokio::time::timeout(PATIENCE, ended)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success());
    assert!(said.contains("Alipay") && said.contains(&port), "{said}");
}
