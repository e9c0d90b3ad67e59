//! What a tired doctor writes, and what it must not be taken for.

use super::refusals::{medication, refused};

#[test]
fn an_amount_says_how_much_and_nothing_else() {
    for (take, expected) in [
        (
            "1-2-1 tablets",
            "4 `1-2-1 tablets` in `take` is ambiguous … scheme = \"1-2-1\" and unit = \"tablets\"",
        ),
        (
            "2 500 mg tablets",
            "4 two numbers side by side … \"2 tablets of 500 mg\"",
        ),
        ("1 000 mg", "4 two numbers side by side … \"1000 mg\""),
        (
            "1 tablet, 2 tablets",
            "4 these are two amounts … take = { \"08:00\" = \"1 tablet\"",
        ),
        ("40 mg then 20 mg", "4 these are two amounts … \"40 mg\""),
        ("1 or 2 tablets", "4 this or that much … \"1-2 tablets\""),
        ("1片或2片", "4 this or that much … \"1-2 tablets\""),
        (
            "1 tablet b.i.d.",
            "4 `bid` is an abbreviation … at = \"08:00\"",
        ),
        ("1 tab q8h", "4 `q8h` is an abbreviation … at = \"08:00\""),
        ("1 drop od", "4 `od` is an abbreviation … \"1 tablet\""),
        (
            "1 tablet at 20:00",
            "4 an amount says how much … take = \"1 tablet\"",
        ),
        ("1片 早上", "4 an amount says how much … take = \"1片\""),
        (
            "10 units before meals",
            "4 an amount says how much … take = \"10 units\"",
        ),
        (
            "2 tablets a day",
            "4 an amount says how much … take = \"2 tablets\"",
        ),
        (
            "一百单位",
            "4 `一百单位`: numbers beyond 99 … in digits … \"100单位\"",
        ),
        (
            ".5 mg",
            "4 `.5 mg` has nothing before its point … \"0.5 mg\"",
        ),
        ("5. mg", "4 `5. mg` has nothing behind its point … \"5 mg\""),
        (
            "1.23456 mg",
            "4 `1.23456 mg` has more than 4 decimals … smaller unit",
        ),
        (
            "1\\u200B0 mg",
            "4 an amount has a character that cannot be seen: U+200B … typed anew",
        ),
        (
            "1\\uFE0F\\u20E3 tablet",
            "4 an amount has a character that cannot be seen: U+FE0F",
        ),
    ] {
        let lines = format!("take = \"{take}\"\nat = \"08:00\"");
        refused(&medication(&lines), &[expected]);
    }
    for (lines, expected) in [
        (
            "take = [\"1 tablet\", \"2 tablets\"]\nat = \"08:00, 20:00\"",
            "4 one amount is wanted here, not a list … take = { \"08:00\" = \"1 tablet\"",
        ),
        (
            "scheme = \"1-0-1\"\nunit = \"1 tablet\"",
            "5 `1 1 tablet` is no amount: two numbers side by side … unit = \"tablet\"",
        ),
        (
            "steps = [\"40 mg x 5 days\", \"20 mg\"]\nat = \"08:00\"\nstart = 2026-03-02",
            "4 how long a step lasts stands behind `for` … \"40 mg for 5 days\"",
        ),
    ] {
        refused(&medication(lines), &[expected]);
    }
}

