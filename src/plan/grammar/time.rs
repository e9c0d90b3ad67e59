//! Times of the day: clock times, words of the day, meals, "N times a day".

use super::{Problem, Reading};
use crate::plan::{
    Day, DayWord,
    words::{Kind, Words, normalise},
};
use jiff::civil;

/// More doses a day than this are a slip of the pen.
pub(in crate::plan) const A_DAY_MAX: u32 = 24;

/// A time in minutes after local midnight; a meal's offset may pass midnight.
pub(in crate::plan) type Minute = i32;

/// A clock time that exists.
pub(in crate::plan) fn clock(hour: u32, minute: u32) -> Reading<civil::Time> {
    if hour == 24 && minute == 0 {
        return Err(Problem::new("24:00 is ambiguous: it belongs to two days")
            .help("\"00:00\" (the beginning of that day) or \"23:59\" (its end)"));
    }
    i8::try_from(hour)
        .ok()
        .zip(i8::try_from(minute).ok())
        .and_then(|(hour, minute)| civil::Time::new(hour, minute, 0, 0).ok())
        .ok_or_else(|| {
            Problem::new(format!("{hour:02}:{minute:02} is no time of the day"))
                .help("\"08:00\", or another time from \"00:00\" to \"23:59\"")
        })
}

/// Minutes after midnight.
pub(in crate::plan) fn minute_of(time: civil::Time) -> Minute {
    Minute::from(time.hour()) * 60 + Minute::from(time.minute())
}

/// All times that one text gives, in its order.
pub(in crate::plan) fn times(text: &str, day: &Day) -> Reading<Vec<Minute>> {
    if let Some(problem) = other_notation(text) {
        return Err(problem);
    }
    let words = Words::of(text);
    if let Some(times) = times_a_day(words.kinds(), day)? {
        return Ok(times);
    }
    let mut all = Vec::new();
    let mut first = 0;
    let kinds = &whole_minutes(words.kinds())[..];
    let ends = (0..=kinds.len()).filter(|end| {
        kinds
            .get(*end)
            .is_none_or(|kind| matches!(kind, Kind::Comma | Kind::And))
    });
    for end in ends {
        let part = &kinds[first..end];
        match time(part, day)? {
            Some(found) => all.extend(found),
            None => return Err(explain_all(kinds, part, text, &words, day)),
        }
        first = end + 1;
    }
    Ok(all)
}

/// The one clock time that a text gives, for a key of the `[day]` table.
pub(in crate::plan) fn single(text: &str) -> Reading<civil::Time> {
    if let Some(problem) = other_notation(text) {
        return Err(problem);
    }
    let words = Words::of(text);
    if let [Kind::Clock(hour, minute)] = *words.kinds() {
        return clock(hour, minute);
    }
    let problem = explain(words.kinds(), text, &words);
    let one = problem.help.as_deref().is_some_and(|help| help.len() == 7);
    Err(if one {
        problem
    } else {
        problem.help("\"08:00\"")
    })
}

/// Half an hour and its like as minutes.
fn whole_minutes(kinds: &[Kind]) -> Vec<Kind> {
    let mut whole = kinds.to_vec();
    for index in 1..whole.len() {
        if let [Kind::Thousandths(n), Kind::Hour] = whole[index - 1..=index]
            && n % 50 == 0
            && let Ok(minutes) = u32::try_from(n * 60 / 1000)
        {
            whole[index - 1] = Kind::N(minutes);
            whole[index] = Kind::Minute;
        }
    }
    whole
}

