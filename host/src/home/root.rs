//! The data root of a host, and the way from it into a domain's home.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};

use super::folder::Folder;
use super::master::{self, MasterSource};
use super::shared::{SharedFolder, SharedHomes};
use super::{HomeError, SecretKey, disk, name, vault};
use crate::store::Store;

/// Where the host keeps everything. One process holds it at a time, until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct DataRoot(Arc<Root>);

#[derive(Debug)]
struct Root {
    path: PathBuf,
    dir: Dir,
    /// The data key: what all other keys of the host are derived from.
    key: SecretKey,
    _lock: Lock,
    homes: Homes,
}

/// Where the domains' homes are.
#[derive(Debug)]
enum Homes {
    /// In the data root. Writers take turns: they are rare, and a target is read before it is replaced.
    Disk(Mutex<()>),
    /// In the store that several hosts share.
    Shared(SharedHomes),
}

/// The file in which the first start leaves the operator's key.
pub const ROOT_KEY_FILE: &str = "root.key";

/// What the data root looks like to the system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RootLook {
    /// What others than its owner may enter or read, and should not: the path and its mode.
    pub loose: Vec<(String, u32)>,
    /// Whether the operator's key was left where it was made.
    pub has_root_key: bool,
    /// Bytes that are free on its disk, and all of them.
    pub room: Option<(u64, u64)>,
}

/// A domain's home.
#[derive(Clone, Debug)]
pub struct Home {
    root: DataRoot,
    domain: String,
}

impl DataRoot {
    /// [`DataRoot::open_with`] with the master key where it is preset.
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path) -> Result<DataRoot, HomeError> {
        DataRoot::open_with(path, &MasterSource::default())
    }

    /// Opens the data root at `path`; makes it (mode 0700), its master key and its vault when there is none yet.
    /// This is the only place of the host's homes that uses a path of the system's, besides that of the master key.
    ///
    /// # Errors
    /// [`HomeError::InUse`] while another host holds it, [`HomeError::LoosePermissions`] when others
    /// can read the master key, [`HomeError::KeyMissing`] when it is gone but needed, [`HomeError::OtherKey`] where the
    /// vault is sealed under another.
    pub fn open_with(path: &Path, source: &MasterSource) -> Result<DataRoot, HomeError> {
        let opened = Opened::at(path)?;
        let key = vault::of_root(&opened.for_key(), source, opened.unused)?;
        Ok(opened.with(key, Homes::Disk(Mutex::new(()))))
    }

    /// The same for a host that shares `store` with others: homes and vault are there. A master key is made by the first
    /// host alone; the operator gives it to the others.
    ///
    /// # Errors
    /// As [`DataRoot::open_with`].
    pub async fn open_shared(
        path: &Path,
        source: &MasterSource,
        store: Store,
    ) -> Result<DataRoot, HomeError> {
        if path.join("home").exists() {
            tracing::warn!(
                "the homes in {} are not used: `walnut store migrate` copies them into the store",
                path.display()
            );
        }
        let opened = Opened::at(path)?;
        let key = vault::of_store(&opened.for_key(), source, opened.unused, &store).await?;
        Ok(opened.with(key, Homes::Shared(SharedHomes::of(store))))
    }

    /// What hosts that share a store with this root's payments will agree on, so that each has the same key.
    pub(super) fn to_agree_on(&self) -> Result<vault::Agreed, HomeError> {
        let root = master::Root {
            dir: &self.0.dir,
            shown: &self.0.path.display().to_string(),
            hidden: None,
        };
        vault::agreed(&root, self.key())
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Looks at the data root itself. What cannot be looked at is left out.
    pub fn look(&self) -> RootLook {
        let dir = &self.0.dir;
        let mode = |found: std::io::Result<cap_std::fs::Metadata>| {
            found.ok().map(|found| found.mode() & 0o777)
        };
        let shown = self.0.path.display().to_string();
        let modes = [
            (shown.clone(), mode(dir.dir_metadata())),
            (
                format!("{shown}/{}", master::FILE),
                mode(dir.symlink_metadata(master::FILE)),
            ),
        ];
        let loose = modes
            .into_iter()
            .filter_map(|(what, mode)| Some((what, mode?)))
            .filter(|(_, mode)| mode & 0o077 != 0);
        let room = rustix::fs::fstatvfs(dir).ok().map(|disk| {
            let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
            (bytes(disk.f_bavail), bytes(disk.f_blocks))
        });
        RootLook {
            loose: loose.collect(),
            has_root_key: dir.symlink_metadata(ROOT_KEY_FILE).is_ok(),
            room,
        }
    }

    /// The folder of the payment store; the store makes it.
    pub fn payment_dir(&self) -> PathBuf {
        self.0.path.join("var/payment")
    }

    /// The folder for compiled components; whatever is in it can be made again.
    pub fn cache_dir(&self) -> PathBuf {
        self.0.path.join("var/cache")
    }

    /// The key that this root's secrets are sealed with, and that the host's other keys are derived from.
    pub fn key(&self) -> &SecretKey {
        &self.0.key
    }

    /// The home of `domain`. Nothing is made on the disk before something is put into it.
    ///
    /// # Errors
    /// [`HomeError::Name`] for what is no domain's name.
    pub fn home(&self, domain: &str) -> Result<Home, HomeError> {
        name::check_domain(domain)?;
        Ok(Home {
            root: self.clone(),
            domain: domain.to_owned(),
        })
    }
}

