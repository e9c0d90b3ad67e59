//! What somebody says of doses.

use super::{Turn, news};
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
        for dose in &closed {
            self.note_taking(plan, dose, taken_at.unwrap_or(self.now));
        }
        let closed: Vec<&OpenDose> = closed.iter().collect();
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
        let closed: Vec<&OpenDose> = closed.iter().collect();
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
        self.reopen(doses, by);
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
                if recent.state == DoseState::Taken {
                    not_taken.push(recent.dose.clone());
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
        for dose in not_taken {
            self.lower_stock(&dose, -1);
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
        self.reopen(doses, by);
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
    ) -> Vec<OpenDose> {
        let mut all = Vec::new();
        let mut entries = Vec::new();
        let mut stock_moves = Vec::new();
        for recent in &mut self.state.recent {
            if !is_one_of(&recent.dose, doses) || recent.state == DoseState::Cancelled {
                continue;
            }
            all.push(recent.dose.clone());
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
            all.push(dose.clone());
            let late = dose.window_ends <= self.now;
            let answer = answer.clone();
            self.close_as(dose, state, None, Some(GivenAnswer { late, ..answer }));
        }
        all
    }

    /// Doses that an answer closed and whose window is open wait again: the answer was a mistake.
    fn reopen(&mut self, doses: &[(String, Timestamp)], by: &Teller) {
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
            if recent.state == DoseState::Taken {
                self.lower_stock(&recent.dose, -1);
            }
            self.state
                .last_taken
                .retain(|it| it.medication != recent.dose.medication);
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
    fn note_taking(&mut self, plan: &ResolvedPlan, dose: &OpenDose, taken_at: Timestamp) {
        let medication = plan.medications.iter().find(|it| it.id == dose.medication);
        let Some(medication) = medication.filter(|it| it.follows_last()) else {
            return;
        };
        let later = |it: &OpenDose| it.medication == dose.medication && it.due > dose.due;
        let recent = self.state.recent.iter().map(|it| &it.dose);
        if self.state.doses.iter().chain(recent).any(later) {
            return;
        }
        let before = self
            .state
            .last_taken
            .iter()
            .position(|it| it.medication == dose.medication)
            .map(|index| self.state.last_taken.swap_remove(index));
        let doses = super::follow_last::doses_until(medication, before.as_ref(), dose.due);
        self.state.last_taken.push(LastTaken {
            medication: dose.medication.clone(),
            at: Millis(taken_at),
            doses,
        });
    }
}

fn is_one_of(dose: &OpenDose, doses: &[(String, Timestamp)]) -> bool {
    doses
        .iter()
        .any(|(medication, due)| dose.is(medication, *due))
}
