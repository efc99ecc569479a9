//! Names that are no option's, and which option was meant.

use std::ffi::OsStr;

use super::{SETTINGS, Setting};

const PREFIX: &str = "WALNUT_";

/// Variables of other commands, of building and of tests.
const OTHERS: [&str; 5] = [
    "WALNUT_CONFIG",
    "WALNUT_URL",
    "WALNUT_KEY",
    "WALNUT_SEED",
    "WALNUT_GUEST_TOOLCHAIN",
];
const PREFIXES_OF_OTHERS: [&str; 3] = ["WALNUT_TEST_", "WALNUT_BENCH_", "WALNUT_FUZZ_"];

/// So many letters of a name may be wrong, and of a short one as many as its third part: what differs by more is another name.
const SLIPS: usize = 2;

/// What to tell of an option that there is none of.
pub(super) fn unknown(key: &str) -> String {
    let in_it = format!("{key}.");
    if SETTINGS.iter().any(|one| one.key.starts_with(&in_it)) {
        return format!("there is no option {key}: [{key}] is a section");
    }
    match meant(key) {
        Some(meant) => format!("there is no option {key}; is {meant} meant?"),
        None => format!("there is no option {key}; `walnut config` shows all"),
    }
}

/// The same of a variable.
pub(super) fn unknown_variable(name: &str) -> String {
    let slips = |setting: &Setting| slips(name, &setting.variable(), PREFIX.len());
    match nearest(slips) {
        Some(meant) => format!("{name} is no option; is {} meant?", meant.variable()),
        None => format!("{name} is no option; `walnut config` shows all"),
    }
}

/// The option that has this name in another section, or one whose name differs by a slip.
fn meant(key: &str) -> Option<&'static str> {
    let name = last(key);
    let same = SETTINGS.iter().find(|setting| last(setting.key) == name);
    let near = || nearest(|setting| slips(key, setting.key, key.len() - name.len()));
    let elsewhere = || nearest(|setting| slips(name, last(setting.key), 0));
    same.or_else(near)
        .or_else(elsewhere)
        .map(|setting| setting.key)
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The option with the fewest slips.
fn nearest(slips: impl Fn(&Setting) -> Option<usize>) -> Option<&'static Setting> {
    let all = SETTINGS.iter();
    all.filter_map(|setting| Some((slips(setting)?, setting)))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, setting)| setting)
}

/// How many letters are wrong, if they are few. The first `common` ones are what many names begin with.
fn slips(given: &str, name: &str, common: usize) -> Option<usize> {
    let slips = strsim::osa_distance(given, name);
    let letters = given.len().min(name.len()).saturating_sub(common);
    (slips <= SLIPS.min(letters / 3)).then_some(slips)
}

/// Whether somebody has probably meant an option by this variable, which is none.
pub(super) fn looks_like_an_option(name: &str, value: &OsStr) -> bool {
    name.starts_with(PREFIX)
        && !OTHERS.contains(&name)
        && !PREFIXES_OF_OTHERS
            .iter()
            .any(|prefix| name.starts_with(prefix))
        && !is_of_a_service(name, value)
}

/// Whether Kubernetes says by it where a service is whose name begins with `walnut`.
fn is_of_a_service(name: &str, value: &OsStr) -> bool {
    let transport = |word: &str| matches!(word, "TCP" | "UDP" | "SCTP");
    let port_of = |(number, rest): (&str, &str)| {
        number.bytes().all(|digit| digit.is_ascii_digit())
            && transport(rest.split('_').next().unwrap_or_default())
    };
    let address = value.to_str().is_some_and(|value| {
        let scheme = value.split_once("://").map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| transport(&scheme.to_uppercase()))
    });
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && address)
        || name
            .rsplit_once("_PORT_")
            .and_then(|(_, rest)| rest.split_once('_'))
            .is_some_and(port_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_meant_only_where_its_name_is_near() {
        for (given, said) in [
            ("lisen", "; is listen meant?"),
            ("public_ulr", "; is public_url meant?"),
            ("log.fromat", "; is log.format meant?"),
            ("lgo.format", "; is log.format meant?"),
            ("fromat", "; is log.format meant?"),
            ("incoming.instances", "; is instances meant?"),
            ("incoming.instnaces", "; is instances meant?"),
            ("certificate", "; is tls.certificate meant?"),
            ("incoming.conections", "; is incoming.connections meant?"),
            ("incoming.colour", "; `walnut config` shows all"),
            ("incoming.heat", "; `walnut config` shows all"),
            ("colour", "; `walnut config` shows all"),
            ("incoming", ": [incoming] is a section"),
        ] {
            assert_eq!(unknown(given), format!("there is no option {given}{said}"));
        }
    }

    #[test]
    fn a_variable_with_a_slip_is_told_and_those_of_others_are_not() {
        for (name, said) in [
            ("WALNUT_PUBLIC_ULR", "is WALNUT_PUBLIC_URL meant?"),
            ("WALNUT_LOG_LEVLE", "is WALNUT_LOG_LEVEL meant?"),
            ("WALNUT_COLOUR", "`walnut config` shows all"),
        ] {
            assert!(looks_like_an_option(name, OsStr::new("x")));
            assert_eq!(
                unknown_variable(name),
                format!("{name} is no option; {said}")
            );
        }
        for (name, value) in [
            ("WALNUT_KEY", "wk"),
            ("WALNUT_TEST_SEED", "1"),
            ("PUBLIC_URL", "http://h"),
            ("WALNUT_SERVICE_HOST", "10.0.0.1"),
            ("WALNUT_SERVICE_PORT", "80"),
            ("WALNUT_SERVICE_PORT_HTTP", "80"),
            ("WALNUT_PORT", "tcp://10.0.0.1:80"),
            ("WALNUT_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("WALNUT_PORT_80_TCP_PROTO", "tcp"),
            ("WALNUT_PORT_80_TCP_PORT", "80"),
            ("WALNUT_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("WALNUT_DB_PORT_5432_TCP_PORT", "5432"),
        ] {
            assert!(!looks_like_an_option(name, OsStr::new(value)), "{name}");
        }
        // One who means the port to listen on.
        assert!(looks_like_an_option("WALNUT_PORT", OsStr::new("8080")));
    }
}
