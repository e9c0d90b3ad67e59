//! Templates as the platform keeps them, and what it demands of the values sent into them.

use crate::messaging::wechat::wire::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A template of the account: a title and its keyword rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What `template_id` names; 43 characters on the platform, anything that is not empty here.
    pub id: String,
    /// Head line of the card.
    pub title: String,
    /// The rows, in the order of the card.
    pub keywords: Vec<Keyword>,
}

impl Template {
    /// A template from (keyword name, label) pairs, such as `("thing1", "患者")`.
    #[must_use]
    pub fn new(id: &str, title: &str, keywords: &[(&str, &str)]) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            keywords: keywords
                .iter()
                .map(|&(name, label)| Keyword {
                    name: name.to_owned(),
                    label: label.to_owned(),
                    values: Vec::new(),
                })
                .collect(),
        }
    }

    /// The content as `get_all_private_template` shows it: one `label：{{name.DATA}}` a line.
    #[must_use]
    pub fn content(&self) -> String {
        let mut content = String::new();
        for keyword in &self.keywords {
            content.push_str(&keyword.label);
            content.push_str("：{{");
            content.push_str(&keyword.name);
            content.push_str(".DATA}}\n");
        }
        content
    }

    /// Checks the values of a send as the platform does: every keyword of the template must be
    /// there and fit its kind; keys that the template does not have are ignored without a word.
    ///
    /// # Errors
    ///
    /// The first keyword, in the order of the template, that fails.
    pub fn check(&self, data: &BTreeMap<String, Value>) -> Result<(), BadValue<'_>> {
        self.keywords.iter().try_for_each(|keyword| {
            let value = data
                .get(&keyword.name)
                .map_or("", |value| value.value.as_str());
            let flaw = if value.trim().is_empty() {
                Flaw::Empty
            } else if keyword.accepts(value) {
                return Ok(());
            } else {
                Flaw::Invalid
            };
            Err(BadValue {
                keyword: &keyword.name,
                flaw,
            })
        })
    }
}

/// One row of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// Kind and number, such as `thing1`.
    pub name: String,
    /// What stands before the value on the card.
    pub label: String,
    /// The values that `const` and `enum` keywords may take; empty permits any (that fits).
    pub values: Vec<String>,
}

impl Keyword {
    /// The kind its name says, if the platform has that kind.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.name)
    }

    fn accepts(&self, value: &str) -> bool {
        self.kind().is_some_and(|kind| kind.accepts(value))
            && (self.values.is_empty() || self.values.iter().any(|known| known == value))
    }
}

/// Why a send into a template is refused (47003); names the field, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadValue<'a> {
    /// Name of the keyword.
    pub keyword: &'a str,
    /// What is wrong with its value.
    pub flaw: Flaw,
}

/// The two ways in which the platform finds fault with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Missing, empty or blank.
    Empty,
    /// Too long, of the wrong kind, or with control characters.
    Invalid,
}

impl fmt::Display for BadValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flaw = match self.flaw {
            Flaw::Empty => " is empty",
            Flaw::Invalid => " invalid",
        };
        write!(f, "argument invalid! data.{}.value{flaw}", self.keyword)
    }
}

/// What a keyword may hold. The limits are the platform's; where it is not documented how a
/// character outside the BMP counts, it counts as two here, so that what passes here passes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything, 20 characters.
    Thing,
    /// Anything, 5 characters.
    ShortThing,
    /// 32 digits, letters, symbols; no Han.
    CharacterString,
    /// 32 digits, decimals permitted.
    Number,
    /// 32 ASCII letters.
    Letter,
    /// 5 symbols.
    Symbol,
    /// `HH:MM[:SS]` on the 24-hour clock, a date before it permitted; ranges with `~`.
    Time,
    /// Year, month, day in the usual forms, a time behind it permitted; ranges with `~`.
    Date,
    /// A currency sign and 10 digits, decimals permitted, or the digits and 元.
    Amount,
    /// 17 digits and symbols.
    PhoneNumber,
    /// 8 characters.
    CarNumber,
    /// 10 characters, or 20 where none of them is Han.
    Name,
    /// 5 characters, Han only.
    Phrase,
    /// 20 characters, one of those registered.
    Const,
    /// One of those listed.
    Enum,
    /// Of the old industry templates: text without limit.
    Keyword,
}

