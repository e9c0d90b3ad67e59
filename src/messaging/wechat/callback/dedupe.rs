//! What tells two pushes of the same thing from two things.

use sha2::{Digest, Sha256};

/// The same for every push of the same message or event, and for nothing else. Only a hash: the
/// openid cannot be read from it.
///
/// The platform sends again what was not answered in time. A message has a number, which is unique
/// for one sender only; an event has none but what it says and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DedupeKey(pub [u8; 16]);

impl DedupeKey {
    /// The key of what these parts, in this order, tell apart.
    pub(super) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists read alike.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }
}
