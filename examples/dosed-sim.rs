//! Runs the simulation over a range of seeds: `dosed-sim --seeds 0..200 --days 30 --patients 20`.
//! A seed that fails is made smaller, and the command that runs it again is printed.

#[path = "../tests/simulation/world/mod.rs"]
#[allow(
    dead_code,
    clippy::match_same_arms,
    clippy::semicolon_if_nothing_returned,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::unused_self,
    clippy::while_let_loop,
    reason = "the tests and the example each use a part; tables and one long look read better whole"
)]
mod world;

use clap::Parser;
use dosed::store::DeliberateFault;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use world::{Fault, Outcome, Scenario, replay, run, shrink};

/// Simulates a clinic with all that can go wrong, and says what did.
#[derive(Parser)]
struct Arguments {
    /// A half-open range of seeds, e.g. 0..200; each draws its own kinds of faults.
    #[arg(long, value_parser = seeds, default_value = "0..150")]
    seeds: (u64, u64),
    /// One seed, with exactly the faults that are given.
    #[arg(long)]
    seed: Option<u64>,
    /// Days of each run.
    #[arg(long, default_value_t = 30)]
    days: i64,
    /// Patients of each run.
    #[arg(long, default_value_t = 20)]
    patients: usize,
    /// Kinds of faults, separated by commas; `none` for none.
    #[arg(long)]
    faults: Option<String>,
    /// A fault to put into the store on purpose.
    #[arg(long)]
    deliberate: Option<String>,
    /// Prints all that happened.
    #[arg(long)]
    trace: bool,
    /// Does not look for a smaller scenario that fails too.
    #[arg(long)]
    no_shrink: bool,
    /// Goes on after a seed that fails.
    #[arg(long)]
    keep_going: bool,
    /// How many seeds run at once; by default as many as the machine has processors.
    #[arg(long, default_value_t = processors())]
    lanes: u64,
}

fn processors() -> u64 {
    thread::available_parallelism().map_or(1, |count| count.get() as u64)
}

/// What all runs gave together.
#[derive(Default)]
struct Total {
    runs: u64,
    failed: u64,
    sent: usize,
    doses: usize,
}

impl Total {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.failed += u64::from(outcome.failure.is_some());
        self.sent += outcome.sent;
        self.doses += outcome.numbers.doses;
    }
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("`{text}` is no range of seeds such as 0..200");
    let (from, until) = text.split_once("..").ok_or_else(wrong)?;
    Ok((
        from.parse().map_err(|_| wrong())?,
        until.parse().map_err(|_| wrong())?,
    ))
}

fn faults(text: &str) -> Result<BTreeSet<Fault>, String> {
    text.split(',')
        .filter(|name| *name != "none")
        .map(|name| Fault::of_name(name).ok_or_else(|| format!("no kind of fault is `{name}`")))
        .collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen = match arguments.faults.as_deref().map(faults).transpose() {
        Ok(chosen) => chosen,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(64);
        }
    };
    let name = arguments.deliberate.as_deref();
    let deliberate = DeliberateFault::ALL
        .into_iter()
        .find(|fault| Some(format!("{fault:?}").as_str()) == name);
    if deliberate.is_none() && name.is_some() {
        eprintln!("no deliberate fault is of that name");
        return ExitCode::from(64);
    }
    let (from, until) = arguments
        .seed
        .map_or(arguments.seeds, |seed| (seed, seed + 1));
    let began = Instant::now();
    let lanes = arguments.lanes.max(1).min(until - from);
    let (next, stop) = (AtomicU64::new(from), AtomicBool::new(false));
    let total = Mutex::new(Total::default());
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until {
                        return;
                    }
                    let scenario = scenario(&arguments, seed, chosen.as_ref(), deliberate);
                    let outcome = run(&scenario, arguments.trace);
                    let has_failed = outcome.failure.is_some();
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.add(&outcome);
                    drop(total);
                    tell(&arguments, &outcome);
                    if has_failed {
                        let as_it_is = arguments.no_shrink || arguments.trace;
                        report(&scenario, outcome, as_it_is);
                        if !arguments.keep_going {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Total {
        runs,
        failed,
        sent,
        doses,
    } = total;
    let years = runs as f64 * arguments.days as f64 * arguments.patients as f64 / 365.25;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{runs} seeds, {failed} failed: {doses} doses, {sent} messages, {years:.1} patient-years in {seconds:.1} s on {lanes} threads ({:.0} a minute)",
        years / seconds * 60.0
    );
    if failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn scenario(
    arguments: &Arguments,
    seed: u64,
    chosen: Option<&BTreeSet<Fault>>,
    deliberate: Option<DeliberateFault>,
) -> Scenario {
    let mut scenario = Scenario::new(seed, arguments.days, arguments.patients);
    if let Some(chosen) = chosen {
        scenario.faults.clone_from(chosen);
    }
    scenario.deliberate = deliberate;
    if arguments.seed.is_none() {
        scenario = scenario.drawn();
    }
    scenario
}

fn tell(arguments: &Arguments, outcome: &Outcome) {
    if arguments.trace {
        print!("{}", outcome.lines);
    }
    if arguments.seed.is_some() {
        println!("{:?}", outcome.numbers);
        println!(
            "{} restarts, {} messages, trace {:016x}",
            outcome.restarts, outcome.sent, outcome.trace
        );
    }
}

fn report(scenario: &Scenario, outcome: Outcome, as_it_is: bool) {
    let (scenario, outcome) = if as_it_is {
        (scenario.clone(), outcome)
    } else {
        shrink(scenario)
    };
    let failure = outcome.failure.unwrap_or_default();
    println!(
        "seed {} fails: {failure}\n  {}",
        scenario.seed,
        replay(&scenario)
    );
}
