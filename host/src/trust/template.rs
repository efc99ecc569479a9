//! Texts that the host signs for the buyer's client, such as JSAPI's `paySign`.

use super::form;
use super::key::Usage;
use super::manifest::{Encryption, Manifest, Template, TemplateKind};
use super::message::Failure;
use super::scheme::sorted_form;
use super::sealed;
use super::set_value;
use super::target::Target;

/// Signs a template of the manifest. Gives the signature in base64, or the whole signed query where the manifest says
/// so. `now_ms` is milliseconds since 1970.
///
/// `values` has every field that the host does not set itself, each once and no other. No value may
/// contain a line break or another control character: it could end one field and begin another.
pub fn sign_template(
    manifest: &Manifest,
    target: &Target,
    template: &str,
    values: &[(String, String)],
    now_ms: u64,
) -> Result<String, Failure> {
    let rule = manifest
        .template(template)
        .ok_or_else(|| Failure::UnknownScheme(format!("there is no template {template:?}")))?;
    let mut fields = fields(rule, target, values, now_ms)?;
    if let Some(encryption) = &rule.encrypt {
        encrypt(encryption, target, &mut fields)?;
    }
    let key = target.keys.signing(&rule.key, Usage::Client)?;
    let signature = key
        .sign(text(rule, &fields)?.as_bytes())
        .ok_or_else(|| Failure::Malformed("the text could not be signed".to_owned()))?;
    let Some(name) = &rule.query else {
        return Ok(signature);
    };
    let signed = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .filter(|(_, value)| !value.is_empty());
    Ok(form::write(
        signed.chain([(name.as_str(), signature.as_str())]),
    ))
}

/// All fields with their values, in the manifest's order.
pub(crate) fn fields<'m>(
    rule: &'m Template,
    target: &Target,
    values: &[(String, String)],
    now_ms: u64,
) -> Result<Vec<(&'m str, String)>, Failure> {
    let malformed = |what: String| Err(Failure::Malformed(what));
    let timestamp = rule.timestamp.as_ref();
    let host_sets = |name: &str| {
        rule.set.contains_key(name) || timestamp.is_some_and(|timestamp| timestamp.field == name)
    };
    for (at, (name, value)) in values.iter().enumerate() {
        let shown: String = name.chars().take(64).collect();
        if host_sets(name) {
            return malformed(format!("the host sets the field {shown:?} itself"));
        }
        if !rule.fields.contains(name) {
            return malformed(format!("the template has no field {shown:?}"));
        }
        if values.iter().take(at).any(|(earlier, _)| earlier == name) {
            return malformed(format!("the field {shown:?} comes twice"));
        }
        if value.chars().any(char::is_control) {
            return malformed(format!("the field {shown:?} must be one line"));
        }
    }
    let mut fields: Vec<(&str, String)> = Vec::with_capacity(rule.fields.len());
    for name in &rule.fields {
        let value = match (rule.set.get(name), timestamp) {
            (Some(set), _) => set_value::resolve(set, target).map_err(Failure::Malformed)?,
            (None, Some(timestamp)) if timestamp.field == *name => {
                let format = timestamp.time_format().map_err(Failure::Malformed)?;
                Some(format.write(now_ms))
            }
            (None, _) => values
                .iter()
                .find(|(given, _)| given == name)
                .map(|(_, value)| value.clone()),
        };
        match value {
            Some(value) => fields.push((name, value)),
            None if rule.set.contains_key(name) => {}
            None => return malformed(format!("the field {name:?} is missing")),
        }
    }
    Ok(fields)
}

/// Encrypts a field where the target has the key, and adds what says so.
fn encrypt<'m>(
    rule: &'m Encryption,
    target: &Target,
    fields: &mut Vec<(&'m str, String)>,
) -> Result<(), Failure> {
    let Ok(key) = target.keys.secret(&rule.key, Usage::Request) else {
        return Ok(());
    };
    let field = fields
        .iter_mut()
        .find(|(name, value)| *name == rule.field && !value.is_empty());
    let Some((_, value)) = field else {
        return Ok(());
    };
    *value = sealed::seal_cbc(key, value)?;
    for (name, value) in &rule.set {
        if let Some(text) = set_value::resolve(value, target).map_err(Failure::Malformed)? {
            fields.push((name, text));
        }
    }
    Ok(())
}

/// The text that is signed.
pub(crate) fn text(rule: &Template, fields: &[(&str, String)]) -> Result<String, Failure> {
    match rule.kind {
        TemplateKind::Lines => Ok(fields
            .iter()
            .map(|(_, value)| format!("{value}\n"))
            .collect()),
        TemplateKind::SortedForm => {
            let pairs = fields.iter().map(|(name, value)| (*name, value.as_str()));
            let signed = sorted_form::signed(pairs, &[]);
            match sorted_form::ambiguous_to_a_platform(&signed) {
                None => Ok(sorted_form::text(&signed)),
                Some(name) => Err(Failure::Malformed(format!(
                    "{name:?} can be read as several fields"
                ))),
            }
        }
    }
}
