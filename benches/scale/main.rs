//! Speed and scale: what the goals ask for, measured, as one table.
//!
//! `cargo bench --bench scale` measures all of it, in about a quarter of an hour; `-- --quick` the
//! same with fewer patients, in two to three minutes. `--only burst,core` measures a part,
//! `--json FILE` leaves the table for programs, `--against FILE` compares it with an earlier one
//! and fails when a figure is worse by more than a third, in three tries.
//!
//! Machines drift, and so do figures: what counts are ratios of things measured in turns within
//! one run, medians of several.

#[path = "../support/mod.rs"]
mod support;

mod against;
mod binary;
mod burst;
mod core;
mod lateness;
mod measure;
mod millions;
mod reload;
mod table;
mod year;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use table::{Row, Table};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What the goals name.
    Whole,
    /// A part of it, for every change.
    Quick,
}

impl Size {
    /// One of two numbers.
    #[must_use]
    pub fn of(self, whole: usize, quick: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Quick => quick,
        }
    }
}

/// A group of figures that are measured together.
struct Group {
    name: &'static str,
    measure: fn(Size) -> Vec<Row>,
}

const GROUPS: [Group; 7] = [
    Group {
        name: "burst",
        measure: burst::measure,
    },
    Group {
        name: "lateness",
        measure: lateness::measure,
    },
    Group {
        name: "millions",
        measure: millions::measure,
    },
    Group {
        name: "reload",
        measure: reload::measure,
    },
    Group {
        name: "year",
        measure: year::measure,
    },
    Group {
        name: "core",
        measure: core::measure,
    },
    Group {
        name: "binary",
        measure: binary::measure,
    },
];

/// So often a group is measured whose figures have become worse.
const TRIES: usize = 3;

struct Arguments {
    size: Size,
    only: Option<Vec<String>>,
    json: Option<PathBuf>,
    against: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    dosed::messaging::install_crypto_provider();
    let earlier = arguments.against.as_deref().map(against::read);
    let began = Instant::now();
    let mut table = Table::default();
    let mut fallen = Vec::new();
    for group in &GROUPS {
        let only = arguments.only.as_ref();
        if only.is_some_and(|only| !only.iter().any(|name| name == group.name)) {
            continue;
        }
        let mut rows = timed(group, arguments.size);
        if let Some(earlier) = &earlier {
            for _ in 1..TRIES {
                if against::fallen(&rows, earlier).is_empty() {
                    break;
                }
                eprintln!("{}: worse than before; measured again", group.name);
                rows = against::better(rows, timed(group, arguments.size));
            }
            fallen.extend(against::fallen(&rows, earlier));
        }
        table.rows.extend(rows);
    }
    println!("{table}");
    println!("measured in {} s", began.elapsed().as_secs());
    if let Some(path) = &arguments.json {
        let written = std::fs::write(path, table.json(arguments.size));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    for line in &fallen {
        println!("{line}");
    }
    if fallen.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn timed(group: &Group, size: Size) -> Vec<Row> {
    eprintln!("{}:", group.name);
    let began = Instant::now();
    let rows = (group.measure)(size);
    eprintln!("{}: {} s", group.name, began.elapsed().as_secs());
    rows
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments {
        size: Size::Whole,
        only: None,
        json: None,
        against: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--quick" => found.size = Size::Quick,
            "--only" => {
                let names: Vec<String> = value()?.split(',').map(str::to_owned).collect();
                let known = GROUPS.map(|group| group.name);
                if let Some(name) = names.iter().find(|it| !known.contains(&it.as_str())) {
                    return Err(format!("`{name}` is none of {}", known.join(", ")));
                }
                found.only = Some(names);
            }
            "--json" => found.json = Some(value()?.into()),
            "--against" => found.against = Some(value()?.into()),
            // What cargo itself adds.
            "--bench" => {}
            other => return Err(format!("`{other}` is not understood")),
        }
    }
    Ok(found)
}
