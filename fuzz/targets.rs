//! Fuzz targets: texts of plans and of FHIR resources, and pushes to the callback address, that
//! nobody has thought of.
//!
//! Each input is a string of bytes that is read as a row of choices, so that what comes out is
//! mostly a text that gets deep, and so that an engine that mutates bytes mutates choices. The
//! targets run for a second under `cargo test`, and as long as is wanted under `fuzz/run`; with
//! `cargo bolero` they run under coverage-guided engines.

mod callback;
mod choices;
mod fhir;
mod plan;
mod watch;

use watch::Watch;

#[test]
fn plans() {
    let watch = Watch::new("plans");
    bolero::check!()
        .with_max_len(1024)
        .for_each(|bytes| watch.over(bytes, plan::run));
}

#[test]
fn fhir_resources() {
    let watch = Watch::new("fhir_resources");
    bolero::check!()
        .with_max_len(1024)
        .for_each(|bytes| watch.over(bytes, fhir::run));
}

#[test]
fn callbacks_in_the_clear() {
    let watch = Watch::new("callbacks_in_the_clear");
    bolero::check!()
        .with_max_len(1024)
        .for_each(|bytes| watch.over(bytes, callback::clear));
}

#[test]
fn callbacks_encrypted() {
    let watch = Watch::new("callbacks_encrypted");
    bolero::check!()
        .with_max_len(1024)
        .for_each(|bytes| watch.over(bytes, callback::sealed));
}
