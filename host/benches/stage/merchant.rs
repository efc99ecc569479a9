//! A merchant's account at a platform, as a benchmark needs it.

use serde_json::{Map, Value};

/// A notification as it goes over the wire.
pub(crate) struct Notification {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What a platform knows of a merchant, and sends to it.
pub(crate) trait Merchant: Sync {
    const PLATFORM: &'static str;
    /// The pay type of the buyer who scans a code.
    const PAY_TYPE: &'static str;

    /// The settings of a test target with this account, secrets among them.
    fn settings(&self) -> anyhow::Result<Map<String, Value>>;

    /// Tells, signed, of a trade that was paid just now.
    fn paid(&self, trade_no: &str) -> anyhow::Result<Notification>;

    /// Whether the reply to a notification says that it was taken.
    fn taken(reply: &[u8]) -> bool;
}

/// What every platform sends, and what a reverse proxy adds.
const BESIDE: [(&str, &str); 7] = [
    ("host", "pay.example.com"),
    ("user-agent", "Mozilla/4.0"),
    ("x-forwarded-for", "203.119.216.71"),
    ("x-forwarded-proto", "https"),
    ("x-real-ip", "203.119.216.71"),
    ("x-request-id", "0b51a6de17638219445126831e0f3a"),
    ("via", "1.1 edge.example.com"),
];

impl Notification {
    /// With these headers, the usual ones beside them, and its length.
    pub(crate) fn new(own: &[(&str, &str)], body: String) -> Notification {
        let length = body.len().to_string();
        let headers = BESIDE
            .iter()
            .chain(own)
            .chain([&("content-length", length.as_str())])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Notification { headers, body }
    }

    /// As HTTP/1.1 has it on the wire.
    pub(crate) fn request(&self, path: &str) -> Vec<u8> {
        let mut request = format!("POST {path} HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&self.body);
        request.into_bytes()
    }
}
