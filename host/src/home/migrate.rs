//! A data root whose payments and homes go over into a store that several hosts share.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::copy::{MAX_DEPTH, MAX_FILE_BYTES};
use super::{DataRoot, HomeError, disk, name};
use crate::store::{Migrated, PutFile, Store, StoreError};

impl DataRoot {
    /// Copies the payments and homes of this data root into `store`, which nobody uses yet: all of it, or nothing. The vault goes with
    /// them, so that hosts that share the store need this root's master key. `told` hears of each table how many of its rows are there. The data root stays
    /// as it is.
    ///
    /// # Errors
    /// When this root's store is open elsewhere, `store` is in use, or what arrived is not what was sent.
    pub async fn migrate_to(
        &self,
        store: &Store,
        told: impl Fn(&str, u64) + Send + 'static,
    ) -> Result<Migrated, HomeError> {
        let path = self.path().to_owned();
        let homes = move |put: &mut PutFile<'_>| {
            each_file(&path, put).map_err(|error| match error {
                HomeError::Store(error) => error,
                other => StoreError::io("the homes", std::io::Error::other(other)),
            })
        };
        let dir = self.payment_dir();
        let migrated = store.migrate_from(&dir, self.to_agree_on()?, homes, told);
        Ok(migrated.await?)
    }
}

/// Hands every file of every domain's home over; how many those were.
fn each_file(root: &Path, put: &mut PutFile<'_>) -> Result<u64, HomeError> {
    let root = Dir::open_ambient_dir(root, ambient_authority())
        .map_err(HomeError::io(format!("open {}", root.display())))?;
    let Some(homes) = disk::folder(&root, "home")? else {
        return Ok(0);
    };
    let mut files = 0;
    for domain in disk::names(&homes, name::is_domain)? {
        let home = disk::folder(&homes, &domain)?;
        let payment = home.map(|home| disk::folder(&home, ".payment"));
        if let Some(payment) = payment.transpose()?.flatten() {
            files += inside(&payment, &domain, "", put, MAX_DEPTH)?;
        }
    }
    Ok(files)
}

fn inside(
    dir: &Dir,
    domain: &str,
    path: &str,
    put: &mut PutFile<'_>,
    depth: usize,
) -> Result<u64, HomeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(HomeError::NotPlain {
            what: format!("a home with deeper folders than walnut makes ({domain}/{path})"),
        });
    };
    let mut files = 0;
    for name in disk::names(dir, |name| !name.starts_with(disk::UNFINISHED))? {
        let path = format!("{path}{name}");
        let is_folder = dir
            .symlink_metadata(&name)
            .is_ok_and(|found| found.is_dir());
        if is_folder {
            if let Some(folder) = disk::folder(dir, &name)? {
                files += inside(&folder, domain, &format!("{path}/"), put, depth)?;
            }
        } else if let Some(found) = disk::look(dir, &name)?
            && let Some(bytes) = disk::read(dir, &name, MAX_FILE_BYTES)?
        {
            put(domain, &path, &bytes, found.changed_ms())?;
            files += 1;
        }
    }
    Ok(files)
}
