//! The one function that decides: [`step`].

use super::{
    Adviser, CallReason, ClosedDose, Context, Decision, DoseState, Entry, ExpiredReason,
    GivenAnswer, Input, MedicationState, Message, MessageId, Millis, OpenDose, OpenPrompt,
    OutboxRef, PatientState, PromptKind, RecentCheckIn, RecentDose, Reply, Sending, Settlement,
};
use crate::plan::{Medication, ResolvedPlan, ScheduledDose, Zone};
use jiff::{SignedDuration, Timestamp};

mod advice;
mod amount;
mod answer;
mod appointment;
mod as_needed;
mod check_in;
mod delivery;
mod edit;
mod follow_last;
mod news;
mod prompt;
mod reach;
mod repeat;
mod restore;
mod settle;
mod stock;

pub use amount::{is_awaited, is_still_wanted};
pub(super) use as_needed::allowed_from;

/// How far ahead of the clock a patient is stepped: what is due within this span is put into the
/// outbox with `not_before`, so that at the instant only the sending is left.
pub const LOOK_AHEAD: SignedDuration = SignedDuration::from_secs(3);

/// At most this many occurrences are decided in one step (and the rest of the last instant);
/// then the patient asks to be woken at once.
pub const OCCURRENCES_PER_STEP: usize = 256;

/// A dose whose message is still unsettled this long after the patient was looked at last behind
/// the end of its window is closed all the same. The dispatcher settles each message soon
/// after its deadline, or after the start when that passed while nothing ran; this is the net
/// below.
const SETTLE_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// How long the instants of reminded doses are remembered: longer than any local date, which a
/// journey from UTC+14 to UTC-12 makes 50 hours long.
pub(super) const RECENT: SignedDuration = SignedDuration::from_hours(51);

/// So many closed doses are remembered at most.
const RECENT_MAX: usize = 64;

/// Decides what follows for one patient from `input` at `now`.
///
/// Total and deterministic: it reads no clock, does no I/O, and gives the same decision for the
/// same arguments. `plan` is the plan in force (for `PlanChanged`: the new one; for `PlanEnded`:
/// the one that ends).
#[must_use]
pub fn step(
    context: &Context<'_>,
    plan: &ResolvedPlan,
    state: PatientState,
    input: Input<'_>,
    now: Timestamp,
) -> Decision {
    let mut turn = Turn::new(context, plan.zone.clone(), state, now);
    let resolved = follow_last::following(plan, &turn.state);
    let plan = resolved.as_ref();
    let next_due = match input {
        Input::Wake { overdue } => {
            let next = turn.advance(plan, turn.horizon(), overdue);
            turn.close_due(plan);
            turn.repeat(plan);
            turn.break_silences(plan);
            next
        }
        Input::PlanChanged { old, overdue } => {
            let old = old.map(|old| follow_last::following(old, &turn.state));
            turn.change_plan(old.as_deref(), plan, overdue)
        }
        Input::PlanEnded { overdue } => {
            turn.end_plan(plan, overdue);
            None
        }
        Input::Settled {
            message,
            settlement,
        } => {
            turn.settle(plan, message, settlement);
            turn.close_due(plan);
            turn.next_due(plan)
        }
        Input::Answered { doses, report, by } => {
            turn.close_due(plan);
            turn.answer(plan, doses, report, by);
            turn.look_at_stocks(plan);
            turn.prompt_again(plan);
            // What follows the last dose moves with it.
            let moved = follow_last::following(plan, &turn.state);
            turn.next_due(&moved)
        }
        Input::TakenAsNeeded { medication, at, by } => {
            turn.take_as_needed(plan, medication, at, by);
            turn.look_at_stocks(plan);
            turn.next_due(plan)
        }
        Input::CheckInAnswered {
            check_in,
            due,
            value,
            by,
        } => {
            turn.close_due(plan);
            turn.answer_check_in(plan, check_in, due, value, by);
            turn.next_due(plan)
        }
        Input::Wrote { text, red_flag, by } => {
            turn.write_down(plan, text, red_flag, by);
            turn.next_due(plan)
        }
        Input::ReachChanged { why } => {
            turn.close_due(plan);
            turn.change_reach(plan, why);
            turn.next_due(plan)
        }
        Input::Consented { version, by } => {
            turn.close_due(plan);
            turn.note_consent(plan, version, by);
            turn.next_due(plan)
        }
        Input::Advised { text, by } => {
            turn.advise(plan, text, by);
            turn.next_due(plan)
        }
        Input::Delivered {
            message,
            to,
            advice,
            delivery,
        } => {
            turn.close_due(plan);
            turn.deliver(plan, message, to, advice, delivery);
            turn.next_due(plan)
        }
        Input::CaregiverReach { caregiver, barred } => {
            turn.change_caregiver(plan, caregiver, barred);
            turn.next_due(plan)
        }
        Input::CallDone { reasons, note, by } => {
            turn.end_calls(reasons, note, by);
            turn.next_due(plan)
        }
        Input::Restored => turn.restore(plan),
    };
    turn.decide(plan, next_due)
}

