//! A file of FHIR resources: one resource, a Bundle, or NDJSON, which is read line by line so that
//! its size does not matter.

use super::{exit::Exit, terminal};
use crate::plan::fhir::{self, Names, Refusal};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most bytes of a line of NDJSON.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a resource or a Bundle that is no NDJSON: it is held as a whole.
const DOCUMENT_BYTES_MAX: u64 = 512 << 20;
/// Work that is done sooner shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// The file, and what it was found to be.
#[derive(Debug)]
pub(super) struct FhirFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    /// A resource a line.
    Lines,
    /// One JSON text over several lines.
    Document(String),
}

/// A refusal and where it stands.
#[derive(Debug)]
pub(super) struct Located {
    /// The line, for NDJSON.
    line: Option<u64>,
    refusal: Refusal,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.refusal),
            None => write!(f, "{}", self.refusal),
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FhirFileError {
    #[error("{}: there is no such file", .0.display())]
    Missing(PathBuf),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error(
        "{}: a Bundle of more than {} MiB is not read: write it as NDJSON, a resource a line",
        .0.display(),
        DOCUMENT_BYTES_MAX >> 20
    )]
    TooLarge(PathBuf),
}

impl FhirFileError {
    /// Says it; how the command ends.
    pub(super) fn report(&self) -> Exit {
        terminal::write_stderr(&format!("dosed: {self}\n"));
        match self {
            FhirFileError::Missing(_) => Exit::NoInput,
            FhirFileError::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                Exit::Permission
            }
            FhirFileError::Io { .. } => Exit::Io,
            FhirFileError::TooLarge(_) => Exit::BadData,
        }
    }
}

/// What a line or a document gave: a resource with its `fullUrl`, or why there is none.
pub(super) type Found<'a> = Result<fhir::Addressed<'a>, Located>;

impl FhirFile {
    pub(super) fn open(path: &Path) -> Result<Self, FhirFileError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => FhirFileError::Missing(path.to_owned()),
            _ => FhirFileError::Io {
                path: path.to_owned(),
                error,
            },
        };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let bytes = metadata.len();
        let layout = if is_lines(&mut BufReader::new(&file)).map_err(failed)? {
            Layout::Lines
        } else if bytes > DOCUMENT_BYTES_MAX {
            return Err(FhirFileError::TooLarge(path.to_owned()));
        } else {
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(failed)?;
            Layout::Document(text)
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            layout,
        })
    }

    /// How long the file is.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Calls `visit` with each resource, in the order of the file. Of NDJSON only the lines for
    /// which `wanted` says yes are looked at.
    pub(super) fn each(
        &self,
        what: &'static str,
        wanted: impl Fn(&str) -> bool,
        visit: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), FhirFileError> {
        match &self.layout {
            Layout::Document(text) => {
                visit_text(text.trim_start_matches('\u{feff}'), None, visit);
                Ok(())
            }
            Layout::Lines => {
                let mut progress = Progress::new(what, self.bytes);
                let done = self.each_line(&wanted, &mut progress, visit);
                progress.finish();
                done.map_err(|error| FhirFileError::Io {
                    path: self.path.clone(),
                    error,
                })
            }
        }
    }

    fn each_line(
        &self,
        wanted: &dyn Fn(&str) -> bool,
        progress: &mut Progress,
        visit: &mut dyn FnMut(Found<'_>),
    ) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut buffer = Vec::new();
        let mut number = 0;
        loop {
            let line = match next_line(&mut reader, &mut buffer)? {
                Line::End => return Ok(()),
                Line::Read => {
                    number += 1;
                    std::str::from_utf8(&buffer).map_err(|_| "it is not UTF-8")
                }
                Line::TooLong => {
                    number += 1;
                    Err("it is longer than a resource can be")
                }
            };
            progress.add(buffer.len() as u64 + 1);
            match line {
                Ok(text) => {
                    let text = text.trim_start_matches('\u{feff}').trim();
                    if !text.is_empty() && wanted(text) {
                        visit_text(text, Some(number), visit);
                    }
                }
                Err(reason) => visit(Err(Located {
                    line: Some(number),
                    refusal: Refusal {
                        resource: "resource".to_owned(),
                        element: ".".to_owned(),
                        reason: reason.to_owned(),
                    },
                })),
            }
        }
    }

    /// The names to which references may lead. What is wrong with a resource is left for whoever
    /// reads all of them.
    pub(super) fn names(&self, of_patients: bool) -> Result<Names, FhirFileError> {
        let mut names = Names::default();
        let wanted = |line: &str| {
            line.contains("\"Medication\"")
                || line.contains("\"Bundle\"")
                || (of_patients && line.contains("\"Patient\""))
        };
        self.each("names", wanted, &mut |found| {
            if let Ok((resource, url)) = found
                && (of_patients || resource.kind != fhir::Kind::Patient)
            {
                // Nobody is to be stopped by a name that cannot be read.
                let _ = names.learn(resource, url.as_deref());
            }
        })?;
        Ok(names)
    }
}

fn visit_text(text: &str, line: Option<u64>, visit: &mut dyn FnMut(Found<'_>)) {
    let read = fhir::resources(text, &mut |found| {
        visit(found.map_err(|refusal| Located { line, refusal }));
    });
    if let Err(refusal) = read {
        visit(Err(Located { line, refusal }));
    }
}

enum Line {
    Read,
    TooLong,
    End,
}

/// Reads a line without its end; of one that is too long nothing is kept.
fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let read = reader
        .by_ref()
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', buffer)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        return Ok(Line::Read);
    }
    if (read as u64) < LINE_BYTES_MAX {
        return Ok(Line::Read);
    }
    buffer.clear();
    reader.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

/// Whether each line is a JSON text. A text over several lines ends in the middle of its first
/// one, and its second one is no resource.
fn is_lines(reader: &mut impl BufRead) -> io::Result<bool> {
    let mut buffer = Vec::new();
    let mut line = || -> io::Result<Option<String>> {
        loop {
            match next_line(reader, &mut buffer)? {
                Line::End => return Ok(None),
                Line::TooLong => return Ok(Some(String::new())),
                Line::Read => {
                    let text = String::from_utf8_lossy(&buffer);
                    let text = text.trim_start_matches('\u{feff}').trim();
                    if !text.is_empty() {
                        return Ok(Some(text.to_owned()));
                    }
                }
            }
        }
    };
    let Some(first) = line()? else {
        return Ok(true);
    };
    let unfinished =
        serde_json::from_str::<serde::de::IgnoredAny>(&first).is_err_and(|error| error.is_eof());
    if !unfinished {
        return Ok(true);
    }
    Ok(line()?.is_some_and(|second| fhir::head(&second).is_ok()))
}

/// How far it is, on a terminal, where it takes long.
struct Progress {
    what: &'static str,
    bytes: u64,
    done: u64,
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new(what: &'static str, bytes: u64) -> Self {
        Self {
            what,
            bytes,
            done: 0,
            since: Instant::now(),
            bar: None,
        }
    }

    fn add(&mut self, bytes: u64) {
        let before = self.done >> 20;
        self.done += bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.done >> 20 != before && self.since.elapsed() > PROGRESS_AFTER {
            // Nothing is drawn where stderr is no terminal.
            let style =
                ProgressStyle::with_template("{prefix} {bar:32} {bytes}/{total_bytes} {eta}");
            let bar = ProgressBar::new(self.bytes)
                .with_prefix(self.what)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar = Some(bar);
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
