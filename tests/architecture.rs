//! The arrows of the architecture, asserted by reading the sources.
//!
//! `cli -> daemon -> {http, messaging, store} -> engine -> plan -> recurrence`; `sandbox` stands
//! beside and knows the wire types and the cryptography of WeChat only; the functional core knows
//! no runtime, no clock and no I/O.

#[path = "support/source.rs"]
mod source;

use source::Token;
use std::fmt::Write as _;

/// A room of the house: what it may name of the others, and why not more.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    instead: &'static str,
}

const ROOMS: &[Room] = &[
    Room {
        name: "main",
        may_use: &["cli"],
        instead: "put it into cli",
    },
    Room {
        name: "cli",
        may_use: &[
            "daemon",
            "sandbox",
            "http",
            "messaging",
            "store",
            "engine",
            "plan",
            "recurrence",
        ],
        instead: "name a room below",
    },
    Room {
        name: "daemon",
        may_use: &["http", "messaging", "store", "engine", "plan", "recurrence"],
        instead: "let cli hand it in",
    },
    Room {
        name: "http",
        may_use: &["engine", "plan", "recurrence"],
        instead: "take a handle that daemon gives to http",
    },
    Room {
        name: "messaging",
        may_use: &["engine", "plan", "recurrence"],
        instead: "let daemon carry it between the two",
    },
    Room {
        name: "store",
        may_use: &["engine", "plan", "recurrence"],
        instead: "let daemon carry it between the two",
    },
    Room {
        name: "engine",
        may_use: &["plan", "recurrence"],
        instead: "take it as an argument of engine",
    },
    Room {
        name: "plan",
        may_use: &["recurrence"],
        instead: "take it as an argument of plan",
    },
    Room {
        name: "recurrence",
        may_use: &[],
        instead: "take it as an argument of recurrence",
    },
    Room {
        name: "sandbox",
        may_use: &["messaging::wechat::wire", "messaging::wechat::crypto"],
        instead: "use the wire types and the cryptography of messaging::wechat only",
    },
];

/// The functional core.
const PURE: &[&str] = &["engine", "plan", "recurrence"];

/// Paths that no room of the functional core names, and what to do instead. A path without `::`
/// in front also matches where it was imported (`Instant::now`).
const IMPURE: &[(&str, &str)] = &[
    ("axum", "let http call in"),
    ("fs", "take the text as an argument"),
    ("notify", "let daemon call in"),
    ("redb", "return what is to be stored"),
    ("reqwest", "return what is to be sent"),
    ("rustix", "take it as an argument"),
    ("signal_hook", "let daemon call in"),
    ("std::env", "take it as an argument"),
    ("std::fs", "take the text as an argument"),
    ("std::io::stderr", "return it"),
    ("std::io::stdin", "take the text as an argument"),
    ("std::io::stdout", "return it"),
    ("std::net", "return what is to be sent"),
    ("std::process", "return it"),
    ("std::thread", "be a plain function"),
    (
        "std::time::Instant",
        "take the instant as an argument (jiff::Timestamp)",
    ),
    (
        "std::time::SystemTime",
        "take the instant as an argument (jiff::Timestamp)",
    ),
    (
        "Instant",
        "take the instant as an argument (jiff::Timestamp)",
    ),
    (
        "SystemTime",
        "take the instant as an argument (jiff::Timestamp)",
    ),
    ("Timestamp::now", "take the instant as an argument"),
    ("TimeZone::system", "take the zone as an argument"),
    ("Zoned::now", "take the instant as an argument"),
    ("tokio", "be a plain function"),
    ("tokio_util", "be a plain function"),
    ("tracing", "return a reason that daemon logs"),
];

/// Macros that no room of the functional core calls.
const IMPURE_MACROS: &[&str] = &[
    "print",
    "println",
    "eprint",
    "eprintln",
    "env",
    "include_str",
];

/// Crates that are kept inside rooms, so that they can be exchanged.
const KEPT: &[(&str, &[&str], &str)] = &[
    ("axum", &["http", "sandbox"], "let http serve it"),
    ("chrono", &[], "use jiff"),
    (
        "redb",
        &["store"],
        "use the transactions of store, whose interface shows no redb type",
    ),
    ("reqwest", &["cli", "messaging"], "use a messaging::Channel"),
    (
        "tokio_cron_scheduler",
        &["daemon"],
        "ask a pure function whether it is due",
    ),
];

