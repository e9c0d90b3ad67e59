//! Answers over time as a picture: plain SVG with presentation attributes and classes, no script and
//! no style, so that a strict policy for content lets it through. All that it shows stands in a
//! table beside it as well.

use crate::plan::Zone;
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use maud::{Markup, html};
use std::fmt::Write as _;

/// The picture's own units; it is as wide as the page lets it be. On a phone of 360 pixels it is 324
/// of them wide, and its words are larger than 11.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 36.0;
/// How large its words are.
const WORDS: f64 = 14.0;
/// About so wide is a digit of them.
const DIGIT: f64 = 0.58 * WORDS;

/// Up to so many answers each has a mark of its own; of more only those that are out of bounds.
const MARKS_MAX: usize = 200;

/// So many times the usual distance without an answer is a gap, whether or not anybody was asked.
const GAP: i32 = 3;
/// No gap is shorter.
const GAP_MIN: SignedDuration = SignedDuration::from_hours(36);

/// One picture.
pub struct Chart<'a> {
    /// Tells it from others of the page.
    pub id: String,
    /// What was asked.
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub description: String,
    /// What the numbers are.
    pub unit: &'a str,
    /// The zone of the days at its foot.
    pub zone: &'a Zone,
    /// The left edge.
    pub from: Timestamp,
    /// The right edge.
    pub until: Timestamp,
    /// The lines: one, of a blood pressure two.
    pub series: Vec<Series<'a>>,
    /// Bounds that the plan sets.
    pub limits: Vec<Limit>,
}

/// One line.
pub struct Series<'a> {
    /// What it is called; empty where there is but one.
    pub name: &'a str,
    /// In the order of time.
    pub points: Vec<Point>,
}

/// One asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it was asked.
    pub at: Timestamp,
    /// The answer, in thousandths; `None`: nobody answered.
    pub value: Option<i64>,
    /// A person must look at it.
    pub alert: bool,
}

/// A bound of what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// In thousandths.
    pub value: i64,
    /// What it is, in a few words.
    pub label: String,
}

impl Chart<'_> {
    /// The picture; nothing where there is no answer to show.
    #[must_use]
    pub fn draw(&self) -> Markup {
        let Some(scale) = Scale::of(self) else {
            return html! {};
        };
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        html! {
            svg.chart role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
                aria-labelledby=(format!("{title} {description}"))
                xmlns="http://www.w3.org/2000/svg" font-size=(WORDS) fill="currentColor" {
                title id=(title) { (self.title) }
                desc id=(description) { (self.description) }
                g.grid stroke="currentColor" stroke-opacity="0.15" {
                    @for tick in &scale.rows {
                        line x1=(place(LEFT)) x2=(place(right))
                            y1=(place(scale.y(*tick))) y2=(place(scale.y(*tick))) {}
                    }
                    @for (at, _) in &scale.days {
                        line x1=(place(scale.x(*at))) x2=(place(scale.x(*at)))
                            y1=(place(TOP)) y2=(place(bottom)) {}
                    }
                }
                g.numbers text-anchor="end" {
                    @for tick in &scale.rows {
                        text x=(place(LEFT - 6.0)) y=(place(scale.y(*tick) + 5.0)) {
                            (number(*tick))
                        }
                    }
                }
                g.days text-anchor="middle" {
                    @for (at, day) in &scale.days {
                        text x=(place(foot(scale.x(*at), day))) y=(place(bottom + 23.0)) { (day) }
                    }
                }
                text.unit x=(place(LEFT)) y=(place(TOP - 5.0)) { (self.unit) }
                @for limit in &self.limits {
                    g.limit {
                        line x1=(place(LEFT)) x2=(place(right))
                            y1=(place(scale.y(limit.value))) y2=(place(scale.y(limit.value)))
                            stroke="#b45309" stroke-width="1.5" stroke-dasharray="2 3" {}
                        text x=(place(right)) y=(place(scale.y(limit.value) - 3.0))
                            text-anchor="end" fill="#b45309" { (limit.label) }
                    }
                }
                @for (index, series) in self.series.iter().enumerate() {
                    (series.draw(&scale, index, MARKS_MAX / self.series.len().max(1)))
                }
                path.silent d=(self.silence(&scale)) stroke="currentColor" stroke-width="1.5"
                    fill="none" {}
            }
        }
    }

    /// Askings without an answer, as strokes at the foot.
    fn silence(&self, scale: &Scale) -> String {
        let mut path = String::new();
        for point in self.series.first().iter().flat_map(|it| &it.points) {
            if point.value.is_none() {
                // Writing to a String cannot fail.
                let _ = write!(path, "M{} {}v6", place(scale.x(point.at)), HEIGHT - BOTTOM);
            }
        }
        path
    }
}

