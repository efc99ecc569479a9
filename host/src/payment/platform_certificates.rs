//! Where the platform's certificates go that the host fetched: beside the target's version in its home.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::model::TargetRef;
use super::now_ms;
use super::routes::Routes;
use crate::home::Home;
use crate::store::Account;
use crate::trust::{KeepCertificates, certificate_names};

/// The place beside a version of a target.
pub(super) struct Beside {
    home: Home,
    target: TargetRef,
    routes: Arc<Routes>,
}

impl Beside {
    pub(super) fn new(home: Home, target: TargetRef, routes: Arc<Routes>) -> Beside {
        Beside {
            home,
            target,
            routes,
        }
    }

    /// From now on notifications that are signed with these keys find the account.
    fn known(&self, pem: &str) {
        let account = Account {
            domain: self.home.domain().to_owned(),
            platform: self.target.platform.clone(),
            target: self.target.name.clone(),
        };
        let keys = certificate_names(pem);
        self.routes
            .learn(&account, self.target.version, keys, now_ms());
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
                .put_platform_certificates(platform, name, *version, pem.clone())
                .await
                .map_err(|error| error.to_string())?;
            self.known(&pem);
            Ok(())
        })
    }
}
