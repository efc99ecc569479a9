//! The vault: the host's data key, sealed under the operator's master key.
//!
//! A rotation seals the same data key anew, so that nothing else has to be written and a running host, which holds the data key
//! in memory, notices nothing. It is one step: the vault is replaced as a whole. Where the new master key goes into the place
//! of the old one's file, it is written beside it before that step and put in its place after it; whoever finds it beside opens
//! the vault with the one that fits, so that a crash leaves the one or the other.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use serde::{Deserialize, Serialize};

use super::key::SecretKey;
use super::master::{MasterKey, MasterSource, Root};
use super::{HomeError, disk};
use crate::store::Store;

/// Its file in the data root.
pub const VAULT_FILE: &str = "vault.key";

/// Its name in the store that hosts share.
const SHARED: &str = "vault";

/// The same in words.
const IN_STORE: &str = "the vault in the store";

/// The name of what tells hosts that share a store whether their data key is the same.
const KEY_CHECK: &str = "master key check";

/// Names and values that all hosts of a store agree on.
pub(super) type Agreed = Vec<(&'static str, Vec<u8>)>;

/// Held by whoever opens or replaces the vault. It says whether there ever was one.
const LOCK: &str = "vault.lock";

/// What the lock says of it.
const MADE: &[u8] = b"made\n";

/// What the data key is sealed as.
const AAD: &[u8] = b"walnut vault: the data key";

const VERSION: u8 = 1;

/// Far more than it ever has.
const MAX_BYTES: u64 = 4096;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    version: u8,
    /// The name of the master key that opens it.
    master_key: String,
    sealed: String,
}

/// What a rotation did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// The name of the master key that opens nothing any more.
    pub before: String,
    /// The name of the one that does.
    pub now: String,
    /// Where the present one comes from.
    pub place: String,
    /// Where the earlier one still lies, if not in the same place.
    pub left: Option<String>,
    /// Whether the earlier one had been the data key itself, so that who has a copy of it still has that.
    pub was_data_key: bool,
}

/// The data key of a root on the disk; `fresh` says that nothing can be sealed with one yet.
pub(super) fn of_root(
    root: &Root<'_>,
    source: &MasterSource,
    fresh: bool,
) -> Result<SecretKey, HomeError> {
    let mut turn = Turn::take(root)?;
    if let Some(sealed) = disk::read(root.dir, VAULT_FILE, MAX_BYTES)? {
        let (_, data) = opened(root, source, &sealed, &shown_in(root))?;
        turn.note_made()?;
        return Ok(data);
    }
    if !fresh && turn.was_made()? {
        return Err(HomeError::VaultMissing {
            path: shown_in(root),
        });
    }
    let master = given(root, source, fresh)?;
    let data = first(root, &master, fresh)?;
    disk::write(root.dir, VAULT_FILE, &seal(&master, &data)?)?;
    turn.note_made()?;
    Ok(data)
}

/// The data key of hosts that share `store`; `fresh` says that this data root holds nothing yet.
pub(super) async fn of_store(
    root: &Root<'_>,
    source: &MasterSource,
    fresh: bool,
    store: &Store,
) -> Result<SecretKey, HomeError> {
    let _turn = Turn::take(root)?;
    let agreed = store.agreed(KEY_CHECK).await?;
    let sealed = match store.agreed(SHARED).await? {
        Some(sealed) => sealed,
        None => {
            let master = given(root, source, fresh && agreed.is_none())?;
            let data = first(root, &master, agreed.is_none())?;
            if agreed.is_some_and(|agreed| agreed != key_check(&data)) {
                return Err(HomeError::OtherKey {
                    path: source.shown(root),
                    given: master.name(),
                    vault: "what the hosts of this store have".to_owned(),
                    wanted: "another".to_owned(),
                });
            }
            store.agree(SHARED, seal(&master, &data)?).await?
        }
    };
    let (_, data) = opened(root, source, &sealed, IN_STORE)?;
    let check = key_check(&data);
    match store.agree(KEY_CHECK, check.clone()).await? == check {
        true => Ok(data),
        false => Err(HomeError::Damaged {
            what: IN_STORE.to_owned(),
            why: "it holds another data key than the hosts agreed on".to_owned(),
        }),
    }
}

