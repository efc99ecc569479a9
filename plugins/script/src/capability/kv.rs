//! `kv`: the domain's data. Values are JSON, as the SDK for Rust writes them, and `null` is read where there is none.

use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::{Context, JsError, JsResult, JsValue};
use walnut_sdk::kv;

use super::{argument, json_of, text};
use crate::json;
use crate::thrown::{failure, misuse};

pub(super) const FUNCTIONS: &[(&str, NativeFunctionPointer, usize)] = &[
    ("get", get, 1),
    ("set", set, 2),
    ("delete", delete, 1),
    ("increment", increment, 2),
];

/// The name of its errors. Their kinds are `quota`, `denied`, `not-json` and `range`.
const ERROR: &str = "KvError";

/// The greatest integer that a number of JavaScript tells apart from its neighbours.
const SAFE: i64 = (1 << 53) - 1;

fn get(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let key = text(arguments, 0, "the key")?;
    let Some(bytes) = kv::get(&key).map_err(|error| thrown(&error, context))? else {
        return Ok(JsValue::null());
    };
    let read = match str::from_utf8(&bytes) {
        Ok(text) => json::parse(text, context).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    read.map_err(|error| {
        let message = format!("the value of {key:?} is not JSON: {error}");
        failure(ERROR, "not-json", message, context)
    })
}

fn set(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let key = text(arguments, 0, "the key")?;
    let value = json_of(&argument(arguments, 1), "the value", context)?;
    kv::set(&key, value.into_bytes()).map_err(|error| thrown(&error, context))?;
    Ok(JsValue::undefined())
}

fn delete(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let key = text(arguments, 0, "the key")?;
    kv::delete(&key).map_err(|error| thrown(&error, context))?;
    Ok(JsValue::undefined())
}

fn increment(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let key = text(arguments, 0, "the key")?;
    let by = match argument(arguments, 1) {
        by if by.is_undefined() => 1,
        by => integer(&by).ok_or_else(|| misuse("what is added has to be an integer"))?,
    };
    let sum = kv::increment(&key, by).map_err(|error| thrown(&error, context))?;
    if sum.abs() > SAFE {
        let message = format!("{key:?} is {sum}, which is beyond what a number holds exactly");
        return Err(failure(ERROR, "range", message, context));
    }
    Ok(i32::try_from(sum).map_or_else(|_| JsValue::new(sum as f64), JsValue::new))
}

/// Money is never rounded: what is not a whole number, or too large to be one exactly, is none.
fn integer(value: &JsValue) -> Option<i64> {
    let number = value.as_number()?;
    let whole = number.fract() == 0.0 && number.abs() <= SAFE as f64;
    whole.then_some(number as i64)
}

fn thrown(error: &kv::Failure, context: &mut Context) -> JsError {
    let kind = match error {
        kv::Failure::Quota => "quota",
        kv::Failure::Denied(_) => "denied",
        kv::Failure::NotJson(_) => "not-json",
    };
    failure(ERROR, kind, error.to_string(), context)
}
