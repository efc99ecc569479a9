//! Compiled code on disk, so that a component is compiled once and not at every start.
//!
//! Compiled code is machine code that the host runs: an entry is only as good as whoever wrote it. Each carries a GMAC
//! (the tag of AES-256-GCM over what is not encrypted, which a processor makes several times as fast as a HMAC: it is
//! most of the time that loading takes). Its key is made, by HMAC-SHA256, from one that only the host has, the
//! component's digest, the engine's settings and the limits that the component was held to. What does not carry it is
//! thrown away, and the component compiled again.
//!
//! | bytes of an entry | are |
//! |---|---|
//! | 12 | the nonce, random for each writing |
//! | 16 | the tag |
//! | the rest | the code |
//!
//! The directory is bounded. When an entry was used last is its file's time of modification.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac, rand};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::admission::Refusal;
use super::error::with_causes;
use super::limits;
use crate::payment::model::Digest;

/// The ending of an entry, and of one that is being written.
const ENTRY: &str = ".cwasm";
const PART: &str = ".cwasm-part";

const TAG_LEN: usize = 16;

/// The directory of compiled code.
pub(super) struct Cache {
    dir: PathBuf,
    key: hmac::Key,
    engine: Engine,
    engine_hash: [u8; 32],
}

impl Cache {
    /// Opens the directory, makes it where it is missing, and clears it of what another engine compiled.
    pub(super) fn open(dir: &Path, key: &[u8; 32], engine: &Engine) -> io::Result<Cache> {
        make_private(dir)?;
        let mut hasher = Sha256(digest::Context::new(&digest::SHA256));
        engine.precompile_compatibility_hash().hash(&mut hasher);
        limits::of_components().hash(&mut hasher);
        let cache = Cache {
            dir: dir.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            engine: engine.clone(),
            engine_hash: hasher.bytes(),
        };
        let own = cache.engine_name();
        for entry in fs::read_dir(dir)?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let foreign = name.ends_with(ENTRY) && !name.contains(&own);
            if foreign || name.ends_with(PART) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(cache)
    }

    /// The component out of the cache; none where it is not there or not to be trusted. Blocks.
    pub(super) fn load(&self, digest: Digest) -> Option<Component> {
        let path = self.path(digest);
        let entry = fs::read(&path).ok()?;
        let trusted = self.trusted(digest, &entry);
        let component = trusted.and_then(|code| self.deserialize(code).ok());
        if component.is_some() {
            used_now(&path);
        } else {
            tracing::warn!(component = %digest, "compiled code is not what this host wrote; it is thrown away");
            let _ = fs::remove_file(&path);
        }
        component
    }

    /// Takes what the compiler made a moment ago into the engine, and keeps it where that is wanted. Blocks.
    pub(super) fn take(
        &self,
        digest: Digest,
        code: &[u8],
        keep: bool,
    ) -> Result<Component, Refusal> {
        let component = self
            .deserialize(code)
            .map_err(|error| Refusal::Demands(with_causes(&error)))?;
        if keep && let Err(error) = self.write(digest, code) {
            // Without the entry the component is compiled again at the next start, and all is well otherwise.
            tracing::warn!(component = %digest, %error, "compiled code cannot be kept");
        }
        Ok(component)
    }

    fn write(&self, digest: Digest, code: &[u8]) -> io::Result<()> {
        // Made with mode 0600, under a name that no reader looks for, and renamed when it is whole.
        let mut file = tempfile::Builder::new()
            .suffix(PART)
            .tempfile_in(&self.dir)?;
        let (nonce, tag) = self.tag(digest, code)?;
        file.write_all(&nonce)?;
        file.write_all(&tag)?;
        file.write_all(code)?;
        file.persist(self.path(digest))
            .map_err(|error| error.error)?;
        self.keep_within(limits::CACHE_BYTES)
    }

