//! Flat XML documents (`<xml><a>1</a></xml>`), as WeChat Pay's v2 takes and gives them.

/// Writes fields as a document, in the given order.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let mut text = String::from("<xml>");
    for (name, value) in fields {
        text.push('<');
        text.push_str(name);
        text.push('>');
        for c in value.chars() {
            match c {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                other => text.push(other),
            }
        }
        text.push_str("</");
        text.push_str(name);
        text.push('>');
    }
    text.push_str("</xml>");
    text
}

/// Reads one field of a document that nobody verified: for words that people read, and for nothing else. What the
/// host verified comes as a form.
pub fn unverified_field(document: &[u8], name: &str) -> Option<String> {
    let text = str::from_utf8(document).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = value
        .strip_prefix("<![CDATA[")
        .and_then(|inner| inner.strip_suffix("]]>"))
        .unwrap_or(value);
    Some(plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_written_with_their_values_escaped() {
        let text = encode(&[("body", "茶 <& >"), ("total_fee", "1")]);
        assert_eq!(
            text,
            "<xml><body>茶 &lt;&amp; &gt;</body><total_fee>1</total_fee></xml>"
        );
        assert_eq!(encode(&[]), "<xml></xml>");
    }

    #[test]
    fn words_are_found_in_what_is_not_verified() {
        let document =
            "<xml><return_msg><![CDATA[签名错误]]></return_msg><a>1</a></xml>".as_bytes();
        assert_eq!(
            unverified_field(document, "return_msg").as_deref(),
            Some("签名错误")
        );
        assert_eq!(unverified_field(document, "a").as_deref(), Some("1"));
        assert_eq!(unverified_field(document, "b"), None);
        assert_eq!(unverified_field(b"<a>\xff</a>", "a"), None);
    }
}
