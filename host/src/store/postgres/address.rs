//! Where a PostgreSQL store is, and how it is connected to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use url::form_urlencoded;

use crate::store::StoreError;

/// Whoever waits for a payment has given up after some seconds. For one address of the server, when the address of the
/// store does not say (`connect_timeout=`).
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// Beside that, for a name with a second address, and for a server that takes connections and then says nothing.
const GREET_WITHIN: Duration = Duration::from_secs(3);
/// A connection whose other side is gone without a word is noticed after this time without an answer.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// Connections of one host for changes, when the address does not say (`writers=`).
const WRITERS: usize = 12;
/// Connections of one host for looks, when the address does not say (`readers=`).
const READERS: usize = 6;

/// How the server proves who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Proof {
    /// Nothing is encrypted: for a socket, or a network that is trusted.
    Plain,
    /// Encrypted, whoever it is (`sslmode=require`).
    Anybody,
    /// Its certificate is checked, and names the host (`sslmode=verify-full`).
    Certificate {
        /// Certificates to trust, PEM; those of the system where none is given.
        roots: Option<PathBuf>,
    },
}

/// A PostgreSQL database, from `postgres://user:password@host:port/database?sslmode=…`. The password is never shown.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) proof: Proof,
    pub(super) writers: usize,
    pub(super) readers: usize,
    shown: String,
}

