//! A host that speaks TLS itself, and takes another certificate while it runs.

use std::fs;
use std::ops::Add as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Line;
use crate::world::{Host, run_walnut};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A certificate of its own authority, and its key.
pub(super) struct Pair {
    pub(super) certificate: String,
    key: String,
}

impl Pair {
    pub(super) fn make() -> Pair {
        Pair::ending_in(365, "127.0.0.1")
    }

    /// One for this name that ends in so many days.
    fn ending_in(days: u32, name: &str) -> Pair {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = SystemTime::now().add(DAY * days).into();
        Pair {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// Whoever believes this certificate alone.
    pub(super) fn client(&self) -> Client {
        let certificate = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        let client = Client::builder().no_proxy();
        client.tls_certs_only([certificate]).build().unwrap()
    }
}

/// The files that a host reads.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn of(pair: &Pair) -> Files {
        Files::with(&pair.certificate, &pair.key)
    }

    fn with(certificate: &str, key: &str) -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        files.put(certificate, key);
        files
    }

    fn put(&self, certificate: &str, key: &str) {
        fs::write(self.path("host.pem"), certificate).unwrap();
        fs::write(self.path("host.key"), key).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) async fn host(&self, more: &[&str]) -> Host {
        let (certificate, key) = (self.path("host.pem"), self.path("host.key"));
        let text = |path: &'_ Path| path.to_str().unwrap().to_owned();
        let (certificate, key) = (text(&certificate), text(&key));
        let mut options = vec!["--tls-certificate", &certificate, "--tls-key", &key];
        options.extend(more);
        Host::start_with(&options).await
    }
}

async fn alive(client: &Client, host: &Host) -> bool {
    let asked = client.get(format!("{}/healthz", host.url())).send().await;
    asked.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_takes_another_certificate_and_keeps_what_it_has_when_that_is_none() {
    let (first, second) = (Pair::make(), Pair::make());
    let files = Files::with(&first.certificate, &first.key);
    let host = files.host(&[]).await;
    assert!(host.url().starts_with("https://"), "{}", host.url());
    let early = first.client();
    assert!(alive(&early, &host).await);
    assert!(!alive(&second.client(), &host).await);
    // Nothing is said without TLS.
    let plain = Line::ask(&host, "127.0.0.1", "/healthz").await;
    assert!(!plain.contains("alive"), "{plain}");
    // A session's cookie goes by TLS alone.
    let session = format!("{}/pay/session", host.url());
    let sign_in = early
        .request(Method::POST, session)
        .header("x-walnut-page", "1")
        .json(&json!({ "key": host.root_key() }));
    let signed_in = sign_in.send().await.unwrap();
    assert_eq!(signed_in.status(), 200);
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-walnut_session="), "{cookie}");
    assert!(cookie.ends_with("; Secure"), "{cookie}");

    // The key of another one: nothing changes, and the operator is told.
    files.put(&second.certificate, &first.key);
    host.reload().await;
    let line = host.logged("the certificate stays as it was").await;
    assert!(line.contains("host.key"), "{line}");
    assert!(alive(&first.client(), &host).await);

    files.put(&second.certificate, &second.key);
    host.reload().await;
    host.logged("the certificate was read anew").await;
    assert!(alive(&second.client(), &host).await);
    assert!(!alive(&first.client(), &host).await);
    // Whoever was connected stays connected.
    assert!(alive(&early, &host).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_starts_no_host() {
    let (first, second) = (Pair::make(), Pair::make());
    let files = Files::with(&first.certificate, &second.key);
    let walnut =
        async |args: &[&str]| run_walnut("http://127.0.0.1:9", "", "", args, files.0.path()).await;
    let alone = walnut(&["serve", "--tls-key", "host.key"]).await;
    let said = "tls.certificate has to be given with tls.key\n";
    assert_eq!((alone.code, alone.err.as_str()), (2, said));
    let pair = [
        "serve",
        "--tls-certificate",
        "host.pem",
        "--tls-key",
        "host.key",
    ];
    let unfit = walnut(&pair).await;
    assert_eq!(unfit.code, 1, "{unfit:?}");
    assert!(unfit.err.contains("host.pem with host.key: "), "{unfit:?}");
    fs::remove_file(files.path("host.key")).unwrap();
    let gone = walnut(&pair).await;
    assert!(
        gone.code == 1 && gone.err.contains("host.key: "),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_end_costs_a_connection() {
    let pair = Pair::make();
    let files = Files::with(&pair.certificate, &pair.key);
    let host = files.host(&["--set", "incoming.handshake_seconds=1"]).await;
    for begun in ["", "\x16\x03\x01\x02"] {
        let mut line = Line::open(&host, "127.0.0.1").await;
        line.say(begun).await;
        assert_eq!(line.rest().await, "");
    }
    assert!(alive(&pair.client(), &host).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_certificate_is_told_before_it_comes() {
    let [near, soon, later] = [20, 3, 80].map(|days| Pair::ending_in(days, "127.0.0.1"));
    let files = Files::of(&near);
    let host = files.host(&[]).await;
    let ask = async |pair: &Pair, path: &str| {
        let ask = pair.client().get(format!("{}{path}", host.url()));
        let answer = ask.bearer_auth(host.root_key()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    // What was found of TLS, and in how many days the certificate ends.
    let looked = async |pair: &Pair| {
        let said: Value = serde_json::from_str(&ask(pair, "/pay/doctor").await).unwrap();
        let findings = said["data"]["findings"].as_array().unwrap();
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let found: Vec<(String, String)> = findings
            .iter()
            .map(|finding| (text(finding, "code"), text(finding, "gravity")))
            .filter(|(code, _)| code.starts_with("d.tls."))
            .collect();
        let metrics = ask(pair, "/metrics").await;
        let name = "walnut_tls_certificate_expiry_timestamp_seconds ";
        let until = metrics.lines().find_map(|line| line.strip_prefix(name));
        let until = Duration::from_secs(until.unwrap().parse().unwrap());
        let left = SystemTime::UNIX_EPOCH
            .add(until)
            .duration_since(SystemTime::now());
        // Rounded: a moment has gone by.
        (found, (left.unwrap() + DAY / 2).as_secs() / DAY.as_secs())
    };
    let is = |found: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = found
            .iter()
            .map(|(code, gravity)| ((*code).into(), (*gravity).into()));
        owned.collect()
    };
    let of_near = ("d.tls.certificate", "note");
    assert_eq!(looked(&near).await, (is(&[of_near]), 20));
    // Renewed, and nobody told the host; a key that is another's; and one that is told, which ends sooner.
    files.put(&later.certificate, &later.key);
    assert_eq!(
        looked(&near).await,
        (is(&[of_near, ("d.tls.files", "note")]), 20)
    );
    files.put(&later.certificate, &soon.key);
    assert_eq!(
        looked(&near).await,
        (is(&[of_near, ("d.tls.files", "wrong")]), 20)
    );
    files.put(&soon.certificate, &soon.key);
    host.reload().await;
    host.logged("the certificate was read anew").await;
    assert_eq!(
        looked(&soon).await,
        (is(&[("d.tls.certificate", "wrong")]), 3)
    );
    // All is well.
    files.put(&later.certificate, &later.key);
    host.reload().await;
    while !alive(&later.client(), &host).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(looked(&later).await, (Vec::new(), 80));
}
