//! The owner's merchant settings: `home/<domain>/.payment/<platform>/<target>/`.
//!
//! Every put makes a new version and leaves the earlier ones as they are, because an attempt stays
//! with the version that it was sent with: its notification may come long after the keys changed.

mod folder;
mod versions;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Home, HomeError};
use folder::Place;

/// Largest settings of a target, and largest secrets: some keys and certificates of a few kB each.
pub const MAX_SETTINGS_BYTES: u64 = 64 << 10;

/// How many targets a domain may have at one platform.
pub const MAX_TARGETS: u32 = 256;

/// How often one target may be put. Versions are kept for as long as refunds may come.
pub const MAX_VERSIONS: u32 = 10_000;

/// Settings to keep as a target's new version.
#[derive(Clone)]
pub struct NewTarget {
    /// Pays test payments only.
    pub test: bool,
    /// A `send` that names no target takes it. The platform's other targets of the same kind (test
    /// or live) stop being the default.
    pub default: bool,
    /// What may be shown.
    pub settings: Map<String, Value>,
    /// What may not; sealed on the disk.
    pub secrets: BTreeMap<String, Zeroizing<String>>,
}

/// One version of a target.
#[derive(Clone)]
pub struct StoredTarget {
    /// Such as `zfb`.
    pub platform: String,
    /// Its name in the domain.
    pub name: String,
    /// Counted from 1.
    pub version: u32,
    /// It pays test payments only.
    pub test: bool,
    /// A `send` that names no target takes it.
    pub default: bool,
    /// Deleted by its owner: not for new attempts.
    pub retired: bool,
    /// What may be shown.
    pub settings: Map<String, Value>,
    /// What may not.
    pub secrets: BTreeMap<String, Zeroizing<String>>,
}

/// A target in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct TargetSummary {
    /// Such as `zfb`.
    pub platform: String,
    /// Its name in the domain.
    pub name: String,
    /// The current version, counted from 1.
    pub version: u32,
    /// Pays test payments only.
    pub test: bool,
    /// A `send` that names no target takes it.
    pub default: bool,
    /// Deleted by its owner: not for new attempts.
    pub retired: bool,
}

/// What may be shown of one version of a target, with what the platform gave for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicVersion {
    /// Counted from 1.
    pub version: u32,
    /// What may be shown.
    pub settings: Map<String, Value>,
    /// The platform's certificates that the host fetched, PEM; empty where there are none.
    pub certificates: String,
    /// When it was put, or the certificates came: milliseconds since 1970.
    pub changed_ms: u64,
}

impl Home {
    /// Keeps `new` as the next version of the target and makes it the current one; a retired target
    /// is in use again. Returns the version, counted from 1. A target is live or test for ever.
    ///
    /// # Errors
    /// [`HomeError::Name`], [`HomeError::OtherKind`], [`HomeError::TooLarge`] above [`MAX_SETTINGS_BYTES`],
    /// [`HomeError::TooMany`] above [`MAX_TARGETS`] or [`MAX_VERSIONS`].
    pub async fn put_target(
        &self,
        platform: &str,
        name: &str,
        new: NewTarget,
    ) -> Result<u32, HomeError> {
        let place = Place::checked(platform, name)?;
        self.changing(move |home| folder::put(home, &place, &new))
            .await
    }

    /// The current version of a target (retired ones too), or `None` where there is none.
    ///
    /// # Errors
    /// [`HomeError::Name`]; [`HomeError::Sealed`] and [`HomeError::Damaged`] when the disk does not
    /// hold what was put there.
    pub async fn target(
        &self,
        platform: &str,
        name: &str,
    ) -> Result<Option<StoredTarget>, HomeError> {
        let place = Place::checked(platform, name)?;
        self.reading(move |home| folder::get(home, &place, None))
            .await
    }

    /// The same without its settings and secrets, which are not opened.
    ///
    /// # Errors
    /// As [`target`](Self::target).
    pub async fn target_summary(
        &self,
        platform: &str,
        name: &str,
    ) -> Result<Option<TargetSummary>, HomeError> {
        let place = Place::checked(platform, name)?;
        self.reading(move |home| folder::summary(home, place.clone()))
            .await
    }

    /// The version of a target that an attempt is pinned to, or `None` where there is none.
    ///
    /// # Errors
    /// As [`target`](Self::target).
    pub async fn target_version(
        &self,
        platform: &str,
        name: &str,
        version: u32,
    ) -> Result<Option<StoredTarget>, HomeError> {
        let place = Place::checked(platform, name)?;
        self.reading(move |home| folder::get(home, &place, Some(version)))
            .await
    }

    /// At most `limit` versions of a target without their secrets, the newest first; none where there is no such target.
    ///
    /// # Errors
    /// As [`target`](Self::target).
    pub async fn public_versions(
        &self,
        platform: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<PublicVersion>, HomeError> {
        let place = Place::checked(platform, name)?;
        self.reading(move |home| versions::public_versions(home, &place, limit))
            .await
    }

    /// The platform's certificates that the host fetched for a version of a target, PEM; empty where there are none.
    ///
    /// # Errors
    /// As [`target`](Self::target).
    pub async fn platform_certificates(
        &self,
        platform: &str,
        name: &str,
        version: u32,
    ) -> Result<String, HomeError> {
        let place = Place::checked(platform, name)?;
        self.reading(move |home| versions::certificates(home, &place, version))
            .await
    }

    /// Keeps `pem` in their place.
    ///
    /// # Errors
    /// [`HomeError::Name`]; [`HomeError::TooLarge`] above [`MAX_SETTINGS_BYTES`]; [`HomeError::Damaged`] where there is
    /// no such version.
    pub async fn put_platform_certificates(
        &self,
        platform: &str,
        name: &str,
        version: u32,
        pem: String,
    ) -> Result<(), HomeError> {
        let place = Place::checked(platform, name)?;
        self.changing(move |home| versions::put_certificates(home, &place, version, &pem))
            .await
    }

    /// All targets, the retired ones too, by platform and name.
    pub async fn targets(&self) -> Result<Vec<TargetSummary>, HomeError> {
        self.reading(folder::list).await
    }

    /// Takes the target out of use for new attempts; its versions stay for those that were sent.
    /// False where there is no such target or it is retired already.
    ///
    /// # Errors
    /// As [`target`](Self::target).
    pub async fn retire_target(&self, platform: &str, name: &str) -> Result<bool, HomeError> {
        let place = Place::checked(platform, name)?;
        self.changing(move |home| folder::retire(home, &place))
            .await
    }
}

impl fmt::Debug for NewTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewTarget")
            .field("test", &self.test)
            .field("default", &self.default)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredTarget")
            .field("platform", &self.platform)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("test", &self.test)
            .field("secrets", &self.secrets.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
