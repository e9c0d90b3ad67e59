//! What the clinic has set for its talks with patients, and its staff.

use super::keys;
use super::read::one_of;
use crate::engine::{DIGEST, News, StaffMember};
use crate::plan::reader::{Table, Value};
use crate::plan::{self, Language, QuietHours};
use jiff::civil::{Time, time};
use std::path::PathBuf;

/// Phrases that cannot wait, where the configuration names none.
const RED_FLAGS: &[&str] = &[
    "胸痛",
    "胸口痛",
    "胸闷",
    "呼吸困难",
    "喘不上气",
    "喘不过气",
    "昏倒",
    "晕倒",
    "晕过去",
    "抽搐",
    "大出血",
    "吐血",
    "便血",
    "不想活",
    "想死",
    "自杀",
    "救命",
    "chest pain",
    "can't breathe",
    "cannot breathe",
    "short of breath",
    "passed out",
    "fainted",
    "unconscious",
    "seizure",
    "heavy bleeding",
    "vomiting blood",
    "want to die",
    "kill myself",
    "suicide",
];

/// What staff are told of where their table does not say.
const ALERTS: &[&str] = &[
    "red_flag",
    "critical_missed",
    "check_in",
    "no_answer",
    "missed_in_a_row",
    "unreachable",
    "caregiver_unreachable",
    "stopped",
    "too_soon",
    "too_many",
    DIGEST,
];

/// When staff are told of the day before, where the clinic does not say it.
const DIGEST_AT: Time = time(7, 30, 0, 0);

/// What is said to patients, and by whom they are looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// What patients are asked to consent to; may be empty for the built-in words.
    pub consent: String,
    /// What to ring when it cannot wait.
    pub emergency_number: String,
    /// Phrases that cannot wait.
    pub red_flags: Vec<String>,
    /// When somebody is at the clinic; `None`: always.
    pub opening_hours: Option<QuietHours>,
    /// What is said outside of them.
    pub out_of_hours: Option<String>,
    /// When staff are told of the day before.
    pub digest_at: Time,
    /// Directory of the clinic's own texts, absolute.
    pub texts: Option<PathBuf>,
    /// In the order of the file.
    pub staff: Vec<Staff>,
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// Who, and what they are told of.
    pub member: StaffMember,
    /// Their openid.
    pub wechat: Option<String>,
    /// What they are at the clinic.
    pub role: Role,
}

/// What a member of staff is at the clinic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Decides about treatment.
    #[default]
    Doctor,
    /// Looks after patients.
    Nurse,
}

impl Talk {
    /// Reads the keys of `[clinic]`, and `[[staff]]`.
    pub(super) fn read(root: &Table<'_>, clinic: &Table<'_>, language: Language) -> Self {
        let text = |key| {
            clinic
                .text(key)
                .map(|text| text.into_inner().trim().to_owned())
        };
        let red_flags = match clinic.get("red_flags") {
            None => RED_FLAGS.iter().map(|flag| (*flag).to_owned()).collect(),
            Some(value) => phrases(&value),
        };
        let opening_hours = hours(clinic, "opening_hours", "08:00-18:00");
        let emergency_number = text("emergency_number").unwrap_or_else(|| {
            match language {
                Language::ZhCn => "120",
                Language::En => "112",
            }
            .to_owned()
        });
        Self {
            consent: text("consent").unwrap_or_default(),
            emergency_number,
            red_flags,
            opening_hours,
            out_of_hours: text("out_of_hours"),
            digest_at: clinic
                .get("digest")
                .and_then(|value| clock_time(&value))
                .unwrap_or(DIGEST_AT),
            texts: None,
            staff: root
                .tables("staff", &keys::STAFF)
                .iter()
                .filter_map(|table| Staff::read(table, language))
                .collect(),
        }
    }
}

impl Staff {
    fn read(table: &Table<'_>, language: Language) -> Option<Self> {
        let name = table.required_text("name", "name = \"Dr Hao\"")?;
        let language = match table.get("language") {
            None => Some(language),
            Some(value) => one_of(&value, &[("zh-CN", Language::ZhCn), ("en", Language::En)]),
        };
        let role = match table.get("role") {
            None => Some(Role::default()),
            Some(value) => one_of(&value, &[("doctor", Role::Doctor), ("nurse", Role::Nurse)]),
        };
        let alerts = match table.get("alerts") {
            None => ALERTS.iter().map(|it| (*it).to_owned()).collect(),
            Some(value) => kinds(&value),
        };
        let quiet_hours = hours(table, "quiet_hours", "21:30-07:00");
        Some(Self {
            member: StaffMember {
                refuses: false,
                name: name.into_inner().trim().to_owned(),
                language: language?,
                alerts,
                quiet_hours,
            },
            wechat: table
                .text("wechat")
                .map(|it| it.into_inner().trim().to_owned()),
            role: role?,
        })
    }
}

/// A time of the day.
fn clock_time(value: &Value<'_>) -> Option<Time> {
    let text = value.text()?;
    let parsed = Time::strptime("%H:%M", text.get_ref().trim()).ok();
    if parsed.is_none() {
        value.error_with_help(
            format!("`{}` is no time of the day", text.get_ref()),
            format!("write: {} = \"07:30\"", value.key()),
        );
    }
    parsed
}

/// A span of the day.
fn hours(table: &Table<'_>, key: &str, example: &str) -> Option<QuietHours> {
    let value = table.get(key)?;
    let text = value.text()?;
    let hours = plan::quiet_hours(text.get_ref()).ok();
    if hours.is_none() {
        value.error_with_help(
            "hours are a span of the day",
            format!("{key} = \"{example}\""),
        );
    }
    hours
}

/// Phrases that are looked for in what patients write; short ones would be found everywhere.
fn phrases(value: &Value<'_>) -> Vec<String> {
    let mut phrases = Vec::new();
    for entry in value.one_or_many() {
        let Some(text) = entry.text() else { continue };
        let phrase = text.into_inner().trim();
        if phrase.is_empty() {
            entry.error_with_help("an empty phrase is found in every text", "\"chest pain\"");
        } else {
            phrases.push(phrase.to_owned());
        }
    }
    phrases
}

fn kinds(value: &Value<'_>) -> Vec<String> {
    let mut kinds = Vec::new();
    for entry in value.one_or_many() {
        let Some(text) = entry.text() else { continue };
        let kind = text.into_inner();
        if kind == DIGEST || News::NAMES.contains(&kind) {
            kinds.push(kind.to_owned());
        } else {
            let known = News::NAMES.join(", ") + ", " + DIGEST;
            entry.error_with_help(
                format!("staff cannot be told of `{kind}`"),
                format!("one or several of: {known}"),
            );
        }
    }
    kinds
}
