//! `trust`: messages and statements, which only the host makes, and signatures by templates.
//!
//! The guest holds numbers; what they stand for lies in the call's table and is gone with the call.

use wasmtime::component::Resource;

use crate::plugin::bindings::provider::walnut::pay::trust::{self, Failure};
use crate::plugin::call::Call;
use crate::plugin::limits;
use crate::plugin::provider::ForProvider;
use crate::trust::{Message, Origin, Statement, is_probe};

impl trust::Host for Call<ForProvider> {
    fn verify(
        &mut self,
        message: Resource<Message>,
        scheme: String,
    ) -> wasmtime::Result<Result<Resource<Statement>, Failure>> {
        self.count()?;
        let Some(target) = self.world.target.clone() else {
            return Ok(Err(without_target(&scheme)));
        };
        let now_ms = self.time_ms();
        let message = self.table.get(&message)?;
        match crate::trust::verify(&self.world.manifest, &target, message, &scheme, now_ms) {
            Ok(statement) => {
                self.world.verified += 1;
                Ok(Ok(self.table.push(statement)?))
            }
            Err(failure) => {
                // What the platform tries itself is a failure of nobody's: it is counted among the notifications.
                let is_notification = message.origin == Origin::Notification;
                if !(is_notification && is_probe(&self.world.manifest, message)) {
                    let platform = self.world.manifest.name();
                    self.counts
                        .not_verified(platform, &message.origin, &failure);
                }
                Ok(Err(told(failure)))
            }
        }
    }

    fn open(
        &mut self,
        statement: Resource<Statement>,
        scheme: String,
    ) -> wasmtime::Result<Result<Resource<Statement>, Failure>> {
        self.count()?;
        let Some(target) = self.world.target.clone() else {
            return Ok(Err(without_target(&scheme)));
        };
        let statement = self.table.get(&statement)?;
        match crate::trust::open(&self.world.manifest, &target, statement, &scheme) {
            Ok(part) => Ok(Ok(self.table.push(part)?)),
            Err(failure) => {
                let platform = self.world.manifest.name();
                self.counts
                    .not_verified(platform, statement.origin(), &failure);
                Ok(Err(told(failure)))
            }
        }
    }

    async fn renew(
        &mut self,
        message: Resource<Message>,
        scheme: String,
    ) -> wasmtime::Result<Result<Vec<String>, Failure>> {
        self.count()?;
        let Some(target) = self.world.target.clone() else {
            return Ok(Err(without_target(&scheme)));
        };
        let now_ms = self.time_ms();
        let manifest = self.world.manifest.clone();
        let message = self.table.get(&message)?.clone();
        let renewed = crate::trust::renew(&manifest, &target, &message, &scheme, now_ms).await;
        Ok(renewed.map_err(told))
    }

    fn sign(
        &mut self,
        template: String,
        values: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<String, Failure>> {
        self.count()?;
        let Some(target) = &self.world.target else {
            return Ok(Err(without_target(&template)));
        };
        if values.len() > limits::TEMPLATE_VALUES {
            return Ok(Err(Failure::Malformed(format!(
                "{} values are more than {}",
                values.len(),
                limits::TEMPLATE_VALUES
            ))));
        }
        let now_ms = self.time_ms();
        let manifest = &self.world.manifest;
        let signed = crate::trust::sign_template(manifest, target, &template, &values, now_ms);
        Ok(signed.map_err(told))
    }
}

impl trust::HostMessage for Call<ForProvider> {
    fn status(&mut self, message: Resource<Message>) -> wasmtime::Result<u16> {
        self.count()?;
        Ok(self.table.get(&message)?.status)
    }

    fn header(
        &mut self,
        message: Resource<Message>,
        name: String,
    ) -> wasmtime::Result<Option<String>> {
        self.count()?;
        Ok(self.table.get(&message)?.header(&name).map(str::to_owned))
    }

    fn body(&mut self, message: Resource<Message>) -> wasmtime::Result<Vec<u8>> {
        self.count()?;
        Ok(self.table.get(&message)?.body.clone())
    }

    fn drop(&mut self, message: Resource<Message>) -> wasmtime::Result<()> {
        self.table.delete(message)?;
        Ok(())
    }
}

impl trust::HostStatement for Call<ForProvider> {
    fn text(&mut self, statement: Resource<Statement>) -> wasmtime::Result<Vec<u8>> {
        self.count()?;
        Ok(self.table.get(&statement)?.text().to_vec())
    }

    fn drop(&mut self, statement: Resource<Statement>) -> wasmtime::Result<()> {
        self.table.delete(statement)?;
        Ok(())
    }
}

fn without_target(name: &str) -> Failure {
    Failure::UnknownScheme(format!("{name:?} needs a target, and this call has none"))
}

fn told(failure: crate::trust::Failure) -> Failure {
    match failure {
        crate::trust::Failure::UnknownScheme(text) => Failure::UnknownScheme(text),
        crate::trust::Failure::UnknownKey(text) => Failure::UnknownKey(text),
        crate::trust::Failure::Stale => Failure::Stale,
        crate::trust::Failure::BadSignature => Failure::BadSignature,
        crate::trust::Failure::Malformed(text) => Failure::Malformed(text),
    }
}
