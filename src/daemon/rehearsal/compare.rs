//! Two lists of what will fall, told as what a person would say has changed.

use crate::engine::Expected;
use crate::plan::{DueKind, Zone};
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// One thing that would change.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// What was to fall, or what is added.
    pub item: Expected,
    /// How it would change.
    pub change: Change,
}

/// How something that falls would change.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It would not fall any more.
    Withdrawn,
    /// It has fallen and waits for an answer, which would not be waited for any more.
    Cancelled,
    /// It would fall at another time, perhaps with another amount.
    Moved(Expected),
    /// It would have this amount.
    Amount(String),
}

/// What changes from one list to the other, in the order of instants. `zones` are those of the
/// old and the new plan.
pub fn lines(
    zones: (&Zone, &Zone),
    before: Vec<Expected>,
    after: Vec<Expected>,
    cancelled: Vec<Expected>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = cancelled
        .into_iter()
        .map(|item| Line {
            item,
            change: Change::Cancelled,
        })
        .collect();
    // Of what nobody is reminded, nobody notices that it changes.
    let mut groups: BTreeMap<_, (Vec<Expected>, Vec<Expected>)> = BTreeMap::new();
    for item in before.into_iter().filter(|item| item.reminded) {
        groups.entry(key(&item, zones.0)).or_default().0.push(item);
    }
    for item in after.into_iter().filter(|item| item.reminded) {
        groups.entry(key(&item, zones.1)).or_default().1.push(item);
    }
    for (old, new) in groups.into_values() {
        group_lines(old, new, &mut lines);
    }
    lines.sort_by(|a, b| a.item.cmp(&b.item));
    lines
}

/// What may be the same thing at another time: doses and check-ins of one local date; an
/// appointment is moved with all of its reminders.
fn key(item: &Expected, zone: &Zone) -> (DueKind, String, Option<Date>) {
    let date = match item.kind {
        DueKind::Dose | DueKind::CheckIn => Some(zone.local(item.due).date()),
        DueKind::Appointment => None,
    };
    (item.kind, item.id.clone(), date)
}

fn group_lines(mut old: Vec<Expected>, mut new: Vec<Expected>, lines: &mut Vec<Line>) {
    let at = |items: &[Expected], due: Timestamp| items.iter().position(|item| item.due == due);
    for item in std::mem::take(&mut old) {
        match at(&new, item.due).map(|index| new.remove(index)) {
            None => old.push(item),
            Some(same) if same.amount == item.amount => {}
            Some(other) => lines.push(Line {
                item,
                change: Change::Amount(other.amount),
            }),
        }
    }
    if old.len() == new.len() {
        let pairs = old.into_iter().zip(new);
        lines.extend(pairs.map(|(item, to)| Line {
            item,
            change: Change::Moved(to),
        }));
        return;
    }
    // Which of them was moved where nobody can say.
    let line = |item, change| Line { item, change };
    lines.extend(old.into_iter().map(|item| line(item, Change::Withdrawn)));
    lines.extend(new.into_iter().map(|item| line(item, Change::Added)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dose(at: &str, amount: &str) -> Expected {
        Expected {
            due: format!("{at}:00+08:00").parse().unwrap(),
            kind: DueKind::Dose,
            id: "A".to_owned(),
            amount: amount.to_owned(),
            reminded: true,
        }
    }

    fn compared(before: &[Expected], after: &[Expected]) -> Vec<Line> {
        let zone = Zone::get("Asia/Shanghai").unwrap();
        lines((&zone, &zone), before.to_vec(), after.to_vec(), Vec::new())
    }

    #[test]
    fn what_is_the_same_is_no_change() {
        let both = [dose("2026-03-02T08:00", "1"), dose("2026-03-02T20:00", "1")];
        assert_eq!(compared(&both, &both), []);
    }

    #[test]
    fn as_many_on_a_day_at_other_times_are_moved_in_order() {
        let before = [dose("2026-03-02T08:00", "1"), dose("2026-03-02T20:00", "1")];
        let after = [dose("2026-03-02T09:00", "1"), dose("2026-03-02T20:00", "2")];
        let found = compared(&before, &after);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].change, Change::Moved(after[0].clone()));
        assert_eq!(found[1].change, Change::Amount("2".to_owned()));
    }

    #[test]
    fn fewer_or_more_on_a_day_are_withdrawn_and_added_not_moved() {
        let before = [dose("2026-03-02T08:00", "1"), dose("2026-03-02T20:00", "1")];
        let after = [dose("2026-03-02T09:00", "1")];
        let found = compared(&before, &after);
        let changes: Vec<_> = found.iter().map(|line| &line.change).collect();
        assert_eq!(
            changes,
            [&Change::Withdrawn, &Change::Added, &Change::Withdrawn]
        );
    }

    #[test]
    fn another_day_is_another_dose() {
        let found = compared(
            &[dose("2026-03-02T08:00", "1")],
            &[dose("2026-03-03T08:00", "1")],
        );
        let changes: Vec<_> = found.iter().map(|line| &line.change).collect();
        assert_eq!(changes, [&Change::Withdrawn, &Change::Added]);
    }

    #[test]
    fn what_nobody_is_reminded_of_is_not_shown() {
        let silent = Expected {
            reminded: false,
            ..dose("2026-03-02T08:00", "1")
        };
        assert_eq!(compared(&[], std::slice::from_ref(&silent)), []);
        let found = compared(&[dose("2026-03-02T08:00", "1")], &[silent]);
        assert_eq!(found[0].change, Change::Withdrawn);
    }
}
