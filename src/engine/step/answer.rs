//! What somebody says of doses.

use super::{Turn, follow_last, news};
use crate::engine::{
    About, DoseReport, DoseState, Entry, GivenAnswer, LastTaken, Millis, OpenDose, RecentDose,
    Reply, Teller,
};
use crate::plan::ResolvedPlan;
use jiff::{SignedDuration, Timestamp};

/// "Later" without a time.
const LATER: SignedDuration = SignedDuration::from_mins(30);

/// "Later" is at least this far away, so that the answer to it is read first.
const LATER_MIN: SignedDuration = SignedDuration::from_mins(1);

/// The last reminder comes at least this long before the window closes: there must be time to
/// take the dose.
const LAST_REMINDER: SignedDuration = SignedDuration::from_mins(5);

/// Of each medication that follows its last dose so many takings are remembered: the last, and the
/// one before, which it follows again when the last was said by mistake.
const TAKINGS_KEPT: usize = 2;

impl Turn<'_> {
    /// Somebody said something of doses: open ones are closed or wait on, closed ones are
    /// corrected. What is not known (any more) is left out of the reply.
    pub(super) fn answer(
        &mut self,
        plan: &ResolvedPlan,
        doses: &[(String, Timestamp)],
        report: DoseReport<'_>,
        by: &Teller,
    ) {
        if matches!(
            report,
            DoseReport::Taken { .. } | DoseReport::Skipped { .. }
        ) {
            // That a dose is not taken ends no row of missed ones.
            self.state.missed_in_a_row = 0;
        }
        for (medication, due) in doses {
            self.take_back_alerts(medication, *due);
        }
        match report {
            DoseReport::Taken { at } => self.answer_taken(plan, doses, at, by),
            DoseReport::Skipped { reason } => self.answer_skipped(plan, doses, reason, by),
            DoseReport::NotTaken => self.answer_not_taken(plan, doses, by),
            DoseReport::Later { minutes } => self.answer_later(plan, doses, minutes, by),
        }
    }

    fn answer_taken(
        &mut self,
        plan: &ResolvedPlan,
        doses: &[(String, Timestamp)],
        at: Option<Timestamp>,
        by: &Teller,
    ) {
        let taken_at = at.filter(|at| *at <= self.now);
        let answer = self.given(taken_at, by, None);
        let closed = self.close_answered(doses, DoseState::Taken, &answer);
        for answered in &closed {
            match answered.was_taken {
                None => self.note_taking(plan, answered, taken_at.unwrap_or(self.now)),
                // Said once more, it was taken when it was, unless they say when.
                Some(before) => {
                    let at = taken_at.unwrap_or(before);
                    self.correct_taking(plan, &answered.dose, before, at);
                }
            }
        }
        let closed: Vec<&OpenDose> = closed.iter().map(|it| &it.dose).collect();
        if !closed.is_empty() {
            let doses = news::names(plan, &closed);
            self.replies.push(Reply::Taken { doses, taken_at });
        }
    }

    fn answer_skipped(
        &mut self,
        plan: &ResolvedPlan,
        doses: &[(String, Timestamp)],
        reason: Option<&str>,
        by: &Teller,
    ) {
        let answer = self.given(None, by, reason);
        let closed = self.close_answered(doses, DoseState::Skipped, &answer);
        for answered in &closed {
            if let Some(before) = answered.was_taken {
                self.forget_taking(plan, &answered.dose, before);
            }
        }
        let closed: Vec<&OpenDose> = closed.iter().map(|it| &it.dose).collect();
        if !closed.is_empty() {
            let doses = news::names(plan, &closed);
            self.replies.push(Reply::Skipped { doses });
        }
    }

    /// Within its window a dose that was not taken stays open, or is opened again; after it the
    /// patient says that it was missed.
    fn answer_not_taken(
        &mut self,
        plan: &ResolvedPlan,
        doses: &[(String, Timestamp)],
        by: &Teller,
    ) {
        self.reopen(plan, doses, by);
        let mut open = Vec::new();
        for dose in &mut self.state.doses {
            if is_one_of(dose, doses) {
                dose.said_not_taken = true;
                open.push(dose.clone());
            }
        }
        let answer = self.given(None, by, None);
        let mut missed = Vec::new();
        let mut entries = Vec::new();
        let mut not_taken = Vec::new();
        for recent in &mut self.state.recent {
            if is_one_of(&recent.dose, doses) && recent.state != DoseState::Cancelled {
                missed.push(recent.dose.clone());
                if let Some(before) = taken_at(recent) {
                    not_taken.push((recent.dose.clone(), before));
                }
                // What we did not remind of in time stays ours, whatever the patient says.
                if recent.state != DoseState::Expired {
                    recent.state = DoseState::Missed;
                }
                recent.answer = Some(GivenAnswer {
                    late: recent.dose.window_ends <= self.now,
                    ..answer.clone()
                });
                entries.push(Entry::DoseClosed(recent.to_entry(true)));
            }
        }
        self.journal.extend(entries);
        for (dose, before) in not_taken {
            self.lower_stock(&dose, -1);
            self.forget_taking(plan, &dose, before);
        }
        if !open.is_empty() {
            let open: Vec<&OpenDose> = open.iter().collect();
            self.journal.push(Entry::SaidNotTaken {
                about: news::about(&open),
                by: by.clone(),
            });
        }
        let all: Vec<&OpenDose> = open.iter().chain(&missed).collect();
        if all.is_empty() {
            return;
        }
        let mut advice: Vec<(String, String)> = Vec::new();
        for medication in &plan.medications {
            let named = all.iter().any(|dose| dose.medication == medication.id);
            if let Some(words) = medication.if_missed.as_ref().filter(|_| named) {
                advice.push((medication.label().to_owned(), words.clone()));
            }
        }
        self.replies.push(Reply::NotTaken {
            doses: news::names(plan, &all),
            advice,
            open_until: open.iter().map(|dose| dose.window_ends).min(),
        });
    }

    fn answer_later(
        &mut self,
        plan: &ResolvedPlan,
        doses: &[(String, Timestamp)],
        minutes: Option<u32>,
        by: &Teller,
    ) {
        let now = self.now;
        let span = minutes.map_or(LATER, |minutes| SignedDuration::from_mins(minutes.into()));
        let wanted = now.saturating_add(span.max(LATER_MIN));
        let wanted = wanted.unwrap_or(Timestamp::MAX);
        // A dose that was closed by mistake and has time yet waits again.
        self.reopen(plan, doses, by);
        let named = |dose: &&OpenDose| is_one_of(dose, doses);
        let open: Vec<OpenDose> = self.state.doses.iter().filter(named).cloned().collect();
        let closed: Vec<OpenDose> = self
            .state
            .recent
            .iter()
            .map(|recent| &recent.dose)
            .filter(named)
            .cloned()
            .collect();
        let Some(window_ends) = open.iter().map(|dose| dose.window_ends).min() else {
            if !closed.is_empty() {
                let closed: Vec<&OpenDose> = closed.iter().collect();
                let doses = news::names(plan, &closed);
                self.replies.push(Reply::TooLate { doses });
            }
            return;
        };
        let last = window_ends.saturating_sub(LAST_REMINDER).unwrap_or(now);
        let until = wanted.min(last);
        let until = (until > now).then_some(until);
        let waiting: Vec<_> = open.iter().filter_map(|dose| dose.sending.prompt).collect();
        self.withdraw_messages(&waiting);
        for dose in &mut self.state.doses {
            if is_one_of(dose, doses) {
                // With no time left it stays open, and quiet.
                dose.snoozed_until = Some(until.unwrap_or(dose.window_ends));
            }
        }
        let open: Vec<&OpenDose> = open.iter().collect();
        self.journal.push(Entry::Snoozed {
            about: news::about(&open),
            until: Millis(until.unwrap_or(window_ends)),
            by: by.clone(),
        });
        self.replies.push(Reply::Later {
            doses: news::names(plan, &open),
            until,
            clamped: until.is_none_or(|until| until < wanted),
            window_ends,
        });
    }

    fn given(&self, taken_at: Option<Timestamp>, by: &Teller, reason: Option<&str>) -> GivenAnswer {
        GivenAnswer {
            said_at: Millis(self.now),
            taken_at: taken_at.map(Millis),
            by: by.clone(),
            reason: reason.map(str::to_owned),
            late: false,
        }
    }

    /// Closes the open ones, with what waits to be said of them, and corrects the closed ones.
    /// Returns them all.
    fn close_answered(
        &mut self,
        doses: &[(String, Timestamp)],
        state: DoseState,
        answer: &GivenAnswer,
    ) -> Vec<Answered> {
        let mut all = Vec::new();
        let mut entries = Vec::new();
        let mut stock_moves = Vec::new();
        for recent in &mut self.state.recent {
            if !is_one_of(&recent.dose, doses) || recent.state == DoseState::Cancelled {
                continue;
            }
            all.push(Answered {
                dose: recent.dose.clone(),
                was_taken: taken_at(recent),
                was_closed: true,
            });
            let before = i64::from(recent.state == DoseState::Taken);
            let after = i64::from(state == DoseState::Taken);
            if before != after {
                stock_moves.push((recent.dose.clone(), after - before));
            }
            let said = recent.answer.as_ref();
            let same = recent.state == state
                && said.is_some_and(|said| {
                    (said.taken_at == answer.taken_at || answer.taken_at.is_none())
                        && (said.reason == answer.reason || answer.reason.is_none())
                });
            if !same {
                recent.state = state;
                recent.reason = None;
                recent.answer = Some(GivenAnswer {
                    late: recent.dose.window_ends <= self.now,
                    ..answer.clone()
                });
                entries.push(Entry::DoseClosed(recent.to_entry(true)));
            }
        }
        self.journal.extend(entries);
        for (dose, sign) in stock_moves {
            self.lower_stock(&dose, sign);
        }
        for dose in self.remove_doses(|dose| is_one_of(dose, doses)) {
            all.push(Answered {
                dose: dose.clone(),
                was_taken: None,
                was_closed: false,
            });
            let late = dose.window_ends <= self.now;
            let answer = answer.clone();
            self.close_as(dose, state, None, Some(GivenAnswer { late, ..answer }));
        }
        all
    }

    /// Doses that an answer closed and whose window is open wait again: the answer was a mistake.
    fn reopen(&mut self, plan: &ResolvedPlan, doses: &[(String, Timestamp)], by: &Teller) {
        let now = self.now;
        let answered = |it: &RecentDose| matches!(it.state, DoseState::Taken | DoseState::Skipped);
        let reopened: Vec<RecentDose> = self
            .state
            .recent
            .extract_if(.., |it| {
                is_one_of(&it.dose, doses) && answered(it) && it.dose.window_ends > now
            })
            .collect();
        for mut recent in reopened {
            if let Some(before) = taken_at(&recent) {
                self.lower_stock(&recent.dose, -1);
                self.forget_taking(plan, &recent.dose, before);
            }
            self.journal.push(Entry::DoseReopened {
                about: About {
                    id: recent.dose.medication.clone(),
                    due: Millis(recent.dose.due),
                },
                by: by.clone(),
            });
            recent.dose.snoozed_until = None;
            recent.dose.reopened = true;
            let waits = |id| self.state.unsettled.iter().any(|key| key.id == id);
            if !recent.dose.sending.prompt.is_some_and(waits) {
                // The message was taken back with the answer.
                recent.dose.withdraw();
            }
            self.state.doses.push(recent.dose);
        }
        self.state.doses.sort_by_key(|dose| dose.due);
    }

    /// A medication that follows its last dose follows this one from now on, unless a later one
    /// has come up since (P3).
    fn note_taking(&mut self, plan: &ResolvedPlan, answered: &Answered, taken_at: Timestamp) {
        let dose = &answered.dose;
        let medication = plan.medications.iter().find(|it| it.id == dose.medication);
        let Some(medication) = medication.filter(|it| it.follows_last()) else {
            return;
        };
        if self.is_followed(dose) {
            return;
        }
        let is_ahead = self.is_ahead(plan, dose, taken_at);
        let takings = &mut self.state.last_taken;
        let of_this = |it: &LastTaken| it.medication == dose.medication;
        let before = takings.iter().rposition(of_this);
        // The next one follows this dose already: that it was taken back moved nothing.
        let is_its_own = answered.was_closed && follow_last::begins_after(medication, dose.due);
        if let Some(index) = before.filter(|_| is_its_own) {
            if is_ahead {
                takings[index].at = Millis(taken_at);
            }
            return;
        }
        // Where the next one has been decided already, it counts as taken at its instant.
        let at = if is_ahead { taken_at } else { dose.due };
        let before = before.map(|index| &takings[index]);
        let doses = follow_last::doses_until(medication, before, dose.due);
        while takings.iter().filter(|it| of_this(it)).count() >= TAKINGS_KEPT {
            let oldest = takings.iter().position(of_this);
            oldest.map(|index| takings.remove(index));
        }
        takings.push(LastTaken {
            medication: dose.medication.clone(),
            at: Millis(at),
            doses,
        });
    }

    /// The dose was taken at another time than was said before.
    fn correct_taking(
        &mut self,
        plan: &ResolvedPlan,
        dose: &OpenDose,
        before: Timestamp,
        taken_at: Timestamp,
    ) {
        if self.is_followed(dose) || !self.is_ahead(plan, dose, taken_at) {
            return;
        }
        for taking in &mut self.state.last_taken {
            if taking.is_of(dose, before) {
                taking.at = Millis(taken_at);
            }
        }
    }

    /// The dose was not taken, although it was said that it was: its medication follows the one
    /// before again, unless a later one has come up since.
    fn forget_taking(&mut self, plan: &ResolvedPlan, dose: &OpenDose, before: Timestamp) {
        if !self.is_followed(dose) && self.is_ahead(plan, dose, dose.due) {
            self.state.last_taken.retain(|it| !it.is_of(dose, before));
        }
    }

    /// Whether the dose that comes so long after `taken_at` has not been decided yet: an instant
    /// that was would be passed over.
    fn is_ahead(&self, plan: &ResolvedPlan, dose: &OpenDose, taken_at: Timestamp) -> bool {
        let medication = plan.medications.iter().find(|it| it.id == dose.medication);
        let every = medication.and_then(follow_last::every);
        every.is_none_or(|every| {
            let next = taken_at.saturating_add(every).unwrap_or(Timestamp::MAX);
            next > self.now.max(self.state.cursor)
        })
    }

    /// Whether a later dose of the same medication has come up.
    fn is_followed(&self, dose: &OpenDose) -> bool {
        let later = |it: &OpenDose| it.medication == dose.medication && it.due > dose.due;
        let recent = self.state.recent.iter().map(|it| &it.dose);
        self.state.doses.iter().chain(recent).any(later)
    }
}

/// A dose that somebody said something of.
struct Answered {
    dose: OpenDose,
    /// When it was taken, by what was said before.
    was_taken: Option<Timestamp>,
    /// It did not wait for an answer any more.
    was_closed: bool,
}

/// When a closed dose was taken: at the instant that was said, or when it was said.
fn taken_at(recent: &RecentDose) -> Option<Timestamp> {
    let answer = recent.answer.as_ref();
    let answer = answer.filter(|_| recent.state == DoseState::Taken)?;
    Some(answer.taken_at.unwrap_or(answer.said_at).0)
}

impl LastTaken {
    fn is_of(&self, dose: &OpenDose, taken_at: Timestamp) -> bool {
        self.medication == dose.medication && self.at.0 == taken_at
    }
}

fn is_one_of(dose: &OpenDose, doses: &[(String, Timestamp)]) -> bool {
    doses
        .iter()
        .any(|(medication, due)| dose.is(medication, *due))
}
