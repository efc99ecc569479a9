//! How v2 writes and signs an answer: always a 200, its failures inside.
//!
//! Nobody promises the order of the fields, nor which are in CDATA. So answers take turns.

use super::super::failure::{Failure, Problem};
use super::super::merchant::Shop;
use super::super::misbehaviour::AnswerFault;
use super::super::outgoing::Outgoing;
use super::super::platform::Platform;
use super::super::signing::v2::{SignType, sign};
use super::fields::{Pairs, named, v2_name};
use super::xml;

/// An answer before it is written.
#[derive(Clone)]
pub(super) struct Answer {
    /// `err_code`; `FAIL` where the request itself was refused.
    pub(super) code: Option<String>,
    content: Content,
}

#[derive(Clone)]
enum Content {
    /// `return_code=FAIL`, which nobody signs.
    Refused(String),
    /// Everything but what all signed answers have.
    Said(Pairs),
}

impl Answer {
    /// The request cannot be read or is not the merchant's.
    pub(super) fn refused(why: &str) -> Answer {
        Answer {
            code: Some("FAIL".to_owned()),
            content: Content::Refused(why.to_owned()),
        }
    }

    pub(super) fn success(fields: Pairs) -> Answer {
        let mut said = named([("result_code", "SUCCESS")]);
        said.extend(fields);
        Answer {
            code: None,
            content: Content::Said(said),
        }
    }

    pub(super) fn failed(failure: &Failure) -> Answer {
        Answer::with_code(failure.problem.v2(), &failure.message)
    }

    /// The same, with further fields.
    pub(super) fn with(mut self, fields: Pairs) -> Answer {
        if let Content::Said(said) = &mut self.content {
            said.extend(fields);
        }
        self
    }

    fn with_code(code: &str, why: &str) -> Answer {
        let said = named([
            ("result_code", "FAIL"),
            ("err_code", code),
            ("err_code_des", why),
        ]);
        Answer {
            code: Some(code.to_owned()),
            content: Content::Said(said),
        }
    }

    /// The answer with the content that a fault puts in its place.
    pub(super) fn spoilt(mut self, fault: Option<&AnswerFault>) -> Answer {
        let system = || Answer::failed(&Problem::System.into());
        match fault {
            Some(AnswerFault::SystemError { .. }) => system(),
            Some(AnswerFault::Recall) => system().with(named([("recall", "Y")])),
            Some(AnswerFault::Refused { code, .. }) => Answer::with_code(code, "请求被拒绝"),
            Some(AnswerFault::Other(values)) => {
                if let Content::Said(said) = &mut self.content {
                    for (path, value) in values {
                        put(said, v2_name(path), value);
                    }
                }
                self
            }
            _ => self,
        }
    }

    /// The answer's bytes. Only for a known merchant there is a key to sign with.
    pub(super) fn written(
        self,
        platform: &Platform,
        signer: Option<(&Shop, SignType)>,
        fault: Option<&AnswerFault>,
    ) -> Outgoing {
        let style = signer.map_or(0, |(shop, _)| shop.next_answer());
        let fields = match (self.content, signer) {
            (Content::Refused(why), _) => {
                named([("return_code", "FAIL"), ("return_msg", why.as_str())])
            }
            (Content::Said(said), None) => said,
            (Content::Said(said), Some((shop, sign_type))) => {
                signed(platform, shop, sign_type, said, fault, style)
            }
        };
        Outgoing {
            status: 200,
            headers: vec![("content-type", "text/plain".to_owned())],
            body: xml::write("xml", &fields, style).into_bytes(),
        }
    }
}

fn signed(
    platform: &Platform,
    shop: &Shop,
    sign_type: SignType,
    said: Pairs,
    fault: Option<&AnswerFault>,
    style: u64,
) -> Pairs {
    let own = |name: &str| said.iter().any(|(known, _)| known == name);
    let mut fields = named([("return_code", "SUCCESS"), ("return_msg", "OK")]);
    for (name, value) in [
        ("appid", shop.appid.as_str()),
        ("mch_id", shop.mchid.as_str()),
        ("nonce_str", &platform.numbers.nonce()),
    ] {
        if !own(name) {
            fields.extend(named([(name, value)]));
        }
    }
    fields.extend(said);
    if style % 2 == 1 {
        fields.reverse();
    }
    let pairs = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let sign = match fault {
        Some(AnswerFault::Unsigned) => return fields,
        Some(AnswerFault::WronglySigned) => sign(pairs.skip(1), &shop.api_key, sign_type),
        Some(AnswerFault::SignedByStranger) => sign(pairs, &platform.numbers.nonce(), sign_type),
        _ => sign(pairs, &shop.api_key, sign_type),
    };
    fields.push(("sign".to_owned(), sign));
    fields
}

fn put(fields: &mut Pairs, name: &str, value: &serde_json::Value) {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some(_) if value.is_null() => fields.retain(|(known, _)| known != name),
        Some((_, known)) => *known = text,
        None if value.is_null() => {}
        None => fields.push((name.to_owned(), text)),
    }
}
