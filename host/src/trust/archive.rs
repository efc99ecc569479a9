//! PKCS #12 archives (`.p12`, `.pfx`), which hold a key with its certificates behind a password. The host takes PEM; it
//! only knows an archive when it sees one, to say what to give instead.

/// Version 3 and the beginning of what follows it (RFC 7292, 4).
const VERSION: [u8; 4] = [0x02, 0x01, 0x03, 0x30];
/// `pkcs7`, 1.2.840.113549.1.7, the kind of all that an archive has.
const PKCS7: [u8; 10] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
/// Both stand within so many bytes.
const HEAD: usize = 32;

/// Whether DER is an archive, by how it begins.
pub(super) fn is_archive(der: &[u8]) -> bool {
    let head = der.get(..HEAD).unwrap_or(der);
    let has = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    head.first() == Some(&0x30) && has(&VERSION) && has(&PKCS7)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::super::certificate::Certificate;
    use super::super::key::{KeyError, PrivateKey, PublicKey};
    use super::super::tests::merchant;
    use super::*;

    /// How an archive begins that OpenSSL 3 wrote, and one in its older way.
    const ARCHIVES: [&str; 2] = [
        "MIIJzwIBAzCCCYUGCSqGSIb3DQEHAaCCCXYEgglyMIIJbjCCA+IGCSqGSIb3DQEHBqCCA9Mw",
        "MIIJOQIBAzCCCP8GCSqGSIb3DQEHAaCCCPAEggjsMIII6DCCA58GCSqGSIb3DQEHBqCCA5Aw",
    ];

    #[test]
    fn an_archive_is_told_from_keys_and_certificates() {
        for archive in ARCHIVES {
            assert!(is_archive(&STANDARD.decode(archive).unwrap()));
        }
        for other in [
            &merchant().pkcs8_base64,
            &merchant().pkcs1_base64,
            "",
            "AA==",
        ] {
            assert!(!is_archive(&STANDARD.decode(other).unwrap()));
        }
    }

    #[test]
    fn whoever_gives_one_is_told_to_give_pem() {
        for archive in ARCHIVES {
            assert_eq!(PrivateKey::parse(archive).unwrap_err(), KeyError::Archive);
            assert_eq!(PublicKey::parse(archive).unwrap_err(), KeyError::Archive);
            let certificate = Certificate::parse_all(archive).err();
            assert_eq!(certificate, Some(KeyError::Archive));
        }
        assert!(KeyError::Archive.to_string().contains("apiclient_key.pem"));
    }
}