/// "N times a day".
fn times_a_day(kinds: &[Kind], day: &Day) -> Reading<Option<Vec<Minute>>> {
    let number = match *kinds {
        [Kind::N(n), Kind::Times, Kind::A, Kind::Day]
        | [Kind::N(n), Kind::Times, Kind::Every, Kind::Day]
        | [Kind::Every, Kind::Day, Kind::N(n), Kind::Times]
        | [
            Kind::N(1),
            Kind::Day | Kind::DayNumber,
            Kind::N(n),
            Kind::Times,
        ] => n,
        [Kind::Once, Kind::A, Kind::Day]
        | [Kind::Once, Kind::Every, Kind::Day]
        | [Kind::Every, Kind::Day, Kind::Once]
        | [Kind::N(1), Kind::Day | Kind::DayNumber, Kind::Once] => 1,
        [Kind::N(n), Kind::Times, Kind::A, Kind::Week]
        | [Kind::Every, Kind::Week, Kind::N(n), Kind::Times]
        | [Kind::N(1), Kind::Week, Kind::N(n), Kind::Times] => {
            return Err(on_which_days(n));
        }
        // 每周三次 is three times, not on Wednesday.
        [Kind::Every | Kind::N(1), Kind::Weekday(day), Kind::Times] => {
            return Err(on_which_days(
                day.to_monday_one_offset().unsigned_abs().into(),
            ));
        }
        [Kind::Once, Kind::A, Kind::Week] => return Err(on_which_days(1)),
        _ => return Ok(None),
    };
    if number == 0 {
        return Err(Problem::new("0 times a day is never").help("\"1 times a day\""));
    }
    if number > A_DAY_MAX {
        return Err(
            Problem::new(format!("{number} times a day is more than {A_DAY_MAX}"))
                .help("\"4 times a day\""),
        );
    }
    let Some(times) = day.times(number) else {
        return Err(Problem::new(format!("nobody has said at what times `{number} times a day` is"))
            .help(format!(
                "the times, e.g. at = \"08:00, 12:00\", or say once for all: [day.times] {number} = [\"06:00\", …]"
            )));
    };
    Ok(Some(times.iter().map(|time| minute_of(*time)).collect()))
}

fn on_which_days(times: u32) -> Problem {
    let days = days_a_week(times);
    Problem::new(format!("{times} times a week: on which days?"))
        .help(format!("days = \"{days}\" and at = \"08:00\""))
}

/// Days on which so many times a week could be.
pub(in crate::plan) fn days_a_week(times: u32) -> &'static str {
    match times {
        0 | 1 => "mon",
        2 => "mon, thu",
        3 => "mon, wed, fri",
        4 => "mon, tue, thu, sat",
        5 => "mon, tue, wed, thu, fri",
        6 => "mon, tue, wed, thu, fri, sat",
        _ => "every day",
    }
}

/// One time; "meals" are three.
fn time(kinds: &[Kind], day: &Day) -> Reading<Option<Vec<Minute>>> {
    use Kind::{After, Before, Clock, Hour, In, Meal, Meals, Minute as Min, N, Part, The, With};
    let at = |word: DayWord| minute_of(day.time(word));
    let meals = |shift: Minute| {
        DayWord::MEALS
            .iter()
            .map(|meal| at(*meal) + shift)
            .collect()
    };
    let minutes = |n: u32, unit: Kind| -> Reading<Minute> {
        let minutes = n.saturating_mul(if unit == Hour { 60 } else { 1 });
        if minutes == 0 || minutes > 12 * 60 {
            return Err(
                Problem::new("the distance from a meal is from 1 minute to 12 hours")
                    .help("\"30 min before breakfast\""),
            );
        }
        Ok(minutes as Minute)
    };
    Ok(Some(match *kinds {
        [Clock(hour, minute)] => vec![minute_of(clock(hour, minute)?)],
        [Part(word)] | [In, The, Part(word)] | [Before, Part(word @ DayWord::Bedtime)] => {
            vec![at(word)]
        }
        [With, Meal(meal)] | [Meal(meal), With] => vec![at(meal)],
        [Before, Meal(meal)] | [Meal(meal), Before] => vec![at(meal) - day.before_meal],
        [After, Meal(meal)] | [Meal(meal), After] => vec![at(meal) + day.after_meal],
        [N(n), unit @ (Min | Hour), Before, Meal(meal)]
        | [Meal(meal), Before, N(n), unit @ (Min | Hour)] => vec![at(meal) - minutes(n, unit)?],
        [N(n), unit @ (Min | Hour), After, Meal(meal)]
        | [Meal(meal), After, N(n), unit @ (Min | Hour)] => vec![at(meal) + minutes(n, unit)?],
        [With, Meals] | [Meals, With] => meals(0),
        [Before, Meals] | [Meals, Before] => meals(-day.before_meal),
        [After, Meals] | [Meals, After] => meals(day.after_meal),
        [N(n), unit @ (Min | Hour), Before, Meals] | [Meals, Before, N(n), unit @ (Min | Hour)] => {
            meals(-minutes(n, unit)?)
        }
        [N(n), unit @ (Min | Hour), After, Meals] | [Meals, After, N(n), unit @ (Min | Hour)] => {
            meals(minutes(n, unit)?)
        }
        _ => return Ok(None),
    }))
}

