//! Trying callbacks: whether one can run here, and what it does with a sample payment. Nothing of it is kept, and
//! nothing is sent.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::deliver::is_granted;
use super::error::{PayError, Result};
use super::model::{Digest, PaymentId};
use super::{Payments, now_ms};
use crate::plugin::{
    CallbackCall, DeliveryView, DomainView, EmptyDomain, Kind, PluginError, Run, Viewed, Web,
    WebAnswer, WebHost, WebRequest,
};
use crate::store::Store;

/// What came of a run that changes nothing.
pub struct DryRun {
    /// As a delivery would have ended.
    pub run: std::result::Result<Run, PluginError>,
    /// The requests that a delivery would have sent; each was answered with an empty JSON object and status 200.
    pub requests: Vec<WebRequest>,
}

/// What a dry run says of a callback.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It came to an answer.
    Passed,
    /// It failed, with what.
    Failed(String),
    /// It failed, but behind an answer that its receiver would have given otherwise.
    Unsure(String),
}

impl Verdict {
    /// The word that is shown.
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::Unsure(_) => "unsure",
        }
    }
}

impl DryRun {
    /// What it says of the callback.
    pub fn verdict(&self) -> Verdict {
        let (why, by_itself) = match &self.run {
            Ok(run) => match &run.answer {
                Ok(_) => return Verdict::Passed,
                Err(error) => (with_log(error, &run.log), true),
            },
            // Running out of time or memory has nothing to do with what a receiver answers.
            Err(error) => (error.full(), matches!(error.kind, Kind::Trap | Kind::Guest)),
        };
        if by_itself && !self.requests.is_empty() {
            Verdict::Unsure(why)
        } else {
            Verdict::Failed(why)
        }
    }
}

fn with_log(error: &str, log: &str) -> String {
    if log.is_empty() {
        return format!("guest error: {error}");
    }
    format!("guest error: {error}\nlog:\n{log}")
}

impl Payments {
    /// Whether this content is a callback that can run here; gives its digest.
    pub async fn admit_callback(&self, content: Arc<Vec<u8>>) -> Result<Digest> {
        self.0
            .plugins
            .admit_callback(content)
            .await
            .map_err(|refusal| PayError::of_refusal(refusal, PayError::bad_callback))
    }

    /// Runs a callback with a payment, as one of this domain but without its data, and keeps nothing of it.
    pub async fn dry_run(
        &self,
        domain: &str,
        name: &str,
        content: Arc<Vec<u8>>,
        payment: &Value,
    ) -> Result<DryRun> {
        let callback = self
            .0
            .plugins
            .try_callback(content)
            .await
            .map_err(|refusal| PayError::of_refusal(refusal, PayError::bad_callback))?;
        let requests = Arc::default();
        let view = DryDomain {
            store: self.0.store.clone(),
            domain: domain.to_owned(),
            requests: Arc::clone(&requests),
        };
        let call = CallbackCall {
            domain: domain.to_owned(),
            view: Arc::new(view),
            now_ms: now_ms(),
        };
        let delivery = DeliveryView {
            key: "00000000000000000000000000000000".into(),
            try_no: 1,
            callback: name.to_owned(),
            late: false,
        };
        let run = callback.run(call, payment, delivery).await;
        if let Err(error) = &run
            && matches!(error.kind, Kind::Busy | Kind::Down)
        {
            return Err(error.clone().into());
        }
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(DryRun {
            run,
            requests: std::mem::take(&mut *requests),
        })
    }
}

/// Requests as they were made.
type Made = Arc<Mutex<Vec<WebRequest>>>;

/// A domain without data, with the grants of one that is there.
struct DryDomain {
    store: Store,
    domain: String,
    requests: Made,
}

impl DomainView for DryDomain {
    fn kv_get<'a>(&'a self, key: &'a str) -> Viewed<'a, Option<(Vec<u8>, u64)>> {
        EmptyDomain.kv_get(key)
    }

    fn kv_size(&self) -> Viewed<'_, u64> {
        EmptyDomain.kv_size()
    }

    fn payment(&self, id: PaymentId) -> Viewed<'_, Option<Value>> {
        EmptyDomain.payment(id)
    }

    fn payments<'a>(
        &'a self,
        matching: &'a Map<String, Value>,
        limit: u32,
    ) -> Viewed<'a, Vec<Value>> {
        EmptyDomain.payments(matching, limit)
    }

    fn web<'a>(&'a self, host: &'a WebHost) -> Viewed<'a, Web> {
        Box::pin(async move {
            if !is_granted(&self.store, &self.domain, host).await? {
                return Ok(Web::NotGranted);
            }
            let made = Arc::clone(&self.requests);
            Ok(Web::Answered(Arc::new(move |request| {
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                made.push(request.clone());
                Ok(WebAnswer {
                    status: 200,
                    headers: vec![("content-type".into(), "application/json".into())],
                    body: b"{}".to_vec(),
                })
            })))
        })
    }
}
