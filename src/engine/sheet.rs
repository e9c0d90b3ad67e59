//! What a patient's page shows: what waits for an answer, what was answered, and what is still to
//! come today.

use super::step::{RECENT, allowed_from};
use super::{
    Context, Course, DoseName, DoseState, ExpiredReason, IdKey, Millis, OpenDose, PatientState,
    PromptKind, RecentDose, Subject, Text, Unlimited,
};
use crate::plan::{AnswerType, DueKind, Language, Medication, ResolvedPlan, Zone};
use jiff::Timestamp;

/// All that one patient's page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The patient's name.
    pub name: String,
    /// Language of the page.
    pub language: Language,
    /// Zone of its times.
    pub zone: Zone,
    /// As of when.
    pub now: Timestamp,
    /// Doses that wait for an answer, those of one instant together, in the order of time.
    pub doses: Vec<DueDoses>,
    /// Questions that wait for an answer, in the order of time.
    pub questions: Vec<OpenQuestion>,
    /// Medicines that are taken as needed, in the order of the plan.
    pub as_needed: Vec<NeededMedicine>,
    /// Doses of yesterday and today that are closed, the latest first.
    pub closed: Vec<ClosedLine>,
    /// Doses of today that are still to come, in the order of time.
    pub ahead: Vec<DoseName>,
    /// What the clinic said last.
    pub advice: Option<Text>,
}

/// Doses of one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDoses {
    /// The instant.
    pub due: Timestamp,
    /// In the order of the plan; never empty.
    pub lines: Vec<DueDose>,
}

/// A dose that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueDose {
    /// The medication's id.
    pub medication: String,
    /// As the doctor wrote it.
    pub name: String,
    /// How much; empty for "as directed".
    pub amount: String,
    /// The doctor's words.
    pub note: Option<String>,
    /// When it is reminded of again, as the patient asked.
    pub snoozed_until: Option<Timestamp>,
    /// The patient has said that it is not taken (yet).
    pub said_not_taken: bool,
}

/// A question that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// The check-in's id.
    pub check_in: String,
    /// The question.
    pub ask: String,
    /// What kind of answer is expected.
    pub answer: AnswerType,
    /// When it was asked.
    pub due: Timestamp,
}

/// A medicine that is taken as needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededMedicine {
    /// The medication's id.
    pub medication: String,
    /// As the doctor wrote it.
    pub name: String,
    /// For what.
    pub reason: String,
    /// When it was taken last, as far as that is known.
    pub last: Option<Timestamp>,
    /// From when on it is allowed: `now` where it is; `None`: not within what the plan says.
    pub allowed_from: Option<Timestamp>,
}

/// A dose that is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedLine {
    /// The medication's id.
    pub medication: String,
    /// As the doctor wrote it.
    pub name: String,
    /// How much; empty for "as directed".
    pub amount: String,
    /// The scheduled instant.
    pub due: Timestamp,
    /// How.
    pub state: DoseState,
    /// When it was taken, or when that was said.
    pub taken_at: Option<Timestamp>,
}

impl DueDoses {
    /// All of them.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let lines = self.lines.iter();
        Subject::Doses(
            lines
                .map(|it| (it.medication.clone(), Millis(self.due)))
                .collect(),
        )
    }

    /// One of them.
    #[must_use]
    pub fn subject_of(&self, line: &DueDose) -> Subject {
        Subject::Doses(vec![(line.medication.clone(), Millis(self.due))])
    }
}

impl ClosedLine {
    /// The dose.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::Doses(vec![(self.medication.clone(), Millis(self.due))])
    }
}

impl OpenQuestion {
    /// The question.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::CheckIn(self.check_in.clone(), Millis(self.due))
    }
}

impl NeededMedicine {
    /// The medicine.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::AsNeeded(self.medication.clone())
    }
}

/// What is known of a patient, for the page.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The patient's number.
    pub number: u32,
    /// The plan in force.
    pub plan: &'a ResolvedPlan,
    /// The state.
    pub state: &'a PatientState,
    /// When the patient would be looked at next.
    pub wake_at: Option<Timestamp>,
    /// The key of message ids.
    pub ids: &'a IdKey,
    /// What the clinic said last.
    pub advice: Option<&'a Text>,
}

/// Puts the page together as of `now`.
#[must_use]
pub fn sheet(known: &Known<'_>, now: Timestamp) -> Sheet {
    let Known { plan, state, .. } = *known;
    Sheet {
        name: plan.name.clone(),
        language: plan.language,
        zone: plan.zone.clone(),
        now,
        doses: due(plan, state, now),
        questions: questions(plan, state, now),
        as_needed: as_needed(plan, state, now),
        closed: closed(plan, state, now),
        ahead: ahead(known, now),
        advice: known.advice.cloned(),
    }
}

fn due(plan: &ResolvedPlan, state: &PatientState, now: Timestamp) -> Vec<DueDoses> {
    // Stepped ahead of its instant a dose is only planned.
    let mut open: Vec<&OpenDose> = state.doses.iter().filter(|it| it.due <= now).collect();
    open.sort_by_key(|it| (it.due, place(plan, &it.medication)));
    let mut groups: Vec<DueDoses> = Vec::new();
    for dose in open {
        let medication = medication(plan, &dose.medication);
        let line = DueDose {
            medication: dose.medication.clone(),
            name: medication.map_or(&dose.medication, |it| &it.name).clone(),
            amount: dose.amount.clone(),
            note: medication.and_then(|it| it.note.clone()),
            snoozed_until: dose.snoozed_until.filter(|until| *until > now),
            said_not_taken: dose.said_not_taken,
        };
        match groups.last_mut() {
            Some(group) if group.due == dose.due => group.lines.push(line),
            _ => groups.push(DueDoses {
                due: dose.due,
                lines: vec![line],
            }),
        }
    }
    groups
}

