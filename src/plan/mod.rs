//! What the doctor writes: types, TOML with source spans, validation, and the plan in its
//! resolved form.
//!
//! Nothing here reads a clock, a file or the network: text and instants come in as arguments.

pub mod diagnostic;
pub mod reader;
mod resolved;
mod tmp_stub;

pub use resolved::*;
