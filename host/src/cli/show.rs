//! JSON for people and for programs, by the original's flags.

use std::fmt::Write;

use serde_json::Value;

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Style {
    /// `-c`: everything in one line.
    pub(super) compact: bool,
    /// `-q`: keys in quotes.
    pub(super) quote: bool,
    /// `-n`: members that are null are written too.
    pub(super) nulls: bool,
}

impl Style {
    /// What every JSON reader takes.
    pub(super) const STRICT: Style = Style {
        compact: false,
        quote: true,
        nulls: true,
    };
}

/// The value in this style, without a newline at the end.
pub(super) fn json(value: &Value, style: Style) -> String {
    let mut out = String::new();
    write(&mut out, value, style, 0);
    out
}

fn write(out: &mut String, value: &Value, style: Style, depth: usize) {
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .filter(|(_, value)| style.nulls || !value.is_null());
            surround(
                out,
                style,
                depth,
                ['{', '}'],
                members,
                |out, (key, value)| {
                    write_key(out, key, style);
                    out.push_str(if style.compact { ":" } else { ": " });
                    write(out, value, style, depth + 1);
                },
            );
        }
        Value::Array(items) => {
            surround(out, style, depth, ['[', ']'], items.iter(), |out, item| {
                write(out, item, style, depth + 1);
            })
        }
        token => write_token(out, token),
    }
}

/// One token, which JSON writes in one way, but for what a terminal would obey.
fn write_token(out: &mut String, token: &Value) {
    for c in token.to_string().chars() {
        if obeyed_by_terminals(c) {
            // All of them are in the first plane, where one unit is the character.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// `text` as one line that speaks to the reader and not to the terminal: control characters, such as
/// those of a buyer's name, are shown as escapes.
pub(super) fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed_by_terminals(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, and the marks that change the order in which a terminal shows what follows
/// (Unicode UAX #9).
fn obeyed_by_terminals(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn surround<T>(
    out: &mut String,
    style: Style,
    depth: usize,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    let line = |out: &mut String, depth: usize| {
        if !style.compact {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
    };
    out.push(open);
    let mut any = false;
    for item in items {
        if any {
            out.push(',');
        }
        any = true;
        line(out, depth + 1);
        each(out, item);
    }
    if any {
        line(out, depth);
    }
    out.push(close);
}

fn write_key(out: &mut String, key: &str, style: Style) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    let bare = !style.quote
        && !key.is_empty()
        && key.chars().all(plain)
        && !key.starts_with(|c: char| c.is_ascii_digit());
    if bare {
        out.push_str(key);
    } else {
        write_token(out, &Value::from(key));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::relaxed;

    #[test]
    fn the_flags_do_as_in_the_original() {
        let value =
            json!({"id": "a1", "len": 0, "re_obj": null, "wx-x": [1, {}], "zfb": {"a": []}});
        let style = |compact, quote, nulls| Style {
            compact,
            quote,
            nulls,
        };
        assert_eq!(
            json(&value, style(true, false, false)),
            r#"{id:"a1",len:0,"wx-x":[1,{}],zfb:{a:[]}}"#
        );
        assert_eq!(
            json(&value, style(true, true, true)),
            r#"{"id":"a1","len":0,"re_obj":null,"wx-x":[1,{}],"zfb":{"a":[]}}"#
        );
        assert_eq!(
            json(&value, style(false, false, false)),
            "{\n  id: \"a1\",\n  len: 0,\n  \"wx-x\": [\n    1,\n    {}\n  ],\n  zfb: {\n    a: []\n  }\n}"
        );
    }

    #[test]
    fn a_buyer_cannot_speak_to_the_terminal() {
        assert_eq!(
            on_one_line("a\u{1b}[2Jb\u{7}\u{202e}支\n"),
            "a\\u{1b}[2Jb\\u{7}\\u{202e}支\\n"
        );
    }

    #[test]
    fn strict_style_is_json_and_the_other_reads_back_too() {
        let brief = "a \"b\"\n\u{1b}[31m\u{9b}2J\u{202e}支付";
        let value = json!({"brief": brief, "3d": -1, "": [null, true], "\u{7f}": {}});
        let strict = json(&value, Style::STRICT);
        assert_eq!(serde_json::from_str::<Value>(&strict).unwrap(), value);
        assert!(
            !strict.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}']),
            "{strict:?}"
        );
        let loose = json(
            &value,
            Style {
                compact: true,
                quote: false,
                nulls: true,
            },
        );
        assert_eq!(Value::Object(relaxed::object(&loose).unwrap()), value);
    }
}
