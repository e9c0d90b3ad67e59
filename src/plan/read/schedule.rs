//! When which amount: the forms of a medication's schedule.

use super::{
    Reader,
    bounds::{Bounds, End, date_of},
    local_date_time, parsed, parsed_time, refuse, words,
};
use crate::{
    plan::{
        AsNeeded, DayWord,
        grammar::{
            Problem, amount,
            amount::StepLength,
            course,
            days::{self, DaysWord},
            span,
            time::{self, A_DAY_MAX, Minute},
        },
        reader::{LocalDate, Table, Value},
    },
    recurrence::{Clock, Days, Elapsed, Part, Pattern, Schedule, Slot, Weekdays},
};
use jiff::{Timestamp, civil};

/// A medication's schedule with the amounts to which it points.
pub(super) struct Regimen {
    pub(super) schedule: Schedule,
    pub(super) amounts: Vec<String>,
    pub(super) as_needed: Option<AsNeeded>,
    pub(super) by_distance: bool,
    pub(super) doses: Option<u32>,
}

/// The keys that make a form, and all that go with it.
const FORMS: [(&str, &[&str]); 6] = [
    ("every", &["take", "every", "first", "between"]),
    ("once", &["take", "once"]),
    ("as_needed", &["take", "as_needed", "at_most", "apart"]),
    ("scheme", &["scheme", "unit", "days"]),
    ("steps", &["steps", "at", "days"]),
    ("at", &["take", "at", "days"]),
];

const SCHEDULE_KEYS: [&str; 13] = [
    "take",
    "at",
    "days",
    "every",
    "first",
    "between",
    "once",
    "as_needed",
    "at_most",
    "apart",
    "scheme",
    "unit",
    "steps",
];

/// A part without bounds.
fn part(pattern: Pattern) -> Part {
    Part {
        pattern,
        begin: None,
        end: None,
    }
}

fn clock(days: Days, slots: Vec<Slot>) -> Pattern {
    Pattern::Clock(Clock {
        days,
        slots,
        first_day: None,
        last_day: None,
    })
}

