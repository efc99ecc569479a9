//! The options of `walnut serve`, `walnut demo` and `walnut sandbox`, and which host the other commands talk to.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::config::Sources;

/// How the host runs. Every option can stand in a file and in the environment too: `walnut config` shows all of them.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct ServeOptions {
    /// A file with options, as `walnut config` prints one
    #[arg(long, value_name = "FILE", env = "WALNUT_CONFIG")]
    pub config: Option<PathBuf>,
    /// The data root: payments, homes and the master key. Made when it does not exist [env: WALNUT_DATA] [default:
    /// ./walnut-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Where the master key comes from: file:PATH, env:NAME or 'command:PROGRAM ARG…' [env: WALNUT_MASTER_KEY] [default:
    /// master.key in the data root]
    #[arg(long, value_name = "SOURCE")]
    pub master_key: Option<String>,
    /// A PostgreSQL database that keeps the payments in place of the data root, and that several hosts may share:
    /// postgres://user@host/database, or file:PATH of a file with that address. A password in it is seen by everybody on
    /// this machine: give it in the environment or in the file [env: WALNUT_STORE]
    #[arg(long, value_name = "ADDRESS")]
    pub store: Option<String>,
    /// Where to listen [env: WALNUT_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// A file with the host's certificate and those that lead to an authority, in PEM: with it the host speaks TLS itself
    /// [env: WALNUT_TLS_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<String>,
    /// A file with the private key of that certificate, in PEM [env: WALNUT_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// The address under which platforms and buyers reach this host, such as https://pay.example.com [env:
    /// WALNUT_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// How many components may run at once [env: WALNUT_INSTANCES] [default: 64]
    #[arg(long, value_name = "N")]
    pub instances: Option<String>,
    /// Let test targets name a gateway on this machine (http and loopback); for simulated platforms
    #[arg(long)]
    pub allow_local_gateways: bool,
    /// Let buyers switch to another way to pay although the platform cannot close the earlier code before somebody
    /// scanned it. If both are paid, the second payment is given back
    #[arg(long)]
    pub overlap: bool,
    /// Remove payments that failed this many days after their last change, at least 7; never, where it is not given [env:
    /// WALNUT_REMOVE_FAILED_AFTER]
    #[arg(long, value_name = "DAYS")]
    pub remove_failed_after: Option<String>,
    /// Remove paid payments this many days after their last change, and later where the platform may still be asked to give
    /// the money back; never, where it is not given [env: WALNUT_REMOVE_PAID_AFTER]
    #[arg(long, value_name = "DAYS")]
    pub remove_paid_after: Option<String>,
    /// Approve and run only providers that this author signed, besides those that come with the host: the 64 hex digits
    /// that `walnut provider new-key` printed. May be given several times [env: WALNUT_PROVIDER_KEYS, with commas between]
    #[arg(long, value_name = "KEY")]
    pub provider_key: Vec<String>,
    /// Any other option of the file: --set log.format=json
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Make another root key and leave it in root.key of the data root, for an operator who lost the first
    #[arg(long)]
    pub new_root_key: bool,
}

impl ServeOptions {
    /// Everything that says how the host runs.
    ///
    /// # Errors
    /// A `--set` without a value, in words.
    pub(super) fn sources(&self) -> Result<Sources, String> {
        let mut sources = Sources::of(self.config.clone());
        for (key, value) in [
            ("data", &self.data),
            ("master_key", &self.master_key),
            ("store", &self.store),
            ("listen", &self.listen),
            ("tls.certificate", &self.tls_certificate),
            ("tls.key", &self.tls_key),
            ("public_url", &self.public_url),
            ("instances", &self.instances),
            ("remove_failed_after", &self.remove_failed_after),
            ("remove_paid_after", &self.remove_paid_after),
        ] {
            if let Some(value) = value {
                sources.flag(key, value, format!("--{}", key.replace(['_', '.'], "-")));
            }
        }
        for (key, given) in [
            ("allow_local_gateways", self.allow_local_gateways),
            ("overlap", self.overlap),
        ] {
            if given {
                sources.flag(key, "true", format!("--{}", key.replace('_', "-")));
            }
        }
        if !self.provider_key.is_empty() {
            let keys = self.provider_key.join(",");
            sources.flag("provider_keys", &keys, "--provider-key".to_owned());
        }
        for pair in &self.set {
            let Some((key, value)) = pair.split_once('=') else {
                return Err("--set takes NAME=VALUE, such as log.format=json".to_owned());
            };
            sources.flag(key.trim(), value.trim(), format!("--set {}", key.trim()));
        }
        Ok(sources)
    }
}

/// How the demonstration runs.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct DemoOptions {
    /// End after the first payment instead of staying up
    #[arg(long)]
    pub once: bool,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// How the simulated platforms run: on this machine only.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct SandboxOptions {
    /// The port of WeChat Pay; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8181)]
    pub wx_port: u16,
    /// The port of WeChat Pay where payments at the till are undone, with TLS; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8182)]
    pub wx_tls_port: u16,
    /// The port of Alipay; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8183)]
    pub zfb_port: u16,
    /// The port of PayPal; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8184)]
    pub paypal_port: u16,
    /// How many times faster than the real ones the platforms repeat their notifications
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub faster: u32,
    /// Print one line of JSON for programs: the addresses and accounts
    #[arg(long)]
    pub json: bool,
}

/// Which host a command talks to.
#[derive(Args, Clone)]
pub(super) struct HostOptions {
    /// The host's address
    #[arg(
        long,
        value_name = "URL",
        global = true,
        env = "WALNUT_URL",
        default_value = "http://127.0.0.1:8080",
        help_heading = "The host to talk to"
    )]
    pub(super) url: String,
    /// The API key; better given by WALNUT_KEY, where other users of the machine cannot see it
    #[arg(
        long,
        value_name = "KEY",
        global = true,
        env = "WALNUT_KEY",
        hide_env_values = true,
        help_heading = "The host to talk to"
    )]
    pub(super) key: Option<String>,
}
