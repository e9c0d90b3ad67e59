//! On which days.

use super::{Problem, Reading};
use crate::{
    plan::words::{Kind, Words},
    recurrence::{self, Days, MonthDays, Weekdays},
};
use jiff::civil;

/// `days` as written: some need the day from which they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum DaysWord {
    Weekdays(Weekdays),
    EveryDays(u32),
    /// N on, N off.
    Cycle {
        on: u32,
        off: u32,
    },
    /// Every N weeks, on these days; empty: on the day of the start.
    Weeks {
        every: u32,
        on: Weekdays,
    },
    Months(u32),
    MonthDays(MonthDays),
}

impl DaysWord {
    pub(in crate::plan) const EVERY: Self = Self::Weekdays(Weekdays::ALL);

    /// Whether the days are counted from the start.
    pub(in crate::plan) fn needs_start(self) -> bool {
        match self {
            Self::Weekdays(_) | Self::MonthDays(_) => false,
            Self::EveryDays(_) | Self::Cycle { .. } | Self::Months(_) => true,
            Self::Weeks { every, on } => every > 1 || on.is_empty(),
        }
    }

    /// The days, counted from the start where that matters.
    pub(in crate::plan) fn from(self, start: civil::Date) -> Days {
        let anchor = recurrence::Day::from(start);
        match self {
            Self::Weekdays(set) => Days::Weekdays(set),
            Self::EveryDays(period) => Days::Cycle {
                anchor,
                period,
                run: 1,
                weekdays: Weekdays::ALL,
            },
            Self::Cycle { on, off } => Days::Cycle {
                anchor,
                period: on + off,
                run: on,
                weekdays: Weekdays::ALL,
            },
            Self::Weeks { every, on } => {
                let on = if on.is_empty() {
                    on.with(start.weekday())
                } else {
                    on
                };
                Days::Weeks {
                    anchor,
                    period: every,
                    weekdays: on,
                }
            }
            Self::Months(period) => Days::Months { anchor, period },
            Self::MonthDays(set) => Days::MonthDays(set),
        }
    }
}

const HELP: &str = "\"every day\", \"mon, thu\", \"weekdays\", \"every 3 days\", \"every 2 weeks on mon\", \"every month\", \"1st, 15th of the month\" or \"21 on, 7 off\"";

/// Reads `days`.
pub(in crate::plan) fn days(text: &str) -> Reading<DaysWord> {
    let words = Words::of(text);
    if let Some(problem) = misspelt_ordinal(&words, text) {
        return Err(problem);
    }
    if let Some(days) = every(&words, text).or_else(|| of_the_calendar(&words, text)) {
        return days;
    }
    Err(how_often(&words, text)
        .unwrap_or_else(|| Problem::not_understood("days", text, &words, HELP)))
}

/// What is counted: every so many days, weeks or months, and cycles.
fn every(words: &Words, text: &str) -> Option<Reading<DaysWord>> {
    use Kind::{Comma, Day, Every, Month, N, Of, Off, On, Once, Other, Week, Year};
    let in_range = |n: u32, max: u32, what: String| {
        if (1..=max).contains(&n) {
            return Ok(n);
        }
        Err(Problem::new(format!("{what} is not from 1 to {max}")).help(HELP))
    };
    let weeks = |n: u32, rest: Option<&[Kind]>| {
        let every = in_range(n, 53, format!("every {n} weeks"))?;
        let on = rest.map_or(Ok(Weekdays::NONE), |rest| weekdays(rest, words, text))?;
        Ok(DaysWord::Weeks { every, on })
    };
    Some(match *words.kinds() {
        [Every, Day] | [Every, N(1), Day] => Ok(DaysWord::EVERY),
        [Every, N(n), Day] => in_range(n, 366, format!("every {n} days")).map(DaysWord::EveryDays),
        [N(n @ 2..), Day, Once] | [Every, N(n @ 2..), Day, Once] => {
            in_range(n, 366, format!("every {n} days")).map(DaysWord::EveryDays)
        }
        [N(n), Month, Once] | [Every, N(n), Month, Once] => {
            in_range(n, 120, format!("every {n} months")).map(DaysWord::Months)
        }
        [Every, Other, Day] => Ok(DaysWord::EveryDays(2)),
        [Every, Week] => weeks(1, None),
        [Every, Other, Week] => weeks(2, None),
        [Every, N(n), Week] | [N(n @ 2..), Week, Once] | [Every, N(n @ 2..), Week, Once] => {
            weeks(n, None)
        }
        [Every, Week, On | Of, ref rest @ ..] => weeks(1, Some(rest)),
        [Every, Other, Week, On | Of, ref rest @ ..] => weeks(2, Some(rest)),
        [Every, N(n), Week, On | Of, ref rest @ ..] | [Every, N(n), Week, ref rest @ ..] => {
            weeks(n, Some(rest))
        }
        [Every, Month] | [Every, Month, Once] => Ok(DaysWord::Months(1)),
        [Every, Other, Month] => Ok(DaysWord::Months(2)),
        [Every, N(n), Month] => in_range(n, 120, format!("every {n} months")).map(DaysWord::Months),
        [Every, Year] | [Every, N(1), Year] => Ok(DaysWord::Months(12)),
        [N(on), On, Comma, N(off), Off]
        | [N(on), Day, On, Comma, N(off), Day, Off]
        | [N(on), On, N(off), Off]
        | [On, N(on), Day, Off, N(off), Day]
        | [On, N(on), Day, Comma, Off, N(off), Day] => in_range(on, 366, format!("{on} days on"))
            .and_then(|on| {
                Ok(DaysWord::Cycle {
                    on,
                    off: in_range(off, 366, format!("{off} days off"))?,
                })
            }),
        _ => return None,
    })
}

