//! `log` and `console`: lines for the owner, kept with the delivery.

use boa_engine::builtins::error::Error;
use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::{Context, JsResult, JsValue};
use walnut_sdk::log::{self, Level};

use crate::json;

pub(super) const LOG: &[(&str, NativeFunctionPointer, usize)] = &[
    ("debug", debug, 0),
    ("info", info, 0),
    ("warn", warn, 0),
    ("error", error, 0),
];

pub(super) const CONSOLE: &[(&str, NativeFunctionPointer, usize)] = &[
    ("log", info, 0),
    ("debug", debug, 0),
    ("info", info, 0),
    ("warn", warn, 0),
    ("error", error, 0),
];

fn debug(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    write(Level::Debug, arguments, context)
}

fn info(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    write(Level::Info, arguments, context)
}

fn warn(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    write(Level::Warn, arguments, context)
}

fn error(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    write(Level::Error, arguments, context)
}

fn write(level: Level, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let words: Vec<_> = arguments
        .iter()
        .map(|value| shown(value, context))
        .collect();
    log::write(level, &words.join(" "));
    Ok(JsValue::undefined())
}

/// A text as it is, an error by its words, an object as JSON, and the rest as the language writes it. Logging never
/// fails.
fn shown(value: &JsValue, context: &mut Context) -> String {
    if let Some(text) = value.as_string() {
        return text.to_std_string_lossy();
    }
    let as_json = match value.as_object() {
        Some(object) if !object.is::<Error>() => json::text(value, context).ok().flatten(),
        _ => None,
    };
    as_json.unwrap_or_else(|| match value.to_string(context) {
        Ok(text) => text.to_std_string_lossy(),
        Err(_) => value.display().to_string(),
    })
}
