//! The console channel: one line a message on stdout.
