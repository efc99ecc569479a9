//! Single steps below an open directory: no link is followed, and what is written is durable.

use std::io::{self, Read, Write};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use zeroize::Zeroizing;

use super::HomeError;
use super::folder::Found;

/// What is being written has such a name until it is whole; no name that callers give starts so.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// The folder `name` in `dir`, or `None` where there is none.
pub(super) fn folder(dir: &Dir, name: &str) -> Result<Option<Dir>, HomeError> {
    match dir.open_dir_nofollow(name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(dir, name, error, "open the folder")),
    }
}

/// The folder `name` in `dir`, made with mode 0700 where there is none.
pub(super) fn make_folder(dir: &Dir, name: &str) -> Result<Dir, HomeError> {
    if let Some(found) = folder(dir, name)? {
        return Ok(found);
    }
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match dir.create_dir_with(name, &builder) {
        Ok(()) => sync_folder(dir)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(dir, name, error, "make the folder")),
    }
    folder(dir, name)?.ok_or_else(|| HomeError::NotPlain {
        what: name.to_owned(),
    })
}

/// The bytes of the file `name`, or `None` where there is none; more than `limit` are refused.
pub(super) fn read(
    dir: &Dir,
    name: &str,
    limit: u64,
) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
    let mut options = OpenOptions::new();
    // Without blocking: a pipe that somebody planted would otherwise wait for its writer.
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = match dir.open_with(name, &options) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(dir, name, error, "open")),
    };
    let metadata = file
        .metadata()
        .map_err(HomeError::io(format!("look at {name}")))?;
    if !metadata.is_file() {
        return Err(HomeError::NotPlain {
            what: name.to_owned(),
        });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let room = metadata.len().min(limit).saturating_add(1);
    bytes.reserve_exact(usize::try_from(room).unwrap_or_default());
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(HomeError::io(format!("read {name}")))?;
    if bytes.len() as u64 > limit {
        return Err(HomeError::TooLarge {
            what: name.to_owned(),
            limit,
        });
    }
    Ok(Some(bytes))
}

/// What the system says of the file `name`, or `None` where there is none.
pub(super) fn look(dir: &Dir, name: &str) -> Result<Option<Found>, HomeError> {
    match dir.symlink_metadata(name) {
        Ok(found) if found.is_file() => Ok(Some(Found {
            len: found.len(),
            changed: found
                .modified()
                .map_err(HomeError::io(format!("look at {name}")))?
                .into_std(),
        })),
        Ok(_) => Err(HomeError::NotPlain {
            what: name.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(dir, name, error, "look at")),
    }
}

/// Puts a whole file with mode 0600 in the place of `name`: after this the new one is there even
/// when the machine loses power, and before that the old one.
pub(super) fn write(dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
    refuse_link(dir, name)?;
    let unfinished = unfinished_name();
    let written = write_new(dir, &unfinished, bytes).and_then(|()| {
        dir.rename(&unfinished, dir, name)
            .map_err(HomeError::io(format!("put {name} in place")))
    });
    if written.is_err() {
        // The first error is the one to tell; what is left over is swept by the next writer.
        let _ = dir.remove_file(&unfinished);
    }
    written?;
    sync_folder(dir)
}

/// Makes the folder `name` with all of `files` in it appear at once. A folder that is already there
/// is an error.
pub(super) fn write_folder(
    dir: &Dir,
    name: &str,
    files: &[(&str, &[u8])],
) -> Result<(), HomeError> {
    let unfinished = unfinished_name();
    let inside = make_folder(dir, &unfinished)?;
    for (file, bytes) in files {
        write_new(&inside, file, bytes)?;
    }
    sync_folder(&inside)?;
    drop(inside);
    dir.rename(&unfinished, dir, name)
        .map_err(HomeError::io(format!("put {name} in place")))?;
    sync_folder(dir)
}

/// Removes the file `name`; false where there was none.
pub(super) fn remove(dir: &Dir, name: &str) -> Result<bool, HomeError> {
    match dir.remove_file(name) {
        Ok(()) => sync_folder(dir).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(refused(dir, name, error, "remove")),
    }
}

/// Removes the folder `name` with everything in it; well also where there is none.
pub(super) fn remove_folder(dir: &Dir, name: &str) -> Result<(), HomeError> {
    // A link is refused here, and never followed.
    if folder(dir, name)?.is_none() {
        return Ok(());
    }
    dir.remove_dir_all(name)
        .map_err(HomeError::io(format!("remove the folder {name}")))?;
    sync_folder(dir)
}

/// The names in `dir` that `wanted` takes, sorted.
pub(super) fn names(dir: &Dir, wanted: fn(&str) -> bool) -> Result<Vec<String>, HomeError> {
    let mut names = Vec::new();
    for entry in dir.entries().map_err(HomeError::io("list a folder"))? {
        let entry = entry.map_err(HomeError::io("list a folder"))?;
        if let Some(name) = entry.file_name().to_str().filter(|name| wanted(name)) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes what a crash left half written. Only for whoever holds the right to write.
pub(super) fn sweep(dir: &Dir) -> Result<(), HomeError> {
    for name in names(dir, |name| name.starts_with(UNFINISHED))? {
        if dir.remove_file(&name).is_err() {
            // It is in nobody's way: the next writer tries again.
            let _ = dir.remove_dir_all(&name);
        }
    }
    Ok(())
}

fn write_new(dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .follow(FollowSymlinks::No);
    let doing = || HomeError::io(format!("write {name}"));
    let mut file = dir.open_with(name, &options).map_err(doing())?;
    file.write_all(bytes).map_err(doing())?;
    file.sync_all().map_err(doing())
}

/// Makes the names in `dir` durable.
pub(super) fn sync_folder(dir: &Dir) -> Result<(), HomeError> {
    // `Dir` itself is opened for paths only and cannot be synced.
    dir.open(".")
        .and_then(|folder| folder.sync_all())
        .map_err(HomeError::io("sync a folder"))
}

fn unfinished_name() -> String {
    format!("{UNFINISHED}{}", uuid::Uuid::new_v4().simple())
}

fn refuse_link(dir: &Dir, name: &str) -> Result<(), HomeError> {
    match dir.symlink_metadata(name) {
        Ok(metadata) if !metadata.is_file() => Err(HomeError::NotPlain {
            what: name.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Tells a link or a device from a disk that fails.
fn refused(dir: &Dir, name: &str, error: io::Error, doing: &str) -> HomeError {
    let plain = dir
        .symlink_metadata(name)
        .is_ok_and(|found| found.is_dir() || found.is_file());
    let odd = matches!(
        error.kind(),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    );
    if !plain || odd {
        return HomeError::NotPlain {
            what: name.to_owned(),
        };
    }
    HomeError::Io {
        doing: format!("{doing} {name}"),
        source: error,
    }
}
