//! `payments`: read-only sight of the domain's own payments.

use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::object::builtins::JsArray;
use boa_engine::{Context, JsResult, JsValue};
use walnut_sdk::payments;

use super::{argument, json_of, text, value_of};
use crate::thrown::{failure, misuse};

pub(super) const FUNCTIONS: &[(&str, NativeFunctionPointer, usize)] =
    &[("get", get, 1), ("query", query, 2)];

/// The name of its errors. Their kind is `refused`.
const ERROR: &str = "PaymentsError";

/// The most that the host gives.
const LIMIT: u32 = 100;

fn get(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let id = text(arguments, 0, "the payment's id")?;
    value_of(payments::get_json(&id), context)
}

fn query(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let matching = match argument(arguments, 0) {
        all if all.is_null_or_undefined() => "{}".to_owned(),
        matching => json_of(&matching, "what payments are asked for", context)?,
    };
    let limit = match argument(arguments, 1) {
        limit if limit.is_undefined() => LIMIT,
        limit => limit
            .as_number()
            .filter(|limit| limit.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(limit))
            .map(|limit| limit as u32)
            .ok_or_else(|| misuse("the limit has to be an integer"))?,
    };
    let found = payments::query_json(&matching, limit)
        .map_err(|why| failure(ERROR, "refused", why, context))?;
    let mut payments = Vec::with_capacity(found.len());
    for payment in found {
        payments.push(value_of(Some(payment), context)?);
    }
    Ok(JsArray::from_iter(payments, context).into())
}