/// One path as written: its line and its segments, resolved to `crate` where it is ours.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    line: usize,
    segments: Vec<String>,
    /// The last segment is a macro's name.
    is_macro: bool,
}

/// All paths of a source text; `module` is where the text stands (`["engine", "state"]`).
fn paths(tokens: &[Token], module: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut module = module.to_vec();
    // Depth of braces at which each inline module ends.
    let mut inline = Vec::new();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < tokens.len() {
        let text = tokens[i].text.as_str();
        let next = |n: usize| tokens.get(i + n).map_or("", |token| token.text.as_str());
        match text {
            "mod" if next(2) == "{" => {
                module.push(next(1).to_owned());
                inline.push(depth);
                depth += 1;
                i += 3;
                continue;
            }
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            _ if tokens[i].is_word() => {
                i = path(tokens, i, Vec::new(), &module, &mut found);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Reads one path (with its groups) at `i` and returns where it ends.
fn path(
    tokens: &[Token],
    mut i: usize,
    mut segments: Vec<String>,
    module: &[String],
    found: &mut Vec<Named>,
) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let line = tokens[i].line;
    loop {
        if text(i) == "{" {
            i += 1;
            while i < tokens.len() && text(i) != "}" {
                if tokens[i].is_word() || text(i) == "{" || text(i) == "*" {
                    i = path(tokens, i, segments.clone(), module, found);
                    if text(i) == "as" {
                        i += 2;
                    }
                } else {
                    i += 1;
                }
            }
            return i + 1;
        }
        segments.push(text(i).to_owned());
        i += 1;
        let goes_on = text(i) == "::"
            && tokens
                .get(i + 1)
                .is_some_and(|next| next.is_word() || matches!(text(i + 1), "{" | "*"));
        if !goes_on {
            break;
        }
        i += 1;
    }
    let is_macro = text(i) == "!" && text(i + 1) != "=";
    found.push(Named {
        line,
        segments: resolve(&segments, module),
        is_macro,
    });
    i
}

/// `self`, `super` and the crate's own name become `crate`.
fn resolve(segments: &[String], module: &[String]) -> Vec<String> {
    let mut base: Vec<String> = match segments[0].as_str() {
        "self" | "super" => module.to_vec(),
        "crate" | "dosed" => Vec::new(),
        _ => return segments.to_vec(),
    };
    let mut rest = segments;
    while let Some((first, tail)) = rest.split_first() {
        match first.as_str() {
            "super" => drop(base.pop()),
            "self" | "crate" | "dosed" => {}
            _ => break,
        }
        rest = tail;
    }
    let mut resolved = vec!["crate".to_owned()];
    resolved.append(&mut base);
    resolved.extend_from_slice(rest);
    resolved
}

/// Whether `path` is `prefix` or lies below it.
fn below(path: &[String], prefix: &str) -> bool {
    let mut segments = path.iter();
    prefix
        .split("::")
        .all(|part| segments.next().is_some_and(|segment| segment == part))
}

/// The module that a file below `src/` is.
fn module_of(file: &str) -> Vec<String> {
    let stem = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = stem.split('/').map(ToOwned::to_owned).collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        module.pop();
    }
    module
}

/// What is wrong with one file below `src/`, a sentence each.
fn findings(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(room_name) = module.first() else {
        return Vec::new(); // lib.rs names every room
    };
    let Some(room) = ROOMS.iter().find(|room| room.name == room_name) else {
        return vec![format!(
            "{file}:1: `{room_name}` is no room of the house; use one of them, or add it to the design and to this test"
        )];
    };
    if source::is_for_tests(file) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for Named {
        line,
        segments,
        is_macro,
    } in paths(&source::product(&source::tokens(text)), &module)
    {
        let shown = segments.join("::");
        if segments[0] == "crate" {
            let Some(other) = segments.get(1).filter(|other| *other != room_name) else {
                continue;
            };
            let is_room = ROOMS.iter().any(|room| room.name == other);
            if is_room
                && !room
                    .may_use
                    .iter()
                    .any(|allowed| below(&segments[1..], allowed))
            {
                wrong.push(format!(
                    "{file}:{line}: {room_name} must not name `{shown}`; {} instead",
                    room.instead
                ));
            }
            continue;
        }
        if PURE.contains(&room.name) {
            if is_macro && IMPURE_MACROS.contains(&segments[segments.len() - 1].as_str()) {
                wrong.push(format!(
                    "{file}:{line}: {room_name} must not call `{shown}!`; return it instead"
                ));
                continue;
            }
            // A lone word may be a field or a variable; a crate or module is followed by more.
            let qualified = segments.len() > 1;
            let banned = IMPURE.iter().find(|(banned, _)| {
                below(&segments, banned) && (qualified || banned.starts_with(char::is_uppercase))
                    || (segments[0] == "jiff" && below(&segments[1..], banned))
            });
            if let Some((_, instead)) = banned {
                wrong.push(format!(
                    "{file}:{line}: {room_name} must not name `{shown}`; {instead} instead"
                ));
                continue;
            }
        }
        let kept = KEPT.iter().find(|(name, rooms, _)| {
            segments.len() > 1 && segments[0] == *name && !rooms.contains(&room.name)
        });
        if let Some((_, _, instead)) = kept {
            wrong.push(format!(
                "{file}:{line}: {room_name} must not name `{shown}`; {instead} instead"
            ));
        }
    }
    wrong
}

#[test]
fn every_arrow_runs_downwards_and_the_core_is_pure() {
    let files = source::rust_files("src");
    assert!(files.len() > 15, "the sources were not found");
    let mut wrong = String::new();
    for path in &files {
        let text = std::fs::read_to_string(path).expect("a source file is UTF-8");
        for finding in findings(&source::shown(path), &text) {
            writeln!(wrong, "{finding}").expect("a String takes any text");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_whole_core_has_been_read() {
    for room in ROOMS
        .iter()
        .map(|room| room.name)
        .filter(|&name| name != "main")
    {
        let read = source::rust_files("src");
        let found = read.iter().any(|path| {
            module_of(&source::shown(path))
                .first()
                .is_some_and(|first| first == room)
        });
        assert!(found, "no file of `{room}` was read");
    }
}

/// File, text, and a part of the one finding expected; empty where none is.
const SAMPLES: &[(&str, &str, &str)] = &[
    // Arrows.
    ("src/cli/run.rs", "use crate::daemon::run;", ""),
    (
        "src/daemon/scheduler.rs",
        "use crate::{engine::step, store::Store};",
        "",
    ),
    (
        "src/daemon/scheduler.rs",
        "use crate::{engine::step,\n cli::Args};",
        "src/daemon/scheduler.rs:2: daemon must not name `crate::cli::Args`; let cli hand it in instead",
    ),
    (
        "src/store/fire.rs",
        "use crate::messaging::MessageId;",
        "store must not name `crate::messaging::MessageId`",
    ),
    (
        "src/store/fire.rs",
        "fn f() { crate::daemon::now() }",
        "store must not name `crate::daemon::now`",
    ),
    (
        "src/messaging/mod.rs",
        "use crate::store::Store;",
        "messaging must not name",
    ),
    (
        "src/http/health.rs",
        "use crate::store::Snapshot;",
        "take a handle that daemon gives to http instead",
    ),
    (
        "src/http/health.rs",
        "use super::super::store::Snapshot;",
        "http must not name `crate::store::Snapshot`",
    ),
    (
        "src/http/mod.rs",
        "mod inner { use super::super::store::X; }",
        "http must not name `crate::store::X`",
    ),
    ("src/http/mod.rs", "mod inner { use super::store::X; }", ""),
    (
        "src/engine/state.rs",
        "use crate::plan::{Zone, Language as L};",
        "",
    ),
    (
        "src/engine/state.rs",
        "use crate::messaging as m;",
        "engine must not name `crate::messaging`",
    ),
    (
        "src/plan/reader.rs",
        "impl crate::engine::Fits for X {}",
        "plan must not name `crate::engine::Fits`",
    ),
    (
        "src/recurrence/mod.rs",
        "use crate::plan::Zone;",
        "recurrence must not name",
    ),
    (
        "src/sandbox/mod.rs",
        "use crate::messaging::wechat::wire::Reply;",
        "",
    ),
    (
        "src/sandbox/mod.rs",
        "use crate::messaging::wechat::{wire, client};",
        "sandbox must not name `crate::messaging::wechat::client`",
    ),
    (
        "src/sandbox/mod.rs",
        "use crate::engine::Body;",
        "sandbox must not name",
    ),
    (
        "src/daemon/mod.rs",
        "use crate::sandbox::Sandbox;",
        "daemon must not name `crate::sandbox::Sandbox`",
    ),
    ("src/main.rs", "fn main() { dosed::cli::main() }", ""),
    (
        "src/main.rs",
        "fn main() { dosed::daemon::run() }",
        "main must not name `crate::daemon::run`",
    ),
    ("src/utils.rs", "", "`utils` is no room"),
    // Purity.
    (
        "src/engine/step.rs",
        "use jiff::Timestamp;\nfn f(now: Timestamp) {}",
        "",
    ),
    (
        "src/engine/step.rs",
        "fn f() { Timestamp::now() }",
        "take the instant as an argument instead",
    ),
    (
        "src/engine/step.rs",
        "fn f() { jiff::Timestamp::now() }",
        "engine must not name `jiff::Timestamp::now`",
    ),
    (
        "src/engine/step.rs",
        "use std::time::{Duration, Instant};",
        "engine must not name `std::time::Instant`",
    ),
    (
        "src/engine/step.rs",
        "use std::time::*;\nfn f() { Instant::now() }",
        "engine must not name `Instant::now`",
    ),
    (
        "src/plan/reader.rs",
        "use std::time::SystemTime;",
        "plan must not name `std::time::SystemTime`",
    ),
    (
        "src/plan/reader.rs",
        "use std::fs;",
        "plan must not name `std::fs`",
    ),
    (
        "src/plan/reader.rs",
        "fn f() { fs::read(p) }",
        "plan must not name `fs::read`",
    ),
    (
        "src/plan/reader.rs",
        "use std::{fmt, net::TcpStream};",
        "plan must not name `std::net::TcpStream`",
    ),
    (
        "src/recurrence/mod.rs",
        "use tokio::time::sleep;",
        "recurrence must not name `tokio::time::sleep`",
    ),
    (
        "src/recurrence/mod.rs",
        "fn f() { println!(\"x\") }",
        "recurrence must not call `println!`",
    ),
    (
        "src/recurrence/mod.rs",
        "#[tokio::test]\nasync fn f() {}",
        "recurrence must not name `tokio::test`",
    ),
    (
        "src/engine/step.rs",
        "#[derive(Debug)]\nstruct X;\nfn f(x: &X, io: u8) -> u8 { io }",
        "",
    ),
    (
        "src/engine/step.rs",
        "// use tokio::time;\nconst T: &str = \"std::fs\";",
        "",
    ),
    (
        "src/engine/step.rs",
        "#[cfg(test)]\nmod tests {\n use std::fs;\n}\nuse std::fmt;",
        "",
    ),
    (
        "src/engine/step.rs",
        "#[cfg(test)]\nmod tests {}\nuse std::fs::File;",
        "src/engine/step.rs:3: ",
    ),
    // Crates kept inside rooms.
    ("src/store/mod.rs", "use redb::Database;", ""),
    (
        "src/daemon/mod.rs",
        "use redb::Database;",
        "daemon must not name `redb::Database`",
    ),
    ("src/http/mod.rs", "use chrono::Utc;", "use jiff instead"),
];

#[test]
fn the_checker_sees_what_it_must_and_nothing_else() {
    for (file, text, expected) in SAMPLES {
        let found = findings(file, text);
        if expected.is_empty() {
            assert!(found.is_empty(), "{file}: {text}\n{found:?}");
        } else {
            assert_eq!(found.len(), 1, "{file}: {text}\n{found:?}");
            assert!(found[0].contains(expected), "{file}: {text}\n{found:?}");
        }
    }
}
