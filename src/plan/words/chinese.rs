//! Chinese.

#![allow(
    clippy::wildcard_imports,
    reason = "a table of words names nearly every kind"
)]
#![allow(
    clippy::enum_glob_use,
    reason = "a table of words names nearly every kind"
)]

use super::Kind::{self, *};
use crate::plan::DayWord;
use jiff::civil::Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};

/// The longest that fits is taken.
pub(super) const WORDS: &[(&str, &[Kind])] = &[
    // Times of the day.
    ("起床", &[Part(DayWord::Waking)]),
    ("起床时", &[Part(DayWord::Waking)]),
    ("起床后", &[Part(DayWord::Waking)]),
    ("早上", &[Part(DayWord::Morning)]),
    ("早晨", &[Part(DayWord::Morning)]),
    ("中午", &[Part(DayWord::Noon)]),
    ("正午", &[Part(DayWord::Noon)]),
    ("下午", &[Part(DayWord::Afternoon)]),
    ("晚上", &[Part(DayWord::Evening)]),
    ("傍晚", &[Part(DayWord::Evening)]),
    ("睡前", &[Part(DayWord::Bedtime)]),
    ("临睡", &[Part(DayWord::Bedtime)]),
    ("临睡前", &[Part(DayWord::Bedtime)]),
    ("睡觉前", &[Part(DayWord::Bedtime)]),
    ("夜里", &[Part(DayWord::Night)]),
    ("夜间", &[Part(DayWord::Night)]),
    ("早饭", &[Meal(DayWord::Breakfast)]),
    ("早餐", &[Meal(DayWord::Breakfast)]),
    ("午饭", &[Meal(DayWord::Lunch)]),
    ("午餐", &[Meal(DayWord::Lunch)]),
    ("中饭", &[Meal(DayWord::Lunch)]),
    ("中餐", &[Meal(DayWord::Lunch)]),
    ("晚饭", &[Meal(DayWord::Dinner)]),
    ("晚餐", &[Meal(DayWord::Dinner)]),
    ("饭", &[Meals]),
    ("餐", &[Meals]),
    ("三餐", &[Meals]),
    ("每餐", &[Meals]),
    ("随餐", &[With, Meals]),
    ("随", &[With]),
    ("时", &[With]),
    ("前", &[Before]),
    ("后", &[After]),
    ("点", &[OClock]),
    ("点钟", &[OClock]),
    // Days.
    ("每", &[Every]),
    ("每天", &[Every, Day]),
    ("每日", &[Every, Day]),
    ("天天", &[Every, Day]),
    ("每隔", &[EveryGap]),
    ("隔天", &[Every, N(2), Day]),
    ("隔日", &[Every, N(2), Day]),
    ("天", &[Day]),
    ("日", &[DayNumber]),
    ("号", &[DayNumber]),
    ("周", &[Week]),
    ("星期", &[Week]),
    ("礼拜", &[Week]),
    ("个星期", &[Week]),
    ("个礼拜", &[Week]),
    ("月", &[Month]),
    ("个月", &[Month]),
    ("年", &[Year]),
    ("周一", &[Weekday(Monday)]),
    ("周二", &[Weekday(Tuesday)]),
    ("周三", &[Weekday(Wednesday)]),
    ("周四", &[Weekday(Thursday)]),
    ("周五", &[Weekday(Friday)]),
    ("周六", &[Weekday(Saturday)]),
    ("周日", &[Weekday(Sunday)]),
    ("周天", &[Weekday(Sunday)]),
    ("星期一", &[Weekday(Monday)]),
    ("星期二", &[Weekday(Tuesday)]),
    ("星期三", &[Weekday(Wednesday)]),
    ("星期四", &[Weekday(Thursday)]),
    ("星期五", &[Weekday(Friday)]),
    ("星期六", &[Weekday(Saturday)]),
    ("星期日", &[Weekday(Sunday)]),
    ("星期天", &[Weekday(Sunday)]),
    ("礼拜一", &[Weekday(Monday)]),
    ("礼拜二", &[Weekday(Tuesday)]),
    ("礼拜三", &[Weekday(Wednesday)]),
    ("礼拜四", &[Weekday(Thursday)]),
    ("礼拜五", &[Weekday(Friday)]),
    ("礼拜六", &[Weekday(Saturday)]),
    ("礼拜日", &[Weekday(Sunday)]),
    ("礼拜天", &[Weekday(Sunday)]),
    ("工作日", &[Weekdays]),
    ("周末", &[Weekends]),
    ("最后", &[Last]),
    ("服", &[On]),
    ("服药", &[On]),
    ("吃", &[On]),
    ("停", &[Off]),
    ("停药", &[Off]),
    ("恢复", &[Back, On]),
    ("恢复服药", &[Back, On]),
    ("的", &[Of]),
    ("和", &[And]),
    ("及", &[And]),
    // Spans and counts.
    ("秒", &[Second]),
    ("秒钟", &[Second]),
    ("分钟", &[Minute]),
    ("分", &[Minute]),
    ("小时", &[Hour]),
    ("个小时", &[Hour]),
    ("钟头", &[Hour]),
    ("个钟头", &[Hour]),
    ("次", &[Times]),
    ("一次", &[Once]),
    ("内", &[In]),
    ("剩", &[Left]),
    ("剩余", &[Left]),
    ("上次服药", &[Last, Dose]),
    ("上一次服药", &[Last, Dose]),
    ("上次吃药", &[Last, Dose]),
    ("上次用药", &[Last, Dose]),
    ("从", &[From]),
    ("到", &[To]),
    ("至", &[To]),
];

/// 一 to 九十九, 两, 半: the meaning and the length of the characters.
pub(in crate::plan) fn numeral(text: &str) -> Option<(Kind, usize)> {
    let digit = |character: char| {
        let index = "一二三四五六七八九"
            .chars()
            .position(|digit| digit == character);
        index.map(|index| index as u32 + 1)
    };
    let mut characters = text.chars();
    let first = characters.next()?;
    let second = characters.next().unwrap_or(' ');
    let third = characters.next().unwrap_or(' ');
    let width = '十'.len_utf8();
    let found = match (first, digit(first), second) {
        ('半', _, _) => return Some((Thousandths(500), width)),
        ('两', _, _) => (2, 1),
        ('十', _, _) => match digit(second) {
            Some(ones) => (10 + ones, 2),
            None => (10, 1),
        },
        (_, Some(tens), '十') => match digit(third) {
            Some(ones) => (tens * 10 + ones, 3),
            None => (tens * 10, 2),
        },
        (_, Some(ones), _) => (ones, 1),
        _ => return None,
    };
    Some((N(found.0), found.1 * width))
}
