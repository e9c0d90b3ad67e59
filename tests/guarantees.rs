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

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/guarantees.md")).expect("the page is there");
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
    let named: BTreeSet<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.matches('_').count() >= 3 && !code.contains(['/', ' ', '.', ':']))
        .collect();
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let mut missing = String::new();
    for name in named.into_iter().filter(|name| !is_there(name)) {
        writeln!(missing, "{name}").expect("a String takes any text");
    }
    assert!(missing.is_empty(), "no such test:\n{missing}");
}