impl Reader<'_> {
    pub(super) fn regimen(&self, table: &Table<'_>) -> Option<Regimen> {
        let form = Self::form(table)?;
        match form {
            "every" => self.every(table),
            "once" => self.once(table),
            "as_needed" => self.as_needed(table),
            "scheme" => self.scheme(table),
            "steps" => self.steps(table),
            _ => self.at(table),
        }
    }

    /// Which form it is; keys that do not go with it are refused.
    fn form(table: &Table<'_>) -> Option<&'static str> {
        let present = |key: &&str| table.get(key).is_some();
        let form = FORMS.iter().find(|(form, _)| present(form));
        let (form, allowed) = form.or_else(|| {
            let keyed = table.get("take").is_some_and(|take| take.is_table());
            (keyed || present(&"days")).then_some(&FORMS[5])
        })?;
        let mut fits = true;
        for key in SCHEDULE_KEYS.iter().filter(|key| !allowed.contains(key)) {
            let Some(value) = table.get(key) else {
                continue;
            };
            fits = false;
            let message = format!("`{key}` does not go with `{form}`");
            let help = match (*form, *key) {
                ("every", "at" | "days") => {
                    "`at` and `days` are by the clock on the wall, `every` is by a distance: keep one of them".to_owned()
                }
                ("scheme" | "steps", "take") => format!("`{form}` already says how much: leave `take` out"),
                _ => format!("with `{form}` stand: {}", allowed.join(", ")),
            };
            value
                .findings()
                .error_with_help(value.key_span(), message, help);
        }
        fits.then_some(*form)
    }

    /// `take` as one amount.
    fn take(table: &Table<'_>) -> Option<String> {
        let Some(value) = table.get("take") else {
            table.missing("take", "take = \"1 tablet\"");
            return None;
        };
        if value.is_table() {
            value.error_with_help("one amount is wanted here", "write: take = \"1 tablet\"");
            return None;
        }
        parsed(&value, amount::amount)
    }

    /// All times of a value, as slots of one amount; each time once.
    fn slots(&self, value: &Value<'_>) -> Option<Vec<Slot>> {
        let mut slots = Vec::new();
        let mut complete = true;
        for entry in value.one_or_many() {
            match parsed_time(&entry, |text| time::times(text, &self.day)) {
                Some(minutes) => complete &= add_slots(&mut slots, &minutes, 0, &entry),
                None => complete = false,
            }
        }
        if complete && slots.is_empty() {
            value.error_with_help(
                format!("`{}` is empty", value.key()),
                "write: at = \"08:00\"",
            );
            return None;
        }
        complete.then(|| sorted(slots))
    }

    fn days_word(table: &Table<'_>) -> Option<DaysWord> {
        table
            .get("days")
            .map_or(Some(DaysWord::EVERY), |value| parsed(&value, days::days))
    }

    /// The days, counted from the start where they need one.
    fn days(&self, table: &Table<'_>, word: DaysWord, start: Option<LocalDate>) -> Option<Days> {
        if word.needs_start() && start.is_none() {
            if let Some(value) = table.get("days") {
                value.error_with_help(
                    format!("{} counts from a start, and there is none", value.written()),
                    self.start_help(),
                );
            }
            return None;
        }
        Some(word.from(start.map_or(civil::Date::ZERO, date_of)))
    }

    /// `take` at `at` on `days`; also with a table of amounts by days or by times.
    fn at(&self, table: &Table<'_>) -> Option<Regimen> {
        let days = Self::days_word(table);
        let bounds = self.bounds(table, None);
        let take = table.get("take");
        let keyed = match &take {
            Some(take) if take.is_table() => Some(self.keyed(take)?),
            _ => None,
        };
        let (amounts, patterns): (Vec<String>, Vec<AmountPattern>) = match keyed {
            Some(Keyed::Times { amounts, slots }) => {
                if let Some(at) = table.get("at") {
                    at.findings().error_with_help(
                        at.key_span(),
                        "`take` already says at what times",
                        "leave `at` out",
                    );
                    return None;
                }
                (amounts, vec![(None, slots)])
            }
            Some(Keyed::Days { amounts, sets }) => {
                if let Some(days) = table.get("days") {
                    days.findings().error_with_help(
                        days.key_span(),
                        "`take` already says on which days",
                        "leave `days` out",
                    );
                    return None;
                }
                let slots = self.required_slots(table)?;
                let with = |index: u16| {
                    slots
                        .iter()
                        .map(|slot| Slot {
                            amount: index,
                            ..*slot
                        })
                        .collect()
                };
                let patterns = sets
                    .iter()
                    .zip(0..)
                    .map(|(set, index)| (Some(*set), with(index)))
                    .collect();
                (amounts, patterns)
            }
            None => {
                let take = Self::take(table);
                let slots = self.required_slots(table);
                (vec![take?], vec![(None, slots?)])
            }
        };
        let (word, bounds) = (days?, bounds?);
        let days = self.days(table, word, bounds.start)?;
        let parts = patterns
            .into_iter()
            .map(|(set, slots)| part(clock(set.map_or(days.clone(), Days::Weekdays), slots)))
            .collect();
        Some(self.regimen_of(parts, amounts, &bounds, false))
    }

    fn required_slots(&self, table: &Table<'_>) -> Option<Vec<Slot>> {
        let Some(value) = table.get("at") else {
            table.missing(
                "at",
                "at = \"08:00\", at = \"with breakfast\" or every = \"8 hours\"",
            );
            return None;
        };
        self.slots(&value)
    }

    fn regimen_of(
        &self,
        parts: Vec<Part>,
        amounts: Vec<String>,
        bounds: &Bounds,
        by_distance: bool,
    ) -> Regimen {
        let doses = match bounds.end {
            Some(End::Doses(doses)) => Some(doses),
            _ => None,
        };
        Regimen {
            schedule: self.within(parts, bounds),
            amounts,
            as_needed: None,
            by_distance,
            doses,
        }
    }

    /// A table of amounts: its keys are all days or all times.
    fn keyed(&self, take: &Value<'_>) -> Option<Keyed> {
        let entries = take.table()?.entries();
        let Some(first) = entries.first() else {
            take.error_with_help("`take` is empty", "write: take = \"1 tablet\"");
            return None;
        };
        let by_days = days::days(first.key()).is_ok();
        let mut amounts = Vec::new();
        let mut sets: Vec<Weekdays> = Vec::new();
        let mut slots = Vec::new();
        for (entry, index) in entries.iter().zip(0_u16..) {
            let at_key = |message: String, help: &str| {
                entry
                    .findings()
                    .error_with_help(entry.key_span(), message, help);
            };
            amounts.push(parsed(entry, amount::amount)?);
            let other_sort = if by_days {
                time::times(entry.key(), &self.day).is_ok()
            } else {
                days::days(entry.key()).is_ok()
            };
            if other_sort {
                at_key(
                    "the keys of `take` must be all days or all times".to_owned(),
                    "write two medications, or only days, or only times",
                );
                return None;
            }
            if by_days {
                let set = match days::days(entry.key()) {
                    Ok(DaysWord::Weekdays(set)) => set,
                    Ok(_) => {
                        at_key(
                            format!(
                                "`{}` cannot be a key of `take`: only days of the week can",
                                entry.key()
                            ),
                            "write two medications with `days`",
                        );
                        return None;
                    }
                    Err(problem) => {
                        at_key(problem.message, &problem.help.unwrap_or_default());
                        return None;
                    }
                };
                if let Some(day) = sets
                    .iter()
                    .flat_map(|other| other.intersection(set).iter())
                    .next()
                {
                    at_key(
                        format!(
                            "{} has two amounts",
                            crate::plan::read::schedule::weekday_name(day)
                        ),
                        "write each day once",
                    );
                    return None;
                }
                sets.push(set);
            } else {
                match time::times(entry.key(), &self.day) {
                    Ok(minutes) => {
                        if !add_slots(&mut slots, &minutes, index, entry) {
                            return None;
                        }
                    }
                    Err(problem) => {
                        at_key(problem.message, &problem.help.unwrap_or_default());
                        return None;
                    }
                }
            }
        }
        Some(if by_days {
            Keyed::Days { amounts, sets }
        } else {
            Keyed::Times {
                amounts,
                slots: sorted(slots),
            }
        })
    }

    /// A distance: by elapsed time, after the last dose, or within hours of the day.
    fn every(&self, table: &Table<'_>) -> Option<Regimen> {
        let take = Self::take(table);
        let value = table.get("every")?;
        let every = parsed(&value, course::every);
        let first = table.get("first");
        let first_at = first
            .as_ref()
            .map(|first| local_date_time(first).map(|at| (at, first.span())));
        if matches!(first_at, Some(None)) {
            return None;
        }
        let first_at = first_at.flatten();
        let bounds = self.bounds(table, first_at.as_ref().map(|(at, _)| *at));
        let (take, every, bounds) = (take?, every?, bounds?);
        if let Some(between) = table.get("between") {
            if let Some(first) = &first {
                first.findings().error_with_help(
                    first.key_span(),
                    "`first` does not go with `between`: each day begins where the span begins",
                    "leave `first` out",
                );
                return None;
            }
            return self.between(&between, every, take, &bounds);
        }
        if every.minutes < 60 * 24 / A_DAY_MAX {
            value.error_with_help(
                format!("{} is more than {A_DAY_MAX} times a day", value.written()),
                "write a longer distance, or the hours of the day: between = \"07:00-22:00\"",
            );
            return None;
        }
        let first = match (first_at, bounds.start) {
            (Some((at, place)), Some(start)) => {
                let early = match start {
                    LocalDate::Date(date) => at.date() < date,
                    LocalDate::DateTime(start) => at < start,
                };
                if early {
                    self.findings.error_with_help(
                        place,
                        "`first` is before `start`",
                        "leave `start` out",
                    );
                    return None;
                }
                Some(at)
            }
            (Some((at, _)), None) | (None, Some(LocalDate::DateTime(at))) => Some(at),
            (None, Some(LocalDate::Date(date))) => {
                value.error_with_help(
                    format!("at what time on {date} is the first one?"),
                    format!("write: first = {date}T08:00:00"),
                );
                return None;
            }
            (None, None) if every.after_last => None,
            (None, None) => {
                value.error_with_help(
                    "a distance needs its first dose, and there is no `first`",
                    format!("write: first = {}T08:00:00", self.today()),
                );
                return None;
            }
        };
        let elapsed = Elapsed {
            first: first.map(|at| self.zone.instant(at).as_second()),
            every: i64::from(every.minutes) * 60,
            amount: 0,
        };
        let pattern = if every.after_last {
            Pattern::AfterLast(elapsed)
        } else {
            Pattern::Elapsed(elapsed)
        };
        Some(self.regimen_of(vec![part(pattern)], vec![take], &bounds, true))
    }

    fn between(
        &self,
        value: &Value<'_>,
        every: course::Every,
        take: String,
        bounds: &Bounds,
    ) -> Option<Regimen> {
        let (from, until) = parsed(value, span::time_range)?;
        if every.after_last {
            value.error_with_help(
                "`between` does not go with a distance after the last dose",
                "write: every = \"3 hours\"",
            );
            return None;
        }
        if from > until {
            value.error_with_help(
                "`between` cannot pass midnight",
                "write: between = \"07:00-22:00\"",
            );
            return None;
        }
        let (from, until) = (time::minute_of(from), time::minute_of(until));
        let slots: Vec<Slot> = (from..=until)
            .step_by(every.minutes as usize)
            .map(|minute| Slot { minute, amount: 0 })
            .collect();
        if slots.len() > A_DAY_MAX as usize {
            value.error(format!(
                "these are {} a day, more than {A_DAY_MAX}",
                slots.len()
            ));
            return None;
        }
        Some(self.regimen_of(
            vec![part(clock(Days::EVERY, slots))],
            vec![take],
            bounds,
            true,
        ))
    }

    /// Single instants.
    fn once(&self, table: &Table<'_>) -> Option<Regimen> {
        let take = Self::take(table);
        let bounds = self.bounds(table, None);
        let value = table.get("once")?;
        let mut seconds: Vec<i64> = Vec::new();
        let mut complete = true;
        for entry in value.one_or_many() {
            let Some(at) = local_date_time(&entry) else {
                complete = false;
                continue;
            };
            let second = self.zone.instant(at).as_second();
            if seconds.contains(&second) {
                entry.error(format!("{} stands here twice", entry.written()));
                complete = false;
            }
            seconds.push(second);
        }
        if complete && seconds.is_empty() {
            value.error_with_help(
                "`once` is empty",
                format!("write: once = {}T08:00:00", self.today()),
            );
            return None;
        }
        seconds.sort_unstable();
        let parts = vec![part(Pattern::Once { seconds, amount: 0 })];
        let (take, bounds) = (take?, bounds?);
        complete.then(|| self.regimen_of(parts, vec![take], &bounds, false))
    }

    /// Taken when needed: nothing is due.
    fn as_needed(&self, table: &Table<'_>) -> Option<Regimen> {
        let take = Self::take(table);
        let reason = words(&table.get("as_needed")?);
        let at_most = table
            .get("at_most")
            .map(|value| parsed(&value, course::at_most));
        let apart = table
            .get("apart")
            .map(|value| parsed(&value, course::apart));
        let mut fits = true;
        for key in ["doses", "pauses"] {
            if let Some(value) = table.get(key) {
                fits = false;
                value.findings().error_with_help(
                    value.key_span(),
                    format!("`{key}` does not go with `as_needed`: nothing is scheduled"),
                    "a ceiling stands in `at_most`",
                );
            }
        }
        if !fits {
            return None;
        }
        let bounds = self.bounds(table, None)?;
        if at_most == Some(None) || apart == Some(None) {
            return None;
        }
        // A pattern of every second within the bounds tells where they lie.
        let within = self.within(
            vec![part(Pattern::Elapsed(Elapsed {
                first: None,
                every: 1,
                amount: 0,
            }))],
            &bounds,
        );
        let bound =
            |second: Option<i64>| second.and_then(|second| Timestamp::from_second(second).ok());
        let as_needed = AsNeeded {
            reason: reason?,
            at_most: at_most.flatten(),
            apart: apart.flatten(),
            from: bound(within.parts[0].begin),
            until: bound(within.parts[0].end),
        };
        Some(Regimen {
            schedule: Schedule::default(),
            amounts: vec![take?],
            as_needed: Some(as_needed),
            by_distance: false,
            doses: None,
        })
    }

    /// Morning-noon-evening-bedtime.
    fn scheme(&self, table: &Table<'_>) -> Option<Regimen> {
        let value = table.get("scheme")?;
        let scheme = parsed(&value, amount::scheme);
        let unit = super::required_words(table, "unit", "unit = \"tablet\"");
        let word = Self::days_word(table);
        let bounds = self.bounds(table, None);
        let (scheme, unit, word, bounds) = (scheme?, unit?, word?, bounds?);
        let places = [
            DayWord::Morning,
            DayWord::Noon,
            DayWord::Evening,
            DayWord::Bedtime,
        ];
        let mut amounts: Vec<String> = Vec::new();
        let mut slots = Vec::new();
        for (number, place) in scheme.into_iter().zip(places) {
            let Some(number) = number else { continue };
            let space = if unit.starts_with(|c: char| c.is_ascii()) {
                " "
            } else {
                ""
            };
            let words = format!("{number}{space}{unit}");
            let index = amounts
                .iter()
                .position(|known| *known == words)
                .unwrap_or_else(|| {
                    amounts.push(words);
                    amounts.len() - 1
                });
            let minute = time::minute_of(self.day.time(place));
            if !add_slots(&mut slots, &[minute], index as u16, &value) {
                return None;
            }
        }
        let days = self.days(table, word, bounds.start)?;
        Some(self.regimen_of(
            vec![part(clock(days, sorted(slots)))],
            amounts,
            &bounds,
            false,
        ))
    }

    /// Amounts that change over time.
    fn steps(&self, table: &Table<'_>) -> Option<Regimen> {
        let value = table.get("steps")?;
        let entries = value.list()?;
        let steps: Vec<_> = entries
            .iter()
            .map(|entry| parsed(entry, amount::step))
            .collect();
        let slots = self.required_slots(table);
        let word = Self::days_word(table);
        let bounds = self.bounds(table, None);
        if entries.is_empty() {
            value.error_with_help(
                "`steps` is empty",
                "write: steps = [\"40 mg for 5 days\", \"20 mg for 5 days\"]",
            );
            return None;
        }
        let steps: Vec<(String, StepLength)> = steps.into_iter().collect::<Option<_>>()?;
        let (slots, word, bounds) = (slots?, word?, bounds?);
        for (entry, (amount, length)) in entries.iter().zip(&steps).take(steps.len() - 1) {
            if *length == StepLength::Open {
                entry.error_with_help(
                    "only the last step goes on: how long does this one last?",
                    format!("write: \"{amount} for 5 days\""),
                );
                return None;
            }
        }
        let Some(start) = bounds.start else {
            value.error_with_help(
                "steps count from a start, and there is none",
                self.start_help(),
            );
            return None;
        };
        if bounds.end.is_some()
            && steps
                .last()
                .is_some_and(|(_, length)| *length != StepLength::Open)
        {
            self.findings.error_with_help(
                bounds.end_place.clone(),
                "the steps already say when it ends",
                "leave it out, or let the last step go on: \"5 mg\"",
            );
            return None;
        }
        let days = self.days(table, word, Some(start))?;
        let mut amounts: Vec<String> = Vec::new();
        let mut parts = Vec::new();
        let mut cursor = Some(start);
        for (amount, length) in steps {
            let Some(from) = cursor else { break };
            let index = amounts
                .iter()
                .position(|known| *known == amount)
                .unwrap_or_else(|| {
                    amounts.push(amount);
                    amounts.len() - 1
                });
            let slots = slots
                .iter()
                .map(|slot| Slot {
                    amount: index as u16,
                    ..*slot
                })
                .collect();
            let mut step = part(clock(days.clone(), slots));
            self.begin_part(&mut step, from);
            cursor = match length {
                StepLength::Span(span) => {
                    let until = match from {
                        LocalDate::Date(date) => LocalDate::Date(span.after(date)),
                        LocalDate::DateTime(at) => LocalDate::DateTime(span.after_time(at)),
                    };
                    self.end_part(&mut step, until);
                    Some(until)
                }
                StepLength::Once => self.after_one(&mut step, &bounds),
                StepLength::Open => None,
            };
            parts.push(step);
        }
        Some(self.regimen_of(parts, amounts, &bounds, false))
    }

    /// Ends a part after its first dose; the local time of the dose that would follow.
    fn after_one(&self, step: &mut Part, bounds: &Bounds) -> Option<LocalDate> {
        let probe = Schedule {
            parts: vec![step.clone()],
            pauses: bounds.pauses.clone(),
        };
        let mut following = probe.occurrences(&self.zone, Timestamp::MIN);
        let (first, second) = (following.next()?, following.next());
        step.end = Some(first.at.as_second() + 1);
        second.map(|second| LocalDate::DateTime(self.zone.local(second.at)))
    }
}

