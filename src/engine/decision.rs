//! What can happen to a patient, and what follows.

use super::{
    DoseState, ExpiredReason, Fits, GivenAnswer, Message, MessageId, Millis, OutboxRef,
    PatientState, Recipient, Reply, Teller, Value,
};
use crate::plan::{Language, ResolvedPlan, Stock};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a step may look at besides plan, state and input. All of it is given and none of it
/// changes during the step.
pub struct Context<'a> {
    /// The patient's number, part of the identity of each message.
    pub patient: u32,
    /// Why no message can go to the patient; `None` when one can.
    pub barred: Option<ExpiredReason>,
    /// Whether the patient can answer over the channel: only then are reminders repeated and
    /// silence reported.
    pub answers: bool,
    /// Ids of the caregivers to whom messages can go.
    pub caregivers: &'a [String],
    /// Members of staff to whom messages can go.
    pub staff: &'a [StaffMember],
    /// What the channel can hold in one message.
    pub fits: &'a dyn Fits,
    /// The key of message ids.
    pub ids: &'a super::IdKey,
    /// Those of the state's unsettled messages that were claimed for sending: they cannot be
    /// withdrawn any more.
    pub claimed: &'a [MessageId],
    /// The latest clock by which ages may be told: after the wall clock was set ahead what is
    /// remembered is not as old as it seems. `None`: nothing grows old.
    pub ages_by: Option<Timestamp>,
}

/// A member of staff who is told of patients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffMember {
    /// The name in the configuration.
    pub name: String,
    /// Language of the messages.
    pub language: Language,
    /// Names of the news that this person is told of ([`super::News::name`]).
    pub alerts: Vec<String>,
    /// When alerts other than alarms wait, in the patient's zone.
    pub quiet_hours: Option<crate::plan::QuietHours>,
    /// This person's contact refuses messages: only alarms are tried there.
    pub refuses: bool,
}

/// Something that happened to a patient.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Time has passed.
    Wake {
        /// Why a dose whose whole window has passed was not looked at in time.
        overdue: ExpiredReason,
    },
    /// The plan given to the step has come into force. If more fell under the old plan than one
    /// step decides, the shell wakes the patient under the old one first, until it asks for no
    /// wake at or before the present.
    PlanChanged {
        /// The plan in force until now, if there was one.
        old: Option<&'a ResolvedPlan>,
        /// As in `Wake`, for what the old plan left.
        overdue: ExpiredReason,
    },
    /// The plan given to the step has ended; nothing takes its place.
    PlanEnded {
        /// As in `Wake`, for what the plan left.
        overdue: ExpiredReason,
    },
    /// It is known what became of a message.
    Settled {
        /// The message.
        message: MessageId,
        /// What became of it.
        settlement: Settlement,
    },
    /// Somebody said what became of doses.
    Answered {
        /// Which: medication id and scheduled instant.
        doses: &'a [(String, Timestamp)],
        /// What was said of all of them.
        report: DoseReport<'a>,
        /// Who said it.
        by: &'a Teller,
    },
    /// Somebody said that a medicine was taken as needed.
    TakenAsNeeded {
        /// The medication's id.
        medication: &'a str,
        /// When, as far as that was said.
        at: Option<Timestamp>,
        /// Who said it.
        by: &'a Teller,
    },
    /// A check-in was answered.
    CheckInAnswered {
        /// The check-in's id.
        check_in: &'a str,
        /// The scheduled instant of the question.
        due: Timestamp,
        /// The answer.
        value: &'a Value,
        /// Who said it.
        by: &'a Teller,
    },
    /// Somebody wrote what no question asked for.
    Wrote {
        /// The words, or what came instead of words.
        text: &'a str,
        /// It holds a word that cannot wait.
        red_flag: bool,
        /// Who wrote it.
        by: &'a Teller,
    },
    /// Messages can go to the patient again, or not any more: the context says which.
    ReachChanged {
        /// Why.
        why: ReachChange,
    },
    /// Somebody allowed medical messages.
    Consented {
        /// To which text: a short hash of it.
        version: &'a str,
        /// Who.
        by: &'a Teller,
    },
    /// The clinic has something to say to the patient.
    Advised {
        /// The words.
        text: &'a str,
        /// Who says it.
        by: &'a Adviser,
    },
    /// The channel reports what became of a message that it had taken.
    Delivered {
        /// The message.
        message: MessageId,
        /// To whom it went.
        to: &'a Recipient,
        /// It was advice.
        advice: bool,
        /// What became of it.
        delivery: Delivery,
    },
    /// News can go to a caregiver again, or not any more.
    CaregiverReach {
        /// The caregiver's id.
        caregiver: &'a str,
        /// Why none can; `None` when it can.
        barred: Option<ExpiredReason>,
    },
    /// Somebody has seen to what the patient was on the call list for.
    CallDone {
        /// The reasons that are done with.
        reasons: &'a [CallReason],
        /// What came of it, in their words; may be empty.
        note: &'a str,
        /// Who.
        by: &'a Adviser,
    },
    /// The store was restored from a backup: nobody knows what has happened since the state was
    /// looked at last.
    Restored,
}

