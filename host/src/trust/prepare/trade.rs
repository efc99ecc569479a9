//! Which trade a request is about, at the place that the manifest names. The host reads it out of what it signs: an
//! answer that names no trade is about this one.

use super::sorted_xml;
use super::xml;
use crate::trust::json::Object;
use crate::trust::manifest::{Reach, RequestTrade, Scheme};
use crate::trust::pointer::Pointer;
use crate::trust::reach::placeholder;

/// The trade of a request that is a form, by its fields as the provider gave them.
pub(super) fn of_form<'a>(
    reach: &Reach,
    mut fields: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let RequestTrade::Field { field, at } = reach.trade.as_ref()? else {
        return None;
    };
    let (_, value) = fields.find(|(name, _)| name == field)?;
    match at {
        Some(pointer) => in_json(value, pointer),
        None => Some(value.to_owned()).filter(|value| !value.is_empty()),
    }
}

/// The trade of any other request, by its path or its body as the provider gave them.
pub(super) fn of_request(
    reach: &Reach,
    scheme: Option<&Scheme>,
    path: &str,
    body: &[u8],
) -> Option<String> {
    match reach.trade.as_ref()? {
        RequestTrade::Part { part } => in_path(&reach.path, path, part),
        RequestTrade::Body { at } if matches!(scheme, Some(Scheme::SortedXml(_))) => {
            in_xml(body, at)
        }
        RequestTrade::Body { at } => in_json(str::from_utf8(body).ok()?, at),
        RequestTrade::Field { .. } => None,
    }
}

/// The part of a granted path that stands where the pattern has `{name}`.
fn in_path(pattern: &str, path: &str, name: &str) -> Option<String> {
    let mut both = pattern.split('/').zip(path.split('/'));
    both.find(|(wanted, _)| placeholder(wanted) == Some(name))
        .map(|(_, given)| given.to_owned())
}

fn in_json(text: &str, at: &Pointer) -> Option<String> {
    Object::parse(text).ok()?.at(at).ok()?.text()
}

fn in_xml(body: &[u8], at: &Pointer) -> Option<String> {
    let name = at.field()?;
    let fields = xml::read(body, sorted_xml::ROOT).ok()?;
    let (_, value) = fields.into_iter().find(|(field, _)| field == name)?;
    Some(value).filter(|value| !value.is_empty())
}
