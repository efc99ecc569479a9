//! The master key: the operator's, under which the host's data key is sealed. Where it comes from, and what it is named.

use std::fmt;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt};
use zeroize::Zeroizing;

use super::key::SecretKey;
use super::{HomeError, disk, program};

/// Its file in the data root, where nothing else is said.
pub(super) const FILE: &str = "master.key";

/// Behind the name of its file: the key that takes its place as soon as the vault is sealed under it.
const NEXT: &str = ".next";

/// More than 64 hex digits and the end of the line.
const MAX_BYTES: u64 = 128;

/// Where the operator's master key comes from. Neither `Debug` nor `Display` shows the key.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub enum MasterSource {
    /// `master.key` in the data root, made at the first start.
    #[default]
    Root,
    /// A file, made at the first start.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// What a program prints, without a shell: the program and its arguments.
    Command(Vec<String>),
}

impl MasterSource {
    /// Reads `file:PATH`, `env:NAME` or `command:PROGRAM ARG…`.
    ///
    /// # Errors
    /// What it has to look like. Nothing of the text, which might be the key itself.
    pub fn parse(text: &str) -> Result<MasterSource, String> {
        let wrong = || {
            Err(
                "has to be file:PATH, env:NAME or command:PROGRAM ARG…, and not the key itself"
                    .to_owned(),
            )
        };
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(MasterSource::File(path.into())),
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Ok(MasterSource::Environment(name.to_owned()))
            }
            Some(("command", line)) => {
                let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
                if words.is_empty() {
                    return wrong();
                }
                Ok(MasterSource::Command(words))
            }
            _ => wrong(),
        }
    }

    /// The key, made where there is none and `make` says that nothing can be sealed under it yet. `None` where there is none.
    pub(super) fn read(&self, root: &Root<'_>, make: bool) -> Result<Option<MasterKey>, HomeError> {
        match self {
            MasterSource::Root | MasterSource::File(_) => {
                let Some(file) = self.file(root)? else {
                    return Ok(None);
                };
                match file.read(&file.name)? {
                    None if make => {
                        let key = MasterKey::generate()?;
                        file.write(&file.name, &key)?;
                        Ok(Some(key))
                    }
                    read => Ok(read),
                }
            }
            MasterSource::Environment(name) => {
                let Some(value) = std::env::var_os(name) else {
                    return Ok(None);
                };
                let value = Zeroizing::new(value.into_encoded_bytes());
                let key = MasterKey::parse(&value);
                let key = key.ok_or_else(|| HomeError::KeyDamaged {
                    path: self.shown(root),
                });
                key.map(Some)
            }
            MasterSource::Command(words) => {
                let said = program::said(words, root.hidden, MAX_BYTES).map_err(|why| {
                    HomeError::KeyNotGiven {
                        path: self.shown(root),
                        why,
                    }
                })?;
                let key = MasterKey::parse(&said);
                let key = key.ok_or_else(|| HomeError::KeyDamaged {
                    path: self.shown(root),
                });
                key.map(Some)
            }
        }
    }

    /// The file that holds it, if it is in one whose directory is there.
    pub(super) fn file(&self, root: &Root<'_>) -> Result<Option<KeyFile>, HomeError> {
        let shown = self.shown(root);
        let (dir, name) = match self {
            MasterSource::Root => {
                let dir = root.dir.try_clone();
                (
                    dir.map_err(HomeError::io("open the data root"))?,
                    FILE.to_owned(),
                )
            }
            MasterSource::File(path) => {
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(name) = name else {
                    return Err(HomeError::NotPlain { what: shown });
                };
                let above = match path.parent() {
                    Some(above) if above != Path::new("") => above,
                    _ => Path::new("."),
                };
                let dir = Dir::open_ambient_dir(above, ambient_authority());
                let dir = dir.map_err(HomeError::io(format!("open {}", above.display())))?;
                (dir, name.to_owned())
            }
            MasterSource::Environment(_) | MasterSource::Command(_) => return Ok(None),
        };
        Ok(Some(KeyFile { dir, name, shown }))
    }

    /// The variable that holds it.
    pub(super) fn variable(&self) -> Option<&str> {
        match self {
            MasterSource::Environment(name) => Some(name),
            _ => None,
        }
    }

    /// Where the key of this data root comes from, for people.
    pub(super) fn shown(&self, root: &Root<'_>) -> String {
        match self {
            MasterSource::Root => format!("{}/{FILE}", root.shown),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for MasterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MasterSource::Root => write!(f, "{FILE} in the data root"),
            MasterSource::File(path) => write!(f, "{}", path.display()),
            MasterSource::Environment(name) => write!(f, "the environment's {name}"),
            // Arguments may be secrets.
            MasterSource::Command(words) => {
                let program = words.first().map(String::as_str).unwrap_or_default();
                write!(f, "the program {program}")
            }
        }
    }
}

