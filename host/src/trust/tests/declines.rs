//! Refusals that name no trade: the host knows for which trade it asked, and nothing but "declined" follows.

use serde_json::json;

use super::wechat::{WX, wx, wx_target};
use super::*;
use crate::trust::{
    ClaimError, ManifestError, Outgoing, Prepared, Reading, Stated, prepare, read_claim,
};

const ALIPAY: &str = include_str!("../../../../plugins/providers/zfb/manifest.json");
const PAY: &str = "alipay.trade.pay";
const OTHER: &str = "0190a1b2c3d47e5f8091a2b3c4d5e6f8";
const CODEPAY: &str = "POST /v3/pay/transactions/codepay";
const MICROPAY: &str = "POST /pay/micropay";

fn alipay() -> Manifest {
    Manifest::parse(ALIPAY.as_bytes()).unwrap()
}

/// A request to pay at the till, with this `biz_content`.
fn till(biz_content: &str, auth: Option<&str>) -> Outgoing {
    Outgoing {
        method: "POST".to_owned(),
        url: format!("https://openapi.alipay.com/gateway.do?method={PAY}"),
        headers: Vec::new(),
        body: form::write([("biz_content", biz_content)]).into_bytes(),
        auth: auth.map(str::to_owned),
        identity: None,
    }
}

fn wechat(path: &str, body: &str, auth: &str) -> Outgoing {
    Outgoing {
        method: "POST".to_owned(),
        url: format!("https://api.mch.weixin.qq.com{path}"),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        auth: Some(auth.to_owned()),
        identity: None,
    }
}

fn trade_of(manifest: &Manifest, target: &Target, request: Outgoing) -> Option<String> {
    let Prepared { trade, .. } = prepare(manifest, target, request, NOW_MS).unwrap();
    trade
}

