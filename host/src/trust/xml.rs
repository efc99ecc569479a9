//! Flat XML documents (`<xml><a>1</a><b><![CDATA[2]]></b></xml>`), read so that there is one way to read them.
//!
//! Everything that XML can do besides is refused: document types and so entities of one's own, attributes, comments,
//! instructions, elements within elements, a name that comes twice.

use std::collections::HashSet;

/// Name and text pairs in the order in which they stood.
pub(crate) type Fields = Vec<(String, String)>;

/// Why bytes are not such a document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the XML {0}")]
pub(crate) struct XmlError(&'static str);

/// Reads a document whose root has this name.
pub(crate) fn read(bytes: &[u8], root: &str) -> Result<Fields, XmlError> {
    let text = str::from_utf8(bytes).map_err(|_| XmlError("is not UTF-8"))?;
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    if let Some(declared) = rest.strip_prefix("<?xml") {
        let (declaration, behind) = declared
            .split_once("?>")
            .ok_or(XmlError("has a declaration without an end"))?;
        let lower = declaration.to_ascii_lowercase();
        if lower.contains("encoding") && !lower.contains("utf-8") {
            return Err(XmlError("is not in UTF-8"));
        }
        rest = behind.trim_start();
    }
    let (open, close) = (format!("<{root}>"), format!("</{root}>"));
    rest = rest
        .strip_prefix(&open)
        .and_then(|inner| inner.strip_suffix(&close))
        .ok_or(XmlError("has another root, or more beside it"))?
        .trim_start();
    let mut fields = Fields::new();
    let mut seen = HashSet::new();
    while !rest.is_empty() {
        let (name, behind) = rest
            .strip_prefix('<')
            .and_then(|tag| tag.split_once('>'))
            .ok_or(XmlError("has text between its fields"))?;
        if let Some(name) = name.strip_suffix('/').map(str::trim_end) {
            add(&mut fields, &mut seen, name, String::new())?;
            rest = behind.trim_start();
            continue;
        }
        let (value, behind) = value(behind)?;
        let behind = behind
            .strip_prefix("</")
            .and_then(|end| end.strip_prefix(name))
            .and_then(|end| end.strip_prefix('>'))
            .ok_or(XmlError("has a field that is not closed, or not flat"))?;
        add(&mut fields, &mut seen, name, value)?;
        rest = behind.trim_start();
    }
    Ok(fields)
}

fn add<'a>(
    fields: &mut Fields,
    seen: &mut HashSet<&'a str>,
    name: &'a str,
    value: String,
) -> Result<(), XmlError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(XmlError("has a field without a plain name"));
    }
    if !seen.insert(name) {
        return Err(XmlError("has a field twice"));
    }
    fields.push((name.to_owned(), value));
    Ok(())
}

/// Texts and CDATA sections up to the next tag.
fn value(text: &str) -> Result<(String, &str), XmlError> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (plain, behind) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        unescape(plain, &mut value)?;
        let Some(section) = behind.strip_prefix("<![CDATA[") else {
            return Ok((value, behind));
        };
        let (raw, behind) = section
            .split_once("]]>")
            .ok_or(XmlError("has a CDATA section without an end"))?;
        value.push_str(raw);
        rest = behind;
    }
}

fn unescape(text: &str, into: &mut String) -> Result<(), XmlError> {
    const WRONG: XmlError = XmlError("has an entity that is not one of the five, nor a character");
    let mut rest = text;
    while let Some((plain, entity)) = rest.split_once('&') {
        into.push_str(plain);
        let (name, behind) = entity.split_once(';').ok_or(WRONG)?;
        into.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            other => {
                let code = match other.strip_prefix("#x") {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => other.strip_prefix('#').ok_or(WRONG)?.parse(),
                };
                code.ok().and_then(char::from_u32).ok_or(WRONG)?
            }
        });
        rest = behind;
    }
    into.push_str(rest);
    Ok(())
}

/// Writes a document. Names are plain; values may have anything but control characters in them.
pub(crate) fn write<'a>(
    root: &str,
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut text = format!("<{root}>");
    for (name, value) in fields {
        text.push_str(&format!("<{name}>"));
        for c in value.chars() {
            match c {
                '&' => text.push_str("&amp;"),
                '<' => text.push_str("&lt;"),
                '>' => text.push_str("&gt;"),
                other => text.push(other),
            }
        }
        text.push_str(&format!("</{name}>"));
    }
    text.push_str(&format!("</{root}>"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_document_is_read_and_written() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml>\n <a><![CDATA[1<&]]></a>\n\
                    <b>2 &amp;&#x8336;&#33;</b><c/><d></d><e>x<![CDATA[]] ]]>y</e></xml>\n";
        let fields = read(text.as_bytes(), "xml").unwrap();
        let expected = [
            ("a", "1<&"),
            ("b", "2 &茶!"),
            ("c", ""),
            ("d", ""),
            ("e", "x]] y"),
        ];
        let expected: Fields = expected.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec();
        assert_eq!(fields, expected);
        let pairs = fields.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        assert_eq!(read(write("xml", pairs).as_bytes(), "xml").unwrap(), fields);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "<html></html>",
            "<xml><a>1</a>",
            "<xml><a>1</a></xml><xml></xml>x",
            "<xml><a>1</b></xml>",
            "<xml><a>1</a><a>2</a></xml>",
            "<xml><a x=\"1\">1</a></xml>",
            "<xml x=\"1\"><a>1</a></xml>",
            "<xml><a><b>1</b></a></xml>",
            "<xml>text<a>1</a></xml>",
            "<xml><!-- --><a>1</a></xml>",
            "<xml><a>1<!-- --></a></xml>",
            "<!DOCTYPE xml [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
            "<xml><a>&e;</a></xml>",
            "<xml><a>&amp</a></xml>",
            "<xml><a>&#xD800;</a></xml>",
            "<xml><a><![CDATA[1</a></xml>",
            "<?xml version=\"1.0\" encoding=\"GBK\"?><xml><a>1</a></xml>",
            "<?xml version=\"1.0\"",
            "<xml><></></xml>",
            "<xml><a",
        ] {
            assert!(read(text.as_bytes(), "xml").is_err(), "{text}");
        }
        assert!(read(b"<xml><a>\xd3\xef</a></xml>", "xml").is_err());
    }
}
