//! The store, the disk, the data root and the clock.

use std::time::Duration;

use url::{Host, Url};

use super::{Findings, span};
use crate::payment::Payments;
use crate::payment::error::Result;

/// Whoever asks has given up after some seconds.
const STORE_WITHIN: Duration = Duration::from_secs(3);
/// Less room than this is little, however large the disk is.
const ROOM_BYTES: u64 = 1 << 30;
/// Of a smaller disk: one part of so many.
const ROOM_PART: u64 = 20;
/// Signatures carry the time, and platforms take those of the last minutes; walnut's own bound is a minute.
const CLOCK_MS: u64 = 60_000;
/// A host follows thousands of pages; each has a descriptor.
const DESCRIPTORS: u64 = 4_096;

impl Payments {
    /// Whether it answers.
    pub(super) async fn look_at_store(&self, found: &mut Findings) -> bool {
        let looking = async {
            self.0.store.ready().await?;
            self.0.store.schema().await
        };
        let todo = "look at the disk of the data root, or at PostgreSQL and at the way to it; nothing is taken meanwhile";
        match tokio::time::timeout(STORE_WITHIN, looking).await {
            Ok(Ok(schema)) => {
                if schema.found != schema.known {
                    found.wrong(
                        "d.store.schema",
                        format!(
                            "the store is of version {}, and this walnut of {}: another host of another version works on it",
                            schema.found, schema.known
                        ),
                        "let every host run the same version of walnut, the newest of them",
                    );
                }
                true
            }
            Ok(Err(error)) => {
                found.wrong("d.store.down", format!("the store: {error}"), todo);
                false
            }
            Err(_) => {
                found.wrong("d.store.down", "the store does not answer in time", todo);
                false
            }
        }
    }

    pub(super) fn look_at_machine(&self, found: &mut Findings) {
        let root = self.0.home.look();
        if let Some((free, all)) = root.room
            && free < ROOM_BYTES.min(all / ROOM_PART)
        {
            found.wrong(
                "d.disk.room",
                format!("the disk with the data root has {} MiB left", free >> 20),
                "make room: var/cache may be deleted, and walnut serve --remove-failed-after lets old payments go",
            );
        }
        for (what, mode) in root.loose {
            found.wrong(
                "d.root.permissions",
                format!("{what} can be entered or read by others (mode {mode:o})"),
                format!("chmod go-rwx {what}"),
            );
        }
        if root.has_root_key {
            found.note(
                "d.root.key",
                "the operator's key still lies in root.key of the data root",
                "read it, keep it somewhere else, and delete the file",
            );
        }
        self.look_at_clock_of_platforms(found);
        if let Some(most) = crate::measured::process::most_descriptors()
            && most < DESCRIPTORS
        {
            found.note(
                "d.descriptors",
                format!(
                    "the host may have {most} descriptors: one for each page that follows a payment"
                ),
                "raise the limit (systemd: LimitNOFILE=65536)",
            );
        }
        let (url, local) = (
            &self.0.options.public_url,
            self.0.plugins.allows_local_gateways(),
        );
        let tls = url.starts_with("https:");
        let elsewhere = !is_here(url);
        if !tls && elsewhere {
            found.wrong(
                "d.address",
                format!("platforms and buyers reach this host at {url}, without TLS"),
                "put a proxy with TLS before it, and its address into public_url",
            );
        }
        if local && elsewhere {
            found.note(
                "d.gateways",
                "test targets and callbacks may reach programs on this machine (allow_local_gateways)",
                "it is for development: take it away where merchants are strangers",
            );
        }
    }

    /// Whether those can reach the host with whom somebody has a real account.
    pub(super) async fn look_at_reach(&self, found: &mut Findings) -> Result<()> {
        let url = &self.0.options.public_url;
        if !is_here(url) {
            return Ok(());
        }
        if let Some(target) = self.a_live_target().await? {
            found.wrong(
                "d.address",
                format!(
                    "platforms are told to reach this host at {url}, which is this machine alone, and {target} is no test target: no notification comes"
                ),
                "say in public_url where platforms and buyers reach this host: walnut serve --public-url",
            );
        }
        Ok(())
    }

    async fn a_live_target(&self) -> Result<Option<String>> {
        for domain in self.0.store.domains().await? {
            let domain = domain.name;
            for target in self.0.home.home(&domain)?.targets().await? {
                let provider = self.0.providers.of_platform(&target.platform);
                let is_told = provider.is_some_and(|current| current.manifest.has_settings());
                if is_told && !target.test && !target.retired {
                    return Ok(Some(format!(
                        "{domain}: {}/{}",
                        target.platform, target.name
                    )));
                }
            }
        }
        Ok(None)
    }

    fn look_at_clock_of_platforms(&self, found: &mut Findings) {
        for (platform, ahead_ms) in self.0.plugins.clocks() {
            let by = ahead_ms.unsigned_abs();
            if by > CLOCK_MS {
                let way = if ahead_ms > 0 { "behind" } else { "ahead of" };
                found.wrong(
                    "d.clock",
                    format!("the host's clock is {} {way} that of {platform}", span(by)),
                    "mend the machine's time service (timedatectl, chronyc tracking): signatures carry the time",
                );
            }
        }
    }
}

/// Whether nobody reaches this address but programs of the same machine.
fn is_here(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_known() {
        for here in [
            "http://127.0.0.1:8080",
            "https://127.1.2.3",
            "http://[::1]:80",
            "http://[::ffff:127.0.0.1]",
            "http://localhost:8080/pay",
        ] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in [
            "https://pay.example.com",
            "http://10.0.0.1:8080",
            "http://0.0.0.0:8080",
            "https://127.0.0.1.example.com",
            "http://localhost.example.com",
        ] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