/// Who gives advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adviser {
    /// Whoever is at the machine on which the daemon runs.
    Operator,
    /// The member of staff with this name in the configuration, over the channel.
    Staff(String),
    /// Whoever is signed in to the doctor's page with the account of this name.
    Account(String),
}

/// What became of a message after the channel had taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is on the phone.
    Arrived,
    /// The recipient refuses messages.
    Refused,
    /// The recipient got too many.
    TooMany,
    /// The platform erred.
    Failed,
}

impl Delivery {
    /// Why it is not on the phone; `None` when it is.
    #[must_use]
    pub fn reason(self) -> Option<ExpiredReason> {
        match self {
            Delivery::Arrived => None,
            Delivery::Refused => Some(ExpiredReason::Unreachable),
            Delivery::TooMany => Some(ExpiredReason::Throttled),
            Delivery::Failed => Some(ExpiredReason::ApiDown),
        }
    }
}

/// What somebody said of doses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoseReport<'a> {
    /// Taken.
    Taken {
        /// When, as far as that was said.
        at: Option<Timestamp>,
    },
    /// To be reminded of again.
    Later {
        /// In so many minutes; `None` when nothing was said.
        minutes: Option<u32>,
    },
    /// Left out on purpose.
    Skipped {
        /// Why, in their words.
        reason: Option<&'a str>,
    },
    /// Not taken (yet).
    NotTaken,
}

/// Why the reach of a patient changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReachChange {
    /// Bound to a contact at the clinic, by a scan.
    Enrolled,
    /// Consent was given.
    Consented,
    /// The contact stopped following the account.
    Unfollowed,
    /// The contact follows again.
    Followed,
    /// Stopped by the patient's word.
    Stopped,
    /// Started again by the patient's word.
    Started,
    /// The patient was asked for consent and does not give it.
    Declined,
}

impl ReachChange {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReachChange::Enrolled => "enrolled",
            ReachChange::Consented => "consented",
            ReachChange::Unfollowed => "unfollowed",
            ReachChange::Followed => "followed",
            ReachChange::Stopped => "stopped",
            ReachChange::Started => "started",
            ReachChange::Declined => "declined",
        }
    }
}

/// What became of a message, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The API took it at this instant.
    Accepted(Timestamp),
    /// It was sent and no answer was read; it is not sent again.
    InDoubt,
    /// Surely not taken before its deadline.
    NotSent(ExpiredReason),
    /// Surely not taken, and no further try can change that.
    Undeliverable(ExpiredReason),
}

/// What follows from an input. The shell commits all of it in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The next state.
    pub state: PatientState,
    /// What is to be put into the outbox, after `withdraw`.
    pub messages: Vec<Message>,
    /// Messages in the outbox that must not leave any more.
    pub withdraw: Vec<OutboxRef>,
    /// What is to be remembered.
    pub journal: Vec<Entry>,
    /// What whoever said something is told in return.
    pub replies: Vec<Reply>,
    /// Why a person must ring the patient, as far as this step found out.
    pub calls: Vec<CallReason>,
    /// Reasons to ring that are none any more.
    pub calls_over: Vec<CallReason>,
    /// When this patient must be looked at again; `None` for never.
    pub wake_at: Option<Timestamp>,
    /// How many doses became due in this step (opened or expired unopened).
    pub doses_due: u32,
}

/// Why a person must ring a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallReason {
    /// Several doses in a row were missed.
    MissedInARow,
    /// A time-critical dose was missed.
    CriticalMissed,
    /// No message reaches the patient.
    Unreachable,
    /// Nobody knows whether a reminder arrived.
    InDoubt,
    /// The patient wrote of something that cannot wait.
    RedFlag,
    /// An answer, or its lack, is outside of what the doctor set.
    CheckIn,
    /// The patient has stopped all messages.
    Stopped,
    /// Advice could not be delivered.
    Advice,
    /// A medicine runs out soon.
    Refill,
    /// News does not reach a caregiver any more.
    Caregiver,
}