/// [`explain`] of one time of several: where each of the others is a time, or can be repaired
/// like this one, the help is the whole text repaired.
fn explain_all(kinds: &[Kind], part: &[Kind], text: &str, words: &Words, day: &Day) -> Problem {
    let problem = explain(part, text, words);
    if part.len() == kinds.len() {
        return problem;
    }
    let repaired: Option<Vec<String>> = kinds
        .split(|kind| matches!(kind, Kind::Comma | Kind::And))
        .map(|part| {
            if let Ok(Some(found)) = time(part, day) {
                let whole = found.iter().all(|minute| (0..24 * 60).contains(minute));
                let times: Vec<String> = found
                    .iter()
                    .map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60))
                    .collect();
                return whole.then(|| times.join(", "));
            }
            let help = explain(part, text, words).help?;
            let time = help.strip_prefix('"')?.strip_suffix('"')?;
            (time.len() == 5 && time.contains(':')).then(|| time.to_owned())
        })
        .collect();
    match repaired {
        Some(times) => problem.help(format!("\"{}\"", times.join(", "))),
        None => problem,
    }
}

/// Why a text that is no time is none, with what is most likely meant.
fn explain(kinds: &[Kind], text: &str, words: &Words) -> Problem {
    use Kind::{
        Am, Clock, Day, Every, Hour, Meal, Meals, Minute, N, OClock, Part, Pm, Thousandths,
    };
    let wrong = |help: String| {
        Problem::new(format!(
            "`{}` is no time: times are written HH:MM, 00:00 to 23:59",
            text.trim()
        ))
        .help(help)
    };
    let with_half = |hour: u32, minute: u32, half: Kind| match (hour, half) {
        (12, _) => "\"12:00\" is noon, \"00:00\" is midnight".to_owned(),
        (1..=11, Pm) => format!("\"{:02}:{minute:02}\"", hour + 12),
        (0..=11, _) => format!("\"{hour:02}:{minute:02}\""),
        _ => "\"08:00\"".to_owned(),
    };
    if let [Part(word), time @ ..] = kinds
        && let Some((hour, minute)) = spoken(time)
    {
        let late = !matches!(word, DayWord::Waking | DayWord::Morning | DayWord::Night);
        return wrong(with_half(hour, minute, if late { Pm } else { Am }));
    }
    if let ([N(_), OClock, _, ..], Some((hour, minute))) = (kinds, spoken(kinds)) {
        return wrong(format!("\"{hour:02}:{minute:02}\""));
    }
    if let Some(problem) = clocks_without_comma(kinds, text) {
        return problem;
    }
    match *kinds {
        [] => Problem::new("a time is missing").help("\"08:00\" or \"08:00, 20:00\""),
        [N(hour), half @ (Am | Pm)] => wrong(with_half(hour, 0, half)),
        [Clock(hour, minute), half @ (Am | Pm)] => wrong(with_half(hour, minute, half)),
        [N(hour)] | [N(hour), OClock] if hour < 24 => wrong(format!("\"{hour:02}:00\"")),
        [N(number)] if number <= 2359 && number % 100 < 60 => {
            wrong(format!("\"{:02}:{:02}\"", number / 100, number % 100))
        }
        [Thousandths(number)] if (0..24_000).contains(&number) => wrong(format!(
            "\"{:02}:{:02}\"",
            number / 1000,
            number % 1000 / 10
        )),
        [Every, N(n), Hour | Minute] => {
            Problem::new("`at` says at what times of the day; a distance stands in `every`")
                .help(format!("every = \"{n} hours\""))
        }
        [Meal(meal)] => {
            let meal = meal.key();
            Problem::new(format!("with, before or after {meal}?")).help(format!(
                "\"with {meal}\", \"before {meal}\" or \"after {meal}\""
            ))
        }
        [Meals] => Problem::new("with, before or after meals?")
            .help("\"with meals\", \"before meals\" or \"after meals\""),
        [Every, Day] => Problem::new("`at` says at what times of the day; days stand in `days`")
            .help("days = \"every day\" and at = \"08:00\""),
        _ => Problem::not_understood(
            "a time of the day",
            text,
            words,
            "\"08:00\", \"morning\", \"with breakfast\", \"30 min before dinner\" or \"2 times a day\"",
        ),
    }
}

