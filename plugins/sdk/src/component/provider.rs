//! What only providers may use.

use crate::bindings::provider::walnut::pay as contract;
use crate::trust::{Message, Statement};
use crate::{http, trust};

impl From<contract::trust::Failure> for trust::Failure {
    fn from(failure: contract::trust::Failure) -> trust::Failure {
        use contract::trust::Failure as Theirs;
        match failure {
            Theirs::UnknownScheme(what) => trust::Failure::UnknownScheme(what),
            Theirs::UnknownKey(what) => trust::Failure::UnknownKey(what),
            Theirs::Stale => trust::Failure::Stale,
            Theirs::BadSignature => trust::Failure::BadSignature,
            Theirs::Malformed(what) => trust::Failure::Malformed(what),
        }
    }
}

pub(crate) fn verify(message: &Message, scheme: &str) -> Result<Statement, trust::Failure> {
    Ok(contract::trust::verify(message, scheme)?)
}

pub(crate) fn open(statement: &Statement, scheme: &str) -> Result<Statement, trust::Failure> {
    Ok(contract::trust::open(statement, scheme)?)
}

pub(crate) fn renew(message: &Message, scheme: &str) -> Result<Vec<String>, trust::Failure> {
    Ok(contract::trust::renew(message, scheme)?)
}

pub(crate) fn sign(
    template: &str,
    values: Vec<(String, String)>,
) -> Result<String, trust::Failure> {
    Ok(contract::trust::sign(template, &values)?)
}

pub(crate) fn send(request: http::Request) -> Result<Message, http::Failure> {
    use contract::http::Failure as Theirs;
    let http::Request {
        method,
        url,
        headers,
        body,
        auth,
        identity,
    } = request;
    let request = contract::http::Request {
        method,
        url,
        headers,
        body,
        auth,
        identity,
    };
    contract::http::send(&request).map_err(|failure| match failure {
        Theirs::Denied(what) => http::Failure::Denied(what),
        Theirs::NotSent(what) => http::Failure::NotSent(what),
        Theirs::MaybeSent(what) => http::Failure::MaybeSent(what),
        Theirs::TooLarge => http::Failure::TooLarge,
    })
}

pub(crate) fn setting(name: &str) -> Option<String> {
    contract::settings::get(name)
}
