//! Questions that fell due lately, as lists show them: those that are closed or answered from the
//! journal, those that wait from the patients' states.

use crate::engine::{Entry, ExpiredReason, OpenPrompt, PromptKind, Value};
use jiff::Timestamp;
use std::collections::HashMap;

/// One asking of a check-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckInLine {
    /// The patient's id.
    pub patient: String,
    /// The check-in's id.
    pub check_in: String,
    /// The scheduled instant.
    pub due: Timestamp,
    /// The last answer.
    pub answer: Option<CheckInAnswer>,
    /// Its window is over, or an edit took it back.
    pub closed: bool,
    /// The plan was edited.
    pub cancelled: bool,
    /// Why it was not asked in time; `None` while it waits, and when it was asked.
    pub reason: Option<ExpiredReason>,
    /// When the API took the question, as far as that is told of one without an answer.
    pub asked: Option<Timestamp>,
    /// The question was sent, and no answer of the API was read.
    pub in_doubt: bool,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckInAnswer {
    /// The answer.
    pub value: Value,
    /// When it was noted.
    pub at: Timestamp,
    /// After its window.
    pub late: bool,
    /// A person must look at it.
    pub alert: bool,
}

/// Gathers what the journal and the states say of the askings due in a half-open range.
pub(super) struct CheckIns {
    from: Timestamp,
    until: Timestamp,
    /// By patient, check-in and instant: the line, and the journal's row of its answer.
    lines: HashMap<(u32, String, Timestamp), (u32, CheckInLine)>,
}

impl CheckIns {
    pub(super) fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            lines: HashMap::new(),
        }
    }

    fn line(
        &mut self,
        (number, patient): (u32, &str),
        check_in: &str,
        due: Timestamp,
    ) -> Option<&mut (u32, CheckInLine)> {
        if due < self.from || due >= self.until {
            return None;
        }
        let key = (number, check_in.to_owned(), due);
        Some(self.lines.entry(key).or_insert_with(|| {
            let line = CheckInLine {
                patient: patient.to_owned(),
                check_in: check_in.to_owned(),
                due,
                answer: None,
                closed: false,
                cancelled: false,
                reason: None,
                asked: None,
                in_doubt: false,
            };
            (0, line)
        }))
    }

    /// An entry of the journal, with the number of its row and the instant of writing.
    pub(super) fn note(
        &mut self,
        patient: (u32, &str),
        (row, at): (u32, Timestamp),
        entry: &Entry,
    ) {
        match entry {
            Entry::CheckInAnswered {
                check_in,
                due,
                value,
                late,
                alert,
                ..
            } => {
                if let Some((known, line)) = self.line(patient, check_in, due.0)
                    // By number, not by day: the clock may have been set back in between.
                    && (line.answer.is_none() || *known <= row)
                {
                    *known = row;
                    line.answer = Some(CheckInAnswer {
                        value: value.clone(),
                        at,
                        late: *late,
                        alert: *alert,
                    });
                }
            }
            Entry::CheckInClosed {
                check_in,
                due,
                asked,
                reason,
                cancelled,
            } => {
                if let Some((_, line)) = self.line(patient, check_in, due.0) {
                    line.closed = true;
                    line.cancelled = *cancelled;
                    line.reason = *reason;
                    line.asked = asked.map(|asked| asked.0);
                }
            }
            _ => {}
        }
    }

    /// What waits for a patient. What was stepped ahead of its instant is only planned.
    pub(super) fn waits(&mut self, patient: (u32, &str), prompts: &[OpenPrompt], now: Timestamp) {
        for prompt in prompts {
            if prompt.kind == PromptKind::CheckIn
                && prompt.due <= now
                && let Some((_, line)) = self.line(patient, &prompt.id, prompt.due)
            {
                line.closed = false;
                line.cancelled = false;
                line.reason = None;
                line.asked = prompt.sending.accepted_at;
                line.in_doubt = prompt.sending.in_doubt;
            }
        }
    }

    /// Ordered by instant, patient and check-in.
    pub(super) fn into_lines(self) -> Vec<CheckInLine> {
        let mut lines: Vec<CheckInLine> = self.lines.into_values().map(|(_, line)| line).collect();
        lines.sort_unstable_by(|a, b| {
            (a.due, &a.patient, &a.check_in).cmp(&(b.due, &b.patient, &b.check_in))
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Millis, Teller};

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn answered(due: i64, value: i64, late: bool) -> Entry {
        Entry::CheckInAnswered {
            check_in: "bp".to_owned(),
            due: Millis(hour(due)),
            value: Value::Number(value),
            late,
            alert: value > 100,
            by: Teller::Patient,
        }
    }

    fn closed(due: i64, reason: Option<ExpiredReason>, cancelled: bool) -> Entry {
        Entry::CheckInClosed {
            check_in: "bp".to_owned(),
            due: Millis(hour(due)),
            asked: reason.is_none().then(|| Millis(hour(due))),
            reason,
            cancelled,
        }
    }

    fn waiting(kind: PromptKind, due: i64) -> OpenPrompt {
        OpenPrompt {
            kind,
            id: "bp".to_owned(),
            due: hour(due),
            window_ends: hour(due + 24),
            on_time_until: hour(due + 1),
            sending: crate::engine::Sending {
                in_doubt: true,
                ..Default::default()
            },
        }
    }

    #[test]
    fn each_asking_has_its_last_answer_or_what_became_of_it() {
        let mut all = CheckIns::new(hour(1), hour(20));
        let patient = (7, "wang");
        for (row, entry) in [
            (1, answered(0, 50, false)),
            (2, closed(2, None, false)),
            (3, closed(3, Some(ExpiredReason::ApiDown), false)),
            (4, closed(4, None, true)),
            (5, closed(5, None, false)),
            (6, answered(5, 80, true)),
            (8, answered(6, 120, false)),
            // Of an earlier day, read later: the clock was set back.
            (7, answered(6, 90, false)),
            (9, answered(20, 50, false)),
        ] {
            all.note(patient, (row, hour(10)), &entry);
        }
        let prompts = [
            waiting(PromptKind::CheckIn, 8),
            waiting(PromptKind::Appointment, 9),
            waiting(PromptKind::CheckIn, 12),
        ];
        all.waits(patient, &prompts, hour(11));
        all.note((6, "li"), (1, hour(2)), &answered(2, 10, false));
        let lines = all.into_lines();
        let shown: Vec<_> = lines
            .iter()
            .map(|it| {
                let value = it
                    .answer
                    .as_ref()
                    .map(|it| (it.value.to_string(), it.alert));
                let hours = it.due.as_second() / 3600;
                let what = (it.closed, it.cancelled, it.reason.is_some(), it.in_doubt);
                (hours, it.patient.as_str(), value, what)
            })
            .collect();
        let value = |number: &str, alert| Some((number.to_owned(), alert));
        assert_eq!(
            shown,
            [
                (2, "li", value("0.01", false), (false, false, false, false)),
                (2, "wang", None, (true, false, false, false)),
                (3, "wang", None, (true, false, true, false)),
                (4, "wang", None, (true, true, false, false)),
                (5, "wang", value("0.08", false), (true, false, false, false)),
                (6, "wang", value("0.12", true), (false, false, false, false)),
                (8, "wang", None, (false, false, false, true)),
            ]
        );
        assert_eq!(lines[1].asked, Some(hour(2)));
        assert!(lines[4].answer.as_ref().unwrap().late);
    }
}
