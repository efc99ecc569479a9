//! How the gateway writes an answer.
//!
//! Alipay signs the bytes of the response object as they stand in the body, and does not promise
//! how it writes JSON. So an app's answers take turns in four styles: plain; slashes escaped;
//! blanks and line breaks around everything; fields in another order with a `sign` and braces
//! inside the object, and the number of the certificate after the signature. Whoever parses and
//! writes the object again before verifying fails here.
//!
//! An encrypted answer has a string where the object stands, and the signature covers it with its
//! quotes.

use std::sync::Arc;

use serde_json::Value;

use super::account::{App, Signer};
use super::failure::Failure;
use super::misbehaviour::AnswerFault;
use super::signing::SigningKey;

/// An answer before it is written.
#[derive(Clone)]
pub(super) struct Answer {
    key: String,
    fields: Vec<(String, Value)>,
    /// Whose key signs. Without a known app nothing is signed.
    signer: Option<Arc<App>>,
    encrypted: bool,
}

/// Who signs an answer that is wrongly signed by somebody else.
pub(super) struct Stranger<'a> {
    pub(super) key: &'a SigningKey,
    /// The number of a certificate that nobody issued.
    pub(super) cert_sn: String,
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
            encrypted: false,
        }
    }

    /// The same with its content encrypted.
    pub(super) fn encrypted(self, encrypted: bool) -> Answer {
        Answer { encrypted, ..self }
    }

    /// Adds a field.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Answer {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Says that it worked.
    pub(super) fn success(self) -> Answer {
        self.with("code", "10000").with("msg", "Success")
    }

    /// Says that the order is made and the buyer has to confirm.
    pub(super) fn in_process(self) -> Answer {
        // The blank is Alipay's.
        self.with("code", "10003")
            .with("msg", " order success pay inprocess")
    }

    /// Says no, in the gateway's words.
    pub(super) fn failed(self, failure: &Failure) -> Answer {
        self.with("code", &*failure.code)
            .with("msg", failure.msg())
            .with("sub_code", &*failure.sub_code)
            .with("sub_msg", failure.sub_msg.as_str())
    }

    /// A field's text.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.as_str())
    }

    /// Puts another text in; an empty one drops the field.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some(_) if value.is_empty() => self.fields.retain(|(known, _)| known != name),
            Some((_, known)) => *known = value.into(),
            None if value.is_empty() => {}
            None => self.fields.push((name.to_owned(), value.into())),
        }
    }

    /// The same question's answer without its content.
    pub(super) fn emptied(&self) -> Answer {
        Answer {
            fields: Vec::new(),
            ..self.clone()
        }
    }

    /// The same question's answer with other content.
    pub(super) fn instead(&self, failure: &Failure) -> Answer {
        self.emptied().failed(failure)
    }

    /// The body.
    pub(super) fn write(
        &self,
        fault: Option<&AnswerFault>,
        stranger: Option<&Stranger<'_>>,
    ) -> Vec<u8> {
        let Some(app) = &self.signer else {
            return format!("{{{}:{}}}", string(&self.key), object(&self.fields)).into_bytes();
        };
        let style = app.next_answer() % 4;
        let (mut part, colon, comma, end) = match style {
            0 => (object(&self.fields), ":", ",", ""),
            1 => (object(&self.fields).replace('/', "\\/"), ":", ",", ""),
            2 => (spaced(&self.fields), "\n  :  ", ",\n\n  ", " "),
            _ => (decoyed(&self.fields), ":", ",", "\n"),
        };
        if self.encrypted {
            part = string(&app.content_key.encrypt(&part).unwrap_or_default());
        }
        let key = string(&self.key);
        let signer = app.signer();
        let sign = match (fault, stranger) {
            (Some(AnswerFault::Unsigned), _) => {
                return format!("{{{key}{colon}{part}}}").into_bytes();
            }
            (Some(AnswerFault::WronglySigned), _) => signer.key.sign(format!("{part} ").as_bytes()),
            (_, Some(stranger)) => stranger.key.sign(part.as_bytes()),
            _ => signer.key.sign(part.as_bytes()),
        };
        let mut rest = vec![format!("\"sign\"{colon}\"{sign}\"")];
        if let Some(sn) = cert_sn(&signer, fault, stranger) {
            let at = if style == 3 { 1 } else { 0 };
            rest.insert(at, format!("\"alipay_cert_sn\"{colon}\"{sn}\""));
        }
        format!("{{{key}{colon}{part}{comma}{}{end}}}", rest.join(comma)).into_bytes()
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

/// The number that names the signing key. A forger claims Alipay's own, unless it shall be unknown.
fn cert_sn(
    signer: &Signer,
    fault: Option<&AnswerFault>,
    stranger: Option<&Stranger<'_>>,
) -> Option<String> {
    let own = signer.certificate.as_ref()?;
    match (fault, stranger) {
        (Some(AnswerFault::UnknownCertificate), Some(stranger)) => Some(stranger.cert_sn.clone()),
        _ => Some(own.sn.clone()),
    }
}

fn string(text: &str) -> String {
    Value::from(text).to_string()
}

fn members(fields: &[(String, Value)], colon: &str) -> Vec<String> {
    fields
        .iter()
        .map(|(name, value)| format!("{}{colon}{value}", string(name)))
        .collect()
}

fn object(fields: &[(String, Value)]) -> String {
    format!("{{{}}}", members(fields, ":").join(","))
}

fn spaced(fields: &[(String, Value)]) -> String {
    format!("{{\n    {}\n  }}", members(fields, " : ").join(",\n    "))
}

fn decoyed(fields: &[(String, Value)]) -> String {
    let decoy = r#""sign":"xxx","note":"a \"}{\\""#;
    let mut members = members(fields, ":");
    members.reverse();
    format!("{{{decoy},{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::authority::Authority;
    use super::super::numbers::Numbers;
    use super::super::signing::{self, VerifyingKey};
    use super::*;

    const KEY: &str = "alipay_trade_precreate_response";

    fn answer(app: &Arc<App>) -> Answer {
        Answer::new(Some("alipay.trade.precreate"), Some(Arc::clone(app)))
            .success()
            .with("qr_code", "http://127.0.0.1/qr/bax")
            .with("fund_bill_list", json!([{"amount": "0.10"}]))
    }

    fn read(body: Vec<u8>) -> (String, Value) {
        let body = String::from_utf8(body).unwrap();
        let part = signing::signed_part(&body, KEY).unwrap().to_owned();
        (part, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn every_style_verifies_over_its_bytes_and_says_the_same() {
        let (app, account) = App::open(&Numbers::new().unwrap(), None).unwrap();
        let app = Arc::new(app);
        let key = VerifyingKey::from_base64(account.alipay_public_key()).unwrap();
        let mut bodies = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let (part, parsed) = read(answer(&app).write(None, None));
            assert_eq!(parsed[KEY]["qr_code"], "http://127.0.0.1/qr/bax");
            assert_eq!(parsed[KEY]["fund_bill_list"][0]["amount"], "0.10");
            assert!(key.verify(part.as_bytes(), parsed["sign"].as_str().unwrap()));
            assert_eq!(parsed.as_object().unwrap().len(), 2);
            bodies.insert(part);
        }
        assert_eq!(bodies.len(), 4);
        let stranger = SigningKey::generate().unwrap();
        let stranger = Stranger {
            key: &stranger,
            cert_sn: "0".repeat(32),
        };
        for (fault, stranger) in [
            (AnswerFault::WronglySigned, None),
            (AnswerFault::SignedByStranger, Some(&stranger)),
        ] {
            let (part, parsed) = read(answer(&app).write(Some(&fault), stranger));
            assert!(!key.verify(part.as_bytes(), parsed["sign"].as_str().unwrap()));
        }
    }

    #[test]
    fn an_encrypted_answer_is_signed_with_its_quotes() {
        let numbers = Numbers::new().unwrap();
        let authority = Authority::new(&numbers).unwrap();
        let (app, account) = App::open(&numbers, Some(&authority)).unwrap();
        let (app, sn) = (Arc::new(app), authority.root_sn.clone());
        let key = VerifyingKey::from_base64(account.alipay_public_key()).unwrap();
        for _ in 0..4 {
            let (part, parsed) = read(answer(&app).encrypted(true).write(None, None));
            assert!(part.starts_with('"') && part.ends_with('"'));
            assert!(key.verify(part.as_bytes(), parsed["sign"].as_str().unwrap()));
            let text = app
                .content_key
                .decrypt(parsed[KEY].as_str().unwrap())
                .unwrap();
            let text: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(text["code"], "10000");
            let named = parsed["alipay_cert_sn"].as_str().unwrap();
            assert!(app.certificate(named).is_some() && !sn.contains(named));
        }
    }
}
