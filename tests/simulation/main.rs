//! The simulation: what the guarantees say holds in clinics in which everything goes wrong.

mod world;

use world::{Scenario, replay, run, shrink};

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    let scenario = Scenario::new(1, 4, 6);
    let (first, second) = (run(&scenario, true), run(&scenario, true));
    assert_eq!(first.lines, second.lines);
    assert_eq!(first.trace, second.trace);
}

#[test]
fn the_guarantees_hold_in_every_seed() {
    for seed in 0..10 {
        let scenario = Scenario::new(seed, 10, 8).drawn();
        if run(&scenario, false).failure.is_some() {
            let (smallest, outcome) = shrink(&scenario);
            panic!(
                "seed {seed}: {}\n{}",
                outcome.failure.unwrap_or_default(),
                replay(&smallest)
            );
        }
    }
}
