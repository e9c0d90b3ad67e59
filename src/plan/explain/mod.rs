//! A plan in plain words: what the machine understood, for the one who wrote it to read.
//!
//! The sentences come from the resolved plan, not from its text, so that they say what will
//! happen. A language is one `Phrases`.

mod chinese;
mod english;

use super::{AnswerType, AtMost, CheckIn, Language, Medication, ResolvedPlan, Tell, Zone};
use crate::recurrence::{Clock, Days, Part, Pattern, Schedule, Slot};
use jiff::{SignedDuration, Timestamp, civil};

/// How a language says it. Each method gives a phrase, without a full stop.
trait Phrases {
    /// Days of the calendar: "every day", "every 3 days".
    fn days(&self, days: &Days) -> String;
    /// Between the phrases of one sentence.
    fn separator(&self) -> &'static str;
    /// Between two schedules of one medication; `alike` if they hold at the same time.
    fn semicolon(&self, alike: bool) -> &'static str;
    /// The medication and what follows about it.
    fn sentence(&self, subject: &str, predicate: &str) -> String;
    /// Times and amounts on days.
    fn take_at(&self, days: &str, doses: &[(Vec<String>, String)]) -> String;
    fn take_every(&self, every: &str, first: Option<&str>, amount: &str) -> String;
    fn take_after_last(&self, every: &str, first: Option<&str>, amount: &str) -> String;
    fn take_once(&self, at: &[String], amount: &str) -> String;
    fn take_when_needed(&self, reason: &str, amount: &str) -> String;
    fn at_most(&self, doses: u32, within: Option<&str>) -> String;
    fn apart(&self, time: &str) -> String;
    /// From the first to the last moment, both said as words.
    fn span(&self, from: Option<&str>, until: Option<&str>) -> String;
    /// Not any more from this moment on.
    fn before(&self, moment: &str) -> String;
    fn doses(&self, doses: u32) -> String;
    fn pause(&self, off: &str, back: &str) -> String;
    fn critical(&self) -> &'static str;
    fn as_directed(&self) -> &'static str;
    fn duration(&self, duration: SignedDuration) -> String;
    fn question(&self, ask: &str, answer: &str, days: &str, times: &[String]) -> String;
    fn answer(&self, answer: &AnswerType) -> String;
    fn appointment(&self, what: &str, at: &str, reminders: &[String]) -> String;
    fn caregiver(&self, name: &str, relation: &str, tell: Tell) -> String;
    fn away(&self, from: &str, until: &str, zone: &str) -> String;
    fn next_day(&self) -> &'static str;
    fn day_before(&self) -> &'static str;
    fn weekday(&self, day: civil::Weekday) -> &'static str;
    fn next_reminders(&self) -> &'static str;
    fn no_reminders(&self) -> &'static str;
    fn list(&self) -> &'static str;
}

fn phrases(language: Language) -> &'static dyn Phrases {
    match language {
        Language::En => &english::English,
        Language::ZhCn => &chinese::Chinese,
    }
}

impl ResolvedPlan {
    /// The plan in sentences of a language, one for each medication, check-in and whatever else
    /// it says, in the order of their kinds.
    #[must_use]
    pub fn explain(&self, language: Language) -> Vec<String> {
        let words = Explainer {
            phrases: phrases(language),
            zone: &self.zone,
        };
        let mut all: Vec<String> = self
            .medications
            .iter()
            .map(|m| words.medication(m))
            .collect();
        all.extend(
            self.check_ins
                .iter()
                .map(|check_in| words.check_in(check_in)),
        );
        for appointment in &self.appointments {
            let reminders: Vec<String> = appointment
                .remind
                .iter()
                .map(|at| words.moment(*at))
                .collect();
            let at = words.moment(appointment.at);
            all.push(
                words
                    .phrases
                    .appointment(&appointment.what, &at, &reminders),
            );
        }
        for caregiver in &self.caregivers {
            all.push(
                words
                    .phrases
                    .caregiver(&caregiver.name, &caregiver.relation, caregiver.tell),
            );
        }
        for trip in self.zone.trips() {
            let (from, until) = (trip.from.date().to_string(), trip.until.date().to_string());
            all.push(words.phrases.away(&from, &until, &trip.zone));
        }
        all
    }
}

/// The heading above the next reminders, or the sentence in their place.
#[must_use]
pub fn reminders_heading(language: Language, any: bool) -> &'static str {
    let phrases = phrases(language);
    if any {
        phrases.next_reminders()
    } else {
        phrases.no_reminders()
    }
}