#[test]
fn the_host_reads_in_its_own_request_which_trade_it_is_about() {
    let manifest = alipay();
    let key = ("content_key", "aa4BtZ4tspm2wnXLb1ThQA==");
    for target in [live(&manifest), target_with(&manifest, false, &[key])] {
        let trade = |text: &str| trade_of(&manifest, &target, till(text, Some("gateway")));
        let named = format!(r#"{{"subject":"茶","out_trade_no":"{TRADE}"}}"#);
        assert_eq!(trade(&named).as_deref(), Some(TRADE));
        for nameless in [
            "",
            "{}",
            "no JSON",
            r#"{"out_trade_no":null}"#,
            r#"{"out_trade_no":["1"]}"#,
            r#"{"a":{"out_trade_no":"1"}}"#,
            // Whichever of both Alipay would take.
            r#"{"out_trade_no":"1","out_trade_no":"2"}"#,
        ] {
            assert_eq!(trade(nameless), None, "{nameless}");
        }
    }
    let unsigned = till(&format!(r#"{{"out_trade_no":"{TRADE}"}}"#), None);
    assert_eq!(trade_of(&manifest, &live(&manifest), unsigned), None);

    let manifest = wx();
    let target = wx_target(&manifest, &[]);
    for (path, auth, named, nameless) in [
        (
            "/v3/pay/transactions/codepay",
            "request",
            format!(r#"{{"out_trade_no":"{TRADE}","payer":{{}}}}"#),
            r#"{"payer":{"out_trade_no":"1"}}"#,
        ),
        (
            "/pay/micropay",
            "v2-request",
            format!("<xml><body>茶</body><out_trade_no>{TRADE}</out_trade_no></xml>"),
            "<xml><out_trade_no></out_trade_no></xml>",
        ),
    ] {
        let trade = |body: &str| trade_of(&manifest, &target, wechat(path, body, auth));
        assert_eq!(trade(&named).as_deref(), Some(TRADE), "{path}");
        assert_eq!(trade(nameless), None, "{path}");
    }
    // Where the manifest does not say so, no request is about a trade.
    let order = wechat(
        "/v3/pay/transactions/native",
        &format!(r#"{{"out_trade_no":"{TRADE}"}}"#),
        "request",
    );
    let mut silent: Value = serde_json::from_str(WX).unwrap();
    for reach in silent["reach"].as_array_mut().unwrap() {
        if reach["path"] == "/v3/pay/transactions/native" {
            reach.as_object_mut().unwrap().remove("trade");
        }
    }
    let silent = Manifest::parse(silent.to_string().as_bytes()).unwrap();
    assert_eq!(
        trade_of(&manifest, &target, order.clone()).as_deref(),
        Some(TRADE)
    );
    assert_eq!(trade_of(&silent, &target, order), None);
}

#[test]
fn a_trade_may_stand_in_the_path_or_in_a_field_of_its_own() {
    let mut manifest: Value = serde_json::from_str(WX).unwrap();
    for reach in manifest["reach"].as_array_mut().unwrap() {
        if reach["path"].as_str().unwrap().ends_with("}/reverse") {
            reach["trade"] = json!({"part": "trade_no"});
        }
    }
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap_or_else(|error| {
        panic!("{error}");
    });
    let target = wx_target(&manifest, &[]);
    let path = format!("/v3/pay/transactions/out-trade-no/{TRADE}/reverse");
    let trade = trade_of(&manifest, &target, wechat(&path, "{}", "request"));
    assert_eq!(trade.as_deref(), Some(TRADE));

    let text = zfb_with(&[("/reach/0/trade", json!({"field": "out_trade_no"}))]);
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    let request = |body: &str| Outgoing {
        url: "https://openapi.alipay.com/gateway.do?method=alipay.trade.query".to_owned(),
        body: body.as_bytes().to_vec(),
        ..till("", Some("gateway"))
    };
    let target = live(&manifest);
    for (body, named) in [
        ("out_trade_no=7", Some("7")),
        ("out_trade_no=", None),
        ("", None),
    ] {
        let trade = trade_of(&manifest, &target, request(body));
        assert_eq!(trade.as_deref(), named, "{body}");
    }
}

/// Reads a refusal at Alipay's till by its claim, for [`TRADE`].
fn read(
    content: &str,
    operation: &str,
    signed: bool,
    trade: Option<&str>,
) -> Result<Reading, ClaimError> {
    let manifest = alipay();
    let target = live(&manifest);
    let mut message = answer(operation, signed_answer(operation, content, platform()));
    message.origin = Origin::Answer {
        operation: operation.to_owned(),
        signed,
        trade: trade.map(str::to_owned),
    };
    let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
    read_claim(&manifest, &target, TRADE, "pay-declined", &statement)
}

fn refusal(sub_code: &str) -> String {
    format!(
        r#"{{"code":"40004","msg":"Business Failed","sub_code":"{sub_code}","sub_msg":"买家余额不足"}}"#
    )
}

#[test]
fn a_refusal_declines_the_trade_that_was_asked_for() {
    let poor = refusal("ACQ.BUYER_BALANCE_NOT_ENOUGH");
    let reading = read(&poor, PAY, true, Some(TRADE)).unwrap();
    assert_eq!(reading.trade, TRADE);
    assert_eq!(reading.state, Stated::Declined);
    assert_eq!((reading.amount, reading.amount_text.as_str()), (None, ""));
    assert_eq!(
        Value::Object(reading.notes),
        json!({"code": "ACQ.BUYER_BALANCE_NOT_ENOUGH", "words": "买家余额不足"})
    );
    // What the manifest does not name follows from no word of the platform's.
    for unknown in ["ACQ.SYSTEM_ERROR", "ACQ.PAYMENT_AUTH_CODE_INVALID", "NEW"] {
        let reading = read(&refusal(unknown), PAY, true, Some(TRADE)).unwrap();
        assert_eq!(reading.state, Stated::Other(unknown.to_owned()));
    }
    let paid = format!(r#"{{"code":"10000","out_trade_no":"{TRADE}","total_amount":"23.00"}}"#);
    assert_eq!(
        read(&paid, PAY, true, Some(TRADE)).unwrap_err(),
        ClaimError::Missing("/sub_code".to_owned())
    );
}

#[test]
fn a_refusal_of_another_request_declines_nothing() {
    let poor = refusal("ACQ.BUYER_BALANCE_NOT_ENOUGH");
    assert_eq!(
        read(&poor, PAY, true, Some(OTHER)).unwrap_err(),
        ClaimError::OtherTrade
    );
    for (operation, signed, trade) in [
        (PAY, false, Some(TRADE)),
        (PAY, true, None),
        ("alipay.trade.query", true, Some(TRADE)),
    ] {
        let error = read(&poor, operation, signed, trade).unwrap_err();
        assert!(
            matches!(error, ClaimError::WrongOrigin(_)),
            "{operation} {signed} {trade:?}: {error}"
        );
    }
}

#[test]
fn wechat_declines_in_both_its_dialects() {
    let manifest = wx();
    for (state, fields) in [
        (Stated::Declined, "NOTENOUGH"),
        (Stated::Other("AUTHCODEEXPIRE".to_owned()), "AUTHCODEEXPIRE"),
        (Stated::Other("SYSTEMERROR".to_owned()), "SYSTEMERROR"),
    ] {
        let target = wx_target(&manifest, &[]);
        let statement = super::wechat::v2_answer(
            &manifest,
            &target,
            MICROPAY,
            Some(TRADE),
            &[("result_code", "FAIL"), ("err_code", fields)],
        );
        let read = |trade| read_claim(&manifest, &target, trade, "micropay-declined", &statement);
        assert_eq!(read(TRADE).unwrap().state, state, "{fields}");
        assert_eq!(read(OTHER).unwrap_err(), ClaimError::OtherTrade);

        let body = json!({"code": fields, "message": "交易"}).to_string();
        let mut message = answer(CODEPAY, body.into_bytes());
        message.status = 403;
        message.origin = Origin::Answer {
            operation: CODEPAY.to_owned(),
            signed: true,
            trade: Some(TRADE.to_owned()),
        };
        let message = super::wechat::signed_by_platform(message);
        let statement = verify(&manifest, &target, &message, "answer", NOW_MS).unwrap();
        let reading = read_claim(&manifest, &target, TRADE, "codepay-declined", &statement);
        assert_eq!(reading.unwrap().state, state, "{fields}");
    }
    // An answer about another merchant's request is nobody's refusal here.
    let target = wx_target(&manifest, &[("mchid", "1900009192")]);
    let statement = super::wechat::v2_answer(
        &manifest,
        &target,
        MICROPAY,
        Some(TRADE),
        &[
            ("result_code", "FAIL"),
            ("err_code", "NOTENOUGH"),
            ("mch_id", "1900009191"),
        ],
    );
    let read = read_claim(&manifest, &target, TRADE, "micropay-declined", &statement);
    assert_eq!(read.unwrap_err(), ClaimError::OtherAccount);
}

/// Alipay's manifest with one member changed, or taken out by `null`.
fn refused(path: &str, value: &Value) -> Vec<(String, String)> {
    let mut manifest: Value = serde_json::from_str(ALIPAY).unwrap();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap();
    let index = name.parse::<usize>();
    match (parent, index) {
        (Value::Array(items), Ok(at)) => items[at] = value.clone(),
        (Value::Object(members), _) if value.is_null() => drop(members.remove(name)),
        (parent, _) => parent[name] = value.clone(),
    }
    match Manifest::parse(manifest.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(ManifestError::Invalid(problems)) => problems
            .into_iter()
            .map(|problem| (problem.path, problem.problem))
            .collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn such_a_claim_states_nothing_but_declined() {
    let claim = "/claims/pay-declined";
    let only = "\"declined\" and nothing else";
    let amount = json!({"at": "/total_amount", "unit": "decimal"});
    for (path, value, at, says) in [
        ("state/paid", json!(["10000"]), "state/paid", only),
        ("state/approved", json!(["10000"]), "state/approved", only),
        ("state/waiting", json!(["10003"]), "state/waiting", only),
        ("state/closed", json!(["CLOSED"]), "state/closed", only),
        ("state/refunded", json!(["BACK"]), "state/refunded", only),
        ("amount", amount.clone(), "amount", only),
        ("refunded", amount, "refunded", only),
        ("currency", json!({"fixed": "CNY"}), "currency", only),
        ("was_paid", json!(["/x"]), "was_paid", only),
        ("state/declined", Value::Null, "state/declined", "declined"),
        ("trade", json!("out_trade_no"), "trade", "JSON Pointer"),
        // It would have to be proven of whom the trade is, and how much it is about.
        ("trade", json!("/out_trade_no"), "amount", "amount"),
        ("trade", json!("/out_trade_no"), "currency", "currency"),
        ("trade", json!("/out_trade_no"), "state/paid", "paid"),
    ] {
        let found = refused(&format!("{claim}/{path}"), &value);
        let wanted = format!("{claim}/{at}");
        assert!(
            found
                .iter()
                .any(|(path, problem)| *path == wanted && problem.contains(says)),
            "{path}: {found:?}"
        );
    }
    for (scheme, operations, says) in [
        ("notify", Value::Null, "only for answers"),
        ("answer", json!([]), "only for answers"),
    ] {
        let mut manifest: Value = serde_json::from_str(ALIPAY).unwrap();
        manifest["claims"]["pay-declined"]["scheme"] = json!(scheme);
        match operations {
            Value::Null => {
                let claim = manifest["claims"]["pay-declined"].as_object_mut();
                claim.unwrap().remove("operations");
            }
            operations => manifest["claims"]["pay-declined"]["operations"] = operations,
        }
        let error = Manifest::parse(manifest.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(says), "{scheme}: {error}");
    }
    for (trade, at, says) in [
        (
            Value::Null,
            "/claims/pay-declined/trade",
            "give it a \"trade\"",
        ),
        (
            json!({"part": "id"}),
            "/reach/0/trade/part",
            "no part of the path",
        ),
        (
            json!({"at": "/out_trade_no"}),
            "/reach/0/trade",
            "\"field\"",
        ),
        (json!({"field": "a b"}), "/reach/0/trade/field", "letters"),
        (json!({"colour": 1}), "/reach/0/trade", "{\"part\": …}"),
        (
            json!({"field": "x", "at": "x"}),
            "/reach/0/trade",
            "{\"part\": …}",
        ),
    ] {
        // What charges a buyer is granted apart from what asks.
        let reach = if trade.is_null() {
            "/reach/1/trade"
        } else {
            "/reach/0/trade"
        };
        let found = refused(reach, &trade);
        assert!(
            found
                .iter()
                .any(|(path, problem)| path == at && problem.contains(says)),
            "{trade}: {found:?}"
        );
    }
}

#[test]
fn a_person_can_check_what_declines() {
    let told = alipay().in_words().join("\n");
    for line in [
        "; the trade that it is about stands at /out_trade_no of the field biz_content.",
        "Claim pay-declined: an answer to alipay.trade.pay, verified by answer, ends the trade that the request \
         was about; account: the one whose key signed the request; state at /sub_code: declined when it is \
         ACQ.BUYER_BALANCE_NOT_ENOUGH,",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}
