//! The real binary as a client of a running host, in the words of the user's document and of the
//! original's manual.

mod looking;
mod mistakes;
mod operating;
mod paying;

use serde_json::Value;

use crate::world::{Host, Ran};

/// Somebody at a terminal, with a key.
struct Terminal<'a> {
    host: &'a Host,
    key: &'a str,
}

impl Terminal<'_> {
    /// Runs a line as a shell would, without `walnut` before it.
    async fn run(&self, line: &str) -> Ran {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.host.walnut(self.key, &words).await
    }

    /// The same with something on standard input.
    async fn given(&self, stdin: &str, line: &str) -> Ran {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.host.walnut_given(self.key, stdin, &words).await
    }

    /// What a line prints that does what it was asked.
    async fn prints(&self, line: &str) -> String {
        let ran = self.run(line).await;
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran.out
    }

    /// The same as JSON.
    async fn json(&self, line: &str) -> Value {
        let out = self.prints(line).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
    }

    /// Writes a file that lines can name.
    fn write(&self, name: &str, content: &[u8]) {
        let root = self.host.data_root();
        std::fs::write(root.with_file_name(name), content).unwrap();
    }
}

/// The words of a line; quotes of either kind keep one together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut open) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (open, c) {
            (Some(quote), c) if c == quote => open = None,
            (None, '\'' | '"') => {
                open = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(open, None, "a quote is never closed: {line}");
    words.extend(word);
    words
}
