//! `web`: requests to the hosts that the operator allows the domain.

use boa_engine::native_function::NativeFunctionPointer;
use boa_engine::object::ObjectInitializer;
use boa_engine::property::Attribute;
use boa_engine::{
    Context, JsError, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string,
};
use walnut_sdk::web;

use super::{argument, json_of, value_of};
use crate::thrown::{failure, misuse};

pub(super) const FUNCTIONS: &[(&str, NativeFunctionPointer, usize)] = &[("fetch", fetch, 1)];

/// The name of its errors. Their kinds are those of `wit/callback.wit`.
const ERROR: &str = "WebError";

fn fetch(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(asked) = argument(arguments, 0).as_object() else {
        let how = "web.fetch takes an object: { step, url, method, headers, body }";
        return Err(misuse(how));
    };
    let request = request(&asked, context)?;
    match request.send() {
        Ok(answer) => answered(answer, context),
        Err(error) => Err(thrown(&error, context)),
    }
}

fn request(asked: &JsObject, context: &mut Context) -> JsResult<web::Request> {
    let mut headers = headers(&asked.get(js_string!("headers"), context)?, context)?;
    let body = asked.get(js_string!("body"), context)?;
    let (body, default_method) = if body.is_null_or_undefined() {
        (Vec::new(), "GET")
    } else if let Some(text) = body.as_string() {
        (text.to_std_string_lossy().into_bytes(), "POST")
    } else {
        let named = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        if !headers.iter().any(named) {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        (json_of(&body, "the body", context)?.into_bytes(), "POST")
    };
    let method = member(asked, "method", context)?;
    Ok(web::Request {
        step: wanted(asked, "step", context)?,
        method: method.map_or_else(
            || default_method.to_owned(),
            |method| method.to_ascii_uppercase(),
        ),
        url: wanted(asked, "url", context)?,
        headers,
        body,
    })
}

/// A member that is a text; none where it is left out.
fn member(asked: &JsObject, name: &str, context: &mut Context) -> JsResult<Option<String>> {
    let value = asked.get(js_string!(name), context)?;
    if value.is_null_or_undefined() {
        return Ok(None);
    }
    match value.as_string() {
        Some(text) => Ok(Some(text.to_std_string_lossy())),
        None => Err(misuse(format!("web.fetch: {name} has to be a string"))),
    }
}

fn wanted(asked: &JsObject, name: &str, context: &mut Context) -> JsResult<String> {
    member(asked, name, context)?.ok_or_else(|| {
        misuse(match name {
            "step" => {
                "web.fetch: step is missing: it names the request, so that a delivery that is tried again \
                 sends it with the same Idempotency-Key"
                    .to_owned()
            }
            _ => format!("web.fetch: {name} is missing"),
        })
    })
}

/// The members of an object, in its order; of a list each is sent.
fn headers(given: &JsValue, context: &mut Context) -> JsResult<Vec<(String, String)>> {
    if given.is_null_or_undefined() {
        return Ok(Vec::new());
    }
    let Some(given) = given.as_object() else {
        return Err(misuse("web.fetch: headers has to be an object"));
    };
    let mut headers = Vec::new();
    for key in given.own_property_keys(context)? {
        let name = key.to_string();
        let value = given.get(key, context)?;
        match value.as_object().filter(JsObject::is_array) {
            Some(list) => {
                let length = list
                    .get(js_string!("length"), context)?
                    .to_length(context)?;
                for at in 0..length {
                    let value = list.get(at, context)?.to_string(context)?;
                    headers.push((name.clone(), value.to_std_string_lossy()));
                }
            }
            None => {
                let value = value.to_string(context)?.to_std_string_lossy();
                headers.push((name, value));
            }
        }
    }
    Ok(headers)
}

/// `status`, `ok`, `headers`, `body`, and `text()` and `json()` of the body.
fn answered(answer: web::Response, context: &mut Context) -> JsResult<JsValue> {
    let headers = JsObject::with_object_proto(context.intrinsics());
    for (name, value) in answer.headers {
        let name = JsString::from(name.to_ascii_lowercase());
        let value = match headers.get(name.clone(), context)?.as_string() {
            Some(before) => format!("{}, {value}", before.to_std_string_lossy()),
            None => value,
        };
        let value = JsString::from(value);
        headers.create_data_property_or_throw(name, value, context)?;
    }
    let body = JsString::from(String::from_utf8_lossy(&answer.body).into_owned());
    let object = ObjectInitializer::new(context)
        .property(js_string!("status"), answer.status, Attribute::all())
        .property(
            js_string!("ok"),
            (200..300).contains(&answer.status),
            Attribute::all(),
        )
        .property(js_string!("headers"), headers, Attribute::all())
        .property(js_string!("body"), body, Attribute::all())
        .function(NativeFunction::from_fn_ptr(text), js_string!("text"), 0)
        .function(NativeFunction::from_fn_ptr(json), js_string!("json"), 0)
        .build();
    Ok(object.into())
}

fn text(this: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    match this.as_object() {
        Some(answer) => answer.get(js_string!("body"), context),
        None => Err(misuse("text() is called on an answer of web.fetch")),
    }
}

fn json(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let body = text(this, arguments, context)?.to_string(context)?;
    value_of(Some(body.to_std_string_lossy()), context)
}

fn thrown(error: &web::Failure, context: &mut Context) -> JsError {
    let kind = match error {
        web::Failure::Denied(_) => "denied",
        web::Failure::NotSent(_) => "not-sent",
        web::Failure::MaybeSent(_) => "maybe-sent",
        web::Failure::TooLarge => "too-large",
    };
    failure(ERROR, kind, error.to_string(), context)
}
