//! Forms (`application/x-www-form-urlencoded`), as queries, bodies and notifications have them.

use std::borrow::Cow;

/// The form's type, as platforms want it named.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded;charset=utf-8";

/// Writes fields as a form, in the given order.
pub fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// Reads one field; none where the form has none of the name. The first one where it is repeated:
/// the host refuses repeated fields before it makes a statement of a form.
pub fn field<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(form)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_once() {
        let form = encode(&[("subject", "茶 & 50%"), ("total_amount", "23.00")]);
        assert_eq!(form, "subject=%E8%8C%B6+%26+50%25&total_amount=23.00");
        assert_eq!(field(form.as_bytes(), "subject").unwrap(), "茶 & 50%");
        assert_eq!(field(b"a=%2541", "a").unwrap(), "%41");
        assert_eq!(field(b"a=1", "b"), None);
    }
}