impl Address {
    /// Whether the text is meant as one.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads an address. Errors say what is wrong with it, and nothing of what may be a password.
    pub fn parse(text: &str) -> Result<Address, StoreError> {
        if !Address::is_one(text) {
            return Err(wrong("it does not begin with postgres://"));
        }
        let (place, question) = text.split_once('?').unwrap_or((text, ""));
        if place.matches('@').count() > 1 {
            return Err(wrong("write an @ in the user or password as %40"));
        }
        let mut rest = form_urlencoded::Serializer::new(String::new());
        let mut mode = None;
        let mut roots = None;
        let (mut writers, mut readers) = (WRITERS, READERS);
        for (name, value) in form_urlencoded::parse(question.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(PathBuf::from(value.into_owned())),
                "writers" => writers = count(&name, &value)?,
                "readers" => readers = count(&name, &value)?,
                _ => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        let rest = rest.finish().replace('+', "%20");
        let plain = match rest.is_empty() {
            true => place.to_owned(),
            false => format!("{place}?{rest}"),
        };
        let mut config = Config::from_str(&plain).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            wrong(&cause.unwrap_or_else(|| error.to_string()))
        })?;
        let proof = proof(mode.as_deref(), roots, &config)?;
        config.ssl_mode(match proof {
            Proof::Plain => SslMode::Disable,
            Proof::Anybody | Proof::Certificate { .. } => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_WITHIN);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENT_FOR);
            config.keepalives_idle(SILENT_FOR);
        }
        if config.get_application_name().is_none() {
            config.application_name("walnut");
        }
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        let shown = shown(&config);
        Ok(Address {
            config,
            proof,
            writers,
            readers,
            shown,
        })
    }

    /// The longest that a connection may take until it can be used, whichever of the servers it is to.
    pub(super) fn connect_within(&self) -> Duration {
        let each = self.config.get_connect_timeout().copied();
        let hosts = self.config.get_hosts().len().max(1);
        let hosts = u32::try_from(hosts).unwrap_or(u32::MAX);
        each.unwrap_or(CONNECT_WITHIN)
            .saturating_mul(hosts)
            .saturating_add(GREET_WITHIN)
    }

    /// Whether `text` gives away a password to whoever can read it.
    pub fn has_password(text: &str) -> bool {
        let place = text.split_once("://").map_or(text, |(_, place)| place);
        let user = place.split_once('@').map(|(user, _)| user);
        user.is_some_and(|user| user.contains(':')) || place.contains("password=")
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

fn wrong(why: &str) -> StoreError {
    StoreError::Address(why.to_owned())
}

fn count(name: &str, value: &str) -> Result<usize, StoreError> {
    match value.parse() {
        Ok(count @ 1..=64) => Ok(count),
        _ => Err(wrong(&format!("{name} has to be a number from 1 to 64"))),
    }
}

/// The modes of libpq that say clearly what holds.
fn proof(mode: Option<&str>, roots: Option<PathBuf>, config: &Config) -> Result<Proof, StoreError> {
    let away = |host: &Host| matches!(host, Host::Tcp(_));
    let is_away = config.get_hosts().iter().any(away);
    match mode {
        Some("disable") => Ok(Proof::Plain),
        // What libpq does without a word ("prefer") encrypts only where nobody hinders it.
        None if !is_away => Ok(Proof::Plain),
        None | Some("verify-full") => Ok(Proof::Certificate { roots }),
        Some("require") if roots.is_none() => Ok(Proof::Anybody),
        Some("require") => Err(wrong(
            "sslmode=require looks at no certificate: leave out sslrootcert, or write sslmode=verify-full",
        )),
        Some(_) => Err(wrong(
            "sslmode has to be verify-full (the default over a network), require or disable",
        )),
    }
}

fn shown(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    let port = match ports.is_empty() {
        true => String::new(),
        false => format!(":{}", ports.join(",")),
    };
    format!(
        "postgres://{}@{}{port}/{}",
        config.get_user().unwrap_or("?"),
        hosts.join(","),
        config
            .get_dbname()
            .or(config.get_user())
            .unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        let text = "postgres://wal:s3cret@db.example:5433/pay?sslmode=require&writers=4";
        let address = Address::parse(text).unwrap();
        assert_eq!(address.to_string(), "postgres://wal@db.example:5433/pay");
        assert!(!format!("{address:?}").contains("s3cret"));
        assert_eq!(
            (&address.proof, address.writers, address.readers),
            (&Proof::Anybody, 4, READERS)
        );
        let socket = Address::parse("postgres://wal@/pay?host=/run/postgresql").unwrap();
        assert_eq!(
            (socket.to_string().as_str(), &socket.proof),
            ("postgres://wal@/run/postgresql/pay", &Proof::Plain)
        );
        let away = Address::parse("postgres://wal@db.example/pay?sslrootcert=/etc/ca.pem").unwrap();
        let roots = Some(PathBuf::from("/etc/ca.pem"));
        assert_eq!(away.proof, Proof::Certificate { roots });
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, said) in [
            ("mysql://x:s3cret@h/d", "postgres://"),
            ("postgres://x:s3c@ret@h/d", "%40"),
            ("postgres://x:s3cret@h:port/d", "port"),
            ("postgres://x:s3cret@h/d?sslmode=prefer", "verify-full"),
            ("postgres://x:s3cret@h/d?writers=0", "writers"),
            ("postgres://x:s3cret@h/d?nonsense=1", "nonsense"),
            (
                "postgres://x:s3cret@h/d?sslmode=require&sslrootcert=/x",
                "sslrootcert",
            ),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
            assert!(!error.contains("s3c") && !error.contains("ret@"), "{error}");
        }
    }

    #[test]
    fn a_connection_has_the_time_of_each_server_that_is_named() {
        for (text, seconds) in [
            ("postgres://x@h/d", 6),
            ("postgres://x@h1,h2/d", 9),
            ("postgres://x@h/d?connect_timeout=10", 13),
            ("postgres://x@/d?host=/run/postgresql", 6),
        ] {
            let within = Address::parse(text).unwrap().connect_within();
            assert_eq!(within, Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn a_password_is_noticed() {
        assert!(Address::has_password("postgres://x:y@h/d"));
        assert!(Address::has_password("postgres://x@h/d?password=y"));
        assert!(!Address::has_password("postgres://x@h:5432/d"));
    }
}
