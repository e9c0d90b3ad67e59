//! Pictures, looked at as numbers.

use super::*;
use proptest::prelude::*;

fn zone() -> Zone {
    Zone::get("Asia/Shanghai").unwrap()
}

fn at(text: &str) -> Timestamp {
    zone().instant(text.parse().unwrap())
}

fn day(index: i64) -> Timestamp {
    at("2026-03-01T08:00") + SignedDuration::from_hours(24 * index)
}

fn answered(index: i64, value: i64) -> Point {
    Point {
        at: day(index),
        value: Some(value * 1000),
        alert: false,
    }
}

fn silent(index: i64) -> Point {
    Point {
        at: day(index),
        value: None,
        alert: false,
    }
}

fn drawn(series: Vec<Vec<Point>>, limits: Vec<Limit>) -> String {
    let zone = zone();
    let names = ["upper", "lower"];
    let series = series.into_iter().zip(names);
    let chart = Chart {
        id: "bp".to_owned(),
        title: "Blood <pressure>",
        description: "& more".to_owned(),
        unit: "mmHg",
        zone: &zone,
        from: at("2026-03-01T00:00"),
        until: at("2026-03-31T00:00"),
        series: series
            .map(|(points, name)| Series { name, points })
            .collect(),
        limits,
    };
    chart.draw().into_string()
}

/// What stands between the quotes of each `name="…"`.
fn values<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    let parts = svg.split(&begin).skip(1);
    parts.filter_map(|rest| rest.split('"').next()).collect()
}

fn corners_of(line: &str) -> Vec<(f64, f64)> {
    let pairs = line.split(' ').map(|pair| pair.split_once(',').unwrap());
    pairs
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect()
}

#[test]
fn a_line_joins_answers_and_breaks_where_nobody_answered() {
    for (points, lines, why) in [
        (vec![answered(0, 5)], vec![], "one answer is a mark alone"),
        (
            vec![answered(0, 5), answered(1, 6), answered(2, 7)],
            vec![3],
            "no gap",
        ),
        (
            vec![
                answered(0, 5),
                answered(1, 6),
                silent(2),
                answered(3, 7),
                answered(4, 7),
            ],
            vec![2, 2],
            "silence breaks it",
        ),
        (
            vec![silent(0), answered(1, 6), silent(2), answered(3, 7)],
            vec![],
            "single answers between silences",
        ),
        (
            (0..5).chain(20..25).map(|it| answered(it, 5)).collect(),
            vec![5, 5],
            "nobody was asked for a fortnight",
        ),
        (
            (0..5).map(|it| answered(it * 7, 5)).collect(),
            vec![5],
            "once a week is no gap",
        ),
    ] {
        let svg = drawn(vec![points.clone()], vec![]);
        let found: Vec<usize> = values(&svg, "points")
            .iter()
            .map(|line| corners_of(line).len())
            .collect();
        assert_eq!(found, lines, "{why}");
        let answers = points.iter().filter(|it| it.value.is_some()).count();
        assert_eq!(svg.matches("<circle").count(), answers, "{why}");
        let paths = values(&svg, "d");
        let strokes: usize = paths.iter().map(|it| it.matches('M').count()).sum();
        assert_eq!(strokes, points.len() - answers, "{why}");
    }
}

#[test]
fn nothing_is_drawn_of_nothing() {
    assert_eq!(drawn(vec![], vec![]), "");
    assert_eq!(drawn(vec![vec![]], vec![]), "");
    assert_eq!(drawn(vec![vec![silent(1)]], vec![]), "");
}

#[test]
fn a_blood_pressure_has_two_lines_that_differ_without_colour() {
    let upper = (0..9).map(|it| answered(it, 130)).collect();
    let lower = (0..9).map(|it| answered(it, 80)).collect();
    let svg = drawn(vec![upper, lower], vec![]);
    let lines = values(&svg, "points");
    assert_eq!(lines.len(), 2);
    assert!(
        corners_of(lines[0])[0].1 < corners_of(lines[1])[0].1,
        "higher up"
    );
    assert_eq!(values(&svg, "stroke-dasharray"), ["6 3"]);
    assert_eq!(
        (svg.matches("<circle").count(), svg.matches("<rect").count()),
        (9, 9)
    );
}

