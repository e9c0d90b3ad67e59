//! Forms that are taken once: a button pressed twice, or a page sent again, says nothing twice.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// So many tokens of forms that were taken are remembered.
const REMEMBERED: usize = 4_096;

/// Tokens of forms that were taken.
#[derive(Default)]
pub struct Once(Mutex<(VecDeque<String>, HashSet<String>)>);

impl Once {
    /// Takes the form with this token; false if it was taken before.
    pub fn take(&self, token: &str) -> bool {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (order, known) = &mut *remembered;
        if !known.insert(token.to_owned()) {
            return false;
        }
        order.push_back(token.to_owned());
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_once_and_memory_does_not_grow() {
        let once = Once::default();
        assert!(once.take("a"));
        assert!(!once.take("a"));
        for n in 0..REMEMBERED {
            assert!(once.take(&n.to_string()));
        }
        assert_eq!(once.0.lock().unwrap().1.len(), REMEMBERED);
        assert!(!once.take("17"));
    }
}
