//! `events`: messages to whoever watches the payment.

use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::{Context, JsResult, JsValue};
use walnut_sdk::events;

use super::{argument, json_of, text};
use crate::thrown::failure;

pub(super) const FUNCTIONS: &[(&str, NativeFunctionPointer, usize)] = &[("emit", emit, 2)];

/// The name of its errors. Their kind is `refused`.
const ERROR: &str = "EventsError";

fn emit(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let name = text(arguments, 0, "the event's name")?;
    let data = match argument(arguments, 1) {
        none if none.is_undefined() => "null".to_owned(),
        data => json_of(&data, "the event's data", context)?,
    };
    events::emit_json(&name, &data).map_err(|why| failure(ERROR, "refused", why, context))?;
    Ok(JsValue::undefined())
}