/// What hosts that share a store agree on besides: by it a vault of another store is noticed.
fn key_check(data: &SecretKey) -> Vec<u8> {
    data.subkey("master key check").to_vec()
}

/// What hosts that share a store with this root's payments will agree on.
pub(super) fn agreed(root: &Root<'_>, data: &SecretKey) -> Result<Agreed, HomeError> {
    Ok(vec![
        (KEY_CHECK, key_check(data)),
        (SHARED, sealed_in(root)?),
    ])
}

/// The bytes of the vault of a root on the disk.
fn sealed_in(root: &Root<'_>) -> Result<Vec<u8>, HomeError> {
    let sealed = disk::read(root.dir, VAULT_FILE, MAX_BYTES)?;
    let missing = || HomeError::VaultMissing {
        path: shown_in(root),
    };
    Ok(sealed.ok_or_else(missing)?.to_vec())
}

/// Seals the data key of the data root at `path`, or of the hosts that share `store`, under another master key: a new one in
/// the place of the present one, or the one that `to` gives. A host may run meanwhile and goes on. The present key opens
/// nothing afterwards.
///
/// # Errors
/// Whatever it is, either key opens the vault then: the present one, unless the error says otherwise.
pub async fn rotate(
    path: &Path,
    store: Option<&Store>,
    from: &MasterSource,
    to: Option<&MasterSource>,
) -> Result<Rotated, HomeError> {
    let shown = path.display().to_string();
    let dir = Dir::open_ambient_dir(path, ambient_authority())
        .map_err(HomeError::io(format!("open the data root {shown}")))?;
    let root = Root {
        dir: &dir,
        shown: &shown,
        hidden: from.variable(),
    };
    let _turn = Turn::take(&root)?;
    let (sealed, vault) = match store {
        Some(store) => {
            let vault = IN_STORE.to_owned();
            let missing = || HomeError::VaultMissing {
                path: vault.clone(),
            };
            let sealed = store.agreed(SHARED).await?.ok_or_else(missing)?;
            (sealed, vault)
        }
        None => (sealed_in(&root)?, shown_in(&root)),
    };
    let (before, data) = opened(&root, from, &sealed, &vault)?;
    let (now, beside) = match to {
        Some(to) => (given(&root, to, true)?, None),
        None => {
            let elsewhere = || HomeError::KeyElsewhere {
                path: from.shown(&root),
            };
            let file = from.file(&root)?.ok_or_else(elsewhere)?;
            let key = MasterKey::generate()?;
            file.write_next(&key)?;
            (key, Some(file))
        }
    };
    let place = to.unwrap_or(from).shown(&root);
    if now.name() == before.name() {
        return Err(HomeError::SameKey { path: place });
    }
    let anew = seal(&now, &data)?;
    match store {
        // Where nobody knows whether the store took it, the key beside stays: the next one who opens the vault finds out.
        Some(store) if !store.agree_anew(SHARED, sealed, anew.clone()).await? => {
            if let Some(file) = &beside {
                file.drop_next()?;
            }
            return Err(HomeError::Overtaken {
                path: from.shown(&root),
            });
        }
        Some(_) => {}
        None => disk::write(root.dir, VAULT_FILE, &anew)?,
    }
    let left = match &beside {
        Some(file) => {
            file.take_next()?;
            None
        }
        None => Some(from.shown(&root)),
    };
    Ok(Rotated {
        before: before.name(),
        now: now.name(),
        place,
        left,
        was_data_key: before.is(&data),
    })
}

/// The first data key. Where something is sealed already, it was with the master key itself, before there was a vault.
fn first(root: &Root<'_>, master: &MasterKey, fresh: bool) -> Result<SecretKey, HomeError> {
    if fresh {
        return SecretKey::generate();
    }
    tracing::warn!(
        "the data root {} is from before there was a vault: its master key was the data key, and stays it",
        root.shown
    );
    Ok(master.as_data_key())
}

