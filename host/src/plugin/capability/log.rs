//! `log`: lines for whoever looks after the plugin, the newest kept.

use std::collections::VecDeque;

use crate::plugin::bindings::provider::walnut::pay::log::{self, Level};
use crate::plugin::call::Call;
use crate::plugin::limits;

impl<R> log::Host for Call<R> {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.count()?;
        self.log.write(level, &message);
        Ok(())
    }
}

/// The lines of one call.
#[derive(Default)]
pub(in crate::plugin) struct Log {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Log {
    fn write(&mut self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let message = cut(message, limits::LOG_LINE_BYTES);
        // One line stays one line, and a terminal that shows it is not spoken to.
        let message: String = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let line = format!("{level}: {message}");
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > limits::LOG_BYTES {
            match self.lines.pop_front() {
                Some(gone) => self.bytes -= gone.len() + 1,
                None => break,
            }
        }
    }

    /// All lines that are kept, each ended by a line feed.
    pub(in crate::plugin) fn text(&self) -> String {
        self.newest(limits::LOG_BYTES)
    }

    /// The last lines.
    pub(in crate::plugin) fn tail(&self) -> String {
        self.newest(limits::LOG_TAIL_BYTES)
    }

    /// The newest lines that fit, the oldest of them first; of a single line that does not fit, its start.
    fn newest(&self, bytes: usize) -> String {
        let mut kept = Vec::new();
        let mut used = 0;
        for line in self.lines.iter().rev() {
            used += line.len() + 1;
            if used > bytes {
                if kept.is_empty() {
                    kept.push(cut(line, bytes));
                }
                break;
            }
            kept.push(line.as_str());
        }
        kept.iter()
            .rev()
            .fold(String::new(), |text, line| text + line + "\n")
    }
}

/// The start of a text, cut at a character.
pub(in crate::plugin) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_stay() {
        let mut log = Log::default();
        for number in 0..20_000 {
            log.write(Level::Info, &format!("line {number}"));
        }
        let text = log.text();
        assert!(text.len() <= limits::LOG_BYTES && text.len() > limits::LOG_BYTES - 100);
        assert!(text.ends_with("info: line 19999\n"));
        assert!(log.tail().len() <= limits::LOG_TAIL_BYTES);
        assert!(log.tail().ends_with("info: line 19999\n"));
    }

    #[test]
    fn a_line_is_cut_at_a_character_and_stays_one_line() {
        let mut log = Log::default();
        log.write(Level::Error, &"元".repeat(limits::LOG_LINE_BYTES));
        assert_eq!(
            log.text().trim_end().len(),
            "error: ".len() + limits::LOG_LINE_BYTES / 3 * 3
        );
        assert_eq!(log.tail().lines().count(), 1);
        log.write(Level::Warn, "one\ntwo\u{1b}[2J");
        assert!(log.text().ends_with("warn: one two [2J\n"));
    }
}
