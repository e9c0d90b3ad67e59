//! A run against an earlier one.

use super::table::{Goal, Row};
use std::collections::HashMap;
use std::path::Path;

/// A figure that is worse by more than this part has fallen.
const TOLERATED: f64 = 1.0 / 3.0;

/// The steady figures of an earlier run, by their ids.
pub type Earlier = HashMap<String, f64>;

/// Reads what `--json` left.
pub fn read(path: &Path) -> Earlier {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let document: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is no table: {error}", path.display()));
    let rows = document["rows"].as_array().expect("a table has rows");
    let steady = rows.iter().filter(|row| row["steady"] == true);
    steady
        .map(|row| {
            let id = row["id"].as_str().expect("a row has an id");
            let measured = row["measured"].as_f64().expect("a row has a figure");
            (id.to_owned(), measured)
        })
        .collect()
}

/// What has become worse by more than is tolerated, a sentence each.
pub fn fallen(rows: &[Row], earlier: &Earlier) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| row.steady) {
        let Some(before) = earlier.get(row.id) else {
            lines.push(format!("{}: there is no earlier figure of it", row.id));
            continue;
        };
        let (word, has_fallen) = match row.goal {
            Goal::AtLeast(_) => ("fell", row.measured < before * (1.0 - TOLERATED)),
            Goal::AtMost(_) | Goal::Less => ("rose", row.measured > before * (1.0 + TOLERATED)),
            Goal::Shown => continue,
        };
        if has_fallen {
            lines.push(format!(
                "{} ({}) {word} from {before:.4} to {:.4} {}",
                row.id, row.what, row.measured, row.unit
            ));
        }
    }
    lines
}

/// Of two measurements of a group the better figures: noise only makes them worse.
pub fn better(first: Vec<Row>, second: Vec<Row>) -> Vec<Row> {
    let pairs = first.into_iter().zip(second);
    pairs
        .map(|(first, second)| {
            let second_is_better = match first.goal {
                Goal::AtLeast(_) => second.measured > first.measured,
                Goal::AtMost(_) | Goal::Less | Goal::Shown => second.measured < first.measured,
            };
            if second_is_better { second } else { first }
        })
        .collect()
}
