//! Kinds of template keywords and what their values may hold, as data.
//!
//! Source: the parameter kinds of template messages and subscribe notices in the Official Account
//! documentation, and the platform's staff where it is silent (`phrase`).

use std::fmt;

/// What a keyword's name says of its value: the name is the kind and a number (`thing1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Any characters.
    Thing,
    /// Any characters, few; undocumented.
    ShortThing,
    /// Digits, letters, symbols.
    CharacterString,
    /// A number.
    Number,
    /// Letters.
    Letter,
    /// Symbols.
    Symbol,
    /// A time of 24 hours, with a date if wanted, or a range of two.
    Time,
    /// A date, with a time if wanted, or a range of two.
    Date,
    /// A sum of money.
    Amount,
    /// A phone number.
    PhoneNumber,
    /// A vehicle's number plate.
    CarNumber,
    /// A name.
    Name,
    /// Han characters.
    Phrase,
    /// A value registered with the template.
    Const,
    /// One of the values listed with the template.
    Enum,
    /// A keyword of the templates of before 2023 (`first`, `keyword1`, `remark`).
    Legacy,
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing, or white space only.
    Empty,
    /// A line break or another control character.
    ControlCharacter,
    /// More characters than fit.
    TooLong,
    /// Characters or a form that the kind does not take.
    Form(&'static str),
}

/// Completes "the field …".
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("would be empty"),
            Fault::ControlCharacter => {
                f.write_str("would hold a line break or another control character")
            }
            Fault::TooLong => f.write_str("cannot hold so long a text"),
            Fault::Form(wanted) => write!(f, "takes {wanted} only"),
        }
    }
}

/// What a value must look like, in words and as a test.
type Form = (&'static str, fn(&str) -> bool);

/// How a kind's values are judged.
struct Rule {
    name: &'static str,
    kind: Kind,
    /// Characters at most.
    limit: Option<usize>,
    form: Option<Form>,
}

const RULES: [Rule; 15] = [
    rule("thing", Kind::Thing, Some(20), None),
    rule("short_thing", Kind::ShortThing, Some(5), None),
    rule(
        "character_string",
        Kind::CharacterString,
        Some(32),
        Some(
            ("digits, letters and symbols (no Han characters)", |value| {
                value.chars().all(|c| c.is_ascii_graphic() || c == ' ')
            }),
        ),
    ),
    rule(
        "number",
        Kind::Number,
        Some(32),
        Some(("a number", is_number)),
    ),
    rule(
        "letter",
        Kind::Letter,
        Some(32),
        Some(("letters", |value| {
            value.chars().all(|c| c.is_ascii_alphabetic())
        })),
    ),
    rule(
        "symbol",
        Kind::Symbol,
        Some(5),
        Some(("symbols", |value| {
            !value.chars().any(|c| c.is_alphanumeric() || c == ' ')
        })),
    ),
    rule(
        "time",
        Kind::Time,
        None,
        Some(("a time like 08:00 or 2026-11-24 08:00", |value| {
            is_range(value, is_time)
        })),
    ),
    rule(
        "date",
        Kind::Date,
        None,
        Some(("a date like 2026-11-24, with a time if wanted", |value| {
            is_range(value, is_date)
        })),
    ),
    rule(
        "amount",
        Kind::Amount,
        None,
        Some((
            "a sum like ¥12.50 or 12.50元, of at most 10 digits",
            is_amount,
        )),
    ),
    rule(
        "phone_number",
        Kind::PhoneNumber,
        Some(17),
        Some(("digits and symbols", |value| {
            value
                .chars()
                .all(|c| c.is_ascii_digit() || c.is_ascii_punctuation() || c == ' ')
        })),
    ),
    rule("car_number", Kind::CarNumber, Some(8), None),
    rule(
        "name",
        Kind::Name,
        Some(20),
        Some(("letters, Han characters and symbols", |value| {
            !value.chars().any(char::is_numeric)
        })),
    ),
    rule(
        "phrase",
        Kind::Phrase,
        Some(5),
        Some(("Han characters", |value| value.chars().all(is_han))),
    ),
    rule("const", Kind::Const, Some(20), None),
    rule("enum", Kind::Enum, None, None),
];

const fn rule(name: &'static str, kind: Kind, limit: Option<usize>, form: Option<Form>) -> Rule {
    Rule {
        name,
        kind,
        limit,
        form,
    }
}

impl Kind {
    /// All kinds, as they are written in front of a keyword's number.
    pub fn names() -> impl Iterator<Item = &'static str> {
        RULES.iter().map(|rule| rule.name)
    }

    /// The kind of a keyword, from its name (without `.DATA`); `None` when the name is not one.
    #[must_use]
    pub fn of(keyword: &str) -> Option<Self> {
        if matches!(keyword, "first" | "remark") {
            return Some(Kind::Legacy);
        }
        let name = keyword.trim_end_matches(|c: char| c.is_ascii_digit());
        if name.len() == keyword.len() {
            return None;
        }
        if name == "keyword" {
            return Some(Kind::Legacy);
        }
        RULES
            .iter()
            .find(|rule| rule.name == name)
            .map(|rule| rule.kind)
    }

    /// The kind's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rule().map_or("keyword", |rule| rule.name)
    }

    /// How many characters a value may have that is written like this one; `None`: not known, or
    /// bounded by its form.
    #[must_use]
    pub fn limit(self, value: &str) -> Option<usize> {
        match self {
            // Ten Han characters or twenty letters; a mixture counts as Han.
            Kind::Name if value.chars().any(is_han) => Some(10),
            _ => self.rule().and_then(|rule| rule.limit),
        }
    }

    /// Whether the platform would take the value, as far as is known.
    ///
    /// # Errors
    /// The first reason for which it would not.
    pub fn check(self, value: &str) -> Result<(), Fault> {
        if value.trim().is_empty() {
            return Err(Fault::Empty);
        }
        // The two separators end a line just as well, and templates have no lines.
        if value
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(Fault::ControlCharacter);
        }
        if self.limit(value).is_some_and(|limit| length(value) > limit) {
            return Err(Fault::TooLong);
        }
        match self.rule().and_then(|rule| rule.form) {
            Some((wanted, holds)) if !holds(value) => Err(Fault::Form(wanted)),
            _ => Ok(()),
        }
    }

    fn rule(self) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.kind == self)
    }
}

