//! The README keeps its promises: its example gives what stands there, its commands and flags
//! exist, its links lead somewhere.

use std::path::Path;
use std::process::{Command, Output};

const README: &str = include_str!("../README.md");
const CONFIGURATION: &str = include_str!("../docs/configuration.md");
const OPERATIONS: &str = include_str!("../docs/operations.md");

fn dosed(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("STATE_DIRECTORY")
        .output()
        .expect("the built binary runs")
}

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// The fenced block after the marker `<!-- example: NAME -->`.
fn example(name: &str) -> &'static str {
    let marker = format!("<!-- example: {name} -->\n```");
    let (_, after) = README
        .split_once(&marker)
        .unwrap_or_else(|| panic!("the README has an example {name}"));
    let (_, body) = after.split_once('\n').expect("a fence ends its line");
    body.split_once("```").expect("a fence is closed").0
}

/// A directory with the README's plan where the README says that it is.
fn clinic() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let plans = directory.path().join("plans.d");
    std::fs::create_dir(&plans).expect("a directory can be made");
    std::fs::write(plans.join("wang-xiulan.toml"), example("plan")).expect("a file can be made");
    directory
}

#[test]
fn plan_of_the_readme_has_no_findings() {
    let clinic = clinic();
    let checked = dosed(&["check", "plans.d"], clinic.path());
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn preview_of_the_readme_is_what_preview_prints() {
    let command = README
        .split('`')
        .find(|code| code.starts_with("dosed preview "))
        .expect("the README has a preview");
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(
        stdout(&dosed(&arguments, clinic().path())),
        example("preview")
    );
}

#[test]
fn sentences_of_the_readme_are_what_explain_prints() {
    let said = stdout(&dosed(
        &["explain", "plans.d/wang-xiulan.toml"],
        clinic().path(),
    ));
    assert!(said.starts_with(example("explain")), "{said}");
}

#[test]
fn first_screen_has_the_two_commands() {
    let first = README.split("\n## ").next().expect("there is a beginning");
    let commands: Vec<&str> = first
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```").map(|(command, _)| command))
        .collect();
    assert_eq!(
        commands,
        [
            "cargo run --release --locked -- demo",
            "cargo test --locked"
        ]
    );
}

#[test]
fn every_documented_subcommand_and_flag_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for text in [README, CONFIGURATION, OPERATIONS] {
        let code = text
            .split("```sh\n")
            .skip(1)
            .filter_map(|rest| rest.split_once("\n```").map(|(block, _)| block))
            .flat_map(str::lines)
            .chain(
                text.lines()
                    .flat_map(|line| line.split('`').skip(1).step_by(2)),
            );
        for line in code {
            let command = line
                .split_once("--locked -- ")
                .or_else(|| line.split_once("/var/lib/dosed dosed "))
                .map(|(_, command)| command)
                .or_else(|| line.strip_prefix("dosed "));
            let Some(command) = command else { continue };
            let mut words = command.split_whitespace().peekable();
            let subcommand = words.next().expect("a subcommand is named");
            let mut help = stdout(&dosed(&[subcommand, "--help"], here));
            if help.contains("\nCommands:\n")
                && let Some(inner) = words.next_if(|word| !word.starts_with('-'))
            {
                help = stdout(&dosed(&[subcommand, inner, "--help"], here));
            }
            for flag in words.filter(|word| word.starts_with("--")) {
                let known = help.split_whitespace().any(|word| word == flag);
                assert!(known, "`{line}`: no {flag} in:\n{help}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} commands were found");
}

#[test]
fn files_that_the_readme_points_to_exist() {
    for link in README.split("](").skip(1) {
        let target = link.split(')').next().expect("a link is closed");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
        assert!(path.exists(), "{target}");
    }
}

#[test]
fn documented_exit_codes_are_those_of_the_program() {
    let documented: Vec<u8> = OPERATIONS
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
        .collect();
    let codes: Vec<u8> = dosed::cli::exit::Exit::ALL
        .into_iter()
        .map(dosed::cli::exit::Exit::code)
        .collect();
    assert_eq!(documented, codes);
}
