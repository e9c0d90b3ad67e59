//! What the pages of one patient are told: views that hold no type of the store.

use crate::engine::{Adherence, DoseCalendar, Entry, Expected, ExpiredReason, OpenDose, Value};
use crate::http::admin::{EnrolRequest, Enrolled};
use crate::http::page::clinic::Asked;
use crate::plan::diagnostic::Diagnostic;
use crate::plan::{Language, ResolvedPlan, Zone};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::civil::Date;

/// What the pages of one patient may ask. Whoever stands behind it reads on threads where it may
/// wait, that patient's rows alone, and gives no more than a page's worth at once.
pub trait Patients: Send + Sync + 'static {
    /// The patient's page; `None` where there never was a plan of this id.
    fn patient(&self, id: String, ask: PatientAsk) -> Asked<'_, Option<PatientView>>;
    /// A page of the journal, older than `before`, a mark that an earlier page gave.
    fn journal(&self, id: String, before: Option<String>) -> Asked<'_, Option<JournalView>>;
    /// Texts of the plan that were in force, older than version `before`.
    fn plan_texts(&self, id: String, before: Option<u32>) -> Asked<'_, Option<PlanTexts>>;
    /// Makes a code by whose scan a contact is bound.
    fn enrol(&self, request: EnrolRequest) -> BoxFuture<'_, Enrolled>;
    /// What lies where a plan is edited; `None` where no patient can have this id.
    fn plan_file(&self, id: String) -> Asked<'_, Option<PlanFile>>;
    /// What a text would mean and do. Nothing is written.
    fn read_plan(
        &self,
        id: String,
        text: String,
        language: Language,
    ) -> Asked<'_, Option<PlanReading>>;
    /// Saves a text in the place of what was loaded, as a whole or not at all, and brings it into
    /// force.
    fn save_plan(
        &self,
        id: String,
        text: String,
        loaded: Option<String>,
        language: Language,
    ) -> Asked<'_, Option<Saved>>;
}

/// Which part of the past the patient's page is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatientAsk {
    /// The first day of the month of the calendar; `None`: this one.
    pub month: Option<Date>,
    /// Answers of so many days.
    pub days: u16,
}

/// The patient's page.
pub struct PatientView {
    /// The patient's id.
    pub id: String,
    /// The plan in force.
    pub plan: Option<ResolvedPlan>,
    /// Its version.
    pub version: Option<u32>,
    /// The patient's zone.
    pub zone: Zone,
    /// The moment of which this is.
    pub now: Timestamp,
    /// Doses that wait for an answer.
    pub open: Vec<OpenDose>,
    /// What falls within the next days, as the daemon would decide it now.
    pub next: Vec<Expected>,
    /// Who is reached.
    pub reach: ReachView,
    /// Figures of the last days, by their number.
    pub figures: Vec<(u16, Adherence)>,
    /// The first day of the month of the calendar.
    pub month: Date,
    /// Doses of that month.
    pub calendar: DoseCalendar,
    /// Answers of so many days.
    pub days: u16,
    /// Answers to check-ins, by their ids.
    pub answers: Vec<Answers>,
    /// The newest entries of the journal.
    pub journal: JournalView,
}

/// Answers to one check-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The check-in's id.
    pub check_in: String,
    /// In the order of the instants at which it was asked.
    pub askings: Vec<Asking>,
}

/// One asking of a check-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The scheduled instant.
    pub due: Timestamp,
    /// The answer; `None`: nobody answered.
    pub value: Option<Value>,
    /// A person must look at it.
    pub alert: bool,
    /// It came after its window.
    pub late: bool,
}

/// A part of the journal, the newest entry first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalView {
    /// When each was written, and what it says.
    pub entries: Vec<(Timestamp, Entry)>,
    /// The mark from which it goes on to older ones.
    pub older: Option<String>,
    /// What the ids in it are called; `None` where no plan is in force.
    pub plan: Option<ResolvedPlan>,
}

/// Who is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachView {
    /// The patient's own contact was bound by a scan.
    pub bound: bool,
    /// The plan names the patient's contact.
    pub attested: bool,
    /// Why no message can go to the patient; `None` when one can.
    pub barred: Option<ExpiredReason>,
    /// Of caregivers, by their ids: whether news reaches them.
    pub caregivers: Vec<(String, bool)>,
}

/// Texts that were in force, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTexts {
    /// Of each its version, when it came into force, its file and its text.
    pub versions: Vec<PlanText>,
    /// The one before the last of them, to compare it with.
    pub before: Option<PlanText>,
    /// The patient's zone.
    pub zone: Zone,
}

/// A text that was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanText {
    /// Its number.
    pub version: u32,
    /// When it came into force.
    pub at: Timestamp,
    /// The file it was read from.
    pub file: String,
    /// The text.
    pub text: String,
}

/// What lies where a plan is edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// The file, as the daemon finds it.
    pub path: String,
    /// What is in it.
    pub content: PlanContent,
    /// Whether the daemon may write there.
    pub writable: bool,
}

/// What is in a plan's file.
#[derive(Clone, PartialEq, Eq)]
pub enum PlanContent {
    /// A text.
    Text {
        /// The text, lines ended by line feeds.
        text: String,
        /// What tells whether it has changed since.
        loaded: String,
    },
    /// There is no file yet.
    Nothing,
    /// The plan stands in the configuration, and is edited there.
    Inline,
    /// It is not edited here: why.
    Other(String),
}

/// `Debug` shows no text: it is medical data.
impl std::fmt::Debug for PlanContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PlanContent::Text { .. } => "Text",
            PlanContent::Nothing => "Nothing",
            PlanContent::Inline => "Inline",
            PlanContent::Other(_) => "Other",
        })
    }
}

/// What a text would mean and do, in the reader's language.
#[derive(Default)]
pub struct PlanReading {
    /// What is wrong with it: the same as `dosed check` finds.
    pub findings: Vec<Diagnostic>,
    /// What it means, one sentence each; empty if it is refused.
    pub sentences: Vec<String>,
    /// The next reminders, one line each.
    pub next: Vec<String>,
    /// What bringing it into force would do, in a sentence; `None` where nothing would change.
    pub what: Option<String>,
    /// What would change: the same as `dosed diff` tells.
    pub changes: Vec<String>,
}

impl PlanReading {
    /// Whether the text is refused.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
    }
}

/// What came of saving a plan.
pub enum Saved {
    /// It stands in the file.
    Saved {
        /// The version in force that has this text; `None` where it is not in force yet.
        version: Option<u32>,
        /// Why it is not.
        why_not: Option<String>,
    },
    /// The text is wrong. Nothing was written.
    Wrong(PlanReading),
    /// The file has changed since it was loaded. Nothing was written.
    Changed {
        /// What stands there now.
        now: PlanFile,
    },
    /// The daemon may not write there. Nothing was written.
    ReadOnly,
    /// The plan is not edited here: why. Nothing was written.
    NotHere(String),
    /// It failed: why.
    Failed(String),
}
