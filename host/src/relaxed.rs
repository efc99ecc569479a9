//! JSON as the original's users write it: the outer braces and the quotes may be left out, and single quotes do as well
//! as double ones.
//!
//! `tp:'wn_payment', st:[OK,WAIT], fee:2300` reads as
//! `{"tp":"wn_payment","st":["OK","WAIT"],"fee":2300}`.

use serde_json::{Map, Number, Value};

/// Deeper than anybody writes by hand.
const MAX_DEPTH: usize = 32;

/// Where and why a text cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem} at character {at}")]
pub(crate) struct RelaxedError {
    /// Counted from 1, in characters.
    pub(crate) at: usize,
    /// In words.
    pub(crate) problem: String,
}

/// Reads an object, with its outer braces or without. An empty text is an empty object.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, RelaxedError> {
    let mut reader = Reader {
        text: text.chars().collect(),
        at: 0,
    };
    reader.skip_space();
    let object = if reader.take('{') {
        let object = reader.members(Some('}'), 0)?;
        reader.skip_space();
        object
    } else {
        reader.members(None, 0)?
    };
    match reader.peek() {
        None => Ok(object),
        Some(left) => Err(reader.error(format!("{left:?} after the end"))),
    }
}

/// The beginning of a text, as much as a person needs to find it: what was given by mistake may be a private key.
fn shown(text: &str) -> String {
    const SHOWN: usize = 20;
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(SHOWN).collect();
    match chars.next() {
        None => format!("{start:?}"),
        Some(_) => format!("{start:?}…"),
    }
}

struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn error(&self, problem: impl Into<String>) -> RelaxedError {
        RelaxedError {
            at: self.at + 1,
            problem: problem.into(),
        }
    }

    /// The members of an object up to `end`, which is taken too; `None` is the end of the text.
    fn members(
        &mut self,
        end: Option<char>,
        depth: usize,
    ) -> Result<Map<String, Value>, RelaxedError> {
        let mut object = Map::new();
        loop {
            self.skip_space();
            if self.ends(end)? {
                return Ok(object);
            }
            let started = self.at;
            let key = self.key()?;
            self.skip_space();
            if !self.take(':') {
                let key = shown(&key);
                return Err(self.error(format!("a colon is missing behind {key}")));
            }
            let value = self.value(depth)?;
            if object.contains_key(&key) {
                self.at = started;
                let key = shown(&key);
                return Err(self.error(format!("{key} stands here a second time")));
            }
            object.insert(key, value);
            self.separator(end)?;
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Value>, RelaxedError> {
        let mut items = Vec::new();
        loop {
            self.skip_space();
            if self.ends(Some(']'))? {
                return Ok(items);
            }
            items.push(self.value(depth)?);
            self.separator(Some(']'))?;
        }
    }

    /// Takes `end` where it stands here.
    fn ends(&mut self, end: Option<char>) -> Result<bool, RelaxedError> {
        match (self.peek(), end) {
            (None, None) => Ok(true),
            (None, Some(end)) => Err(self.error(format!("{end:?} is missing"))),
            (Some(found), Some(end)) if found == end => {
                self.at += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A comma, or the end still to come.
    fn separator(&mut self, end: Option<char>) -> Result<(), RelaxedError> {
        self.skip_space();
        if self.take(',') || self.peek() == end {
            return Ok(());
        }
        match self.peek() {
            Some(found @ ('}' | ']')) => Err(self.error(format!("{found:?} closes nothing here"))),
            Some(found) => Err(self.error(format!("a comma is missing before {found:?}"))),
            None => Err(self.error(format!("{:?} is missing", end.unwrap_or(',')))),
        }
    }

    fn key(&mut self) -> Result<String, RelaxedError> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.quoted(quote);
        }
        let started = self.at;
        while self
            .peek()
            .is_some_and(|c| !c.is_whitespace() && !":,{}[]\"'".contains(c))
        {
            self.at += 1;
        }
        let key: String = self
            .text
            .get(started..self.at)
            .unwrap_or_default()
            .iter()
            .collect();
        if key.is_empty() {
            let found = self
                .peek()
                .map_or("the end".to_owned(), |c| format!("{c:?}"));
            return Err(self.error(format!("a key is missing before {found}")));
        }
        Ok(key)
    }

    fn value(&mut self, depth: usize) -> Result<Value, RelaxedError> {
        if depth >= MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        self.skip_space();
        match self.peek() {
            Some('{') => {
                self.at += 1;
                self.members(Some('}'), depth + 1).map(Value::Object)
            }
            Some('[') => {
                self.at += 1;
                self.items(depth + 1).map(Value::Array)
            }
            Some(quote @ ('"' | '\'')) => self.quoted(quote).map(Value::String),
            _ => self.bare(),
        }
    }

    /// What stands without quotes: up to a comma or a closing bracket. It is a number, `true`,
    /// `false` or `null` where it reads as one, and otherwise text.
    fn bare(&mut self) -> Result<Value, RelaxedError> {
        let started = self.at;
        while let Some(c) = self.peek().filter(|c| !",}]".contains(*c)) {
            if matches!(c, '{' | '[' | '"' | '\'') {
                return Err(self.error(format!("{c:?} inside of a text without quotes")));
            }
            self.at += 1;
        }
        let text: String = self
            .text
            .get(started..self.at)
            .unwrap_or_default()
            .iter()
            .collect();
        let text = text.trim();
        match text {
            "" => Err(self.error("a value is missing")),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => match serde_json::from_str::<Number>(text) {
                Ok(number)
                    if number.is_f64() && text.bytes().all(|b| b != b'.' && b | 32 != b'e') =>
                {
                    self.at = started;
                    let text = shown(text);
                    Err(self.error(format!(
                        "the number {text} is too large: put it into quotes"
                    )))
                }
                Ok(number) => Ok(Value::Number(number)),
                Err(_) => Ok(Value::String(text.to_owned())),
            },
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, RelaxedError> {
        let started = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                None => {
                    self.at = started;
                    return Err(self.error("this quote is never closed"));
                }
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, RelaxedError> {
        match self.next() {
            Some(same @ ('"' | '\'' | '\\' | '/')) => Ok(same),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => self.unicode(),
            _ => {
                self.at = self.at.saturating_sub(1);
                Err(self.error("no such escape"))
            }
        }
    }

    fn unicode(&mut self) -> Result<char, RelaxedError> {
        let mut unit = self.four_hex()?;
        // Two surrogates make one character.
        if (0xd800..0xdc00).contains(&unit) && self.take('\\') && self.take('u') {
            let low = self.four_hex()?;
            if (0xdc00..0xe000).contains(&low) {
                unit = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(unit).ok_or_else(|| self.error("half a surrogate pair"))
    }

    fn four_hex(&mut self) -> Result<u32, RelaxedError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|c| c.to_digit(16));
            let digit = digit.ok_or_else(|| self.error("four hex digits belong here"))?;
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        Value::Object(object(text).unwrap())
    }

    #[test]
    fn braces_and_quotes_may_be_left_out() {
        assert_eq!(read("{tp:'wn_payment'}"), json!({"tp": "wn_payment"}));
        assert_eq!(read("tp:'wn_payment'"), json!({"tp": "wn_payment"}));
        assert_eq!(read("tp:wn_payment"), json!({"tp": "wn_payment"}));
        assert_eq!(
            read("tp:'wn_payment', st:[OK,WAIT], fee:2300"),
            json!({"tp": "wn_payment", "st": ["OK", "WAIT"], "fee": 2300})
        );
        assert_eq!(read("brief: 一杯 茶 ,a:{b:[true,null,-1]}"), {
            json!({"brief": "一杯 茶", "a": {"b": [true, null, -1]}})
        });
        assert_eq!(
            read("ct:2019-02-13T23:34:12"),
            json!({"ct": "2019-02-13T23:34:12"})
        );
        assert_eq!(read("id:0042,v:1.0.0"), json!({"id": "0042", "v": "1.0.0"}));
        assert_eq!(read(r#"say:'it\'s "so"'"#), json!({"say": "it's \"so\""}));
        assert_eq!(read(""), json!({}));
        assert_eq!(read(" { } "), json!({}));
        assert_eq!(read("a:1,"), json!({"a": 1}));
    }

    #[test]
    fn strict_json_reads_as_itself() {
        for text in [
            r#"{"a":"b","c":[1,-2,3.5,1e3,true,false,null,{}],"d":{"e":[]}}"#,
            r#"{"escapes":"\"\\\/\b\f\n\r\tA支\ud83d\ude00"}"#,
            r#"{ "space" : [ 1 , 2 ] , "line" : "a, b: c" }"#,
        ] {
            assert_eq!(
                read(text),
                serde_json::from_str::<Value>(text).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_was_given_by_mistake_is_not_repeated() {
        let secret = "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7";
        for text in [
            secret.to_owned(),
            format!("{secret}:1,{secret}:2"),
            format!("'{secret}'"),
            format!("a:{}", "9".repeat(60)),
        ] {
            let problem = object(&text).unwrap_err().problem;
            assert!(problem.chars().count() < 70, "{problem}");
            assert!(!problem.contains(&secret[..21]), "{problem}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, at, word) in [
            ("{tp:'wn_payment'", 17, "missing"),
            ("tp:'wn_payment'}", 16, "closes nothing"),
            ("{a:1}b", 6, "after the end"),
            ("tp:'wn_payment", 4, "never closed"),
            ("tp", 3, "colon"),
            ("a:1,,b:2", 5, "key"),
            ("a:", 3, "value"),
            ("a:1,a:2", 5, "second time"),
            ("a:'b' c:1", 7, "comma"),
            ("a:b{c", 4, "quotes"),
            ("a:[1", 5, "missing"),
            ("a:'\\x'", 5, "escape"),
            ("a:'\\ud800'", 10, "surrogate"),
            ("支:'付", 3, "never closed"),
            ("a:99999999999999999999", 3, "too large"),
        ] {
            let error = object(text).unwrap_err();
            assert!(error.problem.contains(word), "{text}: {error}");
            assert_eq!(error.at, at, "{text}: {error}");
        }
        assert!(object(&"a:[".repeat(1000)).is_err());
        assert!(object(&"a:{".repeat(1000)).is_err());
    }
}
