//! The addresses that lead a buyer to an order, and back from them to the order.

use super::order::Link;

/// Where codes lead to.
const CODE_URL: &str = "weixin://wxpay/bizpayurl";

/// Where H5 payments lead to, after the platform's own address.
pub(super) const H5_PATH: &str = "/cgi-bin/mmpayweb-bin/checkmweb";

/// Where a browser sees what a code leads to, after the platform's own address.
pub(super) const CODE_PATH: &str = "/bizpayurl/up";

impl Link {
    /// `code_url`: for a code that the buyer scans with WeChat.
    pub(super) fn code_url(&self) -> String {
        format!("{CODE_URL}/up?pr={}&groupid=00", self.code)
    }

    /// `h5_url`: for a browser.
    pub(super) fn h5_url(&self, base: &str) -> String {
        let id = &self.prepay_id;
        format!("{base}{H5_PATH}?prepay_id={id}&package={}", self.code)
    }
}

/// The key of a link in whatever form a buyer has it: `code_url`, the address of its page here,
/// `h5_url` with or without its `redirect_url`, `prepay_id=…`, or the bare id.
pub(super) fn key_of(text: &str, base: &str) -> Option<String> {
    let parameter = |query: &str, name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    if let Some(rest) = text.strip_prefix(CODE_URL) {
        let query = rest.strip_prefix("/up?").or(rest.strip_prefix('?'))?;
        return parameter(query, "pr");
    }
    if let Some(rest) = text.strip_prefix(base) {
        if let Some(query) = rest.strip_prefix(CODE_PATH) {
            return parameter(query.strip_prefix('?')?, "pr");
        }
        return parameter(rest.strip_prefix(H5_PATH)?.strip_prefix('?')?, "prepay_id");
    }
    let id = text.strip_prefix("prepay_id=").unwrap_or(text);
    (!id.is_empty()).then(|| id.to_owned())
}
