//! A `[[check_in]]`.

use super::{Reader, optional_words, parsed, required, required_words};
use crate::plan::{
    CheckIn,
    grammar::{answer, course, span},
    reader::{Keys, Table},
};
use jiff::SignedDuration;
use std::ops::Range;

pub(super) const KEYS: Keys = Keys::new(&[
    "ask",
    "answer",
    "at",
    "id",
    "days",
    "start",
    "end",
    "alert_if",
    "alert_if_no_answer",
    "tell",
]);

impl Reader<'_> {
    pub(super) fn check_in(&self, table: &Table<'_>) -> Option<(CheckIn, Range<usize>)> {
        let ask = required_words(table, "ask", "ask = \"How are you today?\"");
        let id = optional_words(table, "id");
        let answer = required(table, "answer", "answer = \"yes or no\"")
            .and_then(|value| parsed(&value, answer::answer));
        let mut alert_if = Vec::new();
        if let (Some(value), Some(answer)) = (table.get("alert_if"), &answer) {
            for entry in value.one_or_many() {
                if let Some(condition) = parsed(&entry, |text| answer::alert_if(text, answer)) {
                    if alert_if.contains(&condition) {
                        entry.error_with_help(
                            format!("{} stands here twice", entry.written()),
                            "leave this one out",
                        );
                    }
                    alert_if.push(condition);
                }
            }
        }
        let alert_if_no_answer = table.get("alert_if_no_answer").and_then(|value| {
            let after = parsed(&value, span::positive_duration)?;
            if after > SignedDuration::from_hours(24 * 31) {
                value.error_with_help(
                    "silence is looked at within 31 days",
                    "write: alert_if_no_answer = \"24 hours\"",
                );
            }
            Some(after)
        });
        let tell = table
            .get("tell")
            .and_then(|value| parsed(&value, course::tell));
        let schedule = self.questions(table);
        let ask = ask?;
        let check_in = CheckIn {
            id: id.unwrap_or_else(|| ask.clone()),
            ask,
            answer: answer?,
            schedule: schedule?,
            alert_if,
            alert_if_no_answer,
            tell,
        };
        Some((check_in, table.get("ask")?.span()))
    }
}
