//! A host for unit tests: it answers what it was told to answer, and remembers what it was asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use super::{Host, Message, Statement};
use crate::{http, kv, log, trust, web};

type Verify = Box<dyn Fn(&Message, &str) -> Result<Statement, trust::Failure>>;
type Open = Box<dyn Fn(&Statement, &str) -> Result<Statement, trust::Failure>>;
/// A template's name, and its values.
type Signed = (String, Vec<(String, String)>);
type Renew = Box<dyn Fn(&Message, &str) -> Result<Vec<String>, trust::Failure>>;

/// A host in memory.
#[derive(Default)]
pub struct Double {
    settings: BTreeMap<String, String>,
    now_ms: u64,
    verify: Option<Verify>,
    open: Option<Open>,
    renew: Option<Renew>,
    signed: RefCell<Vec<Signed>>,
    answers: RefCell<VecDeque<Result<Message, http::Failure>>>,
    pages: RefCell<VecDeque<Result<web::Response, web::Failure>>>,
    payments: BTreeMap<String, String>,
    requests: RefCell<Vec<http::Request>>,
    fetched: RefCell<Vec<web::Request>>,
    kv: RefCell<BTreeMap<String, Vec<u8>>>,
    events: RefCell<Vec<(String, String)>>,
    lines: RefCell<Vec<(log::Level, String)>>,
}

impl Double {
    /// A host without settings, data and answers.
    pub fn new() -> Double {
        Double::default()
    }

    /// Has a public setting.
    pub fn setting(mut self, name: &str, value: &str) -> Double {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Has this time.
    pub fn at(mut self, now_ms: u64) -> Double {
        self.now_ms = now_ms;
        self
    }

    /// Checks messages like this. Without it every message is a statement of its body.
    pub fn verifying(
        mut self,
        verify: impl Fn(&Message, &str) -> Result<Statement, trust::Failure> + 'static,
    ) -> Double {
        self.verify = Some(Box::new(verify));
        self
    }

    /// Decrypts parts of statements like this; without it there is no scheme that does.
    pub fn opening(
        mut self,
        open: impl Fn(&Statement, &str) -> Result<Statement, trust::Failure> + 'static,
    ) -> Double {
        self.open = Some(Box::new(open));
        self
    }

    /// Takes certificates out of answers like this; without it there is no scheme that does.
    pub fn renewing(
        mut self,
        renew: impl Fn(&Message, &str) -> Result<Vec<String>, trust::Failure> + 'static,
    ) -> Double {
        self.renew = Some(Box::new(renew));
        self
    }

    /// The templates that were signed so far, with their values. Each signature is `signed`.
    pub fn signed(&self) -> Vec<(String, Vec<(String, String)>)> {
        self.signed.borrow().clone()
    }

    /// Answers the next provider's request like this; without an answer, the request is denied.
    pub fn answering(self, answer: Result<Message, http::Failure>) -> Double {
        self.answers.borrow_mut().push_back(answer);
        self
    }

    /// Answers the next callback's request like this; without an answer, the request is denied.
    pub fn serving(self, answer: Result<web::Response, web::Failure>) -> Double {
        self.pages.borrow_mut().push_back(answer);
        self
    }

    /// Keeps this value under a key of the domain's data.
    pub fn keeping(self, key: &str, value: impl Into<Vec<u8>>) -> Double {
        self.kv.borrow_mut().insert(key.to_owned(), value.into());
        self
    }

    /// Has this payment of the domain.
    pub fn payment(mut self, id: &str, json: &str) -> Double {
        self.payments.insert(id.to_owned(), json.to_owned());
        self
    }

    /// The provider's requests so far.
    pub fn requests(&self) -> Vec<http::Request> {
        self.requests.borrow().clone()
    }

    /// The callback's requests so far.
    pub fn fetched(&self) -> Vec<web::Request> {
        self.fetched.borrow().clone()
    }

    /// The domain's data.
    pub fn data(&self) -> BTreeMap<String, Vec<u8>> {
        self.kv.borrow().clone()
    }

    /// The events so far: names and JSON texts.
    pub fn events(&self) -> Vec<(String, String)> {
        self.events.borrow().clone()
    }

    /// The log so far.
    pub fn lines(&self) -> Vec<(log::Level, String)> {
        self.lines.borrow().clone()
    }
}

impl Host for Double {
    fn verify(&self, message: &Message, scheme: &str) -> Result<Statement, trust::Failure> {
        match &self.verify {
            Some(verify) => verify(message, scheme),
            None => Ok(Statement::new(message.body())),
        }
    }

    fn open(&self, statement: &Statement, scheme: &str) -> Result<Statement, trust::Failure> {
        match &self.open {
            Some(open) => open(statement, scheme),
            None => Err(trust::Failure::UnknownScheme(scheme.to_owned())),
        }
    }