fn given(root: &Root<'_>, source: &MasterSource, make: bool) -> Result<MasterKey, HomeError> {
    let missing = || HomeError::KeyMissing {
        path: source.shown(root),
    };
    source.read(root, make)?.ok_or_else(missing)
}

/// Opens the vault with the present master key, or with the one beside it that a rotation left when it was cut short.
fn opened(
    root: &Root<'_>,
    source: &MasterSource,
    sealed: &[u8],
    vault: &str,
) -> Result<(MasterKey, SecretKey), HomeError> {
    let damaged = |why: &str| HomeError::Damaged {
        what: vault.to_owned(),
        why: why.to_owned(),
    };
    let read: Sealed =
        serde_json::from_slice(sealed).map_err(|_| damaged("it is not what walnut writes"))?;
    if read.version != VERSION {
        return Err(damaged("it is of another version of walnut"));
    }
    let bytes = hex::decode(&read.sealed).map_err(|_| damaged("it is not what walnut writes"))?;
    let file = source.file(root)?;
    let next = match &file {
        Some(file) => file.read_next()?,
        None => None,
    };
    let beside = next.is_some();
    let present = source.read(root, false);
    let (master, is_next) = match (present, next) {
        (Ok(Some(master)), _) if master.name() == read.master_key => (master, false),
        (_, Some(next)) if next.name() == read.master_key => (next, true),
        (Ok(Some(master)), _) => {
            return Err(HomeError::OtherKey {
                path: source.shown(root),
                given: master.name(),
                vault: vault.to_owned(),
                wanted: read.master_key,
            });
        }
        (Ok(None), _) => {
            return Err(HomeError::KeyMissing {
                path: source.shown(root),
            });
        }
        (Err(error), _) => return Err(error),
    };
    let data = master.sealing().open(AAD, &bytes);
    let data = data.map_err(|_| damaged("it was changed"))?;
    let key = data.as_slice().try_into().map(SecretKey::of);
    let key = key.map_err(|_| damaged("it holds no key"))?;
    match &file {
        Some(file) if is_next => file.take_next()?,
        // Of a rotation that did not happen.
        Some(file) if beside => file.drop_next()?,
        _ => {}
    }
    Ok((master, key))
}

fn seal(master: &MasterKey, data: &SecretKey) -> Result<Vec<u8>, HomeError> {
    let sealed = Sealed {
        version: VERSION,
        master_key: master.name(),
        sealed: hex::encode(master.sealing().seal(AAD, data.bytes())?),
    };
    let mut text = serde_json::to_vec(&sealed).map_err(|_| HomeError::Interrupted)?;
    text.push(b'\n');
    Ok(text)
}

fn shown_in(root: &Root<'_>) -> String {
    format!("{}/{VAULT_FILE}", root.shown)
}

/// The right to open or replace the vault of a data root, beside a host that has the root.
struct Turn(File);

impl Turn {
    /// Waits for whoever has it: for as long as a program may take that gives the master key.
    fn take(root: &Root<'_>) -> Result<Turn, HomeError> {
        let doing = || HomeError::io(format!("lock the vault of {}", root.shown));
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .mode(0o600)
            .follow(FollowSymlinks::No);
        let file = root.dir.open_with(LOCK, &options).map_err(doing())?;
        let file = file.into_std();
        file.lock().map_err(doing())?;
        Ok(Turn(file))
    }

    fn was_made(&mut self) -> Result<bool, HomeError> {
        let mut said = Vec::new();
        let read = (&mut self.0).take(64).read_to_end(&mut said);
        read.map_err(HomeError::io("read vault.lock"))?;
        Ok(said == MADE)
    }

    /// A vault that is missing from now on was lost.
    fn note_made(&mut self) -> Result<(), HomeError> {
        let doing = || HomeError::io("write vault.lock");
        let length = self.0.metadata().map_err(doing())?.len();
        if length == MADE.len() as u64 {
            return Ok(());
        }
        self.0.seek(SeekFrom::Start(0)).map_err(doing())?;
        self.0.write_all(MADE).map_err(doing())?;
        self.0.sync_all().map_err(doing())
    }
}

#[cfg(test)]
mod tests;
