//! The patient's state between two steps.
