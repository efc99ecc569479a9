//! Bills in all the forms in which they come, and in those in which they must not be taken.

use std::fs::File;
use std::io::{Cursor, Seek as _, SeekFrom, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::unpack::unpack_within;
use super::*;

fn unpack(packed: File) -> Result<Vec<Unpacked>, BillError> {
    unpack_within(packed, limits::BILL_UNPACKED_BYTES)
}

const TEXT: &str = "时间,金额\r\n`2026-11-25,`23.00\r\n";

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[&[u8]]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, bytes) in files.iter().enumerate() {
        let name = format!("2026-11-25_{number}.csv");
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

/// All chunks of each file.
fn chunks(packed: &[u8]) -> Result<Vec<Vec<String>>, BillError> {
    unpacked_lines(file(packed), limits::BILL_UNPACKED_BYTES, false)
}

#[test]
fn a_bill_is_plain_or_gzip_or_zip_and_utf8_or_gbk() {
    let plain = TEXT.as_bytes();
    for packed in [
        plain.to_vec(),
        gbk(TEXT),
        gzip(plain),
        gzip(&gbk(TEXT)),
        zip(&[plain]),
        zip(&[&gbk(TEXT)]),
    ] {
        assert_eq!(chunks(&packed).unwrap(), [[TEXT]]);
    }
    let sums: &[u8] = b"total\n1";
    assert_eq!(
        chunks(&zip(&[plain, sums])).unwrap(),
        [["时间,金额\r\n`2026-11-25,`23.00\r\n"], ["total\n1"]]
    );
    assert!(chunks(b"").unwrap().concat().is_empty());
}

#[test]
fn a_large_bill_comes_in_whole_lines() {
    // Characters are cut between the reads of either side.
    let line = format!("{}\n", "账单".repeat(3333));
    let text = line.repeat(40);
    for bytes in [text.clone().into_bytes(), gbk(&text)] {
        let chunks = chunks(&gzip(&bytes)).unwrap().concat();
        assert!(chunks.len() > 1 && chunks.iter().all(|chunk| chunk.ends_with('\n')));
        assert_eq!(chunks.concat(), text);
    }
    let endless = vec![b'x'; limits::BILL_LINE_BYTES + 1];
    let refused = chunks(&endless).unwrap_err().to_string();
    assert!(refused.contains("a line has more than"), "{refused}");
}

#[test]
fn a_page_may_come_at_once() {
    let document = format!("{{\"rows\":[{}1]}}\n ", "1,\n".repeat(100_000));
    let packed = unpack(file(&gzip(document.as_bytes()))).unwrap();
    let [page] = <[Unpacked; 1]>::try_from(packed).ok().unwrap();
    assert_eq!(page.bytes(), document.len() as u64);
    let mut lines = Lines::at_once(page);
    assert_eq!(lines.next().unwrap().as_deref(), Some(document.as_str()));
    assert_eq!(lines.next().unwrap(), None);
    let large = vec![b' '; limits::BILL_WHOLE_BYTES as usize + 1];
    let mut packed = unpack(file(&gzip(&large))).unwrap();
    let refused = Lines::at_once(packed.remove(0)).next().unwrap_err();
    assert!(
        refused.to_string().contains("a page has more than"),
        "{refused}"
    );
}

#[test]
fn a_bomb_is_not_unpacked() {
    let zeros = vec![0; 1 << 20];
    for packed in [
        gzip(&zeros),
        zip(&[&zeros]),
        zip(&[&zeros[1..], &zeros[..2]]),
    ] {
        assert!(packed.len() < 4096);
        let refused = unpack_within(file(&packed), (1 << 20) - 1).map(drop);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("more than 1048575 bytes"), "{refused}");
        assert!(unpack_within(file(&packed), (1 << 20) + 1).is_ok());
    }
    let many = vec![b"x".as_slice(); limits::BILL_FILES + 1];
    let refused = chunks(&zip(&many)).unwrap_err().to_string();
    assert!(refused.contains("17 files"), "{refused}");
}

#[test]
fn a_bill_that_came_in_part_is_not_read() {
    for packed in [gzip(TEXT.as_bytes()), zip(&[TEXT.as_bytes()])] {
        let refused = chunks(&packed[..packed.len() - 5]).unwrap_err();
        assert!(matches!(refused, BillError::Unreadable(_)), "{refused}");
    }
}

#[test]
fn the_hash_is_that_of_the_unpacked_file() {
    let unpacked = unpack(file(&gzip(b"abc"))).unwrap();
    // FIPS 180-1, appendix A.
    let right = "a9993e364706816aba3e25717850c26c9cd0d89d";
    assert!(check_hash(&unpacked, None).is_ok());
    assert!(check_hash(&unpacked, Some(right)).is_ok());
    assert!(check_hash(&unpacked, Some(&right.to_uppercase())).is_ok());
    let wrong = check_hash(&unpacked, Some("a9993e36")).unwrap_err();
    assert!(wrong.to_string().contains("SHA-1"), "{wrong}");
    let two = unpack(file(&zip(&[b"abc", b""]))).unwrap();
    assert!(check_hash(&two, Some(right)).is_err());
}