/// The open ones, and of those whose time is over the latest of each check-in, if that was asked
/// today.
fn questions(plan: &ResolvedPlan, state: &PatientState, now: Timestamp) -> Vec<OpenQuestion> {
    let question = |id: &str, due: Timestamp| {
        let check_in = plan.check_ins.iter().find(|it| it.id == id)?;
        Some(OpenQuestion {
            check_in: check_in.id.clone(),
            ask: check_in.ask.clone(),
            answer: check_in.answer.clone(),
            due,
        })
    };
    let mut all: Vec<OpenQuestion> = Vec::new();
    for open in &state.prompts {
        if open.kind == PromptKind::CheckIn && open.due <= now {
            all.extend(question(&open.id, open.due));
        }
    }
    let today = plan.zone.local(now).date();
    for closed in state.recent_check_ins.iter().rev() {
        let due = closed.due.0;
        let known = all.iter().any(|it| it.check_in == closed.check_in);
        if !known && due <= now && plan.zone.local(due).date() == today {
            all.extend(question(&closed.check_in, due));
        }
    }
    all.sort_by_key(|it| it.due);
    all
}

fn as_needed(plan: &ResolvedPlan, state: &PatientState, now: Timestamp) -> Vec<NeededMedicine> {
    let mut all = Vec::new();
    for medication in &plan.medications {
        let Some(guard) = &medication.as_needed else {
            continue;
        };
        if guard.until.is_some_and(|until| until <= now) {
            continue;
        }
        let takings = state.as_needed.iter();
        let mut takings: Vec<Timestamp> = takings
            .filter(|it| it.medication == medication.id)
            .map(|it| it.at.0)
            .collect();
        takings.sort_unstable();
        all.push(NeededMedicine {
            medication: medication.id.clone(),
            name: medication.name.clone(),
            reason: guard.reason.clone(),
            last: takings.last().copied(),
            allowed_from: allowed_from(guard, plan, &takings, now),
        });
    }
    all
}

fn closed(plan: &ResolvedPlan, state: &PatientState, now: Timestamp) -> Vec<ClosedLine> {
    let day = |at| plan.zone.local(at).date();
    let since = day(now).yesterday().unwrap_or(day(now));
    let shown = |it: &&RecentDose| {
        it.state != DoseState::Cancelled
            && day(it.dose.due) >= since
            && now.duration_since(it.dose.due) < RECENT
    };
    let mut closed: Vec<&RecentDose> = state.recent.iter().filter(shown).collect();
    closed.sort_by_key(|it| {
        (
            std::cmp::Reverse(it.dose.due),
            place(plan, &it.dose.medication),
        )
    });
    let line = |it: &RecentDose| {
        let name = medication(plan, &it.dose.medication).map(|it| &it.name);
        let answer = it.answer.as_ref().filter(|_| it.state == DoseState::Taken);
        ClosedLine {
            medication: it.dose.medication.clone(),
            name: name.unwrap_or(&it.dose.medication).clone(),
            amount: it.dose.amount.clone(),
            due: it.dose.due,
            state: it.state,
            taken_at: answer.map(|it| it.taken_at.unwrap_or(it.said_at).0),
        }
    };
    closed.into_iter().map(line).collect()
}

/// What the daemon would remind of until the end of the day, if nothing else happened.
fn ahead(known: &Known<'_>, now: Timestamp) -> Vec<DoseName> {
    let Known { plan, state, .. } = *known;
    let Ok(tomorrow) = plan.zone.local(now).date().tomorrow() else {
        return Vec::new();
    };
    let until = plan.zone.instant(tomorrow.at(0, 0, 0, 0));
    let context = Context {
        patient: known.number,
        barred: Some(ExpiredReason::NotEnrolled),
        answers: false,
        caregivers: &[],
        staff: &[],
        fits: &Unlimited,
        ids: known.ids,
        claimed: &[],
        ages_by: None,
    };
    let course = Course {
        state: state.clone(),
        wake_at: known.wake_at,
    };
    let mut ahead = course.ahead(&context, plan, now, until);
    ahead.retain(|it| it.kind == DueKind::Dose);
    ahead.sort_by_key(|it| (it.due, place(plan, &it.id)));
    let name = |it: super::Expected| DoseName {
        label: medication(plan, &it.id)
            .map_or(&it.id, |it| &it.name)
            .clone(),
        amount: it.amount,
        due: it.due,
    };
    ahead.into_iter().map(name).collect()
}

fn medication<'p>(plan: &'p ResolvedPlan, id: &str) -> Option<&'p Medication> {
    plan.medications.iter().find(|it| it.id == id)
}

fn place(plan: &ResolvedPlan, id: &str) -> usize {
    let place = plan.medications.iter().position(|it| it.id == id);
    place.unwrap_or(usize::MAX)
}
