//! The platform's bill of a day: found by the provider, fetched and unpacked by the host, read by the provider again.
//!
//! The host fetches only what the manifest reaches, signed where the manifest says so. The file is unpacked within
//! bounds and held against its hash before a row of it is read; nothing of it is ever believed, only compared.
//!
//! | file | is |
//! |---|---|
//! | [`fetch`] | the request, with its token where there is one, and the file on the disk |
//! | [`unpack`] | gzip, zip or plain, within bounds, with its hash |
//! | [`lines`] | chunks of whole lines in UTF-8, or a file at once |

mod fetch;
mod lines;
mod unpack;

use std::fs::File;
use std::io;
use std::time::Instant;

use super::error::PluginError;
use super::limits;
use super::provider::{Bill, BillRow, Fault, Provider, ProviderCall};
use lines::Lines;
use unpack::Unpacked;

/// Why there are no rows of a bill; the texts are for its owner.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// The file could not be fetched.
    #[error("the bill cannot be fetched: {0}")]
    Unfetched(String),
    /// The file is not what a bill has to be.
    #[error("the bill cannot be read: {0}")]
    Unreadable(String),
    /// The provider cannot read it.
    #[error("the bill cannot be read: {0}")]
    Fault(Fault),
    /// The provider failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The machine has no room for it.
    #[error("the bill cannot be kept while it is read: {0}")]
    Disk(#[from] io::Error),
}

impl BillError {
    fn unreadable(why: impl Into<String>) -> BillError {
        BillError::Unreadable(why.into())
    }
}

impl Provider {
    /// Fetches a bill that this provider found, with all of its pages, and reads all of its rows.
    pub async fn rows_of_bill(
        &self,
        call: &ProviderCall,
        bill: &Bill,
    ) -> Result<Vec<BillRow>, BillError> {
        let mut reading = Reading {
            provider: self,
            found: call,
            since: Instant::now(),
            room: limits::BILL_UNPACKED_BYTES,
            rows: Vec::new(),
        };
        let mut page = bill.clone();
        for _ in 0..limits::BILL_PAGES {
            let end = reading.read_page(&page).await?;
            let next = self
                .next_page(reading.call(), &page, end.as_bytes())
                .await?;
            match next.map_err(BillError::Fault)? {
                Some(next) => page = next,
                None => return Ok(reading.rows),
            }
        }
        Err(BillError::unreadable(format!(
            "it has more than {} pages",
            limits::BILL_PAGES
        )))
    }
}

/// A bill that is being read.
struct Reading<'a> {
    provider: &'a Provider,
    found: &'a ProviderCall,
    since: Instant,
    /// What may still be unpacked, in bytes.
    room: u64,
    rows: Vec<BillRow>,
}

impl Reading<'_> {
    /// A call that begins now: reading may take minutes, and a signed request is stamped with its own time.
    fn call(&self) -> ProviderCall {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        ProviderCall {
            now_ms: self.found.now_ms.saturating_add(passed),
            ..self.found.clone()
        }
    }

    /// Fetches a page and reads its rows; gives its last chunk.
    async fn read_page(&mut self, page: &Bill) -> Result<String, BillError> {
        let packed = self.provider.fetch_bill(&self.call(), &page.url).await?;
        let room = self.room;
        let unpacked = blocking(move || unpack::unpack_within(packed, room)).await?;
        check_hash(&unpacked, page.sha1.as_deref())?;
        let mut end = String::new();
        for file in unpacked {
            self.room = self.room.saturating_sub(file.bytes());
            let lines = if self.provider.manifest().bill_is_whole() {
                Lines::at_once(file)
            } else {
                Lines::of(file)
            };
            end = self.read_file(lines).await?.unwrap_or(end);
        }
        Ok(end)
    }

    /// Reads the rows of a file; gives its last chunk.
    async fn read_file(&mut self, mut lines: Lines) -> Result<Option<String>, BillError> {
        let mut last = None;
        loop {
            let (chunk, back) = blocking(move || {
                let chunk = lines.next()?;
                Ok((chunk, lines))
            })
            .await?;
            lines = back;
            let Some(chunk) = chunk else {
                return Ok(last);
            };
            let first = last.is_none();
            let more = self
                .provider
                .bill_rows(self.call(), chunk.as_bytes(), first)
                .await?
                .map_err(BillError::Fault)?;
            if self.rows.len() + more.len() > limits::BILL_ROWS {
                return Err(BillError::unreadable(format!(
                    "it has more than {} rows",
                    limits::BILL_ROWS
                )));
            }
            self.rows.extend(more);
            last = Some(chunk);
        }
    }
}

/// The hash is that of the one file that a bill with a hash has.
fn check_hash(unpacked: &[Unpacked], sha1: Option<&str>) -> Result<(), BillError> {
    let Some(sha1) = sha1 else {
        return Ok(());
    };
    match unpacked {
        [file] if file.sha1().eq_ignore_ascii_case(sha1.trim()) => Ok(()),
        [_] => Err(BillError::unreadable(
            "its SHA-1 is not the one that the platform told: some of it is missing or was changed",
        )),
        files => Err(BillError::unreadable(format!(
            "the platform told the SHA-1 of one file, and there are {}",
            files.len()
        ))),
    }
}

/// Files are written and read on threads that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BillError> + Send + 'static,
) -> Result<T, BillError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(BillError::Disk(io::Error::other(error))))
}

/// All that a file has to read, without a provider that reads it: the chunks of each file in it.
pub(super) fn unpacked_lines(
    packed: File,
    most: u64,
    at_once: bool,
) -> Result<Vec<Vec<String>>, BillError> {
    let files = unpack::unpack_within(packed, most)?.into_iter();
    let read = files.map(|file| {
        let mut lines = if at_once {
            Lines::at_once(file)
        } else {
            Lines::of(file)
        };
        let mut chunks = Vec::new();
        while let Some(chunk) = lines.next()? {
            chunks.push(chunk);
        }
        Ok(chunks)
    });
    read.collect()
}

#[cfg(test)]
mod tests;