    /// Throws the least recently used entries away until the others fit.
    fn keep_within(&self, most: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(ENTRY) {
                // One that is gone meanwhile takes no room.
                let Ok(found) = entry.metadata() else {
                    continue;
                };
                entries.push((found.modified()?, found.len(), entry.path()));
            }
        }
        let mut bytes: u64 = entries.iter().map(|(_, len, _)| len).sum();
        entries.sort();
        for (_, len, path) in entries {
            if bytes <= most {
                break;
            }
            fs::remove_file(path)?;
            bytes -= len;
        }
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir
            .join(format!("{digest}-{}{ENTRY}", self.engine_name()))
    }

    /// Enough of the engine's hash to tell engines apart; the tag covers all of it.
    fn engine_name(&self) -> String {
        hex::encode(self.engine_hash).chars().take(16).collect()
    }

    /// The code of an entry that a host with this key wrote for this component and engine.
    fn trusted<'a>(&self, digest: Digest, entry: &'a [u8]) -> Option<&'a [u8]> {
        let (nonce, rest) = entry.split_first_chunk::<NONCE_LEN>()?;
        let (tag, code) = rest.split_first_chunk::<TAG_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        // Nothing is encrypted: the tag is all of the message.
        let mut message = *tag;
        self.key_for(digest)?
            .open_in_place(nonce, Aad::from(code), &mut message)
            .ok()?;
        Some(code)
    }

    /// A new nonce, and the tag of the code by it.
    fn tag(&self, digest: Digest, code: &[u8]) -> io::Result<([u8; NONCE_LEN], Vec<u8>)> {
        let failed = || io::Error::other("no tag can be made");
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| failed())?;
        let tag = self
            .key_for(digest)
            .ok_or_else(failed)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(code),
                &mut [],
            )
            .map_err(|_| failed())?;
        Ok((nonce, tag.as_ref().to_vec()))
    }

    /// The key of one component's entries, so that none passes for another's.
    fn key_for(&self, digest: Digest) -> Option<LessSafeKey> {
        let mut key = hmac::Context::with_key(&self.key);
        key.update(b"walnut compiled component 2");
        key.update(&digest.0);
        key.update(&self.engine_hash);
        UnboundKey::new(&AES_256_GCM, key.sign().as_ref())
            .map(LessSafeKey::new)
            .ok()
    }

    /// Takes compiled code into the engine. The bytes must be the compiler's own.
    #[allow(unsafe_code)]
    fn deserialize(&self, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: `code` was made by `precompile_component` and not changed since: either by this program a
        // moment ago, or by a host with the same key, which the tag over code, component and engine has shown.
        unsafe { Component::deserialize(&self.engine, code) }
    }
}

/// An entry that cannot be marked is only thrown away earlier.
fn used_now(path: &Path) {
    let marked = File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = marked {
        tracing::debug!(%error, "compiled code cannot be marked as used");
    }
}

#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
fn make_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// Takes wasmtime's description of an engine, which it gives in the form of a hash alone.
struct Sha256(digest::Context);

impl Sha256 {
    fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

impl Hasher for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Nobody asks for the short form.
        0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_another_wrote_or_changed_is_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let open = |key: u8| Cache::open(dir.path(), &[key; 32], &engine).unwrap();
        let cache = open(1);
        let (digest, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let code = engine.precompile_component(b"\0asm\x0d\0\x01\0").unwrap();
        let write = |entry: &[u8]| fs::write(cache.path(digest), entry).unwrap();

        cache.write(digest, &code).unwrap();
        let entry = fs::read(cache.path(digest)).unwrap();
        assert!(cache.load(digest).is_some());

        for at in [0, NONCE_LEN, NONCE_LEN + TAG_LEN, entry.len() - 1] {
            let mut changed = entry.clone();
            changed[at] ^= 1;
            write(&changed);
            assert!(cache.load(digest).is_none(), "changed at {at}");
            assert!(!cache.path(digest).exists(), "changed at {at}");
        }
        for cut in [0, NONCE_LEN + TAG_LEN - 1, entry.len() - 1] {
            write(&entry[..cut]);
            assert!(cache.load(digest).is_none(), "cut at {cut}");
        }
        write(&entry);
        assert!(open(2).load(digest).is_none(), "another host's");
        fs::write(cache.path(other), &entry).unwrap();
        assert!(cache.load(other).is_none(), "another component's");
    }

    #[test]
    fn the_least_recently_used_entries_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), &[1; 32], &Engine::default()).unwrap();
        let entry = |number: u8| cache.path(Digest::of(&[number]));
        for number in 0..4 {
            cache.write(Digest::of(&[number]), &[number; 1000]).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(number.into());
            let file = File::options().append(true).open(entry(number)).unwrap();
            file.set_modified(used).unwrap();
        }
        fs::write(dir.path().join("other"), "stays").unwrap();
        // The oldest is used again.
        used_now(&entry(0));
        cache.keep_within(2_500).unwrap();
        let kept: Vec<bool> = (0..4).map(|number| entry(number).exists()).collect();
        assert_eq!(kept, [true, false, false, true]);
        assert!(dir.path().join("other").exists());
    }
}
