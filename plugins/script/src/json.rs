//! JSON texts and JavaScript values. Members keep their order; a text is read straight into values, without a tree
//! between them.

use std::fmt;

use boa_engine::object::builtins::JsArray;
use boa_engine::{
    Context, Finalize, JsData, JsObject, JsResult, JsString, JsValue, Trace, js_string,
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Reads a text.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str, context: &mut Context) -> serde_json::Result<JsValue> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Reading(context).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Writes a value as `JSON.stringify` does; none for what is no JSON, such as a function.
///
/// # Errors
/// What a method of the value throws, or that it contains itself or a big integer.
pub(crate) fn text(value: &JsValue, context: &mut Context) -> JsResult<Option<String>> {
    let writer = context.get_data::<Writer>();
    let Some(stringify) = writer.map(|writer| writer.0.clone()) else {
        return Ok(None);
    };
    let text = stringify.call(&JsValue::undefined(), std::slice::from_ref(value), context)?;
    Ok(text.as_string().map(|text| text.to_std_string_lossy()))
}

/// `JSON.stringify`, whatever a script puts in its place.
#[derive(Trace, Finalize, JsData)]
struct Writer(JsObject);

/// Keeps it, before any script runs.
pub(crate) fn keep_writer(context: &mut Context) -> JsResult<()> {
    let json = context.intrinsics().objects().json();
    let stringify = json.get(js_string!("stringify"), context)?;
    let stringify = stringify.to_object(context)?;
    context.insert_data(Writer(stringify));
    Ok(())
}

struct Reading<'a>(&'a mut Context);

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = JsValue;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<JsValue, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = JsValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<JsValue, E> {
        Ok(JsValue::null())
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsValue, E> {
        Ok(JsValue::new(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsValue, E> {
        // As in every JSON of JavaScript, what is beyond 2^53 loses its last digits.
        Ok(i32::try_from(value).map_or_else(|_| JsValue::new(value as f64), JsValue::new))
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsValue, E> {
        Ok(i32::try_from(value).map_or_else(|_| JsValue::new(value as f64), JsValue::new))
    }

    fn visit_f64<E>(self, value: f64) -> Result<JsValue, E> {
        Ok(JsValue::new(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<JsValue, E> {
        Ok(JsValue::from(JsString::from(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsValue, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Reading(self.0))? {
            values.push(value);
        }
        Ok(JsArray::from_iter(values, self.0).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsValue, A::Error> {
        let object = JsObject::with_object_proto(self.0.intrinsics());
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Reading(self.0))?;
            object
                .create_data_property(JsString::from(name), value, self.0)
                .map_err(serde::de::Error::custom)?;
        }
        Ok(object.into())
    }
}
