//! WeChat Pay's rules of signing and sealing, for whoever writes messages by hand.
//!
//! APIv3, signed by RSASSA-PKCS1-v1_5 with SHA-256 in base64; every line ends with `\n`:
//!
//! | message | signed lines | key |
//! |---|---|---|
//! | request | method, path with query as sent, timestamp, nonce, body | the merchant's |
//! | answer, notification | timestamp, nonce, body | the platform's |
//! | call of the payment page by JSAPI | appid, timestamp, nonce, `prepay_id=…` | the merchant's |
//! | call of the payment by an app | appid, timestamp, nonce, the bare prepay id | the merchant's |
//!
//! What is secret inside a notification or a list of certificates is [sealed](seal) with the
//! APIv3 key. The rules of v2, all of them with a shared key, are in [`v2`].

mod keys;
mod sealed;
pub mod v2;

use std::fmt;

pub use keys::{KeyError, SigningKey, VerifyingKey};
pub use sealed::{open, seal};

pub(super) use keys::pem;

/// The scheme of a request's `Authorization`.
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// What a request's signature covers; `url` is the path with its query, byte for byte as sent.
pub fn request_text(method: &str, url: &str, timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{method}\n{url}\n{timestamp}\n{nonce}\n");
    [head.as_bytes(), body, b"\n"].concat()
}

/// What the signature of an answer or a notification covers. The body of a 204 is empty.
pub fn answer_text(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{timestamp}\n{nonce}\n");
    [head.as_bytes(), body, b"\n"].concat()
}

/// What `paySign` covers, and `sign` of an app's call: `last` is `prepay_id=…` for JSAPI and
/// mini programs, and the bare id for an app.
pub fn call_text(appid: &str, timestamp: &str, nonce: &str, last: &str) -> String {
    format!("{appid}\n{timestamp}\n{nonce}\n{last}\n")
}

/// The five items of a request's `Authorization`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The merchant's number.
    pub mchid: String,
    /// The serial number of the merchant's certificate.
    pub serial_no: String,
    /// Used once.
    pub nonce_str: String,
    /// Seconds since 1970.
    pub timestamp: String,
    /// Base64.
    pub signature: String,
}

impl Authorization {
    /// Reads a header's value: the scheme, one blank, then the five items in any order, each once,
    /// with nothing but a comma between them. None when it is anything else.
    pub fn parse(header: &str) -> Option<Authorization> {
        let items = header.strip_prefix(SCHEME)?.strip_prefix(' ')?;
        let [
            mut mchid,
            mut serial_no,
            mut nonce_str,
            mut timestamp,
            mut signature,
        ] = [const { None }; 5];
        for item in items.split(',') {
            let (name, value) = item.split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let place = match name {
                "mchid" => &mut mchid,
                "serial_no" => &mut serial_no,
                "nonce_str" => &mut nonce_str,
                "timestamp" => &mut timestamp,
                "signature" => &mut signature,
                _ => return None,
            };
            if place.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        let word = |text: &String, longest: usize| {
            (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        Some(Authorization {
            mchid: mchid.filter(|text| word(text, 32))?,
            serial_no: serial_no.filter(|text| word(text, 40))?,
            nonce_str: nonce_str.filter(|text| word(text, 128))?,
            timestamp: timestamp
                .filter(|text| word(text, 10) && text.bytes().all(|b| b.is_ascii_digit()))?,
            signature: signature.filter(|text| !text.is_empty() && !text.contains('"'))?,
        })
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME} mchid=\"{}\",nonce_str=\"{}\",timestamp=\"{}\",serial_no=\"{}\",signature=\"{}\"",
            self.mchid, self.nonce_str, self.timestamp, self.serial_no, self.signature
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Authorization;

    #[test]
    fn an_authorization_is_read_by_its_names_and_nothing_else_passes() {
        let right = "WECHATPAY2-SHA256-RSA2048 signature=\"a/+==\",mchid=\"1900000001\",\
                     nonce_str=\"AB12\",serial_no=\"0C4A\",timestamp=\"1554208460\"";
        let read = Authorization::parse(right).unwrap();
        assert_eq!(
            (
                read.mchid.as_str(),
                read.serial_no.as_str(),
                read.signature.as_str()
            ),
            ("1900000001", "0C4A", "a/+==")
        );
        assert_eq!(Authorization::parse(&read.to_string()), Some(read));
        for (from, to) in [
            ("RSA2048 ", "RSA2048  "),
            ("RSA2048 ", "RSA2048"),
            ("WECHATPAY2-SHA256-RSA2048", "Bearer"),
            (",mchid", ", mchid"),
            ("mchid=\"1900000001\",", ""),
            ("mchid=\"1900000001\"", "mchid=1900000001"),
            ("AB12", "AB-12"),
            ("1554208460", "1554208460.5"),
            (
                "nonce_str=\"AB12\"",
                "nonce_str=\"AB12\",nonce_str=\"AB12\"",
            ),
            ("serial_no", "serial"),
        ] {
            let wrong = right.replacen(from, to, 1);
            assert_ne!(wrong, right);
            assert_eq!(Authorization::parse(&wrong), None, "{wrong}");
        }
    }
}
