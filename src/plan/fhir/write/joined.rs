//! Several dosages of one request as one medication: amounts by times, by days of the week, or
//! in steps. One medication is one course of treatment for the doctor who reads the plan, and its
//! windows are those of all its doses.

use super::{
    super::{
        Course, End, Moment, Request, Terms,
        course::{OnDays, Pattern},
    },
    Item, form, noted_words, quoted, read, take,
};
use crate::plan::{Medication, Zone};
use crate::recurrence::Weekdays;
use jiff::{SignedDuration, Timestamp, civil};
use std::fmt::Write as _;

/// So many instants are compared around each change of what is due.
const COMPARED: usize = 120;
/// So long before a change the comparison begins.
const BEFORE: SignedDuration = SignedDuration::from_hours(10 * 24);

/// The request's dosages as one item, `take` and notes included; `None` where no form says them
/// together.
pub(super) fn item(request: &Request, terms: &Terms) -> Option<Item> {
    let courses = &request.courses;
    if courses.len() < 2 || courses.iter().any(|course| course.count.is_some()) {
        return None;
    }
    let doses: Vec<String> = courses
        .iter()
        .map(|course| take(&course.dose))
        .collect::<Option<_>>()?;
    let candidates = [by_times, by_days, in_steps];
    candidates.into_iter().find_map(|candidate| {
        let item = candidate(courses, &doses, terms)?;
        means_the_same(&item, courses, &terms.zone).then(|| with_notes(item, courses))
    })
}

/// Local times and days of a course by the clock whose times stay within their day.
fn clock(course: &Course) -> Option<(OnDays, &[i32])> {
    match &course.pattern {
        Pattern::Clock { on, minutes } if minutes.iter().all(|m| (0..1440).contains(m)) => {
            Some((*on, minutes))
        }
        _ => None,
    }
}

fn written(minutes: &[i32]) -> String {
    let times: Vec<String> = minutes
        .iter()
        .map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60))
        .collect();
    times.join(", ")
}

fn same_bounds(courses: &[Course]) -> bool {
    courses.windows(2).all(|pair| {
        pair[0].start == pair[1].start && pair[0].end == pair[1].end && pair[0].span == pair[1].span
    })
}

/// `take` as a table, each key with its amount.
fn table(keys: &[String], doses: &[String]) -> String {
    let entries: Vec<String> = keys
        .iter()
        .zip(doses)
        .map(|(key, dose)| format!("{} = {}", quoted(key), quoted(dose)))
        .collect();
    format!("{{ {} }}", entries.join(", "))
}

/// The one item of a course, without the lines of these keys, behind a `take`.
fn single(course: &Course, take: String, without: &str, terms: &Terms) -> Option<Item> {
    let [item] = &form::items(course, terms)?[..] else {
        return None;
    };
    let mut found = Item::default().with("take", take);
    let kept = item.lines.iter().filter(|(key, _)| *key != without);
    found.lines.extend(kept.cloned());
    Some(found)
}

/// `take = { "08:00" = …, "18:00" = … }`: on the same days, at other times.
fn by_times(courses: &[Course], doses: &[String], terms: &Terms) -> Option<Item> {
    let (on, _) = clock(&courses[0])?;
    let mut all: Vec<i32> = Vec::new();
    let mut keys = Vec::new();
    for course in courses {
        let (its, minutes) = clock(course)?;
        if its != on || minutes.iter().any(|minute| all.contains(minute)) {
            return None;
        }
        all.extend(minutes);
        keys.push(written(minutes));
    }
    all.sort_unstable();
    if !same_bounds(courses) {
        return None;
    }
    let mut merged = courses[0].clone();
    merged.pattern = Pattern::Clock { on, minutes: all };
    merged.resolve(&terms.zone);
    single(&merged, table(&keys, doses), "at", terms)
}

/// `take = { "mon, wed" = …, "tue" = … }`: at the same times, on other days of the week.
fn by_days(courses: &[Course], doses: &[String], terms: &Terms) -> Option<Item> {
    let (_, minutes) = clock(&courses[0])?;
    let mut all = Weekdays::NONE;
    let mut keys = Vec::new();
    for course in courses {
        let (OnDays::Weekdays(set), its) = clock(course)? else {
            return None;
        };
        if its != minutes || !all.intersection(set).is_empty() {
            return None;
        }
        all = all.union(set);
        keys.push(form::weekday_words(set, 0));
    }
    if !same_bounds(courses) {
        return None;
    }
    let mut merged = courses[0].clone();
    merged.pattern = Pattern::Clock {
        on: OnDays::Weekdays(all),
        minutes: minutes.to_vec(),
    };
    merged.resolve(&terms.zone);
    single(&merged, table(&keys, doses), "days", terms)
}

