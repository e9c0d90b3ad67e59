//! The simulation: what the guarantees say holds in clinics in which everything goes wrong.
//! `docs/simulation.md` says how it works, and how a seed that fails is run again.

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

#[test]
fn every_deliberate_fault_is_found() {
    for fault in DeliberateFault::ALL {
        let found = (0..200).find(|seed| {
            let scenario = Scenario {
                deliberate: Some(fault),
                ..scenario(*seed)
            };
            run(&scenario, false).failure.is_some()
        });
        let seed = found.unwrap_or_else(|| panic!("{fault:?} is not found within 200 seeds"));
        println!("{fault:?} is found by seed {seed}");
    }
}
