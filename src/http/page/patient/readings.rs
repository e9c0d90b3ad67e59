//! Answers to check-ins: a picture where they are numbers, and always a table.

use super::Naming;
use super::crossed::Crossed;
use super::journal::value_words;
use super::view::{Answers, Asking, PatientView};
use crate::engine::Value;
use crate::http::page::chart::{Chart, Limit, Point, Series, number};
use crate::http::page::visit::{Visit, time};
use crate::http::page::words::Words;
use crate::plan::{AlertIf, AnswerType, CheckIn, Language, Reading};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// So many of the last answers stand in the table.
const ROWS_MAX: usize = 31;

pub(super) fn draw(visit: &Visit, view: &PatientView, names: &Naming<'_>) -> Markup {
    let check_ins = view.plan.iter().flat_map(|plan| &plan.check_ins);
    let known: Vec<&CheckIn> = check_ins.collect();
    // In the order of the plan; then what is asked no more.
    let place = |answers: &&Answers| {
        let place = known.iter().position(|it| it.id == answers.check_in);
        place.unwrap_or(usize::MAX)
    };
    let mut all: Vec<&Answers> = view.answers.iter().collect();
    all.sort_by_key(place);
    html! {
        @if all.is_empty() { p { (visit.words.no_answers) } }
        @for (index, answers) in all.iter().enumerate() {
            @let check_in = known.iter().find(|it| it.id == answers.check_in).copied();
            (of_check_in(visit, view, names, (index, answers), check_in))
        }
    }
}

fn of_check_in(
    visit: &Visit,
    view: &PatientView,
    names: &Naming<'_>,
    (index, answers): (usize, &Answers),
    check_in: Option<&CheckIn>,
) -> Markup {
    let ask = names.check_in(&answers.check_in);
    let words = visit.words;
    let from = view
        .now
        .saturating_sub(SignedDuration::from_hours(24 * i64::from(view.days)));
    let conditions = check_in.map_or(&[][..], |it| &it.alert_if);
    let lines = lines(answers, conditions, words.upper, words.lower);
    let chart = (!lines.is_empty()).then(|| Chart {
        id: format!("chart-{index}"),
        title: ask,
        description: description(visit, answers),
        unit: unit(check_in.map(|it| &it.answer)),
        zone: &view.zone,
        from: from.unwrap_or(Timestamp::MIN),
        until: view.now,
        series: lines,
        limits: check_in.map_or(Vec::new(), |it| limits(it, visit.language)),
    });
    html! {
        h3 { (ask) }
        div.beside {
            @if let Some(chart) = &chart {
                div {
                    (chart.draw())
                    @if chart.series.len() > 1 {
                        p.small { "● " (words.upper) " · ■ " (words.lower) }
                    }
                    @if answers.askings.iter().any(|it| it.alert) {
                        p.small { "✕ " (words.to_be_looked_at) }
                    }
                }
            }
            (table(visit, view, ask, &answers.askings, conditions))
        }
    }
}

/// The numbers among the answers, as lines; none where they are no numbers.
fn lines<'a>(
    answers: &Answers,
    conditions: &[AlertIf],
    upper: &'a str,
    lower: &'a str,
) -> Vec<Series<'a>> {
    let values = || answers.askings.iter().filter_map(|it| it.value.as_ref());
    if values().any(|value| matches!(value, Value::BloodPressure { .. })) {
        let of = |pick: fn(u32, u32) -> u32| {
            move |value: &Value| match value {
                Value::BloodPressure { upper, lower } => {
                    Some(i64::from(pick(*upper, *lower)) * 1000)
                }
                _ => None,
            }
        };
        return vec![
            line(
                upper,
                (answers, conditions),
                of(|upper, _| upper),
                Crossed::upper,
            ),
            line(
                lower,
                (answers, conditions),
                of(|_, lower| lower),
                Crossed::lower,
            ),
        ];
    }
    let number = |value: &Value| match value {
        Value::Number(thousandths) => Some(*thousandths),
        _ => None,
    };
    if values().any(|value| number(value).is_some()) {
        return vec![line("", (answers, conditions), number, Crossed::upper)];
    }
    Vec::new()
}

fn line<'a>(
    name: &'a str,
    (answers, conditions): (&Answers, &[AlertIf]),
    number: impl Fn(&Value) -> Option<i64>,
    is_crossed: fn(Crossed) -> bool,
) -> Series<'a> {
    let askings = answers.askings.iter().enumerate();
    let points = askings.map(|(index, it)| Point {
        at: it.due,
        value: it.value.as_ref().and_then(&number),
        alert: is_crossed(Crossed::of(conditions, &answers.askings, index)),
    });
    Series {
        name,
        points: points.collect(),
    }
}

