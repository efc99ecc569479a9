//! A file in chunks of whole lines or at once, as UTF-8: what is not UTF-8 is GBK, as Alipay's bills are.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

use encoding_rs::{GBK, UTF_8};

use super::BillError;
use super::unpack::Unpacked;
use crate::plugin::limits;

/// The lines of a file, from its beginning.
pub(super) struct Lines {
    file: BufReader<File>,
    utf8: bool,
    /// All of it is one chunk, whatever lines it has.
    at_once: bool,
}

impl Lines {
    pub(super) fn of(unpacked: Unpacked) -> Lines {
        Lines {
            utf8: unpacked.is_utf8(),
            file: BufReader::new(unpacked.into_file()),
            at_once: false,
        }
    }

    /// The same as one chunk, such as a JSON document.
    pub(super) fn at_once(unpacked: Unpacked) -> Lines {
        Lines {
            at_once: true,
            ..Lines::of(unpacked)
        }
    }

    /// The next lines: as many as fit, each with its end; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<String>, BillError> {
        let mut bytes = Vec::new();
        if self.at_once {
            let most = limits::BILL_WHOLE_BYTES;
            (&mut self.file).take(most + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > most {
                return Err(BillError::unreadable(format!(
                    "a page has more than {most} bytes"
                )));
            }
        }
        while !self.at_once && bytes.len() < limits::BILL_CHUNK_BYTES {
            let before = bytes.len();
            // A line break is no part of any other character, in neither encoding.
            let most = limits::BILL_LINE_BYTES as u64 + 1;
            (&mut self.file).take(most).read_until(b'\n', &mut bytes)?;
            let line = bytes.len() - before;
            if line > limits::BILL_LINE_BYTES {
                return Err(BillError::unreadable(format!(
                    "a line has more than {} bytes",
                    limits::BILL_LINE_BYTES
                )));
            }
            if line == 0 {
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        // What neither encoding knows, in a buyer's or a good's name, is shown as such and changes no number.
        let encoding = if self.utf8 { UTF_8 } else { GBK };
        let (text, _) = encoding.decode_without_bom_handling(&bytes);
        Ok(Some(text.into_owned()))
    }
}
