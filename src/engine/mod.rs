//! The functional core: what follows for one patient from an input, as a pure function.
//!
//! No clock, no I/O, no runtime: the instant comes in as an argument, what is to be done goes
//! out as a [`Decision`].

mod message;
mod state;

pub use message::*;
pub use state::*;