/// What the numbers are.
fn unit(answer: Option<&AnswerType>) -> &str {
    match answer {
        Some(AnswerType::Number { unit, .. }) => unit.as_deref().unwrap_or_default(),
        Some(AnswerType::BloodPressure) => "mmHg",
        Some(AnswerType::BloodGlucose) => "mmol/L",
        Some(AnswerType::Temperature) => "°C",
        Some(AnswerType::Weight) => "kg",
        Some(AnswerType::HeartRate) => "/min",
        Some(
            AnswerType::Scale { .. }
            | AnswerType::Text
            | AnswerType::YesOrNo
            | AnswerType::OneOf(_),
        )
        | None => "",
    }
}

/// The bounds that the plan sets to the answers. A change within a time is no bound of one.
fn limits(check_in: &CheckIn, language: Language) -> Vec<Limit> {
    let english = language == Language::En;
    let limit = |reading: Reading, value: i64, over: bool| {
        let of = match (reading, english) {
            (Reading::Value, _) => "",
            (Reading::Upper, true) => "upper ",
            (Reading::Lower, true) => "lower ",
            (Reading::Upper, false) => "收缩压",
            (Reading::Lower, false) => "舒张压",
        };
        let word = match (over, english) {
            (true, true) => "over",
            (false, true) => "under",
            (true, false) => "高于",
            (false, false) => "低于",
        };
        let label = format!("{of}{word} {}", number(value));
        Limit { value, label }
    };
    let mut limits = Vec::new();
    for alert in &check_in.alert_if {
        match alert {
            AlertIf::Over(reading, value) => limits.push(limit(*reading, *value, true)),
            AlertIf::Under(reading, value) => limits.push(limit(*reading, *value, false)),
            AlertIf::Outside(reading, low, high) => {
                limits.push(limit(*reading, *low, false));
                limits.push(limit(*reading, *high, true));
            }
            AlertIf::Yes | AlertIf::No | AlertIf::Is(_) | AlertIf::Up(..) | AlertIf::Down(..) => {}
        }
    }
    limits
}

fn description(visit: &Visit, answers: &Answers) -> String {
    let words = visit.words;
    let all = answers.askings.len();
    let answered = answers
        .askings
        .iter()
        .filter(|it| it.value.is_some())
        .count();
    let alerts = answers.askings.iter().filter(|it| it.alert).count();
    let last = answers
        .askings
        .iter()
        .rev()
        .find_map(|it| it.value.as_ref());
    let last = last.map_or("–".to_owned(), |value| value_words(visit.language, value));
    format!(
        "{} {answered}/{all} · {} {last} · {} {alerts}",
        words.answered, words.last_answer, words.to_be_looked_at
    )
}

