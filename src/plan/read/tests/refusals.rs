//! Plans that are refused: at which line, for which cause, with what to write instead.

#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

use super::super::*;
use super::defaults;

/// The errors as `LINE message | help`.
fn errors(text: &str) -> Vec<String> {
    let source = Source::new("p.toml", text);
    let found = match read(&source, &defaults()) {
        Ok(_) => Vec::new(),
        Err(found) => found,
    };
    found
        .iter()
        .filter(|found| found.is_error())
        .map(|found| {
            format!(
                "{} {} | {}",
                found.position().line,
                found.message(),
                found.help().unwrap_or("")
            )
        })
        .collect()
}

/// Lines of a medication, of which the first is line 4 of the plan.
pub(super) fn medication(lines: &str) -> String {
    format!("name = \"x\"\n[[medication]]\nname = \"M\"\n{lines}\n")
}

pub(super) fn refused(text: &str, expected: &[&str]) {
    let found = errors(text);
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(!found.ends_with("| "), "{text}\n{found}\nhelps nobody");
        // The line, words of the cause, words of the help, in this order.
        let mut rest = found.as_str();
        for (index, part) in expected.split(" … ").enumerate() {
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("{text}\n{found}\nlacks {part}"));
            assert!(index > 0 || at == 0, "{text}\n{found}");
            rest = &rest[at + part.len()..];
        }
    }
}

