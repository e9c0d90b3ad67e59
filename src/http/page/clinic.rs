//! What the pages may ask of the daemon: a handle, and views that hold no type of the store.

use super::gate::Trouble;
use crate::engine::{CallReason, DoseState, ExpiredReason, Role, Value};
use crate::http::admin::{CallEnded, EndCallRequest, Said};
use crate::http::health::Health;
use crate::http::page::patient::view::Patients;
use crate::plan::diagnostic::Diagnostic;
use crate::plan::{Language, Zone};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What the pages may ask. Whoever stands behind it reads on threads where it may wait, and gives
/// no more than a page's worth at once.
pub trait Clinic: Patients {
    /// The clinic's name; may be empty.
    fn name(&self) -> String;
    /// The clinic's zone and its language.
    fn manners(&self) -> (Zone, Language);
    /// The clock.
    fn now(&self) -> Timestamp;
    /// Steady time, for the ages of sessions.
    fn elapsed(&self) -> Duration;

    /// Whether there is any account: without one the pages are off.
    fn is_open(&self) -> bool;
    /// The account of this name.
    fn account(&self, name: &str) -> Option<Account>;
    /// The account of this name, if that is its password. Takes the same time for a name that
    /// nobody has; one is looked at at a time.
    fn sign_in(&self, name: String, password: String) -> BoxFuture<'_, Option<Account>>;
    /// Keeps that somebody saw or did something. Returns at once; it is durable a moment later.
    fn note(&self, deed: Deed);
    /// Counts.
    fn count(&self, event: Event);

    /// How the daemon is.
    fn health(&self) -> Health;
    /// When each job of housekeeping ran.
    fn jobs(&self) -> Asked<'_, Vec<JobLine>>;
    /// Who saw and did what: a page of lines older than the given place, the newest first.
    fn audit(&self, before: Option<Leaf>) -> Asked<'_, AuditLeaf>;

    /// What is due on the clinic's day, and what became of it.
    fn today(&self) -> Asked<'_, Arc<Today>>;
    /// Whom to ring, those who have waited longest first.
    fn calls(&self) -> Asked<'_, Calls>;
    /// Takes a patient off the call list.
    fn end_call(&self, by: &Account, done: EndCallRequest) -> BoxFuture<'_, CallEnded>;
    /// What people wrote within the last days, the newest first.
    fn inbox(&self) -> Asked<'_, Arc<Inbox>>;
    /// Says something to one patient, as `dosed say` does.
    fn say(&self, by: &Account, patient: String, text: String) -> BoxFuture<'_, Said>;
    /// The plans of a page: those in force after the given id, in the order of ids.
    fn plans(&self, after: Option<String>) -> Asked<'_, Plans>;
}

/// What comes of asking the store.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, Trouble>>;

/// A place in something that is read page by page.
pub type Leaf = (u32, u32);

/// A patient as lists name one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub patient: String,
    /// The name; `None` where no plan is in force.
    pub name: Option<String>,
}

/// What is due on the clinic's day.
#[derive(Clone, Debug, Default)]
pub struct Today {
    /// The doses due so far, those that somebody should look at first.
    pub doses: Vec<Dose>,
    /// The questions due so far, those that somebody should look at first.
    pub check_ins: Vec<Question>,
    /// What is due within the next hours, by instant.
    pub next: Vec<Slot>,
    /// How many doses there are in `next`.
    pub doses_next: usize,
    /// How many questions there are in `next`.
    pub check_ins_next: usize,
    /// Rows of the store that cannot be read, and are left out.
    pub unreadable: u64,
}

/// A dose that was due.
#[derive(Clone, Debug)]
pub struct Dose {
    /// Whose.
    pub person: Person,
    /// The medication's name; its id where the plan does not have it any more.
    pub medication: String,
    /// `take`; may be empty.
    pub amount: String,
    /// When.
    pub due: Timestamp,
    /// What became of it.
    pub state: DoseState,
    /// Why it expired.
    pub reason: Option<ExpiredReason>,
    /// When the first reminder was taken by the channel.
    pub reminded: Option<Timestamp>,
    /// A reminder was sent and no answer of the channel was read.
    pub in_doubt: bool,
    /// When somebody said what became of it.
    pub answered: Option<Timestamp>,
}

/// A question that was due.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whose.
    pub person: Person,
    /// What is asked; the check-in's id where the plan does not have it any more.
    pub ask: String,
    /// When.
    pub due: Timestamp,
    /// What became of it.
    pub state: QuestionState,
    /// Why it was not asked in time.
    pub reason: Option<ExpiredReason>,
    /// When the channel took it, as far as it waits or was not answered.
    pub asked: Option<Timestamp>,
    /// It was sent and no answer of the channel was read.
    pub in_doubt: bool,
    /// The answer, and when it was noted.
    pub answer: Option<(Value, Timestamp)>,
    /// A person must look at the answer.
    pub alert: bool,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionState {
    /// It waits for an answer.
    Open,
    /// It was answered.
    Answered,
    /// It was asked, and nobody answered within its time.
    Missed,
    /// It was not asked in time.
    Expired,
    /// An edit took it back.
    Cancelled,
}

/// What is due at one instant.
#[derive(Clone, Debug)]
pub struct Slot {
    /// When.
    pub due: Timestamp,
    /// How many doses.
    pub doses: usize,
    /// How many questions.
    pub check_ins: usize,
    /// Some of those whose they are.
    pub people: Vec<Person>,
    /// There are others.
    pub more: bool,
}

/// Whom to ring.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Those who have waited longest first.
    pub calls: Vec<Call>,
    /// Rows of the store that cannot be read, and are left out.
    pub unreadable: u64,
}