/// Slots on days of the week, or on those that `days` says.
type AmountPattern = (Option<Weekdays>, Vec<Slot>);

/// Amounts by days or by times.
enum Keyed {
    Days {
        amounts: Vec<String>,
        sets: Vec<Weekdays>,
    },
    Times {
        amounts: Vec<String>,
        slots: Vec<Slot>,
    },
}

fn sorted(mut slots: Vec<Slot>) -> Vec<Slot> {
    slots.sort_by_key(|slot| slot.minute);
    slots
}

/// Adds times to the slots; false where one is there already or where they become too many.
fn add_slots(slots: &mut Vec<Slot>, minutes: &[Minute], amount: u16, value: &Value<'_>) -> bool {
    for &minute in minutes {
        if slots.iter().any(|slot| slot.minute == minute) {
            let time = minute.rem_euclid(24 * 60);
            refuse(
                value,
                Problem::new(format!(
                    "{:02}:{:02} stands here twice",
                    time / 60,
                    time % 60
                ))
                .help("each time once; two amounts at one time are two medications"),
            );
            return false;
        }
        slots.push(Slot { minute, amount });
    }
    if slots.len() > A_DAY_MAX as usize {
        value.error(format!("these are more than {A_DAY_MAX} times a day"));
        return false;
    }
    true
}

/// For messages in English.
pub(super) fn weekday_name(day: civil::Weekday) -> &'static str {
    match day {
        civil::Weekday::Monday => "Monday",
        civil::Weekday::Tuesday => "Tuesday",
        civil::Weekday::Wednesday => "Wednesday",
        civil::Weekday::Thursday => "Thursday",
        civil::Weekday::Friday => "Friday",
        civil::Weekday::Saturday => "Saturday",
        civil::Weekday::Sunday => "Sunday",
    }
}

impl Reader<'_> {
    /// The schedule of a check-in: `at` on `days` within `start` and `end`.
    pub(super) fn questions(&self, table: &Table<'_>) -> Option<Schedule> {
        let slots = self.required_slots(table);
        let word = Self::days_word(table);
        let bounds = self.bounds(table, None);
        let (slots, word, bounds) = (slots?, word?, bounds?);
        let days = self.days(table, word, bounds.start)?;
        Some(self.within(vec![part(clock(days, slots))], &bounds))
    }
}
