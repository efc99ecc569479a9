//! The platform's bill of a day: found by the provider, fetched and unpacked by the host, read by the provider again.
//!
//! The host fetches only what the manifest reaches, signed where the manifest says so. The file is unpacked within
//! bounds and held against its hash before a row of it is read; nothing of it is ever believed, only compared.
//!
//! | file | is |
//! |---|---|
//! | [`unpack`] | gzip, zip or plain, within bounds, with its hash |
//! | [`lines`] | chunks of whole lines in UTF-8 |

mod lines;
mod unpack;

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};

use super::error::PluginError;
use super::limits;
use super::outbound::Unsent;
use super::provider::{Bill, BillRow, Fault, Provider, ProviderCall};
use crate::trust::{self, Outgoing, Prepared};
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
    /// Fetches a bill that this provider found, and reads all of its rows.
    pub async fn rows_of_bill(
        &self,
        call: &ProviderCall,
        bill: &Bill,
    ) -> Result<Vec<BillRow>, BillError> {
        let packed = self.fetch(call, &bill.url).await?;
        let unpacked = blocking(move || unpack::unpack(packed)).await?;
        check_hash(&unpacked, bill.sha1.as_deref())?;
        let mut rows = Vec::new();
        for file in unpacked {
            self.read(call, file, &mut rows).await?;
        }
        Ok(rows)
    }

    /// Fetches the file to where nobody else finds it; it is gone when it is closed.
    async fn fetch(&self, call: &ProviderCall, url: &str) -> Result<File, BillError> {
        let outgoing = Outgoing {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            auth: self.manifest().bill_auth().map(str::to_owned),
            identity: None,
        };
        let prepared = trust::prepare(self.manifest(), &call.target, outgoing, call.now_ms)
            .map_err(|trust::Denied(why)| BillError::Unfetched(why))?;
        self.download(prepared).await
    }

    async fn download(&self, prepared: Prepared) -> Result<File, BillError> {
        let mut download = self
            .outbound()
            .download(prepared)
            .await
            .map_err(unfetched)?;
        if download.status() != 200 {
            let status = download.status();
            return Err(BillError::Unfetched(format!(
                "the platform answers with status {status}"
            )));
        }
        let mut file = blocking(|| Ok(tempfile::tempfile()?)).await?;
        loop {
            let part = download
                .next(limits::BILL_WRITE_BYTES)
                .await
                .map_err(unfetched)?;
            let last = part.len() < limits::BILL_WRITE_BYTES;
            file = blocking(move || {
                file.write_all(&part)?;
                Ok(file)
            })
            .await?;
            if last {
                break;
            }
        }
        blocking(move || {
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        })
        .await
    }

    async fn read(
        &self,
        call: &ProviderCall,
        file: Unpacked,
        rows: &mut Vec<BillRow>,
    ) -> Result<(), BillError> {
        let mut lines = Lines::of(file);
        let mut first = true;
        loop {
            let (chunk, back) = blocking(move || {
                let chunk = lines.next()?;
                Ok((chunk, lines))
            })
            .await?;
            lines = back;
            let Some(chunk) = chunk else {
                return Ok(());
            };
            let call = ProviderCall {
                now_ms: call.now_ms,
                target: call.target.clone(),
            };
            let more = self
                .bill_rows(call, chunk.as_bytes(), first)
                .await?
                .map_err(BillError::Fault)?;
            if rows.len() + more.len() > limits::BILL_ROWS {
                return Err(BillError::unreadable(format!(
                    "it has more than {} rows",
                    limits::BILL_ROWS
                )));
            }
            rows.extend(more);
            first = false;
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

fn unfetched(unsent: Unsent) -> BillError {
    BillError::Unfetched(match unsent {
        Unsent::Denied(why) | Unsent::NotSent(why) | Unsent::MaybeSent(why) => why,
        Unsent::TooLarge => format!("it has more than {} bytes", limits::BILL_BYTES),
    })
}

/// Files are written and read on threads that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BillError> + Send + 'static,
) -> Result<T, BillError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(BillError::Disk(io::Error::other(error))))
}

#[cfg(test)]
mod tests;
