//! Keys that are not known, and the known ones that were meant.

/// The candidate that is most like the word.
#[must_use]
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_lowercase();
    candidates.iter().copied().min_by(|a, b| {
        let distance = |other: &str| {
            (
                strsim::damerau_levenshtein(&word, other) as f64,
                -strsim::jaro_winkler(&word, other),
            )
        };
        distance(a)
            .partial_cmp(&distance(b))
            .unwrap_or(std::cmp::Ordering::Equal)
    })
}

/// What other programs and people call the keys of this one.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("amount", "take"),
    ("dosage", "take"),
    ("dose", "take"),
    ("drug", "name"),
    ("duration", "for"),
    ("instructions", "note"),
    ("interval", "every"),
    ("medicine", "name"),
    ("prn", "as_needed"),
    ("question", "ask"),
    ("stop", "end"),
    ("time", "at"),
    ("times", "at"),
    ("timezone_name", "timezone"),
    ("tz", "timezone"),
    ("until", "end"),
    ("weekdays", "days"),
    ("when", "at"),
];

/// The known key that is meant by another name.
pub(super) fn meant<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_lowercase();
    let (_, meant) = OTHER_NAMES.iter().find(|(other, _)| *other == word)?;
    candidates.iter().copied().find(|known| known == meant)
}

/// Whether a key is a slip of the pen away from another, or its other name.
pub(super) fn is_like(word: &str, known: &str) -> bool {
    let word = word.to_lowercase();
    OTHER_NAMES.contains(&(word.as_str(), known))
        || strsim::damerau_levenshtein(&word, known) <= 1 + known.len() / 4
}
