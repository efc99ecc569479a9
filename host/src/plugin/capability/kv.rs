//! `kv`: the domain's small data. Writes wait in the host until the delivery commits; reads see them, and the
//! version of everything else that was read is kept, so that the commit can tell whether it still holds.

use std::collections::{BTreeMap, HashMap};

use crate::plugin::bindings::callback::walnut::pay::kv::{self, Failure};
use crate::plugin::call::Call;
use crate::plugin::callback::{DomainView, ForCallback, ViewError};
use crate::plugin::error::Stop;
use crate::plugin::limits;

impl kv::Host for Call<ForCallback> {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Failure>> {
        self.count()?;
        let ForCallback { kv, view, .. } = &mut self.world;
        told(kv.get(view.as_ref(), &key).await)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Failure>> {
        self.count()?;
        let ForCallback { kv, view, .. } = &mut self.world;
        told(kv.write(view.as_ref(), key, Some(value)).await)
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), Failure>> {
        self.count()?;
        let ForCallback { kv, view, .. } = &mut self.world;
        told(kv.write(view.as_ref(), key, None).await)
    }

    async fn increment(
        &mut self,
        key: String,
        by: String,
    ) -> wasmtime::Result<Result<String, Failure>> {
        self.count()?;
        let ForCallback { kv, view, .. } = &mut self.world;
        told(kv.increment(view.as_ref(), key, &by).await)
    }
}

/// Why a read or a write was not made.
#[derive(Debug)]
enum Refused {
    Quota,
    Denied(String),
    /// The store failed: the call ends.
    Store(String),
}

fn told<T>(answer: Result<T, Refused>) -> wasmtime::Result<Result<T, Failure>> {
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(Refused::Quota) => Ok(Err(Failure::Quota)),
        Err(Refused::Denied(why)) => Ok(Err(Failure::Denied(why))),
        Err(Refused::Store(why)) => Err(Stop::Down(why).into()),
    }
}

/// A value of the domain and its version, as they were when the call first looked.
type Seen = Option<(Vec<u8>, u64)>;

/// What one call read and wants to write.
#[derive(Default)]
pub(in crate::plugin) struct Kv {
    seen: HashMap<String, Seen>,
    seen_bytes: usize,
    reads: BTreeMap<String, u64>,
    writes: BTreeMap<String, Option<Vec<u8>>>,
    write_bytes: usize,
    /// What the domain would have after the writes; asked of the store before the first one.
    domain_bytes: Option<u64>,
}

/// How much of its limits a call used.
pub(in crate::plugin) struct Used {
    pub(in crate::plugin) reads: usize,
    pub(in crate::plugin) read_bytes: usize,
    pub(in crate::plugin) writes: usize,
    pub(in crate::plugin) write_bytes: usize,
}

impl Kv {
    pub(in crate::plugin) fn used(&self) -> Used {
        Used {
            reads: self.seen.len(),
            read_bytes: self.seen_bytes,
            writes: self.writes.len(),
            write_bytes: self.write_bytes,
        }
    }

    /// What was read, with its version (0: missing), and what is to be written (`None`: deleted); sorted by key.
    #[allow(clippy::type_complexity)]
    pub(in crate::plugin) fn into_effects(
        self,
    ) -> (Vec<(String, u64)>, Vec<(String, Option<Vec<u8>>)>) {
        (
            self.reads.into_iter().collect(),
            self.writes.into_iter().collect(),
        )
    }

    async fn get(&mut self, view: &dyn DomainView, key: &str) -> Result<Option<Vec<u8>>, Refused> {
        check_key(key)?;
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        let seen = self.look(view, key).await?.clone();
        let version = seen.as_ref().map_or(0, |(_, version)| *version);
        self.reads.insert(key.to_owned(), version);
        Ok(seen.map(|(value, _)| value))
    }

