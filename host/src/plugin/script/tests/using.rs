//! What a script may use.

use serde_json::{Value, json};

use super::{NOW_MS, answer, error, run};

/// The example that comes with walnut.
const RECORD_SALE: &str = include_str!("../../../../../plugins/examples/record-sale.js");

#[tokio::test]
async fn the_example_keeps_the_books() {
    let run = run(RECORD_SALE).await;
    let answer: Value = serde_json::from_str(&run.answer.unwrap()).unwrap();
    let recorded = json!({ "recorded": true, "number": 1, "sold_minor": 2300 });
    assert_eq!(answer, recorded);
    let sale = r#"{"number":1,"brief":"两杯茶","fee":2300,"buyer":"小明","late":true}"#;
    let writes: Vec<_> = run
        .effects
        .writes
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_deref().unwrap()))
        .collect();
    let id = "sale/0190a5b1c2d37e4f8a9b0c1d2e3f4a5b";
    let expected = [
        (id, sale.as_bytes()),
        ("sales/RMB/count", b"1"),
        ("sales/RMB/minor", b"2300"),
    ];
    assert_eq!(writes, expected);
    assert_eq!(run.effects.events, [("sale".to_owned(), sale.to_owned())]);
    assert_eq!(run.log, "info: sale 1: 2300 RMB\n");
}

#[tokio::test]
async fn a_script_is_the_body_of_a_function() {
    let delivery = json!({
        "key": "0123456789abcdef0123456789abcdef", "try_no": 3, "callback": "sale", "late": true,
    });
    let when = json!({ "when": "1970-01-01T00:00:00.000Z", "big": "18446744073709551616" });
    let table = [
        ("return 1", json!(1)),
        ("1 + 1", Value::Null),
        ("// nothing", Value::Null),
        ("return undefined;", Value::Null),
        (
            "return [payment.table, payment.nested.b[1], payment.brief]",
            json!([7, 2.5, "两杯茶"]),
        ),
        ("return delivery", delivery),
        (
            "function double(n) { return n * 2 }\nreturn double(payment.fee)",
            json!(4600),
        ),
        (
            "const { fee, ...rest } = payment; return fee ?? 0",
            json!(2300),
        ),
        (
            "try { throw new Error('x') } catch { return 'caught' }",
            json!("caught"),
        ),
        (
            "return { a: undefined, when: new Date(0), big: String(2n ** 64n) }",
            when,
        ),
        (
            "return '2026-11'.replace(/(\\d+)-(\\d+)/, '$2/$1').padStart(9, '*')",
            json!("**11/2026"),
        ),
        (
            "return [...new Map([['a', 1]]).entries()].flat()",
            json!(["a", 1]),
        ),
        ("return JSON.parse('{\"a\":[1]}').a", json!([1])),
        ("return this === undefined", json!(true)),
        (
            "return [typeof require, typeof process, typeof fetch, typeof setTimeout]",
            json!(["undefined", "undefined", "undefined", "undefined"]),
        ),
    ];
    for (source, expected) in table {
        assert_eq!(answer(source).await, expected, "{source}");
    }
}

