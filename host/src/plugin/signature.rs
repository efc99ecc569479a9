//! Signatures of components: their authors sign what they publish, and a host may run nothing else.
//!
//! A signature is the component's last custom section, [`SECTION`]: the public key and an Ed25519 signature over the
//! SHA-256 of all bytes before that section. The digest that an operator approves covers both.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::payment::model::Digest;

/// The custom section that holds a signature.
pub(super) const SECTION: &str = "walnut:signature";

/// What is signed begins like this, so that a signature for something else is none for a component.
const PURPOSE: &[u8] = b"walnut provider component 1\n";

const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// The section before its content: a custom section (0), its size and the size of its name, each a LEB128 of one byte.
fn header() -> Vec<u8> {
    let name = SECTION.len();
    let size = 1 + name + KEY_BYTES + SIGNATURE_BYTES;
    let mut header = vec![0, size as u8, name as u8];
    header.extend_from_slice(SECTION.as_bytes());
    header
}

/// The public key of an author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Author([u8; KEY_BYTES]);

impl Author {
    /// Reads 64 hex digits.
    pub fn parse(text: &str) -> Option<Author> {
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim(), &mut key).ok()?;
        Some(Author(key))
    }
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Why a component is not what its signature says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It does not end with a signature.
    #[error("the component is not signed")]
    Missing,
    /// The signature does not fit what stands before it.
    #[error("the component's signature does not fit it")]
    Wrong,
    /// Its author is not one of those that the host takes.
    #[error("the component is signed by {0}, whom this host does not take components from")]
    Stranger(Author),
}

/// The author's key, and the signature.
type Signature<'a> = ([u8; KEY_BYTES], &'a [u8]);

/// The component and, where it ends with one, its signature.
fn split(component: &[u8]) -> (&[u8], Option<Signature<'_>>) {
    let header = header();
    let content = KEY_BYTES + SIGNATURE_BYTES;
    let Some((before, content)) = component
        .len()
        .checked_sub(content)
        .and_then(|at| component.split_at_checked(at))
    else {
        return (component, None);
    };
    match (
        before.strip_suffix(header.as_slice()),
        content.split_first_chunk(),
    ) {
        (Some(signed), Some((key, signature))) => (signed, Some((*key, signature))),
        _ => (component, None),
    }
}

fn message(component: &[u8]) -> Vec<u8> {
    let digest = Digest::of(component).to_string();
    [PURPOSE, digest.as_bytes()].concat()
}

/// Who signed the component. What is signed is that it is theirs, and not that it does no harm.
pub fn author(component: &[u8]) -> Result<Author, Unsigned> {
    let (signed, signature) = split(component);
    let (key, signature) = signature.ok_or(Unsigned::Missing)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&message(signed), signature)
        .map_err(|_| Unsigned::Wrong)?;
    Ok(Author(key))
}

/// The component is signed by one of these; where there are none, every component will do.
pub fn check(component: &[u8], authors: &[Author]) -> Result<(), Unsigned> {
    if authors.is_empty() {
        return Ok(());
    }
    let by = author(component)?;
    if authors.contains(&by) {
        Ok(())
    } else {
        Err(Unsigned::Stranger(by))
    }
}

/// An author's private key.
pub struct AuthorKey(Ed25519KeyPair);

impl AuthorKey {
    /// A new key, and what to keep of it: PKCS #8 in base64.
    pub fn generate() -> Option<(AuthorKey, zeroize::Zeroizing<Vec<u8>>)> {
        let pair = Ed25519KeyPair::generate().ok()?;
        let kept = zeroize::Zeroizing::new(pair.to_pkcs8().ok()?.as_ref().to_vec());
        Some((AuthorKey(pair), kept))
    }

    /// Reads what was kept.
    pub fn of_pkcs8(kept: &[u8]) -> Option<AuthorKey> {
        Ed25519KeyPair::from_pkcs8(kept).ok().map(AuthorKey)
    }

    /// By which hosts know the author.
    pub fn author(&self) -> Option<Author> {
        let key = self.0.public_key().as_ref().try_into().ok()?;
        Some(Author(key))
    }

    /// The component with a signature, in the place of an earlier one.
    pub fn sign(&self, component: &[u8]) -> Vec<u8> {
        let (bare, _) = split(component);
        let signature = self.0.sign(&message(bare));
        let key = self.0.public_key();
        [bare, &header(), key.as_ref(), signature.as_ref()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_every_byte_and_by_one_author() {
        let (key, kept) = AuthorKey::generate().unwrap();
        let author_of_key = key.author().unwrap();
        let component = walnut_bundle::RECORD_SALE;
        assert_eq!(author(component), Err(Unsigned::Missing));
        assert_eq!(check(component, &[]), Ok(()));
        assert_eq!(check(component, &[author_of_key]), Err(Unsigned::Missing));

        let signed = AuthorKey::of_pkcs8(&kept).unwrap().sign(component);
        assert_eq!(author(&signed), Ok(author_of_key));
        assert_eq!(check(&signed, &[author_of_key]), Ok(()));
        assert_eq!(key.sign(&signed), signed, "signed once, however often");
        // It is a section like any other.
        let sections = super::super::world::custom_sections(&signed, SECTION).unwrap();
        assert_eq!(sections.len(), 1);

        for at in [0, component.len() / 2, component.len() - 1] {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert_eq!(author(&changed), Err(Unsigned::Wrong), "byte {at}");
        }
        let (other, _) = AuthorKey::generate().unwrap();
        let stranger = Unsigned::Stranger(other.author().unwrap());
        assert_eq!(
            check(&other.sign(component), &[author_of_key]),
            Err(stranger)
        );
        // A key in the place of another one's does not help.
        let mut claimed = other.sign(component);
        let at = claimed.len() - KEY_BYTES - SIGNATURE_BYTES;
        claimed[at..at + KEY_BYTES].copy_from_slice(&author_of_key.0);
        assert_eq!(author(&claimed), Err(Unsigned::Wrong));
        assert_eq!(author(b""), Err(Unsigned::Missing));
    }

    #[test]
    fn an_author_is_64_hex_digits() {
        let author = AuthorKey::generate().unwrap().0.author().unwrap();
        assert_eq!(Author::parse(&author.to_string()), Some(author));
        for wrong in ["", "ab", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(Author::parse(wrong), None, "{wrong}");
        }
    }
}
