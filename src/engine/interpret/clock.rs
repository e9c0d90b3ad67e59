//! Times of the day and lengths of time in a reply, and the instants they mean.

use super::lexicon::{Part, is_letter};
use super::numeral::{Numeral, numeral};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

/// A time of the day as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// 0 to 24.
    pub(super) hour: u32,
    /// 0 to 59.
    pub(super) minute: u32,
    /// "8" may be in the evening; "08:00", "20" and "8 pm" may not be twelve hours off.
    pub(super) either_half: bool,
}

impl Clock {
    /// A bare hour.
    pub(super) fn of_hour(hour: u32) -> Option<Self> {
        (1..=24).contains(&hour).then_some(Self {
            hour,
            minute: 0,
            either_half: hour <= 12,
        })
    }

    /// The time with the part of the day that was said beside it.
    pub(super) fn in_part(self, part: Part) -> Self {
        if !self.either_half {
            return self;
        }
        let hour = self.hour % 12;
        let hour = match part {
            Part::Morning => hour,
            Part::Noon if self.hour >= 10 => self.hour,
            Part::Noon | Part::Afternoon => hour + 12,
            Part::Evening if self.hour == 12 => 24,
            Part::Evening => hour + 12,
            Part::Night if self.hour == 12 => 24,
            Part::Night if hour <= 5 => hour,
            Part::Night => hour + 12,
        };
        Self {
            hour,
            either_half: false,
            ..self
        }
    }

    fn hours(self) -> Vec<u32> {
        if self.either_half {
            vec![self.hour % 12, self.hour % 12 + 12]
        } else {
            vec![self.hour]
        }
    }

    /// The instants not after now at which the clock showed this, of one day (counted from
    /// today) or of today and yesterday.
    pub(super) fn instants(self, day: Option<i8>, now: &Zoned) -> Vec<Timestamp> {
        let days = day.map_or(vec![0, -1], |day| vec![day]);
        let mut instants: Vec<Timestamp> = days
            .into_iter()
            .flat_map(|day| self.hours().into_iter().map(move |hour| (day, hour)))
            .filter_map(|(day, hour)| instant(now, i32::from(day), hour, self.minute))
            .filter(|at| *at <= now.timestamp())
            .collect();
        instants.sort_unstable();
        instants
    }

    /// In how many minutes the clock shows this next.
    pub(super) fn minutes_until(self, now: &Zoned) -> Option<u32> {
        let next = [0, 1]
            .into_iter()
            .flat_map(|day| self.hours().into_iter().map(move |hour| (day, hour)))
            .filter_map(|(day, hour)| instant(now, day, hour, self.minute))
            .filter(|at| *at > now.timestamp())
            .min()?;
        let seconds = next.duration_since(now.timestamp()).as_secs();
        u32::try_from((seconds + 59) / 60).ok()
    }

    /// Whether a local time shows this.
    pub(super) fn shows(self, local: &Zoned) -> bool {
        let hour = local.hour() as u32;
        local.minute() as u32 == self.minute && self.hours().iter().any(|h| h % 24 == hour)
    }
}

fn instant(now: &Zoned, day: i32, hour: u32, minute: u32) -> Option<Timestamp> {
    let date = now.date().checked_add(day.days()).ok()?;
    let date = if hour >= 24 {
        date.tomorrow().ok()?
    } else {
        date
    };
    let time = jiff::civil::Time::new((hour % 24) as i8, minute as i8, 0, 0).ok()?;
    let zoned = date
        .to_datetime(time)
        .to_zoned(now.time_zone().clone())
        .ok()?;
    Some(zoned.timestamp())
}

/// A dose may be taken somewhat early.
const EARLY: SignedDuration = SignedDuration::from_hours(2);
/// "8" twelve hours later is not meant if "8" is close.
const NEAR: SignedDuration = SignedDuration::from_hours(10);

/// The most recent of the instants (ascending) that fits a dose due at `due`.
pub(super) fn fitting(instants: &[Timestamp], due: Timestamp) -> Option<Timestamp> {
    let late = |at: &Timestamp| at.duration_since(due);
    let fits = || instants.iter().copied().filter(|at| late(at) >= -EARLY);
    fits()
        .rfind(|at| late(at) < NEAR)
        .or_else(|| fits().next_back())
}

/// Whether a part of a day overlaps the time from a dose until now.
pub(super) fn part_fits(part: Part, day: i8, due: Timestamp, now: &Zoned) -> bool {
    let Some((from, until)) = span_of(part, day, now) else {
        return false;
    };
    from <= now.timestamp() && due < until
}

/// Whether a dose was due in a part of a day.
pub(super) fn due_in_part(part: Part, day: i8, due: Timestamp, now: &Zoned) -> bool {
    span_of(part, day, now).is_some_and(|(from, until)| (from..until).contains(&due))
}

