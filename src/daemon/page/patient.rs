//! What the pages of one patient are told: from that patient's rows alone.

use super::Practice;
use crate::daemon::enrolment;
use crate::daemon::rehearsal::Rehearsal;
use crate::engine::{DoseCalendar, DoseHistory, Entry, Expected};
use crate::http::admin::{EnrolRequest, Enrolled};
use crate::http::page::Trouble;
use crate::http::page::clinic::Asked;
use crate::http::page::patient::view::{
    Answers, Asking, JournalView, PatientAsk, PatientView, Patients, PlanFile, PlanReading,
    PlanText, PlanTexts, ReachView, Saved,
};
use crate::messaging::Limits;
use crate::plan::{DueKind, Language, PatientId, ResolvedPlan, Zone};
use crate::store::{
    Chart, JournalLeaf, JournalMark, PlanVersion, Reach, Reader, StoreError, Treatments,
};
use futures_util::future::BoxFuture;
use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Days over which adherence is told.
const FIGURES: [u16; 3] = [7, 30, 90];
/// Rows of the journal on the patient's page.
const ROWS: usize = 12;
/// Rows of the journal on a page of its own.
const ROWS_OF_JOURNAL: usize = 100;
/// Texts of the plan on one page.
const TEXTS: usize = 10;

/// What is asked for, and of when.
struct Look {
    ask: PatientAsk,
    now: Timestamp,
    clinic: Zone,
    limits: Limits,
}

impl Patients for Practice {
    fn patient(&self, id: String, ask: PatientAsk) -> Asked<'_, Option<PatientView>> {
        let outlet = self.shared.outlet();
        let look = Look {
            ask,
            now: self.shared.now(),
            clinic: outlet.zone.clone(),
            limits: Limits::clone(&outlet.limits),
        };
        Box::pin(self.read(move |reader| patient(reader, &id, &look)))
    }

    fn journal(&self, id: String, before: Option<String>) -> Asked<'_, Option<JournalView>> {
        Box::pin(self.read(move |reader| {
            let reader = &reader.of_this_moment()?;
            let Some(chart) = chart(reader, &id)? else {
                return Ok(None);
            };
            // What is no mark begins at the end.
            let mark = before.as_deref().and_then(JournalMark::of);
            let leaf = reader.journal_leaf(&id, mark, ROWS_OF_JOURNAL)?;
            Ok(Some(journal_view(leaf, chart.plan)))
        }))
    }

    fn plan_texts(&self, id: String, before: Option<u32>) -> Asked<'_, Option<PlanTexts>> {
        let clinic = self.shared.outlet().zone.clone();
        Box::pin(self.read(move |reader| {
            let reader = &reader.of_this_moment()?;
            let Some(chart) = chart(reader, &id)? else {
                return Ok(None);
            };
            let texts = reader.plan_versions(&id, before, TEXTS + 1)?;
            let mut versions: Vec<PlanText> = texts.into_iter().map(plan_text).collect();
            let before = (versions.len() > TEXTS).then(|| versions.pop()).flatten();
            Ok(Some(PlanTexts {
                versions,
                before,
                zone: chart.plan.map_or(clinic, |plan| plan.zone),
            }))
        }))
    }

    fn enrol(&self, request: EnrolRequest) -> BoxFuture<'_, Enrolled> {
        Box::pin(enrolment::enrol(&self.shared, request))
    }

    fn plan_file(&self, id: String) -> Asked<'_, Option<PlanFile>> {
        let editor = Arc::clone(&self.editor);
        Box::pin(self.of_patient(id, move |_, patient| editor.open(patient)))
    }

    fn read_plan(
        &self,
        id: String,
        text: String,
        language: Language,
    ) -> Asked<'_, Option<PlanReading>> {
        let editor = Arc::clone(&self.editor);
        Box::pin(self.of_patient(id, move |reader, patient| {
            editor.read(reader, patient, &text, language)
        }))
    }

    fn save_plan(
        &self,
        id: String,
        text: String,
        loaded: Option<String>,
        language: Language,
    ) -> Asked<'_, Option<Saved>> {
        Box::pin(async move {
            let Ok(patient) = id.parse::<PatientId>() else {
                return Ok(None);
            };
            let (editor, id) = (Arc::clone(&self.editor), patient.clone());
            let written = self
                .read(move |reader| editor.write(reader, &id, &text, loaded.as_deref(), language));
            let saved = self.editor.bring_into_force(&patient, written.await?).await;
            Ok(Some(saved))
        })
    }
}

