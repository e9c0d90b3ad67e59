//! Just enough of a lexer to check our own sources: words and punctuation with their lines,
//! without comments and literals, and without code that is compiled for tests only.

use std::path::{Path, PathBuf};

/// A word (identifier or keyword), `::`, or one character of punctuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Counted from 1.
    pub line: usize,
    pub text: String,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// All `.rs` files below a directory, sorted; the crate's root may be left out of `below`.
pub fn rust_files(below: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        let entries = std::fs::read_dir(dir)
            .unwrap_or_else(|error| panic!("cannot list {}: {error}", dir.display()));
        for entry in entries {
            let path = entry.expect("a directory entry is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(below), &mut found);
    found.sort();
    found
}

/// A path as it is written in messages: relative to the crate's root.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR"))
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Whether a file below `src/` holds tests only; the tidy test sees to it that such a module is
/// declared under `#[cfg(test)]`.
pub fn is_for_tests(file: &str) -> bool {
    file.split('/')
        .any(|part| part == "tests.rs" || part == "tests")
}

/// Splits a source text into tokens. Comments, strings and characters are left out.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut i, mut line) = (0, 1);
    let mut found = Vec::new();
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = end_of_string(&chars, i),
            '\'' => i = end_of_quote(&chars, i),
            c if is_word(c) => {
                while is_word(at(i)) {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let literal = matches!(word.as_str(), "r" | "br" | "cr" | "b" | "c");
                if literal && at(i) == '"' {
                    let raw = word.contains('r');
                    i = if raw {
                        end_of_raw_string(&chars, i)
                    } else {
                        end_of_string(&chars, i)
                    };
                } else if literal && word.ends_with('r') && at(i) == '#' && !is_word(at(i + 1)) {
                    i = end_of_raw_string(&chars, i);
                } else if word == "b" && at(i) == '\'' {
                    i = end_of_quote(&chars, i);
                } else {
                    found.push(Token { line, text: word });
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                found.push(Token {
                    line,
                    text: "::".to_owned(),
                });
            }
            c => {
                i += 1;
                if !c.is_whitespace() {
                    found.push(Token {
                        line,
                        text: c.to_string(),
                    });
                }
            }
        }
        line += chars[start..i.min(chars.len())]
            .iter()
            .filter(|&&c| c == '\n')
            .count();
    }
    found
}

fn end_of_string(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn end_of_raw_string(chars: &[char], mut i: usize) -> usize {
    let hashes = chars[i..].iter().take_while(|&&c| c == '#').count();
    i += hashes + 1;
    while i < chars.len() {
        if chars[i] == '"'
            && chars[i + 1..]
                .iter()
                .take(hashes)
                .filter(|&&c| c == '#')
                .count()
                == hashes
        {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

/// After a character, or after the quote of a lifetime.
fn end_of_quote(chars: &[char], i: usize) -> usize {
    match (chars.get(i + 1), chars.get(i + 2)) {
        (Some('\\'), _) => {
            let close = chars[i + 3..].iter().position(|&c| c == '\'');
            close.map_or(chars.len(), |offset| i + 4 + offset)
        }
        (Some(_), Some('\'')) => i + 3,
        _ => i + 1,
    }
}

/// The tokens without items under `#[cfg(test)]`.
pub fn product(tokens: &[Token]) -> Vec<Token> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let texts = tokens[i..].iter().map(|token| token.text.as_str());
        if texts.take(CFG_TEST.len()).eq(CFG_TEST) {
            i = end_of_item(tokens, i + CFG_TEST.len());
        } else {
            kept.push(tokens[i].clone());
            i += 1;
        }
    }
    kept
}

/// After the item that begins at `i`: past its first `;` or its first closed brace.
fn end_of_item(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0_usize;
    while i < tokens.len() {
        match tokens[i].text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            ";" if depth == 0 => return i + 1,
            _ => {}
        }
        i += 1;
    }
    i
}

/// The number of lines that are not inside an item under `#[cfg(test)]`.
pub fn product_lines(text: &str) -> usize {
    let all = tokens(text);
    let kept = product(&all);
    let last = all.last().map_or(0, |token| token.line);
    let mut tested = 0;
    let (mut kept_tokens, mut previous) = (kept.iter().peekable(), None::<usize>);
    // Lines between the last kept token and the next kept one belong to tests if any dropped
    // token lies there.
    for token in &all {
        if kept_tokens.peek() == Some(&token) {
            kept_tokens.next();
            previous = Some(token.line);
        } else if previous.is_none_or(|line| line < token.line) {
            tested += token.line - previous.unwrap_or(token.line - 1);
            previous = Some(token.line);
        }
    }
    text.lines().count().max(last) - tested
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn literals_and_comments_are_no_tokens() {
        let table: &[(&str, &[&str])] = &[
            ("a // b\nc", &["a", "c"]),
            ("a /* b /* c */ d */ e", &["a", "e"]),
            (r#"a "b \" c" d"#, &["a", "d"]),
            ("a r#\"b \" c\"# d", &["a", "d"]),
            (r"a 'b' '\'' '\u{4e00}' c", &["a", "c"]),
            (
                "fn f<'a>(x: &'a str)",
                &[
                    "fn", "f", "<", "a", ">", "(", "x", ":", "&", "a", "str", ")",
                ],
            ),
            ("b\"x\" b'x' r\"x\" y", &["y"]),
            ("std::fs", &["std", "::", "fs"]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), *expected, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let text = "a\n/* x\n y */ b\n\"p\nq\"\nc";
        let lines: Vec<_> = tokens(text).iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 6]);
    }

    #[test]
    fn code_for_tests_is_left_out() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n";
        let kept: Vec<_> = product(&tokens(text))
            .into_iter()
            .map(|token| token.text)
            .collect();
        assert!(kept.contains(&"a".to_owned()) && kept.contains(&"c".to_owned()));
        assert!(!kept.contains(&"b".to_owned()));
        assert_eq!(product_lines(text), 2);
        assert_eq!(product_lines("#[cfg(test)]\nuse x;\nfn a() {}\n"), 1);
    }
}