/// One step under way.
struct Turn<'a> {
    context: &'a Context<'a>,
    now: Timestamp,
    /// In which the days of doses are told apart.
    zone: Zone,
    state: PatientState,
    messages: Vec<Message>,
    withdraw: Vec<OutboxRef>,
    journal: Vec<Entry>,
    replies: Vec<Reply>,
    calls: Vec<CallReason>,
    calls_over: Vec<CallReason>,
    /// Doses that this step closed as missed: told of together.
    missed: Vec<OpenDose>,
    doses_due: u32,
    /// What falls is closed at once, even where there is time yet: it may have been told.
    nothing_leaves: bool,
}

impl<'a> Turn<'a> {
    fn new(context: &'a Context<'a>, zone: Zone, state: PatientState, now: Timestamp) -> Self {
        Self {
            context,
            now,
            zone,
            state,
            messages: Vec::new(),
            withdraw: Vec::new(),
            journal: Vec::new(),
            replies: Vec::new(),
            calls: Vec::new(),
            calls_over: Vec::new(),
            missed: Vec::new(),
            doses_due: 0,
            nothing_leaves: false,
        }
    }

    /// Up to here what falls is decided.
    fn horizon(&self) -> Timestamp {
        self.now.saturating_add(LOOK_AHEAD).unwrap_or(self.now)
    }

    fn decide(mut self, plan: &ResolvedPlan, next_due: Option<Timestamp>) -> Decision {
        self.tell_missed(plan);
        self.forget_old();
        let repeats = self.next_repeat(plan);
        let silences = self.state.silences.iter().map(|it| it.told_at.0).min();
        let ahead_of = |due: Timestamp| due.saturating_sub(LOOK_AHEAD).unwrap_or(due);
        let ahead = next_due.into_iter().chain(repeats).map(ahead_of);
        let closing = self
            .state
            .doses
            .iter()
            .map(|dose| self.looked_at(dose.window_ends, &dose.sending));
        let closing_prompts = self
            .state
            .prompts
            .iter()
            .map(|it| self.looked_at(it.window_ends, &it.sending));
        let wake_at = ahead
            .chain(silences)
            .chain(closing)
            .chain(closing_prompts)
            .min();
        self.state.seen = self.state.seen.max(self.now);
        Decision {
            state: self.state,
            messages: self.messages,
            withdraw: self.withdraw,
            journal: self.journal,
            replies: self.replies,
            calls: self.calls,
            calls_over: self.calls_over,
            wake_at,
            doses_due: self.doses_due,
        }
    }

    /// The next instant at which something of the plan falls, after the cursor.
    fn next_due(&self, plan: &ResolvedPlan) -> Option<Timestamp> {
        let from = after(self.state.cursor);
        let doses = plan.medications.iter().filter_map(|medication| {
            plan.doses_from(medication, from)
                .next()
                .map(|dose| dose.due)
        });
        let check_ins = plan.check_ins.iter().filter_map(|check_in| {
            plan.check_ins_from(check_in, from)
                .next()
                .map(|check_in| check_in.due)
        });
        let appointments = plan
            .appointments
            .iter()
            .filter_map(|it| appointment::reminders_from(it, from).next());
        let appointments = appointments.map(|reminder| reminder.due);
        doses.chain(check_ins).chain(appointments).min()
    }

