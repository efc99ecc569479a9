//! What the host trusts and is trusted by: providers, merchants' targets with their certificates, the operator's keys.

use super::{Findings, span};
use crate::payment::error::{PayError, Result};
use crate::payment::model::{Ams, Digest, TargetRef};
use crate::payment::{Payments, now_ms};
use crate::trust::CertificateEnd;

const DAY: Ams = 24 * 3_600_000;
/// A certificate that ends so soon is to be renewed now: merchants wait for theirs for days.
const CERTIFICATE_SOON: Ams = 14 * DAY;
/// The same is told of, and not wrong yet.
const CERTIFICATE_NEAR: Ams = 45 * DAY;
/// Keys are made within a minute.
const KEY_SOON: Ams = 14 * DAY;
/// Targets that are looked at: each has its keys read.
const TARGETS: usize = 2_000;

impl Payments {
    /// Gives those that were told of.
    pub(super) async fn look_at_providers(&self, found: &mut Findings) -> Result<Vec<Digest>> {
        let unsigned = self.unsigned_providers().await?;
        for (provider, why) in &unsigned {
            found.wrong(
                "d.provider.unsigned",
                format!("the provider {} is approved and does not run: {why}", provider.name),
                "walnut provider add a component that one of provider_keys signed, or add its author's key",
            );
        }
        let digests = unsigned.into_iter().map(|(provider, _)| provider.digest);
        Ok(digests.collect())
    }

    /// `told_of` are the providers that were told of.
    pub(super) async fn look_at_targets(
        &self,
        found: &mut Findings,
        mut told_of: Vec<Digest>,
    ) -> Result<()> {
        let now = now_ms();
        let mut left = TARGETS;
        for domain in self.0.store.domains().await? {
            let domain = domain.name;
            for target in self.0.home.home(&domain)?.targets().await? {
                let Some(current) = self.0.providers.of_platform(&target.platform) else {
                    continue;
                };
                if target.retired || !current.manifest.has_settings() {
                    continue;
                }
                let Some(fewer) = left.checked_sub(1) else {
                    found.note(
                        "d.target.unusable",
                        format!(
                            "there are more than {TARGETS} targets; the others were not looked at"
                        ),
                        "walnut target test looks at one",
                    );
                    return Ok(());
                };
                left = fewer;
                let name = format!("{domain}: {}/{}", target.platform, target.name);
                let provider = match self.provider(current.digest).await {
                    Ok(provider) => provider,
                    Err(error) if is_unusable(&error) => {
                        // The same is wrong with all of its targets.
                        if !told_of.contains(&current.digest) {
                            told_of.push(current.digest);
                            found.wrong(
                                "d.provider.unusable",
                                error.message(),
                                "look in the host's log for why, and put another component in its place: walnut provider add",
                            );
                        }
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let reference = TargetRef {
                    platform: target.platform,
                    name: target.name,
                    version: target.version,
                };
                match self.read_target(&domain, &reference, &provider).await {
                    Ok(read) => {
                        for end in read.certificates_end() {
                            told(found, &name, &end, now);
                        }
                    }
                    Err(error) => found.wrong(
                        "d.target.unusable",
                        format!("the target {name} cannot be used: {}", error.message()),
                        "let its owner put its settings anew: walnut target put",
                    ),
                }
            }
        }
        Ok(())
    }

    pub(super) async fn look_at_keys(&self, found: &mut Findings) -> Result<()> {
        let now = now_ms();
        for key in self.0.store.keys(None).await? {
            let ends_in = key.expires_ms.saturating_sub(now);
            if key.expires_ms == 0 || key.expires_ms <= now || ends_in > KEY_SOON {
                continue;
            }
            let name = if key.name.is_empty() {
                "without a name"
            } else {
                &key.name
            };
            found.note(
                "d.key",
                format!(
                    "the {} key {} ({name}) ends in {}",
                    key.role,
                    key.id,
                    span(ends_in)
                ),
                "walnut key rotate makes the one that follows it",
            );
        }
        Ok(())
    }
}

fn is_unusable(error: &PayError) -> bool {
    error.code() == PayError::provider_unusable("").code()
}

fn told(found: &mut Findings, target: &str, end: &CertificateEnd, now: Ams) {
    let CertificateEnd { setting, ends_ms } = end;
    let left = ends_ms.saturating_sub(now);
    let todo = "let its owner get a new one from the platform and put it: walnut target put";
    if left == 0 {
        let what = format!("the certificate {setting} of the target {target} has ended");
        found.wrong("d.certificate", what, todo);
    } else if left < CERTIFICATE_NEAR {
        let what = format!(
            "the certificate {setting} of the target {target} ends in {}",
            span(left)
        );
        match left < CERTIFICATE_SOON {
            true => found.wrong("d.certificate", what, todo),
            false => found.note("d.certificate", what, todo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Gravity;
    use super::*;

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let now = 1_000 * DAY;
        for (ends_ms, gravity) in [
            (now - DAY, Some(Gravity::Wrong)),
            (now + 3 * DAY, Some(Gravity::Wrong)),
            (now + 30 * DAY, Some(Gravity::Note)),
            (now + 300 * DAY, None),
        ] {
            let mut found = Findings::default();
            let setting = "certificate".to_owned();
            told(
                &mut found,
                "shop: wx/main",
                &CertificateEnd { setting, ends_ms },
                now,
            );
            assert_eq!(
                found.0.first().map(|found| found.gravity),
                gravity,
                "{ends_ms}"
            );
        }
    }
}