impl Practice {
    /// Reads what belongs to an id that a patient can have; `None` for any other.
    async fn of_patient<T: Send + 'static>(
        &self,
        id: String,
        job: impl FnOnce(&Reader, &PatientId) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, Trouble> {
        let Ok(patient) = id.parse::<PatientId>() else {
            return Ok(None);
        };
        self.read(move |reader| job(reader, &patient))
            .await
            .map(Some)
    }
}

/// The patient's plan and state, without the journal.
fn chart(reader: &Reader, id: &str) -> Result<Option<Chart>, StoreError> {
    reader.charts_without_journal(Some(id))?.next().transpose()
}

fn patient(reader: &Reader, id: &str, look: &Look) -> Result<Option<PatientView>, StoreError> {
    let reader = &reader.of_this_moment()?;
    let now = look.now;
    let Some(zone) = chart(reader, id)? else {
        return Ok(None);
    };
    let zone = zone
        .plan
        .map_or_else(|| look.clinic.clone(), |plan| plan.zone);
    let today = zone.local(now).date();
    let month = look.ask.month.unwrap_or_else(|| today.first_of_month());
    let (month_begins, month_ends) = (midnight(&zone, month), midnight(&zone, next_month(month)));
    let longest = FIGURES.into_iter().chain([look.ask.days]).max();
    let from = days_ago(&zone, today, longest.unwrap_or_default()).min(month_begins);
    let Some(chart) = reader
        .charts(Some(id), from, is_shown)?
        .next()
        .transpose()?
    else {
        return Ok(None);
    };
    let treatments = reader.treatments([id])?;
    let next = expected(&treatments, id, look);
    let mut calendar = DoseCalendar::new(month_begins, month_ends);
    let open = chart.state.iter().flat_map(|state| &state.doses);
    // Stepped ahead of its instant a dose is only planned.
    let open: Vec<_> = open.filter(|dose| dose.due <= now).cloned().collect();
    for dose in &open {
        calendar.waits(dose);
    }
    for (_, entry) in &chart.entries {
        calendar.note(entry);
    }
    if let Some(plan) = &chart.plan {
        plan_ahead(
            &mut calendar,
            plan,
            &next,
            (now.max(month_begins), month_ends),
        );
    }
    let figures = FIGURES.into_iter().map(|days| {
        let from = days_ago(&zone, today, days);
        let mut history = DoseHistory::new(from, now);
        for dose in &open {
            history.waits(&dose.medication, dose.due);
        }
        for (_, entry) in &chart.entries {
            history.note(entry);
        }
        (days, history.adherence(&zone))
    });
    let figures = figures.collect();
    let answers = answers(&chart.entries, days_ago(&zone, today, look.ask.days));
    let leaf = reader.journal_leaf(id, None, ROWS)?;
    let version = treatments
        .patients
        .get(id)
        .and_then(|kept| kept.plan.as_ref());
    Ok(Some(PatientView {
        id: id.to_owned(),
        version: version.map(|(head, _)| head.version),
        now,
        open,
        next,
        reach: reach_view(reader.reach(id)?.unwrap_or_default()),
        figures,
        month,
        calendar,
        days: look.ask.days,
        answers,
        journal: journal_view(leaf, None),
        plan: chart.plan,
        zone,
    }))
}

/// What the page shows of the journal besides its last rows.
fn is_shown(entry: &Entry) -> bool {
    DoseHistory::is_told_by(entry)
        || matches!(
            entry,
            Entry::CheckInAnswered { .. } | Entry::CheckInClosed { .. }
        )
}

/// What falls within the next days, as the daemon would decide it now.
fn expected(treatments: &Treatments, id: &str, look: &Look) -> Vec<Expected> {
    let rehearsal = Rehearsal::new(look.now, look.limits.clone());
    rehearsal.expected(treatments.patients.get(id), &treatments.ids)
}

/// Doses that will be due in the half-open range. Those of a medication that is counted from when
/// it was taken last are known for the next days alone.
fn plan_ahead(
    calendar: &mut DoseCalendar,
    plan: &ResolvedPlan,
    next: &[Expected],
    (from, until): (Timestamp, Timestamp),
) {
    for medication in &plan.medications {
        if medication.as_needed.is_none() && !medication.follows_last() {
            let doses = plan.doses_from(medication, from);
            for dose in doses.take_while(|dose| dose.due < until) {
                calendar.will_be_due(&medication.id, dose.due, &dose.amount);
            }
        }
    }
    for item in next.iter().filter(|item| item.kind == DueKind::Dose) {
        calendar.will_be_due(&item.id, item.due, &item.amount);
    }
}

