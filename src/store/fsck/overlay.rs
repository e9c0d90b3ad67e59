//! Storage that begins as a file and keeps what is written in memory: looking writes nothing.

use redb::StorageBackend;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// A file as it was found, with what was written since beside it.
#[derive(Debug)]
pub struct Overlay {
    file: File,
    inner: Mutex<Written>,
}

/// Pages written since, by their number, and the length.
#[derive(Debug)]
struct Written {
    length: u64,
    /// Beyond this the file holds nothing of use: it was cut there.
    from_file: u64,
    pages: HashMap<u64, Box<[u8]>>,
}

const PAGE: u64 = 4096;

impl Overlay {
    /// Begins with what the file holds.
    pub fn over(file: File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            inner: Mutex::new(Written {
                length,
                from_file: length,
                pages: HashMap::new(),
            }),
        })
    }

    /// The file's page, zeros beyond its end.
    fn original(&self, number: u64, from_file: u64) -> std::io::Result<Box<[u8]>> {
        let mut page = vec![0; PAGE as usize];
        let start = number * PAGE;
        let known = from_file.saturating_sub(start).min(PAGE) as usize;
        self.file.read_exact_at(&mut page[..known], start)?;
        Ok(page.into())
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if offset + out.len() as u64 > inner.length {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let (number, within) = (at / PAGE, (at % PAGE) as usize);
            let count = (PAGE as usize - within).min(out.len() - done);
            let part = &mut out[done..done + count];
            if let Some(page) = inner.pages.get(&number) {
                part.copy_from_slice(&page[within..within + count]);
            } else {
                let page = self.original(number, inner.from_file)?;
                part.copy_from_slice(&page[within..within + count]);
            }
            done += count;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), std::io::Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if length < inner.length {
            let last = length / PAGE;
            inner.from_file = inner.from_file.min(length);
            inner.pages.retain(|number, _| *number <= last);
            if let Some(page) = inner.pages.get_mut(&last) {
                page[(length % PAGE) as usize..].fill(0);
            }
        }
        inner.length = length;
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let from_file = inner.from_file;
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let (number, within) = (at / PAGE, (at % PAGE) as usize);
            let count = (PAGE as usize - within).min(data.len() - done);
            let page = match inner.pages.entry(number) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert(self.original(number, from_file)?)
                }
            };
            page[within..within + count].copy_from_slice(&data[done..done + count]);
            done += count;
        }
        inner.length = inner.length.max(offset + data.len() as u64);
        Ok(())
    }
}