/// A data root that is open and held, without its key.
struct Opened {
    path: PathBuf,
    shown: String,
    dir: Dir,
    lock: Lock,
    /// Whether nothing was ever put into it.
    unused: bool,
}

impl Opened {
    fn at(path: &Path) -> Result<Opened, HomeError> {
        let shown = path.display().to_string();
        if !path.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(HomeError::io(format!("make the data root {shown}")))?;
        }
        let dir = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(HomeError::io(format!("open the data root {shown}")))?;
        let lock = lock(&dir, &shown)?;
        disk::sweep(&dir)?;
        let unused = ["home", "var"]
            .iter()
            .all(|used| dir.symlink_metadata(used).is_err());
        Ok(Opened {
            path: path.to_owned(),
            shown,
            dir,
            lock,
            unused,
        })
    }

    fn for_key(&self) -> master::Root<'_> {
        master::Root {
            dir: &self.dir,
            shown: &self.shown,
            hidden: None,
        }
    }

    fn with(self, key: SecretKey, homes: Homes) -> DataRoot {
        DataRoot(Arc::new(Root {
            path: self.path,
            dir: self.dir,
            key,
            _lock: self.lock,
            homes,
        }))
    }
}

impl Home {
    /// The domain whose home it is.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Looks at the home where it does not hold up other requests. `work` may be run more than once, as if it had not been
    /// run before.
    pub(super) async fn reading<T: Send + 'static>(
        &self,
        work: impl Fn(&Files<'_>) -> Result<T, HomeError> + Send + 'static,
    ) -> Result<T, HomeError> {
        let home = self.clone();
        match &self.root.0.homes {
            Homes::Disk(_) => blocking(move || work(&home.on_disk())).await,
            Homes::Shared(shared) => {
                let look = move |folder: SharedFolder<'_>| work(&home.in_store(folder));
                shared.reading(&self.domain, look).await
            }
        }
    }

    /// The same for whoever changes it: nobody else does so meanwhile.
    pub(super) async fn changing<T: Send + 'static>(
        &self,
        work: impl Fn(&Files<'_>) -> Result<T, HomeError> + Send + 'static,
    ) -> Result<T, HomeError> {
        let home = self.clone();
        match &self.root.0.homes {
            Homes::Disk(_) => {
                let change = move || {
                    let Homes::Disk(turn) = &home.root.0.homes else {
                        return Err(HomeError::Interrupted);
                    };
                    // A writer that panicked left at most something unfinished, which the next one sweeps.
                    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                    work(&home.on_disk())
                };
                blocking(change).await
            }
            Homes::Shared(shared) => {
                let change = move |folder: SharedFolder<'_>| work(&home.in_store(folder));
                shared.changing(&self.domain, change).await
            }
        }
    }

    fn on_disk(&self) -> Files<'_> {
        Files {
            home: self,
            shared: None,
        }
    }

    fn in_store<'w>(&'w self, folder: SharedFolder<'w>) -> Files<'w> {
        Files {
            home: self,
            shared: Some(folder),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HomeError> + Send + 'static,
) -> Result<T, HomeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| HomeError::Interrupted)?
}

/// A home that is open for one piece of work.
pub(super) struct Files<'w> {
    home: &'w Home,
    /// `None` for one on the disk.
    shared: Option<SharedFolder<'w>>,
}

impl<'w> Files<'w> {
    /// The domain whose home it is.
    pub(super) fn domain(&self) -> &str {
        self.home.domain()
    }

    pub(super) fn key(&self) -> &SecretKey {
        self.home.root.key()
    }

