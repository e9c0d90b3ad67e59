//! N patients due at one instant: the daemon, end to end, against a bare reqwest loop that posts
//! the same bodies at the same concurrency to the same sink, alternating in one run.
//!
//! Every message of the daemon is claimed durably before it is sent and settled durably after.
//! `cargo bench --bench burst -- [--patients N] [--rounds R]`; the figure that counts is the
//! ratio, as these machines drift. `--bench scale` has it among all others.

#[path = "support/mod.rs"]
mod support;

use support::burst::Crowd;
use support::clinic::{CONCURRENCY, Durability, bare};
use support::sink::Sink;

fn main() {
    let (patients, rounds) = arguments();
    dosed::messaging::install_crypto_provider();
    let sink = Sink::start();
    println!("{patients} patients due at one instant, {CONCURRENCY} requests at once");
    let crowd = Crowd::new(&sink, patients);
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let burst = crowd.burst(&sink, Durability::On);
        let (bare, _) = bare(&sink, &burst.bodies);
        let ratio = bare.as_secs_f64() / burst.took.as_secs_f64();
        println!(
            "round {round}: dosed {:>6.0}/s ({:.3} s, first after {:.1} ms, {} commits)  \
             bare reqwest {:>6.0}/s ({:.3} s)  ratio {ratio:.2}",
            patients as f64 / burst.took.as_secs_f64(),
            burst.took.as_secs_f64(),
            burst.first.as_secs_f64() * 1e3,
            burst.commits,
            patients as f64 / bare.as_secs_f64(),
            bare.as_secs_f64(),
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio {:.2} (1 is the bare loop)",
        ratios[ratios.len() / 2]
    );
}

fn arguments() -> (usize, usize) {
    let mut patients = 20_000;
    let mut rounds = 3;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = |otherwise| {
            arguments
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(otherwise)
        };
        match argument.as_str() {
            "--patients" => patients = number(patients),
            "--rounds" => rounds = number(rounds),
            // What cargo itself adds.
            _ => {}
        }
    }
    (patients, rounds.max(1))
}