/// Characters of a value, counted as its UTF-16 units: never fewer than its code points. How the
/// platform counts characters beyond the basic plane is not documented.
#[must_use]
pub fn length(value: &str) -> usize {
    value.chars().map(char::len_utf16).sum()
}

/// The Unified Han blocks with their extensions, and the iteration mark and zero written with them.
fn is_han(c: char) -> bool {
    matches!(c,
        '々' | '〇' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2fa1f}' | '\u{30000}'..='\u{3347f}')
}

/// Digits with at most one point between them, and a sign if wanted.
fn is_number(value: &str) -> bool {
    let value = value.strip_prefix(['-', '+']).unwrap_or(value);
    let mut parts = value.split('.');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.next().is_some_and(digits) && parts.next().is_none_or(digits) && parts.next().is_none()
}

fn is_amount(value: &str) -> bool {
    let value = value
        .strip_prefix(['¥', '￥', '$', '€', '£'])
        .unwrap_or(value);
    let value = value.strip_suffix('元').unwrap_or(value);
    is_number(value)
        && !value.starts_with(['-', '+'])
        && value.bytes().filter(u8::is_ascii_digit).count() <= 10
}

/// One value, or two with `~` between them.
fn is_range(value: &str, holds: fn(&str) -> bool) -> bool {
    match value.split_once('~') {
        Some((from, until)) => holds(from.trim()) && holds(until.trim()),
        None => holds(value.trim()),
    }
}

/// `08:00`, `8:00:30`, with a date before it if wanted.
fn is_time(value: &str) -> bool {
    let clock_at = value.rfind(|c: char| !(c.is_ascii_digit() || c == ':'));
    let Some(last) = clock_at else {
        return is_clock(value);
    };
    let clock_at = last + value[last..].chars().next().map_or(0, char::len_utf8);
    let (date, clock) = value.split_at(clock_at);
    is_clock(clock) && is_calendar_date(date.trim_end())
}

fn is_date(value: &str) -> bool {
    is_calendar_date(value) || (is_time(value) && !is_clock(value))
}