    fn renew(&self, message: &Message, scheme: &str) -> Result<Vec<String>, trust::Failure> {
        match &self.renew {
            Some(renew) => renew(message, scheme),
            None => Err(trust::Failure::UnknownScheme(scheme.to_owned())),
        }
    }

    fn sign(
        &self,
        template: &str,
        values: Vec<(String, String)>,
    ) -> Result<String, trust::Failure> {
        self.signed.borrow_mut().push((template.to_owned(), values));
        Ok("signed".to_owned())
    }

    fn send(&self, request: http::Request) -> Result<Message, http::Failure> {
        let denied = http::Failure::Denied(request.url.clone());
        self.requests.borrow_mut().push(request);
        self.answers.borrow_mut().pop_front().unwrap_or(Err(denied))
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).cloned()
    }

    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The same on every run, so that tests repeat.
    fn random(&self, count: u32) -> Vec<u8> {
        (0..count.min(4096))
            .map(|index| index.to_le_bytes()[0])
            .collect()
    }

    fn log(&self, level: log::Level, line: &str) {
        self.lines.borrow_mut().push((level, line.to_owned()));
    }

    fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>, kv::Failure> {
        Ok(self.kv.borrow().get(key).cloned())
    }

    fn kv_set(&self, key: &str, value: Vec<u8>) -> Result<(), kv::Failure> {
        self.kv.borrow_mut().insert(key.to_owned(), value);
        Ok(())
    }

    fn kv_delete(&self, key: &str) -> Result<(), kv::Failure> {
        self.kv.borrow_mut().remove(key);
        Ok(())
    }

    fn kv_increment(&self, key: &str, by: i64) -> Result<i64, kv::Failure> {
        let denied = |why: &str| kv::Failure::Denied(format!("{key}: {why}"));
        let mut data = self.kv.borrow_mut();
        let before = match data.get(key) {
            None => 0,
            Some(bytes) => str::from_utf8(bytes)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                .ok_or_else(|| denied("not an integer"))?,
        };
        let sum = before
            .checked_add(by)
            .ok_or_else(|| denied("beyond 64 bits"))?;
        data.insert(key.to_owned(), sum.to_string().into_bytes());
        Ok(sum)
    }

    fn payment(&self, id: &str) -> Option<String> {
        self.payments.get(id).cloned()
    }

    /// All payments, whatever they should match, the latest id first.
    fn payments(&self, _matching: &str, limit: u32) -> Result<Vec<String>, String> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.payments.values().rev().take(limit).cloned().collect())
    }

    fn emit(&self, name: &str, json: &str) -> Result<(), String> {
        self.events
            .borrow_mut()
            .push((name.to_owned(), json.to_owned()));
        Ok(())
    }

    fn fetch(&self, request: web::Request) -> Result<web::Response, web::Failure> {
        let denied = web::Failure::Denied(request.url.clone());
        self.fetched.borrow_mut().push(request);
        self.pages.borrow_mut().pop_front().unwrap_or(Err(denied))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::native::with;
    use crate::{events, http as client, web as client_web};

    #[test]
    fn counters_and_json_live_in_the_domains_data() {
        let double = Rc::new(Double::new());
        with(double.clone(), || {
            assert_eq!(kv::increment("cups", 2), Ok(2));
            assert_eq!(kv::increment("cups", -5), Ok(-3));
            kv::set_json("last", &vec!["tea"]).unwrap();
            assert_eq!(
                kv::get_json::<Vec<String>>("last"),
                Ok(Some(vec!["tea".to_owned()]))
            );
            assert!(matches!(
                kv::get_json::<u8>("last"),
                Err(kv::Failure::NotJson(_))
            ));
            assert!(matches!(
                kv::increment("last", 1),
                Err(kv::Failure::Denied(_))
            ));
            kv::delete("last").unwrap();
            assert_eq!(kv::get("last"), Ok(None));
            events::emit("sale", &3).unwrap();
        });
        assert_eq!(double.data().get("cups").unwrap(), b"-3");
        assert_eq!(double.events(), [("sale".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn requests_are_answered_in_order_and_remembered() {
        let double = Rc::new(
            Double::new()
                .answering(Ok(Message::new(200, Vec::new(), "one")))
                .serving(Err(web::Failure::TooLarge)),
        );
        with(double.clone(), || {
            let post = || client::Request::post_form("https://a/b".into(), &[("k", "v")]);
            assert_eq!(post().signed_by("s").send().unwrap().body(), b"one");
            assert!(matches!(post().send(), Err(http::Failure::Denied(_))));
            let page = client_web::Request::get("step", "https://c/");
            assert_eq!(page.send(), Err(web::Failure::TooLarge));
        });
        let requests = double.requests();
        assert_eq!(requests[0].auth.as_deref(), Some("s"));
        assert_eq!(requests[1].body, b"k=v");
        assert_eq!(double.fetched()[0].step, "step");
    }
}