/// An open data root.
pub(super) struct Root<'r> {
    pub(super) dir: &'r Dir,
    /// Its path, for people.
    pub(super) shown: &'r str,
    /// A variable of the environment that programs are not given.
    pub(super) hidden: Option<&'r str>,
}

/// The file of a master key, and beside it at times the one that takes its place.
pub(super) struct KeyFile {
    dir: Dir,
    name: String,
    shown: String,
}

impl KeyFile {
    fn next(&self) -> String {
        format!("{}{NEXT}", self.name)
    }

    /// The key that takes this one's place, where a rotation did not come to its end.
    pub(super) fn read_next(&self) -> Result<Option<MasterKey>, HomeError> {
        self.read(&self.next())
    }

    /// Writes the key that is to take this one's place.
    pub(super) fn write_next(&self, key: &MasterKey) -> Result<(), HomeError> {
        self.write(&self.next(), key)
    }

    /// Puts the next key in its place.
    pub(super) fn take_next(&self) -> Result<(), HomeError> {
        self.dir
            .rename(self.next(), &self.dir, &self.name)
            .map_err(HomeError::io(format!("put {} in place", self.shown)))?;
        disk::sync_folder(&self.dir)
    }

    /// Removes a next key that is none.
    pub(super) fn drop_next(&self) -> Result<(), HomeError> {
        disk::remove(&self.dir, &self.next()).map(drop)
    }

    fn read(&self, name: &str) -> Result<Option<MasterKey>, HomeError> {
        let path = || match name == self.name {
            true => self.shown.clone(),
            false => format!("{}{NEXT}", self.shown),
        };
        let Some(text) = disk::read(&self.dir, name, MAX_BYTES)? else {
            return Ok(None);
        };
        let found = self.dir.symlink_metadata(name);
        let mode = found
            .map_err(HomeError::io(format!("look at {}", path())))?
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(HomeError::LoosePermissions { path: path(), mode });
        }
        let key = MasterKey::parse(&text);
        key.map(Some)
            .ok_or_else(|| HomeError::KeyDamaged { path: path() })
    }

    fn write(&self, name: &str, key: &MasterKey) -> Result<(), HomeError> {
        let digits = Zeroizing::new(hex::encode(key.0.bytes()));
        let line = Zeroizing::new(format!("{}\n", *digits));
        disk::write(&self.dir, name, line.as_bytes())
    }
}

/// 32 bytes that seal the data key, and nothing else.
pub(super) struct MasterKey(SecretKey);

impl MasterKey {
    pub(super) fn generate() -> Result<MasterKey, HomeError> {
        SecretKey::generate().map(MasterKey)
    }

    /// 64 hex digits, with nothing around them but white space.
    fn parse(text: &[u8]) -> Option<MasterKey> {
        let key = SecretKey::filled(|bytes| hex::decode_to_slice(text.trim_ascii(), bytes));
        key.ok().map(MasterKey)
    }

    /// What it is called, by which nobody learns it: 16 hex digits.
    pub(super) fn name(&self) -> String {
        let name = self.0.subkey("master key name");
        hex::encode(name.get(..8).unwrap_or_default())
    }

    /// The key that seals the data key.
    pub(super) fn sealing(&self) -> SecretKey {
        SecretKey::of(&self.0.subkey("vault"))
    }

    /// As the data key that it was before there was a vault.
    pub(super) fn as_data_key(&self) -> SecretKey {
        self.0.clone()
    }

    /// Whether it was this one's place that the data key had before there was a vault.
    pub(super) fn is(&self, data: &SecretKey) -> bool {
        self.0.subkey("comparison") == data.subkey("comparison")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_and_never_shows_a_key() {
        let key = "0".repeat(64);
        let parse = MasterSource::parse;
        assert_eq!(
            parse("file:/etc/walnut/master.key").unwrap(),
            MasterSource::File("/etc/walnut/master.key".into())
        );
        assert_eq!(
            parse("env:KEY").unwrap(),
            MasterSource::Environment("KEY".to_owned())
        );
        let command = parse("command:/usr/bin/kms  get --token s3cret").unwrap();
        assert_eq!(
            command,
            MasterSource::Command(
                ["/usr/bin/kms", "get", "--token", "s3cret"]
                    .map(str::to_owned)
                    .into()
            )
        );
        assert_eq!(command.to_string(), "the program /usr/bin/kms");
        for wrong in [
            key.as_str(),
            "",
            "file:",
            "env:",
            "env:A=B",
            "command: ",
            "kms:x",
        ] {
            let why = parse(wrong).unwrap_err();
            assert!(!why.contains(&key) && why.contains("file:PATH"), "{why}");
        }
    }
}
