//! `docs/guarantees.md` names the tests that hold each guarantee: each of them exists.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// All texts under a directory, by extension; `run` is the script of the system tests.
fn texts(dir: &Path, all: &mut String) {
    for entry in std::fs::read_dir(dir).expect("a directory of the project is readable") {
        let path = entry.expect("a directory entry is readable").path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            texts(&path, all);
        } else if matches!(extension, Some("rs" | "py")) || path.ends_with("system/run") {
            all.push_str(&std::fs::read_to_string(&path).expect("a source file is UTF-8"));
        }
    }
}

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join("docs/guarantees.md")).expect("the page is there")
}

/// What stands in backticks and has the form of a test's name.
fn named_tests(text: &str) -> BTreeSet<&str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.matches('_').count() >= 3 && !code.contains(['/', ' ', '.', ':']))
        .collect()
}

#[test]
fn every_failure_of_others_has_a_test_here() {
    let page = page();
    let (_, section) = page
        .split_once("### How others failed")
        .expect("the section is there");
    let section = section.split("\n#").next().unwrap_or_default();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 30, "{rows:?}");
    for (index, row) in rows.iter().enumerate() {
        let [number, failure, tests] = row[..] else {
            panic!("a row has a number, what happened and what holds it: {row:?}")
        };
        assert_eq!(number, (index + 1).to_string());
        assert!(!failure.is_empty());
        assert!(!named_tests(tests).is_empty(), "no test: {failure}");
    }
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = page();
    let mut sources = String::new();
    texts(&root.join("src"), &mut sources);
    texts(&root.join("tests"), &mut sources);
    // What a function's name is followed by, in Rust and Python and in the shell.
    let is_there = |name: &str| {
        [
            format!("fn {name}("),
            format!("def {name}("),
            format!("\n{name}() {{"),
        ]
        .iter()
        .any(|definition| sources.contains(definition.as_str()))
    };
    let named = named_tests(&page);
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let mut missing = String::new();
    for name in named.into_iter().filter(|name| !is_there(name)) {
        writeln!(missing, "{name}").expect("a String takes any text");
    }
    assert!(missing.is_empty(), "no such test:\n{missing}");
}
