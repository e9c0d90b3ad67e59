//! Lines in the order of their instants, however many: what memory should not hold waits in a
//! temporary file that has no name and vanishes with the process.

use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// About so many bytes of rows are held.
const HELD_BYTES_MAX: usize = 24 << 20;

/// One line of a preview. The order of the fields is the order of the lines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Row {
    /// Second of Unix time.
    pub(super) at: i64,
    pub(super) patient: String,
    /// Its place in the file.
    pub(super) place: u64,
    /// Second of Unix time.
    pub(super) window_ends: i64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) dose: String,
}

impl Row {
    fn bytes(&self) -> usize {
        let texts = [&self.patient, &self.id, &self.name, &self.dose];
        size_of::<Self>() + texts.iter().map(|text| text.len() + 16).sum::<usize>()
    }
}

/// Rows, to be given back in order.
#[derive(Debug)]
pub(super) struct Sorted {
    held: Vec<Row>,
    held_bytes: usize,
    limit: usize,
    runs: Vec<File>,
    /// The most characters of a patient's reference.
    pub(super) width: usize,
}

impl Sorted {
    pub(super) fn new() -> Self {
        Self::with_limit(HELD_BYTES_MAX)
    }

    fn with_limit(limit: usize) -> Self {
        Self {
            held: Vec::new(),
            held_bytes: 0,
            limit,
            runs: Vec::new(),
            width: 0,
        }
    }

    pub(super) fn push(&mut self, row: Row) -> io::Result<()> {
        self.width = self.width.max(row.patient.chars().count());
        self.held_bytes += row.bytes();
        self.held.push(row);
        if self.held_bytes > self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let mut writer = BufWriter::with_capacity(1 << 16, tempfile::tempfile()?);
        for row in self.held.drain(..) {
            let bytes = postcard::to_stdvec(&row).map_err(io::Error::other)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            writer.write_all(&length.to_le_bytes())?;
            writer.write_all(&bytes)?;
        }
        let mut file = writer
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        self.runs.push(file);
        self.held_bytes = 0;
        Ok(())
    }

    /// Calls `visit` with each row, in order.
    pub(super) fn each(mut self, visit: &mut dyn FnMut(&Row) -> io::Result<()>) -> io::Result<()> {
        self.held.sort_unstable();
        if self.runs.is_empty() {
            return self.held.iter().try_for_each(visit);
        }
        self.spill()?;
        self.held = Vec::new();
        let mut readers: Vec<BufReader<File>> = self
            .runs
            .into_iter()
            .map(|file| BufReader::with_capacity(1 << 15, file))
            .collect();
        let mut heads = BinaryHeap::new();
        for (index, reader) in readers.iter_mut().enumerate() {
            if let Some(row) = next(reader)? {
                heads.push(Reverse((row, index)));
            }
        }
        while let Some(Reverse((row, index))) = heads.pop() {
            visit(&row)?;
            if let Some(row) = next(&mut readers[index])? {
                heads.push(Reverse((row, index)));
            }
        }
        Ok(())
    }
}

fn next(reader: &mut BufReader<File>) -> io::Result<Option<Row>> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    reader.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes)
        .map(Some)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_in_order_whether_held_or_spilled(
            keys in proptest::collection::vec((0..50_i64, "[a-c]{1,2}"), 0..200),
            limit in 1..40_000_usize,
        ) {
            let mut sorted = Sorted::with_limit(limit);
            let mut expected = Vec::new();
            for ((at, patient), place) in keys.into_iter().zip(0..) {
                let row = Row {
                    at, patient, place, window_ends: at + 1,
                    id: "id".into(), name: "药".into(), dose: String::new(),
                };
                expected.push(row.clone());
                sorted.push(row).unwrap();
            }
            expected.sort();
            let mut found = Vec::new();
            sorted.each(&mut |row| { found.push(row.clone()); Ok(()) }).unwrap();
            prop_assert_eq!(found, expected);
        }
    }
}