/// Days that have a name: of the week, of the month.
fn of_the_calendar(words: &Words, text: &str) -> Option<Reading<DaysWord>> {
    use Kind::{A, Day, Every, Last, Month, N, Of, Ordinal, The, Weekday, Weekdays, Weekends};
    let kinds = words.kinds();
    Some(match *kinds {
        [Every, Month, Last, N(1), Day]
        | [Last, Day, Of, The, Month]
        | [The, Last, Day, Of, The, Month]
        | [Last, Day, Of, Every, Month]
        | [Every, Month, Of, Last, N(1), Day] => Ok(DaysWord::MonthDays(MonthDays::LAST)),
        [Every, Month, ref rest @ ..] if matches!(rest.first(), Some(N(_))) => {
            month_days_chinese(rest)?.map(DaysWord::MonthDays)
        }
        [Ordinal(_) | Last, .., Of, The | Every | A, Month] => {
            month_days(&kinds[..kinds.len() - 3])?.map(DaysWord::MonthDays)
        }
        // 每周三次 is three times, not on Wednesday.
        [.., Kind::Times] => return None,
        [Weekday(_) | Weekdays | Weekends, ..] => {
            weekdays(kinds, words, text).map(DaysWord::Weekdays)
        }
        [Every, ref rest @ ..]
            if matches!(rest.first(), Some(Weekday(_) | Weekdays | Weekends)) =>
        {
            weekdays(rest, words, text).map(DaysWord::Weekdays)
        }
        _ => return None,
    })
}