impl Series<'_> {
    fn draw(&self, scale: &Scale, index: usize, marks_max: usize) -> Markup {
        // Told apart without colours, too.
        let (class, colour, dashes) = match index {
            0 => ("first", "#1d4ed8", None),
            _ => ("second", "#0f766e", Some("6 3")),
        };
        let runs = runs(&self.points);
        let answered: usize = runs.iter().map(|run| run.len()).sum();
        let all = answered <= marks_max;
        html! {
            g class=(class) {
                @for run in &runs {
                    @if run.len() > 1 {
                        polyline points=(corners(run, scale)) fill="none" stroke=(colour)
                            stroke-width="1.8" stroke-linejoin="round" stroke-dasharray=[dashes] {}
                    }
                    @for &(at, value, alert) in run {
                        @if alert {
                            (cross(scale.x(at), scale.y(value)))
                        } @else if all || run.len() == 1 {
                            (mark(index, scale.x(at), scale.y(value), colour))
                        }
                    }
                }
            }
        }
    }
}

/// An answer: round, of the second line square.
fn mark(index: usize, x: f64, y: f64, colour: &str) -> Markup {
    html! {
        @if index == 0 {
            circle cx=(place(x)) cy=(place(y)) r="2.5" fill=(colour) {}
        } @else {
            rect x=(place(x - 2.2)) y=(place(y - 2.2)) width="4.4" height="4.4" fill=(colour) {}
        }
    }
}

/// An answer that a person must look at.
fn cross(x: f64, y: f64) -> Markup {
    let path = format!("M{} {}l8 8m0 -8l-8 8", place(x - 4.0), place(y - 4.0));
    html! {
        path.alert d=(path) stroke="#b91c1c" stroke-width="2.2" fill="none" {}
    }
}

/// An answer with its instant, and whether a person must look at it.
type Answered = (Timestamp, i64, bool);

/// Answers between which nothing is missing.
fn runs(points: &[Point]) -> Vec<Box<[Answered]>> {
    let gap = gap(points);
    let mut runs: Vec<Vec<Answered>> = Vec::new();
    let mut joined = false;
    for point in points {
        let Some(value) = point.value else {
            joined = false;
            continue;
        };
        let answered = (point.at, value, point.alert);
        match runs.last_mut() {
            Some(run) if joined && !is_gap(run, point.at, gap) => run.push(answered),
            _ => runs.push(vec![answered]),
        }
        joined = true;
    }
    runs.into_iter().map(Vec::into_boxed_slice).collect()
}

fn is_gap(run: &[Answered], at: Timestamp, gap: SignedDuration) -> bool {
    run.last()
        .is_some_and(|last| at.duration_since(last.0) > gap)
}

/// How long without an answer is a gap: what is usual, times [`GAP`].
fn gap(points: &[Point]) -> SignedDuration {
    let answered: Vec<Timestamp> = points
        .iter()
        .filter(|it| it.value.is_some())
        .map(|it| it.at)
        .collect();
    let mut apart: Vec<SignedDuration> = answered
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]))
        .collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or_default();
    usual
        .checked_mul(GAP)
        .unwrap_or(SignedDuration::MAX)
        .max(GAP_MIN)
}

fn corners(run: &[Answered], scale: &Scale) -> String {
    run.iter().fold(String::new(), |mut all, (at, value, _)| {
        let space = if all.is_empty() { "" } else { " " };
        let _ = write!(
            all,
            "{space}{},{}",
            place(scale.x(*at)),
            place(scale.y(*value))
        );
        all
    })
}