/// The last answers, the newest first.
fn table(
    visit: &Visit,
    view: &PatientView,
    ask: &str,
    askings: &[Asking],
    conditions: &[AlertIf],
) -> Markup {
    let words = visit.words;
    html! {
        div.scrolls tabindex="0" role="region" aria-label=(ask) {
            table {
                caption { (words.last_answers) }
                thead { tr {
                    th scope="col" { (words.asked_at) }
                    th scope="col" { (words.answer) }
                } }
                tbody {
                    @for (index, asking) in askings.iter().enumerate().rev().take(ROWS_MAX) {
                        tr {
                            th scope="row" { (time(asking.due, view.now, &view.zone)) }
                            td {
                                @match &asking.value {
                                    Some(value) => { (value_words(visit.language, value)) }
                                    None => { (words.not_answered) }
                                }
                                (look(words, Crossed::of(conditions, askings, index)))
                                @if asking.late { " " span.small { (words.came_late) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// That somebody must look at an answer, and at which of its numbers.
fn look(words: &Words, crossed: Crossed) -> Markup {
    let which = match crossed {
        Crossed::None => return html! {},
        Crossed::Of {
            upper: true,
            lower: false,
        } => Some(words.upper),
        Crossed::Of {
            upper: false,
            lower: true,
        } => Some(words.lower),
        Crossed::Whole | Crossed::Of { .. } => None,
    };
    html! {
        " " span.mark.bad {
            (words.to_be_looked_at)
            @if let Some(which) = which { (words.colon) (which) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(hour: i64, value: Option<Value>) -> Asking {
        Asking {
            due: Timestamp::from_second(hour * 3600).unwrap(),
            value,
            alert: false,
            late: false,
        }
    }

    fn answers(values: Vec<Option<Value>>) -> Answers {
        let askings = values.into_iter().zip(0..);
        Answers {
            check_in: "a".to_owned(),
            askings: askings.map(|(value, hour)| asking(hour, value)).collect(),
        }
    }

    fn values(series: &Series<'_>) -> Vec<Option<i64>> {
        series.points.iter().map(|point| point.value).collect()
    }

    #[test]
    fn a_blood_pressure_is_two_lines_and_silence_is_a_gap_in_both() {
        let pressure = |upper, lower| Some(Value::BloodPressure { upper, lower });
        let answers = answers(vec![pressure(130, 80), None, pressure(150, 95)]);
        let lines = lines(&answers, &[], "upper", "lower");
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].name, lines[1].name), ("upper", "lower"));
        assert_eq!(values(&lines[0]), [Some(130_000), None, Some(150_000)]);
        assert_eq!(values(&lines[1]), [Some(80_000), None, Some(95_000)]);
    }

    #[test]
    fn of_a_blood_pressure_only_what_is_out_of_bounds_is_marked() {
        let pressure = |upper, lower| Some(Value::BloodPressure { upper, lower });
        let mut answers = answers(vec![
            pressure(130, 80),
            pressure(170, 80),
            pressure(130, 105),
            pressure(170, 105),
        ]);
        for asking in &mut answers.askings[1..] {
            asking.alert = true;
        }
        let conditions = [
            AlertIf::Over(Reading::Upper, 160_000),
            AlertIf::Over(Reading::Lower, 100_000),
        ];
        let lines = lines(&answers, &conditions, "upper", "lower");
        let marked = |line: &Series<'_>| -> Vec<bool> {
            let points = line.points.iter();
            points.map(|it| it.alert).collect()
        };
        assert_eq!(marked(&lines[0]), [false, true, false, true]);
        assert_eq!(marked(&lines[1]), [false, false, true, true]);
        let said = |language, index| {
            let crossed = Crossed::of(&conditions, &answers.askings, index);
            look(Words::of(language), crossed).into_string()
        };
        assert_eq!(said(Language::En, 0), "");
        assert!(said(Language::En, 1).ends_with("to be looked at: upper</span>"));
        assert!(said(Language::ZhCn, 2).ends_with("需要关注：舒张压</span>"));
        assert!(said(Language::ZhCn, 3).ends_with("需要关注</span>"));
    }

    #[test]
    fn numbers_are_a_line_and_words_are_none() {
        let lines_of = |values| lines(&answers(values), &[], "", "").len();
        assert_eq!(lines_of(vec![Some(Value::Number(36_800)), None]), 1);
        assert_eq!(lines_of(vec![Some(Value::Text("fine".to_owned()))]), 0);
        assert_eq!(lines_of(vec![Some(Value::Bool(true)), None]), 0);
        assert_eq!(lines_of(vec![None, None]), 0);
        assert_eq!(lines_of(vec![]), 0);
        // The plan asked for words first, and for a number since.
        let mixed = answers(vec![Some(Value::Bool(true)), Some(Value::Number(5_000))]);
        assert_eq!(values(&lines(&mixed, &[], "", "")[0]), [None, Some(5_000)]);
    }

    #[test]
    fn bounds_of_the_plan_are_bounds_of_the_picture() {
        let text = "name = \"Wang\"\n[[check_in]]\nask = \"Blood pressure?\"\n\
                    answer = \"blood pressure\"\nat = \"08:00\"\n\
                    alert_if = [\"upper over 160\", \"upper under 90\", \"lower over 100\"]\n";
        let defaults = crate::plan::Defaults {
            zone: crate::plan::Zone::get("UTC").unwrap(),
            language: Language::En,
            quiet_hours: None,
            day: crate::plan::Day::default(),
            now: None,
        };
        let source = crate::plan::diagnostic::Source::new("p.toml", text);
        let plan = crate::plan::read(&source, &defaults).unwrap().plan;
        let labels = |language| -> Vec<(i64, String)> {
            let limits = limits(&plan.check_ins[0], language);
            limits.into_iter().map(|it| (it.value, it.label)).collect()
        };
        let said = |all: &[(i64, &str)]| -> Vec<(i64, String)> {
            all.iter()
                .map(|(value, label)| (*value, (*label).to_owned()))
                .collect()
        };
        assert_eq!(
            labels(Language::En),
            said(&[
                (160_000, "upper over 160"),
                (90_000, "upper under 90"),
                (100_000, "lower over 100")
            ])
        );
        assert_eq!(labels(Language::ZhCn)[2].1, "舒张压高于 100");
    }
}
