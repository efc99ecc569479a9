//! What goes wrong is told on standard error, with an exit code, and says what to do.

use serde_json::json;
use tokio::net::TcpListener;

use super::{Terminal, words};
use crate::world::{World, run_walnut};

/// 1 is the host's no.
const REFUSED: i32 = 1;
/// 2 is a line that cannot be used.
const USAGE: i32 = 2;
/// 3 is that there is no host.
const NO_HOST: i32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_ends_on_standard_error_with_its_code() {
    let world = World::start().await;
    let shop = Terminal {
        host: &world.host,
        key: world.shop.key(),
    };
    let id = world.shop.create(json!({})).await;
    let nobody = "0190a5b1c2d37e4f8a9b0c1d2e3f4a5b";
    shop.write("bad.json", b"{a");
    for (line, code, words) in [
        // The host's no, with its errCode.
        (
            format!("pay get {nobody}"),
            REFUSED,
            &["e.pay.noexists: no such payment"][..],
        ),
        (format!("pay check {nobody}"), REFUSED, &["e.pay.noexists"]),
        (
            format!("pay send {nobody} zfb.qrcode"),
            REFUSED,
            &["e.pay.noexists"],
        ),
        (
            format!("pay history {nobody}"),
            REFUSED,
            &["e.pay.noexists"],
        ),
        (
            format!("cat /var/payment/{nobody}"),
            REFUSED,
            &["e.pay.noexists"],
        ),
        (
            format!("obj /var/payment/{nobody}"),
            REFUSED,
            &["e.pay.noexists"],
        ),
        (
            format!("pay re {{id:'{nobody}'}} -idkey id"),
            REFUSED,
            &["e.pay.noexists"],
        ),
        (
            "pay get x".into(),
            REFUSED,
            &["e.pay.invalid", "32 hex digits"],
        ),
        (
            format!("pay send {id} wx.nothing"),
            REFUSED,
            &["e.pay.no3x", "wx.nothing"],
        ),
        (
            format!("pay send {id} free"),
            REFUSED,
            &["open are: ", "zfb.qrcode main"],
        ),
        (
            "pay create -fee 0.01".into(),
            REFUSED,
            &["e.pay.invalid.fee", "whole minor units"],
        ),
        (
            "pay create -fee -1".into(),
            REFUSED,
            &["e.pay.invalid.fee", "out of range"],
        ),
        (
            "pay create -fee 1 -meta st:OK".into(),
            REFUSED,
            &["e.pay.meta.reserved", "\"st\""],
        ),
        (
            "pay create -fee 1 -bu xiaobai".into(),
            REFUSED,
            &["e.pay.invalid.buyer", "TYPE:ID"],
        ),
        (
            "pay create -fee 1 -sl rival".into(),
            REFUSED,
            &["e.pay.noMatchSeller"],
        ),
        (
            "pay create -fee 1 -callback none".into(),
            REFUSED,
            &["upload it first"],
        ),
        (
            "pay create -fee 1 -pt zfb.nothing 28".into(),
            REFUSED,
            &["e.pay.no3x: "],
        ),
        (
            "obj /var/payment -match ct:soon".into(),
            REFUSED,
            &["ct: soon: a time is"],
        ),
        (
            "obj /var/payment -limit 5000".into(),
            REFUSED,
            &["between 1 and 1000"],
        ),
        ("domain add more".into(), REFUSED, &["e.pay.nopvg", "root"]),
        ("domain list".into(), REFUSED, &["e.pay.nopvg"]),
        (
            "provider add bad.json".into(),
            REFUSED,
            &["e.pay.nopvg", "root"],
        ),
        (
            "target put zfb main --test --file bad.json".into(),
            USAGE,
            &["bad.json: ", "character 3"],
        ),
        // A line that cannot be used: nobody is asked.
        ("pay create".into(), USAGE, &["--fee"]),
        ("pay create -fee".into(), USAGE, &["--fee"]),
        (
            "pay create -amount 5".into(),
            USAGE,
            &["no option -amount", "-fee"],
        ),
        (
            "pay create -fee 1 -meta {a".into(),
            USAGE,
            &["-meta: ", "character 3"],
        ),
        (
            "pay create -fee 1 -meta a:1,a:2".into(),
            USAGE,
            &["second time"],
        ),
        (
            "pay create -fee 1 -meta fee:2".into(),
            USAGE,
            &["own option"],
        ),
        ("pay create -fee 1 -ta main".into(), USAGE, &["-pt"]),
        ("pay create -fee 1 -expi soon".into(), USAGE, &["now+30m"]),
        (format!("pay send {id}"), USAGE, &["PAY_TP"]),
        ("pay re {a:1}".into(), USAGE, &["--idkey"]),
        (
            "pay re {a:1} -idkey id".into(),
            USAGE,
            &["e.cmd.pay.re.noPoId"],
        ),
        ("pay re -idkey id".into(), USAGE, &["e.cmd.pay.re.noPoId"]),
        (
            "pay re -file none.txt".into(),
            USAGE,
            &["cannot read none.txt"],
        ),
        (
            "pay re -file bad.json -trade X".into(),
            USAGE,
            &["32 lower-case hex digits"],
        ),
        (
            "pay re -file bad.json -H nonsense".into(),
            USAGE,
            &["'Name: value'"],
        ),
        (
            "pay query -fee [2,1]".into(),
            REFUSED,
            &["the lower end stands first"],
        ),
        (
            "pay query -st PAID".into(),
            USAGE,
            &["NEW, WAIT, OK and FAIL"],
        ),
        ("pay query -bu xiaobai".into(), USAGE, &["::xiaobai"]),
        ("pay renew x".into(), USAGE, &["renew"]),
        ("obj /home".into(), USAGE, &["/var/payment"]),
        (
            "obj /var/payment -match {a".into(),
            USAGE,
            &["-match: ", "character 3"],
        ),
        ("obj /var/payment -sort lm".into(), USAGE, &["lm:-1"]),
        ("obj /var/payment -t ct:date".into(), USAGE, &["ct:time"]),
        (
            "obj /var/payment -e (".into(),
            USAGE,
            &["regular expression"],
        ),
        ("cat /var/payment".into(), USAGE, &["/var/payment/<id>"]),
        (
            "callback put sale none.wasm".into(),
            USAGE,
            &["cannot read none.wasm"],
        ),
        ("nonsense".into(), USAGE, &["nonsense"]),
    ] {
        let ran = shop.run(&line).await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{line}: {ran:?}");
        for word in words {
            assert!(
                ran.err.contains(word),
                "{line}: {word:?} is missing: {}",
                ran.err
            );
        }
    }
    assert_eq!(world.shop.causes(&id).await, ["create"]);
    let found = world.shop.get("/pay/ajax/query?pager=true").await.data();
    assert_eq!(found["pager"]["total"], 1, "nothing was made");
    assert!(world.alipay.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_or_with_a_strange_one_it_says_which_is_wanted() {
    let world = World::start().await;
    for (key, words) in [
        ("", "WALNUT_KEY or --key"),
        ("wk_live_0000000000000000_AAAA", "not known here"),
        ("line\nbreak", "characters that no key has"),
    ] {
        let host = &world.host;
        for line in [
            "pay query",
            "pay create -fee 1",
            "provider list",
            "target list",
        ] {
            let ran = Terminal { host, key }.run(line).await;
            assert_ne!(ran.code, 0, "{line}: {ran:?}");
            assert_eq!(ran.out, "", "{line}");
            assert!(ran.err.contains(words), "{line}: {ran:?}");
            assert!(
                key.is_empty() || !ran.err.contains(key),
                "the key is not repeated"
            );
        }
    }
    // --key is the same as WALNUT_KEY and wins.
    let line = format!("pay query -c --key {}", world.shop.key());
    let ran = Terminal {
        host: &world.host,
        key: "wk_live_0000000000000000_AAAA",
    }
    .run(&line)
    .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]\n"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_host_it_says_how_to_start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let dir = tempfile::tempdir().unwrap();
    let run = |url: &'static str, line: &str| {
        let (url, line) = (url.replace("NOBODY", &nobody), words(line));
        let dir = dir.path();
        async move {
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            run_walnut(&url, "wk_live_0000000000000000_AAAA", "", &line, dir).await
        }
    };
    for line in [
        "pay query",
        "pay create -fee 1",
        "domain list",
        "cat /var/payment/1",
    ] {
        let ran = run("NOBODY", line).await;
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (NO_HOST, ""),
            "{line}: {ran:?}"
        );
        for word in [nobody.as_str(), "walnut serve", "WALNUT_URL"] {
            assert!(ran.err.contains(word), "{line}: {ran:?}");
        }
    }
    for url in [
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "http://user:secret@127.0.0.1",
    ] {
        let ran = run(url, "pay query").await;
        assert_eq!(ran.code, USAGE, "{url}: {ran:?}");
    }
    // Somebody who is no walnut host.
    let world = walnut_sandbox::alipay::Alipay::start(Default::default())
        .await
        .unwrap();
    let line = format!("pay query --url {}", world.url());
    let ran = run("NOBODY", &line).await;
    assert_eq!((ran.code, ran.out.as_str()), (NO_HOST, ""), "{ran:?}");
    assert!(
        ran.err.contains("does not answer as a walnut host"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn help_and_version_are_no_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    for (line, word) in [
        ("--version", env!("CARGO_PKG_VERSION")),
        ("--help", "Exit codes: 0 done"),
        ("pay --help", "create"),
        ("pay create -h", "-callback"),
        ("pay query -h", "-s_at"),
        ("obj -h", "/var/payment"),
        ("target put --help", "--default"),
        ("serve --help", "--allow-local-gateways"),
    ] {
        let line = words(line);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let ran = run_walnut("http://127.0.0.1:1", "", "", &line, dir.path()).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line:?}: {ran:?}");
        assert!(ran.out.contains(word), "{line:?}: {ran:?}");
    }
}