impl Kind {
    /// The kind that a keyword's name says: the name without its number.
    #[must_use]
    pub fn of(name: &str) -> Option<Kind> {
        Some(match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "thing" => Kind::Thing,
            "short_thing" => Kind::ShortThing,
            "character_string" => Kind::CharacterString,
            "number" => Kind::Number,
            "letter" => Kind::Letter,
            "symbol" => Kind::Symbol,
            "time" => Kind::Time,
            "date" => Kind::Date,
            "amount" => Kind::Amount,
            "phone_number" => Kind::PhoneNumber,
            "car_number" => Kind::CarNumber,
            "name" => Kind::Name,
            "phrase" => Kind::Phrase,
            "const" => Kind::Const,
            "enum" => Kind::Enum,
            "keyword" => Kind::Keyword,
            _ => return None,
        })
    }

    /// Whether a value that is not blank fits.
    #[must_use]
    pub fn accepts(self, value: &str) -> bool {
        let within = |most: usize| value.encode_utf16().take(most + 1).count() <= most;
        let all = |fits: fn(char) -> bool| value.chars().all(fits);
        if value.chars().any(char::is_control) {
            return false;
        }
        match self {
            Kind::Thing | Kind::Const => within(20),
            Kind::ShortThing => within(5),
            Kind::CharacterString => within(32) && !value.chars().any(is_han),
            Kind::Number => within(32) && is_decimal(value),
            Kind::Letter => within(32) && all(|c| c.is_ascii_alphabetic()),
            Kind::Symbol => within(5) && all(|c| !c.is_alphanumeric()),
            Kind::Time => is_range_of(value, |moment| moment.clock),
            Kind::Date => is_range_of(value, |moment| moment.date),
            Kind::Amount => is_amount(value),
            Kind::PhoneNumber => within(17) && all(|c| c.is_ascii() && !c.is_ascii_alphabetic()),
            Kind::CarNumber => within(8),
            Kind::Name => within(if value.chars().any(is_han) { 10 } else { 20 }),
            Kind::Phrase => within(5) && all(is_han),
            Kind::Enum | Kind::Keyword => true,
        }
    }
}