/// `steps = ["40 mg for 5 days", …]`: one after the other, at the same times.
fn in_steps(courses: &[Course], doses: &[String], terms: &Terms) -> Option<Item> {
    let (on, minutes) = clock(&courses[0])?;
    let mut order: Vec<(&Course, &String, civil::Date)> = Vec::new();
    for (course, dose) in courses.iter().zip(doses) {
        let (its, times) = clock(course)?;
        let Some(Moment::Date(start)) = course.start else {
            return None;
        };
        if its != on || times != minutes {
            return None;
        }
        order.push((course, dose, start));
    }
    order.sort_by_key(|(.., start)| *start);
    let first = order[0].2;
    let mut steps = Vec::new();
    for (index, (course, dose, start)) in order.iter().enumerate() {
        let next = order.get(index + 1).map(|(.., next)| *next);
        let last = match course.end {
            Some(End::Day(last)) => Some(last),
            Some(End::Before(_)) => return None,
            None => None,
        };
        let step = match (last, next) {
            (None, None) => (*dose).clone(),
            (None, Some(_)) => return None,
            (Some(last), next) => {
                let after = last.tomorrow().ok()?;
                if next.is_some_and(|next| next != after) {
                    return None;
                }
                let days = (after - *start).get_days();
                let length = course
                    .span
                    .clone()
                    .unwrap_or_else(|| format!("{days} day{}", if days == 1 { "" } else { "s" }));
                format!("{dose} for {length}")
            }
        };
        steps.push(quoted(&step));
    }
    // The days are written for a course that has all of the time.
    let mut whole = order[0].0.clone();
    (whole.end, whole.span) = (None, None);
    whole.resolve(&terms.zone);
    let [item] = &form::items(&whole, terms)?[..] else {
        return None;
    };
    let mut found = Item::default().with("steps", format!("[{}]", steps.join(", ")));
    let kept = item.lines.iter().filter(|(key, _)| *key != "start");
    found.lines.extend(kept.cloned());
    Some(found.with("start", first.to_string()))
}

/// The words of all dosages, each once.
fn with_notes(item: Item, courses: &[Course]) -> Item {
    let mut words: Vec<&str> = Vec::new();
    for note in courses.iter().filter_map(|course| course.note.as_deref()) {
        if !words.contains(&note) {
            words.push(note);
        }
    }
    noted_words(item, &words)
}

/// Whether the item gives the same doses at the same instants as all the courses: from the first
/// one on, and around every beginning and end.
fn means_the_same(item: &Item, courses: &[Course], zone: &Zone) -> bool {
    let mut text = "name = \"?\"\n".to_owned();
    // Writing to a String cannot fail.
    let _ = write!(text, "timezone = {}\n[[medication]]\n", quoted(zone.name()));
    item.render("?", "?", &mut text);
    let Some(read) = read(&text, zone) else {
        return false;
    };
    let [medication] = &read.plan.medications[..] else {
        return false;
    };
    let lasts: Vec<Option<Timestamp>> = courses.iter().map(|course| course.last(zone)).collect();
    let mut marks = vec![Timestamp::MIN];
    for course in courses {
        marks.extend(course.start.map(|start| start.instant(zone)));
    }
    marks.extend(lasts.iter().flatten());
    let from = |mark: Timestamp| mark.checked_sub(BEFORE).unwrap_or(mark);
    let alike = marks
        .into_iter()
        .map(from)
        .all(|mark| expected(courses, zone, mark) == found(medication, zone, mark));
    let last = lasts.iter().copied().collect::<Option<Vec<_>>>();
    let last = last.and_then(|lasts| lasts.into_iter().max());
    alike
        && last.is_none_or(|last| {
            medication
                .schedule
                .before(zone, Timestamp::MAX)
                .map(|dose| dose.at)
                == Some(last)
        })
}

/// What the courses ask for from an instant on; `None` where two of them ask at one instant.
fn expected(courses: &[Course], zone: &Zone, from: Timestamp) -> Option<Vec<(Timestamp, String)>> {
    let mut all: Vec<(Timestamp, String)> = Vec::new();
    for course in courses {
        let dose = take(&course.dose)?;
        let dose = plan_words(&dose).to_owned();
        let instants = course.occurrences(zone, from).take(COMPARED);
        all.extend(instants.map(|at| (at, dose.clone())));
    }
    all.sort();
    all.truncate(COMPARED);
    let once = all.windows(2).all(|pair| pair[0].0 != pair[1].0);
    once.then_some(all)
}

/// What the medication gives from an instant on; `None` where an instant has two amounts.
fn found(
    medication: &Medication,
    zone: &Zone,
    from: Timestamp,
) -> Option<Vec<(Timestamp, String)>> {
    medication
        .schedule
        .occurrences(zone, from)
        .take(COMPARED)
        .map(|dose| {
            let amount = medication.amounts.get(usize::from(dose.amount))?;
            (!dose.several).then(|| (dose.at, amount.clone()))
        })
        .collect()
}

/// "as directed" is kept as no amount.
fn plan_words(dose: &str) -> &str {
    if dose == "as directed" { "" } else { dose }
}
