//! What a host is started with: one definition of every option, from which the file, the environment, the flags and the
//! example that `walnut config` prints are read and written.
//!
//! | file | is |
//! |---|---|
//! | `mod.rs` | the options themselves: name, words, preset, whether a running host takes another value |
//! | [`value`] | what an option may be |
//! | `sources` | the file, the environment and the flags, and which wins |
//! | `names` | which option is meant by a name that is none |
//! | `incoming` | what the HTTP room is given of it |
//! | `example` | the commented example |
//!
//! A flag wins over the environment, the environment over the file, the file over what is preset.

mod example;
mod incoming;
mod names;
mod sources;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use example::example;
pub use incoming::Incoming;
pub use sources::{Problem, Sources};
pub use value::{Authors, Filter, Format, Networks, Number, OtlpEndpoint, PublicUrl, StorePlace};

use crate::home::MasterSource;
use crate::http::source::{Proxies, Telling};
use crate::http::tls::TlsFiles;
use value::{Kind, Value};

/// One option.
pub(crate) struct Setting {
    /// Its name in the file, with a dot behind the section: `log.level`.
    pub(crate) key: &'static str,
    words: &'static [&'static str],
    kind: Kind,
    /// As the environment would give it.
    preset: Option<&'static str>,
    /// What stands in the example where nothing is preset.
    shown: &'static str,
    check: fn(&str) -> Result<(), String>,
    differs: fn(&Config, &Config) -> bool,
    taken_while_running: bool,
}