/// 1st, 2nd, 3rd, 11th.
fn ordinal(day: u32) -> String {
    let ending = match (day % 10, day / 10 % 10) {
        (1, tens) if tens != 1 => "st",
        (2, tens) if tens != 1 => "nd",
        (3, tens) if tens != 1 => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}

/// "2st": was the 2nd or the 1st meant?
fn misspelt_ordinal(words: &Words, text: &str) -> Option<Problem> {
    let mut repaired = text.trim().to_lowercase();
    let mut wrong = None;
    for (index, kind) in words.kinds().iter().enumerate() {
        if let Kind::Ordinal(day) = *kind {
            let (written, right) = (words.text_of(index), ordinal(day));
            if written != right && (1..=31).contains(&day) {
                repaired = repaired.replacen(written, &right, 1);
                wrong.get_or_insert(written);
            }
        }
    }
    let wrong = wrong?;
    Some(Problem::new(format!("`{wrong}` is no number of a day")).help(format!("\"{repaired}\"")))
}

/// What is asked instead of days that are not said, or said so that they can be misread.
fn how_often(words: &Words, text: &str) -> Option<Problem> {
    use Kind::{
        A, Day, DayNumber, Every, EveryGap, Month, N, Of, Once, Ordinal, The, Thousandths, Times,
        Week, Weekday,
    };
    let text = text.trim();
    if matches!(text.to_lowercase().as_str(), "qod" | "eod" | "q.o.d.") {
        let message = format!("`{text}` is an abbreviation that is often misread");
        return Some(Problem::new(message).help("\"every 2 days\""));
    }
    Some(match *words.kinds() {
        [EveryGap, N(n), unit @ (Week | Month)] => {
            let unit = if unit == Week { "周" } else { "个月" };
            let cause = format!(
                "每隔N{unit} is ambiguous: some count those between, some the next one of taking"
            );
            let help = format!("\"每{n}{unit}\" or \"每{}{unit}\"", n.saturating_add(1));
            Problem::new(cause).help(help)
        }
        [EveryGap, N(1), Day] => {
            let cause =
                "每隔N天 is ambiguous: some count the days between, some the next day of taking";
            Problem::new(cause).help("\"每天\" or \"隔天\"")
        }
        [EveryGap, N(n), Day] => {
            let cause =
                "每隔N天 is ambiguous: some count the days between, some the next day of taking";
            let help = format!("\"每{n}天\" or \"每{}天\"", n.saturating_add(1));
            Problem::new(cause).help(help)
        }
        [Ordinal(_), Weekday(_), ..] => Problem::new(format!(
            "`{text}`: days of the month are dates, and days of the week come every week"
        ))
        .help("\"every 4 weeks on mon\" or \"1st of the month\""),
        [The, Ordinal(day)] => Problem::new(format!("`{text}` of what?"))
            .help(format!("\"{} of the month\"", ordinal(day))),
        [Ordinal(_), ref rest @ ..]
            if rest
                .iter()
                .all(|kind| matches!(kind, Ordinal(_) | Kind::Comma)) =>
        {
            Problem::new(format!("`{text}` of what?")).help(format!("\"{text} of the month\""))
        }
        [N(_), ref rest @ .., Of, The | Every | A, Month]
            if rest.iter().all(|kind| matches!(kind, N(_) | Kind::Comma)) =>
        {
            let days: Vec<String> = words
                .kinds()
                .iter()
                .filter_map(|kind| match kind {
                    N(day) => Some(ordinal(*day)),
                    _ => None,
                })
                .collect();
            Problem::new(format!(
                "`{text}`: days of the month are written 1st, 2nd, 3rd"
            ))
            .help(format!("\"{} of the month\"", days.join(", ")))
        }
        [Every, Ordinal(n), Day] if n > 1 => {
            Problem::new(format!("`{text}`: how many days apart?"))
                .help(format!("\"every {n} days\""))
        }
        [Every, Kind::Second, Day] => {
            Problem::new(format!("`{text}`: how many days apart?")).help("\"every 2 days\"")
        }
        // 两周一次 is once in two weeks, and has no Monday in it.
        [N(n @ 2..), Weekday(civil::Weekday::Monday), Times]
        | [Every, N(n @ 2..), Weekday(civil::Weekday::Monday), Times] => {
            Problem::new(format!("`{text}`: on which day of the week?"))
                .help(format!("\"每{n}周的周一\", or \"每{n}周\" with a `start`"))
        }
        // 每周三次 is three times, not on Wednesday.
        [Every | N(1), Weekday(day), Times] => {
            let n = day.to_monday_one_offset().unsigned_abs().into();
            Problem::new(format!("{n} times a week: on which days?"))
                .help(format!("\"{}\"", super::time::days_a_week(n)))
        }
        [N(n), Times, A, Week]
        | [Every, Week, N(n), Times]
        | [N(1), Week, N(n), Times]
        | [N(n), Times, Every, Week] => Problem::new(format!("{n} times a week: on which days?"))
            .help(format!("\"{}\"", super::time::days_a_week(n))),
        [N(n)] if (1..=366).contains(&n) => {
            Problem::new(format!("`{text}` of what?")).help(format!("\"every {n} days\""))
        }
        [Once, A, Week] | [Every, Week, Once] | [N(1), Week, Once] => {
            Problem::new("once a week: on which day?").help("\"mon\"")
        }
        [N(_), Times, A, Day] | [Once, A, Day] | [Every, Day, N(_) | Once, ..] => {
            Problem::new("`days` says on which days; how often a day stands in `at`")
                .help(format!("at = \"{text}\""))
        }
        [Every, Thousandths(_), ..] => Problem::new("days are counted in whole numbers").help(HELP),
        [Every, N(n), DayNumber] => {
            Problem::new(format!("`{text}`: so many days apart, or on that day?"))
                .help(format!("\"每{n}天\" or \"每月{n}日\""))
        }
        [N(_), DayNumber, ..] => {
            Problem::new(format!("`{text}` of which month?")).help(format!("\"每月{text}\""))
        }
        _ => return None,
    })
}

/// Weekdays with commas between them; after a Chinese weekday the numeral alone is enough
/// (周一、三、五).
fn weekdays(kinds: &[Kind], words: &Words, text: &str) -> Reading<Weekdays> {
    let offset = words.kinds().len() - kinds.len();
    let mut set = Weekdays::NONE;
    let mut chinese = false;
    let mut expect_day = true;
    for (index, kind) in kinds.iter().enumerate() {
        let written = words.text_of(offset + index);
        let more = match (*kind, expect_day) {
            (Kind::Weekday(day), true) => {
                chinese = !written.is_ascii();
                Weekdays::NONE.with(day)
            }
            (Kind::Weekdays, true) => Weekdays::WORKING,
            (Kind::Weekends, true) => Weekdays::WEEKEND,
            (Kind::N(n @ 1..=6), true) if chinese && !written.is_ascii() => {
                let day = civil::Weekday::from_monday_one_offset(n as i8);
                day.map_or(Weekdays::NONE, |day| Weekdays::NONE.with(day))
            }
            (Kind::DayNumber | Kind::Day, true) if chinese => {
                Weekdays::NONE.with(civil::Weekday::Sunday)
            }
            (Kind::Comma | Kind::And, false) => {
                expect_day = true;
                continue;
            }
            (Kind::Dash | Kind::To, false) => {
                return Err(
                    Problem::new("a span of weekdays is ambiguous: write each day")
                        .help("\"mon, tue, wed, thu, fri\" or \"weekdays\""),
                );
            }
            _ => return Err(Problem::not_understood("days", text, words, HELP)),
        };
        if !set.intersection(more).is_empty() {
            return Err(Problem::new(format!("`{written}` stands here twice"))
                .help("each day once: \"mon, wed, fri\""));
        }
        set = set.union(more);
        expect_day = false;
    }
    if expect_day {
        return Err(Problem::not_understood("days", text, words, HELP));
    }
    Ok(set)
}

/// "1st, 15th", "1st and last day".
fn month_days(kinds: &[Kind]) -> Option<Reading<MonthDays>> {
    let mut set = MonthDays::NONE;
    for part in kinds.split(|kind| matches!(kind, Kind::Comma | Kind::And)) {
        let day = match *part {
            [Kind::Ordinal(day)] | [Kind::Ordinal(day), Kind::Day] => day,
            [Kind::Last] | [Kind::Last, Kind::Day] => 31,
            _ => return None,
        };
        match with_month_day(set, day) {
            Ok(more) => set = more,
            Err(problem) => return Some(Err(problem)),
        }
    }
    Some(Ok(set))
}

/// 1日, 15日
fn month_days_chinese(kinds: &[Kind]) -> Option<Reading<MonthDays>> {
    let mut set = MonthDays::NONE;
    let mut parts = kinds
        .split(|kind| matches!(kind, Kind::Comma | Kind::And))
        .peekable();
    while let Some(part) = parts.next() {
        // The last one alone needs to say that it is a day: 每月1、15日.
        let day = match *part {
            [Kind::N(day), Kind::DayNumber] => day,
            [Kind::N(day)] if parts.peek().is_some() => day,
            _ => return None,
        };
        match with_month_day(set, day) {
            Ok(more) => set = more,
            Err(problem) => return Some(Err(problem)),
        }
    }
    Some(Ok(set))
}

fn with_month_day(set: MonthDays, day: u32) -> Reading<MonthDays> {
    match u8::try_from(day) {
        Ok(day @ 1..=31) if !set.contains(day) => Ok(set.with(day)),
        Ok(1..=31) => Err(
            Problem::new(format!("day {day} of the month stands here twice"))
                .help("each day once: \"1st, 15th of the month\""),
        ),
        _ => Err(Problem::new(format!("a month has no day {day}"))
            .help("\"last day of the month\", or a day from \"1st\" to \"31st of the month\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use civil::Weekday::{Friday, Monday, Sunday, Thursday, Wednesday};

    fn set(days: &[civil::Weekday]) -> Weekdays {
        days.iter().fold(Weekdays::NONE, |set, day| set.with(*day))
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "tables of cases are long")]
    fn days_are_read_in_both_languages() {
        use DaysWord as D;
        let month_days = |days: &[u8]| {
            D::MonthDays(days.iter().fold(MonthDays::NONE, |set, day| set.with(*day)))
        };
        for (text, expected) in [
            ("every day", D::EVERY),
            ("每天", D::EVERY),
            ("daily", D::EVERY),
            ("mon, Thursday", D::Weekdays(set(&[Monday, Thursday]))),
            ("周一，星期四", D::Weekdays(set(&[Monday, Thursday]))),
            (
                "每周一、三、五",
                D::Weekdays(set(&[Monday, Wednesday, Friday])),
            ),
            ("周五、日", D::Weekdays(set(&[Friday, Sunday]))),
            ("星期天", D::Weekdays(set(&[Sunday]))),
            ("every monday", D::Weekdays(set(&[Monday]))),
            ("weekdays", D::Weekdays(Weekdays::WORKING)),
            ("工作日", D::Weekdays(Weekdays::WORKING)),
            ("weekends", D::Weekdays(Weekdays::WEEKEND)),
            ("周末", D::Weekdays(Weekdays::WEEKEND)),
            ("weekends, mon", D::Weekdays(Weekdays::WEEKEND.with(Monday))),
            ("every 3 days", D::EveryDays(3)),
            ("每3天", D::EveryDays(3)),
            ("每三天", D::EveryDays(3)),
            ("隔天", D::EveryDays(2)),
            ("两天一次", D::EveryDays(2)),
            ("每3天一次", D::EveryDays(3)),
            ("每3个月一次", D::Months(3)),
            ("每月一次", D::Months(1)),
            ("each month", D::Months(1)),
            ("alternate days", D::EveryDays(2)),
            (
                "fortnightly",
                D::Weeks {
                    every: 2,
                    on: Weekdays::NONE,
                },
            ),
            ("每月1、15日", month_days(&[1, 15])),
            ("the last day of the month", month_days(&[31])),
            ("服药21天，停药7天", D::Cycle { on: 21, off: 7 }),
            ("every other day", D::EveryDays(2)),
            (
                "every 2 weeks",
                D::Weeks {
                    every: 2,
                    on: Weekdays::NONE,
                },
            ),
            (
                "每2周",
                D::Weeks {
                    every: 2,
                    on: Weekdays::NONE,
                },
            ),
            (
                "every 2 weeks on mon, thu",
                D::Weeks {
                    every: 2,
                    on: set(&[Monday, Thursday]),
                },
            ),
            (
                "每2周的周一, 周四",
                D::Weeks {
                    every: 2,
                    on: set(&[Monday, Thursday]),
                },
            ),
            (
                "每两周周一",
                D::Weeks {
                    every: 2,
                    on: set(&[Monday]),
                },
            ),
            (
                "every week on mon",
                D::Weeks {
                    every: 1,
                    on: set(&[Monday]),
                },
            ),
            ("every month", D::Months(1)),
            ("每月", D::Months(1)),
            ("每个月", D::Months(1)),
            ("every 3 months", D::Months(3)),
            ("每3个月", D::Months(3)),
            ("1st, 15th of the month", month_days(&[1, 15])),
            ("每月1日, 15日", month_days(&[1, 15])),
            ("每月2号", month_days(&[2])),
            ("last day of the month", month_days(&[31])),
            ("每月最后一天", month_days(&[31])),
            ("1st, last day of the month", month_days(&[1, 31])),
            ("21 on, 7 off", D::Cycle { on: 21, off: 7 }),
            ("21 days on, 7 days off", D::Cycle { on: 21, off: 7 }),
            ("服21天停7天", D::Cycle { on: 21, off: 7 }),
            ("服21天，停7天", D::Cycle { on: 21, off: 7 }),
        ] {
            assert_eq!(days(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for text in [
            "",
            "mon thu",
            "mon,",
            "mon, mon",
            "weekdays, fri",
            "mon-fri",
            "周一到周五",
            "mondey",
            "每隔3天",
            "every 0 days",
            "every 1.5 days",
            "every 400 days",
            "1st",
            "32nd of the month",
            "0th of the month",
            "1st, 1st of the month",
            "1th of the month",
            "2st, 3nd of the month",
            "the 15th",
            "1, 15 of the month",
            "1st mon of the month",
            "3",
            "每隔2周",
            "每3日",
            "一天一次",
            "一周一次",
            "qod",
            "biweekly",
            "2026-03-02",
            "每隔一个月",
            "一周三次",
            "5 times a week",
            "once a week",
            "每周一次",
            "2 times a day",
            "15日",
            "0 on, 7 off",
            "21 on, 0 off",
            "* * 1",
            "every 2 weeks on",
            "every 2 weeks on the 1st",
        ] {
            let problem = days(text).unwrap_err();
            assert!(problem.help.is_some(), "{text}");
        }
        assert!(
            days("每隔3天")
                .unwrap_err()
                .help
                .unwrap()
                .contains("\"每3天\"")
        );
        assert!(days("mondey").unwrap_err().message.contains("`monday`"));
    }
}
