//! The original's flags: `-fee 99RMB`, one dash and a whole word. Each is rewritten to the GNU long
//! option that clap knows, by a table for each command, because the same letters may also be a
//! cluster of short flags (`-bish`).
//!
//! A value is joined to its option here (`--brief=-5% today`), so that it may start with a dash.

use std::ffi::OsString;

use super::error::CliError;

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// A value unless the next word is an option.
    Perhaps,
}
use Takes::{Nothing, Perhaps, Value};

/// The word behind one dash, the GNU option, and what follows. Each GNU option is also known behind
/// one dash.
type Word = (&'static str, &'static str, Takes);

/// What a command knows beside GNU options.
struct Known {
    words: &'static [Word],
    /// Letters that may be clustered behind one dash.
    letters: &'static str,
    /// Letters that take a value, at the end of a cluster.
    valued: &'static str,
}

const HOST: &[Word] = &[("url", "url", Value), ("key", "key", Value)];

const CREATE: Known = Known {
    words: &[
        ("br", "brief", Value),
        ("bu", "buyer", Value),
        ("sl", "seller", Value),
        ("se", "seller", Value),
        ("fee", "fee", Value),
        ("cur", "cur", Value),
        ("price", "price", Value),
        ("meta", "meta", Perhaps),
        ("callback", "callback", Value),
        ("pt", "pay-tp", Value),
        ("ta", "target", Value),
        ("expi", "expi", Value),
        ("test", "test", Nothing),
        ("idempotency-key", "idempotency-key", Value),
    ],
    letters: "cqnh",
    valued: "",
};

const ONE: Known = Known {
    words: &[
        ("reason", "reason", Value),
        ("fee", "fee", Value),
        ("idempotency-key", "idempotency-key", Value),
    ],
    letters: "cqnh",
    valued: "",
};

const QUERY: Known = Known {
    words: &[
        ("bu", "buyer", Value),
        ("sl", "seller", Value),
        ("se", "seller", Value),
        ("fee", "fee", Value),
        ("cur", "cur", Value),
        ("s_at", "send-at", Value),
        ("c_at", "close-at", Value),
        ("st", "state", Value),
        ("sort", "sort", Value),
        ("skip", "skip", Value),
        ("limit", "limit", Value),
        ("pager", "pager", Nothing),
        ("after", "after", Value),
        ("csv", "csv", Nothing),
        ("ibase", "ibase", Value),
        ("table", "table", Value),
        ("keys", "keys", Value),
    ],
    letters: "bishcqnl",
    valued: "te",
};

const OBJ: Known = Known {
    words: &[
        ("match", "match", Value),
        ("sort", "sort", Value),
        ("skip", "skip", Value),
        ("limit", "limit", Value),
        ("pager", "pager", Nothing),
        ("after", "after", Value),
        ("csv", "csv", Nothing),
        ("ibase", "ibase", Value),
        ("table", "table", Value),
        ("keys", "keys", Value),
    ],
    letters: "bishcqnl",
    valued: "te",
};

const RE: Known = Known {
    words: &[
        ("idkey", "idkey", Value),
        ("file", "file", Value),
        ("trade", "trade", Value),
    ],
    letters: "scqnh",
    valued: "H",
};

const DOCTOR: Known = Known {
    words: &[("json", "json", Nothing), ("targets", "targets", Nothing)],
    letters: "h",
    valued: "",
};

fn known(command: &str, verb: Option<&str>) -> Option<&'static Known> {
    match (command, verb?) {
        ("pay", "create") => Some(&CREATE),
        ("pay", "query") => Some(&QUERY),
        ("pay", "re") => Some(&RE),
        ("pay", _) => Some(&ONE),
        ("obj", _) => Some(&OBJ),
        ("doctor", _) => Some(&DOCTOR),
        _ => None,
    }
}

impl Known {
    fn word(&self, name: &str) -> Option<&'static Word> {
        let is = |word: &&Word| word.0 == name || word.1 == name;
        self.words.iter().find(is).or_else(|| HOST.iter().find(is))
    }

    fn is_cluster(&self, letters: &str) -> bool {
        let plain = letters
            .strip_suffix(|c| self.valued.contains(c))
            .unwrap_or(letters);
        !letters.is_empty() && plain.chars().all(|c| self.letters.contains(c))
    }

    /// Is this word one of the options, so that it cannot be the value of another?
    fn is_option(&self, arg: &str) -> bool {
        let name = |text: &str| self.word(text.split('=').next().unwrap_or(text)).is_some();
        match arg.strip_prefix("--") {
            Some(long) => name(long),
            None => arg
                .strip_prefix('-')
                .is_some_and(|short| name(short) || self.is_cluster(short)),
        }
    }
}

