//! Texts that are built in, packed once for all who take them so: on a slow line most of the time that a page takes is its
//! bytes. None of them has a secret in it, whose length packing could tell.

use std::io::{self, Write as _};
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::payment::model::Digest;

/// A text, with what is made of it when it is first asked for.
pub(super) struct Packed(LazyLock<Made>);

/// What is made of a text.
pub(super) struct Made {
    plain: Form,
    gzip: Form,
}

struct Form {
    bytes: Vec<u8>,
    /// A strong tag, quoted.
    tag: String,
}

impl Packed {
    pub(super) const fn new(make: fn() -> Made) -> Packed {
        Packed(LazyLock::new(make))
    }

    pub(super) fn bytes(&'static self, gzip: bool) -> &'static [u8] {
        &self.form(gzip).bytes
    }

    pub(super) fn tag(&'static self, gzip: bool) -> &'static str {
        &self.form(gzip).tag
    }

    fn form(&'static self, gzip: bool) -> &'static Form {
        match gzip {
            true => &self.0.gzip,
            false => &self.0.plain,
        }
    }
}

impl Made {
    pub(super) fn of(text: &'static str) -> Made {
        let form = |bytes: Vec<u8>| Form {
            tag: format!("\"{}\"", Digest::of(&bytes)),
            bytes,
        };
        Made {
            plain: form(text.as_bytes().to_vec()),
            // Writing into memory does not fail.
            gzip: form(gzip(text.as_bytes()).unwrap_or_default()),
        }
    }
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Whether whoever asks says that it takes gzip (RFC 9110, 12.5.3).
pub(super) fn takes_gzip(asked: &HeaderMap) -> bool {
    let codings = asked.get_all(ACCEPT_ENCODING).iter();
    let codings = codings.filter_map(|codings| codings.to_str().ok());
    codings
        .flat_map(|codings| codings.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            name.trim().eq_ignore_ascii_case("gzip")
                && weight
                    .trim()
                    .parse::<f32>()
                    .is_ok_and(|weight| weight > 0.0)
        })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::http::HeaderValue;
    use flate2::read::GzDecoder;

    use super::*;

    static PACKED: Packed = Packed::new(|| Made::of("tea, tea, tea, tea, tea, tea, tea, tea, tea"));

    #[test]
    fn both_forms_are_the_same_text() {
        let mut text = String::new();
        let mut unpacked = GzDecoder::new(PACKED.bytes(true));
        unpacked.read_to_string(&mut text).unwrap();
        assert_eq!(text.as_bytes(), PACKED.bytes(false));
        assert!(PACKED.bytes(true).len() < PACKED.bytes(false).len());
        assert_ne!(PACKED.tag(true), PACKED.tag(false));
    }

    #[test]
    fn gzip_is_for_who_says_so() {
        let takes = |codings: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
            takes_gzip(&asked)
        };
        assert!(takes("gzip, deflate, br, zstd"));
        assert!(takes("br;q=1.0, GZIP;q=0.5"));
        for not in ["", "br", "gzip;q=0", "gzip; q=0.0", "identity", "xgzip"] {
            assert!(!takes(not), "{not}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
