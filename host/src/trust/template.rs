//! Texts that the host signs for the buyer's client, such as JSAPI's `paySign`.

use super::key::Usage;
use super::manifest::{Manifest, Template, TemplateKind};
use super::message::Failure;
use super::scheme::sorted_form;
use super::set_value;
use super::target::Target;

/// Signs a template of the manifest and gives the signature in base64.
///
/// `values` has every field that the host does not set itself, each once and no other. No value may
/// contain a line break or another control character: it could end one field and begin another.
pub fn sign_template(
    manifest: &Manifest,
    target: &Target,
    template: &str,
    values: &[(String, String)],
) -> Result<String, Failure> {
    let rule = manifest
        .template(template)
        .ok_or_else(|| Failure::UnknownScheme(format!("there is no template {template:?}")))?;
    let text = text(rule, target, values)?;
    let key = target.signing_key(&rule.key, Usage::Client)?;
    key.sign(text.as_bytes())
        .ok_or_else(|| Failure::Malformed("the text could not be signed".to_owned()))
}

/// The text that is signed.
pub(crate) fn text(
    rule: &Template,
    target: &Target,
    values: &[(String, String)],
) -> Result<String, Failure> {
    let malformed = |what: String| Err(Failure::Malformed(what));
    for (at, (name, value)) in values.iter().enumerate() {
        let shown: String = name.chars().take(64).collect();
        if rule.set.contains_key(name) {
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
        let value = match rule.set.get(name) {
            Some(set) => set_value::resolve(set, target).map_err(Failure::Malformed)?,
            None => values
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
    match rule.kind {
        TemplateKind::Lines => Ok(fields
            .iter()
            .map(|(_, value)| format!("{value}\n"))
            .collect()),
        TemplateKind::SortedForm => {
            let pairs = fields.iter().map(|(name, value)| (*name, value.as_str()));
            let signed = sorted_form::signed(pairs, &[]);
            match sorted_form::ambiguous(&signed) {
                None => Ok(sorted_form::text(&signed)),
                Some(name) => malformed(format!("{name:?} can be read as several fields")),
            }
        }
    }
}
