//! The functional core: what follows for one patient from an input, as a pure function.
//!
//! No clock, no I/O, no runtime: the instant comes in as an argument, what is to be done goes
//! out as a [`Decision`]. [`step`] is total and deterministic.

mod adherence;
mod conversation;
mod converse;
mod counsel;
mod course;
mod decision;
mod digest;
mod dose_calendar;
mod erase;
pub mod interpret;
mod link;
mod message;
mod press;
mod reply;
mod role;
mod sheet;
mod state;
mod step;
mod stranger;

pub use adherence::*;
pub use conversation::*;
pub use converse::*;
pub use counsel::*;
pub use course::*;
pub use decision::*;
pub use digest::*;
pub use dose_calendar::*;
pub use interpret::{DoseAnswer, Value};
pub use link::*;
pub use message::*;
pub use press::*;
pub use reply::*;
pub use role::Role;
pub use sheet::*;
pub use state::*;
pub use step::{LOOK_AHEAD, OCCURRENCES_PER_STEP, is_awaited, is_still_wanted, step};
pub use stranger::*;
