//! A zip as Alipay's servers write it: names in GBK without the flag for UTF-8, deflated, and the
//! sizes after each file's data instead of before it (a reader has to take them from the end).

use std::io::Write as _;

use encoding_rs::GBK;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use time::OffsetDateTime;

const LOCAL: u32 = 0x0403_4B50;
const DESCRIPTOR: u32 = 0x0807_4B50;
const CENTRAL: u32 = 0x0201_4B50;
const END: u32 = 0x0605_4B50;

/// Deflate, of version 2.0, with the sizes in a descriptor.
const VERSION: u16 = 20;
const SIZES_FOLLOW: u16 = 1 << 3;
const DEFLATE: u16 = 8;

/// The archive of these files, by their names.
pub(super) fn archive(files: &[(String, Vec<u8>)], now: OffsetDateTime) -> Vec<u8> {
    let (mut out, mut central) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (name, offset) = (GBK.encode(name).0, length(out.len()));
        let mut crc = Crc::new();
        crc.update(content);
        let deflated = deflate(content);
        let sizes = [crc.sum(), length(deflated.len()), length(content.len())];

        put32(&mut out, &[LOCAL]);
        put16(&mut out, &[VERSION, SIZES_FOLLOW, DEFLATE]);
        put16(&mut out, &dos(now));
        put32(&mut out, &[0, 0, 0]);
        put16(&mut out, &[short(name.len()), 0]);
        out.extend_from_slice(&name);
        out.extend_from_slice(&deflated);
        put32(&mut out, &[DESCRIPTOR]);
        put32(&mut out, &sizes);

        put32(&mut central, &[CENTRAL]);
        put16(&mut central, &[VERSION, VERSION, SIZES_FOLLOW, DEFLATE]);
        put16(&mut central, &dos(now));
        put32(&mut central, &sizes);
        put16(&mut central, &[short(name.len()), 0, 0, 0, 0]);
        put32(&mut central, &[0, offset]);
        central.extend_from_slice(&name);
    }
    let (start, count) = (length(out.len()), short(files.len()));
    out.extend_from_slice(&central);
    put32(&mut out, &[END]);
    put16(&mut out, &[0, 0, count, count]);
    put32(&mut out, &[length(central.len()), start]);
    put16(&mut out, &[0]);
    out
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // A vector takes every byte, so neither fails.
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// Time and date as DOS has them: two seconds, minutes, hours; days, months, years from 1980.
fn dos(at: OffsetDateTime) -> [u16; 2] {
    let time =
        (u16::from(at.hour()) << 11) | (u16::from(at.minute()) << 5) | (u16::from(at.second()) / 2);
    let year = u16::try_from(at.year() - 1980).unwrap_or_default();
    let date = (year << 9) | (u16::from(u8::from(at.month())) << 5) | u16::from(at.day());
    [time, date]
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn short(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn put16(out: &mut Vec<u8>, numbers: &[u16]) {
    numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::super::super::clock;
    use super::*;

    #[test]
    fn another_reader_finds_the_files() {
        let files = [
            ("1_20260102_业务明细.csv".to_owned(), b"a,b\r\n".repeat(100)),
            ("1_20260102_业务明细(汇总).csv".to_owned(), Vec::new()),
        ];
        let now = clock::parse("2026-01-03 05:46:48").unwrap();
        let bytes = archive(&files, now);
        let mut read = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(read.len(), 2);
        for (at, (name, content)) in files.iter().enumerate() {
            let mut file = read.by_index(at).unwrap();
            assert_eq!(GBK.decode(file.name_raw()).0, name.as_str());
            let mut found = Vec::new();
            file.read_to_end(&mut found).unwrap();
            assert_eq!(&found, content);
        }
    }
}