/// Rewrites a command line (the program's name first) for clap.
pub(super) fn translate(args: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
    let Some((at, command, known)) = find_command(&args) else {
        return Ok(args);
    };
    let mut args = args.into_iter();
    let mut out: Vec<OsString> = args.by_ref().take(at).collect();
    let mut rest = args.peekable();

    if known.letters.contains('h') && known.valued.contains('t') {
        // There `-h` is the header; alone it can only be a question.
        let alone = rest.len() == 1 && rest.peek().is_some_and(|arg| arg == "-h");
        if alone {
            out.push("--help".into());
            return Ok(out);
        }
    }
    while let Some(arg) = rest.next() {
        let Some(text) = arg.to_str() else {
            out.push(arg);
            continue;
        };
        if text == "--" {
            out.push(arg);
            out.extend(rest);
            break;
        }
        let is_number = text
            .strip_prefix('-')
            .is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
        let Some(named) = text
            .strip_prefix('-')
            .filter(|_| text.len() > 1 && !is_number)
        else {
            out.push(arg);
            continue;
        };
        let (long, named) = match named.strip_prefix('-') {
            Some(named) => (true, named),
            None => (false, named),
        };
        let (name, joined) = match named.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (named, None),
        };
        let Some(&(_, gnu, takes)) = known.word(name) else {
            if long {
                out.push(arg);
            } else if known.is_cluster(named) {
                let wants_value = named.ends_with(|c| known.valued.contains(c));
                out.push(arg);
                out.extend(wants_value.then(|| rest.next()).flatten());
            } else {
                return Err(unknown(text, &command, known));
            }
            continue;
        };
        if let Some(value) = joined {
            out.push(format!("--{gnu}={value}").into());
            continue;
        }
        let next_is_value = rest.peek().is_some_and(|next| match takes {
            Nothing => false,
            Value => next
                .to_str()
                .is_none_or(|next| next != "--" && !known.is_option(next)),
            Perhaps => next.to_str().is_none_or(|next| !next.starts_with('-')),
        });
        let mut option = OsString::from(format!("--{gnu}"));
        if let Some(value) = next_is_value.then(|| rest.next()).flatten() {
            option.push("=");
            option.push(value);
        } else if takes == Perhaps {
            option.push("=");
        }
        out.push(option);
    }
    Ok(out)
}

/// The command, where its own words begin, and what it knows.
fn find_command(args: &[OsString]) -> Option<(usize, String, &'static Known)> {
    let mut words: Vec<&str> = Vec::new();
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        let arg = arg.to_str()?;
        at += 1;
        match arg {
            "--url" | "--key" => at += 1,
            "--" => return None,
            _ if arg.starts_with('-') => {}
            "obj" | "doctor" if words.is_empty() => {
                return Some((at, arg.to_owned(), known(arg, Some(""))?));
            }
            _ => {
                words.push(arg);
                if let [command, verb] = words.as_slice() {
                    let known = known(command, Some(verb))?;
                    return Some((at, format!("{command} {verb}"), known));
                }
            }
        }
    }
    None
}

