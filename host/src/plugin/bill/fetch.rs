//! The request for a bill, and its file on the disk.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use super::{BillError, blocking};
use crate::plugin::limits;
use crate::plugin::outbound::{Download, Unsent};
use crate::plugin::provider::{Provider, ProviderCall};
use crate::plugin::token;
use crate::trust::{self, Outgoing};

impl Provider {
    /// Fetches the file to where nobody else finds it; it is gone when it is closed.
    pub(super) async fn fetch_bill(
        &self,
        call: &ProviderCall,
        url: &str,
    ) -> Result<File, BillError> {
        let outgoing = Outgoing {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            auth: self.manifest().bill_auth().map(str::to_owned),
            identity: None,
        };
        let mut download = self.begin_download(call, &outgoing).await?;
        // The platform gave the token up before its time.
        if download.status() == 401
            && trust::forget_token(self.manifest(), &call.target, outgoing.auth.as_deref())
        {
            download = self.begin_download(call, &outgoing).await?;
        }
        if download.status() != 200 {
            let status = download.status();
            return Err(BillError::Unfetched(format!(
                "the platform answers with status {status}"
            )));
        }
        kept(download).await
    }

    async fn begin_download(
        &self,
        call: &ProviderCall,
        outgoing: &Outgoing,
    ) -> Result<Download, BillError> {
        let (outbound, manifest, target) = (self.outbound(), self.manifest(), &*call.target);
        token::fetch(outbound, manifest, target, outgoing, call.now_ms)
            .await
            .map_err(unfetched)?;
        let prepared = trust::prepare(manifest, target, outgoing.clone(), call.now_ms)
            .map_err(|trust::Denied(why)| BillError::Unfetched(why))?;
        outbound.download(prepared).await.map_err(unfetched)
    }
}

async fn kept(mut download: Download) -> Result<File, BillError> {
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

fn unfetched(unsent: Unsent) -> BillError {
    BillError::Unfetched(match unsent {
        Unsent::Denied(why) | Unsent::NotSent(why) | Unsent::MaybeSent(why) => why,
        Unsent::TooLarge => format!("it has more than {} bytes", limits::BILL_BYTES),
    })
}
