//! Plans edited from the doctor's page: what a text would mean and do, and saving it by the same
//! path as an edit on disk. The planner takes it up from there as any other edit.

mod file;

use super::config::Config;
use super::plan_changes;
use super::plan_files::{LoadedPlan, Terms, inline_plans, read_bytes};
use super::rehearsal::{Rehearsal, Turn, What};
use super::shared::Shared;
use crate::http::admin::{Reloaded, Request};
use crate::http::page::patient::view::{PlanContent, PlanFile, PlanReading, Saved};
use crate::plan::explain::{amount_words, list_separator, moment};
use crate::plan::reader::Document;
use crate::plan::{Language, PatientId};
use crate::store::{PlanHead, Reader, StoreError};
use file::{Hash, Lying, SaveError};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A longer text is edited on disk.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Reminders that are listed.
const REMINDERS: usize = 10;

/// So long is waited for a text that was saved to come into force. It does so afterwards, too.
const PATIENCE: Duration = Duration::from_secs(20);

/// The desk at which plans are edited.
pub struct PlanEditor {
    shared: Arc<Shared>,
    planner: mpsc::Sender<Request>,
    /// One plan is saved at a time.
    saving: Mutex<()>,
}

/// What a text comes to, and what is in force.
struct Judged {
    loaded: LoadedPlan,
    reading: PlanReading,
}

impl PlanEditor {
    /// A desk that gives what was saved to the planner.
    #[must_use]
    pub fn new(shared: Arc<Shared>, planner: mpsc::Sender<Request>) -> Self {
        Self {
            shared,
            planner,
            saving: Mutex::new(()),
        }
    }

    /// The configuration by which the planner reads plans. Before it has begun there is none, and
    /// nothing can be edited yet.
    fn config(&self) -> Result<Arc<Config>, StoreError> {
        self.shared.config().ok_or(StoreError::Closed)
    }

    /// What lies where the patient's plan is edited.
    ///
    /// # Errors
    /// The daemon has not begun yet.
    pub fn open(&self, patient: &PatientId) -> Result<PlanFile, StoreError> {
        let config = self.config()?;
        Ok(plan_file(&config, patient))
    }

