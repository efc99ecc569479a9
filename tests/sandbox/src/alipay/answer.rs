//! How the gateway writes an answer.
//!
//! Alipay signs the bytes of the response object as they stand in the body, and does not promise
//! how it writes JSON. So an app's answers take turns in four styles: plain; slashes escaped;
//! blanks and line breaks around everything; fields in another order with a `sign` and braces
//! inside the object. Whoever parses and writes the object again before verifying fails here.

use std::sync::Arc;

use super::account::App;
use super::failure::Failure;
use super::misbehaviour::AnswerFault;
use super::signing::SigningKey;

/// An answer before it is written.
#[derive(Clone)]
pub(super) struct Answer {
    key: String,
    fields: Vec<(String, String)>,
    /// Whose key signs. Without a known app nothing is signed.
    signer: Option<Arc<App>>,
}

impl Answer {
    /// The answer of an operation; without a readable one it is the gateway's `error_response`.
    pub(super) fn new(method: Option<&str>, signer: Option<Arc<App>>) -> Answer {
        let key = match method {
            Some(method) => format!("{}_response", method.replace('.', "_")),
            None => "error_response".to_owned(),
        };
        Answer {
            key,
            fields: Vec::new(),
            signer,
        }
    }

    /// Adds a field.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Says that it worked.
    pub(super) fn success(self) -> Answer {
        self.with("code", "10000").with("msg", "Success")
    }

    /// Says no, in the gateway's words.
    pub(super) fn failed(self, failure: &Failure) -> Answer {
        self.with("code", failure.code)
            .with("msg", failure.msg)
            .with("sub_code", failure.sub_code)
            .with("sub_msg", failure.sub_msg.as_str())
    }

    /// A field's value.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Puts another value in; an empty one drops the field.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some(_) if value.is_empty() => self.fields.retain(|(known, _)| known != name),
            Some((_, known)) => *known = value.to_owned(),
            None if value.is_empty() => {}
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
    }

    /// The same question's answer with other content.
    pub(super) fn instead(&self, failure: &Failure) -> Answer {
        Answer {
            fields: Vec::new(),
            ..self.clone()
        }
        .failed(failure)
    }

    /// The body. `stranger` is the key that signs where Alipay's should.
    pub(super) fn write(
        &self,
        fault: Option<&AnswerFault>,
        stranger: Option<&SigningKey>,
    ) -> Vec<u8> {
        let Some(app) = &self.signer else {
            return format!("{{{}:{}}}", string(&self.key), object(&self.fields)).into_bytes();
        };
        let style = app.next_answer() % 4;
        let (object, colon, comma, end) = match style {
            0 => (object(&self.fields), ":", ",", ""),
            1 => (object(&self.fields).replace('/', "\\/"), ":", ",", ""),
            2 => (spaced(&self.fields), "\n  :  ", ",\n\n  ", " "),
            _ => (decoyed(&self.fields), ":", ",", "\n"),
        };
        let key = string(&self.key);
        let sign = match fault {
            Some(AnswerFault::Unsigned) => return format!("{{{key}{colon}{object}}}").into_bytes(),
            Some(AnswerFault::WronglySigned) => app.alipay.sign(format!("{object} ").as_bytes()),
            Some(AnswerFault::SignedByStranger) => stranger
                .map(|key| key.sign(object.as_bytes()))
                .unwrap_or_default(),
            _ => app.alipay.sign(object.as_bytes()),
        };
        let mut body =
            format!("{{{key}{colon}{object}{comma}\"sign\"{colon}\"{sign}\"{end}}}").into_bytes();
        if matches!(fault, Some(AnswerFault::Truncated)) {
            body.truncate(body.len() / 2);
        }
        body
    }

    /// 20000 as it comes when the gateway forgets the charset: unsigned, its text in GBK.
    pub(super) fn busy_in_gbk(&self) -> Vec<u8> {
        let head = r#":{"code":"20000","msg":"Service Currently Unavailable","sub_code":"aop.unknow-error","sub_msg":""#;
        let mut body = format!("{{{}{head}", string(&self.key)).into_bytes();
        // 系统繁忙
        body.extend_from_slice(&[0xCF, 0xB5, 0xCD, 0xB3, 0xB7, 0xB1, 0xC3, 0xA6]);
        body.extend_from_slice(b"\"}}");
        body
    }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn members(fields: &[(String, String)], colon: &str) -> Vec<String> {
    fields
        .iter()
        .map(|(name, value)| format!("{}{colon}{}", string(name), string(value)))
        .collect()
}

fn object(fields: &[(String, String)]) -> String {
    format!("{{{}}}", members(fields, ":").join(","))
}

fn spaced(fields: &[(String, String)]) -> String {
    format!("{{\n    {}\n  }}", members(fields, " : ").join(",\n    "))
}

fn decoyed(fields: &[(String, String)]) -> String {
    let decoy = r#""sign":"xxx","note":"a \"}{\\""#;
    let mut members = members(fields, ":");
    members.reverse();
    format!("{{{decoy},{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::super::numbers::Numbers;
    use super::super::signing::{self, VerifyingKey};
    use super::*;

    #[test]
    fn every_style_verifies_over_its_bytes_and_says_the_same() {
        let (app, account) = App::open(&Numbers::new().unwrap()).unwrap();
        let key = VerifyingKey::from_base64(account.alipay_public_key()).unwrap();
        let answer = Answer::new(Some("alipay.trade.precreate"), Some(Arc::new(app)))
            .success()
            .with("qr_code", "http://127.0.0.1/qr/bax");
        let mut bodies = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let body = String::from_utf8(answer.write(None, None)).unwrap();
            let part = signing::signed_part(&body, "alipay_trade_precreate_response").unwrap();
            let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                parsed["alipay_trade_precreate_response"]["qr_code"],
                "http://127.0.0.1/qr/bax"
            );
            assert!(
                key.verify(part.as_bytes(), parsed["sign"].as_str().unwrap()),
                "{body}"
            );
            bodies.insert(body);
        }
        assert_eq!(bodies.len(), 4);
        let stranger = SigningKey::generate().unwrap();
        for fault in [AnswerFault::WronglySigned, AnswerFault::SignedByStranger] {
            let body = String::from_utf8(answer.write(Some(&fault), Some(&stranger))).unwrap();
            let part = signing::signed_part(&body, "alipay_trade_precreate_response").unwrap();
            let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(
                !key.verify(part.as_bytes(), parsed["sign"].as_str().unwrap()),
                "{body}"
            );
        }
    }
}
