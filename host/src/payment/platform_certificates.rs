//! Where the platform's certificates go that the host fetched: beside the target's version in its home.

use std::future::Future;
use std::pin::Pin;

use super::model::TargetRef;
use crate::home::Home;
use crate::trust::KeepCertificates;

/// The place beside a version of a target.
pub(super) struct Beside {
    home: Home,
    target: TargetRef,
}

impl Beside {
    pub(super) fn new(home: Home, target: TargetRef) -> Beside {
        Beside { home, target }
    }
}

impl KeepCertificates for Beside {
    fn keep(&self, pem: String) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async move {
            let TargetRef {
                platform,
                name,
                version,
            } = &self.target;
            self.home
                .put_platform_certificates(platform, name, *version, pem)
                .await
                .map_err(|error| error.to_string())
        })
    }
}