    /// What a text would mean and do.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn read(
        &self,
        reader: &Reader,
        patient: &PatientId,
        text: &str,
        language: Language,
    ) -> Result<PlanReading, StoreError> {
        let config = self.config()?;
        let bytes = as_on_disk(text, &lying(&config, patient));
        Ok(self
            .judge(&config, reader, patient, bytes, language)?
            .reading)
    }

    fn judge(
        &self,
        config: &Config,
        reader: &Reader,
        patient: &PatientId,
        bytes: Vec<u8>,
        language: Language,
    ) -> Result<Judged, StoreError> {
        let now = self.shared.now();
        let path = config.clinic.plans.join(file::name(patient));
        let loaded = read_bytes(&path, bytes, &Terms::of(config, now));
        let mut reading = PlanReading::default();
        match &loaded.plan {
            Err(findings) => reading.findings.clone_from(findings),
            Ok(read) => {
                reading.findings.clone_from(&read.warnings);
                reading.sentences = read.plan.explain(language);
                reading.next = next_reminders(read, now, language);
            }
        }
        let treatments = reader.treatments([patient.as_str()])?;
        let kept = treatments.patients.get(patient.as_str());
        let head = kept
            .and_then(|kept| kept.plan.as_ref())
            .map(|(head, _)| head);
        let turn = match &loaded.plan {
            Err(findings) => Some(Turn::Reject(findings.clone())),
            Ok(_) => plan_changes::change(config, patient, &loaded, head)
                .map(|change| Turn::of(change, head)),
        };
        if let Some(turn) = turn {
            let rehearsal = Rehearsal::new(now, config.limits());
            let report = rehearsal.report(patient.as_str(), &turn, kept, Some(&treatments.ids));
            if let Some(report) = report {
                reading.what = Some(report.what.words(language).to_owned());
                if !matches!(report.what, What::Reword | What::Reject { .. }) {
                    reading.changes = report.sentences(language);
                }
            }
        }
        Ok(Judged { loaded, reading })
    }

    /// Writes a text in the place of what was `loaded` (`None`: there was none).
    ///
    /// # Errors
    /// The store cannot be read. Nothing was written.
    pub fn write(
        &self,
        reader: &Reader,
        patient: &PatientId,
        text: &str,
        loaded: Option<&str>,
        language: Language,
    ) -> Result<Written, StoreError> {
        let _turn = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let config = self.config()?;
        let config = config.as_ref();
        if is_inline(config, patient) {
            let why = "the plan stands in the configuration and is edited there".to_owned();
            return Ok(Written::Refused(Saved::NotHere(why)));
        }
        let there = lying(config, patient);
        let changed = || {
            Written::Refused(Saved::Changed {
                now: plan_file(config, patient),
            })
        };
        let loaded: Option<Hash> = match loaded.map(hash_of) {
            // Nothing that was ever loaded.
            Some(None) => return Ok(changed()),
            Some(Some(hash)) => Some(hash),
            None => None,
        };
        // Said before what is wrong with the text: it may be right with what stands there now.
        match (&there, &loaded) {
            (Ok(Lying::File { hash, .. }), Some(loaded)) if hash == loaded => {}
            (Ok(Lying::Nothing), None) => {}
            (Ok(Lying::Other(odd)), _) => {
                return Ok(Written::Refused(Saved::NotHere(odd.to_string())));
            }
            (Err(error), _) => return Ok(Written::Refused(Saved::Failed(error.to_string()))),
            _ => return Ok(changed()),
        }
        let bytes = as_on_disk(text, &there);
        let judged = self.judge(config, reader, patient, bytes.clone(), language)?;
        if judged.loaded.plan.is_err() {
            return Ok(Written::Refused(Saved::Wrong(judged.reading)));
        }
        let saved = file::save(&config.clinic.plans, patient, &bytes, loaded.as_ref());
        Ok(match saved {
            Ok(()) => Written::Done(judged.loaded.source_hash),
            Err(SaveError::Changed) => changed(),
            Err(SaveError::ReadOnly) => Written::Refused(Saved::ReadOnly),
            Err(SaveError::Other(odd)) => Written::Refused(Saved::NotHere(odd.to_string())),
            Err(SaveError::Io(error)) => Written::Refused(Saved::Failed(error.to_string())),
        })
    }

    /// Brings what was written into force, and waits for that. Whatever fails from here on, the
    /// planner finds the text in the file.
    pub async fn bring_into_force(&self, patient: &PatientId, written: Written) -> Saved {
        let hash = match written {
            Written::Refused(saved) => return saved,
            Written::Done(hash) => hash,
        };
        let reloaded = tokio::time::timeout(PATIENCE, self.reload()).await;
        let asked = self.shared.store.heads_of(vec![patient.to_string()]).await;
        let heads = asked.unwrap_or_default();
        let head = heads.get(patient.as_str());
        let head: Option<&PlanHead> = head.filter(|head| head.source == hash);
        let why_not = match (head, reloaded) {
            (Some(_), _) => None,
            (
                None,
                Ok(Some(Reloaded {
                    refused: Some(why), ..
                })),
            ) => Some(why),
            (None, Ok(Some(_))) => {
                Some("the plans were read, and this one is not in force".to_owned())
            }
            (None, Ok(None)) => Some("the daemon is ending".to_owned()),
            (None, Err(_)) => Some("the plans are still being read".to_owned()),
        };
        Saved::Saved {
            version: head.map(|head| head.version),
            why_not,
        }
    }

    async fn reload(&self) -> Option<Reloaded> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Reload {
            accept_removals: false,
            answer,
        };
        self.planner.send(request).await.ok()?;
        answered.await.ok()
    }
}

/// What came of writing.
pub enum Written {
    /// Nothing was written: why.
    Refused(Saved),
    /// Bytes with this hash stand in the file.
    Done(Hash),
}

fn lying(config: &Config, patient: &PatientId) -> std::io::Result<Lying> {
    file::look(&config.clinic.plans, patient)
}