/// The middle of a word at the foot: below its line, as far as all of it is seen.
fn foot(x: f64, word: &str) -> f64 {
    let half = word.len() as f64 * DIGIT / 2.0;
    x.clamp(half, WIDTH - half)
}

/// A coordinate in tenths.
fn place(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// Thousandths as they are written.
#[must_use]
pub fn number(thousandths: i64) -> String {
    crate::engine::Value::Number(thousandths).to_string()
}

/// From instants and answers to places.
struct Scale {
    from: Timestamp,
    until: Timestamp,
    low: f64,
    high: f64,
    /// Numbers with a line, ascending.
    rows: Vec<i64>,
    /// First moments of days with a line.
    days: Vec<(Timestamp, String)>,
}

impl Scale {
    /// `None` where there is nothing to show.
    fn of(chart: &Chart<'_>) -> Option<Self> {
        let points = chart.series.iter().flat_map(|series| &series.points);
        let answers = || points.clone().filter_map(|point| point.value);
        answers().next()?;
        let limits = chart.limits.iter().map(|limit| limit.value);
        let all = answers().chain(limits);
        let (low, high) = all.fold((i64::MAX, i64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let rows = rows(low, high);
        // What is shown reaches from the first line to the last, and as far as the answers do.
        let low = rows.first().map_or(low, |row| low.min(*row)) as f64;
        let high = rows.last().map_or(high, |row| high.max(*row)) as f64;
        let spare = ((high - low) * 0.06).max(1.0);
        Some(Self {
            from: chart.from,
            until: chart.until,
            low: low - spare,
            high: high + spare,
            rows,
            days: days(chart.from, chart.until, chart.zone),
        })
    }

    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.until.duration_since(self.from).as_secs_f64();
        let part = at.duration_since(self.from).as_secs_f64();
        let share = if whole > 0.0 { part / whole } else { 0.5 };
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: i64) -> f64 {
        let share = (value as f64 - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }
}

/// Round numbers around and between the lowest and the highest: 3 to 8 of them.
fn rows(low: i64, high: i64) -> Vec<i64> {
    let (low, high) = (i128::from(low), i128::from(high));
    let span = (high - low).max(1);
    // 1, 2 or 5 times a power of ten: the smallest with which there are few enough.
    let mut step: i128 = 1;
    let mut turn = 0;
    if low == high {
        // A single value says nothing of how finely it is measured: a whole unit around it.
        step = 1_000;
    }
    while span / step > 5 {
        step = if turn % 3 == 1 {
            step / 2 * 5
        } else {
            step * 2
        };
        turn += 1;
    }
    let first = low.div_euclid(step) * step;
    let last = -(-high).div_euclid(step) * step;
    let last = if last == first { first + step } else { last };
    let all = (0..=(last - first) / step).map(|index| first + index * step);
    all.filter_map(|row| i64::try_from(row).ok()).collect()
}

/// Days with a line: at most 7, evenly apart; over longer times the first ones of months, whose
/// names are longer, at most 6. Their words have room beside one another.
fn days(from: Timestamp, until: Timestamp, zone: &Zone) -> Vec<(Timestamp, String)> {
    let (first, last) = (zone.local(from).date(), zone.local(until).date());
    let whole = first.until(last).map_or(0, |span| span.get_days()).max(0);
    let days: Vec<(Date, String)> = if whole > 60 {
        let months = (whole / 30 + 3) / 4;
        let begin = first.first_of_month();
        let each = (0..).map(|index: i32| begin.checked_add((index * months).months()));
        let each = each.map_while(Result::ok).take_while(|day| *day <= last);
        each.map(|day| (day, day.strftime("%Y-%m").to_string()))
            .collect()
    } else {
        let apart = (whole / 7 + 1).max(1);
        let each = (0..).map(|index: i32| first.checked_add((index * apart).days()));
        let each = each.map_while(Result::ok).take_while(|day| *day <= last);
        each.map(|day| (day, day.strftime("%m-%d").to_string()))
            .collect()
    };
    let days = days.into_iter().map(|(day, words)| {
        let at = zone.instant(day.to_datetime(jiff::civil::Time::midnight()));
        (at, words)
    });
    days.filter(|(at, _)| (from..=until).contains(at)).collect()
}

#[cfg(test)]
mod tests;
