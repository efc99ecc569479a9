//! How v3 writes and signs an answer.
//!
//! The signature covers the bytes of the body, and nobody promises how its JSON is written. So a
//! merchant's answers take turns in three styles: plain; with blanks and line breaks; with
//! everything escaped that may be. Whoever parses and writes the object again before verifying
//! fails here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::clock;
use super::super::failure::{Failure, Problem};
use super::super::identity::Identity;
use super::super::merchant::Shop;
use super::super::misbehaviour::AnswerFault;
use super::super::notice::put;
use super::super::outgoing::Outgoing;
use super::super::platform::Platform;
use super::super::signing::answer_text;

/// What an answer has to say.
#[derive(Clone)]
pub(super) enum Content {
    /// 204.
    Nothing,
    Json(Value),
    /// A download. It is not signed: its hash was told before.
    File {
        bytes: Vec<u8>,
        gzip: bool,
    },
}

/// Who an answer goes to, and whose key signs it.
#[derive(Clone)]
pub(super) struct Signer {
    pub(super) shop: Arc<Shop>,
    pub(super) identity: Arc<Identity>,
}

/// An answer before it is written.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `code` of a refusal.
    pub(super) code: Option<String>,
    number: u32,
    content: Content,
}

impl Answer {
    pub(super) fn json(value: Value) -> Answer {
        Answer::of(200, Content::Json(value))
    }

    pub(super) fn nothing() -> Answer {
        Answer::of(204, Content::Nothing)
    }

    pub(super) fn file(bytes: Vec<u8>, gzip: bool) -> Answer {
        Answer::of(200, Content::File { bytes, gzip })
    }

    /// What a path says that leads nowhere, or not by this method.
    pub(super) fn bare(status: u16) -> Answer {
        Answer::of(status, Content::Nothing)
    }

    fn of(status: u16, content: Content) -> Answer {
        Answer {
            status,
            code: None,
            number: 0,
            content,
        }
    }

    pub(super) fn failed(failure: &Failure) -> Answer {
        let (status, code, number) = failure.problem.v3();
        Answer {
            status,
            code: Some(code.to_owned()),
            number,
            content: Content::Json(failure.v3_body()),
        }
    }

    /// The same with another status.
    pub(super) fn with_status(self, status: u16) -> Answer {
        Answer { status, ..self }
    }

    fn refused(status: u16, code: &str) -> Answer {
        Answer {
            status,
            code: Some(code.to_owned()),
            number: 0,
            content: Content::Json(json!({"code": code, "message": "请求被拒绝"})),
        }
    }

    /// The answer with the content that a fault puts in its place.
    pub(super) fn spoilt(mut self, fault: Option<&AnswerFault>) -> Answer {
        match fault {
            Some(AnswerFault::SystemError { .. }) => Answer::failed(&Problem::System.into()),
            Some(AnswerFault::Refused { status, code, .. }) => Answer::refused(*status, code),
            Some(AnswerFault::Other(values)) => {
                if let Content::Json(value) = &mut self.content {
                    for (path, changed) in values {
                        put(value, path, changed);
                    }
                }
                self
            }
            _ => self,
        }
    }

    /// The answer's bytes and headers. Without a signer, and for a download, there is no
    /// signature.
    pub(super) async fn written(
        self,
        platform: &Platform,
        signer: Option<&Signer>,
        fault: Option<&AnswerFault>,
    ) -> Outgoing {
        let mut headers = vec![("request-id", platform.numbers.request_id(self.number))];
        let style = signer.map_or(0, |signer| signer.shop.next_answer() % 3);
        let (body, signed) = match self.content {
            Content::Nothing => (Vec::new(), self.status < 300),
            Content::Json(value) => {
                headers.push(("content-type", "application/json; charset=utf-8".to_owned()));
                (styled(&value, style), true)
            }
            Content::File { bytes, gzip } => {
                let kind = if gzip {
                    "application/gzip"
                } else {
                    "text/plain"
                };
                headers.push(("content-type", kind.to_owned()));
                (bytes, false)
            }
        };
        if let Some(signer) = signer.filter(|_| signed) {
            headers.extend(signature(platform, signer, &body, fault).await);
        }
        Outgoing {
            status: self.status,
            headers,
            body,
        }
    }
}

async fn signature(
    platform: &Platform,
    signer: &Signer,
    body: &[u8],
    fault: Option<&AnswerFault>,
) -> Vec<(&'static str, String)> {
    let key = &signer.identity.key;
    let (mut at, mut serial) = (clock::now(), signer.identity.id.clone());
    if let Some(AnswerFault::Stale { seconds }) = fault {
        at -= time::Duration::seconds(*seconds);
    }
    let (timestamp, nonce) = (at.unix_timestamp().to_string(), platform.numbers.nonce());
    let text = answer_text(&timestamp, &nonce, body);
    let signature = match fault {
        Some(AnswerFault::Unsigned) => return Vec::new(),
        Some(AnswerFault::WronglySigned) => key.sign(&[text.as_slice(), b" "].concat()),
        Some(AnswerFault::SignTest) => platform.numbers.probe_signature(),
        Some(AnswerFault::SignedByStranger | AnswerFault::UnknownSerial) => {
            if matches!(fault, Some(AnswerFault::UnknownSerial)) {
                serial = platform.numbers.serial();
            }
            match platform.stranger().await {
                Ok(stranger) => stranger.sign(&text),
                Err(_) => String::new(),
            }
        }
        _ => key.sign(&text),
    };
    vec![
        ("wechatpay-timestamp", timestamp),
        ("wechatpay-nonce", nonce),
        ("wechatpay-signature", signature),
        ("wechatpay-serial", serial),
    ]
}

fn styled(value: &Value, style: u64) -> Vec<u8> {
    let plain = value.to_string();
    let text = match style {
        0 => plain,
        1 => serde_json::to_string_pretty(value).unwrap_or(plain) + "\n",
        _ => escaped(&plain),
    };
    text.into_bytes()
}

/// Escapes slashes and all that is not ASCII; both stand in strings alone.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '/' => text.push_str("\\/"),
            letter if letter.is_ascii() => text.push(letter),
            letter => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_style_says_the_same_in_other_bytes() {
        let value = json!({"message": "茶 😀 a/b \"q\" \\", "amount": {"total": 1}});
        let bodies: BTreeSet<Vec<u8>> = (0..3).map(|style| styled(&value, style)).collect();
        assert_eq!(bodies.len(), 3);
        for body in bodies {
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), value);
        }
    }
}