fn span_of(part: Part, day: i8, now: &Zoned) -> Option<(Timestamp, Timestamp)> {
    let (from, until) = part.hours();
    // Shortly after midnight "tonight" is the evening before.
    let day = if until > 24 && day == 0 && now.hour() < 4 {
        -1
    } else {
        day
    };
    let midnight = instant(now, i32::from(day), 0, 0)?;
    let at = |hours: i32| {
        midnight
            .checked_add(SignedDuration::from_hours(i64::from(hours)))
            .ok()
    };
    Some((at(from)?, at(until)?))
}

/// A clock time that begins here, with the characters it takes.
pub(super) fn clock(text: &[char], at: usize) -> Option<(Clock, usize)> {
    for (words, minute, back) in [
        ("half past ", 30, false),
        ("quarter past ", 15, false),
        ("a quarter past ", 15, false),
        ("quarter to ", 45, true),
        ("a quarter to ", 45, true),
    ] {
        if begins(text, at, words) {
            let skipped = words.chars().count();
            let hour = numeral(text, at + skipped)?;
            let said = Clock::of_hour(hour.whole()?)?;
            let hour_said = if back {
                (said.hour + 10) % 12 + 1
            } else {
                said.hour
            };
            let clock = Clock {
                hour: hour_said,
                minute,
                either_half: hour_said <= 12,
            };
            return Some((clock, skipped + hour.length));
        }
    }
    if let Some(found) = past_or_to(text, at) {
        return Some(found);
    }
    let number = numeral(text, at)?;
    if number.digits && number.whole().is_none() {
        return with_point(text, at, number);
    }
    // "三点五" is a number, but "三点五十" and "8.30" may be times.
    let (hour, mut end) = if number.whole().is_some() {
        (number.whole()?, at + number.length)
    } else {
        let length = text[at..].iter().position(|c| *c == '点')?;
        if length >= number.length {
            return None;
        }
        ((number.thousandths / 1000) as u32, at + length)
    };
    if hour > 24 {
        return None;
    }
    let padded = number.digits && text[at] == '0';
    let mut minute = 0;
    let mut told = false;
    match text.get(end) {
        Some(':') => {
            let two = text.get(end + 1..end + 3)?;
            if !two.iter().all(char::is_ascii_digit) {
                return None;
            }
            minute = two
                .iter()
                .fold(0, |sum, c| sum * 10 + c.to_digit(10).unwrap_or(0));
            end += 3;
            told = true;
        }
        Some('点' | '时') if text.get(end) == Some(&'点') || !begins(text, end, "时候") => {
            end += 1;
            told = true;
            if begins(text, end, "半") {
                minute = 30;
                end += 1;
            } else if begins(text, end, "一刻") || begins(text, end, "1刻") {
                minute = 15;
                end += 2;
            } else if begins(text, end, "三刻") || begins(text, end, "3刻") {
                minute = 45;
                end += 2;
            } else if begins(text, end, "钟") || begins(text, end, "整") {
                end += 1;
            } else {
                let zero = usize::from(begins(text, end, "零") || begins(text, end, "过"));
                if let Some(found) = numeral(text, end + zero)
                    && let Some(minutes) = found.whole()
                    && minutes < 60
                    && (found.digits && found.length == 2
                        || !found.digits && (minutes >= 10 || zero == 1))
                {
                    minute = minutes;
                    end += zero + found.length;
                    end += usize::from(begins(text, end, "分") && !begins(text, end, "分钟"));
                }
            }
        }
        _ => {}
    }
    let blank = usize::from(text.get(end) == Some(&' '));
    let mut half = None;
    for (word, pm) in [
        ("a.m.", false),
        ("p.m.", true),
        ("am", false),
        ("pm", true),
        ("a.m", false),
        ("p.m", true),
    ] {
        let length = word.len();
        if half.is_none()
            && begins(text, end + blank, word)
            && text
                .get(end + blank + length)
                .is_none_or(|c| !is_letter(*c))
        {
            half = Some(pm);
            end += blank + length;
        }
    }
    for word in ["o'clock", "oclock", "o clock"] {
        if begins(text, end + blank, word) {
            told = true;
            end += blank + word.len();
            break;
        }
    }
    if !told && half.is_none() || minute > 59 {
        return None;
    }
    let clock = match half {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(pm) => Clock {
            hour: hour % 12 + if pm { 12 } else { 0 },
            minute,
            either_half: false,
        },
        None => Clock {
            hour,
            minute,
            either_half: (1..=12).contains(&hour) && !padded,
        },
    };
    Some((clock, end - at))
}

