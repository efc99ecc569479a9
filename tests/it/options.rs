//! One file with every option: checked before anything begins, read anew while the host runs.

use std::path::Path;

use serde_json::Value;

use crate::world::{Host, run_walnut};

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
