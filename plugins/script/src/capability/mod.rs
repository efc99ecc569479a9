//! What a script may ask of the host, as global objects.

mod events;
mod kv;
mod log;
mod payments;
mod web;

use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::object::ObjectInitializer;
use boa_engine::property::Attribute;
use boa_engine::{Context, JsResult, JsValue, NativeFunction, js_string};

use crate::json;
use crate::thrown::misuse;

/// A capability: its name, and its functions with the number of arguments that they want.
type Capability = (
    &'static str,
    &'static [(&'static str, NativeFunctionPointer, usize)],
);

const CAPABILITIES: [Capability; 6] = [
    ("kv", kv::FUNCTIONS),
    ("web", web::FUNCTIONS),
    ("payments", payments::FUNCTIONS),
    ("events", events::FUNCTIONS),
    ("log", log::LOG),
    ("console", log::CONSOLE),
];

/// Gives all of them to the scripts of this engine.
pub(crate) fn give(context: &mut Context) -> JsResult<()> {
    for (name, functions) in CAPABILITIES {
        let mut object = ObjectInitializer::new(context);
        for (function, body, arguments) in functions {
            let body = NativeFunction::from_fn_ptr(*body);
            object.function(body, js_string!(*function), *arguments);
        }
        let object = object.build();
        context.register_global_property(
            js_string!(name),
            object,
            Attribute::WRITABLE | Attribute::CONFIGURABLE,
        )?;
    }
    Ok(())
}

/// An argument; `undefined` where it was left out.
fn argument(arguments: &[JsValue], at: usize) -> JsValue {
    arguments.get(at).cloned().unwrap_or_default()
}

/// An argument that has to be a text.
fn text(arguments: &[JsValue], at: usize, what: &str) -> JsResult<String> {
    match argument(arguments, at).as_string() {
        Some(text) => Ok(text.to_std_string_lossy()),
        None => Err(misuse(format!("{what} has to be a string"))),
    }
}

/// An argument as JSON.
fn json_of(value: &JsValue, what: &str, context: &mut Context) -> JsResult<String> {
    let text = json::text(value, context)?;
    text.ok_or_else(|| {
        misuse(format!(
            "{what} is {}, which is no JSON",
            value.js_type_of().to_std_string_lossy()
        ))
    })
}

/// A JSON text of the host's as a value; `null` where there is none.
fn value_of(text: Option<String>, context: &mut Context) -> JsResult<JsValue> {
    match text {
        None => Ok(JsValue::null()),
        Some(text) => json::parse(&text, context).map_err(|error| misuse(error.to_string())),
    }
}