/// Answers to check-ins that were due from `from` on, and silences.
fn answers(entries: &[(Timestamp, Entry)], from: Timestamp) -> Vec<Answers> {
    let mut all: BTreeMap<&str, BTreeMap<Timestamp, Asking>> = BTreeMap::new();
    for (_, entry) in entries {
        match entry {
            Entry::CheckInAnswered {
                check_in,
                due,
                value,
                late,
                alert,
                ..
            } if due.0 >= from => {
                let asking = Asking {
                    due: due.0,
                    value: Some(value.clone()),
                    alert: *alert,
                    late: *late,
                };
                all.entry(check_in).or_default().insert(due.0, asking);
            }
            Entry::CheckInClosed {
                check_in,
                due,
                cancelled: false,
                ..
            } if due.0 >= from => {
                let silence = Asking {
                    due: due.0,
                    value: None,
                    alert: false,
                    late: false,
                };
                all.entry(check_in)
                    .or_default()
                    .entry(due.0)
                    .or_insert(silence);
            }
            _ => {}
        }
    }
    let all = all.into_iter().map(|(check_in, askings)| Answers {
        check_in: check_in.to_owned(),
        askings: askings.into_values().collect(),
    });
    all.collect()
}

fn reach_view(reach: Reach) -> ReachView {
    let caregivers = reach.caregivers.into_iter();
    ReachView {
        bound: reach.bound,
        attested: reach.attested,
        barred: reach.barred,
        caregivers: caregivers
            .map(|it| (it.id, !it.barred && !it.refuses))
            .collect(),
    }
}

fn journal_view(leaf: JournalLeaf, plan: Option<ResolvedPlan>) -> JournalView {
    let entries = leaf.lines.into_iter().map(|line| (line.at, line.entry));
    JournalView {
        entries: entries.collect(),
        older: leaf.older.map(|mark| mark.to_string()),
        plan,
    }
}

fn plan_text(version: PlanVersion) -> PlanText {
    PlanText {
        version: version.version,
        at: Timestamp::from_millisecond(version.text.at).unwrap_or(Timestamp::UNIX_EPOCH),
        file: version.text.file,
        text: version.text.text,
    }
}

fn midnight(zone: &Zone, date: Date) -> Timestamp {
    zone.instant(date.to_datetime(Time::midnight()))
}

/// The first moment of so many days, today among them.
fn days_ago(zone: &Zone, today: Date, days: u16) -> Timestamp {
    let first = today.checked_sub((i64::from(days) - 1).max(0).days());
    midnight(zone, first.unwrap_or(Date::MIN))
}

fn next_month(month: Date) -> Date {
    month.checked_add(1.month()).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Millis, Teller, Value};

    fn due(hour: i64) -> Millis {
        Millis(Timestamp::from_second(hour * 3600).unwrap())
    }

    fn answered(hour: i64, value: i64, late: bool) -> (Timestamp, Entry) {
        let entry = Entry::CheckInAnswered {
            check_in: "bp".to_owned(),
            due: due(hour),
            value: Value::Number(value),
            late,
            alert: value > 100,
            by: Teller::Patient,
        };
        (due(hour).0, entry)
    }

    fn closed(hour: i64, cancelled: bool) -> (Timestamp, Entry) {
        let entry = Entry::CheckInClosed {
            check_in: "bp".to_owned(),
            due: due(hour),
            asked: Some(due(hour)),
            reason: None,
            cancelled,
        };
        (due(hour).0, entry)
    }

    #[test]
    fn the_last_answer_counts_and_silence_takes_no_answer_back() {
        let found = answers(
            &[
                closed(1, false),
                answered(2, 90, false),
                answered(2, 120, false),
                closed(3, false),
                answered(3, 80, true),
                answered(4, 70, false),
                closed(4, false),
                closed(5, true),
                answered(0, 60, false),
            ],
            due(1).0,
        );
        assert_eq!(found.len(), 1);
        let shown: Vec<_> = found[0]
            .askings
            .iter()
            .map(|it| (it.due, it.value.clone(), it.alert, it.late))
            .collect();
        let value = |value| Some(Value::Number(value));
        assert_eq!(
            shown,
            [
                (due(1).0, None, false, false),
                (due(2).0, value(120), true, false),
                (due(3).0, value(80), false, true),
                (due(4).0, value(70), false, false),
            ]
        );
    }

    #[test]
    fn days_begin_at_midnight_of_the_zone_and_today_is_one_of_them() {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        let today: Date = "2026-03-10".parse().unwrap();
        let at = |text: &str| zone.instant(text.parse().unwrap());
        assert_eq!(days_ago(&zone, today, 1), at("2026-03-10T00:00"));
        assert_eq!(days_ago(&zone, today, 7), at("2026-03-04T00:00"));
        assert_eq!(days_ago(&zone, today, 0), at("2026-03-10T00:00"));
        assert_eq!(
            next_month("2026-12-01".parse().unwrap()).to_string(),
            "2027-01-01"
        );
    }
}
