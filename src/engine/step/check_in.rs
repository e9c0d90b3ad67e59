//! Answers to check-ins, and which of them a person must look at.

use super::Turn;
use crate::engine::{
    CallReason, Entry, Millis, News, PastReading, PromptKind, Reply, Teller, Value,
};
use crate::plan::{AlertIf, CheckIn, Reading, ResolvedPlan, Tell};
use jiff::{SignedDuration, Timestamp};

/// Readings older than this are not looked at, whatever a condition says.
const READINGS_LAST: SignedDuration = SignedDuration::from_hours(24 * 400);

/// So many readings of one check-in are remembered at most.
const READINGS_MAX: usize = 64;

impl Turn<'_> {
    /// A check-in was answered, within its window or after it; the last answer counts.
    pub(super) fn answer_check_in(
        &mut self,
        plan: &ResolvedPlan,
        check_in: &str,
        due: Timestamp,
        value: &Value,
        by: &Teller,
    ) {
        let is_meant = |id: &str, at: Timestamp| id == check_in && at == due;
        let open: Vec<_> = self
            .state
            .prompts
            .extract_if(.., |it| {
                it.kind == PromptKind::CheckIn && it.id == check_in && it.due == due
            })
            .collect();
        let late = open.is_empty();
        let waiting: Vec<_> = open.iter().filter_map(|it| it.sending.prompt).collect();
        self.withdraw_messages(&waiting);
        self.state
            .recent_check_ins
            .retain(|it| !is_meant(&it.check_in, it.due.0));
        self.state
            .silences
            .retain(|it| !is_meant(&it.check_in, it.due.0));
        let known = plan.check_ins.iter().find(|it| it.id == check_in);
        let alert = known.is_some_and(|known| self.is_alarming(known, value));
        self.journal.push(Entry::CheckInAnswered {
            check_in: check_in.to_owned(),
            due: Millis(due),
            value: value.clone(),
            late,
            alert,
            by: by.clone(),
        });
        self.remember_reading(plan, check_in, value);
        let ask = known
            .map_or(check_in, |known| known.ask.as_str())
            .to_owned();
        if alert {
            self.call(CallReason::CheckIn);
            let news = News::CheckIn {
                ask: ask.clone(),
                value: value.clone(),
            };
            self.tell_staff(plan, &news, &[]);
            let told = known
                .and_then(|it| it.tell)
                .is_some_and(|it| it != Tell::Never);
            for caregiver in plan.caregivers.iter().filter(|_| told) {
                self.tell_caregiver_of(plan, &caregiver.id, news.clone());
            }
        }
        self.replies.push(Reply::Noted {
            ask,
            value: value.clone(),
            alert,
        });
    }

    fn is_alarming(&self, check_in: &CheckIn, value: &Value) -> bool {
        let numbers = numbers(value);
        check_in.alert_if.iter().any(|condition| match condition {
            AlertIf::Over(reading, limit) => {
                pick(&numbers, *reading).is_some_and(|number| number > *limit)
            }
            AlertIf::Under(reading, limit) => {
                pick(&numbers, *reading).is_some_and(|number| number < *limit)
            }
            AlertIf::Outside(reading, from, to) => {
                pick(&numbers, *reading).is_some_and(|number| number < *from || number > *to)
            }
            AlertIf::Yes => *value == Value::Bool(true),
            AlertIf::No => *value == Value::Bool(false),
            AlertIf::Is(word) => match value {
                Value::Choice(said) | Value::Text(said) => {
                    said.trim().to_lowercase() == word.trim().to_lowercase()
                }
                _ => false,
            },
            AlertIf::Up(reading, by, within) => {
                self.changed(&check_in.id, &numbers, *reading, *within, |now, then| {
                    now - then >= *by
                })
            }
            AlertIf::Down(reading, by, within) => {
                self.changed(&check_in.id, &numbers, *reading, *within, |now, then| {
                    then - now >= *by
                })
            }
        })
    }

    /// Whether the number differs so from any of the time before.
    fn changed(
        &self,
        check_in: &str,
        numbers: &[i64],
        reading: Reading,
        within: SignedDuration,
        differs: impl Fn(i64, i64) -> bool,
    ) -> bool {
        let Some(number) = pick(numbers, reading) else {
            return false;
        };
        let since = self.now.saturating_sub(within).unwrap_or(Timestamp::MIN);
        self.state
            .readings
            .iter()
            .filter(|past| past.check_in == check_in && past.at.0 >= since)
            .filter_map(|past| pick(&past.numbers, reading))
            .any(|past| differs(number, past))
    }

    /// Keeps a number as long as a condition of the plan looks back.
    fn remember_reading(&mut self, plan: &ResolvedPlan, check_in: &str, value: &Value) {
        let span = |id: &str| {
            let known = plan.check_ins.iter().find(|it| it.id == id)?;
            let spans = known.alert_if.iter().filter_map(|it| match it {
                AlertIf::Up(_, _, within) | AlertIf::Down(_, _, within) => Some(*within),
                _ => None,
            });
            spans.max().map(|span| span.min(READINGS_LAST))
        };
        let now = self.now;
        self.state.readings.retain(|past| {
            let since = span(&past.check_in).and_then(|span| now.saturating_sub(span).ok());
            since.is_some_and(|since| past.at.0 >= since)
        });
        let numbers = numbers(value);
        if numbers.is_empty() || span(check_in).is_none() {
            return;
        }
        self.state.readings.push(PastReading {
            check_in: check_in.to_owned(),
            at: Millis(now),
            numbers,
        });
        let excess = self.state.readings.len().saturating_sub(READINGS_MAX);
        self.state.readings.drain(..excess);
    }
}

/// The numbers of an answer, in thousandths.
fn numbers(value: &Value) -> Vec<i64> {
    match value {
        Value::BloodPressure { upper, lower } => {
            vec![i64::from(*upper) * 1000, i64::from(*lower) * 1000]
        }
        Value::Number(thousandths) => vec![*thousandths],
        Value::Bool(_) | Value::Choice(_) | Value::Text(_) => Vec::new(),
    }
}

fn pick(numbers: &[i64], reading: Reading) -> Option<i64> {
    match reading {
        Reading::Value | Reading::Upper => numbers.first().copied(),
        Reading::Lower => numbers.get(1).copied(),
    }
}
