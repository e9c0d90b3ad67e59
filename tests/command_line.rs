//! The frame of the command line, as the built binary: help, manual, completions, wrong usage.

use std::io::Read;
use std::process::{Command, Output, Stdio};

const SUBCOMMANDS: [&str; 20] = [
    "run",
    "check",
    "interpret",
    "preview",
    "demo",
    "status",
    "history",
    "patients",
    "report",
    "export",
    "backup",
    "restore",
    "erase",
    "jobs",
    "reload",
    "resume",
    "clock",
    "fsck",
    "man",
    "completions",
];

fn dosed(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_and_version_are_data() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["--version"],
        &["help", "check"],
    ] {
        let output = dosed(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output.stdout).contains("dosed"), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
    let version = format!("dosed {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&dosed(&["--version"]).stdout), version);
    let help = dosed(&["--help"]);
    for subcommand in SUBCOMMANDS {
        assert!(
            text(&help.stdout).contains(&format!("\n  {subcommand} ")),
            "{subcommand}"
        );
        let own = dosed(&[subcommand, "--help"]);
        assert_eq!(own.status.code(), Some(0), "{subcommand}");
        assert!(
            text(&own.stdout).contains(&format!("Usage: dosed {subcommand}")),
            "{subcommand}"
        );
    }
}

#[test]
fn wrong_usage_is_said_on_stderr_with_64() {
    for arguments in [
        &[][..],
        &["nonsense"],
        &["--nonsense"],
        &["check", "--nonsense"],
        &["completions"],
    ] {
        let output = dosed(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(
            text(&output.stderr).contains("Usage: dosed"),
            "{arguments:?}"
        );
    }
}

#[test]
fn manual_pages_cover_every_subcommand() {
    let page = dosed(&["man"]);
    assert_eq!(page.status.code(), Some(0));
    assert!(text(&page.stdout).contains(".TH dosed 1"));

    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().to_str().unwrap();
    assert_eq!(dosed(&["man", "--out", out]).status.code(), Some(0));
    for subcommand in SUBCOMMANDS {
        let page = directory.path().join(format!("dosed-{subcommand}.1"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(
            page.contains(&format!(".TH dosed-{subcommand} 1")),
            "{subcommand}"
        );
    }
    let file = directory.path().join("dosed.1");
    let refused = dosed(&["man", "--out", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(73), "a file is no directory");
}

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish"] {
        let output = dosed(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        for subcommand in SUBCOMMANDS {
            assert!(
                text(&output.stdout).contains(subcommand),
                "{shell} {subcommand}"
            );
        }
    }
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dosed"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert_eq!(said, "");
}
