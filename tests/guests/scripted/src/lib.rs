//! A callback that does what the payment's field `script` says, for tests.
//!
//! ```json
//! {
//!   "log": ["a line"],
//!   "kv": [
//!     {"op": "set", "key": "a", "value": {"any": "json"}},
//!     {"op": "get", "key": "a"},
//!     {"op": "increment", "key": "n", "by": 2},
//!     {"op": "delete", "key": "a"}
//!   ],
//!   "emit": [{"name": "sale", "data": 1}],
//!   "web": [{"step": "tell", "method": "POST", "url": "https://…", "body": "text"}],
//!   "get": "a payment's id",
//!   "query": {"matching": {"st": "OK"}, "limit": 10},
//!   "now": true,
//!   "random": 16,
//!   "panic": true, "trap": true, "loop": true, "memory": true, "giant": true,
//!   "until_try": 2,
//!   "fail": "words",
//!   "fail_until_try": 3
//! }
//! ```
//!
//! The effects come first and in this order, so that a try that fails afterwards shows that nothing
//! of it remains. `panic` to `fail` happen on every try, or before the try `until_try` only;
//! `fail_until_try` fails before that try. The answer tells what each step gave:
//! `{"try": 3, "kv": […], "web": […], …}`.

use std::hint::black_box;

use walnut_sdk::callback::{Delivery, Failure, Payment};
use walnut_sdk::serde_json::{Map, Value, json};
use walnut_sdk::{callback, clock, events, info, kv, payments, random, web};

callback!(follow);

fn follow(payment: Payment, delivery: Delivery) -> Result<Value, Failure> {
    let script = payment.get("script").cloned().unwrap_or_default();
    let mut answer = Map::new();
    answer.insert("try".to_owned(), delivery.try_no.into());
    answer.insert("late".to_owned(), delivery.late.into());

    for line in list(&script, "log") {
        info!("{}", line.as_str().unwrap_or_default());
    }
    steps(&script, "kv", &mut answer, keep)?;
    steps(&script, "emit", &mut answer, |event| {
        events::emit(
            text(event, "name"),
            event.get("data").unwrap_or(&Value::Null),
        )?;
        Ok(Value::Null)
    })?;
    steps(&script, "web", &mut answer, fetch)?;
    if let Some(id) = script.get("get").and_then(Value::as_str) {
        let found = payments::get(id);
        answer.insert(
            "get".to_owned(),
            found.map(|payment| payment.id().into()).unwrap_or_default(),
        );
    }
    if let Some(query) = script.get("query") {
        let limit = query
            .get("limit")
            .and_then(Value::as_u64)
            .unwrap_or(10)
            .try_into()?;
        let found = payments::query(query.get("matching").unwrap_or(&json!({})), limit)?;
        let ids = found
            .iter()
            .map(|payment| Value::from(payment.id()))
            .collect();
        answer.insert("query".to_owned(), ids);
    }
    if script.get("now").is_some() {
        answer.insert("now".to_owned(), clock::now_ms().into());
    }
    if let Some(count) = script.get("random").and_then(Value::as_u64) {
        answer.insert("random".to_owned(), random::bytes(count.try_into()?).into());
    }

    end(&script, delivery.try_no)?;
    if script.get("giant").is_some() {
        answer.insert("giant".to_owned(), "x".repeat(8 * 1024 * 1024).into());
    }
    Ok(Value::Object(answer))
}

