//! Phrases that a person must see at once.

use super::lexicon::is_letter;
use super::writing::{Writing, squeezed};

/// Letters of the alphabet; a shorter phrase is looked for at the beginnings of words only
/// ("er" is not in "after").
const ANYWHERE_FROM: usize = 5;

/// Whether the phrase is anywhere in the text, however it is spaced and written. A denial ("no
/// chest pain") counts as well: a nurse who looks in vain harms nobody.
pub(super) fn is_in(phrase: &str, text: &str) -> bool {
    let phrase = squeezed(phrase);
    if phrase.is_empty() {
        return false;
    }
    let writing = Writing::of(text);
    let mut letters = Vec::new();
    let mut begins = Vec::new();
    let mut before = ' ';
    for character in writing.characters() {
        if character.is_alphanumeric() {
            letters.push(*character);
            begins.push(!(is_letter(before) && is_letter(*character)));
        }
        before = *character;
    }
    let short = phrase.len() < ANYWHERE_FROM && phrase.iter().all(char::is_ascii_alphabetic);
    letters
        .windows(phrase.len())
        .enumerate()
        .any(|(at, window)| window == phrase && (!short || begins[at]))
}

#[cfg(test)]
mod tests {
    use super::is_in;

    #[test]
    fn phrases_are_found_however_they_are_written() {
        for (phrase, text) in [
            ("胸痛", "有点胸 痛"),
            ("胸痛", "没有胸痛"),
            ("胸痛", "胸、痛"),
            ("chest pain", "CHEST  PAIN!"),
            ("chest pain", "chestpains since noon"),
            ("Chest-Pain", "ｃｈｅｓｔ ｐａｉｎ"),
            ("rash", "a rash"),
            ("faint", "nearly fainted"),
            ("喘不過氣", "喘不过气了"),
        ] {
            assert!(is_in(phrase, text), "{phrase}: {text}");
        }
        for (phrase, text) in [
            ("er", "after dinner"),
            ("rash", "crash"),
            ("", "x"),
            ("胸痛", "胸口"),
        ] {
            assert!(!is_in(phrase, text), "{phrase}: {text}");
        }
    }
}