#[test]
fn times_and_days_are_not_guessed() {
    for (line, expected) in [
        (
            "at = \"08:00 20:00\"",
            "5 between two times stands a comma … at = \"08:00, 20:00\"",
        ),
        (
            "at = \"08:00-20:00\"",
            "5 `08:00-20:00` is a span of the day … between = \"08:00-20:00\"",
        ),
        ("at = 25:00", "5 invalid time … at = \"08:00\""),
        (
            "at = \"08:00\"\ndays = \"每周一次\"",
            "6 1 times a week: on which days? … \"mon\"",
        ),
        (
            "at = \"08:00\"\ndays = \"每周三次\"",
            "6 3 times a week: on which days? … \"mon, wed, fri\"",
        ),
        (
            "at = \"08:00\"\ndays = \"两周一次\"",
            "6 `两周一次`: on which day of the week? … \"每2周的周一\"",
        ),
        (
            "at = \"08:00\"\ndays = \"every 2nd day\"",
            "6 `every 2nd day`: how many days apart? … \"every 2 days\"",
        ),
        (
            "at = \"08:00\"\ndays = \"every second day\"",
            "6 `every second day`: how many days apart? … \"every 2 days\"",
        ),
        (
            "every = \"1 week\"",
            "5 `every` counts hours and minutes … days = \"every week\"",
        ),
        (
            "every = \"2 weeks\"",
            "5 `every` counts hours and minutes … days = \"every 2 weeks\"",
        ),
        (
            "every = \"3 months\"",
            "5 `every` counts hours and minutes … days = \"every 3 months\"",
        ),
        (
            "at = \"08:00\"\nstart = 03/02/2026",
            "6 … write the year first: start = 2026-03-02 or 2026-02-03",
        ),
        (
            "at = \"08:00\"\nstart = 13.02.2026",
            "6 … write the year first: start = 2026-02-13",
        ),
        (
            "at = \"08:00\"\nwindow = \"10 s\"",
            "6 a window lasts from a minute to 31 days",
        ),
        (
            "at = \"08:00\"\nwindow = \"48 days\"",
            "6 a window lasts from a minute to 31 days",
        ),
        (
            "at = \"08:00\"\nnudge = \"3 days\"",
            "6 \"3 days\" is past each window that is not given … \"15 min\"",
        ),
        (
            "as_needed = true",
            "5 `as_needed` must be a text in quotes, not true or false … \"headache\"",
        ),
    ] {
        let lines = format!("take = \"1 tablet\"\n{line}");
        refused(&medication(&lines), &[expected]);
    }
}

#[test]
fn one_slip_is_one_error_at_its_own_line() {
    for (text, expected) in [
        (medication("take = \"1\"\natt = \"08:00\""), "5 unknown key `att`; the nearest known one is `at` … at = \"08:00\""),
        (medication("dose = \"1 tablet\"\nat = \"08:00\""), "4 unknown key `dose`; the nearest known one is `take` … take = \"1 tablet\""),
        (medication("take = \"1\"\n\"时间\" = \"08:00\""), "5 unknown key `时间`; the nearest known one is `at` … at = \"08:00\""),
        (medication("take = \"1\"\n时间 = \"08:00\""), "5 invalid unquoted key … keys are English words: write at instead of 时间"),
        (
            "name = \"x\"\n[[check_in]]\nask = \"Q\"\nanswer = \"text\"\nat = \"08:00\"\nfor = \"7 days\"\n".to_owned(),
            "6 unknown key `for`; the nearest known one is `end` … known here: ask",
        ),
        (
            "name = \"x\"\n[[check_in]]\nask = \"Q\"\nanswer = \"text\"\nevery = \"8 hours\"\n".to_owned(),
            "5 unknown key `every`; the nearest known one is `at` … known here: ask",
        ),
        ("name = \" \"\n".to_owned(), "1 `name` is empty … name = \"王秀兰\""),
        ("name = \"a\\u202Eb\"\n".to_owned(), "1 `name` has a character that turns the reading direction: U+202E"),
        ("name = \"x\"\nborn = 2026-03-04\n".to_owned(), "2 2026-03-04 has not come yet … born = 1950-01-31"),
        ("{\"name\": \"x\"}\n".to_owned(), "1 … a plan is no JSON"),
        ("name: x\n".to_owned(), "1 … name = \"x\""),
        (format!("name = 'x'\n{}1 = 1\n", "a.".repeat(3000)), "2 keys, lists or tables stand in one another too deeply"),
        (format!("name = 'x'\nnote = {}\n", "[".repeat(3000)), "2 keys, lists or tables stand in one another too deeply"),
        ("name = \"x\"\n[day]\nbreakfast = [\"07:00\", \"08:00\"]\n".to_owned(), "3 `breakfast` must be one clock time, not a list … \"07:30\""),
        ("name = \"x\"\n[day]\nbefore_meal = 30\n".to_owned(), "3 `before_meal` must be a text in quotes, not a number … \"30 min\""),
        ("name = \"x\"\n[day.times]\n2 = \"morning, evening\"\n".to_owned(), "3 `morning` is not understood as a time of the day … 2 = [\"06:00\", \"14:00\"]"),
    ] {
        refused(&text, &[expected]);
    }
    let long = format!("name = 'x'\n{} = 1\n", "k".repeat(100_000));
    refused(
        &long,
        &["2 unknown key `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…`"],
    );
}
