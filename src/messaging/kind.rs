//! The kinds of messages.

use crate::engine::Body;
use serde::{Deserialize, Serialize};

/// The kinds of messages, each of which a channel may lay out in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Reminder of doses.
    Dose,
    /// A check-in's question.
    CheckIn,
    /// Reminder of an appointment.
    Appointment,
    /// Advice and other news for the patient.
    Notice,
    /// News for staff or a caregiver.
    Alert,
}

impl MessageKind {
    /// All kinds.
    pub const ALL: [MessageKind; 5] = [
        MessageKind::Dose,
        MessageKind::CheckIn,
        MessageKind::Appointment,
        MessageKind::Notice,
        MessageKind::Alert,
    ];

    /// The kind of a message.
    #[must_use]
    pub fn of(body: &Body) -> Self {
        match body {
            Body::Dose(_) => MessageKind::Dose,
            Body::CheckIn(_) => MessageKind::CheckIn,
            Body::Appointment(_) => MessageKind::Appointment,
            Body::Notice(_) | Body::Refill(_) | Body::Digest(_) => MessageKind::Notice,
            Body::Alert(_) => MessageKind::Alert,
        }
    }

    /// The name in the configuration and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::Dose => "dose",
            MessageKind::CheckIn => "check_in",
            MessageKind::Appointment => "appointment",
            MessageKind::Notice => "notice",
            MessageKind::Alert => "alert",
        }
    }
}
