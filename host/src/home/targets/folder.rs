//! A target's folder: its versions, and the file that says which of them counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{
    MAX_SETTINGS_BYTES, MAX_TARGETS, MAX_VERSIONS, NewTarget, StoredTarget, TargetSummary,
};
use crate::home::folder::Folder;
use crate::home::root::Files;
use crate::home::{HomeError, name};

const CURRENT: &str = "current.json";
pub(super) const SETTINGS: &str = "settings.json";
const SECRETS: &str = "secrets.sealed";

/// `current.json`
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Current {
    version: u32,
    test: bool,
    default: bool,
    retired: bool,
}

/// `v<N>/settings.json`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Public {
    test: bool,
    pub(super) settings: Map<String, Value>,
}

/// Which target is meant, its names checked.
#[derive(Clone)]
pub(super) struct Place {
    platform: String,
    name: String,
}

/// All targets of the domain, by platform and name.
pub(super) fn list(home: &Files<'_>) -> Result<Vec<TargetSummary>, HomeError> {
    let Some(payment) = home.folder(&[])? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for platform in payment.names(name::is_platform)? {
        found.extend(of_platform(home, &platform)?);
    }
    Ok(found)
}

/// Marks the target as retired; false where it does not exist or is so already.
pub(super) fn retire(home: &Files<'_>, place: &Place) -> Result<bool, HomeError> {
    let Some(dir) = home.folder(&place.below())? else {
        return Ok(false);
    };
    let Some(current) = current(&dir, place)?.filter(|current| !current.retired) else {
        return Ok(false);
    };
    write_current(
        &dir,
        Current {
            default: false,
            retired: true,
            ..current
        },
    )?;
    Ok(true)
}

/// Writes the next version and switches to it.
pub(super) fn put(home: &Files<'_>, place: &Place, new: &NewTarget) -> Result<u32, HomeError> {
    let settings = to_json(&Public {
        test: new.test,
        settings: new.settings.clone(),
    })?;
    let plain: BTreeMap<&str, &str> = new
        .secrets
        .iter()
        .map(|(key, secret)| (key.as_str(), secret.as_str()))
        .collect();
    let secrets = Zeroizing::new(to_json(&plain)?);
    for (what, bytes) in [("settings", &settings), ("secrets", &*secrets)] {
        if bytes.len() as u64 > MAX_SETTINGS_BYTES {
            let what = format!("the {what} of the target {place}");
            return Err(HomeError::TooLarge {
                what,
                limit: MAX_SETTINGS_BYTES,
            });
        }
    }

    let platform = home.make_folder(&[&place.platform])?;
    let names = platform.names(name::is_item)?;
    if names.len() >= MAX_TARGETS as usize && !names.contains(&place.name) {
        let what = format!("targets of {} at {}", home.domain(), place.platform);
        return Err(HomeError::TooMany {
            what,
            limit: MAX_TARGETS,
        });
    }
    let dir = platform.make_folder(&place.name)?;
    // Before anything is written: whoever has a test key alone must not take a live target out of service.
    if let Some(known) = current(&dir, place)?.filter(|known| known.test != new.test) {
        return Err(HomeError::OtherKind {
            target: place.to_string(),
            test: known.test,
        });
    }
    dir.sweep()?;
    // The highest version on the disk counts, not the current one: a crash may have come between
    // the version and the switch, and a version is never written twice.
    let versions = dir.names(|name| version_of(name).is_some())?;
    let last = versions
        .iter()
        .filter_map(|name| version_of(name))
        .max()
        .unwrap_or(0);
    if last >= MAX_VERSIONS {
        return Err(HomeError::TooMany {
            what: format!("versions of {place}"),
            limit: MAX_VERSIONS,
        });
    }
    let version = last + 1;
    let sealed = home
        .key()
        .seal(&place.seal_context(home, version, new.test), &secrets)?;
    dir.write_folder(
        &version_name(version),
        &[(SETTINGS, &settings), (SECRETS, &sealed)],
    )?;

    if new.default {
        // The others first: a crash in between leaves no default, and so a clear refusal, rather
        // than two.
        for other in of_platform(home, &place.platform)? {
            if other.default && other.test == new.test && other.name != place.name {
                let place = Place {
                    platform: other.platform,
                    name: other.name,
                };
                let Some(dir) = home.folder(&place.below())? else {
                    continue;
                };
                let Some(current) = current(&dir, &place)? else {
                    continue;
                };
                write_current(
                    &dir,
                    Current {
                        default: false,
                        ..current
                    },
                )?;
            }
        }
    }
    write_current(
        &dir,
        Current {
            version,
            test: new.test,
            default: new.default,
            retired: false,
        },
    )?;
    Ok(version)
}

