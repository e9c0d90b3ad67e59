//! Every key of the grammar stands in the tables of `docs/plans.md`, and no other.

use super::super::{check_in, day, medication, others, patient};
use crate::plan::reader::Keys;

const DOCUMENT: &str = include_str!("../../../../docs/plans.md");

#[test]
fn every_key_of_the_grammar_is_documented() {
    for (heading, keys) in [
        ("Patient", patient::KEYS),
        ("Day", day::KEYS),
        ("Medication", medication::KEYS),
        ("Check-in", check_in::KEYS),
        ("Caregiver", others::CAREGIVER_KEYS),
        ("Appointment", others::APPOINTMENT_KEYS),
        ("Away", others::AWAY_KEYS),
    ] {
        assert_eq!(documented(heading), sorted(&keys), "{heading}");
    }
}

fn sorted(keys: &Keys) -> Vec<&'static str> {
    let mut known = keys.known.to_vec();
    known.sort_unstable();
    known
}

/// The keys in the table under a heading.
fn documented(heading: &str) -> Vec<&'static str> {
    let start = format!("\n### {heading}\n");
    let (_, section) = DOCUMENT.split_once(&start).expect("there is the heading");
    let section = section.split("\n###").next().unwrap_or(section);
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut keys: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    keys.sort_unstable();
    keys
}