#[test]
fn wrong_medications_are_refused_where_they_are_wrong() {
    for (lines, expected) in [
        // When.
        (
            "take = \"1\"\nat = \"24:00\"",
            "5 24:00 is ambiguous … \"00:00\"",
        ),
        (
            "take = \"1\"\nat = \"8.00\"",
            "5 `8.00` is no time … at = \"08:00\"",
        ),
        (
            "take = \"1\"\nat = \"25:00\"",
            "5 25:00 is no time of the day",
        ),
        (
            "take = \"1\"\nat = \"8 pm\"",
            "5 `8 pm` is no time … \"20:00\"",
        ),
        (
            "take = \"1\"\nat = \"1-0-1\"",
            "5 `1-0-1` in `at` is ambiguous … scheme = \"1-0-1\"",
        ),
        (
            "take = \"1\"\nat = \"breakfast\"",
            "5 with, before or after breakfast? … \"with breakfast\"",
        ),
        (
            "take = \"1\"\nat = \"mornin\"",
            "5 `mornin` is no word … `morning`",
        ),
        (
            "take = \"1\"\nat = \"08:00, 08:00\"",
            "5 08:00 stands here twice",
        ),
        (
            "take = \"1\"\nat = [\"morning\", \"08:00\"]",
            "5 08:00 stands here twice",
        ),
        ("take = \"1\"\nat = []", "5 `at` is empty … at = \"08:00\""),
        (
            "take = \"1\"\nat = 8",
            "5 `at` must be a text in quotes … at = \"08:00\"",
        ),
        (
            "take = \"1\"\nat = \"5 times a week\"",
            "5 5 times a week: on which days? … days = ",
        ),
        (
            "take = \"1\"\nat = \"6 times a day\"",
            "5 nobody has said … [day.times] 6",
        ),
        (
            "take = \"1\"\nat = \"30 times a day\"",
            "5 30 times a day is more than 24",
        ),
        (
            "take = \"1\"\nat = \"tid\"",
            "5 `tid` is an abbreviation … \"3 times a day\"",
        ),
        ("take = \"1\"", "2 `at` is missing … at = \"08:00\""),
        (
            "take = \"1\"\nat = \"every 8 hours\"",
            "5 `at` says at what times … every = \"8 hours\"",
        ),
        // On which days.
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every 3 days\"",
            "6 \"every 3 days\" counts from a start … start = 2026-03-02",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every month\"",
            "6 \"every month\" counts from a start … start = 2026-03-02",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"21 on, 7 off\"",
            "6 \"21 on, 7 off\" counts from a start",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"每隔3天\"",
            "6 每隔N天 is ambiguous … \"每3天\" or \"每4天\"",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"mon, mon\"",
            "6 `mon` stands here twice",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"mon-fri\"",
            "6 a span of weekdays is ambiguous … \"weekdays\"",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"every 0 days\"",
            "6 every 0 days is not from 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"31th of the month, 2nd\"",
            "6 ",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndays = \"32nd of the month\"",
            "6 a month has no day 32",
        ),
        ("take = \"1\"\ndays = \"mon\"", "2 `at` is missing"),
        // How much.
        (
            "at = \"08:00\"",
            "2 `take` is missing … take = \"1 tablet\"",
        ),
        (
            "take = \"1,5 mg\"\nat = \"08:00\"",
            "4 a comma in a number is ambiguous … \"1.5 mg\"",
        ),
        ("take = \"0 mg\"\nat = \"08:00\"", "4 an amount of zero"),
        (
            "take = \"-1 mg\"\nat = \"08:00\"",
            "4 an amount cannot be negative",
        ),
        (
            "take = \"tablet\"\nat = \"08:00\"",
            "4 `tablet` is no amount",
        ),
        (
            "take = 1\nat = \"08:00\"",
            "4 `take` must be a text in quotes … take = \"1\"",
        ),
        (
            "take = \"1-0-1\"\nat = \"08:00\"",
            "4 `1-0-1` in `take` is ambiguous … scheme = \"1-0-1\"",
        ),
        (
            "at = \"08:00\"\ntake = { \"mon, tue\" = \"1\", \"tue\" = \"2\" }",
            "5 Tuesday has two amounts",
        ),
        (
            "at = \"08:00\"\ntake = { \"mon\" = \"1\", \"09:00\" = \"2\" }",
            "5 the keys of `take` must be all days or all times",
        ),
        (
            "at = \"08:00\"\ntake = { \"08:00\" = \"1\" }",
            "4 `take` already says at what times … leave `at` out",
        ),
        (
            "at = \"08:00\"\ndays = \"mon\"\ntake = { \"mon\" = \"1\" }",
            "5 `take` already says on which days … leave `days` out",
        ),
        (
            "take = { \"08:00\" = \"1\", \"morning\" = \"2\" }",
            "4 08:00 stands here twice",
        ),
        (
            "at = \"08:00\"\ntake = { \"every 2 days\" = \"1\" }",
            "5 `every 2 days` cannot be a key of `take`",
        ),
        ("at = \"08:00\"\ntake = {}", "5 `take` is empty"),
        // By distance.
        (
            "take = \"1\"\nat = \"08:00\"\nevery = \"8 hours\"",
            "5 `at` does not go with `every` … every = ",
        ),
        (
            "take = \"1\"\nevery = \"24 hours\"\nfirst = 2026-03-02T08:00:00",
            "5 `24 hours` is whole days … days = \"every day\"",
        ),
        (
            "take = \"1\"\nevery = \"2 days\"",
            "5 `every` counts hours and minutes … days = \"every 2 days\"",
        ),
        (
            "take = \"1\"\nevery = \"8 hours\"\nstart = 2026-03-02",
            "5 at what time on 2026-03-02 … first = 2026-03-02T08:00:00",
        ),
        (
            "take = \"1\"\nevery = \"8 hours\"",
            "5 a distance needs its first dose … first = 2026-03-02T08:00:00",
        ),
        (
            "take = \"1\"\nevery = \"8 hours\"\nfirst = 2026-03-02",
            "6 `first` must be a date with a time … 2026-03-02T08:00:00",
        ),
        (
            "take = \"1\"\nevery = \"10 minutes\"\nfirst = 2026-03-02T08:00:00",
            "5 \"10 minutes\" is more than 24 times a day",
        ),
        (
            "take = \"1\"\nevery = \"3 hours\"\nbetween = \"22:00-06:00\"",
            "6 `between` cannot pass midnight",
        ),
        (
            "take = \"1\"\nevery = \"3 hours\"\nbetween = \"07:00-22:00\"\nfirst = 2026-03-02T08:00:00",
            "7 `first` does not go with `between`",
        ),
        (
            "take = \"1\"\nevery = \"3 hours\"\nbetween = \"07:00-22:00\"\ndays = \"mon\"",
            "7 `days` does not go with `every`",
        ),
        (
            "take = \"1\"\nevery = \"8 hours\"\nfirst = 2026-03-01T08:00:00\nstart = 2026-03-02",
            "6 `first` is before `start`",
        ),
        // Once.
        (
            "take = \"1\"\nonce = \"2026-03-02T08:00\"",
            "5 `once` must be a date without quotes",
        ),
        (
            "take = \"1\"\nonce = 2026-03-02T08:00:00Z",
            "5 `once` must not have an offset … once = 2026-03-02T08:00:00",
        ),
        (
            "take = \"1\"\nonce = [2026-03-02T08:00:00, 2026-03-02T08:00:00]",
            "5 2026-03-02T08:00:00 stands here twice",
        ),
        // As needed.
        (
            "take = \"1\"\nas_needed = \"pain\"\nat = \"08:00\"",
            "6 `at` does not go with `as_needed`",
        ),
        (
            "take = \"1\"\nas_needed = \"pain\"\ndoses = 3",
            "6 `doses` does not go with `as_needed`",
        ),
        (
            "take = \"1\"\nas_needed = true",
            "5 `as_needed` must be a text",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nat_most = \"3 a day\"",
            "6 `at_most` does not go with `at`",
        ),
        // Schemes and steps.
        (
            "scheme = \"1-0\"\nunit = \"tablet\"",
            "4 `1-0` is no scheme",
        ),
        (
            "scheme = \"0-0-0\"\nunit = \"tablet\"",
            "4 a scheme of zeros",
        ),
        ("scheme = \"1-0-1\"", "2 `unit` is missing"),
        (
            "scheme = \"1-0-1\"\nunit = \"tablet\"\ntake = \"1\"",
            "6 `take` does not go with `scheme`",
        ),
        (
            "at = \"08:00\"\nsteps = [\"40 mg for 5 days\", \"20 mg\"]",
            "5 steps count from a start … start = 2026-03-02",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nsteps = [\"40 mg\", \"20 mg for 5 days\"]",
            "6 only the last step goes on … \"40 mg for 5 days\"",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nend = 2026-03-04\nsteps = [\"40 mg for 5 days\"]",
            "6 the steps already say when it ends",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nsteps = []",
            "6 `steps` is empty",
        ),
        // From when until when.
        (
            "take = \"1\"\nat = \"08:00\"\nfor = \"7 days\"",
            "6 `for` counts from a start … start = 2026-03-02",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ndoses = 5",
            "6 `doses` counts from a start",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\nend = 2026-03-09\nfor = \"7 days\"",
            "8 `end` and `for` both say when it ends",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\nend = 2026-03-01",
            "7 it ends before it starts",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\ndoses = 0",
            "7 `doses` must be from 1",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\nfor = \"0 days\"",
            "7 a span of zero",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-03-02\nfor = \"7\"",
            "7 `7` of what? … \"7 days\"",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = \"2026-03-02\"",
            "6 `start` must be a date without quotes … start = 2026-03-02",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 2026-02-30",
            "6 invalid date",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstart = 0001-02-03",
            "6 the year 1 is not from 1900",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\npauses = [\"off 2026-04-10, back on 2026-04-13\", \"off 2026-04-12, back on 2026-04-15\"]",
            "6 two pauses overlap",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\npauses = [\"off 2026-04-13, back on 2026-04-10\"]",
            "6 a pause ends after it began",
        ),
        // The rest.
        (
            "take = \"1\"\nat = \"08:00\"\ntaek = \"1\"",
            "6 unknown key `taek`; the nearest known one is `take`",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\ncritical = \"yes\"",
            "6 `critical` must be true or false … critical = true",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nwindow = \"0 min\"",
            "6 a time of zero",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nnudge = [\"1 min\", \"2 min\", \"3 min\", \"4 min\", \"5 min\", \"6 min\"]",
            "6 a dose is nudged at most 5 times",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nwindow = \"30 min\"\nnudge = [\"1 hour\"]",
            "7 \"1 hour\" is past the window",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nstock = \"60 tablets\"",
            "6 a stock ends with the day",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nrefill_when = \"7 days left\"",
            "6 `refill_when` needs a `stock`",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nname = \"N\"",
            "6 `name` is given twice",
        ),
        (
            "take = \"1\"\nat = \"08:00\"\nnote = \"\"",
            "6 `note` is empty",
        ),
    ] {
        refused(&medication(lines), &[expected]);
    }
}

#[test]
fn everything_else_that_is_wrong_is_refused_too() {
    for (text, expected) in [
        ("", "1 `name` is missing"),
        ("name = \"\"", "1 `name` is empty"),
        (
            "name = \"x\"\nnmae = \"y\"",
            "2 unknown key `nmae`; the nearest known one is `name`",
        ),
        (
            "name = \"x\"\ntimezone = \"Asia/Peking\"",
            "2 `Asia/Peking` is no time zone",
        ),
        (
            "name = \"x\"\ntimezone = \"Shanghai\"",
            "2 `Shanghai` is no time zone … \"Asia/Shanghai\"",
        ),
        (
            "name = \"x\"\ntimezone = \"UTC+8\"",
            "2 `UTC+8` is no time zone … \"Asia/Shanghai\"",
        ),
        ("name = \"x\"\nlanguage = \"de\"", "2 `de` is no language"),
        (
            "name = \"x\"\nquiet_hours = \"22:00-22:00\"",
            "2 the span begins where it ends",
        ),
        ("name = \"x\"\nborn = 1950-13-01", "2 invalid date"),
        (
            "name = \"x\"\n[day]\nbreakfast = \"7\"",
            "3 `7` is no time … breakfast = \"07:00\"",
        ),
        (
            "name = \"x\"\n[day]\nbreakfest = \"07:00\"",
            "3 unknown key `breakfest`; the nearest known one is `breakfast`",
        ),
        (
            "name = \"x\"\n[day.times]\n3 = [\"08:00\"]",
            "3 3 times a day need 3 times, not 1",
        ),
        (
            "name = \"x\"\n[medication]\nname = \"y\"",
            "2 `medication` must be a list of tables … [[medication]]",
        ),
        (
            "name = \"x\"\n[[check_in]]\nask = \"q\"\nat = \"08:00\"",
            "2 `answer` is missing",
        ),
        (
            "name = \"x\"\n[[check_in]]\nask = \"q\"\nanswer = \"maybe\"\nat = \"08:00\"",
            "4 `maybe` is no kind of answer",
        ),
        (
            "name = \"x\"\n[[check_in]]\nask = \"q\"\nanswer = \"text\"",
            "2 `at` is missing",
        ),
        (
            "name = \"x\"\n[[check_in]]\nask = \"q\"\nanswer = \"text\"\nat = \"08:00\"\nalert_if = [\"yes\"]",
            "6 `yes` cannot be asked of this kind of answer",
        ),
        (
            "name = \"x\"\n[[check_in]]\nask = \"q\"\nanswer = \"text\"\nat = \"08:00\"\n[[check_in]]\nask = \"q\"\nanswer = \"text\"\nat = \"09:00\"",
            "7 two check-ins are called `q`; the other one is in line 3",
        ),
        (
            "name = \"x\"\n[[medication]]\nname = \"M\"\ntake = \"1\"\nat = \"08:00\"\n[[medication]]\nname = \"M\"\ntake = \"2\"\nat = \"09:00\"",
            "7 two medications are called `M`; the other one is in line 3 … id = \"M 2\"",
        ),
        (
            "name = \"x\"\n[[medication]]\ntake = \"1\"\nat = \"08:00\"",
            "2 `name` is missing",
        ),
        (
            "name = \"x\"\n[[caregiver]]\nname = \"y\"",
            "2 `relation` is missing",
        ),
        (
            "name = \"x\"\n[[caregiver]]\nname = \"y\"\nrelation = \"son\"\ntell = \"always\"",
            "5 `always` is nothing that can be told",
        ),
        (
            "name = \"x\"\n[[appointment]]\nwhat = \"y\"",
            "2 `at` is missing",
        ),
        (
            "name = \"x\"\n[[appointment]]\nwhat = \"y\"\nat = 2026-03-02T08:00:00\nremind = [\"later\"]",
            "5 `later` is no word",
        ),
        (
            "name = \"x\"\n[[away]]\nfrom = 2026-03-02\nuntil = 2026-03-01\ntimezone = \"Europe/Berlin\"",
            "4 the trip ends before it begins",
        ),
        (
            "name = \"x\"\n[[away]]\nfrom = 2026-03-02\nuntil = 2026-03-04\ntimezone = \"Europe/Berlin\"\n[[away]]\nfrom = 2026-03-04\nuntil = 2026-03-05\ntimezone = \"Europe/London\"",
            "6 two trips overlap",
        ),
        ("name = “x”", "1 … write `\"` instead of `“`"),
    ] {
        refused(text, &[expected]);
    }
}

#[test]
fn slips_of_the_pen_are_refused_with_a_line_to_copy() {
    let usual = |line: &str| format!("take = \"1 tablet\"\nat = \"08:00\"\n{line}");
    let at = |value: &str| format!("take = \"1 tablet\"\nat = {value}");
    let distance = |lines: &str| format!("take = \"1 tablet\"\n{lines}");
    let mut cases = Vec::new();
    for (value, expected) in [
        (
            "\"8.00, 20.00\"",
            "5 `8.00, 20.00` is no time … at = \"08:00, 20:00\"",
        ),
        (
            "\"morning, 8pm\"",
            "5 `morning, 8pm` is no time … at = \"08:00, 20:00\"",
        ),
        (
            "\"24:00\"",
            "5 24:00 is ambiguous … at = \"00:00\" (the beginning",
        ),
        ("\"25:00\"", "5 25:00 is no time … at = \"08:00\""),
        (
            "\"08:00, 08:00\"",
            "5 08:00 stands here twice … at = \"08:00\"",
        ),
        (
            "[\"08:00\", \"morning, 20:00\"]",
            "5 08:00 stands here twice … at = \"08:00, 20:00\"",
        ),
        (
            "\"睡前，夜里\"",
            "5 22:00 stands here twice … at = \"22:00\"",
        ),
        ("\"晚上8点半\"", "5 `晚上8点半` is no time … at = \"20:30\""),
        ("\"8点15分\"", "5 `8点15分` is no time … at = \"08:15\""),
        (
            "\"25 times a day\"",
            "5 25 times a day is more than 24 … at = ",
        ),
        (
            "\"每周5次\"",
            "5 5 times a week … days = \"mon, tue, wed, thu, fri\"",
        ),
        (
            "8",
            "5 `at` must be a text in quotes, not a number … at = \"08:00\"",
        ),
        (
            "8.3",
            "5 `at` must be a text in quotes, not a number … at = \"08:30\"",
        ),
        (
            "true",
            "5 `at` must be a text in quotes, not true or false … at = \"08:00\"",
        ),
        (
            "2026-03-02",
            "5 `at` must be a text in quotes, not a date … at = \"08:00\"",
        ),
        ("8:00", "5 invalid time … at = \"08:00\""),
    ] {
        cases.push((at(value), expected));
    }
    for (line, expected) in [
        (
            "days = \"5 times a week\"",
            "6 5 times a week … days = \"mon, tue, wed, thu, fri\"",
        ),
        (
            "days = \"一周三次\"",
            "6 3 times a week … days = \"mon, wed, fri\"",
        ),
        (
            "days = 3",
            "6 `days` must be a text in quotes, not a number … days = \"every 3 days\"",
        ),
        (
            "days = [\"mon\", \"wed\"]",
            "6 `days` must be a text in quotes, not a list … days = \"mon, wed\"",
        ),
        (
            "days = \"每隔一天\"",
            "6 每隔N天 is ambiguous … days = \"每天\" or \"隔天\"",
        ),
        (
            "days = \"每隔2周\"",
            "6 每隔N周 is ambiguous … days = \"每2周\" or \"每3周\"",
        ),
        (
            "days = \"the 15th\"",
            "6 `the 15th` of what? … days = \"15th of the month\"",
        ),
        (
            "days = \"1, 22 of the month\"",
            "6 `1, 22 of the month` … days = \"1st, 22nd of the month\"",
        ),
        (
            "days = \"1th of the month\"",
            "6 `1th` is no number … days = \"1st of the month\"",
        ),
        (
            "days = \"1st mon of the month\"",
            "6 `1st mon of the month` … days = \"every 4 weeks on mon\"",
        ),
        (
            "days = \"32nd of the month\"",
            "6 a month has no day 32 … days = \"last day of the month\"",
        ),
        ("start = 2026-02-30", "6 invalid date … start = 2026-02-28"),
        ("start = 2026/3/2", "6  … start = 2026-03-02"),
        (
            "start = 2026-03-09\nend = 2026-03-02",
            "7 it ends before it starts … end = 2026-03-09",
        ),
        (
            "start = 2026-03-02\nend = 2026-03-09\nfor = \"7 days\"",
            "8 `end` and `for` both … end = 2026-03-09, or for = \"7 days\"",
        ),
        (
            "start = 2026-03-02\nfor = 7",
            "7 `for` must be a text … for = \"7 days\"",
        ),
        (
            "start = 2026-03-02\ndoses = 0",
            "7 `doses` must be from 1 … doses = 1",
        ),
        (
            "start = 2026-03-02\ndoses = 100000",
            "7 `doses` must be from 1 … doses = 10000",
        ),
        (
            "window = 30",
            "6 `window` must be a text … window = \"30 min\"",
        ),
        ("dayz = \"mon\"", "6 unknown key `dayz` … days = \"mon\""),
        (
            "until = 2026-03-02",
            "6 unknown key `until`; the nearest known one is `end` … end = 2026-03-02",
        ),
        (
            "frequency = 3",
            "6 unknown key `frequency` … known here: name, take, at",
        ),
        (
            "between = \"07:00-22:00\"",
            "6 `between` does not go with `at` … between = \"07:00-22:00\"",
        ),
        (
            "at_most = \"3 a day\"",
            "6 `at_most` does not go with `at` … at_most = \"3 a day\"",
        ),
        (
            "pauses = [\"off 2026-04-10, back on 2026-04-13\", \"off 2026-04-12, back on 2026-04-15\"]",
            "6 two pauses overlap … \"off 2026-04-10, back on 2026-04-15\"",
        ),
        (
            "pauses = [\"off 2026-02-30, back on 2026-04-13\"]",
            "6 2026-02-30 is no day of the calendar",
        ),
        (
            "stock = \"60 tablets on 2026-02-30\"",
            "6 2026-02-30 is no day of the calendar … stock = ",
        ),
    ] {
        cases.push((usual(line), expected));
    }
    for (lines, expected) in [
        (
            "every = \"每隔8小时\"\nfirst = 2026-03-02T06:00:00",
            "5 每隔N小时 is ambiguous … every = \"每8小时\"",
        ),
        (
            "every = \"q8h\"\nfirst = 2026-03-02T06:00:00",
            "5 `q8h` is an abbreviation … every = \"8 hours\"",
        ),
        (
            "every = \"3 hours\"\nbetween = \"22:00-06:00\"",
            "6 `between` cannot pass midnight … between = \"07:00-22:00\"",
        ),
        (
            "every = \"3 hours\"\nbetween = \"07:00-07:00\"",
            "6 the span begins where it ends … between = \"07:00-22:00\"",
        ),
        (
            "every = \"30 minutes\"\nbetween = \"00:00-23:00\"",
            "6 these are 47 a day … every = \"1 hour\"",
        ),
        (
            "once = 08:00:00",
            "5 `once` must be a date, not a time … once = 2026-03-02T08:00:00",
        ),
        (
            "once = [2026-03-02T08:00:00, 2026-03-02T08:00:00]",
            "5 2026-03-02T08:00:00 stands here twice … leave this one out",
        ),
    ] {
        cases.push((distance(lines), expected));
    }
    for (lines, expected) in [
        (
            "take = \"1e3 mg\"\nat = \"08:00\"",
            "4 `1e3 mg` is written like a calculator's number … take = \"1000 mg\"",
        ),
        (
            "scheme = \"1,5-0-1\"\nunit = \"tablet\"",
            "4 `1,5` is no number of a scheme … scheme = \"1.5-0-1\"",
        ),
        (
            "at = \"08:00\"\ntake = { \"mon, wed\" = \"5 mg\", \"wed, fri\" = \"2 mg\" }",
            "5 Wednesday has two amounts … \"fri\" = \"2 mg\"",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nsteps = [\"40 mg\", \"20 mg for 5 days\"]",
            "6 only the last step goes on … \"40 mg for 5 days\"",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nsteps = [\"40 mg for 0 days\", \"20 mg\"]",
            "6 a span of zero … \"40 mg for 5 days\"",
        ),
        (
            "at = \"08:00\"\nstart = 2026-03-02\nsteps = [\"1,5 mg for 5 days\", \"20 mg\"]",
            "6 a comma in a number … \"1.5 mg for 5 days\"",
        ),
    ] {
        cases.push((lines.to_owned(), expected));
    }
    for (lines, expected) in cases {
        refused(&medication(&lines), &[expected]);
    }
}

#[test]
fn a_time_that_the_clocks_skip_is_refused_where_a_day_is_written_with_it() {
    let berlin = |lines: &str| format!("name = \"x\"\ntimezone = \"Europe/Berlin\"\n{lines}\n");
    let medication = "[[medication]]\nname = \"M\"\ntake = \"1\"\n";
    let gap = "there is no 02:30 on 2026-03-29: the clocks of Europe/Berlin skip it";
    for (lines, line, key) in [
        (format!("{medication}once = 2026-03-29T02:30:00"), 6, "once"),
        (
            format!("{medication}at = \"08:00\"\nstart = 2026-03-29T02:30:00"),
            7,
            "start",
        ),
        (
            format!("{medication}at = \"08:00\"\nend = 2026-03-29T02:30:00"),
            7,
            "end",
        ),
        (
            format!("{medication}every = \"8 hours\"\nfirst = 2026-03-29T02:30:00"),
            7,
            "first",
        ),
        (
            "[[appointment]]\nwhat = \"y\"\nat = 2026-03-29T02:30:00".to_owned(),
            5,
            "at",
        ),
    ] {
        let expected = format!("{line} {gap} | write: {key} = 2026-03-29T03:30:00");
        assert_eq!(errors(&berlin(&lines)), [expected]);
    }
    // In a trip the clocks are those of its zone; what the trip itself skips is not refused.
    let away = |until: &str| {
        format!(
            "name = \"x\"\n[[away]]\nfrom = 2026-03-25\nuntil = {until}\ntimezone = \"Europe/Berlin\"\n{medication}once = 2026-03-29T02:30:00\n"
        )
    };
    assert_eq!(errors(&away("2026-03-30")).len(), 1);
    assert!(errors(&away("2026-03-28")).is_empty());
    // One that comes twice is the first one, and a time of every day moves by itself.
    let twice = format!("{medication}once = 2026-10-25T02:30:00");
    let daily = format!("{medication}at = \"02:30\"");
    assert!(errors(&berlin(&twice)).is_empty() && errors(&berlin(&daily)).is_empty());
}

#[test]
fn limits_that_no_answer_or_every_answer_passes_are_refused() {
    let check_in = |answer: &str, alert: &str| {
        format!(
            "name = \"x\"\n[[check_in]]\nask = \"q\"\nat = \"08:00\"\nanswer = \"{answer}\"\nalert_if = [\"{alert}\"]\n"
        )
    };
    for (answer, alert, expected) in [
        (
            "number from 0 to 10",
            "over 10",
            "6 no answer can be beyond this limit … \"over 5\"",
        ),
        (
            "number from 0 to 10",
            "under 0",
            "6 no answer can be beyond this limit",
        ),
        (
            "number from 0 to 10",
            "outside -5 to 20",
            "6 no answer can be beyond this limit",
        ),
        (
            "number from 0 to 10",
            "up 11 in 2 days",
            "6 no two answers are so far apart",
        ),
        (
            "number from -5 to 4",
            "over 9",
            "6 no answer can be beyond this limit … \"over -0.5\"",
        ),
        (
            "scale 1 to 5",
            "over 5",
            "6 no answer can be beyond this limit … \"over 4\"",
        ),
        (
            "yes or no",
            "over 5",
            "6 `over 5` cannot be asked … \"yes\"",
        ),
        (
            "one of: a, b",
            "is c",
            "6 `c` is none of the answers … \"is a\"",
        ),
    ] {
        refused(&check_in(answer, alert), &[expected]);
    }
    for (answer, alert) in [
        ("number from 0 to 10", "over 9.9"),
        ("number from 0 to 10", "under 10"),
        ("number from 0 to 10", "outside 0 to 9"),
        ("scale 1 to 5", "under 2"),
    ] {
        assert!(
            errors(&check_in(answer, alert)).is_empty(),
            "{answer} {alert}"
        );
    }
}

#[test]
fn all_that_is_wrong_is_said_in_one_run() {
    let text = "name = \"\"\nlanguage = \"de\"\n[[medication]]\nname = \"M\"\ntake = \"1,5\"\nat = \"8.00\"\ndays = \"foo\"\nfor = \"1\"\ncritical = 1\n[[medication]]\nname = \"M\"\n";
    let lines: Vec<String> = errors(text)
        .iter()
        .map(|error| error.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(lines, ["1", "2", "5", "6", "7", "8", "9", "10", "11"]);
}
