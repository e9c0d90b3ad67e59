//! `dosed import`.

use super::{
    exit::Exit,
    fhir_file::{FhirFile, FhirFileError},
    preview::{
        self, Moment,
        fhir::{Said, terms},
    },
    terminal,
};
use crate::plan::Zone;
use crate::plan::fhir::{self, Kind, Names, Request, Subject, Terms};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Requests of about so many bytes are held at a time; more wait in temporary files.
const HELD_BYTES: u64 = 24 << 20;

/// Write plans from other systems' records.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    Fhir(FhirArgs),
}

/// Write plans from FHIR R4 MedicationRequests: one file a patient.
///
/// FILE is a resource, a Bundle, or NDJSON. Each plan gives the same doses at the same instants as
/// `dosed preview --fhir`; what a plan cannot say is left out and named. Exit code 0, 1 when
/// something that is reminded of could not be carried over, 65 when a resource was refused (the
/// others are written), 73 when a file is there already (none is written).
#[derive(Debug, clap::Args)]
struct FhirArgs {
    /// The resources.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The directory of the plans; it is made if need be.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The patients' zone. Left out: this machine's.
    #[arg(long, value_name = "TZ", value_parser = preview::zone)]
    timezone: Option<Zone>,
    /// The start of what does not say its own: RFC 3339, or a local date or date-time.
    #[arg(long, value_name = "T")]
    start: Option<Moment>,
    /// What the words of the day mean: a TOML file with a [day] table or its keys.
    #[arg(long, value_name = "FILE")]
    day: Option<PathBuf>,
    /// Replace plans that are there already.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let Format::Fhir(args) = &args.format;
    let terms = match terms(args.timezone.as_ref(), args.start, args.day.as_deref()) {
        Ok(terms) => terms,
        Err(exit) => return exit,
    };
    let mut said = Said::default();
    let done = import(args, &terms, &mut said);
    said.flush();
    match done {
        Ok(done) => {
            let plans = |n: usize| {
                let plural = if n == 1 { "" } else { "s" };
                format!("{n} plan{plural} written to {}\n", args.out.display())
            };
            terminal::write_stderr(&plans(done.written));
            if said.errors > 0 {
                Exit::BadData
            } else if done.lost > 0 {
                Exit::Findings
            } else {
                Exit::Ok
            }
        }
        Err(Failed::File(error)) => error.report(),
        Err(Failed::Spill(error)) => {
            terminal::write_stderr(&format!("dosed: a temporary file failed: {error}\n"));
            Exit::Io
        }
        Err(Failed::Exists(path)) => {
            terminal::write_stderr(&format!(
                "dosed: {}: it is there already, and nothing was written; --force replaces it\n",
                path.display()
            ));
            Exit::CannotCreate
        }
        Err(Failed::Output { path, error }) => {
            terminal::write_stderr(&format!("dosed: {}: {error}\n", path.display()));
            Exit::CannotCreate
        }
    }
}

enum Failed {
    File(FhirFileError),
    Spill(io::Error),
    Exists(PathBuf),
    Output { path: PathBuf, error: io::Error },
}

struct Done {
    written: usize,
    lost: usize,
}

/// The requests of all subjects, in temporary files by subject, so that those of one subject can
/// be read together without holding those of all.
struct Parts {
    files: Vec<BufWriter<File>>,
}

impl Parts {
    fn new(bytes: u64) -> io::Result<Self> {
        let number = (bytes / HELD_BYTES + 1).min(256);
        let file = || tempfile::tempfile().map(BufWriter::new);
        Ok(Self {
            files: (0..number).map(|_| file()).collect::<Result<_, _>>()?,
        })
    }

    fn add(&mut self, subject: u32, text: &str) -> io::Result<()> {
        let index = subject as usize % self.files.len();
        let file = &mut self.files[index];
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        file.write_all(&subject.to_le_bytes())?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(text.as_bytes())
    }

    /// Calls `visit` with the requests of each subject, in the order of the file.
    fn each(
        self,
        mut visit: impl FnMut(u32, Vec<String>) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        for writer in self.files {
            let mut file = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            let mut reader = BufReader::new(file);
            let mut subjects: BTreeMap<u32, Vec<String>> = BTreeMap::new();
            loop {
                let mut number = [0; 4];
                match reader.read_exact(&mut number) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                    read => read?,
                }
                let subject = u32::from_le_bytes(number);
                reader.read_exact(&mut number)?;
                let mut bytes = vec![0; u32::from_le_bytes(number) as usize];
                reader.read_exact(&mut bytes)?;
                let text = String::from_utf8(bytes).map_err(io::Error::other)?;
                subjects.entry(subject).or_default().push(text);
            }
            for (subject, texts) in subjects {
                visit(subject, texts)?;
            }
        }
        Ok(())
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Spill(error)
    }
}

