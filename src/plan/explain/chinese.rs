//! Chinese.

use super::Phrases;
use crate::plan::{AnswerType, Tell};
use crate::recurrence::{Days, MonthDays, Weekdays};
use jiff::{SignedDuration, civil::Weekday};

pub(super) struct Chinese;

/// 一、三、五
fn weekdays(set: Weekdays) -> String {
    let names: Vec<&str> = set
        .iter()
        .map(|day| match day {
            Weekday::Monday => "一",
            Weekday::Tuesday => "二",
            Weekday::Wednesday => "三",
            Weekday::Thursday => "四",
            Weekday::Friday => "五",
            Weekday::Saturday => "六",
            Weekday::Sunday => "日",
        })
        .collect();
    names.join("、")
}

/// 服 1片; without an amount 遵医嘱服用.
fn dose(amount: &str) -> String {
    if amount == AS_DIRECTED {
        format!("{AS_DIRECTED}服用")
    } else {
        format!("服 {amount}")
    }
}

const AS_DIRECTED: &str = "遵医嘱";

fn every(n: u32, unit: &str) -> String {
    if n == 1 {
        format!("每{unit}")
    } else {
        format!("每{n}{unit}")
    }
}

impl Phrases for Chinese {
    fn days(&self, days: &Days) -> String {
        match days {
            Days::Weekdays(set) if *set == Weekdays::ALL => "每天".to_owned(),
            Days::Weekdays(set) => format!("每周{}", weekdays(*set)),
            Days::Cycle {
                period,
                run,
                weekdays: set,
                ..
            } => {
                let cycle = if *run == 1 {
                    every(*period, "天")
                } else {
                    format!("服{run}天停{}天", period.saturating_sub(*run))
                };
                if *set == Weekdays::ALL {
                    cycle
                } else {
                    format!("{cycle}（仅周{}）", weekdays(*set))
                }
            }
            Days::Weeks {
                period,
                weekdays: set,
                ..
            } => {
                format!("{}的周{}", every(*period, "周"), weekdays(*set))
            }
            Days::Months { anchor, period } => {
                let unit = if *period == 1 { "月" } else { "个月" };
                let day = anchor.date().day();
                let short = if day > 28 {
                    "（没有该日则在月末）"
                } else {
                    ""
                };
                format!("{}{day}日{short}", every(*period, unit))
            }
            Days::MonthDays(set) if *set == MonthDays::LAST => "每月最后一天".to_owned(),
            Days::MonthDays(set) => {
                let days: Vec<String> = set
                    .iter()
                    .map(|day| {
                        if day == 31 {
                            "最后一天".to_owned()
                        } else {
                            format!("{day}日")
                        }
                    })
                    .collect();
                let short = if set.contains(29) || set.contains(30) {
                    "（没有该日则在月末）"
                } else {
                    ""
                };
                format!("每月{}{short}", days.join("、"))
            }
        }
    }

