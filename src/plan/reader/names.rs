//! Keys that are not known, and the known ones that were meant.

/// The candidate that is most like the word.
#[must_use]
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_lowercase();
    let likeness = |other: &str| strsim::jaro_winkler(&word, other);
    // Some lists are as long as that of the time zones: each is compared once.
    let mut best: Option<(usize, &'c str)> = None;
    for other in candidates.iter().copied() {
        let edits = strsim::damerau_levenshtein(&word, other);
        let is_nearer = best.is_none_or(|(least, nearest)| {
            edits < least || (edits == least && likeness(other) > likeness(nearest))
        });
        if is_nearer {
            best = Some((edits, other));
        }
    }
    best.map(|(_, nearest)| nearest)
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
    ("剂量", "take"),
    ("名称", "name"),
    ("备注", "note"),
    ("姓名", "name"),
    ("开始", "start"),
    ("时间", "at"),
    ("用量", "take"),
    ("疗程", "for"),
    ("结束", "end"),
    ("药名", "name"),
];

/// Keys of other tables, and what says nearly the same here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("doses", "end"),
    ("every", "at"),
    ("for", "end"),
    ("once", "at"),
    ("window", "alert_if_no_answer"),
];

/// The known key that is meant by another name.
pub(super) fn meant<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_lowercase();
    let mut meant = OTHER_NAMES.iter().chain(ELSEWHERE);
    let (_, meant) = meant.find(|(other, _)| *other == word)?;
    candidates.iter().copied().find(|known| known == meant)
}

/// Whether a key is a slip of the pen away from another, or its other name.
pub(super) fn is_like(word: &str, known: &str) -> bool {
    let word = word.to_lowercase();
    OTHER_NAMES.contains(&(word.as_str(), known))
        || strsim::damerau_levenshtein(&word, known) <= 1 + known.len() / 4
}

/// The key of the grammar that a word of another language stands for.
pub(super) fn translated(word: &str) -> Option<&'static str> {
    let (_, known) = OTHER_NAMES.iter().find(|(other, _)| *other == word)?;
    Some(known)
}
