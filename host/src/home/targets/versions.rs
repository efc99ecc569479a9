//! A target's versions without their secrets, and the platform's certificates beside each.

use super::folder::{Place, Public, SETTINGS, from_json, version_folder, version_name, version_of};
use super::{MAX_SETTINGS_BYTES, PublicVersion};
use crate::home::HomeError;
use crate::home::folder::Folder;
use crate::home::root::Files;

const CERTIFICATES: &str = "platform.pem";

/// The newest versions without their secrets, the last one first.
pub(super) fn public_versions(
    home: &Files<'_>,
    place: &Place,
    limit: usize,
) -> Result<Vec<PublicVersion>, HomeError> {
    let Some(dir) = home.folder(&place.below())? else {
        return Ok(Vec::new());
    };
    let names = dir.names(|name| version_of(name).is_some())?;
    let mut versions: Vec<u32> = names.iter().filter_map(|name| version_of(name)).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.truncate(limit);
    let mut found = Vec::with_capacity(versions.len());
    for version in versions {
        let name = version_name(version);
        let Some(dir) = dir.folder(&name)? else {
            continue;
        };
        let file = || format!("{place}/{name}/{SETTINGS}");
        let Some(bytes) = dir.read(SETTINGS, MAX_SETTINGS_BYTES)? else {
            continue;
        };
        let public: Public = from_json(&bytes, file)?;
        found.push(PublicVersion {
            version,
            settings: public.settings,
            certificates: certificates(home, place, version)?,
            changed_ms: changed_ms(&dir, SETTINGS)?.max(changed_ms(&dir, CERTIFICATES)?),
        });
    }
    Ok(found)
}

/// When a file was written, in milliseconds since 1970; 0 where there is none.
fn changed_ms(dir: &Folder<'_>, name: &str) -> Result<u64, HomeError> {
    Ok(dir.look(name)?.map_or(0, |found| found.changed_ms()))
}

/// The platform's certificates beside a version; nothing where none came yet.
pub(super) fn certificates(
    home: &Files<'_>,
    place: &Place,
    version: u32,
) -> Result<String, HomeError> {
    let Some(dir) = version_folder(home, place, version)? else {
        return Ok(String::new());
    };
    let Some(bytes) = dir.read(CERTIFICATES, MAX_SETTINGS_BYTES)? else {
        return Ok(String::new());
    };
    let damaged = |_| HomeError::Damaged {
        what: format!("{place}/{}/{CERTIFICATES}", version_name(version)),
        why: "it is not UTF-8".to_owned(),
    };
    Ok(str::from_utf8(&bytes).map_err(damaged)?.to_owned())
}

/// Puts certificates in the place of those before.
pub(super) fn put_certificates(
    home: &Files<'_>,
    place: &Place,
    version: u32,
    pem: &str,
) -> Result<(), HomeError> {
    if pem.len() as u64 > MAX_SETTINGS_BYTES {
        return Err(HomeError::TooLarge {
            what: format!("the platform's certificates of {place}"),
            limit: MAX_SETTINGS_BYTES,
        });
    }
    let dir = version_folder(home, place, version)?.ok_or_else(|| HomeError::Damaged {
        what: format!("{place}/{}", version_name(version)),
        why: "it is missing".to_owned(),
    })?;
    dir.sweep()?;
    dir.write(CERTIFICATES, pem.as_bytes())
}
