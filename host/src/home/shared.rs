//! Homes in the store that several hosts share. What one host put, every other serves from then on.
//!
//! Each piece of work is one transaction: it sees one moment of a home, and what it puts appears as a whole. A home has a
//! version, which every change raises. What was read under a version is kept in memory, for as long as the home has that
//! version: so a look at a home costs one small question, and no host serves what another one replaced.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lru::LruCache;
use zeroize::Zeroizing;

use super::HomeError;
use super::folder::Found;
use crate::store::{HomeFiles, Store, StoreError};

/// What is kept in memory of all homes together: some callbacks made from Python, and the settings of many shops.
const KEPT_BYTES: usize = 64 << 20;

/// Of what is kept without its bytes: an entry has some hundred bytes.
const KEPT_ENTRIES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// The homes of all domains.
pub(super) struct SharedHomes {
    store: Store,
    kept: Arc<Kept>,
}

impl fmt::Debug for SharedHomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedHomes")
    }
}

impl SharedHomes {
    pub(super) fn of(store: Store) -> SharedHomes {
        SharedHomes {
            store,
            kept: Arc::default(),
        }
    }

    /// Looks at one moment of the domain's home.
    pub(super) async fn reading<T: Send + 'static>(
        &self,
        domain: &str,
        work: impl Fn(SharedFolder<'_>) -> Result<T, HomeError> + Send + 'static,
    ) -> Result<T, HomeError> {
        let kept = Arc::clone(&self.kept);
        let look = move |files: &HomeFiles<'_>| {
            let version = files.version()?;
            told(work(SharedFolder {
                files,
                kept: Some((&kept, version)),
                path: String::new(),
            }))
        };
        self.store.read_home(domain, look).await?
    }

    /// Changes the domain's home; nobody else does so meanwhile. What fails leaves it as it was.
    pub(super) async fn changing<T: Send + 'static>(
        &self,
        domain: &str,
        work: impl Fn(SharedFolder<'_>) -> Result<T, HomeError> + Send + 'static,
    ) -> Result<T, HomeError> {
        let change = move |files: &HomeFiles<'_>| {
            told(work(SharedFolder {
                files,
                kept: None,
                path: String::new(),
            }))
        };
        self.store.change_home(domain, change).await?
    }
}

/// The store's own failures are the store's to deal with: it may try again.
fn told<T>(done: Result<T, HomeError>) -> Result<Result<T, HomeError>, StoreError> {
    match done {
        Err(HomeError::Store(error)) => Err(error),
        other => Ok(other),
    }
}

/// A folder in a home, inside a transaction.
#[derive(Clone)]
pub(super) struct SharedFolder<'w> {
    files: &'w HomeFiles<'w>,
    /// With the version that the home has. Who changes it asks the store alone.
    kept: Option<(&'w Kept, u64)>,
    /// Empty for the home itself, and otherwise with a slash at its end.
    path: String,
}