fn plan_file(config: &Config, patient: &PatientId) -> PlanFile {
    let directory = &config.clinic.plans;
    let content = if is_inline(config, patient) {
        PlanContent::Inline
    } else {
        match lying(config, patient) {
            Ok(Lying::Nothing) => PlanContent::Nothing,
            Ok(Lying::Other(odd)) => PlanContent::Other(odd.to_string()),
            Ok(Lying::File { bytes, hash }) => match String::from_utf8(bytes) {
                Ok(text) if text.len() > TEXT_BYTES_MAX => {
                    PlanContent::Other("it is too large to be edited here".to_owned())
                }
                Ok(text) => PlanContent::Text {
                    text: as_in_a_form(&text),
                    loaded: hex(&hash),
                },
                Err(_) => PlanContent::Other("it is not UTF-8".to_owned()),
            },
            Err(error) => PlanContent::Other(error.to_string()),
        }
    };
    PlanFile {
        path: directory.join(file::name(patient)).display().to_string(),
        content,
        writable: file::is_writable(directory),
    }
}

fn is_inline(config: &Config, patient: &PatientId) -> bool {
    let document = Document::parse(&config.source);
    document.root().is_some_and(|root| {
        let plans = inline_plans(&root);
        plans
            .iter()
            .any(|plan| plan.entry.key() == patient.as_str())
    })
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A text as a form shows it: lines end with a line feed, no byte order mark.
fn as_in_a_form(text: &str) -> String {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    text.replace("\r\n", "\n")
}

/// A text of a form as the file has it: forms end lines with carriage return and line feed,
/// whatever the file did. The rest is kept as it is.
fn as_on_disk(text: &str, there: &std::io::Result<Lying>) -> Vec<u8> {
    let text = as_in_a_form(text);
    let before = match there {
        Ok(Lying::File { bytes, .. }) => bytes.as_slice(),
        _ => &[],
    };
    let count = |pattern: &[u8]| {
        before
            .windows(pattern.len())
            .filter(|it| *it == pattern)
            .count()
    };
    let text = if 2 * count(b"\r\n") > count(b"\n") {
        text.replace('\n', "\r\n")
    } else {
        text
    };
    if before.starts_with(BYTE_ORDER_MARK.as_bytes()) {
        [BYTE_ORDER_MARK.as_bytes(), text.as_bytes()].concat()
    } else {
        text.into_bytes()
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash_of(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// The next reminders, one line each.
fn next_reminders(read: &crate::plan::ReadPlan, now: Timestamp, language: Language) -> Vec<String> {
    let reminders = read.next_reminders(now, REMINDERS);
    let lines = reminders.iter().map(|due| {
        let things: Vec<String> = due
            .iter()
            .map(|due| match &due.dose {
                Some(amount) => format!("{} {}", due.name, amount_words(language, amount)),
                None => due.name.to_owned(),
            })
            .collect();
        let at = moment(language, &read.plan.zone, due[0].at);
        format!("{at}  {}", things.join(list_separator(language)))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> Lying {
        Lying::File {
            bytes: bytes.to_vec(),
            hash: file::hash(bytes),
        }
    }

    #[test]
    fn what_a_form_sends_back_unchanged_is_the_file_byte_for_byte() {
        for text in [
            "",
            "\n",
            "# a\nname = \"王\"\n",
            "no end of line",
            "# a\r\nname = \"x\"\r\n",
            "\u{feff}# a\nb\n",
            "\u{feff}# a\r\nb\r\n",
            "\n\n# begins with empty lines\n",
        ] {
            let there = Ok(file(text.as_bytes()));
            // As a browser sends it.
            let sent = as_in_a_form(text).replace('\n', "\r\n");
            assert_eq!(as_on_disk(&sent, &there), text.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn a_new_file_has_line_feeds() {
        assert_eq!(as_on_disk("a\r\nb\r\n", &Ok(Lying::Nothing)), b"a\nb\n");
    }

    #[test]
    fn only_a_whole_hash_is_one() {
        let hash = file::hash(b"text");
        assert_eq!(hash_of(&hex(&hash)), Some(hash));
        for bad in ["", "00", &"g".repeat(64), &"+1".repeat(32), &"0".repeat(65)] {
            assert_eq!(hash_of(bad), None, "{bad}");
        }
    }
}