/// "ten to nine", "20 past 8", "half eight".
fn past_or_to(text: &[char], at: usize) -> Option<(Clock, usize)> {
    let (minute, mut end) = if begins(text, at, "half ") {
        (30, at + 5)
    } else {
        let number = numeral(text, at)?;
        let mut end = at + number.length;
        for words in [" minutes", " mins", " min"] {
            if begins(text, end, words) {
                end += words.len();
                break;
            }
        }
        let minute = number.whole().filter(|minute| (1..60).contains(minute))?;
        if begins(text, end, " past ") {
            (minute, end + 6)
        } else if begins(text, end, " to ") {
            (60 - minute, end + 4)
        } else {
            return None;
        }
    };
    let back = !begins(text, at, "half ") && minute != 0 && {
        let before: String = text[at..end].iter().collect();
        before.ends_with(" to ")
    };
    let hour = numeral(text, end)?;
    end += hour.length;
    let said = Clock::of_hour(hour.whole()?).filter(|clock| clock.hour <= 12)?;
    if text.get(end).is_some_and(|c| is_letter(*c)) {
        return None;
    }
    let hour = if back {
        (said.hour + 10) % 12 + 1
    } else {
        said.hour
    };
    let clock = Clock {
        hour,
        minute,
        either_half: true,
    };
    Some((clock, end - at))
}

/// "9.30pm", "at 8.15".
fn with_point(text: &[char], at: usize, number: Numeral) -> Option<(Clock, usize)> {
    let hour = u32::try_from(number.thousandths / 1000).ok()?;
    let minute = u32::try_from(number.thousandths % 1000 / 10).ok()?;
    let whole = if hour < 10 { 1 } else { 2 };
    if number.length != whole + 3 || minute > 59 || hour > 23 {
        return None;
    }
    let end = at + number.length;
    let blank = usize::from(text.get(end) == Some(&' '));
    for (word, pm) in [("am", false), ("pm", true)] {
        let ends = text.get(end + blank + 2).is_none_or(|c| !is_letter(*c));
        if begins(text, end + blank, word) && ends && (1..=12).contains(&hour) {
            let clock = Clock {
                hour: hour % 12 + if pm { 12 } else { 0 },
                minute,
                either_half: false,
            };
            return Some((clock, number.length + blank + 2));
        }
    }
    let clock = Clock {
        hour,
        minute,
        either_half: (1..=12).contains(&hour),
    };
    (at >= 3 && begins(text, at - 3, "at ")).then_some((clock, number.length))
}

/// A length of time that begins here, in minutes, with the characters it takes.
pub(super) fn minutes(text: &[char], at: usize) -> Option<(u32, usize)> {
    for (words, minutes) in [
        ("an hour and a half", 90),
        ("one and a half hours", 90),
        ("half an hour", 30),
        ("half hour", 30),
        ("half a hour", 30),
        ("an hour or so", 60),
        ("an hour", 60),
        ("a quarter of an hour", 15),
        ("quarter of an hour", 15),
        ("a couple of hours", 120),
        ("couple of hours", 120),
        ("couple hours", 120),
        ("a half hour", 30),
        ("one hour", 60),
        ("half an hr", 30),
        ("half hr", 30),
        ("an hr", 60),
        ("俩小时", 120),
        ("俩钟头", 120),
        ("俩个小时", 120),
        ("半个小时", 30),
        ("半小时", 30),
        ("半个钟头", 30),
        ("半个钟", 30),
        ("半钟头", 30),
        ("半点钟", 30),
        ("半个多小时", 30),
        ("一刻钟", 15),
        ("三刻钟", 45),
        ("两刻钟", 30),
        ("个把小时", 60),
        ("个把钟头", 60),
    ] {
        if begins(text, at, words) {
            let length = words.chars().count();
            let ends = !words.is_ascii() || text.get(at + length).is_none_or(|c| !is_letter(*c));
            if ends {
                return Some((minutes, length));
            }
        }
    }
    let number = numeral(text, at)?;
    let mut end = at + number.length;
    let mut thousandths = number.thousandths;
    while text.get(end) == Some(&' ') {
        end += 1;
    }
    if begins(text, end, "个半") {
        thousandths += 500;
        end += 2;
    } else if begins(text, end, "个") {
        end += 1;
    }
    let (per_unit, length) = unit(text, end)?;
    end += length;
    let mut minutes = thousandths * per_unit / 1000;
    if per_unit == 60 {
        // "1 hour 30 min", "一小时二十分钟", "1h30".
        let mut next = end;
        while text.get(next) == Some(&' ') {
            next += 1;
        }
        if begins(text, next, "半") {
            minutes += 30;
            end = next + 1;
        } else if let Some(more) = numeral(text, next) {
            let mut unit_at = next + more.length;
            while text.get(unit_at) == Some(&' ') {
                unit_at += 1;
            }
            if let Some((1, length)) = unit(text, unit_at) {
                minutes += more.thousandths / 1000;
                end = unit_at + length;
            }
        }
    }
    let minutes = u32::try_from(minutes).ok()?;
    (1..=24 * 60)
        .contains(&minutes)
        .then_some((minutes, end - at))
}