    async fn write(
        &mut self,
        view: &dyn DomainView,
        key: String,
        value: Option<Vec<u8>>,
    ) -> Result<(), Refused> {
        check_key(&key)?;
        if value
            .as_ref()
            .is_some_and(|value| value.len() > limits::KV_VALUE_BYTES)
        {
            return Err(Refused::Denied(format!(
                "a value has at most {} bytes",
                limits::KV_VALUE_BYTES
            )));
        }
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |v| key.len() + v.len());
        // A deleted key still takes its name in the transaction.
        let cost = |value: &Option<Vec<u8>>| key.len() + value.as_ref().map_or(0, Vec::len);
        let (was, freed) = match self.writes.get(&key) {
            Some(written) => (size(written), cost(written)),
            None if self.writes.len() >= limits::KV_WRITES => return Err(Refused::Quota),
            None => {
                let seen = self.look(view, &key).await?;
                (
                    seen.as_ref()
                        .map_or(0, |(value, _)| key.len() + value.len()),
                    0,
                )
            }
        };
        let write_bytes = self.write_bytes - freed + cost(&value);
        let domain_bytes = match self.domain_bytes {
            Some(bytes) => bytes,
            None => view.kv_size().await.map_err(store)?,
        };
        let (was, will) = (bytes(was), bytes(size(&value)));
        let after = domain_bytes.saturating_sub(was).saturating_add(will);
        // What makes room is always taken, also where the domain has more than it may.
        let grows = will > was;
        if write_bytes > limits::KV_WRITE_BYTES || (grows && after > limits::KV_DOMAIN_BYTES) {
            return Err(Refused::Quota);
        }
        self.write_bytes = write_bytes;
        self.domain_bytes = Some(after);
        self.writes.insert(key, value);
        Ok(())
    }

    async fn increment(
        &mut self,
        view: &dyn DomainView,
        key: String,
        by: &str,
    ) -> Result<String, Refused> {
        let by = integer(by.as_bytes())
            .ok_or_else(|| Refused::Denied("what to add is not a 64-bit integer".to_owned()))?;
        let was = match self.get(view, &key).await? {
            None => 0,
            Some(value) => integer(&value)
                .ok_or_else(|| Refused::Denied("the value is not a 64-bit integer".to_owned()))?,
        };
        let sum = was
            .checked_add(by)
            .ok_or_else(|| Refused::Denied("the sum is not a 64-bit integer".to_owned()))?
            .to_string();
        self.write(view, key, Some(sum.clone().into_bytes()))
            .await?;
        Ok(sum)
    }

    /// The domain's value, always as it was when it was first looked at.
    async fn look(&mut self, view: &dyn DomainView, key: &str) -> Result<&Seen, Refused> {
        if !self.seen.contains_key(key) {
            if self.seen.len() >= limits::KV_READS {
                return Err(Refused::Quota);
            }
            let found = view.kv_get(key).await.map_err(store)?;
            self.seen_bytes += key.len() + found.as_ref().map_or(0, |(value, _)| value.len());
            if self.seen_bytes > limits::KV_READ_BYTES {
                return Err(Refused::Quota);
            }
            self.seen.insert(key.to_owned(), found);
        }
        Ok(self.seen.get(key).unwrap_or(&None))
    }
}

fn check_key(key: &str) -> Result<(), Refused> {
    if (1..=limits::KV_KEY_BYTES).contains(&key.len()) {
        return Ok(());
    }
    Err(Refused::Denied(format!(
        "a key has 1 to {} bytes",
        limits::KV_KEY_BYTES
    )))
}

