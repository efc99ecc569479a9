use std::fs;

use tempfile::TempDir;

use super::*;

/// Reads a file with this text; what is wrong without the directory's name.
fn read(text: &str) -> Result<Config, String> {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("walnut.toml");
    fs::write(&path, text).unwrap();
    let before = format!("{}/", dir.path().display());
    let read = Sources::of_file(path).read();
    read.map_err(|error| error.to_string().replace(&before, ""))
}

#[test]
fn the_example_says_what_is_preset() {
    let example = example();
    assert_eq!(read(&example).unwrap(), Config::preset().unwrap());
    // Every line that shows an option can be used as it stands.
    let used: String = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option) if option.starts_with(|c: char| c.is_ascii_lowercase()) => option,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let used = read(&used).unwrap();
    let (live, fixed) = used.changed_from(&Config::preset().unwrap());
    let shown: Vec<&str> = SETTINGS
        .iter()
        .filter(|setting| setting.preset.is_none())
        .map(|setting| setting.key)
        .collect();
    let mut changed = [live, fixed].concat();
    changed.sort_by_key(|key| SETTINGS.iter().position(|setting| setting.key == *key));
    assert_eq!(changed, shown);
    for setting in SETTINGS {
        assert!(example.contains(&setting.variable()), "{}", setting.key);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_all_at_once() {
    for (text, said) in [
        (
            "\nlisten = \"127.0.0.1:1\"\nlisen = 5",
            "walnut.toml:3: there is no option lisen; is listen meant?",
        ),
        (
            "[log]\nlevle = \"info\"",
            "walnut.toml:2: there is no option log.levle; is log.level meant?",
        ),
        (
            "colour = 1",
            "walnut.toml:1: there is no option colour; `walnut config` shows all",
        ),
        (
            "[colour]",
            "walnut.toml:1: there is no option colour; `walnut config` shows all",
        ),
        (
            "instances = \"8\"",
            "walnut.toml:1: instances has to be a whole number, and is string",
        ),
        (
            "overlap = 1\ninstances = 0",
            "walnut.toml:1: overlap has to be true or false, and is integer\n\
             walnut.toml:2: instances = 0 is no whole number from 1 to 4096",
        ),
        (
            "log = 3",
            "walnut.toml:1: there is no option log: [log] is a section",
        ),
        (
            "listen = \"localhost\"",
            "walnut.toml:1: listen = localhost is no address with a port, such as 127.0.0.1:8080",
        ),
        (
            "log.level = \"inof\"",
            "walnut.toml:1: log.level = inof has inof, which is no level: error, warn, info, debug, trace or off",
        ),
        ("data = \"\"", "walnut.toml:1: data =  is empty"),
        (
            "[incoming]\nproxies = \"10.0.0.1, proxy\"",
            "walnut.toml:2: incoming.proxies = 10.0.0.1, proxy has proxy, which is no address and no network such as \
             10.0.0.0/8",
        ),
        (
            "[incoming]\nproxies = \"::/0\"",
            "walnut.toml:2: incoming.proxies = ::/0 has ::/0, which is everybody",
        ),
        (
            "[tls]\nkey = \"host.key\"",
            "tls.certificate has to be given with tls.key",
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), said, "{text}");
    }
    for (text, said) in [
        ("data = \"a\"\ndata = \"b\"", "walnut.toml:2: duplicate key"),
        ("x = [", "walnut.toml:1: "),
    ] {
        let why = read(text).unwrap_err();
        assert!(why.starts_with(said), "{why}");
    }
    assert!(
        Sources::of_file("/nowhere/walnut.toml".into())
            .read()
            .unwrap_err()
            .to_string()
            .starts_with("/nowhere/walnut.toml: ")
    );
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("walnut.toml");
    fs::write(
        &path,
        "instances = 1\ndata = \"/file\"\nlog.format = \"json\"",
    )
    .unwrap();
    let mut sources = Sources::of_file(path);
    sources.environment = [
        ("WALNUT_INSTANCES", "2"),
        ("WALNUT_DATA", "/environment"),
        ("WALNUT_KEY", "k"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    sources.flag("instances", "3", "--instances");
    let config = sources.read().unwrap();
    assert_eq!(config.instances.get(), 3);
    assert_eq!(config.data, PathBuf::from("/environment"));
    assert_eq!(config.log_format, Format::Json);
    assert_eq!(config.listen, Config::preset().unwrap().listen);

    sources
        .environment
        .insert("WALNUT_LISTEN".to_owned(), "x".to_owned());
    sources.flag("log.levels", "info", "--set");
    assert_eq!(
        sources.read().unwrap_err().to_string(),
        "--set: there is no option log.levels; is log.level meant?\n\
         WALNUT_LISTEN: listen = x is no address with a port, such as 127.0.0.1:8080"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_told_and_one_that_is_no_option_is_remarked_upon() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    let given = |pairs: &[(&str, &[u8])]| {
        let mut sources = Sources::default();
        sources.take(
            pairs
                .iter()
                .map(|(name, value)| (OsString::from(name), OsString::from_vec(value.to_vec()))),
        );
        sources
    };
    let wrong = given(&[("WALNUT_INSTANCES", b"\xff")]).read();
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "WALNUT_INSTANCES is no text in UTF-8"
    );
    let sources = given(&[
        ("WALNUT_PUBLIC_ULR", b"https://pay.example.com"),
        ("WALNUT_MASTER", b"0"),
        ("WALNUT_MASTER_KEY", b"env:WALNUT_MASTER"),
        ("WALNUT_SERVICE_HOST", b"10.0.0.1"),
    ]);
    let config = sources.read().unwrap();
    assert_eq!(
        sources.strange_variables(&config),
        ["WALNUT_PUBLIC_ULR is no option; is WALNUT_PUBLIC_URL meant?"]
    );
}

#[test]
fn nothing_of_an_address_is_shown() {
    let why = read("listen = \"postgres://u:s3cret@h/d\"").unwrap_err();
    assert!(!why.contains("s3cret"), "{why}");
}

#[test]
fn a_master_key_that_was_given_in_place_of_its_source_is_not_shown() {
    let key = "0123456789abcdef".repeat(4);
    let why = read(&format!("master_key = \"{key}\"")).unwrap_err();
    assert!(
        why.contains("master_key has to be file:PATH") && !why.contains(&key),
        "{why}"
    );
}