#[test]
fn what_must_be_looked_at_is_crossed_and_bounds_are_drawn_where_they_are() {
    let mut points: Vec<Point> = (0..3).map(|it| answered(it, 130)).collect();
    points[1] = Point {
        alert: true,
        value: Some(185_000),
        ..points[1]
    };
    let limit = Limit {
        value: 160_000,
        label: "over 160".to_owned(),
    };
    let svg = drawn(vec![points], vec![limit]);
    assert_eq!(svg.matches("class=\"alert\"").count(), 1);
    assert!(svg.contains(">over 160<"), "{svg}");
    let line = corners_of(values(&svg, "points")[0]);
    let limit = svg.split("class=\"limit\"").nth(1).unwrap();
    let height: f64 = values(limit, "y1")[0].parse().unwrap();
    assert!(line[1].1 < height && height < line[0].1, "between the two");
}

#[test]
fn it_names_itself_and_what_it_shows_and_words_are_only_words() {
    let svg = drawn(vec![vec![answered(1, 5)]], vec![]);
    assert!(svg.contains("role=\"img\""));
    assert!(svg.contains("aria-labelledby=\"bp-title bp-desc\""));
    assert!(
        svg.contains("<title id=\"bp-title\">Blood &lt;pressure&gt;</title>"),
        "{svg}"
    );
    assert!(svg.contains("<desc id=\"bp-desc\">&amp; more</desc>"));
    assert!(!svg.contains("style"), "the policy for content refuses it");
}

#[test]
fn rows_are_round_few_and_around_all() {
    for (low, high, expected) in [
        (0, 0, vec![0, 1_000]),
        (5_000, 5_000, vec![5_000, 6_000]),
        (
            78_000,
            185_000,
            vec![
                60_000, 80_000, 100_000, 120_000, 140_000, 160_000, 180_000, 200_000,
            ],
        ),
        (-1_500, 1_500, vec![-2_000, -1_000, 0, 1_000, 2_000]),
        (
            36_200,
            38_900,
            vec![36_000, 36_500, 37_000, 37_500, 38_000, 38_500, 39_000],
        ),
    ] {
        assert_eq!(rows(low, high), expected, "{low} to {high}");
    }
    let all = rows(i64::MIN, i64::MAX);
    assert!((2..=8).contains(&all.len()), "{all:?}");
}

#[test]
fn days_at_the_foot_are_few_and_begin_at_midnight_of_the_zone() {
    for (from, until, expected) in [
        (
            "2026-03-01T00:00",
            "2026-03-08T00:00",
            "03-01 03-03 03-05 03-07",
        ),
        ("2026-03-01T09:00", "2026-03-02T09:00", "03-02"),
        (
            "2026-01-15T00:00",
            "2026-07-01T00:00",
            "2026-03 2026-05 2026-07",
        ),
        (
            "2025-04-01T00:00",
            "2026-04-01T00:00",
            "2025-04 2025-07 2025-10 2026-01 2026-04",
        ),
    ] {
        let days = days(at(from), at(until), &zone());
        let words: Vec<&str> = days.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(words.join(" "), expected, "{from} to {until}");
        for (at, _) in days {
            assert_eq!(zone().local(at).time(), jiff::civil::Time::midnight());
        }
    }
}

/// A phone of 360 pixels, less what stands beside the picture (see `page.css`).
const PHONE: f64 = 324.0;