fn list<'a>(script: &'a Value, name: &str) -> &'a [Value] {
    script
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(step: &'a Value, name: &str) -> &'a str {
    step.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Takes the steps under `name`, and keeps what each gave.
fn steps(
    script: &Value,
    name: &str,
    answer: &mut Map<String, Value>,
    take: impl Fn(&Value) -> Result<Value, Failure>,
) -> Result<(), Failure> {
    let taken: Vec<_> = list(script, name)
        .iter()
        .map(take)
        .collect::<Result<_, _>>()?;
    if !taken.is_empty() {
        answer.insert(name.to_owned(), taken.into());
    }
    Ok(())
}

fn keep(step: &Value) -> Result<Value, Failure> {
    let key = text(step, "key");
    Ok(match text(step, "op") {
        "get" => kv::get_json(key)?.unwrap_or_default(),
        "set" => {
            kv::set_json(key, step.get("value").unwrap_or(&Value::Null))?;
            Value::Null
        }
        "delete" => {
            kv::delete(key)?;
            Value::Null
        }
        "increment" => {
            kv::increment(key, step.get("by").and_then(Value::as_i64).unwrap_or(1))?.into()
        }
        other => return Err(format!("no such op: {other}").into()),
    })
}

/// A request's status, or the words of its failure: a denied request does not end the script.
fn fetch(step: &Value) -> Result<Value, Failure> {
    let request = web::Request {
        method: text(step, "method").to_owned(),
        body: text(step, "body").as_bytes().to_vec(),
        ..web::Request::get(text(step, "step"), text(step, "url"))
    };
    Ok(match request.send() {
        Ok(response) => json!({
            "status": response.status,
            "body": String::from_utf8_lossy(&response.body),
        }),
        Err(failure) => json!({"failure": failure.to_string()}),
    })
}

/// How the script ends on this try.
#[expect(clippy::panic, reason = "the host has to show the words of a panic")]
fn end(script: &Value, try_no: u32) -> Result<(), Failure> {
    let before = |name: &str| match script.get(name).and_then(Value::as_u64) {
        Some(limit) => u64::from(try_no) < limit,
        None => false,
    };
    if before("fail_until_try") {
        return Err(format!("the script fails on try {try_no}").into());
    }
    if script.get("until_try").is_some() && !before("until_try") {
        return Ok(());
    }
    let wants = |name: &str| {
        script
            .get(name)
            .is_some_and(|value| *value == Value::Bool(true))
    };
    if wants("panic") {
        panic!("the script panics");
    }
    if wants("trap") {
        std::process::abort();
    }
    if wants("loop") {
        loop {
            std::hint::spin_loop();
        }
    }
    if wants("memory") {
        let mut all = Vec::new();
        loop {
            all.push(black_box(vec![1_u8; 1024 * 1024]));
        }
    }
    match script.get("fail").and_then(Value::as_str) {
        Some(words) => Err(words.to_owned().into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use walnut_sdk::native::{Double, with};

    fn run(double: &Rc<Double>, script: &Value, try_no: u32) -> Result<Value, String> {
        let payment = json!({"id": "p", "script": script}).to_string();
        let payment = Payment::from_json(&payment).unwrap();
        let delivery = Delivery {
            key: "d".to_owned(),
            try_no,
            callback: "s".to_owned(),
            late: false,
        };
        with(double.clone(), || follow(payment, delivery)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_script_is_followed() {
        let double = Rc::new(Double::new());
        let script = json!({
            "kv": [
                {"op": "set", "key": "a", "value": [1]},
                {"op": "get", "key": "a"},
                {"op": "increment", "key": "n", "by": 2},
                {"op": "delete", "key": "a"},
            ],
            "emit": [{"name": "sale", "data": 1}],
            "web": [{"step": "s", "method": "GET", "url": "https://example.com/"}],
            "fail_until_try": 2,
        });
        assert_eq!(
            run(&double, &script, 1).unwrap_err(),
            "the script fails on try 1"
        );
        let answer = run(&double, &script, 2).unwrap();
        assert_eq!(answer["kv"], json!([null, [1], 4, null]));
        assert!(
            answer["web"][0]["failure"]
                .as_str()
                .unwrap()
                .contains("not allowed")
        );
        assert_eq!(double.events().len(), 2);
    }

    #[test]
    fn madness_can_end_with_a_try() {
        let double = Rc::new(Double::new());
        let script = json!({"fail": "no", "until_try": 2});
        assert_eq!(run(&double, &script, 1).unwrap_err(), "no");
        assert_eq!(run(&double, &script, 2).unwrap()["try"], 2);
    }
}