    /// The folder at `below` in the home, or `None` where it does not exist.
    pub(super) fn folder(&self, below: &[&str]) -> Result<Option<Folder<'w>>, HomeError> {
        self.walk(below, Folder::folder)
    }

    /// The same, made where it does not exist.
    pub(super) fn make_folder(&self, below: &[&str]) -> Result<Folder<'w>, HomeError> {
        let made = self.walk(below, |folder, name| folder.make_folder(name).map(Some))?;
        made.ok_or(HomeError::NotPlain {
            what: ".payment".to_owned(),
        })
    }

    /// One step after the other, so that no step can be a link to another domain's home.
    fn walk(
        &self,
        below: &[&str],
        step: impl Fn(&Folder<'w>, &str) -> Result<Option<Folder<'w>>, HomeError>,
    ) -> Result<Option<Folder<'w>>, HomeError> {
        let on_disk = ["home", &self.home.domain, ".payment"];
        let (mut here, above) = match &self.shared {
            Some(folder) => (Folder::Shared(folder.clone()), &[][..]),
            None => {
                let root = self.home.root.0.dir.try_clone();
                let root = root.map_err(HomeError::io("open the data root"))?;
                (Folder::Disk(root), &on_disk[..])
            }
        };
        for name in above.iter().chain(below) {
            match step(&here, name)? {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }
}

/// The file that is locked; the system unlocks it however the process ends.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that was begun at this moment has the file too until it runs its program: closing alone would leave the
        // lock to it for so long.
        let _ = self.0.unlock();
    }
}

/// Locks the root for this process and writes into the lock file who holds it.
fn lock(dir: &Dir, path: &str) -> Result<Lock, HomeError> {
    let doing = || HomeError::io(format!("lock the data root {path}"));
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .mode(0o600)
        .follow(FollowSymlinks::No);
    let mut file = dir.open_with("lock", &options).map_err(doing())?.into_std();
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who it is, is only for the message.
            let _ = (&mut file).take(200).read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() {
                "another process"
            } else {
                holder
            };
            return Err(HomeError::InUse {
                path: path.to_owned(),
                holder: holder.to_owned(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(doing()(error)),
    }
    file.set_len(0).map_err(doing())?;
    file.seek(SeekFrom::Start(0)).map_err(doing())?;
    writeln!(file, "process {}", std::process::id()).map_err(doing())?;
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_first_start_makes_a_root_that_only_its_owner_can_read() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("deep/data");
        let first = DataRoot::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("master.key")), 0o600);
        assert_eq!(mode(&path.join("vault.key")), 0o600);
        assert_eq!(mode(&path.join("lock")), 0o600);
        let derived = first.key().subkey("x");
        drop(first);
        assert_eq!(DataRoot::open(&path).unwrap().key().subkey("x"), derived);
    }

    #[test]
    fn one_host_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let held = DataRoot::open(temp.path()).unwrap();
        let home = held.home("shop").unwrap();
        drop(held);
        let refused = DataRoot::open(temp.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(home);
        DataRoot::open(temp.path()).unwrap();
    }

    #[test]
    fn what_is_closed_is_free_although_a_new_process_has_the_file_still() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let held = lock(&dir, "here").unwrap();
        assert!(lock(&dir, "here").is_err());
        let of_a_child = held.0.try_clone().unwrap();
        drop(held);
        drop(lock(&dir, "here").unwrap());
        drop(of_a_child);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        drop(DataRoot::open(temp.path()).unwrap());
        let key = temp.path().join("master.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = DataRoot::open(temp.path()).unwrap_err().to_string();
        assert!(
            refused.contains("chmod 600") && refused.contains("640"),
            "{refused}"
        );
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        drop(DataRoot::open(temp.path()).unwrap());
        let key = temp.path().join("master.key");
        for damaged in ["", "00", &"0".repeat(63), &"g".repeat(64), &"0".repeat(65)] {
            fs::write(&key, damaged).unwrap();
            let refused = DataRoot::open(temp.path()).unwrap_err();
            assert!(
                matches!(refused, HomeError::KeyDamaged { .. }),
                "{damaged:?}"
            );
            assert_eq!(fs::read_to_string(&key).unwrap(), *damaged);
        }
    }

    #[test]
    fn a_lost_key_is_not_silently_made_anew() {
        let temp = tempfile::tempdir().unwrap();
        drop(DataRoot::open(temp.path()).unwrap());
        fs::create_dir(temp.path().join("home")).unwrap();
        fs::remove_file(temp.path().join("master.key")).unwrap();
        assert!(matches!(
            DataRoot::open(temp.path()),
            Err(HomeError::KeyMissing { .. })
        ));
        assert!(!temp.path().join("master.key").exists());
    }
}
