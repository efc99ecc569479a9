//! The host, when a guest is compiled natively: whatever [`Host`] is installed on the thread.
//!
//! Unit tests install a [`Double`]; a benchmark that runs a provider's code natively installs real
//! parts, such as a real check of signatures.
//!
//! ```
//! use std::rc::Rc;
//! use walnut_sdk::native::{Double, with};
//!
//! let double = Rc::new(Double::new().setting("app_id", "2021000000000001"));
//! let app_id = with(double, || walnut_sdk::settings::required("app_id"));
//! assert_eq!(app_id.unwrap(), "2021000000000001");
//! ```

mod double;

use std::cell::RefCell;
use std::rc::Rc;

use crate::{http, kv, log, trust, web};

pub use double::Double;

/// Bytes that a host received.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    /// An answer with its HTTP status, or a notification with 0.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: impl Into<Vec<u8>>) -> Message {
        Message {
            status,
            headers,
            body: body.into(),
        }
    }

    /// The HTTP status of an answer; 0 for a notification.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header by its name in any case; the first one where it is repeated.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    /// The bytes as received.
    pub fn body(&self) -> Vec<u8> {
        self.body.clone()
    }

    /// The same without a copy, for a [`Host`] that checks them.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }
}

/// What a native host verified, or says that it did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statement {
    text: Vec<u8>,
}

impl Statement {
    /// A statement of these bytes.
    pub fn new(text: impl Into<Vec<u8>>) -> Statement {
        Statement { text: text.into() }
    }

    /// What the platform stated.
    pub fn text(&self) -> Vec<u8> {
        self.text.clone()
    }
}

/// The capabilities of both worlds. What a host leaves out is denied, or not there.
pub trait Host {
    /// Checks a message by a scheme.
    fn verify(&self, _message: &Message, scheme: &str) -> Result<Statement, trust::Failure> {
        Err(trust::Failure::UnknownScheme(scheme.to_owned()))
    }

    /// Decrypts a part of a statement.
    fn open(&self, _statement: &Statement, scheme: &str) -> Result<Statement, trust::Failure> {
        Err(trust::Failure::UnknownScheme(scheme.to_owned()))
    }

    /// Takes new certificates out of an answer.
    fn renew(&self, _message: &Message, scheme: &str) -> Result<Vec<String>, trust::Failure> {
        Err(trust::Failure::UnknownScheme(scheme.to_owned()))
    }

    /// Signs a template.
    fn sign(
        &self,
        template: &str,
        _values: Vec<(String, String)>,
    ) -> Result<String, trust::Failure> {
        Err(trust::Failure::UnknownScheme(template.to_owned()))
    }

    /// Sends a provider's request.
    fn send(&self, request: http::Request) -> Result<Message, http::Failure> {
        Err(http::Failure::Denied(request.url))
    }

    /// A public setting.
    fn setting(&self, _name: &str) -> Option<String> {
        None
    }

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64 {
        0
    }

    /// Random numbers.
    fn random(&self, _count: u32) -> Vec<u8> {
        Vec::new()
    }

    /// Takes a line of the log.
    fn log(&self, _level: log::Level, _line: &str) {}

    /// Reads the domain's data.
    fn kv_get(&self, _key: &str) -> Result<Option<Vec<u8>>, kv::Failure> {
        Ok(None)
    }

    /// Writes the domain's data.
    fn kv_set(&self, key: &str, _value: Vec<u8>) -> Result<(), kv::Failure> {
        Err(kv::Failure::Denied(key.to_owned()))
    }

    /// Removes a key of the domain's data.
    fn kv_delete(&self, key: &str) -> Result<(), kv::Failure> {
        Err(kv::Failure::Denied(key.to_owned()))
    }

    /// Adds to an integer of the domain's data.
    fn kv_increment(&self, key: &str, _by: i64) -> Result<i64, kv::Failure> {
        Err(kv::Failure::Denied(key.to_owned()))
    }

    /// A payment's JSON.
    fn payment(&self, _id: &str) -> Option<String> {
        None
    }

    /// Payments' JSON.
    fn payments(&self, _matching: &str, _limit: u32) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// Sends an event.
    fn emit(&self, name: &str, _json: &str) -> Result<(), String> {
        Err(format!("no events here: {name}"))
    }

    /// Sends a callback's request.
    fn fetch(&self, request: web::Request) -> Result<web::Response, web::Failure> {
        Err(web::Failure::Denied(request.url))
    }
}

/// A host with nothing, for threads on which none is installed.
struct Nothing;

impl Host for Nothing {}

thread_local! {
    static INSTALLED: RefCell<Rc<dyn Host>> = RefCell::new(Rc::new(Nothing));
}

/// Runs `guest` with this host. What was installed before is there again afterwards, also when the
/// guest panics.
pub fn with<T>(host: Rc<dyn Host>, guest: impl FnOnce() -> T) -> T {
    struct Restore(Rc<dyn Host>);
    impl Drop for Restore {
        fn drop(&mut self) {
            INSTALLED.replace(Rc::clone(&self.0));
        }
    }
    let _restore = Restore(INSTALLED.replace(host));
    guest()
}

/// The capabilities as the rest of the crate calls them: the same names and shapes as those of a
/// component.
pub(crate) mod installed {
    use super::{INSTALLED, Message, Statement};
    use crate::{http, kv, log, trust, web};
    use std::rc::Rc;

    macro_rules! capability {
        ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)+) => {$(
            pub(crate) fn $name($($argument: $type),*) $(-> $result)? {
                // Not held while it runs: a host may itself call what is installed.
                let host = INSTALLED.with_borrow(Rc::clone);
                host.$name($($argument),*)
            }
        )+};
    }

    capability! {
        verify(message: &Message, scheme: &str) -> Result<Statement, trust::Failure>;
        open(statement: &Statement, scheme: &str) -> Result<Statement, trust::Failure>;
        renew(message: &Message, scheme: &str) -> Result<Vec<String>, trust::Failure>;
        sign(template: &str, values: Vec<(String, String)>) -> Result<String, trust::Failure>;
        send(request: http::Request) -> Result<Message, http::Failure>;
        setting(name: &str) -> Option<String>;
        now_ms() -> u64;
        random(count: u32) -> Vec<u8>;
        log(level: log::Level, line: &str);
        kv_get(key: &str) -> Result<Option<Vec<u8>>, kv::Failure>;
        kv_set(key: &str, value: Vec<u8>) -> Result<(), kv::Failure>;
        kv_delete(key: &str) -> Result<(), kv::Failure>;
        kv_increment(key: &str, by: i64) -> Result<i64, kv::Failure>;
        payment(id: &str) -> Option<String>;
        payments(matching: &str, limit: u32) -> Result<Vec<String>, String>;
        emit(name: &str, json: &str) -> Result<(), String>;
        fetch(request: web::Request) -> Result<web::Response, web::Failure>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_there_for_the_time_of_the_call() {
        let outer = Rc::new(Double::new().setting("name", "outer"));
        let inner = Rc::new(Double::new().setting("name", "inner"));
        with(outer, || {
            let read = with(inner, || crate::settings::get("name"));
            assert_eq!(read.as_deref(), Some("inner"));
            assert_eq!(crate::settings::get("name").as_deref(), Some("outer"));
        });
        assert_eq!(crate::settings::get("name"), None);
    }

    #[test]
    fn headers_have_no_case() {
        let headers = vec![("Wechatpay-Serial".to_owned(), "5157".to_owned())];
        let message = Message::new(0, headers, "");
        assert_eq!(message.header("wechatpay-serial").as_deref(), Some("5157"));
        assert_eq!(message.header("other"), None);
    }
}
