//! Pure calendar arithmetic: the instants at which a schedule falls, in a time zone.

use serde::{Deserialize, Serialize};

/// When something falls (filled by the recurrence module).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {}
