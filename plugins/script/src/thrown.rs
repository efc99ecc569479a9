//! Errors: those that capabilities throw, and the words of those that nobody caught.

use std::fmt::Write as _;

use boa_engine::builtins::error::Error;
use boa_engine::property::{PropertyDescriptor, PropertyKey};
use boa_engine::{Context, JsError, JsNativeError, JsObject, JsString, JsValue, js_string};

use crate::json;

/// What stands before a script's first line to make it a function. No line is added, so that lines count as their owner
/// counts them.
pub(crate) const PREFIX: &str = "(function (payment, delivery) {";

/// Frames that are shown: recursion shows itself in less.
const FRAMES: usize = 10;

/// An error that a script may catch, and tell apart by its `name` and `kind`.
pub(crate) fn failure(
    name: &'static str,
    kind: &'static str,
    message: String,
    context: &mut Context,
) -> JsError {
    let error = JsNativeError::error()
        .with_message(message)
        .to_opaque(context);
    for (property, value) in [(js_string!("name"), name), (js_string!("kind"), kind)] {
        let value = PropertyDescriptor::builder()
            .value(JsString::from(value))
            .writable(true)
            .enumerable(false)
            .configurable(true);
        // A new object takes every property.
        let _ = error.define_property_or_throw(PropertyKey::from(property), value, context);
    }
    JsError::from_opaque(error.into())
}

/// A mistake in the use of a capability.
pub(crate) fn misuse(message: impl Into<String>) -> JsError {
    JsNativeError::typ().with_message(message.into()).into()
}

/// What a script threw, and where, in the owner's own lines.
pub(crate) fn in_words(error: &JsError, name: &str, context: &mut Context) -> String {
    let all = error.to_string();
    let (shown, frames) = split(&all);
    let mut text = error
        .as_opaque()
        .and_then(|value| own_words(value, context))
        .unwrap_or_else(|| shown.to_owned());
    for frame in frames.take(FRAMES) {
        let _ = write!(text, "\n    at {}", placed(frame, name));
    }
    text
}

/// What was thrown, as it says it of itself: an error or a text; anything else as JSON.
fn own_words(value: &JsValue, context: &mut Context) -> Option<String> {
    let is_other = |object: &JsObject| !object.is::<Error>();
    if value.as_object().as_ref().is_some_and(is_other) {
        return json::text(value, context).ok().flatten();
    }
    let text = value.to_string(context).ok()?;
    Some(text.to_std_string_lossy())
}

/// The words of an error and the frames behind them, the innermost first.
fn split(all: &str) -> (&str, impl Iterator<Item = &str>) {
    let mark = "\n    at ";
    let (what, frames) = all.split_once(mark).unwrap_or((all, ""));
    let frames = frames.split(mark).filter(|frame| !frame.is_empty());
    (what, frames)
}

/// A frame with the column that its owner counts: in the first line the prefix is taken off.
fn placed(frame: &str, name: &str) -> String {
    let start = format!("({name}:1:");
    let moved = frame.split_once(&start).and_then(|(before, after)| {
        let column: usize = after.strip_suffix(')')?.parse().ok()?;
        let column = column.saturating_sub(PREFIX.len()).max(1);
        Some(format!("{before}{start}{column})"))
    });
    moved.unwrap_or_else(|| frame.to_owned())
}
