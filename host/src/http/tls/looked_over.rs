//! What `walnut doctor` says of the host's own certificate.

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use url::Url;

use super::{Own, Tls, read};
use crate::payment::doctor::{Findings, span};

const DAY: u64 = 24 * 3_600_000;
/// Whoever renews certificates by themselves has done so by then.
const SOON: u64 = 7 * DAY;
/// The same is told of, and not wrong yet.
const NEAR: u64 = 30 * DAY;

const RENEW: &str = "renew it, put it into the files of tls.certificate and tls.key, and send SIGHUP (systemctl reload walnut)";

impl Tls {
    /// Looks at the certificate that connections are given, at what its files have now, and at the name that the host is
    /// reached by.
    pub(in crate::http) fn look(&self, public_url: &str, now_ms: u64) -> Findings {
        let mut found = Findings::default();
        let current = self.current();
        valid(&mut found, &current.own, now_ms);
        match read(&self.files) {
            Err(error) => found.wrong(
                "d.tls.files",
                format!("what the host would be given at the next start cannot be used: {error}"),
                "put a certificate and its key into these files, and send SIGHUP: until then the one before is used on",
            ),
            Ok(read) if read.own.certificate != current.own.certificate => found.note(
                "d.tls.files",
                format!(
                    "{} has another certificate than connections are given, until {}",
                    self.files.certificate.display(),
                    read.own.until
                ),
                "send SIGHUP (systemctl reload walnut), and let whoever renews certificates do that",
            ),
            Ok(_) => {}
        }
        named(&mut found, &current.own, public_url);
        found
    }
}

fn valid(found: &mut Findings, own: &Own, now_ms: u64) {
    let ms = |seconds: i64| {
        u64::try_from(seconds)
            .unwrap_or_default()
            .saturating_mul(1_000)
    };
    let (from, until) = (ms(own.from.timestamp()), ms(own.until.0.timestamp()));
    let (code, left) = ("d.tls.certificate", until.saturating_sub(now_ms));
    if left == 0 {
        let what = format!("the host's own certificate ended on {}", own.until);
        found.wrong(code, what, RENEW);
    } else if from > now_ms {
        let what = format!(
            "the host's own certificate is not valid before {}",
            own.from
        );
        let todo = "look at the machine's clock, or use the one before until then";
        found.wrong(code, what, todo);
    } else if left < NEAR {
        let what = format!("the host's own certificate ends in {}", span(left));
        match left < SOON {
            true => found.wrong(code, what, RENEW),
            false => found.note(code, what, RENEW),
        }
    }
}

fn named(found: &mut Findings, own: &Own, public_url: &str) {
    let url = Url::parse(public_url).ok();
    let Some(name) = url.as_ref().and_then(Url::host_str) else {
        return;
    };
    // An address of IPv6 stands in brackets.
    let bare = name.trim_matches(['[', ']']).to_owned();
    let is_for = || {
        let name = ServerName::try_from(bare).ok()?;
        let certificate = ParsedCertificate::try_from(&own.certificate).ok()?;
        verify_server_name(&certificate, &name).ok()
    };
    if is_for().is_none() {
        found.note(
            "d.tls.name",
            format!("the host's own certificate is not for {name}, by which platforms and buyers reach it"),
            "get one for that name, unless a proxy before the host has its own",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};

    use super::super::TlsFiles;
    use super::*;
    use crate::payment::doctor::Gravity;
    use crate::payment::now_ms;

    #[test]
    fn a_certificate_is_told_of_before_it_ends_and_before_it_begins() {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            certificate: dir.path().join("host.pem"),
            key: dir.path().join("host.key"),
        };
        let put = |from: i64, until: i64| {
            let key = KeyPair::generate().unwrap();
            let names = ["pay.example.com", "*.shops.example", "192.0.2.7", "::1"];
            let mut params = CertificateParams::new(names.map(str::to_owned)).unwrap();
            let now = time::OffsetDateTime::now_utc();
            params.not_before = now + time::Duration::days(from);
            params.not_after = now + time::Duration::days(until);
            fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(&files.key, key.serialize_pem()).unwrap();
        };
        let looked = |url: &str| {
            let found = Tls::open(files.clone()).unwrap().look(url, now_ms());
            let of = |finding: &crate::payment::doctor::Finding| (finding.code, finding.gravity);
            found.0.iter().map(of).collect::<Vec<_>>()
        };
        let of = |gravity| vec![("d.tls.certificate", gravity)];
        let well = "https://pay.example.com/x";
        for (from, until, found) in [
            (-90, 60, vec![]),
            (-90, 29, of(Gravity::Note)),
            (-90, 6, of(Gravity::Wrong)),
            (-90, -1, of(Gravity::Wrong)),
            (1, 60, of(Gravity::Wrong)),
        ] {
            put(from, until);
            assert_eq!(looked(well), found, "{from} {until}");
        }
        put(-1, 60);
        for good in [
            "https://PAY.example.com:8443",
            "https://one.shops.example",
            "https://192.0.2.7",
            "https://[::1]:8443",
        ] {
            assert_eq!(looked(good), [], "{good}");
        }
        for other in [
            "https://example.com",
            "https://a.one.shops.example",
            "https://192.0.2.8",
        ] {
            assert_eq!(looked(other), [("d.tls.name", Gravity::Note)], "{other}");
        }
    }
}
