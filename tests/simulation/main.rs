//! The simulation: what the guarantees say holds in clinics in which everything goes wrong.
//! `docs/simulation.md` says how it works, and how a seed that fails is run again.

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

use dosed::store::DeliberateFault;
use std::thread;
use world::{Scenario, replay, run, shrink};

/// A range of seeds that is not the one below runs with `cargo run --example dosed-sim`.
const SEEDS: u64 = 12;

fn scenario(seed: u64) -> Scenario {
    Scenario::new(seed, 6, 5).drawn()
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    // With all kinds of faults.
    let scenario = Scenario::new(7, 4, 5);
    let (first, second) = (run(&scenario, true), run(&scenario, true));
    assert!(first.lines.lines().count() > 50, "{}", first.lines);
    assert_eq!(first.lines, second.lines);
    assert_eq!(first.trace, second.trace);
}

#[test]
fn the_guarantees_hold_in_every_seed() {
    let lanes = 2;
    let run_lane = |lane: u64| {
        for seed in (lane..SEEDS).step_by(lanes) {
            if run(&scenario(seed), false).failure.is_some() {
                let (smallest, outcome) = shrink(&scenario(seed));
                let failure = outcome.failure.unwrap_or_default();
                panic!("seed {seed}: {failure}\n{}", replay(&smallest));
            }
        }
    };
    thread::scope(|scope| {
        for lane in 0..lanes as u64 {
            scope.spawn(move || run_lane(lane));
        }
    });
}

/// By which seed each is found, in how many days of how many patients. What the engine does shifts
/// what a seed draws, so the ones after it are tried as well.
const FOUND_BY: [(DeliberateFault, u64, i64, usize); 7] = [
    (DeliberateFault::SettleBeforeSend, 3, 6, 5),
    (DeliberateFault::ForgetOutbox, 6, 6, 5),
    (DeliberateFault::RearmSent, 0, 6, 5),
    (DeliberateFault::IgnoreWindow, 18, 6, 5),
    (DeliberateFault::NewIdOnResend, 5, 6, 5),
    (DeliberateFault::ForgetInbound, 7, 6, 5),
    (DeliberateFault::KeepAnswered, 6, 3, 20),
];

/// So many seeds are tried.
const TRIED: u64 = 20;

#[test]
fn deliberate_faults_are_found() {
    assert_eq!(FOUND_BY.map(|(fault, ..)| fault), DeliberateFault::ALL);
    for (fault, first, days, patients) in FOUND_BY {
        let finds = |seed: &u64| {
            let right = Scenario::new(*seed, days, patients).drawn();
            assert_eq!(run(&right, false).failure, None, "without {fault:?}");
            let wrong = Scenario {
                deliberate: Some(fault),
                ..right
            };
            run(&wrong, false).failure.is_some()
        };
        let found = (first..first + TRIED).find(finds);
        assert!(found.is_some(), "{fault:?}");
    }
}
