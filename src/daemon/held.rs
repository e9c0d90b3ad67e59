//! Why messages that could have left did not, apart from the API. A pure value; the dispatcher
//! holds it.

use crate::engine::{Class, ExpiredReason, OutboxRef};
use jiff::Timestamp;

/// What keeps messages from leaving, and what did last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    now: Option<ExpiredReason>,
    last: Option<(Timestamp, ExpiredReason)>,
}

impl Held {
    /// Messages are held from now on.
    pub fn hold(&mut self, reason: ExpiredReason) {
        self.now = Some(reason);
    }

    /// Nothing is held any more.
    pub fn release(&mut self, now: Timestamp) {
        if let Some(reason) = self.now.take() {
            self.last = Some((now, reason));
        }
    }

    /// Why a message did not leave before its deadline, if it was held then.
    #[must_use]
    pub fn reason(&self, key: &OutboxRef) -> Option<ExpiredReason> {
        let last = self.last.filter(|(until, _)| key.deadline <= *until);
        let reason = self.now.or(last.map(|(_, reason)| reason))?;
        // The brake holds no critical message.
        (reason != ExpiredReason::Held || key.class != Class::Critical).then_some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::MessageId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + seconds).unwrap()
    }

    fn key(class: Class, deadline: i64) -> OutboxRef {
        OutboxRef {
            class,
            deadline: at(deadline),
            id: MessageId([1; 16]),
        }
    }

    #[test]
    fn what_ended_within_a_hold_was_held_and_what_ends_after_it_was_not() {
        let mut held = Held::default();
        assert_eq!(held.reason(&key(Class::Dose, 0)), None);
        held.hold(ExpiredReason::Clock);
        assert_eq!(
            held.reason(&key(Class::Dose, 0)),
            Some(ExpiredReason::Clock)
        );
        held.release(at(100));
        held.release(at(200));
        assert_eq!(
            held.reason(&key(Class::Dose, 100)),
            Some(ExpiredReason::Clock)
        );
        assert_eq!(held.reason(&key(Class::Dose, 101)), None);
    }

    #[test]
    fn the_brake_holds_no_critical_message_and_the_clock_does() {
        let mut held = Held::default();
        held.hold(ExpiredReason::Held);
        assert_eq!(held.reason(&key(Class::Critical, 0)), None);
        assert_eq!(
            held.reason(&key(Class::Nudge, 0)),
            Some(ExpiredReason::Held)
        );
        held.hold(ExpiredReason::Clock);
        assert_eq!(
            held.reason(&key(Class::Critical, 0)),
            Some(ExpiredReason::Clock)
        );
    }
}