fn import(args: &FhirArgs, terms: &Terms, said: &mut Said) -> Result<Done, Failed> {
    let file = FhirFile::open(&args.file).map_err(Failed::File)?;
    let names = file.names(true).map_err(Failed::File)?;
    let mut parts = Parts::new(file.bytes())?;
    let stems = sort_out(&file, &names, terms, &mut parts, said)?;
    let path = |subject: u32| args.out.join(format!("{}.toml", stems[subject as usize]));
    if !args.force
        && let Some(there) = (0..stems.len() as u32)
            .map(path)
            .find(|path| path.symlink_metadata().is_ok())
    {
        return Err(Failed::Exists(there));
    }
    fs::create_dir_all(&args.out).map_err(|error| Failed::Output {
        path: args.out.clone(),
        error,
    })?;
    let mut done = Done {
        written: 0,
        lost: 0,
    };
    parts.each(|subject, texts| {
        let requests: Vec<Request> = texts
            .iter()
            .filter_map(|text| fhir::read(text, &names, terms).ok())
            .collect();
        let Some(first) = requests.first() else {
            return Ok(());
        };
        let written = fhir::write(&Subject::of(first, &names), &requests, terms);
        for left in &written.left {
            said.line("warning", left);
        }
        for lost in &written.lost {
            said.line("warning", lost);
        }
        done.lost += written.lost.len();
        if let Some(text) = written.text {
            let path = path(subject);
            replace(&path, &text).map_err(|error| Failed::Output { path, error })?;
            done.written += 1;
        }
        Ok(())
    })?;
    Ok(done)
}

/// Puts the requests that ask for something into the parts; the stems of their subjects' plans.
fn sort_out(
    file: &FhirFile,
    names: &Names,
    terms: &Terms,
    parts: &mut Parts,
    said: &mut Said,
) -> Result<Vec<String>, Failed> {
    let mut subjects: HashMap<String, u32> = HashMap::new();
    let mut stems = Stems::default();
    let mut requests = 0_u64;
    let mut added = Ok(());
    let visited = file.each("requests", |_| true, &mut |found| {
        let resource = match found {
            Ok((resource, _)) => resource,
            Err(refused) => return said.error(&refused),
        };
        if resource.kind != Kind::MedicationRequest {
            return;
        }
        requests += 1;
        let request = match fhir::read(resource.text, names, terms) {
            Ok(request) => request,
            Err(refusal) => return said.error(&refusal),
        };
        if request.courses.is_empty() && request.needed.is_empty() {
            if let Some(reason) = &request.unscheduled {
                said.line(
                    "note",
                    &format_args!(
                        "MedicationRequest/{}: not carried over: {reason}",
                        request.id
                    ),
                );
            }
            return;
        }
        let subject = *subjects
            .entry(request.subject)
            .or_insert_with_key(|reference| stems.add(reference));
        if added.is_ok() {
            added = parts.add(subject, resource.text);
        }
    });
    visited.map_err(Failed::File)?;
    added?;
    if requests == 0 && said.errors == 0 {
        said.error(&"resourceType: it holds no MedicationRequest");
    }
    Ok(stems.all)
}

/// The stems of plan files, each once.
#[derive(Default)]
struct Stems {
    all: Vec<String>,
    taken: HashSet<String>,
    next: HashMap<String, u32>,
}

impl Stems {
    fn add(&mut self, reference: &str) -> u32 {
        let slug = fhir::slug(reference);
        let mut stem = slug.clone();
        while !self.taken.insert(stem.clone()) {
            let number = self.next.entry(slug.clone()).or_insert(1);
            *number += 1;
            stem = format!("{slug}-{number}");
        }
        self.all.push(stem);
        (self.all.len() - 1) as u32
    }
}

/// Writes a file whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".#import")
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_a_stem_of_its_own() {
        let mut stems = Stems::default();
        for reference in [
            "Patient/A",
            "Patient/a",
            "a",
            "Patient/a-2",
            "王秀兰",
            "urn:uuid:B",
        ] {
            stems.add(reference);
        }
        assert_eq!(stems.all, ["a", "a-2", "a-3", "a-2-2", "patient", "b"]);
    }
}