    /// Decides all that falls after the cursor up to `horizon`, and moves the cursor there.
    /// Returns the next instant after it; the present one if there is more to do at once.
    fn advance(
        &mut self,
        plan: &ResolvedPlan,
        horizon: Timestamp,
        overdue: ExpiredReason,
    ) -> Option<Timestamp> {
        let from = after(self.state.cursor);
        let mut doses: Vec<_> = plan
            .medications
            .iter()
            .map(|medication| (medication, plan.doses_from(medication, from).peekable()))
            .collect();
        let mut check_ins: Vec<_> = plan
            .check_ins
            .iter()
            .map(|check_in| (check_in, plan.check_ins_from(check_in, from).peekable()))
            .collect();
        let first_new_dose = self.state.doses.len();
        let mut appointments: Vec<_> = plan
            .appointments
            .iter()
            .map(|it| (it, appointment::reminders_from(it, from).peekable()))
            .collect();
        let first_new_prompt = self.state.prompts.len();
        let mut expired = Vec::new();
        let mut decided = 0;
        let mut reached = horizon;
        let next = loop {
            let next_dose = doses
                .iter_mut()
                .filter_map(|(_, it)| it.peek().map(|dose| dose.due));
            let next_check_in = check_ins
                .iter_mut()
                .filter_map(|(_, it)| it.peek().map(|it| it.due));
            let next_appointment = appointments
                .iter_mut()
                .filter_map(|(_, it)| it.peek().map(|it| it.due));
            let next = next_dose.chain(next_check_in).chain(next_appointment).min();
            let Some(due) = next.filter(|due| *due <= horizon) else {
                break next;
            };
            if decided >= OCCURRENCES_PER_STEP {
                // Asking for the present instant means: wake me at once.
                break Some(self.now.saturating_add(LOOK_AHEAD).unwrap_or(self.now));
            }
            for (medication, scheduled) in &mut doses {
                while let Some(dose) = scheduled.next_if(|dose| dose.due == due) {
                    self.dose_due(plan, medication, dose, &mut expired);
                    decided += 1;
                }
            }
            for (check_in, scheduled) in &mut check_ins {
                while let Some(it) = scheduled.next_if(|it| it.due == due) {
                    let prompt = OpenPrompt {
                        kind: PromptKind::CheckIn,
                        id: check_in.id.clone(),
                        due,
                        window_ends: it.window_ends,
                        on_time_until: it.on_time_until,
                        sending: Sending::default(),
                    };
                    self.prompt_due(prompt, overdue);
                    decided += 1;
                }
            }
            for (appointment, reminders) in &mut appointments {
                while let Some(reminder) = reminders.next_if(|it| it.due == due) {
                    let prompt = OpenPrompt {
                        kind: PromptKind::Appointment,
                        id: appointment.what.clone(),
                        due,
                        window_ends: reminder.window_ends,
                        on_time_until: reminder.window_ends,
                        sending: Sending::default(),
                    };
                    self.prompt_due(prompt, overdue);
                    decided += 1;
                }
            }
            if decided >= OCCURRENCES_PER_STEP {
                reached = due;
            }
        };
        if decided < OCCURRENCES_PER_STEP {
            reached = horizon;
        }
        self.state.cursor = self.state.cursor.max(reached);
        self.journal
            .extend(
                expired
                    .into_iter()
                    .map(|(medication, amount, due)| Entry::DosesExpired {
                        medication,
                        amount,
                        due,
                        reason: overdue,
                    }),
            );
        let horizon = self.now.saturating_sub(RECENT).unwrap_or(Timestamp::MIN);
        for medication in &mut self.state.medications {
            medication.recent.retain(|due| due.0 > horizon);
        }
        self.prompt_doses(plan, first_new_dose);
        self.tell_due(plan, first_new_dose);
        self.send_prompts(plan, first_new_prompt);
        next
    }