#[tokio::test]
async fn the_order_of_members_is_the_scripts() {
    let run = run("return { z: 1, a: { y: 2, b: 3 } }").await;
    assert_eq!(run.answer.unwrap(), r#"{"z":1,"a":{"y":2,"b":3}}"#);
}

#[tokio::test]
async fn time_is_the_hosts_and_chance_is_chance() {
    let times = "return [Date.now(), new Date().getTime(), new Date(0).getTimezoneOffset(), new Date(0).getHours()]";
    let times: Vec<u64> = serde_json::from_value(answer(times).await).unwrap();
    assert!((NOW_MS..NOW_MS + 60_000).contains(&times[0]), "{times:?}");
    assert!(times[1] >= times[0]);
    assert_eq!(times[2..], [0, 0], "the same wherever its host stands");
    let chance = "return [Math.random(), Math.random()]";
    let (first, second) = (answer(chance).await, answer(chance).await);
    assert_ne!(first[0], first[1]);
    assert_ne!(first, second, "not the same on every run");
    let number = first[0].as_f64().unwrap();
    assert!((0.0..1.0).contains(&number), "{number}");
}

#[tokio::test]
async fn data_is_json_and_counters_are_exact() {
    let source = "
        kv.set('a', { b: [1, 'x'] });
        kv.set('gone', 1);
        kv.delete('gone');
        kv.set('null', null);
        return [kv.get('a').b[1], kv.get('gone'), kv.get('never') ?? 'none', kv.get('null'),
            kv.increment('n'), kv.increment('n', 41), kv.increment('n', -50), kv.get('n')]";
    let expected = json!(["x", null, "none", null, 1, 42, -8, -8]);
    assert_eq!(answer(source).await, expected);
    for (source, kind) in [
        (
            "kv.increment('n', Number.MAX_SAFE_INTEGER); kv.increment('n', 1)",
            "range",
        ),
        ("kv.set('', 1)", "denied"),
        ("kv.set('k', 'x'.repeat(70000))", "denied"),
        ("kv.set('k', 'many'); kv.increment('k')", "denied"),
        ("for (let i = 0; i < 300; i++) kv.set('k' + i, i)", "quota"),
    ] {
        let caught = format!(
            "try {{ {source} }} catch (e) {{ return [e.name, e.kind, e instanceof Error, e.message.length > 5] }}"
        );
        let expected = json!(["KvError", kind, true, true]);
        assert_eq!(answer(&caught).await, expected, "{source}");
        let told = error(source).await;
        assert!(
            told.starts_with("KvError: ") && told.contains("sale:1:"),
            "{told}"
        );
    }
    for (source, words) in [
        ("kv.get(7)", "the key has to be a string"),
        ("kv.set('k')", "the value is undefined, which is no JSON"),
        (
            "kv.set('k', () => 1)",
            "the value is function, which is no JSON",
        ),
        ("kv.increment('n', 1.5)", "has to be an integer"),
        ("kv.increment('n', '1')", "has to be an integer"),
    ] {
        let told = error(source).await;
        assert!(
            told.starts_with("TypeError: ") && told.contains(words),
            "{source}: {told}"
        );
    }
}

#[tokio::test]
async fn payments_events_and_requests_answer_or_say_why() {
    let none = "return [payments.get('x'), payments.query({ st: 'OK' }), payments.query().length]";
    assert_eq!(answer(none).await, json!([null, [], 0]));
    let tell =
        "web.fetch({ step: 'tell', url: 'https://shop.example/sold', body: { id: payment.id } })";
    let table = [
        ("payments.query({}, 1000)", "PaymentsError", "refused"),
        ("events.emit('no spaces', 1)", "EventsError", "refused"),
        (
            "events.emit('e', 'x'.repeat(20000))",
            "EventsError",
            "refused",
        ),
        (tell, "WebError", "denied"),
    ];
    for (source, name, kind) in table {
        let caught = format!("try {{ {source} }} catch (e) {{ return [e.name, e.kind] }}");
        assert_eq!(answer(&caught).await, json!([name, kind]), "{source}");
    }
    let told = error(tell).await;
    assert!(told.contains("shop.example"), "{told}");
    let told = error("web.fetch({ url: 'https://shop.example' })").await;
    assert!(
        told.contains("step is missing") && told.contains("Idempotency-Key"),
        "{told}"
    );
}

#[tokio::test]
async fn lines_are_logged_as_on_a_console() {
    let source = "
        console.log('sold', 2, { cups: [1] }, [null], undefined, true);
        console.warn(new TypeError('odd'));
        log.debug('d'); log.error('e', 10n, Symbol('s'));
        const ring = {}; ring.ring = ring; log.info(ring);
        log.info('two\\nlines');";
    let log = run(source).await.log;
    let expected = "info: sold 2 {\"cups\":[1]} [null] undefined true\nwarn: TypeError: odd\n\
                    debug: d\nerror: e 10 Symbol(s)\n";
    assert!(log.starts_with(expected), "{log}");
    assert!(
        log.ends_with("info: two lines\n") && log.lines().count() == 6,
        "{log}"
    );
}

#[tokio::test]
async fn promises_are_refused_in_words() {
    for source in [
        "async function tell() { return 1 }\nreturn tell()",
        "return Promise.resolve(1)",
        "Promise.resolve(1).then(() => kv.set('lost', 1)); return 1",
        "(async () => { await 1; kv.set('lost', 1) })(); return 1",
    ] {
        let told = error(source).await;
        let words = "promises, `async` and `await` have no effect here";
        assert!(told.contains(words), "{source}: {told}");
    }
    for (source, words) in [
        ("return () => 1", "returned a function, which is no JSON"),
        ("return Symbol('s')", "returned a symbol, which is no JSON"),
        ("return 1n", "bigint"),
        (
            "const ring = {}; ring.ring = ring; return ring",
            "TypeError: ",
        ),
    ] {
        let told = error(source).await;
        assert!(told.contains(words), "{source}: {told}");
    }
}
