//! Where the payments are kept, as the operator says it.

use std::path::Path;

use anyhow::Context as _;

use crate::store::Address;

/// Reads an address, or the file that holds one (`file:PATH`).
pub(super) fn read(text: &str) -> anyhow::Result<Address> {
    if let Some(path) = text.strip_prefix("file:") {
        let held =
            std::fs::read_to_string(Path::new(path)).with_context(|| format!("--store {text}"))?;
        return Address::parse(held.trim()).with_context(|| format!("--store {text}"));
    }
    if Address::has_password(text) && std::env::args().any(|argument| argument.contains(text)) {
        tracing::warn!(
            "the password in --store is seen by everybody on this machine: give the address in WALNUT_STORE, or as file:PATH"
        );
    }
    Ok(Address::parse(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "postgres://walnut:s3cret@db/pay\n").unwrap();
        let address = read(&format!("file:{}", file.path().display())).unwrap();
        assert_eq!(address.to_string(), "postgres://walnut@db:5432/pay");
        let missing = format!("{:#}", read("file:/nowhere/store").unwrap_err());
        assert!(missing.contains("/nowhere/store"), "{missing}");
        let wrong = format!("{:#}", read("mysql://x:s3cret@h/d").unwrap_err());
        assert!(
            wrong.contains("postgres://") && !wrong.contains("s3cret"),
            "{wrong}"
        );
    }
}
