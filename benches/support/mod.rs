//! What benches share. Each uses a part of it.

#![allow(dead_code, reason = "each bench needs its part")]

pub mod burst;
pub mod clinic;
pub mod core;
pub mod process;
pub mod sink;
pub mod transactions;
