//! The operator's and the owner's commands: domains, keys, targets, callbacks, providers.

use serde_json::{Value, json};

use super::Terminal;
use crate::world::{Host, RECORD_SALE, Shop, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sets_a_domain_up_and_its_owner_the_rest() {
    let world = World::start().await;
    let host = &world.host;
    let root = Terminal {
        host,
        key: host.root_key(),
    };
    let added = root.json("domain add cafe").await;
    assert_eq!(added["name"], "cafe");
    let listed = root.prints("domain list").await;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("name | id "), "{listed}");
    let id = added["id"].as_str().unwrap();
    assert!(
        lines[2].starts_with(&format!("cafe | {id} | 2")),
        "{listed}"
    );
    assert_eq!(lines.last(), Some(&"total 2 items"));
    let all = root.json("domain list --json").await;
    assert_eq!(all[0], added);

    // The key alone goes to standard output, so that a script can keep it.
    let issued = root.run("domain key cafe --test").await;
    assert_eq!(issued.code, 0, "{issued:?}");
    assert!(issued.err.contains("cannot show it again"), "{issued:?}");
    let key = issued.out.trim_end();
    assert!(key.starts_with("wk_test_") && !key.contains('\n'), "{key}");
    let owner = Terminal { host, key };

    let body = Shop::target_body(&world.alipay, &world.account);
    let settings = body["settings"].to_string();
    owner.write("zfb.json", settings.as_bytes());
    let put = "target put zfb till --file zfb.json --test --default";
    let kept = owner.json(put).await;
    let url = kept["notify_url"].as_str().unwrap();
    assert!(url.contains("/pay/re/t/"), "{url}");
    assert_eq!(
        kept,
        json!({ "platform": "zfb", "name": "till", "version": 1, "test": true, "notify_url": url })
    );
    let shown = owner.json("target show zfb till").await;
    assert_eq!(
        (&shown["notify_url"], &shown["version"]),
        (&json!(url), &json!(1))
    );
    let again = owner.given(&settings, "target put zfb till --test").await;
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(
        owner.prints("target list").await,
        format!(
            "\
platform | name | version | test | default | retired | notify_url
---------+------+---------+------+---------+---------+-{rule}
zfb      | till | 2       | true | false   | false   | {url}
---------+------+---------+------+---------+---------+-{rule}
total 1 items
",
            rule = "-".repeat(url.len()),
        )
    );
    let secret = &world.account.merchant_private_key()[..40];
    for line in ["target list --json", "target list", "target show zfb till"] {
        assert!(!owner.prints(line).await.contains(secret));
    }

    owner.write("sale.wasm", walnut_bundle::RECORD_SALE);
    let kept = owner.json("callback put sale sale.wasm").await;
    assert_eq!(kept["len"], walnut_bundle::RECORD_SALE.len());
    let table = owner.prints("callback list").await;
    let row = format!(
        "sale | component | 1       | {} | {}",
        kept["len"],
        kept["sha256"].as_str().unwrap()
    );
    assert_eq!(table.lines().nth(2), Some(row.as_str()));
    let all = owner.json("callback list --json").await;
    assert_eq!(all[0]["sha256"], kept["sha256"]);

    let sold = owner
        .json("pay create -fee 2300 -callback sale -pt zfb.qrcode")
        .await;
    assert_eq!(sold["status"], "WAIT");
    // For root everything has a --domain.
    let listed = root.prints("callback list --domain cafe").await;
    assert_eq!(listed, table);
    root.prints("target list --domain cafe").await;
    root.json("callback delete sale --domain cafe").await;
    assert_eq!(owner.json("callback list --json").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_tried_before_it_is_kept_and_after() {
    let world = World::start().await;
    let owner = Terminal {
        host: &world.host,
        key: world.shop.key(),
    };
    owner.write("new.wasm", walnut_bundle::RECORD_SALE);
    owner.write(
        "payment.json",
        "{id:'0190a5b1c2d37e4f8a9b0c1d2e3f4a5b', brief:'茶', fee:2300, cur:RMB, st:OK}".as_bytes(),
    );
    for line in [
        format!("callback test {RECORD_SALE} --payment payment.json"),
        "callback test new.wasm --payment payment.json --json".to_owned(),
    ] {
        let run = owner.json(&line).await;
        assert_eq!(run["error"], json!(null), "{line}: {run}");
        let answer = match &run["answer"] {
            // The host gives the text as it keeps it.
            Value::String(text) => serde_json::from_str(text).unwrap(),
            read => read.clone(),
        };
        assert_eq!(answer["sold_minor"], 2300, "{line}");
        let keys: Vec<_> = run["kv"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| &w["key"])
            .collect();
        assert_eq!(
            keys,
            [
                "sale/0190a5b1c2d37e4f8a9b0c1d2e3f4a5b",
                "sales/CNY/count",
                "sales/CNY/minor"
            ],
            "{line}"
        );
    }
    // Without a payment the host makes one up.
    let run = owner.json(&format!("callback test {RECORD_SALE}")).await;
    assert_eq!(run["error"], json!(null), "{run}");
    assert_eq!(owner.json("callback list --json").await[1], json!(null));

    owner.write("text.js", b"return {");
    for (line, words) in [
        (
            "callback put late text.js",
            "e.pay.callback.refused: the script has an error in line 1, column 9",
        ),
        ("callback put ../late new.wasm", "e.pay.invalid.name"),
        ("callback test nowhere", "e.pay.callback.noexists"),
        ("callback delete nowhere", "e.pay.callback.noexists"),
    ] {
        let ran = owner.run(line).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}: {ran:?}");
        assert!(ran.err.starts_with(words), "{line}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_told_in_words_and_added_by_its_digest() {
    let host = Host::start().await;
    let root = Terminal {
        host: &host,
        key: host.root_key(),
    };
    let told = root.prints("provider list").await;
    for words in [
        "free 0.1.0  sha256 ",
        "\n  It may send nothing to anybody.\n",
        "\nzfb 0.1.0  sha256 ",
        "\n  It may send POST to https://openapi.alipay.com/gateway.do for live targets",
        "app_private_key is a key (rsa-private), kept secret in the host, used for: request and client.",
        "amount at /total_amount in major units with decimals; currency always CNY",
        "paid when it is TRADE_SUCCESS or TRADE_FINISHED",
        "answered with 200 text/plain \"success\" when it is recorded",
    ] {
        assert!(told.contains(words), "{words:?} is missing: {told}");
    }
    let listed = root.json("provider list --json").await;
    assert_eq!(listed[3]["name"], "zfb");

    root.write("liar.wasm", walnut_test_guests::LIAR);
    let read = root.run("provider add liar.wasm").await;
    assert_eq!(read.code, 2, "something is left to be done: {read:?}");
    let digest = read.out.lines().next().unwrap().rsplit(' ').next().unwrap();
    let next = format!("walnut provider add liar.wasm --approve {digest}");
    assert!(read.err.contains(&next), "{read:?}");
    assert_eq!(root.json("provider list --json").await, listed);
    for (digest, code, words) in [
        ("ab12", 2, "64 hex digits"),
        (&"ab".repeat(32), 1, "e.pay.provider.refused"),
    ] {
        let line = format!("provider add liar.wasm --approve {digest}");
        let ran = root.run(&line).await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
        assert!(ran.err.contains(words), "{ran:?}");
    }
    let added = root.json(next.strip_prefix("walnut ").unwrap()).await;
    assert_eq!(added["digest"], digest);
    let told = root.prints("provider list").await;
    assert!(told.contains(digest), "{told}");
}
