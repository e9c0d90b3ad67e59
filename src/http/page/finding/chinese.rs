//! What is found in plans most often, in Chinese. The findings themselves are written once, in
//! English, where they are made; here they are known again by their words.

/// English with holes, and Chinese with the holes' numbers. The first that fits counts: what is
/// more exact stands before what is less.
const CATALOGUE: &[(&str, &str)] = &[
    // Keys.
    (
        "unknown key `{}`; the nearest known one is `{}`",
        "没有 `{0}` 这个字段，最接近的是 `{1}`",
    ),
    ("unknown key `{}`", "没有 `{0}` 这个字段"),
    ("`{}` is missing", "缺少 `{0}`"),
    ("`{}` is empty", "`{0}` 是空的"),
    ("`{}` is given twice", "`{0}` 写了两次"),
    ("`{}` is not supported yet", "`{0}` 还不支持"),
    ("the value is missing", "缺少值"),
    (
        "each entry of `{}` must be {}, not {}",
        "`{0}` 的每一项必须是{1}，而不是{2}",
    ),
    ("`{}` must be {}, not {}", "`{0}` 必须是{1}，而不是{2}"),
    (
        "`{}` must not have an offset: it is in the patient's time zone",
        "`{0}` 不能带时差：按患者所在时区",
    ),
    (
        "`{}` has {} characters, more than {}",
        "`{0}` 有 {1} 个字，最多 {2} 个",
    ),
    (
        "`{}` must be one line without control characters",
        "`{0}` 必须是一行文字，不含控制字符",
    ),
    (
        "`{}` does not go with `{}`: nothing is scheduled",
        "`{0}` 不能与 `{1}` 同时写：没有定时",
    ),
    ("`{}` does not go with `{}`", "`{0}` 不能与 `{1}` 同时写"),
    ("{} stands here twice", "{0} 在这里写了两次"),
    (
        "two {} are called `{}`; the other one is in line {}",
        "有两个{0}都叫 `{1}`，另一个在第 {2} 行",
    ),
    ("{} more findings are not shown", "还有 {0} 处没有列出"),
    // Kinds of values, as they stand in "must be … not …".
    ("a text in quotes", "带引号的文字"),
    ("a text", "文字"),
    ("a number", "数字"),
    ("true or false", "true 或 false"),
    ("a date with a time", "日期加时间"),
    ("a date without a time", "不带时间的日期"),
    ("a date without quotes", "不带引号的日期"),
    ("a date", "日期"),
    ("a time of the day", "一天中的时间"),
    ("a time", "时间"),
    ("a list of tables", "多个表（[[…]]）"),
    ("a list", "列表"),
    ("a table", "表"),
    ("one clock time", "一个时间"),
    ("a whole number", "整数"),
    ("at least {}", "不小于 {0} 的整数"),
    ("from {} to {}", "从 {0} 到 {1} 的整数"),
    ("medications", "药品"),
    ("check-ins", "随访"),
    ("caregivers", "照护者"),
    // Times.
    (
        "`{}` is no time: times are written HH:MM, 00:00 to 23:59",
        "`{0}` 不是时间：时间写成 HH:MM，从 00:00 到 23:59",
    ),
    ("{} is no time of the day", "一天里没有 {0} 这个时间"),
    (
        "24:00 is ambiguous: it belongs to two days",
        "24:00 有歧义：它属于两天",
    ),
    ("a time is missing", "缺少时间"),
    (
        "`{}` is no word for {}; the nearest known one is `{}`",
        "`{0}` 不是表示{1}的词，最接近的是 `{2}`",
    ),
    ("`{}` is no word for {}", "`{0}` 不是表示{1}的词"),
    ("`{}` is not understood as a condition", "看不懂条件 `{0}`"),
    ("`{}` is not understood as {}", "看不懂 `{0}`：这里应写{1}"),
    (
        "`{}` is an abbreviation that is often misread; when stands in `at` and `days`",
        "`{0}` 是容易误读的缩写；什么时候用写在 `at` 和 `days` 里",
    ),
    (
        "`{}` is an abbreviation that is often misread",
        "`{0}` 是容易误读的缩写",
    ),
    ("`{}` in `{}` is ambiguous", "`{1}` 里的 `{0}` 有歧义"),
    (
        "`at` says at what times of the day; a distance stands in `every`",
        "`at` 写一天中的时间；间隔写在 `every` 里",
    ),
    (
        "`at` says at what times of the day; days stand in `days`",
        "`at` 写一天中的时间；日子写在 `days` 里",
    ),
    (
        "nobody has said at what times `{}` is",
        "没有写明 `{0}` 是哪几个时间",
    ),
    (
        "`{}` is a span of the day, no time",
        "`{0}` 是一段时间，不是一个时间",
    ),
    ("between two times stands a comma", "两个时间之间写逗号"),
    ("with, before or after {}?", "{0}：餐中、餐前还是餐后？"),
    // Amounts.
    (
        "`{}` is no amount: an amount begins with a number",
        "`{0}` 不是用量：用量以数字开头",
    ),
    ("`{}` is no amount: {}", "`{0}` 不是用量：{1}"),
    ("`{}` is no amount", "`{0}` 不是用量"),
    ("an amount of zero is no dose", "用量为零不算一次用药"),
    ("an amount cannot be negative", "用量不能是负数"),
    (
        "an amount says how much; when stands in `at` and `days`",
        "用量只写多少；什么时候用写在 `at` 和 `days` 里",
    ),
    (
        "an amount says how much; when, and for how long, stand in `at`, `days` and `for`",
        "用量只写多少；什么时候用、用多久写在 `at`、`days` 和 `for` 里",
    ),
    ("a comma in a number is ambiguous", "数字里的逗号有歧义"),
    (
        "two numbers side by side can be read as one",
        "两个数字挨在一起会被读成一个",
    ),
    (
        "these are two amounts: which one when?",
        "这是两个用量：各在什么时候？",
    ),
    (
        "this or that much: an amount is one number, or a range",
        "“这么多或那么多”：用量是一个数或一个范围",
    ),
    (
        "a range goes from the smaller to the larger number",
        "范围从小到大写",
    ),
    (
        "`{}`: numbers beyond 99 and fractions are written in digits",
        "`{0}`：99 以上的数和分数用数字写",
    ),
    (
        "`{}` has nothing before its point",
        "`{0}` 的小数点前没有数字",
    ),
    (
        "`{}` has nothing behind its point",
        "`{0}` 的小数点后没有数字",
    ),
    ("`{}` has more than {} decimals", "`{0}` 的小数多于 {1} 位"),
    ("{} has two amounts", "{0} 有两个用量"),
    ("one amount is wanted here", "这里写一个用量"),
    ("`take` already says at what times", "`take` 里已经写了时间"),
    ("`take` already says on which days", "`take` 里已经写了日子"),
    // Days and dates.
    ("`{}`: on which day of the week?", "`{0}`：是星期几？"),
    ("{}: on which day of the week?", "{0}：是星期几？"),
    ("{}: on which days?", "{0}：是哪几天？"),
    ("`{}`: how many days apart?", "`{0}`：隔几天？"),
    ("`{}` of what?", "`{0}` 是什么的第几？"),
    (
        "`{}` of what? A span needs its unit",
        "`{0}` 后面缺少单位（天、周、月）",
    ),
    (
        "`{}` of what? A time needs its unit",
        "`{0}` 后面缺少单位（分钟、小时）",
    ),
    ("a month has no day {}", "一个月没有 {0} 日"),
    (
        "`{}` and `{}` both say when it ends",
        "`{0}` 和 `{1}` 都写了什么时候结束",
    ),
    (
        "`{}` counts from a start, and there is none",
        "`{0}` 从开始日算起，而这里没有开始日",
    ),
    (
        "{} counts from a start, and there is none",
        "{0} 从开始日算起，而这里没有开始日",
    ),
    ("it ends before it starts", "结束早于开始"),
    ("`first` is before `start`", "`first` 早于 `start`"),
    (
        "a distance needs its first dose, and there is no `first`",
        "按间隔用药要写第一次，而这里没有 `first`",
    ),
    (
        "{} is not a date and time of the calendar",
        "日历上没有 {0} 这个日期或时间",
    ),
    (
        "the year {} is not from 1900 to 2200",
        "年份 {0} 不在 1900 到 2200 之间",
    ),
    ("{} has not come yet", "{0} 还没有到"),
    ("`{}` is no time zone", "`{0}` 不是时区"),
    (
        "`{}` is no language that messages are written in",
        "没有 `{0}` 这种消息语言",
    ),
    // Check-ins.
    (
        "`{}` is no kind of answer; the nearest one is `{}`",
        "没有 `{0}` 这种回答，最接近的是 `{1}`",
    ),
    ("`{}` is no kind of answer", "没有 `{0}` 这种回答"),
    (
        "`{}` cannot be asked of this kind of answer",
        "这种回答不能用 `{0}` 判断",
    ),
    ("`{}` is none of the answers", "`{0}` 不是可选的回答"),
    (
        "the upper or the lower blood pressure?",
        "是收缩压还是舒张压？",
    ),
    ("`{}` is nothing that can be told", "不能通知 `{0}`"),
    // Doubts.
    (
        "two doses of {} are closer than an hour: {} and {}",
        "{0} 有两次用药相隔不到一小时：{1} 和 {2}",
    ),
    (
        "the dose of {} at {} is in the patient's quiet hours; it will not wait",
        "{0} {1} 的用药在患者的免打扰时段内；到时仍会提醒",
    ),
    (
        "a part of {} falls on no day at all",
        "{0} 有一部分不会落在任何一天",
    ),
    ("{} falls on no day at all", "{0} 不会落在任何一天"),
    (
        "{} is not due at {}: its start, end or a pause forbids it",
        "{0} 在 {1} 不会提醒：在开始之前、结束之后或暂停期内",
    ),
    (
        "the pause of {} from {} to {} leaves no dose out",
        "{0} 从 {1} 到 {2} 的暂停没有省去任何一次用药",
    ),
    (
        "every medication of this plan has ended",
        "计划中的药都已结束",
    ),
    // What does not fit into a message.
    ("the reminder cannot be sent: {}", "这条提醒无法发送：{0}"),
    (
        "the reminder with \"{}\" cannot be sent: {}",
        "含“{0}”的提醒无法发送：{1}",
    ),
    ("the question cannot be sent: {}", "这个问题无法发送：{0}"),
    ("the message cannot be sent: {}", "这条消息无法发送：{0}"),
    // What would be right.
    ("write: {}", "请写：{0}"),
    ("write `{}` instead of `{}`", "请把 `{1}` 写成 `{0}`"),
    ("leave `{}` out", "去掉 `{0}`"),
    ("leave this one out", "去掉这一个"),
    ("remove it", "去掉它"),
    ("known here: {}", "这里可用：{0}"),
    (
        "keep one of the two and leave the other out",
        "两个中留一个",
    ),
    (
        "each time once; two amounts at one time are two medications",
        "每个时间写一次；同一时间的两个用量写成两个药",
    ),
    ("give them ids that differ: {}", "请给它们不同的 id：{0}"),
    (
        "a line is a key, `=` and a value, texts in quotes: {}",
        "每行是字段、`=` 和值，文字加引号：{0}",
    ),
    ("say the amount in fewer words", "请把用量写短些"),
    ("ask in fewer words", "请把问题写短些"),
];

