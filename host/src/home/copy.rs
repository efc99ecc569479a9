//! All homes of a data root, copied while a host writes to them.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::{HomeError, VAULT_FILE, disk};

/// Larger than any file that a home may have.
pub(super) const MAX_FILE_BYTES: u64 = 64 << 20;

/// Folders inside each other in a home: `home/<domain>/.payment/target/<platform>/<target>/v<N>`, and one for safety.
pub(super) const MAX_DEPTH: usize = 8;

/// Copies every domain's home from the data root `from` into the data root `to`, which is there, and the vault. What is
/// sealed stays sealed, and the master key stays where it is. What is replaced meanwhile is copied as
/// it was or as it is. Gives the number of files.
///
/// # Errors
/// Where something in a home is neither file nor folder, nothing is followed and the copy ends.
pub fn copy_homes(from: &Path, to: &Path) -> Result<u64, HomeError> {
    let open = |path: &Path| {
        Dir::open_ambient_dir(path, ambient_authority())
            .map_err(HomeError::io(format!("open {}", path.display())))
    };
    let (from, to) = (open(from)?, open(to)?);
    if let Some(vault) = disk::read(&from, VAULT_FILE, MAX_FILE_BYTES)? {
        disk::write(&to, VAULT_FILE, &vault)?;
    }
    match disk::folder(&from, "home")? {
        Some(homes) => copy(&homes, &disk::make_folder(&to, "home")?, MAX_DEPTH),
        None => Ok(0),
    }
}

fn copy(from: &Dir, to: &Dir, depth: usize) -> Result<u64, HomeError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(HomeError::NotPlain {
            what: "a home with deeper folders than walnut makes".to_owned(),
        });
    };
    let mut files = 0;
    for name in disk::names(from, |name| !name.starts_with(disk::UNFINISHED))? {
        let is_folder = from
            .symlink_metadata(&name)
            .is_ok_and(|found| found.is_dir());
        if is_folder {
            // Gone meanwhile: an old version that nobody needs any more.
            if let Some(inside) = disk::folder(from, &name)? {
                files += copy(&inside, &disk::make_folder(to, &name)?, depth)?;
            }
        } else if let Some(bytes) = disk::read(from, &name, MAX_FILE_BYTES)? {
            disk::write(to, &name, &bytes)?;
            files += 1;
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn homes_are_copied_and_nothing_that_leads_outside() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = (temp.path().join("from"), temp.path().join("to"));
        let deep = from.join("home/shop/.payment/callback");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(deep.join("sale"), "return 1").unwrap();
        fs::write(from.join("master.key"), "secret").unwrap();
        fs::write(from.join("vault.key"), "sealed").unwrap();
        assert_eq!(copy_homes(&from, &to).unwrap(), 1);
        let copied = to.join("home/shop/.payment/callback/sale");
        assert_eq!(fs::read_to_string(copied).unwrap(), "return 1");
        assert!(!to.join("master.key").exists());
        assert_eq!(fs::read_to_string(to.join("vault.key")).unwrap(), "sealed");
        std::os::unix::fs::symlink("/etc/hostname", deep.join("link")).unwrap();
        assert!(copy_homes(&from, &to).is_err());
        assert!(!to.join("home/shop/.payment/callback/link").exists());
    }
}