    /// A dose's instant has come: it is opened, or expired when its window has passed.
    fn dose_due(
        &mut self,
        plan: &ResolvedPlan,
        medication: &Medication,
        dose: ScheduledDose<'_>,
        expired: &mut Vec<(String, String, Vec<Millis>)>,
    ) {
        let now = self.now;
        let nothing_leaves = self.nothing_leaves;
        let known = self
            .state
            .doses
            .iter()
            .any(|open| open.is(&medication.id, dose.due));
        let remembered = self.remembered(medication);
        if known
            || dose.due <= remembered.decided_until
            || remembered.recent.contains(&Millis(dose.due))
            || edit::is_served(plan, medication, remembered, dose.due)
        {
            return;
        }
        let unknown = nothing_leaves && now.duration_since(dose.due) < RECENT;
        if dose.window_ends <= now && !unknown {
            match expired
                .iter_mut()
                .find(|(id, amount, _)| *id == medication.id && *amount == dose.amount)
            {
                Some((_, _, due)) => due.push(Millis(dose.due)),
                None => expired.push((
                    medication.id.clone(),
                    dose.amount.to_string(),
                    vec![Millis(dose.due)],
                )),
            }
        } else {
            remembered.recent.push(Millis(dose.due));
            let open = OpenDose {
                medication: medication.id.clone(),
                amount: dose.amount.into_owned(),
                due: dose.due,
                window_ends: dose.window_ends,
                on_time_until: dose.on_time_until,
                critical: medication.critical,
                snoozed_until: None,
                said_not_taken: false,
                reopened: false,
                told: None,
                sending: Sending::default(),
            };
            if unknown {
                self.close_unknown(open);
            } else {
                self.state.doses.push(open);
            }
        }
        self.doses_due += 1;
    }

    /// The instant of a check-in or of a reminder of an appointment has come: it is opened, or
    /// closed when its window has passed.
    fn prompt_due(&mut self, prompt: OpenPrompt, overdue: ExpiredReason) {
        let known = |open: &OpenPrompt| {
            open.kind == prompt.kind && open.id == prompt.id && open.due == prompt.due
        };
        if prompt.due <= self.state.prompts_decided_until || self.state.prompts.iter().any(known) {
            return;
        }
        if prompt.window_ends <= self.now || self.nothing_leaves {
            self.journal.push(prompt.closed(Some(overdue)));
        } else {
            self.state.prompts.push(prompt);
        }
    }

    /// What is remembered of a medication, from now on if nothing was.
    fn remembered(&mut self, medication: &Medication) -> &mut MedicationState {
        let states = &mut self.state.medications;
        let index = states
            .iter()
            .position(|state| state.id == medication.id)
            .unwrap_or_else(|| {
                states.push(MedicationState {
                    id: medication.id.clone(),
                    since: self.now,
                    decided_until: self.now,
                    recent: Vec::new(),
                    served: None,
                });
                states.len() - 1
            });
        &mut states[index]
    }

    /// A person must ring the patient.
    fn call(&mut self, reason: CallReason) {
        if !self.calls.contains(&reason) {
            self.calls.push(reason);
            self.journal.push(Entry::CallWanted { reason });
        }
    }

    /// There is no reason to ring any more, where there was one.
    fn call_over(&mut self, reason: CallReason) {
        self.calls.retain(|it| *it != reason);
        self.calls_over.push(reason);
        self.journal.push(Entry::CallOver { reason });
    }

    /// Somebody has seen to it. Doses in a row are counted anew: were they not, nobody would be
    /// told of the next ones.
    fn end_calls(&mut self, reasons: &[CallReason], note: &str, by: &Adviser) {
        if reasons.contains(&CallReason::MissedInARow) {
            self.state.missed_in_a_row = 0;
        }
        self.journal.push(Entry::CallDone {
            reasons: reasons.to_vec(),
            note: note.to_owned(),
            by: by.clone(),
        });
    }

    /// When the patient is woken for a dose or check-in: at the end of its window, even where
    /// that cannot close it yet, so that a message that is settled in time moves no wake.
    fn looked_at(&self, window_ends: Timestamp, sending: &Sending) -> Timestamp {
        if window_ends > self.now {
            window_ends
        } else {
            // The present look is the last one then.
            closes_at(
                window_ends,
                sending,
                self.now,
                self.state.seen.max(self.now),
            )
        }
    }

