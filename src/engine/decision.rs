//! What can happen to a patient, and what follows.

use super::{DoseState, ExpiredReason, Fits, Message, MessageId, Millis, OutboxRef, PatientState};
use crate::plan::ResolvedPlan;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a step may look at besides plan, state and input. All of it is given and none of it
/// changes during the step.
pub struct Context<'a> {
    /// The patient's number, part of the identity of each message.
    pub patient: u32,
    /// Whether a contact is known to which messages can go.
    pub enrolled: bool,
    /// What the channel can hold in one message.
    pub fits: &'a dyn Fits,
    /// The key of message ids.
    pub ids: &'a super::IdKey,
    /// Those of the state's unsettled messages that were claimed for sending: they cannot be
    /// withdrawn any more.
    pub claimed: &'a [MessageId],
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
    /// When this patient must be looked at again; `None` for never.
    pub wake_at: Option<Timestamp>,
    /// How many doses became due in this step (opened or expired unopened).
    pub doses_due: u32,
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
}