impl CallReason {
    /// All reasons, by their numbers.
    pub const ALL: [CallReason; 10] = [
        CallReason::MissedInARow,
        CallReason::CriticalMissed,
        CallReason::Unreachable,
        CallReason::InDoubt,
        CallReason::RedFlag,
        CallReason::CheckIn,
        CallReason::Stopped,
        CallReason::Advice,
        CallReason::Refill,
        CallReason::Caregiver,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CallReason::MissedInARow => "missed_in_a_row",
            CallReason::CriticalMissed => "critical_missed",
            CallReason::Unreachable => "unreachable",
            CallReason::InDoubt => "in_doubt",
            CallReason::RedFlag => "red_flag",
            CallReason::CheckIn => "check_in",
            CallReason::Stopped => "stopped",
            CallReason::Advice => "advice",
            CallReason::Refill => "refill",
            CallReason::Caregiver => "caregiver",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// One entry of a patient's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A plan version came into force.
    PlanApplied {
        /// Number of the version in the plan history.
        version: u32,
    },
    /// The plan's text changed without a change of meaning.
    PlanTextChanged {
        /// Number of the version in the plan history.
        version: u32,
    },
    /// The plan ended.
    PlanEnded,
    /// The API took a message.
    Accepted {
        /// The message.
        message: MessageId,
        /// When.
        at: Millis,
        /// What it was about.
        about: Vec<About>,
    },
    /// A message was not and will not be taken, or it is in doubt.
    NotAccepted {
        /// The message.
        message: MessageId,
        /// Why; `None` when it is in doubt.
        reason: Option<ExpiredReason>,
        /// What it was about.
        about: Vec<About>,
    },
    /// A dose was closed, or its closing state was corrected: the last entry counts.
    DoseClosed(ClosedDose),
    /// Doses of one medication and amount whose windows passed before they were looked at.
    DosesExpired {
        /// The medication's id.
        medication: String,
        /// `take`.
        amount: String,
        /// The scheduled instants, ascending: from, to and count at a glance, and each by name.
        due: Vec<Millis>,
        /// Why.
        reason: ExpiredReason,
    },
    /// A reminder of an appointment did not leave in time, or the plan was edited.
    AppointmentNotReminded {
        /// What the appointment is for.
        what: String,
        /// The instant of the reminder.
        due: Millis,
        /// Why; `None` when the plan was edited.
        reason: Option<ExpiredReason>,
    },
    /// A check-in was closed without an answer.
    CheckInClosed {
        /// The check-in's id.
        check_in: String,
        /// The scheduled instant.
        due: Millis,
        /// Whether the API took the question.
        asked: Option<Millis>,
        /// Why it was not asked; `None` when it was asked and not answered, or cancelled.
        reason: Option<ExpiredReason>,
        /// The plan was edited.
        cancelled: bool,
    },
    /// A dose that had been closed by an answer waits again.
    DoseReopened {
        /// The dose.
        about: About,
        /// Who said so.
        by: Teller,
    },
    /// The patient wants to be reminded again.
    Snoozed {
        /// The doses.
        about: Vec<About>,
        /// When.
        until: Millis,
        /// Who said so.
        by: Teller,
    },
    /// Somebody said within the window that a dose is not taken; it stays open.
    SaidNotTaken {
        /// The doses.
        about: Vec<About>,
        /// Who said so.
        by: Teller,
    },
    /// A medicine was taken as needed.
    TakenAsNeeded {
        /// The medication's id.
        medication: String,
        /// When.
        at: Millis,
        /// Who said so.
        by: Teller,
    },
    /// A medicine was reported as taken before its guard allows it.
    AsNeededTooSoon {
        /// The medication's id.
        medication: String,
        /// When it was reported as taken.
        at: Millis,
        /// From when on it is allowed; `None`: not within what the plan says.
        allowed_from: Option<Millis>,
        /// Who said so.
        by: Teller,
    },
    /// A check-in was answered; the last entry counts.
    CheckInAnswered {
        /// The check-in's id.
        check_in: String,
        /// The scheduled instant.
        due: Millis,
        /// The answer.
        value: Value,
        /// After its window.
        late: bool,
        /// Outside of what the doctor set.
        alert: bool,
        /// Who said it.
        by: Teller,
    },
    /// Somebody wrote what no question asked for.
    Wrote {
        /// The words.
        text: String,
        /// They hold a word that cannot wait.
        red_flag: bool,
        /// Who wrote it.
        by: Teller,
    },
    /// Messages can go to the patient again, or not any more.
    ReachChanged {
        /// Why.
        why: ReachChange,
        /// Why none can go; `None` when they can.
        barred: Option<ExpiredReason>,
    },
    /// Somebody allowed medical messages.
    ConsentGiven {
        /// To which text: a short hash of it.
        version: String,
        /// When.
        at: Millis,
        /// Who.
        by: Teller,
    },
    /// The clinic had something to say to the patient.
    Advised {
        /// The words.
        text: String,
        /// Who said it.
        by: Adviser,
        /// The message; `None` where none can go to the patient.
        message: Option<MessageId>,
    },
    /// The channel reports that a message is on the phone.
    Delivered {
        /// The message.
        message: MessageId,
    },
    /// The channel reports that a message that it had taken is not on the phone.
    NotDelivered {
        /// The message.
        message: MessageId,
        /// Why.
        reason: ExpiredReason,
        /// What it was about.
        about: Vec<About>,
    },
    /// Somebody was to be told.
    Told {
        /// The message.
        message: MessageId,
        /// Whom.
        to: super::Recipient,
        /// Of what ([`super::News::name`]).
        news: String,
    },
    /// A person must ring the patient.
    CallWanted {
        /// Why.
        reason: CallReason,
    },
    /// A message was taken in free words, without a template.
    SentInWords {
        /// The message.
        message: MessageId,
    },
    /// Free words were not taken from us now: the message goes as its template.
    WordsRefused {
        /// The message.
        message: MessageId,
    },
    /// A person has seen to it.
    CallDone {
        /// What they were to ring for.
        reasons: Vec<CallReason>,
        /// What came of it; may be empty.
        note: String,
        /// Who.
        by: Adviser,
    },
    /// There is no reason to ring any more.
    CallOver {
        /// What it was.
        reason: CallReason,
    },
    /// News can go to a caregiver again, or not any more.
    CaregiverReach {
        /// The caregiver's id.
        caregiver: String,
        /// Why none can; `None` when it can.
        barred: Option<ExpiredReason>,
    },
    /// The plan says how much of a medicine there was.
    StockCounted {
        /// The medication's id.
        medication: String,
        /// What.
        stock: Stock,
        /// What was taken since then, in thousandths of the unit.
        taken: i64,
    },
    /// A medicine runs out soon.
    RefillDue {
        /// The medication's id.
        medication: String,
        /// What is left, in thousandths of the unit.
        left: i64,
        /// For how many days it lasts.
        days: u32,
        /// The message that says so to the patient; `None` where none can go there.
        message: Option<MessageId>,
    },
    /// The store was restored from a backup.
    Restored {
        /// What happened from here on until this entry is not known.
        since: Millis,
    },
    /// The patient was erased: what stands before names nobody any more.
    Erased,
}

impl Entry {
    /// What is remembered of a message whose outcome is known.
    #[must_use]
    pub fn of_settlement(message: MessageId, settlement: Settlement, about: Vec<About>) -> Self {
        let reason = match settlement {
            Settlement::Accepted(at) => {
                return Entry::Accepted {
                    message,
                    at: Millis(at),
                    about,
                };
            }
            Settlement::InDoubt => None,
            Settlement::NotSent(reason) | Settlement::Undeliverable(reason) => Some(reason),
        };
        Entry::NotAccepted {
            message,
            reason,
            about,
        }
    }
}

/// A dose or check-in as an entry names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The medication's or check-in's id.
    pub id: String,
    /// The scheduled instant.
    pub due: Millis,
}

/// The closing state of a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedDose {
    /// The medication's id.
    pub medication: String,
    /// `take`.
    pub amount: String,
    /// The scheduled instant.
    pub due: Millis,
    /// Taken until here it is taken on time, as the plan in force then had it.
    pub on_time_until: Millis,
    /// The state.
    pub state: DoseState,
    /// Why, when it expired.
    pub reason: Option<ExpiredReason>,
    /// When the API took the first reminder.
    pub reminded: Option<Millis>,
    /// A reminder was sent and no answer was read.
    pub in_doubt: bool,
    /// Messages about it that were accepted or are in doubt.
    pub messages: Vec<MessageId>,
    /// What was said of it.
    pub answer: Option<GivenAnswer>,
    /// It had been closed before: this is another version of how.
    pub corrects: bool,
}
