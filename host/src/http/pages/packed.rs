//! Texts that are built in, packed once for all who take them so: on a slow line most of the time that a page takes is its
//! bytes. None of them has a secret in it, whose length packing could tell.

use std::io::{self, Write as _};
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::payment::model::Digest;

/// A text, with what is made of it when it is first asked for.
pub(super) struct Packed(LazyLock<Made>);

/// What is made of a text.
pub(in crate::http) struct Made {
    plain: Form,
    gzip: Form,
}

struct Form {
    bytes: Bytes,
    /// A strong tag, quoted.
    tag: String,
}

impl Packed {
    pub(super) const fn new(make: fn() -> Made) -> Packed {
        Packed(LazyLock::new(make))
    }

    pub(super) fn made(&self) -> &Made {
        &self.0
    }
}

impl Made {
    pub(in crate::http) fn of(text: &str) -> Made {
        let form = |bytes: Vec<u8>| Form {
            tag: format!("\"{}\"", Digest::of(&bytes)),
            bytes: bytes.into(),
        };
        Made {
            plain: form(text.as_bytes().to_vec()),
            // Writing into memory does not fail.
            gzip: form(gzip(text.as_bytes()).unwrap_or_default()),
        }
    }

    pub(super) fn bytes(&self, gzip: bool) -> Bytes {
        self.form(gzip).bytes.clone()
    }

    pub(super) fn tag(&self, gzip: bool) -> &str {
        &self.form(gzip).tag
    }

    fn form(&self, gzip: bool) -> &Form {
        match gzip {
            true => &self.gzip,
            false => &self.plain,
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
        let packed = PACKED.made().bytes(true);
        let mut unpacked = GzDecoder::new(&packed[..]);
        unpacked.read_to_string(&mut text).unwrap();
        assert_eq!(text.as_bytes(), PACKED.made().bytes(false));
        assert!(PACKED.made().bytes(true).len() < PACKED.made().bytes(false).len());
        assert_ne!(PACKED.made().tag(true), PACKED.made().tag(false));
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