    /// Closes what can be closed now: windows that have ended and whose messages are settled.
    fn close_due(&mut self, plan: &ResolvedPlan) {
        let now = self.now;
        let seen = self.state.seen;
        let closed: Vec<_> = self
            .state
            .doses
            .extract_if(.., |dose| {
                closes_at(dose.window_ends, &dose.sending, now, seen) <= now
            })
            .collect();
        for dose in closed {
            self.close_dose(dose);
        }
        let closed: Vec<_> = self
            .state
            .prompts
            .extract_if(.., |it| {
                closes_at(it.window_ends, &it.sending, now, seen) <= now
            })
            .collect();
        for prompt in closed {
            self.close_prompt(&prompt);
        }
        self.tell_missed(plan);
    }

    /// No further try can help: what was not reminded of is closed at once, so that the doctor
    /// learns it while there is still time.
    fn close_undeliverable(&mut self, reason: ExpiredReason) {
        let hopeless = |sending: &Sending| {
            sending.prompt.is_none()
                && sending.accepted_at.is_none()
                && !sending.in_doubt
                && sending.failure == Some(reason)
        };
        let closed: Vec<_> = self
            .state
            .doses
            .extract_if(.., |dose| hopeless(&dose.sending))
            .collect();
        for dose in closed {
            self.close_dose(dose);
        }
        let closed: Vec<_> = self
            .state
            .prompts
            .extract_if(.., |it| hopeless(&it.sending))
            .collect();
        for prompt in closed {
            self.close_prompt(&prompt);
        }
    }

    /// The window has closed without an answer: missed if the reminder was accepted, else
    /// expired, with the reason.
    fn close_dose(&mut self, dose: OpenDose) {
        let (state, reason) = match dose.sending.accepted_at {
            Some(_) => (DoseState::Missed, None),
            None => (DoseState::Expired, Some(dose.sending.reason_not_sent())),
        };
        if state == DoseState::Expired && !dose.sending.in_doubt {
            // It was not reminded of: it does not count for the day of an edit.
            let due = Millis(dose.due);
            for remembered in &mut self.state.medications {
                if remembered.id == dose.medication {
                    remembered.recent.retain(|recent| *recent != due);
                }
            }
        }
        if state == DoseState::Missed {
            self.missed.push(dose.clone());
        }
        self.close_as(dose, state, reason, None);
    }

    /// Closes a dose, for the journal and for answers that come later.
    fn close_as(
        &mut self,
        dose: OpenDose,
        state: DoseState,
        reason: Option<ExpiredReason>,
        answer: Option<GivenAnswer>,
    ) {
        if state == DoseState::Taken {
            self.lower_stock(&dose, 1);
        }
        let closed = RecentDose {
            dose,
            state,
            reason,
            answer,
        };
        let corrects = closed.dose.reopened;
        self.journal
            .push(Entry::DoseClosed(closed.to_entry(corrects)));
        if self.context.answers {
            self.state.recent.push(closed);
        }
    }

    /// The window has closed: a question that was asked was not answered, and what did not leave
    /// has its reason.
    fn close_prompt(&mut self, prompt: &OpenPrompt) {
        let reason = prompt
            .sending
            .accepted_at
            .is_none()
            .then(|| prompt.sending.reason_not_sent());
        if prompt.kind == PromptKind::CheckIn || reason.is_some() {
            self.journal.push(prompt.closed(reason));
        }
        if prompt.kind == PromptKind::CheckIn && self.context.answers && prompt.sending.has_left() {
            self.state.recent_check_ins.push(RecentCheckIn {
                check_in: prompt.id.clone(),
                due: Millis(prompt.due),
            });
        }
    }

    /// Forgets what no answer can mean any more, and no report.
    fn forget_old(&mut self) {
        if let Some(by) = self.context.ages_by {
            let by = by.min(self.now);
            let horizon = by.saturating_sub(RECENT).unwrap_or(Timestamp::MIN);
            self.state.recent.retain(|it| it.dose.due > horizon);
            self.state.recent_check_ins.retain(|it| it.due.0 > horizon);
        }
        let excess = self.state.recent.len().saturating_sub(RECENT_MAX);
        self.state.recent.drain(..excess);
    }
}

