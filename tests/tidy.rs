//! Leftovers and habits that a compiler does not refuse, asserted by reading the sources.

#[path = "support/source.rs"]
#[allow(dead_code, reason = "each checker uses a part of the lexer")]
mod source;

use std::fmt::Write as _;
use std::path::Path;

/// Lines of a source file that are not tests.
const LINES_MAX: usize = 800;

/// Words that mean that something is unfinished, and what to do instead.
const LEFTOVERS: &[(&str, &str)] = &[
    ("todo!", "write it"),
    (
        "unimplemented!",
        "write it, or return an error that says what is not supported",
    ),
    ("dbg!", "use a log line or nothing"),
    ("FIXME", "mend it"),
    ("XXX", "say what is meant"),
    ("TODO", "do it, or say in a sentence what is absent and why"),
];

/// What is wrong with one source file, a sentence each. `product` is for code that is shipped.
fn findings(file: &str, text: &str, product: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines = source::product_lines(text);
    if product && lines > LINES_MAX {
        wrong.push(format!(
            "{file}:1: {lines} lines without tests, at most {LINES_MAX}; split it at a seam instead"
        ));
    }
    for (number, line) in (1..).zip(text.lines()) {
        for (word, instead) in LEFTOVERS {
            if contains_word(line, word) {
                wrong.push(format!(
                    "{file}:{number}: `{word}` is unfinished work; {instead} instead"
                ));
            }
        }
        if let Some(c) = line.chars().find(|&c| is_deceptive(c)) {
            wrong.push(format!(
                "{file}:{number}: U+{:04X} cannot be seen; write an escape instead",
                c as u32
            ));
        }
    }
    let all = source::tokens(text);
    for token in &all {
        if !token.text.is_ascii() {
            wrong.push(format!(
                "{file}:{}: `{}` is outside ASCII; keep other scripts to strings and comments instead",
                token.line, token.text
            ));
        }
    }
    for window in all.windows(5) {
        let texts = [0, 1, 2, 3, 4].map(|i| window[i].text.as_str());
        if texts[..4] == ["#", "[", "ignore", "]"] {
            wrong.push(format!(
                "{file}:{}: `#[ignore]` without a reason; write #[ignore = \"reason\"] instead",
                window[0].line
            ));
        }
    }
    if product {
        for window in source::product(&all).windows(4) {
            let texts = [0, 1, 2, 3].map(|i| window[i].text.as_str());
            if texts[..2] == ["mod", "tests"] {
                wrong.push(format!(
                    "{file}:{}: `mod tests` is shipped; put it under #[cfg(test)] instead",
                    window[0].line
                ));
            }
            if texts == [".", "unwrap", "(", ")"] {
                wrong.push(format!(
                    "{file}:{}: `unwrap()` says nothing when it fails; return an error, or expect() why it cannot fail, instead",
                    window[0].line
                ));
            }
        }
    }
    wrong
}

/// Whether `word` stands in `line` and not inside a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let part_of_a_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_a_word)
            && (word.ends_with('!') || !after.is_some_and(part_of_a_word))
    })
}

/// Controls, invisible and direction-changing characters: a text may not read differently from
/// what it means.
fn is_deceptive(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[test]
fn the_sources_are_tidy() {
    let mut wrong = String::new();
    let mut read = 0;
    for (dir, product) in [
        ("src", true),
        ("tests", false),
        ("benches", false),
        ("fuzz", false),
    ] {
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join(dir).is_dir() {
            continue;
        }
        for path in source::rust_files(dir) {
            let file = source::shown(&path);
            if file == "tests/tidy.rs" {
                continue; // it would find its own samples
            }
            let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
            read += 1;
            let product = product && !source::is_for_tests(&file);
            for finding in findings(&file, &text, product) {
                writeln!(wrong, "{finding}").expect("a String takes any text");
            }
        }
    }
    assert!(read > 15, "the sources were not found");
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn texts_beside_the_sources_have_no_tabs_nor_trailing_space() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = String::new();
    let mut read = 0;
    for dir in [
        "",
        "systemd",
        "docs",
        "tests/system",
        "tests/system/faults",
        "fuzz",
        ".ci",
    ] {
        let Ok(entries) = std::fs::read_dir(root.join(dir)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a directory entry is readable").path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let ours = matches!(
                extension,
                Some("md" | "toml" | "py" | "yml" | "service" | "sysusers" | "tmpfiles")
            ) || path.file_name().is_some_and(|name| name == "run");
            if !path.is_file() || !ours {
                continue;
            }
            read += 1;
            let text = std::fs::read_to_string(&path).expect("a text is UTF-8");
            for (number, line) in (1..).zip(text.lines()) {
                if line.contains('\t') || line.ends_with(' ') {
                    writeln!(wrong, "{}:{number}: a tab or trailing space; use spaces between words only instead", source::shown(&path))
                        .expect("a String takes any text");
                }
            }
        }
    }
    assert!(read > 5, "the texts were not found");
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Text, whether it is shipped, and a part of the one finding expected; empty where none is.
const SAMPLES: &[(&str, bool, &str)] = &[
    ("fn f() {}", true, ""),
    ("fn f() { todo!() }", true, "f.rs:1: `todo!`"),
    (
        "fn f() {\n unimplemented!() }",
        false,
        "f.rs:2: `unimplemented!`",
    ),
    ("fn f() { dbg!(1) }", false, "`dbg!`"),
    ("// FIXME later", false, "`FIXME`"),
    ("// TODO later", false, "`TODO`"),
    ("fn f() { method!() }", true, ""),
    ("const X: &str = \"XXXL\";", true, ""),
    ("#[ignore]\nfn f() {}", false, "without a reason"),
    ("#[ignore = \"needs a full disk\"]\nfn f() {}", false, ""),
    ("fn f() { x.unwrap(); }", true, "`unwrap()`"),
    ("fn f() { x.unwrap(); }", false, ""),
    (
        "#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }",
        true,
        "",
    ),
    ("fn f() { x.unwrap_or(1); }", true, ""),
    (
        "mod tests;\nfn f() {}",
        true,
        "f.rs:1: `mod tests` is shipped",
    ),
    ("#[cfg(test)]\nmod tests;\nfn f() {}", true, ""),
    ("fn 药() {}", true, "outside ASCII"),
    ("const X: &str = \"药\"; // 药", true, ""),
    ("const X: &str = \"a\u{202e}b\";", true, "U+202E"),
];

#[test]
fn the_checker_sees_what_it_must_and_nothing_else() {
    for (text, product, expected) in SAMPLES {
        let found = findings("f.rs", text, *product);
        if expected.is_empty() {
            assert!(found.is_empty(), "{text}\n{found:?}");
        } else {
            assert_eq!(found.len(), 1, "{text}\n{found:?}");
            assert!(found[0].contains(expected), "{text}\n{found:?}");
        }
    }
    let long = "fn f() {}\n".repeat(LINES_MAX + 1);
    assert!(findings("f.rs", &long, true)[0].contains("split it at a seam"));
    assert!(findings("f.rs", &long, false).is_empty());
    let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert!(findings("f.rs", &tested, true).is_empty());
}