/// Minutes of a unit of time, and the characters it takes.
fn unit(text: &[char], at: usize) -> Option<(i64, usize)> {
    let words: &[(&str, i64)] = &[
        ("小时", 60),
        ("钟头", 60),
        ("分钟", 1),
        ("分后", 1),
        ("分以后", 1),
        ("分之后", 1),
        ("分前", 1),
        ("minutes", 1),
        ("minute", 1),
        ("mins", 1),
        ("min", 1),
        ("m", 1),
        ("hours", 60),
        ("hour", 60),
        ("hrs", 60),
        ("hr", 60),
        ("h", 60),
    ];
    let (word, minutes) = words.iter().find(|(word, _)| {
        let length = word.chars().count();
        begins(text, at, word)
            && (!word.is_ascii() || text.get(at + length).is_none_or(|c| !is_letter(*c)))
    })?;
    // What only tells that 分 is a unit is read again.
    let length = if word.starts_with("分") && *word != "分钟" {
        1
    } else {
        word.chars().count()
    };
    Some((*minutes, length))
}

/// Whether the text goes on with these characters here.
pub(super) fn begins(text: &[char], at: usize, words: &str) -> bool {
    let mut index = at;
    words.chars().all(|expected| {
        let found = text.get(index) == Some(&expected);
        index += 1;
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn times_of_the_day_are_read() {
        for (text, hour, minute, either) in [
            ("8点", 8, 0, true),
            ("八点半", 8, 30, true),
            ("8点15", 8, 15, true),
            ("8点一刻", 8, 15, true),
            ("八点二十", 8, 20, true),
            ("十二点零五", 12, 5, true),
            ("20:05", 20, 5, false),
            ("08:00", 8, 0, false),
            ("8:00", 8, 0, true),
            ("8am", 8, 0, false),
            ("8 p.m.", 20, 0, false),
            ("12am", 0, 0, false),
            ("8 o'clock", 8, 0, true),
            ("half past 7", 7, 30, true),
            ("quarter to 9", 8, 45, true),
            ("ten to nine", 8, 50, true),
            ("20 past 8", 8, 20, true),
            ("5 min to 1", 12, 55, true),
            ("half eight", 8, 30, true),
            ("9.30pm", 21, 30, false),
        ] {
            let expected = Clock {
                hour,
                minute,
                either_half: either,
            };
            let length = text.chars().count();
            assert_eq!(clock(&chars(text), 0), Some((expected, length)), "{text}");
        }
        for text in ["8", "25:00", "8:7", "130", "8 kg", "", "三点五"] {
            assert!(
                clock(&chars(text), 0).is_none_or(|(c, _)| c.hour == 3),
                "{text}"
            );
        }
    }

    #[test]
    fn lengths_of_time_are_read() {
        for (text, expected) in [
            ("半小时", 30),
            ("20分钟", 20),
            ("二十分钟", 20),
            ("一个半小时", 90),
            ("1.5小时", 90),
            ("两个小时", 120),
            ("1小时20分钟", 80),
            ("an hour", 60),
            ("half an hour", 30),
            ("90 min", 90),
            ("1 hour 30 min", 90),
            ("10分后", 10),
        ] {
            assert_eq!(
                minutes(&chars(text), 0).map(|(m, _)| m),
                Some(expected),
                "{text}"
            );
        }
        for text in ["7分", "20", "0分钟", "9999小时", "min", "7 miles"] {
            assert_eq!(minutes(&chars(text), 0), None, "{text}");
        }
    }

    #[test]
    fn the_clock_time_nearest_behind_a_dose_is_meant() {
        let now: Zoned = "2026-03-02T21:00[Asia/Shanghai]".parse().unwrap();
        let due = |text: &str| text.parse::<Timestamp>().unwrap();
        let eight = Clock::of_hour(8).unwrap().instants(None, &now);
        assert_eq!(
            fitting(&eight, due("2026-03-02T08:00+08:00")),
            Some(due("2026-03-02T08:00+08:00"))
        );
        assert_eq!(
            fitting(&eight, due("2026-03-02T20:00+08:00")),
            Some(due("2026-03-02T20:00+08:00"))
        );
        let three = Clock::of_hour(3).unwrap().instants(None, &now);
        assert_eq!(fitting(&three, due("2026-03-02T20:00+08:00")), None);
    }
}
