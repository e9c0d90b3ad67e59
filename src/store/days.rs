//! The last days of all patients, for pages: days of the journal one by one, the plans' names,
//! what is due. Work is that of the days and patients looked at, whatever the age of the store.

use super::StoreError;
use super::read::Reader;
use super::records::{
    JOURNAL, JournalRow, PATIENT_IDS, PATIENT_SLUGS, PLANS, PlanHead, PlanRecord, decode,
    decode_head, journal_day,
};
use crate::engine::Entry;
use crate::plan::ResolvedPlan;
use jiff::Timestamp;
use redb::ReadableTable;
use std::collections::HashMap;

/// An entry of a day, and of whom.
pub struct DayEntry {
    /// The patient's number.
    pub patient: u32,
    /// The number of the row among the patient's: it tells the order of writing.
    pub row: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub entry: Entry,
}

/// A patient as lists show one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub patient: String,
    /// The name; `None` where no plan is in force.
    pub name: Option<String>,
}

/// A patient with a plan in force, as the list of plans shows one.
#[derive(Clone, Debug)]
pub struct PlanLine {
    /// The id.
    pub patient: String,
    /// Version, hashes, origin.
    pub head: PlanHead,
    /// The plan; `None` when it cannot be read.
    pub plan: Option<ResolvedPlan>,
}

impl Reader {
    /// The days of the journal that hold `from` and all after it, as far as there are any.
    ///
    /// # Errors
    /// The read failed.
    pub fn journal_days(&self, from: Timestamp) -> Result<Vec<u32>, StoreError> {
        let snapshot = self.snapshot()?;
        let journal = snapshot.open_table(JOURNAL)?;
        let first = journal.first()?.map(|(key, _)| key.value().0);
        let last = journal.last()?.map(|(key, _)| key.value().0);
        let days = first.zip(last).map(|(first, last)| {
            let from = journal_day(from).max(first);
            (from..=last).collect()
        });
        Ok(days.unwrap_or_default())
    }

    /// The entries of one day of the journal for which `wanted` holds.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn journal_of_day(
        &self,
        day: u32,
        wanted: fn(&Entry) -> bool,
    ) -> Result<Vec<DayEntry>, StoreError> {
        let snapshot = self.snapshot()?;
        let journal = snapshot.open_table(JOURNAL)?;
        let mut found = Vec::new();
        for row in journal.range((day, 0, 0)..=(day, u32::MAX, u32::MAX))? {
            let (key, record) = row?;
            let (_, patient, row) = key.value();
            let record = decode::<JournalRow>(&JOURNAL, record.value());
            let Some(record) = self.readable(record) else {
                continue;
            };
            let at = Timestamp::from_millisecond(record.at).unwrap_or(Timestamp::UNIX_EPOCH);
            for entry in record.entries.into_iter().filter(wanted) {
                found.push(DayEntry {
                    patient,
                    row,
                    at,
                    entry,
                });
            }
        }
        Ok(found)
    }

    /// Calls `visit` with the id and the plan of each patient whose plan is in force.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn each_plan(&self, mut visit: impl FnMut(&str, &ResolvedPlan)) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        for row in snapshot.open_table(PLANS)?.iter()? {
            let (number, record) = row?;
            let record = decode::<PlanRecord>(&PLANS, record.value());
            if let Some(record) = self.readable(record)
                && let Some(slug) = slugs.get(number.value())?
            {
                visit(slug.value(), &record.plan);
            }
        }
        Ok(())
    }

    /// Ids and names of these patients, by their numbers.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn people(
        &self,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<HashMap<u32, Person>, StoreError> {
        let snapshot = self.snapshot()?;
        let slugs = snapshot.open_table(PATIENT_SLUGS)?;
        let plans = snapshot.open_table(PLANS)?;
        let mut people = HashMap::new();
        for number in numbers {
            if people.contains_key(&number) {
                continue;
            }
            let Some(slug) = slugs.get(number)? else {
                continue;
            };
            let plan = plans.get(number)?;
            let plan = plan.map(|row| decode::<PlanRecord>(&PLANS, row.value()));
            let plan = plan.and_then(|plan| self.readable(plan));
            let person = Person {
                patient: slug.value().to_owned(),
                name: plan.map(|record| record.plan.name),
            };
            people.insert(number, person);
        }
        Ok(people)
    }

    /// At most `count` patients with a plan in force, in the order of their ids, after the id
    /// `after`; and whether there are more.
    ///
    /// # Errors
    /// The read failed. Rows that cannot be read are left out and counted.
    pub fn plan_lines(
        &self,
        after: Option<&str>,
        count: usize,
    ) -> Result<(Vec<PlanLine>, bool), StoreError> {
        use std::ops::Bound;
        let snapshot = self.snapshot()?;
        let plans = snapshot.open_table(PLANS)?;
        let ids = snapshot.open_table(PATIENT_IDS)?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut lines = Vec::new();
        for row in ids.range::<&str>((from, Bound::Unbounded))? {
            let (id, number) = row?;
            let Some(record) = plans.get(number.value())? else {
                continue;
            };
            let Some(head) = self.readable(decode_head(record.value())) else {
                continue;
            };
            if lines.len() == count {
                return Ok((lines, true));
            }
            let plan = self.readable(decode::<PlanRecord>(&PLANS, record.value()));
            lines.push(PlanLine {
                patient: id.value().to_owned(),
                head,
                plan: plan.map(|record| record.plan),
            });
        }
        Ok((lines, false))
    }
}
