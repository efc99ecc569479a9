//! A door for the tests that try what reads from outside (`tests/fuzz`): one function for each reader that no other way
//! leads to. It is no part of what walnut promises, and nothing of walnut itself goes through it.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::http::source::Proxies;
use crate::payment::create::CreateRequest;
use crate::payment::session::Sessions;
use crate::store::{Clock, Find};
use crate::{plugin, relaxed, trust};

/// Names and values, in their order.
pub type Fields = Vec<(String, String)>;

fn told(error: impl ToString) -> String {
    error.to_string()
}

/// Reads a form.
///
/// # Errors
/// Why it is none, as everywhere here.
pub fn form(bytes: &[u8]) -> Result<Fields, String> {
    trust::form::read(bytes).map_err(told)
}

/// Writes one.
pub fn write_form(fields: &Fields) -> String {
    trust::form::write(pairs(fields))
}

/// Reads a flat XML document.
///
/// # Errors
/// Why it is none.
pub fn xml(bytes: &[u8]) -> Result<Fields, String> {
    trust::xml::read(bytes, "xml").map_err(told)
}

/// Writes one.
pub fn write_xml(fields: &Fields) -> String {
    trust::xml::write("xml", pairs(fields))
}

fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Reads a JSON object without losing its bytes: the members' names and what stands behind each.
///
/// # Errors
/// Why it is none.
pub fn json(text: &str) -> Result<Vec<(String, &str)>, String> {
    let object = trust::json::Object::parse(text).map_err(told)?;
    let members = object
        .names()
        .filter_map(|name| Some((name.to_owned(), object.raw(name)?)));
    Ok(members.collect())
}

/// Refuses JSON in which a name comes twice, however deep.
///
/// # Errors
/// Where it does, or why it is no JSON.
pub fn refuse_repeated_names(text: &str) -> Result<(), String> {
    trust::refuse_repeated_names(text).map_err(told)
}

/// Reads an object as people write it.
///
/// # Errors
/// Why it is none.
pub fn relaxed(text: &str) -> Result<Map<String, Value>, String> {
    relaxed::object(text).map_err(told)
}

/// Reads a question for payments, asked at this time.
///
/// # Errors
/// Why it is none.
pub fn question(matching: &Map<String, Value>, now_ms: i64) -> Result<(), String> {
    let mut find = Find::new(None);
    let clock = Clock::at(now_ms, TimeZone::UTC);
    find.matching(matching, &clock).map_err(told)?;
    find.check().map_err(told)
}

/// Reads the body of `create`, all that is read of it before anything is looked up.
///
/// # Errors
/// Why it is none.
pub fn create(body: &[u8], now_ms: u64) -> Result<(), String> {
    let request = CreateRequest::parse(body).map_err(told)?;
    request.read_through(now_ms).map_err(told)
}

/// Reads a component as far as it is read before it is compiled, as a provider and as a callback. Gives what it imports
/// where it may be either.
///
/// # Errors
/// Why it is neither.
pub fn component(wasm: &[u8]) -> Result<Vec<String>, String> {
    let read = plugin::outside::component(wasm);
    read.map_err(told)
}

/// Reads the text of a script before it is run.
///
/// # Errors
/// Why it is none.
pub fn script(content: &[u8]) -> Result<&str, String> {
    plugin::outside::script(content).map_err(told)
}

/// Unpacks a bill to `most` bytes and cuts it into whole lines, or leaves each of its files at once.
///
/// # Errors
/// Why it is none.
pub fn bill(packed: &[u8], most: u64, at_once: bool) -> Result<Vec<Vec<String>>, String> {
    let mut file = tempfile::tempfile().map_err(told)?;
    file.write_all(packed).map_err(told)?;
    file.seek(SeekFrom::Start(0)).map_err(told)?;
    plugin::outside::bill(file, most, at_once).map_err(told)
}

/// Reads a session that was sealed with this key.
pub fn session(key: &[u8; 32], session: &str, now_ms: u64) -> Option<(String, u64)> {
    let sessions = Sessions::new(key);
    let (key, session) = sessions.read(session, now_ms)?;
    Some((key.to_owned(), session.until))
}

/// Who asks, by a connection from `peer` with these headers.
pub fn source(proxies: &Proxies, peer: IpAddr, headers: &[(&'static str, &str)]) -> IpAddr {
    let read = headers.iter().filter_map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        Some((HeaderName::from_static(name), value))
    });
    let headers: HeaderMap = read.collect();
    proxies.ask(peer, &headers).source
}
