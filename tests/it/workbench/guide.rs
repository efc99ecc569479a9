//! What the owner's guide shows works: its scripts run as they stand there. Its commands are read in the tests of the command
//! line, its Rust is compiled with the projects' crate.

use super::tried;

const GUIDES: [&str; 2] = [
    include_str!("../../../docs/callbacks.md"),
    include_str!("../../../docs/callbacks.zh-CN.md"),
];

/// The blocks of a language in a guide.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let parts = guide.split(fence.as_str()).skip(1);
    parts
        .map(|part| part.split("\n```").next().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scripts_of_the_guide_run() {
    let temp = tempfile::tempdir().unwrap();
    for guide in GUIDES {
        let [answers] = blocks(guide, "json")[..] else {
            panic!("one block of answers to requests");
        };
        std::fs::write(temp.path().join("answers.json"), answers).unwrap();
        let scripts = blocks(guide, "js");
        assert_eq!(scripts.len(), 2);
        for script in &scripts {
            std::fs::write(temp.path().join("callback.js"), script).unwrap();
            let report = tried(temp.path(), "callback.js", &["--web", "answers.json"]).await;
            assert!(report["answer"].is_object(), "{script}\n{report}");
        }
        // Without an answer the request is denied, which the script that sends one takes into account.
        let report = tried(temp.path(), "callback.js", &[]).await;
        assert_eq!(
            report["answer"]["parcel"],
            serde_json::Value::Null,
            "{report}"
        );
        assert_eq!(report["requests"][0]["step"], "ship", "{report}");
    }
}