#[test]
fn on_a_phone_words_are_legible_and_stand_beside_one_another() {
    let zone = zone();
    let until = at("2026-03-31T15:00");
    for days in [30, 90, 365] {
        let points: Vec<Point> = (-400..31).map(|it| answered(it, 100 + it % 90)).collect();
        let chart = Chart {
            id: "x".to_owned(),
            title: "t",
            description: String::new(),
            unit: "mmHg",
            zone: &zone,
            from: until - SignedDuration::from_hours(24 * days),
            until,
            series: vec![Series { name: "", points }],
            limits: vec![Limit {
                value: 160_000,
                label: "upper over 160".to_owned(),
            }],
        };
        let svg = chart.draw().into_string();
        let sizes = values(&svg, "font-size");
        assert_eq!(sizes.len(), 1, "one size for all words");
        let size: f64 = sizes[0].parse().unwrap();
        assert!(size * PHONE / WIDTH >= 11.0, "{size}");
        let digit = 0.58 * size;
        // The words of a group: where each begins and ends.
        let words = |class: &str, anchor: f64| -> Vec<(f64, f64)> {
            let begin = format!("<g class=\"{class}\"");
            let group = svg.split(&begin).nth(1).unwrap();
            let group = group.split("</g>").next().unwrap();
            let texts = group.split("<text").skip(1);
            texts
                .map(|text| {
                    let x: f64 = values(text, "x")[0].parse().unwrap();
                    let word = text.split(['<', '>']).nth(1).unwrap();
                    let width = word.len() as f64 * digit;
                    (x - anchor * width, x + (1.0 - anchor) * width)
                })
                .collect()
        };
        let feet = words("days", 0.5);
        assert!(feet.len() >= 3, "{days}: {feet:?}");
        for pair in feet.windows(2) {
            assert!(pair[0].1 + 4.0 < pair[1].0, "{days}: {pair:?}");
        }
        let numbers = words("numbers", 1.0);
        for (begin, end) in feet.iter().chain(&numbers) {
            assert!(*begin > -0.1 && *end < WIDTH + 0.1, "{days}: {begin} {end}");
        }
    }
}

fn point() -> impl Strategy<Value = (i64, Option<i64>, bool)> {
    let value = prop_oneof![
        8 => (0..300_000_i64).prop_map(Some),
        2 => Just(None),
        1 => any::<i64>().prop_map(Some),
    ];
    (0..100_000_i64, value, prop::bool::weighted(0.1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is answered, from one to two thousand times: all of it lies within the frame, no
    /// number is none, each answer is part of a line or has a mark, and what is alarming is
    /// always marked.
    #[test]
    fn any_answers_are_drawn_within_the_frame(
        mut points in prop::collection::vec(point(), 1..2_000),
        limit in any::<i64>(),
        seconds in 0..100_000_i64,
    ) {
        points.sort_by_key(|it| it.0);
        let begin = at("2026-03-01T00:00");
        let points: Vec<Point> = points
            .into_iter()
            .map(|(minute, value, alert)| Point {
                at: begin + SignedDuration::from_mins(minute),
                value,
                alert: alert && value.is_some(),
            })
            .collect();
        let zone = zone();
        let chart = Chart {
            id: "x".to_owned(),
            title: "t",
            description: String::new(),
            unit: "",
            zone: &zone,
            from: begin,
            until: begin + SignedDuration::from_secs(seconds * 60),
            series: vec![Series { name: "", points: points.clone() }],
            limits: vec![Limit { value: limit, label: String::new() }],
        };
        let svg = chart.draw().into_string();
        let answers = points.iter().filter(|it| it.value.is_some()).count();
        prop_assert_eq!(svg.is_empty(), answers == 0);
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let mut joined = 0;
        for line in values(&svg, "points") {
            let corners = corners_of(line);
            prop_assert!(corners.len() > 1);
            joined += corners.len();
            for (x, y) in corners {
                prop_assert!((LEFT..=WIDTH - RIGHT).contains(&x), "{}", x);
                prop_assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{}", y);
            }
        }
        let single = runs(&points).iter().filter(|run| run.len() == 1).count();
        prop_assert_eq!(joined + single, answers);
        let alerts = points.iter().filter(|it| it.alert).count();
        prop_assert_eq!(svg.matches("class=\"alert\"").count(), alerts);
        prop_assert!(svg.len() < 400_000, "{}", svg.len());
    }
}
