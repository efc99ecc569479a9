//! One file with every option: checked before anything begins, read anew while the host runs.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::{Host, left_out, run_walnut};

/// `nobody`, where the test runs as root.
const NOBODY: u32 = 65_534;

async fn walnut(dir: &Path, args: &[&str]) -> crate::world::Ran {
    run_walnut("http://127.0.0.1:1", "", "", args, dir).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_can_be_used_and_a_mistake_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let example = walnut(dir.path(), &["config"]).await;
    assert_eq!(example.code, 0, "{example:?}");
    let file = dir.path().join("walnut.toml");
    std::fs::write(&file, &example.out).unwrap();
    let good = walnut(dir.path(), &["config", "check", "walnut.toml"]).await;
    assert_eq!(
        (good.code, good.out.as_str()),
        (0, "walnut.toml: all is well\n")
    );

    std::fs::write(&file, "data = \"d\"\n[log]\nfromat = \"json\"\nlevel = 3\n").unwrap();
    let said = "walnut.toml:3: there is no option log.fromat; is log.format meant?\n\
                walnut.toml:4: log.level has to be a text in quotes, and is integer\n";
    let bad = walnut(dir.path(), &["config", "check", "walnut.toml"]).await;
    assert_eq!((bad.code, bad.err.as_str()), (2, said));
    // Nothing is made by a host that does not start.
    let bad = walnut(dir.path(), &["serve", "--config", "walnut.toml"]).await;
    assert_eq!((bad.code, bad.err.as_str()), (2, said));
    assert!(!dir.path().join("d").exists());
    let bad = walnut(dir.path(), &["serve", "--instances", "0"]).await;
    let said = "--instances: instances = 0 is no whole number from 1 to 4096\n";
    assert_eq!((bad.code, bad.err.as_str()), (2, said));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_with_a_slip_in_its_name_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let serve = |variables: &[(&str, &[u8])]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walnut"));
        // A data root that cannot be made: the host says what it has to say of its options, and ends.
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data", "/dev/null/d"])
            .current_dir(dir.path())
            .env_remove("RUST_LOG");
        for (name, value) in variables {
            command.env(name, OsStr::from_bytes(value));
        }
        let ran = command.output().unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        (ran.status.code(), told)
    };
    let (code, told) = serve(&[
        ("WALNUT_PUBLIC_ULR", b"https://pay.example.com"),
        ("WALNUT_SERVICE_HOST", b"10.0.0.1"),
        ("WALNUT_PORT", b"tcp://10.0.0.1:80"),
        ("WALNUT_URL", b"http://127.0.0.1:1"),
    ]);
    assert_eq!(code, Some(1), "{told}");
    let warned: Vec<&str> = told.lines().filter(|line| line.contains("WARN")).collect();
    let [only] = warned[..] else {
        panic!("{told}");
    };
    assert!(
        only.ends_with("WALNUT_PUBLIC_ULR is no option; is WALNUT_PUBLIC_URL meant?"),
        "{only}"
    );
    let (code, told) = serve(&[("WALNUT_INSTANCES", b"\xff")]);
    assert_eq!(
        (code, told.as_str()),
        (Some(2), "WALNUT_INSTANCES is no text in UTF-8\n")
    );
}

/// What `/etc/walnut` is in the documented installation: the files are root's, and the host's group reads them.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_reads_what_its_group_may_read() {
    let dir = tempfile::tempdir().unwrap();
    let etc = dir.path().join("etc");
    let root = dir.path().join("root");
    for made in [&etc, &root] {
        std::fs::create_dir(made).unwrap();
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let file = |name: &str| etc.join(name).to_str().unwrap().to_owned();
    let options = format!(
        "store = \"file:{}\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
        file("store"),
        file("fullchain.pem"),
        file("privkey.pem"),
    );
    let nowhere = "postgres://walnut:s3cret@127.0.0.1:1/walnut?sslmode=disable";
    for (name, text) in [
        ("walnut.toml", options.as_str()),
        ("store", nowhere),
        ("fullchain.pem", &certificate),
        ("privkey.pem", &key.serialize_pem()),
    ] {
        std::fs::write(etc.join(name), text).unwrap();
        std::fs::set_permissions(etc.join(name), Permissions::from_mode(0o640)).unwrap();
    }
    std::fs::set_permissions(&etc, Permissions::from_mode(0o750)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_walnut"));
    if std::fs::metadata(&etc).unwrap().uid() == 0 {
        let group = |path: &Path| std::os::unix::fs::chown(path, Some(0), Some(NOBODY));
        for entry in std::fs::read_dir(&etc).unwrap() {
            group(&entry.unwrap().path()).unwrap();
        }
        group(&etc).unwrap();
        for path in [dir.path(), &root] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    // As far as PostgreSQL, which is not there.
    let ran = command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .arg("--data")
        .arg(root.join("data"))
        .env("WALNUT_CONFIG", etc.join("walnut.toml"))
        .current_dir(dir.path())
        .output();
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) => return left_out("a host of another user", &error.to_string()),
    };
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert!(
        told.contains("postgres://walnut@127.0.0.1:1/walnut") && !told.contains("denied"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_reads_its_options_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("walnut.toml");
    // The tests' own --instances wins.
    std::fs::write(
        &file,
        "instances = 1\nlog.level = \"warn\"\nlog.format = \"json\"\n",
    )
    .unwrap();
    let host = Host::start_with(&["--config", file.to_str().unwrap()]).await;
    // Nobody is told of this refusal at this level.
    let stranger = host.root().with_key("wk_root_0_0");
    assert_eq!(stranger.get("/pay/domain").await.status, 401);
    assert!(!host.log().contains("refused"));

    std::fs::write(
        &file,
        "overlap = true\nlog.level = \"info\"\nlog.format = \"pretty\"\n",
    )
    .unwrap();
    host.reload().await;
    let line = host.logged("read anew").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["changed"], "overlap log.level");
    let line = host.logged("at the next start").await;
    assert!(
        line.contains("at the next start, and not before: log.format"),
        "{line}"
    );

    std::fs::write(&file, "overlap = 1\n").unwrap();
    host.reload().await;
    let line = host.logged("stay as they are").await;
    assert!(
        line.contains("walnut.toml:1: overlap has to be true or false"),
        "{line}"
    );
    assert_eq!(host.root().get("/pay/domain").await.status, 200);
}