/// A patient whom a person is to ring.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whom.
    pub person: Person,
    /// Why.
    pub reason: CallReason,
    /// When there was a reason first.
    pub since: Timestamp,
    /// When there was a reason last.
    pub last: Timestamp,
    /// Name of each caregiver, what they are to the patient, whether news reaches them.
    pub caregivers: Vec<(String, String, bool)>,
}

/// What people wrote.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    /// The newest first; those that cannot wait and are not answered before all others.
    pub written: Vec<Written>,
    /// Rows of the store that cannot be read, and are left out.
    pub unreadable: u64,
}

/// Something that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// When.
    pub at: Timestamp,
    /// By or for which patient; `None`: somebody whom nobody knows.
    pub person: Option<Person>,
    /// Who wrote it, if not the patient: the caregiver's name or id, or the stranger's number.
    pub by: Option<String>,
    /// It holds a word that cannot wait.
    pub red_flag: bool,
    /// The words.
    pub text: String,
    /// What the clinic said to the patient after that: when, who, the words, whether a message
    /// could go.
    pub answers: Vec<Reply>,
}

/// What the clinic said.
#[derive(Clone, Debug)]
pub struct Reply {
    /// When.
    pub at: Timestamp,
    /// Who; empty for whoever is at the machine.
    pub by: String,
    /// The words.
    pub text: String,
    /// A message went to the patient; else they are on the call list.
    pub sent: bool,
}

/// A page of plans.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    /// How many are in force.
    pub active: usize,
    /// Files that are refused, with what is wrong. The last good version stays in force.
    pub rejected: Vec<Rejected>,
    /// How many are gone from the directory, too many at once to be believed.
    pub held_removals: usize,
    /// Why the last reload was refused whole.
    pub refused: Option<String>,
    /// When plans were read last.
    pub last_reload: Option<Timestamp>,
    /// The last edits, the newest first.
    pub edits: Vec<PlanEdit>,
    /// Those in force, on this page.
    pub in_force: Vec<PlanInForce>,
    /// The id after which the next page begins.
    pub next: Option<String>,
    /// Rows of the store that cannot be read, and are left out.
    pub unreadable: u64,
}

/// A file that is refused.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The patient's id, where it is a plan.
    pub patient: Option<String>,
    /// What is wrong, and where.
    pub findings: Vec<Diagnostic>,
}

/// What an edit did.
#[derive(Clone, Debug)]
pub struct PlanEdit {
    /// When.
    pub at: Timestamp,
    /// Whose plan.
    pub person: Person,
    /// What.
    pub what: Edited,
    /// The text before, and the text after it; empty where there was none.
    pub texts: (String, String),
}

/// What an edit of a plan was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// The first version.
    New,
    /// Another meaning.
    Changed,
    /// Another text of the same meaning.
    Reworded,
    /// The plan ended.
    Ended,
}

/// A plan that is in force.
#[derive(Clone, Debug)]
pub struct PlanInForce {
    /// Whose.
    pub person: Person,
    /// Number of the version.
    pub version: u32,
    /// The names of its medications.
    pub medications: Vec<String>,
    /// How many check-ins it has.
    pub check_ins: usize,
}

/// When a job of housekeeping ran.
#[derive(Clone, Debug)]
pub struct JobLine {
    /// Its name.
    pub name: &'static str,
    /// The name of its check in health.
    pub check: &'static str,
    /// When it was started last.
    pub started: Option<Timestamp>,
    /// When it succeeded last.
    pub succeeded: Option<Timestamp>,
    /// The last run failed.
    pub failed: bool,
}

/// A page of the audit.
#[derive(Clone, Debug, Default)]
pub struct AuditLeaf {
    /// The newest first.
    pub lines: Vec<AuditLine>,
    /// Where older ones begin.
    pub older: Option<Leaf>,
}

/// A line of the audit.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub account: String,
    /// What.
    pub what: String,
    /// Whom it concerned.
    pub patient: Option<String>,
    /// What came of it; empty where it only was seen.
    pub outcome: String,
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The language that was chosen for them.
    pub language: Option<Language>,
    /// Changes when the password does: whoever signed in with the old one is signed out.
    pub stamp: [u8; 16],
}

/// Something that somebody saw or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The name of the account.
    pub account: String,
    /// What: the route's word.
    pub what: &'static str,
    /// The id of the patient whom it concerns.
    pub patient: Option<String>,
    /// What came of it; empty where it only was seen.
    pub outcome: &'static str,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody signed in.
    SignedIn,
    /// The password was wrong, or nobody has that name.
    WrongPassword,
    /// Too many tries: the password was not looked at.
    TooManyTries,
    /// Nobody is signed in.
    SignedOut,
    /// The account may not do that.
    NotAllowed,
    /// The request did not come from a page of ours.
    Forged,
    /// The request is longer than any of ours.
    TooLong,
    /// The body did not come.
    TooSlow,
    /// There is no such page, or no such patient.
    NotFound,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 9] = [
        Event::SignedIn,
        Event::WrongPassword,
        Event::TooManyTries,
        Event::SignedOut,
        Event::NotAllowed,
        Event::Forged,
        Event::TooLong,
        Event::TooSlow,
        Event::NotFound,
    ];

    /// The name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Event::SignedIn => "signed_in",
            Event::WrongPassword => "wrong_password",
            Event::TooManyTries => "too_many_tries",
            Event::SignedOut => "signed_out",
            Event::NotAllowed => "not_allowed",
            Event::Forged => "forged",
            Event::TooLong => "too_long",
            Event::TooSlow => "too_slow",
            Event::NotFound => "not_found",
        }
    }
}