impl OpenPrompt {
    /// It waits for nothing but, perhaps, a report that it was lost.
    pub(crate) fn is_done(&self) -> bool {
        self.kind == PromptKind::Appointment && self.sending.accepted_at.is_some()
    }

    /// The entry of its end without an answer.
    fn closed(&self, reason: Option<ExpiredReason>) -> Entry {
        match self.kind {
            PromptKind::CheckIn => Entry::CheckInClosed {
                check_in: self.id.clone(),
                due: Millis(self.due),
                asked: self.sending.accepted_at.map(Millis),
                reason,
                cancelled: false,
            },
            PromptKind::Appointment => Entry::AppointmentNotReminded {
                what: self.id.clone(),
                due: Millis(self.due),
                reason,
            },
        }
    }

    /// The entry of its end by an edit of the plan.
    fn cancelled(&self) -> Entry {
        match self.closed(None) {
            Entry::CheckInClosed {
                check_in,
                due,
                asked,
                reason,
                ..
            } => Entry::CheckInClosed {
                check_in,
                due,
                asked,
                reason,
                cancelled: true,
            },
            other => other,
        }
    }
}

impl OpenDose {
    pub(super) fn is(&self, medication: &str, due: Timestamp) -> bool {
        self.due == due && self.medication == medication
    }
}

impl RecentDose {
    /// The entry of its closing, or of a correction.
    fn to_entry(&self, corrects: bool) -> ClosedDose {
        ClosedDose {
            medication: self.dose.medication.clone(),
            amount: self.dose.amount.clone(),
            due: Millis(self.dose.due),
            on_time_until: Millis(self.dose.on_time_until),
            state: self.state,
            reason: self.reason,
            reminded: self.dose.sending.accepted_at.map(Millis),
            in_doubt: self.dose.sending.in_doubt,
            messages: self.dose.sending.messages.clone(),
            answer: self.answer.clone(),
            corrects,
        }
    }
}

impl Sending {
    fn settle(&mut self, message: MessageId, settlement: Settlement, now: Timestamp) {
        self.prompt = None;
        // A repeat that failed is not made up for: the next one comes.
        self.repeated_until = self.repeated_until.max(self.repeat.take());
        match settlement {
            Settlement::Accepted(at) => {
                self.accepted_at.get_or_insert(at);
                self.repeated_until = self.repeated_until.max(Some(at));
                self.messages.push(message);
            }
            Settlement::InDoubt => {
                self.in_doubt = true;
                // The next repeat covers it.
                self.repeated_until = self.repeated_until.max(Some(now));
                self.messages.push(message);
            }
            Settlement::NotSent(reason) | Settlement::Undeliverable(reason) => {
                self.failure = Some(reason);
            }
        }
    }

    /// True if a message was accepted or is in doubt.
    fn has_left(&self) -> bool {
        self.accepted_at.is_some() || self.in_doubt
    }

    /// Why nothing was accepted. A message in doubt was tried while the API did not answer.
    fn reason_not_sent(&self) -> ExpiredReason {
        self.failure.unwrap_or(ExpiredReason::ApiDown)
    }
}

/// When a dose or check-in is closed if nothing else happens: at the end of its window, but not
/// before its message is settled, for which there is time from each look behind the window on.
/// `seen` is the latest look before `now`: after a standstill a patient is looked at several
/// times at once, and the dispatcher has not had its say at any of them.
fn closes_at(
    window_ends: Timestamp,
    sending: &Sending,
    now: Timestamp,
    seen: Timestamp,
) -> Timestamp {
    if sending.prompt.is_none() {
        return window_ends;
    }
    // Nobody looked when it was time to: nothing ran, and the dispatcher has just begun.
    let stood_still = now.duration_since(seen) > SETTLE_GRACE + SignedDuration::from_mins(1);
    let looked_at = if seen >= window_ends && !stood_still {
        seen
    } else {
        now.max(window_ends)
    };
    looked_at
        .saturating_add(SETTLE_GRACE)
        .unwrap_or(Timestamp::MAX)
}

/// The first instant that the store can tell from `cursor`.
fn after(cursor: Timestamp) -> Timestamp {
    cursor
        .saturating_add(SignedDuration::from_millis(1))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
pub(super) mod tests;
