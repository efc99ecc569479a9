//! The commented example of a configuration file.

use std::fmt::Write as _;

use super::value::Kind;
use super::{SETTINGS, Setting};

/// A file with every option: what it is, and what is preset. Nothing in it changes anything until a `#` is taken away.
pub fn example() -> String {
    let mut text = String::from(
        "# Every option of `walnut serve`. A line that begins with #name shows what is preset, or, after \"for example\", what could be\n\
         # given. The environment wins over this file, a flag (--set NAME=VALUE) over both. What is marked (reload) is taken by a running\n\
         # host at SIGHUP; everything else at the next start. `walnut config check FILE` looks through a file.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (of, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if of != section {
            section = of;
            // Writing into a text never fails.
            let _ = write!(text, "\n[{section}]\n");
        }
        text.push('\n');
        for words in setting.words {
            let _ = writeln!(text, "#{words}");
        }
        let reload = if setting.taken_while_running {
            " (reload)"
        } else {
            ""
        };
        let example = if setting.preset.is_none() {
            "; for example"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "# Environment: {}{reload}{example}",
            setting.variable()
        );
        let _ = writeln!(text, "#{name} = {}", written(setting));
    }
    text
}

fn written(setting: &Setting) -> String {
    let text = setting.preset.unwrap_or(setting.shown);
    match setting.kind {
        Kind::Text => format!("{text:?}"),
        Kind::Number | Kind::Switch => text.to_owned(),
    }
}
