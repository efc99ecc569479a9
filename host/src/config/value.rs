//! What an option may be. Each kind is read from one text, as the environment and the flags give it; the file's numbers
//! and switches are written as such text first.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::home::MasterSource;
use crate::http::source::Telling;
use crate::plugin::Author;
use crate::store::Address;

/// How an option is written in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `"…"`
    Text,
    /// `64`
    Number,
    /// `true` or `false`
    Switch,
}

impl Kind {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Kind::Text => "a text in quotes",
            Kind::Number => "a whole number",
            Kind::Switch => "true or false",
        }
    }
}

/// What an option may be.
pub(super) trait Value: Sized {
    const KIND: Kind;

    /// Reads it; `None` where nothing was given.
    fn read(text: Option<&str>) -> Result<Self, String>;
}

/// An option that may be left out.
impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(text: Option<&str>) -> Result<Option<T>, String> {
        text.map(|text| T::read(Some(text))).transpose()
    }
}

fn given(text: Option<&str>) -> Result<&str, String> {
    match text {
        Some("") => Err("is empty".to_owned()),
        Some(text) => Ok(text),
        None => Err("has to be given".to_owned()),
    }
}

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<String, String> {
        given(text).map(str::to_owned)
    }
}

impl Value for PathBuf {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<PathBuf, String> {
        given(text).map(PathBuf::from)
    }
}

impl Value for SocketAddr {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<SocketAddr, String> {
        given(text)?
            .parse()
            .map_err(|_| "is no address with a port, such as 127.0.0.1:8080".to_owned())
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Switch;

    fn read(text: Option<&str>) -> Result<bool, String> {
        match given(text)? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("is neither true nor false".to_owned()),
        }
    }
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Number<LEAST, MOST> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const LEAST: u32, const MOST: u32> Value for Number<LEAST, MOST> {
    const KIND: Kind = Kind::Number;

    fn read(text: Option<&str>) -> Result<Number<LEAST, MOST>, String> {
        let number = given(text)?.parse().ok();
        number
            .filter(|number| (LEAST..=MOST).contains(number))
            .map(Number)
            .ok_or_else(|| format!("is no whole number from {LEAST} to {MOST}"))
    }
}

/// What is logged, as `tracing` reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter(String);

impl Filter {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Filter {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<Filter, String> {
        let text = given(text)?;
        EnvFilter::try_new(text)
            .map_err(|_| "is no level, and no list of modules with levels".to_owned())?;
        // A word alone is read as a module: a level with a slip in it would silence the log.
        let level = |word: &str| {
            word.parse::<tracing_subscriber::filter::LevelFilter>()
                .is_ok()
        };
        match text
            .split(',')
            .find(|part| !part.contains('=') && !level(part))
        {
            Some(part) => Err(format!(
                "has {part}, which is no level: error, warn, info, debug, trace or off"
            )),
            None => Ok(Filter(text.to_owned())),
        }
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Pretty,
    /// For programs.
    Json,
}

impl Value for Format {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<Format, String> {
        match given(text)? {
            "pretty" => Ok(Format::Pretty),
            "json" => Ok(Format::Json),
            _ => Err("is neither pretty nor json".to_owned()),
        }
    }
}

/// Where the payments are kept, as the operator says it: an address of PostgreSQL, or `file:PATH` of a file with one. It may
/// hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct StorePlace(String);

impl StorePlace {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorePlace(…)")
    }
}

impl Value for StorePlace {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<StorePlace, String> {
        let text = given(text)?;
        if !text.starts_with("file:") {
            Address::parse(text).map_err(|error| format!("cannot be used: {error}"))?;
        }
        Ok(StorePlace(text.to_owned()))
    }
}

impl Value for MasterSource {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<MasterSource, String> {
        MasterSource::parse(given(text)?)
    }
}

/// The authors of providers whose signature is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authors(Vec<Author>);

impl Authors {
    /// Their keys.
    pub fn keys(&self) -> &[Author] {
        &self.0
    }
}

impl Value for Authors {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<Authors, String> {
        let keys = given(text)?.split(',');
        let read = keys.map(|key| Author::parse(key.trim()));
        read.collect::<Option<_>>()
            .map(Authors)
            .ok_or_else(|| "has a key that has not 64 hex digits".to_owned())
    }
}

/// Addresses and networks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// All of them.
    pub fn all(&self) -> &[IpNet] {
        &self.0
    }
}

impl Value for Networks {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<Networks, String> {
        let mut networks = Vec::new();
        for one in given(text)?.split(',').map(str::trim) {
            let address = one.parse::<IpAddr>().ok();
            let network = address
                .map(|address| address.to_canonical().into())
                .or_else(|| one.parse::<IpNet>().ok())
                .ok_or_else(|| {
                    format!("has {one}, which is no address and no network such as 10.0.0.0/8")
                })?;
            if network.prefix_len() == 0 {
                return Err(format!("has {one}, which is everybody"));
            }
            networks.push(network);
        }
        Ok(Networks(networks))
    }
}

impl Value for Telling {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<Telling, String> {
        match given(text)? {
            "x-forwarded-for" => Ok(Telling::ForwardedFor),
            "forwarded" => Ok(Telling::Forwarded),
            _ => Err("is neither x-forwarded-for nor forwarded".to_owned()),
        }
    }
}

/// Where platforms reach a host, without a trailing slash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The address of a collector of spans.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtlpEndpoint(String);

impl OtlpEndpoint {
    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for OtlpEndpoint {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<OtlpEndpoint, String> {
        let text = given(text)?;
        let plain = Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        match plain {
            true => Ok(OtlpEndpoint(text.trim_end_matches('/').to_owned())),
            false => Err("has to be an http or https address without a query".to_owned()),
        }
    }
}

impl Value for PublicUrl {
    const KIND: Kind = Kind::Text;

    fn read(text: Option<&str>) -> Result<PublicUrl, String> {
        let text = given(text)?;
        let plain = Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
        });
        // A platform takes at most 255 characters; the number of the attempt comes behind this.
        if plain && text.len() <= 200 {
            return Ok(PublicUrl(text.trim_end_matches('/').to_owned()));
        }
        Err(
            "has to be an http or https address of at most 200 characters without a query"
                .to_owned(),
        )
    }
}