fn integer(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn store(error: ViewError) -> Refused {
    match error {
        ViewError::Refused(why) => Refused::Denied(why),
        ViewError::Failed(why) => Refused::Store(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::callback::{EmptyDomain, Viewed};
    use serde_json::{Map, Value};

    /// A domain that has one key, and lets the test say how full it is.
    struct Domain(u64);

    impl DomainView for Domain {
        fn kv_get<'a>(&'a self, key: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
            let found = (key == "sold").then(|| (b"41".to_vec(), 7));
            Box::pin(async move { Ok(found) })
        }
        fn kv_size(&self) -> Viewed<'_, u64> {
            Box::pin(async { Ok(self.0) })
        }
        fn payment(&self, _: crate::payment::model::PaymentId) -> Viewed<'_, Option<Value>> {
            Box::pin(async { Ok(None) })
        }
        fn payments<'a>(&'a self, _: &'a Map<String, Value>, _: u32) -> Viewed<'a, Vec<Value>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    #[tokio::test]
    async fn reads_see_the_calls_own_writes_and_keep_the_versions_of_the_rest() {
        let (mut kv, domain) = (Kv::default(), Domain(6));
        assert_eq!(kv.get(&domain, "sold").await.unwrap().unwrap(), b"41");
        assert_eq!(kv.get(&domain, "none").await.unwrap(), None);
        assert_eq!(
            kv.increment(&domain, "sold".into(), "1").await.unwrap(),
            "42"
        );
        assert_eq!(kv.get(&domain, "sold").await.unwrap().unwrap(), b"42");
        kv.write(&domain, "blind".into(), Some(b"x".to_vec()))
            .await
            .unwrap();
        kv.write(&domain, "sold".into(), None).await.unwrap();
        assert_eq!(kv.get(&domain, "sold").await.unwrap(), None);
        let (reads, writes) = kv.into_effects();
        assert_eq!(reads, [("none".to_owned(), 0), ("sold".to_owned(), 7)]);
        let blind = ("blind".to_owned(), Some(b"x".to_vec()));
        assert_eq!(writes, [blind, ("sold".to_owned(), None)]);
    }

    #[tokio::test]
    async fn integers_stay_within_64_bits() {
        let (mut kv, domain) = (Kv::default(), EmptyDomain);
        let most = i64::MAX.to_string();
        assert_eq!(
            kv.increment(&domain, "n".into(), &most).await.unwrap(),
            most
        );
        for by in ["1", "1.5", "", " 1", "9223372036854775808"] {
            let refused = kv.increment(&domain, "n".into(), by).await;
            assert!(matches!(refused, Err(Refused::Denied(_))), "{by:?}");
        }
        kv.write(&domain, "text".into(), Some(b"many".to_vec()))
            .await
            .unwrap();
        let refused = kv.increment(&domain, "text".into(), "1").await;
        assert!(matches!(refused, Err(Refused::Denied(_))));
    }

    #[tokio::test]
    async fn a_full_domain_takes_only_what_makes_room() {
        let (mut kv, domain) = (Kv::default(), Domain(limits::KV_DOMAIN_BYTES));
        let refused = kv.write(&domain, "new".into(), Some(Vec::new())).await;
        assert!(matches!(refused, Err(Refused::Quota)));
        kv.write(&domain, "sold".into(), None).await.unwrap();
        kv.write(&domain, "new".into(), Some(b"x".to_vec()))
            .await
            .unwrap();
        let refused = kv.write(&domain, "more".into(), Some(b"x".to_vec())).await;
        assert!(matches!(refused, Err(Refused::Quota)));
    }

    #[tokio::test]
    async fn one_delivery_writes_and_reads_so_much_and_no_more() {
        let (mut kv, domain) = (Kv::default(), EmptyDomain);
        for key in ["", &"k".repeat(limits::KV_KEY_BYTES + 1)] {
            assert!(matches!(
                kv.get(&domain, key).await,
                Err(Refused::Denied(_))
            ));
        }
        let value = vec![0; limits::KV_VALUE_BYTES];
        let larger = vec![0; limits::KV_VALUE_BYTES + 1];
        let refused = kv.write(&domain, "a".into(), Some(larger)).await;
        assert!(matches!(refused, Err(Refused::Denied(_))));
        for number in 0..15 {
            kv.write(&domain, format!("key {number}"), Some(value.clone()))
                .await
                .unwrap();
        }
        // The same key again costs nothing more.
        kv.write(&domain, "key 0".into(), Some(value.clone()))
            .await
            .unwrap();
        let refused = kv.write(&domain, "key 15".into(), Some(value)).await;
        assert!(matches!(refused, Err(Refused::Quota)));
    }
}
