//! In which order dosages follow each other: `sequence` (R13).

use super::{Fault, resource::Dosage};

/// Groups of dosages that run at the same time, in the order in which they follow each other;
/// each is a list of places in `dosageInstruction`.
pub(super) fn phases(dosages: &[Dosage]) -> Result<Vec<Vec<usize>>, Fault> {
    let mut numbers: Vec<i64> = dosages.iter().filter_map(|d| d.sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let all: Vec<usize> = (0..dosages.len()).collect();
    if numbers.is_empty() {
        return Ok(vec![all]);
    }
    let element = |index: usize| format!("dosageInstruction[{index}].sequence");
    if let Some(index) = dosages.iter().position(|dosage| dosage.sequence.is_none()) {
        return Err(Fault::new(
            element(index),
            "it is missing where others have one: before, after or together?",
        ));
    }
    if numbers.len() == 1 {
        return Ok(vec![all]);
    }
    let needed = |dosage: &Dosage| is_needed(dosage);
    if dosages.iter().all(needed) {
        return Ok(vec![all]);
    }
    if let Some(index) = dosages.iter().position(needed) {
        return Err(Fault::new(
            element(index),
            "what is taken as needed has no place in a sequence",
        ));
    }
    let of = |number: &i64| {
        let same = |index: &usize| dosages[*index].sequence == Some(*number);
        all.iter().copied().filter(same).collect()
    };
    Ok(numbers.iter().map(of).collect())
}

/// Whether it is taken as needed (R3).
pub(super) fn is_needed(dosage: &Dosage) -> bool {
    dosage.as_needed_boolean == Some(true) || dosage.as_needed_codeable_concept.is_some()
}
