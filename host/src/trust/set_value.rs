//! What the host itself puts into a request or a template.

use super::manifest::SetValue;
use super::target::Target;

/// The text for a field; `None` when it is left out because the target does not have the setting.
pub(super) fn resolve(value: &SetValue, target: &Target) -> Result<Option<String>, String> {
    match value {
        SetValue::Literal(text) => Ok(Some(text.clone())),
        SetValue::Setting { name, when_set } => {
            match target.setting(name).filter(|text| !text.is_empty()) {
                Some(text) => Ok(Some(text)),
                None if *when_set => Ok(None),
                None => Err(format!("the target has no setting {name:?}")),
            }
        }
        SetValue::CertificateSn { name, when_set } => match target.keys.certificate_sn(name) {
            Some(text) => Ok(Some(text)),
            None if *when_set => Ok(None),
            None => Err(format!("the target has no certificate {name:?}")),
        },
    }
}
