//! What becomes of a run's requests: answers out of a file. Nothing is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::input;
use crate::plugin::{Web, WebAnswer, WebFailure, WebRequest};

/// An answer of the file, for the requests that it fits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    step: Option<String>,
    url: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text as it is, anything else as its JSON.
    #[serde(default)]
    body: Value,
    /// Instead of an answer.
    failure: Option<GivenFailure>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum GivenFailure {
    NotSent,
    MaybeSent,
    TooLarge,
}

fn ok() -> u16 {
    200
}

/// A request that the callback made, and what it was told.
pub(super) struct Asked {
    pub(super) request: WebRequest,
    pub(super) answer: Result<WebAnswer, WebFailure>,
}

impl Asked {
    /// What it was told, in a few words.
    pub(super) fn told(&self) -> String {
        match &self.answer {
            Ok(answer) => answer.status.to_string(),
            Err(WebFailure::Denied(why)) => format!("denied: {why}"),
            Err(WebFailure::NotSent(why)) => format!("not-sent: {why}"),
            Err(WebFailure::MaybeSent(why)) => format!("maybe-sent: {why}"),
            Err(WebFailure::TooLarge) => "too-large".to_owned(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "step": self.request.step,
            "method": self.request.method,
            "url": self.request.url.as_str(),
            "headers": self.request.headers,
            "body": super::domain::shown(&self.request.body),
            "answer": self.told(),
        })
    }
}

/// The answers, and what was asked so far.
#[derive(Default)]
pub(super) struct Answers {
    given: Arc<Vec<Given>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Answers {
    /// Reads a list of answers; without a file there are none.
    pub(super) fn read(file: Option<&String>) -> Result<Answers, CliError> {
        let Some(file) = file else {
            return Ok(Answers::default());
        };
        let given = serde_json::from_str(&input::text(file)?)
            .map_err(|error| CliError::usage(format!("{file}: {error}")))?;
        Ok(Answers {
            given: Arc::new(given),
            asked: Arc::default(),
        })
    }

    /// What becomes of every request.
    pub(super) fn web(&self) -> Web {
        let (given, asked) = (self.given.clone(), self.asked.clone());
        Web::Answered(Arc::new(move |request| {
            let answer = answer(&given, request);
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(Asked {
                request: request.clone(),
                answer: answer.clone(),
            });
            answer
        }))
    }

    /// Looks at what was asked.
    pub(super) fn asked<T>(&self, look: impl FnOnce(&[Asked]) -> T) -> T {
        look(&self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The first answer whose step and address are the request's.
fn answer(given: &[Given], request: &WebRequest) -> Result<WebAnswer, WebFailure> {
    let fits = |given: &&Given| {
        let url = given.url.as_ref().and_then(|url| url.parse().ok());
        let step = given.step.as_ref().is_none_or(|step| *step == request.step);
        let there = given.url.is_none() || url.as_ref() == Some(&request.url);
        step && there && (given.step.is_some() || given.url.is_some())
    };
    let Some(given) = given.iter().find(fits) else {
        return Err(WebFailure::Denied(
            "nothing is sent from here: give the answer by --web FILE".to_owned(),
        ));
    };
    let why = || "as the file of --web says".to_owned();
    match given.failure {
        Some(GivenFailure::NotSent) => return Err(WebFailure::NotSent(why())),
        Some(GivenFailure::MaybeSent) => return Err(WebFailure::MaybeSent(why())),
        Some(GivenFailure::TooLarge) => return Err(WebFailure::TooLarge),
        None => {}
    }
    let headers = given.headers.iter();
    Ok(WebAnswer {
        status: given.status,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect(),
        body: match &given.body {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(step: &str, url: &str) -> WebRequest {
        WebRequest {
            step: step.into(),
            method: "GET".into(),
            url: url.parse().unwrap(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    #[test]
    fn the_first_that_fits_answers() {
        let given: Vec<Given> = serde_json::from_value(json!([
            {"url": "https://a.example", "step": "one", "body": "first", "headers": {"X-A": "1"}},
            {"url": "https://a.example", "status": 404},
            {"step": "lost", "failure": "maybe-sent"},
            {"body": "names neither"},
        ]))
        .unwrap();
        let ask = |step, url| answer(&given, &request(step, url));
        let first = ask("one", "https://a.example/").unwrap();
        assert_eq!((first.status, &first.body[..]), (200, &b"first"[..]));
        assert_eq!(first.headers, [("x-a".to_owned(), "1".to_owned())]);
        assert_eq!(ask("two", "https://a.example/").unwrap().status, 404);
        let lost = ask("lost", "https://b.example/");
        assert!(matches!(lost, Err(WebFailure::MaybeSent(_))));
        let other = ask("two", "https://b.example/");
        assert!(matches!(other, Err(WebFailure::Denied(why)) if why.contains("--web")));
    }

    #[test]
    fn what_was_asked_is_kept() {
        let answers = Answers::default();
        let Web::Answered(web) = answers.web() else {
            unreachable!()
        };
        assert!(web(&request("tell", "https://a.example/")).is_err());
        let told = answers.asked(|asked| asked[0].to_json());
        assert_eq!(told["step"], "tell");
        assert!(told["answer"].as_str().unwrap().starts_with("denied: "));
    }
}