fn unknown(arg: &str, command: &str, known: &Known) -> CliError {
    let mut names: Vec<String> = known
        .words
        .iter()
        .map(|(word, ..)| format!("-{word}"))
        .collect();
    names.extend(
        known
            .letters
            .chars()
            .chain(known.valued.chars())
            .map(|c| format!("-{c}")),
    );
    CliError::usage(format!(
        "`walnut {command}` has no option {arg}. It has {}; `walnut {command} --help` explains \
         them. A word that starts with a dash goes behind --",
        names.join(" ")
    ))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Splits as a shell does, as far as the examples need it.
    pub(in crate::cli) fn shell(line: &str) -> Vec<OsString> {
        let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), c) => word.push(c),
                (None, '\'' | '"') => (quote, any) = (Some(c), true),
                (None, ' ') if any || !word.is_empty() => {
                    words.push(std::mem::take(&mut word).into());
                    any = false;
                }
                (None, ' ') => {}
                (None, c) => word.push(c),
            }
        }
        if any || !word.is_empty() {
            words.push(word.into());
        }
        words
    }

    fn translated(line: &str) -> String {
        let args = translate(shell(line)).unwrap();
        args.iter()
            .map(|arg| arg.to_str().unwrap())
            .collect::<Vec<_>>()
            .join("␣")
    }

    #[test]
    fn the_originals_words_become_long_options() {
        for (original, gnu) in [
            (
                "walnut pay create -br 'a cup' -bu walnut:1 -fee 99RMB -pt zfb.qrcode -ta shop",
                "walnut␣pay␣create␣--brief=a cup␣--buyer=walnut:1␣--fee=99RMB␣--pay-tp=zfb.qrcode␣--target=shop",
            ),
            (
                "walnut pay create -sl a -se b",
                "walnut␣pay␣create␣--seller=a␣--seller=b",
            ),
            (
                "walnut pay create -meta -cur RMB",
                "walnut␣pay␣create␣--meta=␣--cur=RMB",
            ),
            (
                "walnut pay create -fee=99RMB -meta a:1 ARG",
                "walnut␣pay␣create␣--fee=99RMB␣--meta=a:1␣ARG",
            ),
            // A value may start with a dash, unless it is an option itself.
            (
                "walnut pay create -br '-5% today'",
                "walnut␣pay␣create␣--brief=-5% today",
            ),
            (
                "walnut pay create -br -fee 1",
                "walnut␣pay␣create␣--brief␣--fee=1",
            ),
            ("walnut pay create -fee -1", "walnut␣pay␣create␣--fee=-1"),
            // GNU style stays, with the same rules; behind -- nothing is an option.
            (
                "walnut pay create --brief x --fee=1 -- -br",
                "walnut␣pay␣create␣--brief=x␣--fee=1␣--␣-br",
            ),
            ("walnut pay create -h", "walnut␣pay␣create␣-h"),
            (
                "walnut --url http://h pay --key k create -fee 1",
                "walnut␣--url␣http://h␣pay␣--key␣k␣create␣--fee=1",
            ),
            // Clusters of short flags are told from words.
            (
                "walnut obj /var/payment -bish -t id",
                "walnut␣obj␣/var/payment␣-bish␣-t␣id",
            ),
            (
                "walnut obj /var/payment -cqn -e '!^x'",
                "walnut␣obj␣/var/payment␣-cqn␣-e␣!^x",
            ),
            (
                "walnut obj /var/payment -sort lm:-1",
                "walnut␣obj␣/var/payment␣--sort=lm:-1",
            ),
            (
                "walnut obj /var/payment -st id",
                "walnut␣obj␣/var/payment␣-st␣id",
            ),
            ("walnut pay query -st OK", "walnut␣pay␣query␣--state=OK"),
            ("walnut pay query -h", "walnut␣pay␣query␣--help"),
            ("walnut obj -h", "walnut␣obj␣--help"),
            ("walnut pay get ID -cqn", "walnut␣pay␣get␣ID␣-cqn"),
            ("walnut pay re -s -idkey k", "walnut␣pay␣re␣-s␣--idkey=k"),
            (
                "walnut pay re -file f -H 'A: b' -H '-c: d'",
                "walnut␣pay␣re␣--file=f␣-H␣A: b␣-H␣-c: d",
            ),
            // Other commands have GNU options only.
            ("walnut serve --listen x -v", "walnut␣serve␣--listen␣x␣-v"),
            (
                "walnut target put zfb shop --test",
                "walnut␣target␣put␣zfb␣shop␣--test",
            ),
            ("walnut", "walnut"),
            ("walnut pay", "walnut␣pay"),
        ] {
            assert_eq!(translated(original), gnu);
        }
    }

    #[test]
    fn an_unknown_word_is_named_with_what_there_is() {
        let error = translate(shell("walnut pay create -amount 5"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("-amount") && error.contains("-fee"),
            "{error}"
        );
        assert!(translate(shell("walnut obj /var/payment -bishx")).is_err());
        assert!(translate(shell("walnut obj /var/payment -tid")).is_err());
    }
}
