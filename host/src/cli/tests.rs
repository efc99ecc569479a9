//! Whole command lines, as the user's document and the original's manual write them.

use std::collections::BTreeSet;

use clap::CommandFactory;
use serde_json::{Value, json};

use super::args::tests::shell;
use super::client::Body;
use super::pay::Pay;
use super::*;

fn parse(line: &str) -> Result<Cli, String> {
    let args = args::translate(shell(line)).map_err(|error| error.to_string())?;
    Cli::try_parse_from(args).map_err(|error| error.to_string())
}

fn command(line: &str) -> Command {
    match parse(line) {
        Ok(cli) => cli.command,
        Err(error) => panic!("{line}: {error}"),
    }
}

/// What `pay create` sends.
fn create(line: &str, stdin: &str) -> Result<Value, String> {
    let Command::Pay(Pay::Create(create)) = parse(line)?.command else {
        unreachable!()
    };
    let call = create
        .call(1_000, || Ok(stdin.to_owned()))
        .map_err(|error| error.to_string())?;
    let Body::Json(body) = call.body else {
        unreachable!()
    };
    Ok(body)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// The owner's guide is for people who type what it says.
#[test]
fn every_command_of_the_owners_guide_is_understood() {
    for guide in [
        include_str!("../../../docs/callbacks.md"),
        include_str!("../../../docs/callbacks.zh-CN.md"),
    ] {
        let commands = guide.lines().filter(|line| line.starts_with("walnut "));
        let mut count = 0;
        for command in commands {
            let command = command.split(" && ").next().unwrap();
            if let Err(error) = parse(command) {
                panic!("{command}: {error}");
            }
            count += 1;
        }
        assert!(count > 15, "{count}");
    }
}

#[test]
fn every_line_of_the_document_and_the_manual_is_understood() {
    for line in [
        "walnut obj /var/payment -match \"{tp:'wn_payment'}\" -bish -t \
         'id,buyer_nm,seller_nm,fee,cur,st,pay_tp,pay_target,re_tp,ct,lm,brief' -sort lm:-1 -limit 10",
        "walnut pay create -bu walnut:0197 -fee 2300RMB -br BRIEF -se SELLER -cur RMB -meta {a:1} \
         -callback NAME -pt zfb.qrcode -ta shop ARG",
        "walnut pay create -fee 2300",
        "walnut audit --since now-1d --until 2026-11-23T08:30:00",
        "walnut pay send 0197 wx.scan shop 13061234567",
        "walnut pay send 0197 zfb.qrcode",
        "walnut pay check 0197",
        "walnut pay get 0197",
        "walnut pay get 0197 -cqn",
        "walnut pay query",
        "walnut pay query BRIEF -bu T:0197:xiaobai -se 0197:shop -fee 2300 -cur RMB -s_at 0 -c_at 0 \
         -st OK -t id,fee,ct:time -bish -sort ct:-1 -skip 10 -limit 10 -pager",
        "walnut pay query BRIEF -fee '[100,200]' -s_at '[now-1h,]' -c_at '(,now]' -st '^(OK|FAIL)$' -csv",
        "walnut pay query -after '' -limit 1000",
        "walnut pay query -cqnl -e '!^(ct|lm)$'",
        "walnut pay re '{out_trade_no:\"0197\"}' -idkey out_trade_no -s",
        "walnut pay re -idkey out_trade_no",
        "walnut pay re --file notify.txt --trade 0197f0e0a0b07c6d8e9f0a1b2c3d4e5f -H 'A: b' -H 'C: d'",
        "walnut pay history 0197",
        "walnut pay resolve 0197 accept --reason 'seen on the account'",
        "walnut cat /var/payment/0197",
        "walnut obj /var/payment/0197",
        "walnut obj /var/payment -ibase 1 -it id",
        "walnut domain add shop",
        "walnut domain list",
        "walnut domain key shop --test",
        "walnut target put zfb shop --file settings.json --test --default --domain shop",
        "walnut target list",
        "walnut callback put sale sale.wasm",
        "walnut callback list --json",
        "walnut callback test sale --payment p.json",
        "walnut callback delete sale",
        "walnut provider list",
        "walnut provider add zfb.wasm --approve ab12",
        "walnut --url http://127.0.0.1:1 pay --key k get 0197",
        "walnut pay get 0197 --url http://127.0.0.1:1",
        "walnut serve --data /srv/walnut --listen 0.0.0.0:80 --public-url https://pay.example.com \
         --instances 8 --allow-local-gateways --config walnut.toml --set log.format=json \
         --tls-certificate host.pem --tls-key host.key",
        "walnut config",
        "walnut config check walnut.toml",
        "walnut demo --once",
        "walnut doctor",
        "walnut doctor -json",
        "walnut doctor --targets --json --url http://127.0.0.1:1",
        "walnut store check --data /srv/walnut",
        "walnut store backup /backup/monday --data /srv/walnut",
        "walnut store restore /backup/monday --data /srv/walnut",
        "walnut vault rotate --data /srv/walnut",
        "walnut vault rotate --master-key env:OLD --to 'command:/usr/bin/kms get walnut' --store file:/etc/walnut/store",
    ] {
        if let Err(error) = parse(line) {
            panic!("{line}\n{error}");
        }
    }
}

#[test]
fn create_says_what_its_flags_say() {
    let line = "walnut pay create -br '一杯咖啡' -bu walnut:7 -sl shop -fee 99RMB -cur RMB -price 120 \
                -callback sale -meta \"{table:7,note:'no sugar'}\" -pt zfb.qrcode -ta shop -expi now+30m \
                -test";
    assert_eq!(
        create(line, "").unwrap(),
        json!({
            "brief": "一杯咖啡", "buyer": "walnut:7", "seller": "shop", "fee": "99RMB", "cur": "RMB",
            "price": 120, "callback": "sale", "table": 7, "note": "no sugar", "pay_tp": "zfb.qrcode",
            "pay_target": "shop", "args": [], "expi": 1_801_000, "test": true,
        })
    );
    let gnu = "walnut pay create --brief=一杯咖啡 --buyer walnut:7 --seller shop --fee 99RMB --cur RMB \
               --price 120 --callback sale --meta \"{table:7,note:'no sugar'}\" --pay-tp zfb.qrcode \
               --target shop --expi now+30m --test";
    assert_eq!(create(gnu, "").unwrap(), create(line, "").unwrap());

    assert_eq!(
        create("walnut pay create -fee 0", "").unwrap(),
        json!({"fee": 0})
    );
    assert_eq!(
        create("walnut pay create -fee -5", "").unwrap(),
        json!({"fee": -5})
    );
    assert_eq!(
        create(
            "walnut pay create -fee 1 -pt wx.scan -ta s 1306 -br '-5%'",
            ""
        )
        .unwrap(),
        json!({"fee": 1, "pay_tp": "wx.scan", "pay_target": "s", "args": ["1306"], "brief": "-5%"})
    );
}

#[test]
fn metadata_comes_from_standard_input_when_none_is_given() {
    for line in [
        "walnut pay create -fee 1 -meta",
        "walnut pay create -meta -fee 1",
        "walnut pay create -fee 1 -meta ''",
        "walnut pay create -fee 1 --meta",
    ] {
        assert_eq!(
            create(line, "{\"a\": [1]}").unwrap(),
            json!({"fee": 1, "a": [1]}),
            "{line}"
        );
    }
}

#[test]
fn mistakes_are_refused_before_the_host_is_asked() {
    for (line, word) in [
        ("walnut pay create", "--fee"),
        ("walnut pay create -fee", "--fee"),
        ("walnut pay create -fee 1 -amount 2", "-amount"),
        ("walnut pay create -fee 1 -fee 2", "--fee"),
        ("walnut pay create -fee 1 -ta shop", "-pt"),
        ("walnut pay create -fee 1 1306", "-pt"),
        ("walnut pay create -fee 1 -meta {fee:2}", "fee"),
        ("walnut pay create -fee 1 -meta {a", "character 3"),
        ("walnut pay create -fee 1 -expi soon", "soon"),
        ("walnut pay send 0197", "PAY_TP"),
        ("walnut pay re {a:1}", "--idkey"),
        ("walnut pay re --idkey a --file f", "--idkey"),
        ("walnut pay resolve 0197 accept", "--reason"),
        ("walnut pay resolve 0197 maybe --reason x", "maybe"),
        ("walnut pay renew 0197", "renew"),
        ("walnut serve --instances", "--instances"),
    ] {
        let error = match line.starts_with("walnut pay create") {
            true => create(line, "").map(|body| body.to_string()),
            false => parse(line).map(|_| String::new()),
        };
        let error = error.unwrap_err();
        assert!(error.contains(word), "{line}\n{error}");
    }
}

#[test]
fn help_is_there_and_h_is_the_header_where_the_original_has_it() {
    for line in [
        "walnut pay create -h",
        "walnut pay create --help",
        "walnut obj --help",
        "walnut obj -h",
        "walnut pay query -h",
    ] {
        let help = parse(line).err().unwrap_or_default();
        assert!(help.contains("Usage: walnut"), "{line}\n{help}");
    }
    let Command::Obj(_) = command("walnut obj /var/payment -h -t id") else {
        unreachable!()
    };
}

#[test]
fn query_filters_become_a_match() {
    let matching = |line: &str| {
        let Command::Pay(Pay::Query(query)) = command(line) else {
            unreachable!()
        };
        query
            .matching()
            .map(Value::Object)
            .map_err(|error| error.to_string())
    };
    for (line, expected) in [
        ("walnut pay query", json!({})),
        (
            "walnut pay query '一杯咖啡'",
            json!({"brief": "^.*一杯咖啡"}),
        ),
        (
            "walnut pay query '1.5 cups'",
            json!({"brief": "^.*1\\.5 cups"}),
        ),
        ("walnut pay query '^a cup'", json!({"brief": "^a cup"})),
        (
            "walnut pay query -bu :45..d2:",
            json!({"buyer_id": "^45.*d2$"}),
        ),
        (
            "walnut pay query -fee '[100,200]'",
            json!({"fee": "[100,200]"}),
        ),
        (
            "walnut pay query -fee '(1RMB,]'",
            json!({"fee": "(1,]", "cur": "RMB"}),
        ),
        (
            "walnut pay query -c_at '[,%ms:now-1h]' -s_at today",
            json!({"close_at": "[,%ms:now-1h]", "send_at": "today"}),
        ),
        ("walnut pay query -st '!OK'", json!({"st": "!OK"})),
        (
            "walnut pay query -bu ::xiaobai",
            json!({"buyer_nm": "xiaobai"}),
        ),
        ("walnut pay query -bu :45d2:", json!({"buyer_id": "45d2"})),
        (
            "walnut pay query -bu walnut:45d2",
            json!({"buyer_tp": 1, "buyer_id": "45d2"}),
        ),
        (
            "walnut pay query -bu members:7:a:b",
            json!({"buyer_tp": 2, "buyer_id": "7", "buyer_nm": "a:b"}),
        ),
        ("walnut pay query -se 7:", json!({"seller_id": "7"})),
        ("walnut pay query -se shop", json!({"seller_nm": "shop"})),
        ("walnut pay query -fee 2300", json!({"fee": 2300})),
        (
            "walnut pay query -fee 100RMB,200",
            json!({"fee": [100, 200], "cur": "RMB"}),
        ),
        (
            "walnut pay query -s_at 0 -cur usd",
            json!({"send_at": 0, "cur": "USD"}),
        ),
        ("walnut pay query -st OK", json!({"st": "OK"})),
        (
            "walnut pay query -st '^(OK|FAIL)$'",
            json!({"st": "^(OK|FAIL)$"}),
        ),
    ] {
        assert_eq!(matching(line).unwrap(), expected, "{line}");
    }
    for line in [
        "walnut pay query -bu xiaobai",
        "walnut pay query -fee '[1.5,2]'",
        "walnut pay query -st PAID",
        "walnut pay query -fee 1RMB,2USD",
        "walnut pay query -fee 1RMB -cur RMB",
    ] {
        assert!(matching(line).is_err(), "{line}");
    }
}

#[test]
fn a_notification_by_hand_is_bytes_or_a_question() {
    let re = |line: &str| {
        let Command::Pay(Pay::Re(re)) = command(line) else {
            unreachable!()
        };
        re
    };
    let id = |line: &str, stdin: &str| {
        re(line)
            .payment_id(|| Ok(stdin.to_owned()))
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        id(
            "walnut pay re {out_trade_no:'0197'} -idkey out_trade_no",
            ""
        )
        .unwrap(),
        "0197"
    );
    assert_eq!(
        id("walnut pay re -s -idkey no", "{\"no\":\"0198\"}").unwrap(),
        "0198"
    );
    let missing = id("walnut pay re {a:'0197'} -idkey b", "").unwrap_err();
    assert!(missing.starts_with("e.cmd.pay.re.noPoId"), "{missing}");

    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("notify");
    std::fs::write(&file, "a=1&sign=%2B").unwrap();
    let line = format!(
        "walnut pay re --file {} --trade 0197f0e0a0b07c6d8e9f0a1b2c3d4e5f -H 'Wechatpay-Nonce: a: b'",
        file.display()
    );
    let call = re(&line).notification().unwrap();
    assert_eq!(call.path, ["pay", "re", "0197f0e0a0b07c6d8e9f0a1b2c3d4e5f"]);
    assert_eq!(
        call.headers,
        [("Wechatpay-Nonce".to_owned(), "a: b".to_owned())]
    );
    assert!(matches!(call.body, Body::Bytes(bytes) if bytes == b"a=1&sign=%2B"));
    assert!(
        re(&line.replace("0197f0", "0197F0"))
            .notification()
            .is_err()
    );
    assert!(
        re(&line.replace("Nonce:", "Nonce")).notification().is_ok(),
        "the second colon"
    );
}

#[test]
fn exit_codes_tell_what_happened() {
    let refused = CliError::Refused {
        code: "e.pay.noexists".into(),
        message: "no such".into(),
    };
    assert_eq!(
        (refused.exit_code(), refused.to_string().as_str()),
        (1, "e.pay.noexists: no such")
    );
    assert_eq!(CliError::usage("x").exit_code(), 2);
}

/// Commands that need no host, or that run one.
const WITHOUT_A_HOST: &[&str] = &[
    "serve",
    "demo",
    "sandbox",
    "callback new",
    "config check",
    "store check",
    "provider new-key",
    "provider sign",
    "store backup",
    "store migrate",
    "store restore",
    "vault rotate",
];

#[test]
fn the_table_of_callers_knows_every_command() {
    fn leaves(command: &clap::Command, above: &str, found: &mut BTreeSet<String>) {
        for verb in command.get_subcommands() {
            let name = format!("{above} {}", verb.get_name());
            match verb.has_subcommands() {
                true => leaves(verb, &name, found),
                false => {
                    found.insert(name.trim().to_owned());
                }
            }
        }
    }
    let mut commands = BTreeSet::new();
    leaves(&Cli::command(), "", &mut commands);
    let known = crate::http::access::commands();
    let listed = known.iter().chain(WITHOUT_A_HOST);
    let listed: BTreeSet<String> = listed.map(|&command| command.to_owned()).collect();
    assert_eq!(commands, listed);
}