fn is_clock(value: &str) -> bool {
    let mut parts = value.split(':');
    let two = |part: Option<&str>, below: u8| {
        part.is_some_and(|part| part.len() == 2 && part.parse::<u8>().is_ok_and(|n| n < below))
    };
    let hour = parts.next().is_some_and(|part| {
        matches!(part.len(), 1 | 2) && part.parse::<u8>().is_ok_and(|hour| hour < 24)
    });
    hour && two(parts.next(), 60)
        && match parts.next() {
            None => true,
            seconds => two(seconds, 60) && parts.next().is_none(),
        }
}

/// `2026年11月24日`, `2026-11-24`, with `/` or `.` too; the year or the day may be missing.
fn is_calendar_date(value: &str) -> bool {
    let han = value.contains(['年', '月', '日']);
    let spaced: String;
    let (value, separator) = if han {
        // Each part ends in its own sign: made a list with one separator, the day's sign cut off.
        let Some(known) = value.strip_suffix(['日', '月']) else {
            return false;
        };
        spaced = known.replace(['年', '月'], "-");
        (spaced.as_str(), '-')
    } else {
        match value.chars().find(|c| matches!(c, '-' | '/' | '.')) {
            Some(separator) => (value, separator),
            None => return false,
        }
    };
    let parts: Vec<&str> = value.split(separator).collect();
    let number = |part: &str, most: u16| {
        matches!(part.len(), 1 | 2) && part.parse::<u16>().is_ok_and(|n| (1..=most).contains(&n))
    };
    let year = |part: &str| part.len() == 4 && part.parse::<u16>().is_ok();
    match parts.as_slice() {
        [y, m, d] => year(y) && number(m, 12) && number(d, 31),
        [a, b] => (year(a) && number(b, 12)) || (number(a, 12) && number(b, 31)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_a_kind_and_a_number() {
        for (name, kind) in [
            ("thing1", Some(Kind::Thing)),
            ("thing12", Some(Kind::Thing)),
            ("short_thing3", Some(Kind::ShortThing)),
            ("character_string2", Some(Kind::CharacterString)),
            ("phone_number5", Some(Kind::PhoneNumber)),
            ("car_number5", Some(Kind::CarNumber)),
            ("const1", Some(Kind::Const)),
            ("enum1", Some(Kind::Enum)),
            ("first", Some(Kind::Legacy)),
            ("keyword3", Some(Kind::Legacy)),
            ("remark", Some(Kind::Legacy)),
            ("thing", None),
            ("keyword", None),
            ("first1", None),
            ("1", None),
            ("thingy1", None),
            ("Thing1", None),
            ("thing1.DATA", None),
            ("", None),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
        for name in Kind::names() {
            assert_eq!(Kind::of(&format!("{name}1")).map(Kind::name), Some(name));
        }
    }

    #[test]
    fn lengths_are_limited_to_the_character() {
        let han = |count: usize| "药".repeat(count);
        let latin = |count: usize| "a".repeat(count);
        let rows = [
            (Kind::Thing, han(20), han(21)),
            (Kind::Thing, latin(20), latin(21)),
            // Beyond the basic plane a character counts twice.
            (Kind::Thing, "💊".repeat(10), "💊".repeat(10) + "a"),
            (Kind::ShortThing, han(5), han(6)),
            (Kind::CharacterString, latin(32), latin(33)),
            (Kind::Number, "1".repeat(32), "1".repeat(33)),
            (Kind::Letter, latin(32), latin(33)),
            (Kind::Symbol, "+-*/!".into(), "+-*/!?".into()),
            (
                Kind::PhoneNumber,
                "+".to_owned() + &"1".repeat(16),
                "1".repeat(18),
            ),
            (Kind::CarNumber, "粤B12345D".into(), "粤B123456D".into()),
            (Kind::Name, han(10), han(11)),
            (Kind::Name, latin(20), latin(21)),
            (
                Kind::Name,
                "王".to_owned() + &latin(9),
                "王".to_owned() + &latin(10),
            ),
            (Kind::Phrase, han(5), han(6)),
            (Kind::Const, han(20), han(21)),
        ];
        for (kind, longest, too_long) in rows {
            assert_eq!(kind.check(&longest), Ok(()), "{kind:?} {longest}");
            assert_eq!(
                kind.check(&too_long),
                Err(Fault::TooLong),
                "{kind:?} {too_long}"
            );
        }
        for kind in [Kind::Legacy, Kind::Enum] {
            assert_eq!(kind.check(&han(500)), Ok(()), "no limit is known");
        }
    }

    #[test]
    fn nothing_and_control_characters_are_refused_by_every_kind() {
        let kinds = RULES.iter().map(|rule| rule.kind).chain([Kind::Legacy]);
        for kind in kinds {
            for value in ["", " ", "\u{3000}", "\n\t"] {
                assert_eq!(kind.check(value), Err(Fault::Empty), "{kind:?} {value:?}");
            }
            for value in [
                "a\nb",
                "a\rb",
                "a\u{0}",
                "\u{7f}a",
                "a\u{85}b",
                "a\u{2028}b",
            ] {
                assert_eq!(
                    kind.check(value),
                    Err(Fault::ControlCharacter),
                    "{kind:?} {value:?}"
                );
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "one table")]
    #[test]
    fn forms_are_those_of_the_documentation() {
        let rows: &[(Kind, &[&str], &[&str])] = &[
            (
                Kind::Thing,
                &["二甲双胍 1片、氨氯地平 1片", "b12 (½)", "①"],
                &[],
            ),
            (Kind::CharacterString, &["A-12/3 b"], &["药", "a药", "é"]),
            (
                Kind::Number,
                &["1", "-1", "1.5", "0015"],
                &["1.", ".5", "1,5", "1片", "1.5.5", "-", "½"],
            ),
            (Kind::Letter, &["abcXYZ"], &["a1", "a b", "药"]),
            (Kind::Symbol, &["+", "√?"], &["a", "1", "药"]),
            (
                Kind::Time,
                &[
                    "08:00",
                    "8:00",
                    "23:59:59",
                    "2026-11-24 08:00",
                    "2026/11/24 08:00",
                    "2026.11.24 8:00",
                    "2019年10月1日 15:01",
                    "2019年10月1日15:01",
                    "2023-11-23 14:10:29",
                    "11-24 08:00",
                    "08:00~09:00",
                    "2026-11-24 08:00 ~ 2026-11-24 09:00",
                ],
                &[
                    "24:00",
                    "08:60",
                    "8",
                    "早上",
                    "早上8:00",
                    "2026-11-24",
                    "2026-13-24 08:00",
                    "2026-11-24 08:00（迟）",
                    "08:00~",
                    "08:00:00:00",
                    "08:0",
                ],
            ),
            (
                Kind::Date,
                &[
                    "2026-11-24",
                    "2026年11月24日",
                    "2026/11/24",
                    "2026.11.24",
                    "2026-11",
                    "2026年11月",
                    "11月24日",
                    "11-24",
                    "2026-11-24 08:00",
                    "2026年1月1日~2026年2月1日",
                ],
                &[
                    "08:00",
                    "2026",
                    "2026-11-32",
                    "2026-00-01",
                    "24日",
                    "明天",
                    "2026-11-24 明天",
                    "日",
                ],
            ),
            (
                Kind::Amount,
                &["12", "¥12.50", "￥12.50", "12.50元", "1234567890"],
                &["12345678901", "12块", "¥", "-5", "¥-5"],
            ),
            (
                Kind::PhoneNumber,
                &["+86-755-12345678", "120"],
                &["电话120", "ext"],
            ),
            (
                Kind::Name,
                &["王秀兰", "O'Neil", "阿卜杜拉·买买提"],
                &["王5"],
            ),
            (
                Kind::Phrase,
                &["按时服药", "〇"],
                &["服药!", "ok", "服 药", "按时，"],
            ),
        ];
        for (kind, good, bad) in rows {
            for value in *good {
                assert_eq!(kind.check(value), Ok(()), "{kind:?} {value}");
            }
            for value in *bad {
                assert!(
                    matches!(kind.check(value), Err(Fault::Form(_))),
                    "{kind:?} {value}: {:?}",
                    kind.check(value)
                );
            }
        }
    }
}