    fn separator(&self) -> &'static str {
        "，"
    }

    fn semicolon(&self, alike: bool) -> &'static str {
        if alike { "，" } else { "；" }
    }

    fn sentence(&self, subject: &str, predicate: &str) -> String {
        format!("{subject}：{predicate}。")
    }

    fn take_at(&self, days: &str, doses: &[(Vec<String>, String)]) -> String {
        let doses: Vec<String> = doses
            .iter()
            .map(|(times, amount)| format!("{} {}", times.join("、"), dose(amount)))
            .collect();
        format!("{days} {}", doses.join("，"))
    }

    fn take_every(&self, every: &str, first: Option<&str>, amount: &str) -> String {
        let first = first
            .map(|first| format!("从 {first} 起，"))
            .unwrap_or_default();
        format!("{first}每{every}（昼夜）{}", dose(amount))
    }

    fn take_after_last(&self, every: &str, first: Option<&str>, amount: &str) -> String {
        let first = first.map_or_else(|| "首次立即".to_owned(), |first| format!("首次 {first}"));
        format!("{first}，每次服药后{every}再{}", dose(amount))
    }

    fn take_once(&self, at: &[String], amount: &str) -> String {
        format!("{} {}", at.join("、"), dose(amount))
    }

    fn take_when_needed(&self, reason: &str, amount: &str) -> String {
        format!("需要时（{reason}）{}，不提醒", dose(amount))
    }

    fn at_most(&self, doses: u32, within: Option<&str>) -> String {
        within.map_or_else(
            || format!("每天最多{doses}次"),
            |within| format!("{within}内最多{doses}次"),
        )
    }

    fn apart(&self, time: &str) -> String {
        format!("至少间隔{time}")
    }

    fn span(&self, from: Option<&str>, until: Option<&str>) -> String {
        match (from, until) {
            (Some(from), Some(until)) if from == until => format!("仅 {from}"),
            (Some(from), Some(until)) => format!("{from} 至 {until}"),
            (Some(from), None) => format!("{from} 起"),
            (None, Some(until)) => format!("至 {until}"),
            (None, None) => String::new(),
        }
    }

    fn before(&self, moment: &str) -> String {
        format!("到 {moment} 之前")
    }

    fn doses(&self, doses: u32) -> String {
        format!("共{doses}次")
    }

    fn pause(&self, off: &str, back: &str) -> String {
        format!("{off} 停药，{back} 恢复")
    }

    fn critical(&self) -> &'static str {
        "须准时"
    }

    fn as_directed(&self) -> &'static str {
        AS_DIRECTED
    }

    fn duration(&self, duration: SignedDuration) -> String {
        let seconds = duration.as_secs();
        match seconds {
            _ if seconds % 86_400 == 0 && seconds > 86_400 => format!("{}天", seconds / 86_400),
            _ if seconds % 3600 == 0 => format!("{}小时", seconds / 3600),
            _ if seconds % 60 == 0 => format!("{}分钟", seconds / 60),
            _ => format!("{seconds}秒"),
        }
    }

    fn question(&self, ask: &str, answer: &str, days: &str, times: &[String]) -> String {
        format!("{days} {} 询问：“{ask}”（{answer}）", times.join("、"))
    }

    fn answer(&self, answer: &AnswerType) -> String {
        match answer {
            AnswerType::Text => "文字".to_owned(),
            AnswerType::YesOrNo => "是或否".to_owned(),
            AnswerType::Number { from, to, unit } => {
                format!(
                    "数字 {from} 到 {to}{}",
                    unit.as_deref()
                        .map(|unit| format!(" {unit}"))
                        .unwrap_or_default()
                )
            }
            AnswerType::Scale { from, to } => format!("评分 {from} 到 {to}"),
            AnswerType::OneOf(words) => format!("选项：{}", words.join("、")),
            AnswerType::BloodPressure => "血压".to_owned(),
            AnswerType::BloodGlucose => "血糖".to_owned(),
            AnswerType::Temperature => "体温".to_owned(),
            AnswerType::Weight => "体重".to_owned(),
            AnswerType::HeartRate => "心率".to_owned(),
        }
    }

    fn appointment(&self, what: &str, at: &str, reminders: &[String]) -> String {
        if reminders.is_empty() {
            return format!("预约 {at}：{what}，不提醒。");
        }
        format!("预约 {at}：{what}，提醒时间 {}。", reminders.join("、"))
    }

    fn caregiver(&self, name: &str, relation: &str, tell: Tell) -> String {
        let of = match tell {
            Tell::Never => "不通知",
            Tell::Missed => "漏服时通知",
            Tell::Critical => "须准时的药漏服时通知",
            Tell::EveryDose => "每次服药都通知",
        };
        format!("{name}（{relation}）：{of}。")
    }

    fn away(&self, from: &str, until: &str, zone: &str) -> String {
        format!("{from} 至 {until} 按 {zone} 的时间。")
    }

    fn next_day(&self) -> &'static str {
        "次日 "
    }

    fn day_before(&self) -> &'static str {
        "前一日 "
    }

    fn weekday(&self, day: Weekday) -> &'static str {
        match day {
            Weekday::Monday => "周一",
            Weekday::Tuesday => "周二",
            Weekday::Wednesday => "周三",
            Weekday::Thursday => "周四",
            Weekday::Friday => "周五",
            Weekday::Saturday => "周六",
            Weekday::Sunday => "周日",
        }
    }

    fn next_reminders(&self) -> &'static str {
        "接下来的提醒："
    }

    fn no_reminders(&self) -> &'static str {
        "没有后续提醒。"
    }

    fn list(&self) -> &'static str {
        "、"
    }
}
