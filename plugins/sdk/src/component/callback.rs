//! What only callbacks may use.

use crate::bindings::callback::walnut::pay as contract;
use crate::{kv, web};

impl From<contract::kv::Failure> for kv::Failure {
    fn from(failure: contract::kv::Failure) -> kv::Failure {
        match failure {
            contract::kv::Failure::Quota => kv::Failure::Quota,
            contract::kv::Failure::Denied(why) => kv::Failure::Denied(why),
        }
    }
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, kv::Failure> {
    Ok(contract::kv::get(key)?)
}

pub(crate) fn kv_set(key: &str, value: Vec<u8>) -> Result<(), kv::Failure> {
    Ok(contract::kv::set(key, &value)?)
}

pub(crate) fn kv_delete(key: &str) -> Result<(), kv::Failure> {
    Ok(contract::kv::delete(key)?)
}

pub(crate) fn kv_increment(key: &str, by: i64) -> Result<i64, kv::Failure> {
    let sum = contract::kv::increment(key, &by.to_string())?;
    sum.parse()
        .map_err(|_| kv::Failure::Denied(format!("the sum is {sum}")))
}

pub(crate) fn payment(id: &str) -> Option<String> {
    contract::payments::get(id)
}

pub(crate) fn payments(matching: &str, limit: u32) -> Result<Vec<String>, String> {
    contract::payments::query(matching, limit)
}

pub(crate) fn emit(name: &str, json: &str) -> Result<(), String> {
    contract::events::emit(name, json)
}

pub(crate) fn fetch(request: web::Request) -> Result<web::Response, web::Failure> {
    use contract::web::Failure as Theirs;
    let web::Request {
        step,
        method,
        url,
        headers,
        body,
    } = request;
    let request = contract::web::Request {
        step,
        method,
        url,
        headers,
        body,
    };
    match contract::web::fetch(&request) {
        Ok(contract::web::Response {
            status,
            headers,
            body,
        }) => Ok(web::Response {
            status,
            headers,
            body,
        }),
        Err(Theirs::Denied(what)) => Err(web::Failure::Denied(what)),
        Err(Theirs::NotSent(what)) => Err(web::Failure::NotSent(what)),
        Err(Theirs::MaybeSent(what)) => Err(web::Failure::MaybeSent(what)),
        Err(Theirs::TooLarge) => Err(web::Failure::TooLarge),
    }
}