/// The words in Chinese; `None` where there are none for them.
pub fn translated(english: &str) -> Option<String> {
    CATALOGUE.iter().find_map(|(pattern, chinese)| {
        let holes = fits(pattern, english)?;
        let mut said = (*chinese).to_owned();
        for (number, hole) in holes.iter().enumerate() {
            // What stands in a hole may be words of the catalogue itself; what is quoted is the
            // plan's, whatever it says.
            let own = (!hole.is_quoted).then_some(hole.text);
            let words = own.and_then(translated);
            let words = words.unwrap_or_else(|| hole.text.to_owned());
            // Braces of a text that is quoted are no holes.
            let words = words.replace('{', "\u{1}");
            said = said.replace(&format!("{{{number}}}"), &words);
        }
        Some(said.replace('\u{1}', "{"))
    })
}

/// What stands in a hole.
struct Hole<'a> {
    text: &'a str,
    /// Between quotes.
    is_quoted: bool,
}

/// What stands in the holes, if the text has the pattern's words in their order.
fn fits<'a>(pattern: &str, text: &'a str) -> Option<Vec<Hole<'a>>> {
    let mut parts = pattern.split("{}");
    let mut before = parts.next()?;
    let mut rest = text.strip_prefix(before)?;
    let mut holes = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() {
            rest.ends_with(part).then(|| rest.len() - part.len())?
        } else {
            rest.find(part)?
        };
        let is_quoted = before.ends_with(['`', '"']);
        if end == 0 && !is_quoted {
            return None;
        }
        holes.push(Hole {
            text: &rest[..end],
            is_quoted,
        });
        rest = &rest[end + part.len()..];
        before = part;
    }
    rest.is_empty().then_some(holes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hole_of_the_english_words_stands_in_the_chinese_ones() {
        for (english, chinese) in CATALOGUE {
            let holes = english.matches("{}").count();
            for number in 0..holes {
                let hole = format!("{{{number}}}");
                assert_eq!(chinese.matches(&hole).count(), 1, "{english}");
            }
            assert_eq!(chinese.matches('{').count(), holes, "{english}");
            assert!(
                !chinese.is_ascii() || *english == "true or false",
                "{english}"
            );
        }
    }

    #[test]
    fn no_words_are_hidden_behind_less_exact_ones() {
        for (index, (english, chinese)) in CATALOGUE.iter().enumerate() {
            // Words that no entry has, in each hole.
            let example = english.replace("{}", "‽");
            let found = CATALOGUE
                .iter()
                .position(|(it, _)| fits(it, &example).is_some());
            assert_eq!(found, Some(index), "{english} – {chinese}");
        }
    }

    #[test]
    fn what_is_quoted_stays_as_it_was_written() {
        for (english, chinese) in [
            ("`{1}` is missing", Some("缺少 `{1}`")),
            (
                "unknown key `{0}`; the nearest known one is `a`",
                Some("没有 `{0}` 这个字段，最接近的是 `a`"),
            ),
            ("unknown key `a time`", Some("没有 `a time` 这个字段")),
            ("`` is missing", Some("缺少 ``")),
            ("write: ", None),
            ("is missing", None),
            ("", None),
            (
                "`at` must be a text in quotes, not a number",
                Some("`at` 必须是带引号的文字，而不是数字"),
            ),
            ("write: at = \"08:00\"", Some("请写：at = \"08:00\"")),
        ] {
            assert_eq!(translated(english).as_deref(), chinese, "{english}");
        }
    }
}
