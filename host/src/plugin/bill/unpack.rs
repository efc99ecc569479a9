//! A bill as it comes: gzip, zip or plain. What is unpacked is bounded as a whole, whatever its packed form promises.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use super::BillError;
use crate::plugin::limits;

/// How gzip and zip files begin (RFC 1952, APPNOTE.TXT 4.3.7).
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZIP: [u8; 4] = *b"PK\x03\x04";

/// What is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// One file of a bill, at its beginning.
pub(super) struct Unpacked {
    file: File,
    bytes: u64,
    sha1: String,
    utf8: bool,
}

impl Unpacked {
    /// How many it has.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// In lower-case hex.
    pub(super) fn sha1(&self) -> &str {
        &self.sha1
    }

    /// Whether all of it is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.utf8
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }
}

/// Unpacks a file into those that it has, within so many bytes for all of them.
pub(super) fn unpack_within(mut packed: File, most: u64) -> Result<Vec<Unpacked>, BillError> {
    let mut head = Vec::with_capacity(ZIP.len());
    (&packed).take(ZIP.len() as u64).read_to_end(&mut head)?;
    packed.seek(SeekFrom::Start(0))?;
    let mut room = Room { most, left: most };
    if head.starts_with(&GZIP) {
        return Ok(vec![kept(MultiGzDecoder::new(packed), &mut room)?]);
    }
    if !head.starts_with(&ZIP) {
        return Ok(vec![kept(packed, &mut room)?]);
    }
    let broken = |error: zip::result::ZipError| BillError::unreadable(error.to_string());
    let mut archive = ZipArchive::new(packed).map_err(broken)?;
    if archive.len() > limits::BILL_FILES {
        return Err(BillError::unreadable(format!(
            "it has {} files; at most {} are read",
            archive.len(),
            limits::BILL_FILES
        )));
    }
    let mut files = Vec::new();
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(broken)?;
        if entry.is_file() {
            files.push(kept(entry, &mut room)?);
        }
    }
    Ok(files)
}

/// Copies what comes out to a file of its own, as far as there is room left.
fn kept(mut source: impl Read, room: &mut Room) -> Result<Unpacked, BillError> {
    let before = room.left;
    let mut file = tempfile::tempfile()?;
    let mut sha1 = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let mut utf8 = Utf8::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BillError::unreadable(format!("it is damaged: {error}"))),
        };
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        room.take(part.len())?;
        sha1.update(part);
        utf8.push(part);
        file.write_all(part)?;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Unpacked {
        file,
        bytes: before - room.left,
        sha1: hex::encode(sha1.finish()),
        utf8: utf8.holds(),
    })
}

/// What may still be unpacked.
struct Room {
    most: u64,
    left: u64,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), BillError> {
        self.left = self.left.checked_sub(bytes as u64).ok_or_else(|| {
            BillError::unreadable(format!("unpacked it has more than {} bytes", self.most))
        })?;
        Ok(())
    }
}

/// Whether bytes that come in parts are UTF-8 as a whole.
#[derive(Default)]
struct Utf8 {
    /// What a character was cut off from, at most three bytes.
    begun: Vec<u8>,
    broken: bool,
}

impl Utf8 {
    fn push(&mut self, part: &[u8]) {
        if self.broken {
            return;
        }
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(part);
        if let Err(error) = std::str::from_utf8(&bytes) {
            self.broken = error.error_len().is_some();
            self.begun = bytes.split_off(error.valid_up_to());
        }
    }

    fn holds(&self) -> bool {
        !self.broken && self.begun.is_empty()
    }
}
