//! From a seed that fails to the smallest scenario that fails, and the command that runs it again.

use super::scenario::Scenario;
use super::{Outcome, run};

/// The smallest scenario found that fails too, and what it gives.
pub fn shrink(scenario: &Scenario) -> (Scenario, Outcome) {
    let mut best = scenario.clone();
    let mut outcome = run(&best, true);
    loop {
        let mut smaller: Vec<Scenario> = Vec::new();
        for (days, patients) in [
            (best.days, best.patients / 2),
            (best.days, best.patients.saturating_sub(1)),
            (best.days / 2, best.patients),
            (best.days - 1, best.patients),
        ] {
            if days > 0 && patients > 0 && (days, patients) != (best.days, best.patients) {
                smaller.push(Scenario {
                    days,
                    patients,
                    ..best.clone()
                });
            }
        }
        for fault in &best.faults {
            let mut fewer = best.clone();
            fewer.faults.remove(fault);
            smaller.push(fewer);
        }
        let found = smaller.into_iter().find_map(|smaller| {
            let outcome = run(&smaller, true);
            outcome.failure.is_some().then_some((smaller, outcome))
        });
        let Some((smaller, failed)) = found else {
            return (best, outcome);
        };
        (best, outcome) = (smaller, failed);
    }
}

/// The command that runs a scenario again.
pub fn replay(scenario: &Scenario) -> String {
    let faults: Vec<String> = scenario.faults.iter().map(|fault| fault.name()).collect();
    let faults = if faults.is_empty() {
        "none".to_owned()
    } else {
        faults.join(",")
    };
    let deliberate = scenario
        .deliberate
        .map_or(String::new(), |fault| format!(" --deliberate {fault:?}"));
    format!(
        "cargo run --example dosed-sim -- --seed {} --days {} --patients {} --faults {faults}{deliberate} --trace",
        scenario.seed, scenario.days, scenario.patients
    )
}
