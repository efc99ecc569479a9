//! v2's XML: one element with flat children, read strictly. No document type, no entity but the
//! five of XML itself, no attribute, no name twice.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

/// A message's fields by name.
pub(in super::super) type Fields = BTreeMap<String, String>;

/// Reads a message whose outermost element has this name. None when it is anything else.
pub(in super::super) fn read(root: &str, text: &str) -> Option<Fields> {
    let mut reader = Reader::from_str(text);
    let mut fields = Fields::new();
    let mut began = false;
    let mut inside = false;
    let mut field: Option<(String, String)> = None;
    loop {
        match reader.read_event().ok()? {
            Event::Decl(_) if !began => {}
            Event::Start(element) => {
                if element.attributes().next().is_some() {
                    return None;
                }
                let name = element.name().as_ref().to_owned();
                if inside && field.is_none() {
                    field = Some((name, String::new()));
                } else if !began && name == root {
                    (began, inside) = (true, true);
                } else {
                    return None;
                }
            }
            Event::Empty(element) if inside && field.is_none() => {
                if element.attributes().next().is_some() {
                    return None;
                }
                let name = element.name().as_ref().to_owned();
                if fields.insert(name, String::new()).is_some() {
                    return None;
                }
            }
            Event::End(_) => match field.take() {
                Some((name, value)) => {
                    if fields.insert(name, value).is_some() {
                        return None;
                    }
                }
                None if inside => inside = false,
                None => return None,
            },
            Event::Text(text) => match field.as_mut() {
                Some((_, value)) => value.push_str(&text.xml10_content()),
                None if text.trim_ascii().is_empty() => {}
                None => return None,
            },
            Event::CData(text) => field.as_mut()?.1.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let value = &mut field.as_mut()?.1;
                match reference.resolve_char_ref().ok()? {
                    Some(letter) => value.push(letter),
                    None => value.push_str(resolve_xml_entity(&reference)?),
                }
            }
            Event::Eof => return (began && !inside && field.is_none()).then_some(fields),
            _ => return None,
        }
    }
}

/// Writes a message in one of three ways that mean the same.
pub(in super::super) fn write(root: &str, fields: &[(String, String)], style: u64) -> String {
    let mut text = format!("<{root}>");
    for (name, value) in fields {
        let plain = match style % 3 {
            0 => false,
            1 => true,
            _ => value.bytes().all(|b| b.is_ascii_digit()),
        };
        let value = if plain || value.contains("]]>") {
            quick_xml::escape::escape(value.as_str()).into_owned()
        } else {
            format!("<![CDATA[{value}]]>")
        };
        let end = if style % 3 == 1 { "" } else { "\n" };
        text.push_str(&format!("<{name}>{value}</{name}>{end}"));
    }
    text.push_str(&format!("</{root}>"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_reads_the_same() {
        let fields = [("a", "1"), ("b", "茶 & <杯>"), ("c", "x]]>y"), ("d", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let texts: Vec<String> = (0..3).map(|style| write("xml", &fields, style)).collect();
        for text in &texts {
            assert_eq!(read("xml", text), Some(fields.clone().into()), "{text}");
        }
        assert!(texts[0] != texts[1] && texts[1] != texts[2] && texts[0] != texts[2]);
    }

    #[test]
    fn nothing_but_flat_fields_is_read() {
        let right =
            "<?xml version=\"1.0\"?>\n<xml>\n <a>1&amp;&#x32;<![CDATA[<3>]]></a><b/></xml>\n";
        let read_right = read("xml", right).unwrap();
        assert_eq!(
            (read_right["a"].as_str(), read_right["b"].as_str()),
            ("1&2<3>", "")
        );
        for wrong in [
            "",
            "a=1",
            "<xml>",
            "<xml><a>1</xml>",
            "<xml><a>1</b></xml>",
            "<root><a>1</a></root>",
            "<xml><a>1</a></xml><xml/>",
            "<xml><a>1</a></xml>x",
            "<xml>x<a>1</a></xml>",
            "<xml><a><b>1</b></a></xml>",
            "<xml><a>1</a><a>2</a></xml>",
            "<xml><a x=\"1\">1</a></xml>",
            "<xml><a>&xxe;</a></xml>",
            "<!DOCTYPE xml [<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]><xml><a>&xxe;</a></xml>",
            "<!DOCTYPE xml><xml><a>1</a></xml>",
            "<xml><!-- --><a>1</a></xml>",
            "<xml><?p?><a>1</a></xml>",
        ] {
            assert_eq!(read("xml", wrong), None, "{wrong}");
        }
    }
}
