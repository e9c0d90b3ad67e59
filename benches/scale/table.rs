//! The table of goals.

use super::Size;
use std::fmt;

/// What a goal wants of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// This much or more.
    AtLeast(f64),
    /// This much or less.
    AtMost(f64),
    /// No bound, and the less the better.
    Less,
    /// Nothing: it is there to be seen.
    Shown,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// The number of the goal.
    pub number: u8,
    /// The name for programs.
    pub id: &'static str,
    /// What was measured.
    pub what: String,
    pub measured: f64,
    pub unit: &'static str,
    pub goal: Goal,
    /// It says the same on a quick machine and a slow one: a ratio within one run, or a size.
    pub steady: bool,
}

impl Row {
    /// A ratio within the run, or a size: compared with an earlier run.
    pub fn steady(
        number: u8,
        id: &'static str,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        goal: Goal,
    ) -> Self {
        Self {
            number,
            id,
            what: what.into(),
            measured,
            unit,
            goal,
            steady: true,
        }
    }

    /// A time: it is the machine's as well.
    pub fn timed(
        number: u8,
        id: &'static str,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        goal: Goal,
    ) -> Self {
        Self {
            steady: false,
            ..Self::steady(number, id, what, measured, unit, goal)
        }
    }

    /// Whether the goal is met; `None` where there is none.
    pub fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtLeast(goal) => Some(self.measured >= goal),
            Goal::AtMost(goal) => Some(self.measured <= goal),
            Goal::Less | Goal::Shown => None,
        }
    }
}

/// All figures.
#[derive(Default)]
pub struct Table {
    pub rows: Vec<Row>,
}

impl Table {
    /// For programs.
    pub fn json(&self, size: Size) -> String {
        let rows: Vec<serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                let (at_least, at_most) = match row.goal {
                    Goal::AtLeast(goal) => (Some(goal), None),
                    Goal::AtMost(goal) => (None, Some(goal)),
                    Goal::Less | Goal::Shown => (None, None),
                };
                serde_json::json!({
                    "goal": row.number,
                    "id": row.id,
                    "what": row.what,
                    "measured": row.measured,
                    "unit": row.unit,
                    "at_least": at_least,
                    "at_most": at_most,
                    "met": row.met(),
                    "steady": row.steady,
                })
            })
            .collect();
        let size = match size {
            Size::Whole => "whole",
            Size::Quick => "quick",
        };
        let document = serde_json::json!({ "size": size, "rows": rows });
        format!("{document:#}\n")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![[
            "goal".to_owned(),
            "what".to_owned(),
            "measured".to_owned(),
            "wanted".to_owned(),
            "met".to_owned(),
        ]];
        for row in &self.rows {
            lines.push([
                row.number.to_string(),
                row.what.clone(),
                format!("{} {}", figure(row.measured), row.unit),
                match row.goal {
                    Goal::AtLeast(goal) => format!("at least {}", figure(goal)),
                    Goal::AtMost(goal) => format!("at most {}", figure(goal)),
                    Goal::Less | Goal::Shown => String::new(),
                },
                match row.met() {
                    Some(true) => "yes".to_owned(),
                    Some(false) => "NO".to_owned(),
                    None => String::new(),
                },
            ]);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
        for (at, line) in lines.iter().enumerate() {
            write!(f, "|")?;
            for (text, width) in line.iter().zip(&widths) {
                write!(f, " {text:width$} |")?;
            }
            writeln!(f)?;
            if at == 0 {
                let dashes = widths.iter().map(|width| "-".repeat(width + 2));
                writeln!(f, "|{}|", dashes.collect::<Vec<_>>().join("|"))?;
            }
        }
        Ok(())
    }
}

/// A figure with as many places as one looks at.
fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