impl<'w> SharedFolder<'w> {
    /// The folder `name`, where anything is in it.
    pub(super) fn folder(&self, name: &str) -> Result<Option<SharedFolder<'w>>, HomeError> {
        let inside = self.inside(name);
        Ok((!inside.all_names()?.is_empty()).then_some(inside))
    }

    /// The folder `name`, whether anything is in it or not.
    pub(super) fn inside(&self, name: &str) -> SharedFolder<'w> {
        SharedFolder {
            path: format!("{}/", self.at(name)),
            ..self.clone()
        }
    }

    pub(super) fn read(
        &self,
        name: &str,
        limit: u64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        let path = self.at(name);
        let ask = || Ok(Answer::File(self.files.read(&path)?.map(Arc::new)));
        let Answer::File(Some(bytes)) = self.answer(Question::File, &path, ask)? else {
            return Ok(None);
        };
        if bytes.len() as u64 > limit {
            return Err(HomeError::TooLarge {
                what: name.to_owned(),
                limit,
            });
        }
        Ok(Some(Zeroizing::new(Arc::unwrap_or_clone(bytes))))
    }

    pub(super) fn look(&self, name: &str) -> Result<Option<Found>, HomeError> {
        let path = self.at(name);
        let ask = || {
            let found = self.files.look(&path)?;
            Ok(Answer::Found(found.map(|(len, changed_ms)| Found {
                len,
                changed: UNIX_EPOCH + Duration::from_millis(changed_ms),
            })))
        };
        match self.answer(Question::Look, &path, ask)? {
            Answer::Found(found) => Ok(found),
            _ => Ok(None),
        }
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(since.as_millis()).unwrap_or(0);
        Ok(self.files.write(&self.at(name), bytes, now)?)
    }

    pub(super) fn write_folder(
        &self,
        name: &str,
        files: &[(&str, &[u8])],
    ) -> Result<(), HomeError> {
        if self.folder(name)?.is_some() {
            let problem = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(HomeError::io(format!("put {name} in place"))(problem));
        }
        let inside = self.inside(name);
        for (file, bytes) in files {
            inside.write(file, bytes)?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> Result<bool, HomeError> {
        Ok(self.files.remove(&self.at(name))?)
    }

    pub(super) fn remove_folder(&self, name: &str) -> Result<(), HomeError> {
        Ok(self.files.remove_below(&self.inside(name).path)?)
    }

    pub(super) fn names(&self, wanted: fn(&str) -> bool) -> Result<Vec<String>, HomeError> {
        let mut names = self.all_names()?;
        names.retain(|name| wanted(name));
        Ok(names)
    }

    fn all_names(&self) -> Result<Vec<String>, HomeError> {
        let ask = || {
            let below = self.files.paths(&self.path)?;
            let mut names: Vec<String> = below
                .iter()
                .filter_map(|path| path.get(self.path.len()..))
                .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
                .collect();
            names.sort_unstable();
            names.dedup();
            Ok(Answer::Names(names))
        };
        match self.answer(Question::Names, &self.path, ask)? {
            Answer::Names(names) => Ok(names),
            _ => Ok(Vec::new()),
        }
    }

    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// What is kept, or else what the store says.
    fn answer(
        &self,
        question: Question,
        path: &str,
        ask: impl FnOnce() -> Result<Answer, HomeError>,
    ) -> Result<Answer, HomeError> {
        let Some((kept, version)) = self.kept else {
            return ask();
        };
        let key = (self.files.domain().to_owned(), question, path.to_owned());
        if let Some(answer) = kept.get(&key, version) {
            return Ok(answer);
        }
        let answer = ask()?;
        kept.put(key, version, answer.clone());
        Ok(answer)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    File,
    Look,
    Names,
}

#[derive(Clone)]
enum Answer {
    File(Option<Arc<Vec<u8>>>),
    Found(Option<Found>),
    Names(Vec<String>),
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Answer::File(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len()),
            Answer::Found(_) => 0,
            Answer::Names(names) => names.iter().map(String::len).sum(),
        }
    }
}

/// Of which domain what was asked, and where.
type Key = (String, Question, String);

/// What the store answered, each with the version of its home.
struct Kept(Mutex<Answers>);

struct Answers {
    answers: LruCache<Key, (u64, Answer)>,
    bytes: usize,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept(Mutex::new(Answers {
            answers: LruCache::new(KEPT_ENTRIES),
            bytes: 0,
        }))
    }
}

impl Kept {
    fn get(&self, key: &Key, version: u64) -> Option<Answer> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, answer) = kept.answers.get(key)?;
        (*of == version).then(|| answer.clone())
    }

    fn put(&self, key: Key, version: u64, answer: Answer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += answer.bytes();
        if let Some((_, (_, gone))) = kept.answers.push(key, (version, answer)) {
            kept.bytes -= gone.bytes();
        }
        while kept.bytes > KEPT_BYTES {
            let Some((_, (_, gone))) = kept.answers.pop_lru() else {
                return;
            };
            kept.bytes -= gone.bytes();
        }
    }
}

#[cfg(test)]
mod tests;