/// Makes [`Config`] and [`SETTINGS`] from one list. `live` options are taken by a running host, `fixed` ones at its start.
macro_rules! settings {
    ($(
        $(#[doc = $words:literal])+
        $when:ident $name:ident ($key:literal): $kind:ty = $preset:expr, $shown:literal;
    )+) => {
        /// Every option of a host, checked.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub struct Config {
            $( $(#[doc = $words])+ pub $name: $kind, )+
        }

        /// Every option, in the order of the example.
        pub(crate) const SETTINGS: &[Setting] = &[$(
            Setting {
                key: $key,
                words: &[$($words),+],
                kind: <$kind as Value>::KIND,
                preset: $preset,
                shown: $shown,
                check: |text| <$kind as Value>::read(Some(text)).map(drop),
                differs: |one, other| one.$name != other.$name,
                taken_while_running: settings!(@ $when),
            },
        )+];

        impl Config {
            /// This, with what a running host takes of `other`.
            pub fn with_live_of(&self, other: Config) -> Config {
                Config {
                    $( $name: settings!(@ $when self other $name), )+
                }
            }

            /// Reads every option; `text` has what was given of it, as the environment would give it.
            fn of<E>(
                text: impl Fn(&'static str) -> Option<String>,
                wrong: impl Fn(&'static str, String) -> E,
            ) -> Result<Config, E> {
                Ok(Config {
                    $( $name: {
                        let given = text($key).or_else(|| $preset.map(str::to_owned));
                        <$kind as Value>::read(given.as_deref()).map_err(|why| wrong($key, why))?
                    }, )+
                })
            }
        }
    };
    (@ live $this:ident $other:ident $name:ident) => { $other.$name };
    (@ fixed $this:ident $other:ident $name:ident) => { $this.$name.clone() };
    (@ live) => { true };
    (@ fixed) => { false };
}

settings! {
    /// The data root: payments, homes and the master key. Made when it does not exist.
    fixed data ("data"): PathBuf = Some("./walnut-data"), "";
    /// Where the master key comes from, under which the key of all secrets is sealed: file:PATH (made at the first start),
    /// env:NAME, or command:PROGRAM ARG…, whose standard output is its 64 hex digits. Where it is not given, master.key in the
    /// data root.
    fixed master_key ("master_key"): Option<MasterSource> = None::<&str>, "command:/usr/local/bin/walnut-master-key";
    /// A PostgreSQL database that keeps the payments in place of the data root, and that several hosts may share:
    /// postgres://user@host/database, or file:PATH of a file with that address.
    fixed store ("store"): Option<StorePlace> = None::<&str>, "file:/etc/walnut/store";
    /// Where the host listens; port 0 takes a free one.
    fixed listen ("listen"): SocketAddr = Some("127.0.0.1:8080"), "";
    /// The address under which platforms and buyers reach this host: http or https, no query, at most 200 characters.
    fixed public_url ("public_url"): Option<PublicUrl> = None::<&str>, "https://pay.example.com";
    /// How many components may run at once, 1 to 4096.
    fixed instances ("instances"): Number<1, 4096> = Some("64"), "";
    /// Approve and run only providers that one of these authors signed, besides those that come with the host: what
    /// `walnut provider new-key` printed, with commas between.
    fixed provider_keys ("provider_keys"): Option<Authors> = None::<&str>,
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
    /// Let test targets name a gateway on this machine (http and loopback): for simulated platforms and development only.
    fixed allow_local_gateways ("allow_local_gateways"): bool = Some("false"), "";
    /// Let buyers switch to another way to pay although the platform cannot close the earlier code before somebody scanned
    /// it. If both are paid, the second payment is given back.
    live overlap ("overlap"): bool = Some("false"), "";
    /// Remove payments that failed this many days after their last change, at least 7; never, where it is not given.
    fixed remove_failed_after ("remove_failed_after"): Option<Number<7, 36_500>> = None::<&str>, "400";
    /// Remove paid payments this many days after their last change, and later where the platform may still be asked to give
    /// the money back; never, where it is not given.
    fixed remove_paid_after ("remove_paid_after"): Option<Number<1, 36_500>> = None::<&str>, "1000";
    /// What is logged: error, warn, info, debug or trace, for all or by module as in "info,walnut::work=debug". Where it is
    /// not given, RUST_LOG says it.
    live log_level ("log.level"): Option<Filter> = None::<&str>, "info";
    /// How a line of the log is written: pretty, or json (one object a line, for programs).
    fixed log_format ("log.format"): Format = Some("pretty"), "";
    /// Send spans of requests, calls of plugins, outgoing requests and commits to this collector by OTLP over HTTP; the
    /// path v1/traces is put behind it. None are made where it is not given.
    fixed otlp_endpoint ("otlp.endpoint"): Option<OtlpEndpoint> = None::<&str>, "http://127.0.0.1:4318";
    /// Connections that are held at once. Who comes beyond is told to come again (503), as far as that costs little.
    fixed incoming_connections ("incoming.connections"): Number<16, 1_000_000> = Some("30000"), "";
    /// Connections of one source at once: of an address, or of an IPv6 network of 64 bits. Those of proxies that are named are not
    /// counted.
    fixed incoming_of_one_source ("incoming.of_one_source"): Number<1, 1_000_000> = Some("2000"), "";
    /// Requests at once of one connection of HTTP/2, which a host that speaks TLS itself offers. Each but the first takes a
    /// place as a connection does.
    fixed incoming_streams ("incoming.streams"): Number<1, 1_000> = Some("64"), "";
    /// Requests that are worked at at once: so many that need a key, of which one domain has a quarter; as many notifications,
    /// and as many of the others (signing in, pages), of which one source has a quarter each. What comes beyond is told to
    /// come again (503).
    fixed incoming_requests ("incoming.requests"): Number<4, 1_000_000> = Some("1024"), "";
    /// MiB of bodies that are in memory at once, with what they become when they are parsed: for each of these kinds, and for
    /// uploads of components, which have 103 at least. One domain or source has a quarter. What comes beyond is told to come
    /// again (503).
    fixed incoming_bodies_mib ("incoming.bodies_mib"): Number<48, 65_536> = Some("192"), "";
    /// KiB of a request's line and headers together. More is refused (431).
    fixed incoming_head_kib ("incoming.head_kib"): Number<8, 1_024> = Some("32"), "";
    /// Headers of a request. More are refused (431).
    fixed incoming_headers ("incoming.headers"): Number<16, 1_000> = Some("100"), "";
    /// Seconds from the first byte of a request until its line and headers are whole. Then the connection is closed.
    fixed incoming_head_seconds ("incoming.head_seconds"): Number<1, 600> = Some("10"), "";
    /// Seconds that a connection may wait for its next request: longer than proxies keep one that is not used, so that it is
    /// they who close it.
    fixed incoming_idle_seconds ("incoming.idle_seconds"): Number<1, 3_600> = Some("75"), "";
    /// Seconds until the body of a request is whole. Then it is refused (408).
    fixed incoming_body_seconds ("incoming.body_seconds"): Number<1, 3_600> = Some("30"), "";
    /// The same for a notification of a platform.
    fixed incoming_notification_seconds ("incoming.notification_seconds"): Number<1, 3_600> = Some("10"), "";
    /// The same for a component: the largest one over a line of a megabit a second.
    fixed incoming_upload_seconds ("incoming.upload_seconds"): Number<1, 3_600> = Some("400"), "";
    /// Seconds that nobody reads on of an answer. Then the connection is closed.
    fixed incoming_answer_seconds ("incoming.answer_seconds"): Number<1, 3_600> = Some("60"), "";
    /// Proxies that are believed when they tell whom they speak for, and which id a request has: addresses and networks, with
    /// commas between. Name those that only you reach the host by: whom they name is who asks.
    fixed incoming_proxies ("incoming.proxies"): Option<Networks> = None::<&str>, "127.0.0.1, 10.0.0.0/8, 2001:db8::/48";
    /// The header in which these proxies tell it: x-forwarded-for (with x-forwarded-proto), or forwarded. Only this one is read.
    fixed incoming_forwarded ("incoming.forwarded"): Telling = Some("x-forwarded-for"), "";
    /// Seconds until a connection's TLS handshake is done. Then the connection is closed.
    fixed incoming_handshake_seconds ("incoming.handshake_seconds"): Number<1, 600> = Some("10"), "";
    /// A file with the host's certificate and those that lead to an authority, in PEM: with it the host speaks TLS itself. The
    /// files of certificate and key are read anew at SIGHUP.
    fixed tls_certificate ("tls.certificate"): Option<PathBuf> = None::<&str>, "/etc/walnut/pay.example.com.pem";
    /// A file with the private key of that certificate, in PEM.
    fixed tls_key ("tls.key"): Option<PathBuf> = None::<&str>, "/etc/walnut/pay.example.com.key";
}

impl Config {
    /// Every option as it is preset.
    ///
    /// # Errors
    /// Never, unless a preset value is none of its option.
    pub fn preset() -> Result<Config, Problem> {
        Sources::default().read()
    }

    /// Whether the options go together.
    fn together(&self) -> Result<(), String> {
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) => Err("tls.key has to be given with tls.certificate".to_owned()),
            (None, Some(_)) => Err("tls.certificate has to be given with tls.key".to_owned()),
            _ => Ok(()),
        }
    }

    /// Where certificate and key are, where the host speaks TLS itself.
    pub fn tls(&self) -> Option<TlsFiles> {
        let certificate = self.tls_certificate.clone()?;
        let key = self.tls_key.clone()?;
        Some(TlsFiles { certificate, key })
    }

    /// The proxies that are believed.
    pub fn proxies(&self) -> Proxies {
        let named = self.incoming_proxies.as_ref();
        Proxies {
            named: named.map_or_else(Vec::new, |networks| networks.all().to_vec()),
            telling: self.incoming_forwarded,
        }
    }

    /// The names of options in which this differs from `other`: those that a running host takes, and those that it does not.
    pub fn changed_from(&self, other: &Config) -> (Vec<&'static str>, Vec<&'static str>) {
        let changed = SETTINGS
            .iter()
            .filter(|setting| (setting.differs)(self, other));
        let (live, fixed): (Vec<_>, Vec<_>) =
            changed.partition(|setting| setting.taken_while_running);
        let keys = |settings: Vec<&Setting>| settings.iter().map(|setting| setting.key).collect();
        (keys(live), keys(fixed))
    }
}

impl Setting {
    /// The variable of the environment.
    fn variable(&self) -> String {
        format!("WALNUT_{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// What is preset of an option.
#[cfg(test)]
pub(crate) fn preset_of(key: &str) -> Option<&'static str> {
    let setting = SETTINGS.iter().find(|setting| setting.key == key);
    setting.and_then(|setting| setting.preset)
}

/// The options of a section.
#[cfg(test)]
pub(crate) fn keys_below(section: &str) -> impl Iterator<Item = &'static str> {
    let keys = SETTINGS.iter().map(|setting| setting.key);
    keys.filter(move |key| key.starts_with(section))
}

#[cfg(test)]
mod tests;