/// A local date with its weekday and time: `2026-03-02 周一 08:00`.
#[must_use]
pub fn moment(language: Language, zone: &Zone, at: Timestamp) -> String {
    Explainer {
        phrases: phrases(language),
        zone,
    }
    .moment(at)
}

/// Between things of one list: 、 or a comma.
#[must_use]
pub fn list_separator(language: Language) -> &'static str {
    phrases(language).list()
}

/// An amount in words, "as directed" where none is said.
#[must_use]
pub fn amount_words(language: Language, amount: &str) -> &str {
    if amount.is_empty() {
        phrases(language).as_directed()
    } else {
        amount
    }
}

struct Explainer<'a> {
    phrases: &'static dyn Phrases,
    zone: &'a Zone,
}

impl Explainer<'_> {
    fn moment(&self, at: Timestamp) -> String {
        let local = self.zone.local(at);
        let seconds = if local.second() == 0 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        format!(
            "{} {} {}",
            local.date(),
            self.phrases.weekday(local.date().weekday()),
            local.strftime(seconds)
        )
    }

    fn moment_of(&self, second: i64) -> String {
        self.moment(Timestamp::from_second(second).unwrap_or(Timestamp::MAX))
    }

    fn medication(&self, medication: &Medication) -> String {
        let amount = |index: u16| {
            let words = medication
                .amounts
                .get(usize::from(index))
                .map_or("", String::as_str);
            if words.is_empty() {
                self.phrases.as_directed()
            } else {
                words
            }
        };
        let mut phrases = Vec::new();
        if let Some(as_needed) = &medication.as_needed {
            phrases.push(self.phrases.take_when_needed(&as_needed.reason, amount(0)));
            if let Some(AtMost { doses, within }) = as_needed.at_most {
                let within = within.map(|within| self.phrases.duration(within));
                phrases.push(self.phrases.at_most(doses, within.as_deref()));
            }
            phrases.extend(
                as_needed
                    .apart
                    .map(|apart| self.phrases.apart(&self.phrases.duration(apart))),
            );
            let [from, until] =
                [as_needed.from, as_needed.until].map(|at| at.map(|at| self.moment(at)));
            phrases.extend(from.map(|from| self.phrases.span(Some(&from), None)));
            phrases.extend(until.map(|until| self.phrases.before(&until)));
        }
        // One span for all parts is said once, at the end.
        let parts = &medication.schedule.parts;
        let shared = parts
            .windows(2)
            .all(|pair| bounds(&pair[0]) == bounds(&pair[1]));
        let said: Vec<String> = parts
            .iter()
            .map(|part| {
                if !shared && let Some(once) = self.single(part, &amount) {
                    return once;
                }
                let what = self.part(part, &amount);
                match self.span(part) {
                    Some(span) if !shared => format!("{span}{}{what}", self.phrases.separator()),
                    _ => what,
                }
            })
            .collect();
        if !said.is_empty() {
            phrases.push(said.join(self.phrases.semicolon(shared)));
        }
        if shared {
            phrases.extend(parts.first().and_then(|part| self.span(part)));
        }
        phrases.extend(medication.doses.map(|doses| self.phrases.doses(doses)));
        for pause in &medication.schedule.pauses {
            let (off, back) = (
                pause.from_day.date().to_string(),
                pause.until_day.date().to_string(),
            );
            phrases.push(self.phrases.pause(&off, &back));
        }
        if medication.critical {
            phrases.push(self.phrases.critical().to_owned());
        }
        self.phrases
            .sentence(&medication.name, &phrases.join(self.phrases.separator()))
    }

    /// A step of one dose: its moment says more than its span.
    fn single<'w>(&self, part: &Part, amount: &dyn Fn(u16) -> &'w str) -> Option<String> {
        let Pattern::Clock(clock) = &part.pattern else {
            return None;
        };
        let begins = part.begin.is_some() || clock.first_day.is_some();
        let ends = part.end.is_some() || clock.last_day.is_some();
        if !begins || !ends {
            return None;
        }
        let alone = Schedule {
            parts: vec![part.clone()],
            pauses: Vec::new(),
        };
        let mut doses = alone.occurrences(self.zone, Timestamp::MIN);
        let first = doses.next()?;
        if doses.next().is_some() || first.several {
            return None;
        }
        let moment = self.moment(first.at);
        Some(self.phrases.take_once(&[moment], amount(first.amount)))
    }

    fn part<'w>(&self, part: &Part, amount: &dyn Fn(u16) -> &'w str) -> String {
        match &part.pattern {
            Pattern::Clock(clock) => {
                let days = self.phrases.days(&clock.days);
                self.phrases.take_at(&days, &self.doses(clock, amount))
            }
            Pattern::Elapsed(elapsed) | Pattern::AfterLast(elapsed) => {
                let every = self
                    .phrases
                    .duration(SignedDuration::from_secs(elapsed.every));
                let first = elapsed.first.map(|first| self.moment_of(first));
                if matches!(part.pattern, Pattern::AfterLast(_)) {
                    self.phrases
                        .take_after_last(&every, first.as_deref(), amount(elapsed.amount))
                } else {
                    self.phrases
                        .take_every(&every, first.as_deref(), amount(elapsed.amount))
                }
            }
            Pattern::Once {
                seconds,
                amount: index,
            } => {
                let at: Vec<String> = seconds
                    .iter()
                    .map(|second| self.moment_of(*second))
                    .collect();
                self.phrases.take_once(&at, amount(*index))
            }
        }
    }

    /// Times by amount: neighbours of one amount together.
    fn doses<'w>(
        &self,
        clock: &Clock,
        amount: &dyn Fn(u16) -> &'w str,
    ) -> Vec<(Vec<String>, String)> {
        let mut doses: Vec<(Vec<String>, String)> = Vec::new();
        for slot in &clock.slots {
            let (time, words) = (self.time(*slot), amount(slot.amount));
            match doses.last_mut() {
                Some((times, last)) if last == words => times.push(time),
                _ => doses.push((vec![time], words.to_owned())),
            }
        }
        doses
    }

    fn time(&self, slot: Slot) -> String {
        let minute = slot.minute.rem_euclid(1440);
        let time = format!("{:02}:{:02}", minute / 60, minute % 60);
        match slot.minute.div_euclid(1440) {
            0 => time,
            1.. => format!("{}{time}", self.phrases.next_day()),
            _ => format!("{}{time}", self.phrases.day_before()),
        }
    }

    /// From when until when a part holds; what the pattern says itself is left out.
    fn span(&self, part: &Part) -> Option<String> {
        let (first, last) = match &part.pattern {
            Pattern::Clock(clock) => (clock.first_day, clock.last_day),
            _ => (None, None),
        };
        let says_first = !matches!(part.pattern, Pattern::Clock(_));
        let begin = part
            .begin
            .filter(|_| !says_first)
            .map(|second| self.moment_of(second));
        let from = begin.or_else(|| first.map(|day| day.date().to_string()));
        let end = part.end.map(|second| {
            // The last instant that may be due is a second earlier.
            let last = self.moment_of(second);
            let inclusive = self.moment_of(second - 1);
            // An inclusive end was stored as the second after it.
            if inclusive.len() < last.len() {
                (inclusive, true)
            } else {
                (last, false)
            }
        });
        let mut phrases = Vec::new();
        match (end, last) {
            (Some((moment, true)), _) => {
                phrases.push(self.phrases.span(from.as_deref(), Some(&moment)));
            }
            (Some((moment, false)), _) => {
                phrases.extend(from.map(|from| self.phrases.span(Some(&from), None)));
                phrases.push(self.phrases.before(&moment));
            }
            (None, last) => {
                let last = last.map(|day| day.date().to_string());
                if from.is_some() || last.is_some() {
                    phrases.push(self.phrases.span(from.as_deref(), last.as_deref()));
                }
            }
        }
        (!phrases.is_empty()).then(|| phrases.join(self.phrases.separator()))
    }

    fn check_in(&self, check_in: &CheckIn) -> String {
        let clock = check_in
            .schedule
            .parts
            .iter()
            .find_map(|part| match &part.pattern {
                Pattern::Clock(clock) => Some((part, clock)),
                _ => None,
            });
        let Some((part, clock)) = clock else {
            return check_in.ask.clone();
        };
        let times: Vec<String> = clock.slots.iter().map(|slot| self.time(*slot)).collect();
        let answer = self.phrases.answer(&check_in.answer);
        let said = self.phrases.question(
            &check_in.ask,
            &answer,
            &self.phrases.days(&clock.days),
            &times,
        );
        match self.span(part) {
            Some(span) => format!("{said}{}{span}", self.phrases.separator()),
            None => said,
        }
    }
}

/// What of a part is its span.
fn bounds(part: &Part) -> (Option<i64>, Option<i64>, Option<i32>, Option<i32>) {
    let days = match &part.pattern {
        Pattern::Clock(clock) => (clock.first_day, clock.last_day),
        _ => (None, None),
    };
    let number = |day: Option<crate::recurrence::Day>| day.map(crate::recurrence::Day::number);
    (part.begin, part.end, number(days.0), number(days.1))
}

#[cfg(test)]
mod tests;
