//! Whether a message may still leave, asked at the last moment.

use std::sync::Arc;

/// Says, right before the first byte of a message leaves, whether it may still go: a token, a
/// connection or a blocked pipe may have been waited for since it was handed over.
///
/// # Contract
/// It is asked on the hot path, perhaps several times for one message: it answers at once and
/// changes nothing.
#[derive(Clone)]
pub struct Permit(Arc<dyn Fn() -> bool + Send + Sync>);

impl Permit {
    /// A permit that holds while `ask` says so.
    #[must_use]
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// A permit that always holds, for what has no time of its own.
    #[must_use]
    pub fn always() -> Self {
        Self::new(|| true)
    }

    /// Whether the message may leave now.
    #[must_use]
    pub fn holds(&self) -> bool {
        (self.0)()
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Permit(…)")
    }
}