/// "08:00 20:00", "08:00-20:00": several clock times where one was wanted.
fn clocks_without_comma(kinds: &[Kind], text: &str) -> Option<Problem> {
    use Kind::{Clock, Dash, To};
    let exists = |hour: u32, minute: u32| hour < 24 && minute < 60;
    if let [Clock(h1, m1), Dash | To, Clock(h2, m2)] = *kinds
        && exists(h1, m1)
        && exists(h2, m2)
    {
        let span = format!("{h1:02}:{m1:02}-{h2:02}:{m2:02}");
        return Some(
            Problem::new(format!("`{}` is a span of the day, no time", text.trim())).help(format!(
                "every = \"3 hours\" and between = \"{span}\", without `at`, or the times: at = \"{h1:02}:{m1:02}, {h2:02}:{m2:02}\""
            )),
        );
    }
    let times: Option<Vec<String>> = kinds
        .iter()
        .map(|kind| match *kind {
            Clock(hour, minute) if exists(hour, minute) => Some(format!("{hour:02}:{minute:02}")),
            _ => None,
        })
        .collect();
    let times = times.filter(|times| times.len() > 1)?;
    Some(Problem::new("between two times stands a comma").help(format!("\"{}\"", times.join(", "))))
}

/// "8点", "8点半", "8点15分", "8:15": the hour and the minute.
fn spoken(kinds: &[Kind]) -> Option<(u32, u32)> {
    use Kind::{Clock, Minute, N, OClock, Thousandths};
    let (hour, minute) = match *kinds {
        [N(hour)] | [N(hour), OClock] => (hour, 0),
        [N(hour), OClock, Thousandths(500)] => (hour, 30),
        [N(hour), OClock, N(minute)]
        | [N(hour), OClock, N(minute), Minute]
        | [Clock(hour, minute)] => (hour, minute),
        _ => return None,
    };
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// Notations of other worlds: cron, the Latin of prescriptions, 1-0-1.
fn other_notation(text: &str) -> Option<Problem> {
    let plain = normalise(text);
    let fields: Vec<&str> = plain.split(['-', ' ']).collect();
    // 2026-03-02 is a date.
    let is_scheme = fields[0].len() < 4
        && (3..=4).contains(&fields.len())
        && plain.contains('-')
        && fields
            .iter()
            .all(|field| field.parse::<f32>().is_ok() || *field == "½");
    if is_scheme {
        return Some(
            Problem::new(format!("`{plain}` in `at` is ambiguous")).help(format!(
                "scheme = \"{plain}\" and unit = \"tablet\", without `at` and `take`"
            )),
        );
    }
    if plain.contains('*') {
        return Some(Problem::new("times are written in words, not as cron").help("\"08:00\""));
    }
    if fields.len() > 1 && plain.contains(',') && !plain.contains(':') {
        return None;
    }
    let latin: String = plain.chars().filter(|c| !matches!(c, '.' | ' ')).collect();
    let words = match latin.as_str() {
        "qd" | "od" => "\"1 times a day\"",
        "bid" | "bd" => "\"2 times a day\"",
        "tid" | "tds" => "\"3 times a day\"",
        "qid" | "qds" => "\"4 times a day\"",
        "hs" | "qhs" | "qn" | "nocte" => "\"bedtime\"",
        "qam" | "mane" | "qm" => "\"morning\"",
        "ac" => "\"before meals\"",
        "pc" => "\"after meals\"",
        "prn" | "sos" => "as_needed = \"for what\", without `at`",
        "qod" => "days = \"every 2 days\" and at = \"08:00\"",
        "q4h" => "every = \"4 hours\", without `at`",
        "q6h" => "every = \"6 hours\", without `at`",
        "q8h" => "every = \"8 hours\", without `at`",
        "q12h" => "every = \"12 hours\", without `at`",
        _ => return None,
    };
    Some(
        Problem::new(format!(
            "`{}` is an abbreviation that is often misread",
            text.trim()
        ))
        .help(words),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(text: &str) -> Vec<String> {
        let times =
            times(text, &Day::default()).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        times
            .iter()
            .map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60))
            .collect()
    }

    #[test]
    fn times_are_read_in_both_languages() {
        for (text, expected) in [
            ("08:00", "08:00"),
            ("8:00", "08:00"),
            ("08:00:00", "08:00"),
            ("08:00, 20:00", "08:00 20:00"),
            ("08:00、20:00", "08:00 20:00"),
            ("０８：００，20:00", "08:00 20:00"),
            ("waking, morning, noon", "07:00 08:00 12:00"),
            (
                "afternoon, evening, bedtime, night",
                "15:00 18:00 22:00 22:00",
            ),
            ("起床 、早上, 中午", "07:00 08:00 12:00"),
            ("下午，晚上，睡前，夜里", "15:00 18:00 22:00 22:00"),
            ("with breakfast, with dinner", "07:30 18:30"),
            ("before lunch", "12:00"),
            ("after lunch", "13:00"),
            ("15 min before breakfast", "07:15"),
            ("1 hour after dinner", "19:30"),
            ("with meals", "07:30 12:30 18:30"),
            ("30 min before meals", "07:00 12:00 18:00"),
            ("早饭时，晚餐后", "07:30 19:00"),
            ("早餐前15分钟", "07:15"),
            ("晚饭后1小时", "19:30"),
            ("饭前30分钟", "07:00 12:00 18:00"),
            ("饭后", "08:00 13:00 19:00"),
            ("饭前", "07:00 12:00 18:00"),
            ("随餐", "07:30 12:30 18:30"),
            ("早饭前半小时", "07:00"),
            ("每餐后", "08:00 13:00 19:00"),
            ("一日三次", "08:00 14:00 20:00"),
            ("一日一次", "08:00"),
            ("1 time a day", "08:00"),
            ("正午，傍晚，临睡", "12:00 18:00 22:00"),
            ("0.5 hours before dinner", "18:00"),
            ("08:00 and 20:00", "08:00 20:00"),
            ("早上和晚上", "08:00 18:00"),
            ("1 times a day", "08:00"),
            ("once a day", "08:00"),
            ("twice a day", "08:00 20:00"),
            ("3 times daily", "08:00 14:00 20:00"),
            ("每天3次", "08:00 14:00 20:00"),
            ("一天两次", "08:00 20:00"),
            ("每日4次", "08:00 12:00 16:00 20:00"),
            ("每天一次", "08:00"),
        ] {
            assert_eq!(minutes(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn offsets_pass_midnight_within_the_day_of_their_meal() {
        let mut day = Day::default();
        day.set_time(DayWord::Breakfast, civil::time(0, 10, 0, 0));
        day.set_time(DayWord::Dinner, civil::time(23, 50, 0, 0));
        assert_eq!(
            times("before breakfast, after dinner", &day),
            Ok(vec![-20, 24 * 60 + 20])
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused_with_what_to_write() {
        for (text, help) in [
            ("24:00", "\"00:00\""),
            ("25:00", "\"23:59\""),
            ("08:60", "\"23:59\""),
            ("8.00", "\"08:00\""),
            ("20.30", "\"20:30\""),
            ("8", "\"08:00\""),
            ("0830", "\"08:30\""),
            ("8 am", "\"08:00\""),
            ("8:15 pm", "\"20:15\""),
            ("12 am", "\"00:00\""),
            ("早上8点", "\"08:00\""),
            ("晚上8点", "\"20:00\""),
            ("8点", "\"08:00\""),
            ("1-0-1", "scheme = \"1-0-1\""),
            ("1-0-½-0", "scheme ="),
            ("5 times a week", "days ="),
            ("每周3次", "days ="),
            ("every 8 hours", "every = \"8 hours\""),
            ("0 8 * * *", "\"08:00\""),
            ("bid", "\"2 times a day\""),
            ("q8h", "every = \"8 hours\""),
            ("breakfast", "\"with breakfast\""),
            ("早饭", "\"with breakfast\""),
            ("meals", "\"with meals\""),
            ("5 times a day", "[day.times] 5"),
            ("", "\"08:00\""),
            ("08:00,", "\"08:00\""),
            ("mornig", "\"morning\""),
            ("0 min before lunch", "\"30 min before breakfast\""),
        ] {
            let problem = times(text, &Day::default()).expect_err(text);
            let given = problem.help.unwrap_or_default();
            assert!(given.contains(help), "{text}: {given}");
        }
        for text in ["0 times a day", "25 times a day"] {
            assert!(times(text, &Day::default()).is_err(), "{text}");
        }
    }
}