/// Reads a version, without one the current.
pub(super) fn get(
    home: &Files<'_>,
    place: &Place,
    version: Option<u32>,
) -> Result<Option<StoredTarget>, HomeError> {
    let Some(dir) = home.folder(&place.below())? else {
        return Ok(None);
    };
    let Some(current) = current(&dir, place)? else {
        return Ok(None);
    };
    let version = version.unwrap_or(current.version);
    let Some(dir) = dir.folder(&version_name(version))? else {
        return Ok(None);
    };
    let file = |name: &str| format!("{place}/{}/{name}", version_name(version));
    let read = |name: &str, limit: u64| {
        dir.read(name, limit)?.ok_or_else(|| HomeError::Damaged {
            what: file(name),
            why: "it is missing".to_owned(),
        })
    };
    // Sealing adds less than 64 bytes.
    let public: Public = from_json(&read(SETTINGS, MAX_SETTINGS_BYTES)?, || file(SETTINGS))?;
    let sealed = read(SECRETS, MAX_SETTINGS_BYTES + 64)?;
    let opened = home
        .key()
        .open(&place.seal_context(home, version, public.test), &sealed)?;
    let secrets: BTreeMap<String, String> = from_json(&opened, || file(SECRETS))?;
    Ok(Some(StoredTarget {
        platform: place.platform.clone(),
        name: place.name.clone(),
        version,
        test: public.test,
        default: current.default,
        retired: current.retired,
        settings: public.settings,
        secrets: secrets
            .into_iter()
            .map(|(key, secret)| (key, Zeroizing::new(secret)))
            .collect(),
    }))
}

pub(super) fn version_folder<'w>(
    home: &Files<'w>,
    place: &Place,
    version: u32,
) -> Result<Option<Folder<'w>>, HomeError> {
    let Some(dir) = home.folder(&place.below())? else {
        return Ok(None);
    };
    dir.folder(&version_name(version))
}

fn of_platform(home: &Files<'_>, platform: &str) -> Result<Vec<TargetSummary>, HomeError> {
    let Some(dir) = home.folder(&[platform])? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in dir.names(name::is_item)? {
        let place = Place {
            platform: platform.to_owned(),
            name,
        };
        if let Some(dir) = dir.folder(&place.name)? {
            found.extend(summary_in(&dir, place)?);
        }
    }
    Ok(found)
}

/// The current version of a target, as it stands in a list.
pub(super) fn summary(home: &Files<'_>, place: Place) -> Result<Option<TargetSummary>, HomeError> {
    match home.folder(&place.below())? {
        Some(dir) => summary_in(&dir, place),
        None => Ok(None),
    }
}

/// `None` without `current.json`: its first put never came to its end.
fn summary_in(dir: &Folder<'_>, place: Place) -> Result<Option<TargetSummary>, HomeError> {
    let current = current(dir, &place)?;
    Ok(current.map(|current| TargetSummary {
        platform: place.platform,
        name: place.name,
        version: current.version,
        test: current.test,
        default: current.default,
        retired: current.retired,
    }))
}

fn current(dir: &Folder<'_>, place: &Place) -> Result<Option<Current>, HomeError> {
    let Some(bytes) = dir.read(CURRENT, 4096)? else {
        return Ok(None);
    };
    from_json(&bytes, || format!("{place}/{CURRENT}")).map(Some)
}

fn write_current(dir: &Folder<'_>, current: Current) -> Result<(), HomeError> {
    dir.write(CURRENT, &to_json(&current)?)
}

pub(super) fn version_name(version: u32) -> String {
    format!("v{version}")
}

pub(super) fn version_of(name: &str) -> Option<u32> {
    let version = name.strip_prefix('v')?.parse().ok()?;
    (version_name(version) == name).then_some(version)
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, HomeError> {
    serde_json::to_vec(value).map_err(|error| HomeError::io("write settings as JSON")(error.into()))
}

/// The error tells the place and not the value, which may be a secret.
pub(super) fn from_json<T: for<'de> Deserialize<'de>>(
    bytes: &[u8],
    what: impl Fn() -> String,
) -> Result<T, HomeError> {
    serde_json::from_slice(bytes).map_err(|error| HomeError::Damaged {
        what: what(),
        why: format!(
            "no such JSON at line {} column {}",
            error.line(),
            error.column()
        ),
    })
}

impl Place {
    /// Checks both names.
    pub(super) fn checked(platform: &str, name: &str) -> Result<Place, HomeError> {
        name::check_platform(platform)?;
        name::check_target(name)?;
        Ok(Place {
            platform: platform.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(super) fn below(&self) -> [&str; 2] {
        [&self.platform, &self.name]
    }

    /// What the secrets are sealed for. A name has no `/`, so two places never read the same; and
    /// live secrets cannot be passed off as a test target's, whose gateway its owner chooses.
    fn seal_context(&self, home: &Files<'_>, version: u32, test: bool) -> Vec<u8> {
        let kind = if test { "test" } else { "live" };
        format!("secrets of {}/{self}/v{version} ({kind})", home.domain()).into_bytes()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.platform, self.name)
    }
}