/// Unified ideographs, their extensions and the zero that is written among them.
fn is_han(c: char) -> bool {
    matches!(c, '〇' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{323AF}')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Digits, with one point between digits permitted.
fn is_decimal(text: &str) -> bool {
    match text.split_once('.') {
        Some((whole, part)) => is_digits(whole) && is_digits(part),
        None => is_digits(text),
    }
}

fn is_amount(text: &str) -> bool {
    let number = text
        .strip_prefix(['¥', '￥', '$', '€', '£'])
        .unwrap_or(text);
    let number = number.strip_suffix('元').unwrap_or(number);
    is_decimal(number) && number.bytes().filter(u8::is_ascii_digit).count() <= 10
}

/// What a text that reads as a moment consists of.
#[derive(Clone, Copy)]
struct Moment {
    date: bool,
    clock: bool,
}

/// One moment, or two with `~` between them, each with the part that is asked for.
fn is_range_of(text: &str, has: fn(Moment) -> bool) -> bool {
    let mut ends = text.splitn(2, '~');
    ends.all(|end| read_moment(end.trim()).is_some_and(has))
}

fn read_moment(text: &str) -> Option<Moment> {
    let Some(colon) = text.find(':') else {
        return is_date(text).then_some(Moment {
            date: true,
            clock: false,
        });
    };
    let hour_digits = text[..colon]
        .bytes()
        .rev()
        .take_while(u8::is_ascii_digit)
        .count();
    let (date, clock) = text.split_at(colon - hour_digits);
    let date = date.trim_end();
    (is_clock(clock) && (date.is_empty() || is_date(date))).then_some(Moment {
        date: !date.is_empty(),
        clock: true,
    })
}

fn is_clock(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().zip([23, 59, 59]).all(|(part, most)| {
            is_digits(part) && part.len() <= 2 && part.parse().is_ok_and(|n: u8| n <= most)
        })
}

/// Year-month-day, year-month or month-day, with `-`, `/`, `.` or 年月日.
fn is_date(text: &str) -> bool {
    let number = |part: &str| part.parse::<i16>().ok().filter(|_| is_digits(part));
    let parts: Option<Vec<i16>> = if text.contains(['年', '月', '日']) {
        let mut rest = text;
        let mut parts = Vec::new();
        for mark in ['年', '月', '日'] {
            if let Some((part, after)) = rest.split_once(mark) {
                match number(part) {
                    Some(part) => parts.push(part),
                    None => return false,
                }
                rest = after;
            } else if mark == '月' {
                return false;
            }
        }
        rest.is_empty().then_some(parts)
    } else {
        let separator = if text.contains('-') {
            '-'
        } else if text.contains('/') {
            '/'
        } else {
            '.'
        };
        text.split(separator).map(number).collect()
    };
    let Some(parts) = parts else { return false };
    let (year, month, day) = match parts[..] {
        [year, month, day] if year >= 1000 => (year, month, day),
        [year, month] if year >= 1000 => (year, month, 1),
        // Any leap year: 29 February without a year is a date.
        [month, day] => (2000, month, day),
        _ => return false,
    };
    i8::try_from(month)
        .and_then(|month| Ok((month, i8::try_from(day)?)))
        .is_ok_and(|(month, day)| jiff::civil::Date::new(year, month, day).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values, and the message with which they are refused.
    type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);

    #[test]
    fn each_kind_takes_what_the_platform_takes_and_refuses_the_rest() {
        let han = |n: usize| "药".repeat(n);
        let latin = |n: usize| "a".repeat(n);
        let digits = |n: usize| "7".repeat(n);
        let rows: Vec<(Kind, String, bool)> = vec![
            (Kind::Thing, han(20), true),
            (Kind::Thing, han(21), false),
            (Kind::Thing, "二甲双胍 1片、Aspirin ½".into(), true),
            (Kind::Thing, "😀".repeat(10), true),
            (Kind::Thing, "😀".repeat(11), false),
            (Kind::Thing, "a\nb".into(), false),
            (Kind::Thing, "a\u{7}b".into(), false),
            (Kind::Thing, "a\u{85}b".into(), false),
            (Kind::ShortThing, han(5), true),
            (Kind::ShortThing, han(6), false),
            (Kind::CharacterString, latin(32), true),
            (Kind::CharacterString, latin(33), false),
            (Kind::CharacterString, "A-7 号".into(), false),
            (Kind::CharacterString, "A-7/#1".into(), true),
            (Kind::Number, digits(32), true),
            (Kind::Number, digits(33), false),
            (Kind::Number, "3.25".into(), true),
            (Kind::Number, "3.2.5".into(), false),
            (Kind::Number, "3片".into(), false),
            (Kind::Number, ".5".into(), false),
            (Kind::Letter, latin(32), true),
            (Kind::Letter, latin(33), false),
            (Kind::Letter, "a1".into(), false),
            (Kind::Symbol, "+-*/=".into(), true),
            (Kind::Symbol, "+-*/=!".into(), false),
            (Kind::Symbol, "+a".into(), false),
            (Kind::Time, "08:00".into(), true),
            (Kind::Time, "23:59:59".into(), true),
            (Kind::Time, "24:00".into(), false),
            (Kind::Time, "8:60".into(), false),
            (Kind::Time, "8:00 AM".into(), false),
            (Kind::Time, "2026-11-24 08:00".into(), true),
            (Kind::Time, "2026年11月24日 08:00".into(), true),
            (Kind::Time, "2026年11月24日08:00".into(), true),
            (Kind::Time, "2026-02-30 08:00".into(), false),
            (Kind::Time, "2026-11-24".into(), false),
            (Kind::Time, "08:00~09:30".into(), true),
            (Kind::Time, "08:00~".into(), false),
            (Kind::Time, "08:00~09:00~10:00".into(), false),
            (Kind::Time, "早上".into(), false),
            (Kind::Date, "2026-11-24".into(), true),
            (Kind::Date, "2026/11/24".into(), true),
            (Kind::Date, "2026.11.24".into(), true),
            (Kind::Date, "2026年11月24日".into(), true),
            (Kind::Date, "2026年11月".into(), true),
            (Kind::Date, "11月24日".into(), true),
            (Kind::Date, "2026-11".into(), true),
            (Kind::Date, "02-29".into(), true),
            (Kind::Date, "02-30".into(), false),
            (Kind::Date, "2026年24日".into(), false),
            (Kind::Date, "2026-11-24 08:00".into(), true),
            (Kind::Date, "2026-11-24~2026-11-30".into(), true),
            (Kind::Date, "08:00".into(), false),
            (Kind::Date, "2026-13-01".into(), false),
            (Kind::Date, "2026-+1-01".into(), false),
            (Kind::Date, "tomorrow".into(), false),
            (Kind::Amount, "¥1234567890".into(), true),
            (Kind::Amount, "¥12345678901".into(), false),
            (Kind::Amount, "12.50元".into(), true),
            (Kind::Amount, "twelve".into(), false),
            (Kind::PhoneNumber, "+86-0766-66888866".into(), true),
            (Kind::PhoneNumber, digits(18), false),
            (Kind::PhoneNumber, "call me".into(), false),
            (Kind::CarNumber, "粤A8Z888挂".into(), true),
            (Kind::CarNumber, "粤A8Z8888挂".into(), false),
            (Kind::Name, han(10), true),
            (Kind::Name, han(11), false),
            (Kind::Name, latin(20), true),
            (Kind::Name, latin(21), false),
            (Kind::Name, "王abcdefghij".into(), false),
            (Kind::Phrase, han(5), true),
            (Kind::Phrase, han(6), false),
            (Kind::Phrase, "按时吃药!".into(), false),
            (Kind::Const, han(20), true),
            (Kind::Const, han(21), false),
            (Kind::Enum, "A".into(), true),
            (Kind::Keyword, han(200), true),
            (Kind::Keyword, "a\nb".into(), false),
        ];
        for (kind, value, taken) in rows {
            assert_eq!(kind.accepts(&value), taken, "{kind:?} {value:?}");
        }
    }

    #[test]
    fn a_name_without_its_number_is_the_kind() {
        let kinds = [
            ("thing1", Some(Kind::Thing)),
            ("thing21", Some(Kind::Thing)),
            ("short_thing3", Some(Kind::ShortThing)),
            ("character_string2", Some(Kind::CharacterString)),
            ("time9", Some(Kind::Time)),
            ("keyword1", Some(Kind::Keyword)),
            ("thing1.DATA", None),
            ("things1", None),
            ("", None),
        ];
        for (name, kind) in kinds {
            assert_eq!(Kind::of(name), kind, "{name:?}");
        }
    }

    #[test]
    fn the_first_bad_keyword_of_the_template_is_named() {
        let mut template = Template::new(
            "t",
            "用药提醒",
            &[("thing1", "患者"), ("time2", "时间"), ("const3", "状态")],
        );
        template.keywords[2].values = vec!["待服用".into()];
        let data = |values: &[(&str, &str)]| -> BTreeMap<String, Value> {
            values
                .iter()
                .map(|&(name, value)| {
                    (
                        name.to_owned(),
                        Value {
                            value: value.to_owned(),
                        },
                    )
                })
                .collect()
        };
        let good = [
            ("thing1", "王秀兰"),
            ("time2", "08:00"),
            ("const3", "待服用"),
        ];
        let rows: [Row<'_>; 7] = [
            (&good, None),
            (&[good[0], good[1], good[2], ("first", "ignored\n")], None),
            (
                &good[..2],
                Some("argument invalid! data.const3.value is empty"),
            ),
            (
                &[("thing1", "  "), good[1], good[2]],
                Some("argument invalid! data.thing1.value is empty"),
            ),
            (
                &[("thing1.DATA", "王秀兰"), good[1], good[2]],
                Some("argument invalid! data.thing1.value is empty"),
            ),
            (
                &[good[0], ("time2", "早上"), ("const3", "别的")],
                Some("argument invalid! data.time2.value invalid"),
            ),
            (
                &[good[0], good[1], ("const3", "别的")],
                Some("argument invalid! data.const3.value invalid"),
            ),
        ];
        for (values, message) in rows {
            let result = template.check(&data(values)).map_err(|bad| bad.to_string());
            assert_eq!(result.err().as_deref(), message, "{values:?}");
        }
    }

    #[test]
    fn content_names_each_keyword_as_the_platform_writes_it() {
        let template = Template::new("t", "x", &[("thing1", "患者"), ("time2", "时间")]);
        assert_eq!(
            template.content(),
            "患者：{{thing1.DATA}}\n时间：{{time2.DATA}}\n"
        );
    }
}
